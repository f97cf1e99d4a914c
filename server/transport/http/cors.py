"""Requests of pages of other origins, as the settings allow them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.transport.http.errors import REFUSAL_HEADER, PreflightRefused, refusal

# Every header that the API reads, except those that a page may always send.
ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "X-API-Version",
    "X-Request-ID",
)
# The headers that a page of another origin may read.
EXPOSED = (
    "Deprecation",
    "Retry-After",
    "Sunset",
    "X-API-Version",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
    REFUSAL_HEADER,
)


class Cors(CORSMiddleware):
    """Starlette's middleware, with refusals in the API's error format."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        methods = ("GET", "POST", "PATCH", "DELETE")
        super().__init__(app, allow_origins=origins, allow_methods=methods, allow_headers=ACCEPTED, expose_headers=EXPOSED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        if preflight and "origin" in headers and "access-control-request-method" in headers:
            answer = self.preflight_response(headers)
            if answer.status_code != 200:
                problem = bytes(answer.body).decode().removeprefix("Disallowed CORS ")
                answer = refusal(HTTPConnection(scope), PreflightRefused(problem=f"the {problem}"))
                answer.headers["Vary"] = self.preflight_headers["Vary"]
            await answer(scope, receive, send)
            return
        await super().__call__(scope, receive, send)
