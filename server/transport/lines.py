"""Who may follow what, and the connection as a stream sees it: whether its reader takes what is written, how to cut it.

ASGI says neither, so our server's protocols do, in ``scope["extensions"]``. Under another server a stream goes on without:
a slow reader is then held up by `send` alone, a message later, and is not cut off.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.domain.views import View
from server.live.hub import Hub
from server.live.messages import Position
from server.live.stream import OPEN, Outlet, Stream

EXTENSION = "nowserving.line"
SEND_BUFFER_BYTES = 32 * 1024
CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Admission:
    """That somebody may follow a view. The names are those of `server.live.hub.Hub.enrol`."""

    site_id: int
    view: View
    token: str
    proof: str | None = None
    subject: str | None = None


async def enrol(connection: HTTPConnection, hub: Hub, admission: Admission, transport: str) -> Stream:
    """Give who was admitted a stream over their connection. Raises as `Hub.enrol` does."""
    return await hub.enrol(
        admission.site_id,
        admission.view,
        last_position(connection),
        address=connection.client.host if connection.client else "",
        token=admission.token,
        proof=admission.proof,
        subject=admission.subject,
        outlet=_outlet_of(connection),
        transport=transport,
    )


def last_position(connection: HTTPConnection) -> Position | None:
    """Return where the screen says it is: the header, or the query where a browser cannot set one."""
    text = connection.headers.get("last-event-id") or connection.query_params.get("last_event_id")
    return Position.parse(text) if text else None


def _outlet_of(connection: HTTPConnection) -> Outlet:
    line: Outlet | None = (connection.scope.get("extensions") or {}).get(EXTENSION)
    return OPEN if line is None else line


def tune(transport: Any, config: Any) -> None:
    """Have a connection report its first unwritten byte, and its peer's vanishing.

    With the kernel's own buffer, megabytes would be written to a screen that stands still before anyone notices. A peer
    that vanished is found within three heartbeats: one until something is written, two until that has not been taken.
    """
    transport.set_write_buffer_limits(high=0)
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    silent_seconds = getattr(config, "silent_seconds", None)
    if silent_seconds and hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silent_seconds * 1000))


class _AnyLength(int):
    """What is left of a body whose length nobody knows: never less than is written, and nothing is lacking at the end."""

    def __lt__(self, _: object) -> bool:
        return False

    def __sub__(self, _: object) -> _AnyLength:
        return self

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


class HttpLine(HttpToolsProtocol):
    """uvicorn's HTTP, with a line to each request."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        tune(transport, self.config)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0" and self.cycle is not None:
            # It knows no chunks, which uvicorn would send it all the same: its answers end with the connection.
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _AnyLength()

    def stalled(self) -> bool:
        return self.flow.write_paused

    async def drain(self) -> None:
        await self.flow.drain()

    def abort(self) -> None:
        self.transport.abort()


class WebSocketLine(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with a line to its application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_SECONDS

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        tune(transport, self.config)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the request was no handshake, and has been refused
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    def stalled(self) -> bool:
        return not self.writable.is_set()

    async def drain(self) -> None:
        await self.writable.wait()

    def abort(self) -> None:
        self.transport.abort()
