"""The ASGI application: routes and middleware over the parts."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from server.transport import (
    api_keys,
    asyncapi,
    audit_api,
    commands_api,
    entries_api,
    health,
    live,
    metrics,
    openapi,
    pages,
    pairings,
    read_api,
    sessions,
    speech,
    staff_api,
    statistics_api,
    tickets_api,
)
from server.transport.errors import EXCEPTION_HANDLERS
from server.transport.limits import Limiter, RateLimits
from server.transport.middleware import AllowedHosts, RequestContext, SoundHeaders, TimeLimit
from server.transport.parts import Parts
from server.transport.versions import DEPRECATED, Deprecated, Versions

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
    parts: Parts,
    lifespan: Lifespan[Starlette],
    *,
    allowed_hosts: Sequence[str],
    cors_origins: Sequence[str],
    limiter: Limiter | None,
    request_seconds: float,
    deprecated: Sequence[Deprecated] = DEPRECATED,
    before: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application that serves ``parts``. Without a ``limiter`` anybody may ask as often as they like.

    ``before`` are routes that go before its own.
    """
    middleware: list[Middleware] = [Middleware(RequestContext, metrics=parts.metrics), Middleware(SoundHeaders)]
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
        middleware.append(Middleware(RateLimits, gate=parts.gate, limiter=limiter))
    app = Starlette(
        routes=[
            *before,
            *live.ROUTES,  # first: when a server comes back, everybody asks at once
            *commands_api.ROUTES,
            *read_api.ROUTES,
            *entries_api.ROUTES,
            *statistics_api.ROUTES,
            *audit_api.ROUTES,
            *sessions.ROUTES,
            *staff_api.ROUTES,
            *api_keys.ROUTES,
            *pairings.ROUTES,
            *speech.ROUTES,
            *tickets_api.ROUTES,
            *health.ROUTES,
            *metrics.ROUTES,
            *openapi.ROUTES,
            *asyncapi.ROUTES,
            *pages.routes(parts),
        ],
        middleware=middleware,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # an address is right or it is not found
    app.state.parts = parts
    return app
