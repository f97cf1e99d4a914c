"""The ASGI application: the routes and the middleware over the context."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from server.telemetry import tracing
from server.transport import pages
from server.transport.access.limits import Limiter, RateLimits
from server.transport.access.origins import OwnOrigin
from server.transport.context import Context
from server.transport.http.cors import Cors
from server.transport.http.errors import EXCEPTION_HANDLERS
from server.transport.http.middleware import AllowedHosts, RequestContext, SoundHeaders, TimeLimit
from server.transport.http.traced import Traced
from server.transport.http.versions import DEPRECATED, Deprecated, KnownVersions, Versions
from server.transport.spec import openapi


def application(
    context: Context,
    lifespan: Lifespan[Starlette],
    *,
    allowed_hosts: Sequence[str],
    cors_origins: Sequence[str],
    limiter: Limiter | None,
    request_seconds: float,
    slow_seconds: float,
    deprecated: Sequence[Deprecated] = DEPRECATED,
    before: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application that serves ``context``. Without a ``limiter`` requests are not limited.

    ``before`` are routes that take precedence over its own.
    """
    middleware: list[Middleware] = [
        Middleware(RequestContext, metrics=context.metrics, slow_seconds=slow_seconds),
        Middleware(SoundHeaders),
    ]
    if tracing.is_on():
        middleware.insert(1, Middleware(Traced))
    if allowed_hosts:
        middleware.append(Middleware(AllowedHosts, hosts=list(allowed_hosts)))
    if cors_origins:
        middleware.append(Middleware(Cors, origins=list(cors_origins)))
    middleware.append(Middleware(Versions, deprecated=deprecated))
    middleware.append(Middleware(TimeLimit, seconds=request_seconds))
    if limiter is not None:
        middleware.append(Middleware(RateLimits, gate=context.gate, limiter=limiter))
    # Behind the limits, which count these refusals.
    middleware += [Middleware(KnownVersions), Middleware(OwnOrigin, gate=context.gate)]
    app = Starlette(
        routes=[
            *before,
            *(route for module in openapi.MODULES for route in module.routes()),
            *pages.routes(context),
        ],
        middleware=middleware,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a path is right or it is not found
    app.state.context = context
    return app
