"""HTTP itself, without any capability of the product: errors, middleware, bodies, parameters, paging, assets."""
