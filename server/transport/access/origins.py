"""The origin of changes: a page of another site must not send them, whether or not a cookie comes with them."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.transport.access.gate import Gate
from server.transport.http.errors import ForeignOrigin, refusal
from server.transport.http.middleware import SAFE_METHODS


class OwnOrigin:
    """Refuses each change that a page of another site sends. Sign-ins are changes too."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and scope["path"].startswith(("/api/", "/live/")):
            connection = HTTPConnection(scope)
            try:
                self._gate.refuse_foreign_origin(connection)
            except ForeignOrigin as error:
                await refusal(connection, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
