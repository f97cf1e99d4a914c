"""Everything that speaks HTTP: routes, sign-in, streams, pages, health. Only this package knows Starlette."""
