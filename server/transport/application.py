"""The ASGI application: routes and middleware over the parts."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from server.transport import pages
from server.transport.access.limits import Limiter, RateLimits
from server.transport.api import (
    api_keys,
    audit,
    commands,
    entries,
    health,
    pairings,
    sessions,
    sites,
    speech,
    staff,
    statistics,
    tickets,
)
from server.transport.context import Context
from server.transport.http import metrics
from server.transport.http.errors import EXCEPTION_HANDLERS
from server.transport.http.middleware import AllowedHosts, RequestContext, SoundHeaders, TimeLimit
from server.transport.http.versions import DEPRECATED, Deprecated, Versions
from server.transport.spec import asyncapi, openapi
from server.transport.streams import routes

# What a page of another origin may read of an answer.
EXPOSED = [
    "Deprecation",
    "Retry-After",
    "Sunset",
    "X-API-Version",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
]


def application(
    context: Context,
    lifespan: Lifespan[Starlette],
    *,
    allowed_hosts: Sequence[str],
    cors_origins: Sequence[str],
    limiter: Limiter | None,
    request_seconds: float,
    deprecated: Sequence[Deprecated] = DEPRECATED,
    before: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application that serves ``context``. Without a ``limiter`` anybody may ask as often as they like.

    ``before`` are routes that go before its own.
    """
    middleware: list[Middleware] = [Middleware(RequestContext, metrics=context.metrics), Middleware(SoundHeaders)]
    if allowed_hosts:
        middleware.append(Middleware(AllowedHosts, hosts=list(allowed_hosts)))
    if cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors_origins),
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-API-Version"],
                expose_headers=EXPOSED,
            )
        )
    middleware.append(Middleware(Versions, deprecated=deprecated))
    middleware.append(Middleware(TimeLimit, seconds=request_seconds))
    if limiter is not None:
        middleware.append(Middleware(RateLimits, gate=context.gate, limiter=limiter))
    app = Starlette(
        routes=[
            *before,
            *routes.ROUTES,  # first: when a server comes back, everybody asks at once
            *commands.ROUTES,
            *sites.ROUTES,
            *entries.ROUTES,
            *statistics.ROUTES,
            *audit.ROUTES,
            *sessions.ROUTES,
            *staff.ROUTES,
            *api_keys.ROUTES,
            *pairings.ROUTES,
            *speech.ROUTES,
            *tickets.ROUTES,
            *health.ROUTES,
            *metrics.ROUTES,
            *openapi.ROUTES,
            *asyncapi.ROUTES,
            *pages.routes(context),
        ],
        middleware=middleware,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # an address is right or it is not found
    app.state.context = context
    return app
