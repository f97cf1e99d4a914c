"""The middleware that covers each request with a span. It is installed where the settings name a collector of traces."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.telemetry import tracing
from server.transport.http.middleware import METHODS, QUIET, SAFE_METHODS


class Traced:
    """Begins a span before the handler and ends it with the answer. A stream may last for hours: it has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_untraced(scope):
            await self._app(scope, receive, send)
            return
        status = 500  # an error without an answer becomes one

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with tracing.span("request", of_request=True) as covered:
            try:
                await self._app(scope, receive, sending)
            finally:
                method = scope["method"] if scope["method"] in METHODS else "OTHER"
                route = getattr(scope.get("route"), "path", None) or "(none)"
                about = {"http.route": route, "http.request.method": method, "request_id": scope["request_id"]}
                if covered is not None:
                    covered.end(f"{method} {route}", about | {"http.response.status_code": status}, failed=status >= 500)


def _is_untraced(scope: Scope) -> bool:
    """Return whether a request has no span: streams, files, and the questions of a monitor."""
    path = scope["path"]
    return path in QUIET or path.startswith("/static/") or (path.startswith("/live/") and scope["method"] in SAFE_METHODS)
