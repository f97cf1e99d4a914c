"""The hook into uvicorn: what an endpoint may do with the connection that its request came on.

ASGI cannot say whether a reader takes what is written, nor cut a connection, nor give one away. Our server's protocols can:
they put a *connection* into ``scope["extensions"]``. Under another server there is none, and a stream goes on through plain
ASGI, at more cost: a slow reader is then held up by `send` alone, a message later, and is not cut off.

Everything that leans on uvicorn's insides is in this module; `tests/integration/test_uvicorn_contract.py` fails when a new
version changes them.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.live.handoff import Line
from server.live.stream import Outlet

EXTENSION = "nowserving.connection"
SEND_BUFFER_BYTES = 32 * 1024
TLS_BUFFER_BYTES = 16 * 1024
CLOSE_SECONDS = 1.0
EARLY_BYTES = 64 * 1024  # of what a peer sends before its connection is given away


class Connection(Outlet, Protocol):
    """The connection of one request."""

    @property
    def gives_away(self) -> bool:
        """Whether `hand_over` may be called."""

    def hand_over(self, line: Line) -> bool:
        """Give the connection to ``line``, for good; the caller returns without another `send`. False if it is closing."""


def connection_of(scope: Scope) -> Connection | None:
    """Return the connection of a request, if our server's protocols serve it."""
    found: Connection | None = (scope.get("extensions") or {}).get(EXTENSION)
    return found


def tune(transport: Any, config: Any) -> None:
    """Have a connection report its first unwritten byte, and its peer's vanishing.

    With the kernel's own buffer, megabytes would be written to a screen that stands still before anyone notices. A peer
    that vanished is found within three heartbeats: one until something is written, two until that has not been taken.
    """
    veiled = transport.get_extra_info("ssl_object") is not None
    # Behind TLS what is buffered may be a handshake's own, which no write of ours follows: a limit of zero would never be
    # fallen short of.
    transport.set_write_buffer_limits(high=TLS_BUFFER_BYTES if veiled else 0)
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    silent_seconds = getattr(config, "silent_seconds", None)
    if silent_seconds and hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silent_seconds * 1000))


def _give(transport: Any, line: Line, stalled: bool) -> None:
    """Make ``line`` the transport's protocol. Nothing else of the connection may be held on to after this."""
    connected = transport.get_extra_info("socket")
    veiled = connected is None or transport.get_extra_info("ssl_object") is not None
    transport.set_protocol(line)
    line.begin(transport, -1 if veiled else connected.fileno(), stalled)


class _AnyLength(int):
    """What is left of a body whose length nobody knows: never less than is written, and nothing is lacking at the end."""

    def __lt__(self, _: object) -> bool:
        return False

    def __sub__(self, _: object) -> _AnyLength:
        return self

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


class HttpConnection:
    """The connection of one HTTP request. Of that request only: a pipelined one behind it has another."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: HttpLine, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle

    @property
    def gives_away(self) -> bool:
        return bool(getattr(self._protocol.config, "hand_off", False))

    def stalled(self) -> bool:
        return self._protocol.flow.write_paused

    async def drain(self) -> None:
        await self._protocol.flow.drain()

    def abort(self) -> None:
        self._protocol.transport.abort()

    def hand_over(self, line: Line) -> bool:
        protocol, cycle = self._protocol, self._cycle
        transport = protocol.transport
        if cycle.disconnected or transport.is_closing():
            return False
        del self._protocol, self._cycle
        cycle.response_complete = True  # uvicorn neither waits for it nor complains that it is not
        cycle.on_response = _nothing  # and starts nothing that was pipelined behind it: the head says that this is the last
        cycle.message_event.set()
        protocol.pipeline.clear()
        protocol._unset_keepalive_if_required()
        protocol.connections.discard(protocol)
        protocol.server_state.total_requests += 1
        protocol.flow.resume_reading()  # else the peer's close would never be seen
        _give(transport, line, protocol.flow.write_paused)
        # They hold one another; without this it would take a collection to free them.
        protocol.parser = protocol.cycle = protocol.transport = protocol.flow = None  # type: ignore[assignment]
        return True


class HttpLine(HttpToolsProtocol):
    """uvicorn's HTTP, whose requests know their connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        tune(transport, self.config)

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is None or cycle is before:
            return  # an upgrade: the WebSocket's protocol takes over
        self.scope["extensions"] = {EXTENSION: HttpConnection(self, cycle)}  # type: ignore[dict-item]
        if self.scope["http_version"] == "1.0":
            # It knows no chunks, which uvicorn would send it all the same: its answers end with the connection.
            cycle.chunked_encoding = False
            cycle.expected_content_length = _AnyLength()

    def data_received(self, data: bytes) -> None:
        """As uvicorn does, but what came right behind a WebSocket's handshake is not lost."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return
            transport, behind = self.transport, data[upgrade.args[0] :]
            self.handle_websocket_upgrade()
            if behind:
                transport.get_protocol().data_received(behind)  # type: ignore[attr-defined]

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = self.flow = None  # type: ignore[assignment]  # they hold it: without this only a collection would free it


class WebSocketConnection:
    """The connection of one WebSocket."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: WebSocketLine) -> None:
        self._protocol = protocol

    @property
    def gives_away(self) -> bool:
        return bool(getattr(self._protocol.config, "hand_off", False))

    def stalled(self) -> bool:
        return not self._protocol.writable.is_set()

    async def drain(self) -> None:
        await self._protocol.writable.wait()

    def abort(self) -> None:
        self._protocol.transport.abort()

    def hand_over(self, line: Line) -> bool:
        protocol = self._protocol
        transport = protocol.transport
        if protocol.disconnected or protocol.close_sent or not protocol.handshake_complete or transport.is_closing():
            return False
        del self._protocol
        protocol.stop_keepalive()  # it would close the connection later: nobody hears its pongs any more
        protocol.connections.discard(protocol)
        if protocol.read_paused:
            transport.resume_reading()
        early = bytes(protocol.early)
        _give(transport, line, not protocol.writable.is_set())
        protocol.transport = _GONE  # uvicorn closes it when the application returns
        protocol.conn.parser = None  # type: ignore[assignment]  # it holds itself
        if early:
            line.data_received(early)
        return True


class WebSocketLine(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, whose application knows its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_SECONDS
        self.early = bytearray()  # what came after the handshake, in case the connection is given away

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and getattr(self.config, "hand_off", False):
            self.early += data
            if len(self.early) > EARLY_BYTES:
                self.transport.abort()
                return
        super().data_received(data)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the request was no handshake, and has been refused
            self.scope["extensions"][EXTENSION] = WebSocketConnection(self)  # type: ignore[assignment]


class _Gone:
    """Stands where the transport was in a protocol whose connection was given away."""

    def close(self) -> None:
        return


_GONE: Any = _Gone()


def _nothing() -> None:
    return
