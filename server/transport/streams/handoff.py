"""The hook into uvicorn: an ASGI extension with which an endpoint can hand over its request's connection.

ASGI cannot tell whether a reader takes the written bytes, abort a connection, or hand one over. Our server's protocols can:
they put a *connection* into ``scope["extensions"]``. Another server has none, and the stream goes on through plain ASGI, at
more cost. A slow reader then only blocks `send`, one message later, and is never aborted.

All code that depends on uvicorn's internals is in this module. `tests/integration/test_uvicorn_contract.py` fails when a
new version changes them.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from server.live.handoff import HandedOffConnection
from server.live.stream import Outlet
from server.telemetry.logs import WEBSOCKETS
from server.transport.streams.budget import Budget

EXTENSION = "nowserving.connection"
SEND_BUFFER_BYTES = 32 * 1024
TLS_BUFFER_BYTES = 16 * 1024
CLOSE_SECONDS = 1.0
EARLY_BYTES = 64 * 1024  # the most that a peer may send before its connection is handed over


class Connection(Outlet, Protocol):
    """The connection of one request."""

    @property
    def can_hand_over(self) -> bool:
        """Whether `hand_over` may be called."""

    async def start(self, begin: Callable[[], Awaitable[None]]) -> None:
        """Await ``begin``, which begins the answer, but keep the head: `hand_over` writes it with the first message."""

    def hand_over(self, connection: HandedOffConnection) -> bool:
        """Give the network connection to ``connection``, for good. The caller then returns without another `send`.

        Return False, and change nothing, if the network connection is closing.
        """


def connection_of(scope: Scope) -> Connection | None:
    """Return the connection of a request, or None under another server than ours."""
    found: Connection | None = (scope.get("extensions") or {}).get(EXTENSION)
    return found


def tune(transport: Any, config: Any) -> None:
    """Make a connection report its first unwritten byte, and a peer that vanished.

    With the kernel's default buffer, megabytes would be written to a stalled screen before the pause. A vanished peer is
    found within three heartbeats: one until the next write, two until its bytes count as not acknowledged.
    """
    over_tls = transport.get_extra_info("ssl_object") is not None
    # With TLS the buffer may hold bytes of a handshake. No write of ours follows them, so that with a limit of zero the
    # transport would pause, and never resume.
    transport.set_write_buffer_limits(high=TLS_BUFFER_BYTES if over_tls else 0)
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    silent_seconds = getattr(config, "silent_seconds", None)
    if silent_seconds and hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silent_seconds * 1000))


def _switch_protocol(transport: Any, connection: HandedOffConnection, stalled: bool, head: bytes) -> None:
    """Make ``connection`` the transport's protocol. After this the caller keeps no reference to either."""
    connected = transport.get_extra_info("socket")
    no_descriptor = connected is None or transport.get_extra_info("ssl_object") is not None
    transport.set_protocol(connection)
    connection.begin(transport, -1 if no_descriptor else connected.fileno(), stalled, head)


class _Held:
    """Stands for a transport, and keeps the bytes that are written to it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def _written_by(writer: Any, begin: Callable[[], Awaitable[None]]) -> bytes:
    """Await ``begin``, and return the bytes that ``writer`` meanwhile wrote to its transport. The transport gets none."""
    transport = writer.transport
    held = writer.transport = _Held(transport)
    try:
        await begin()
    finally:
        writer.transport = transport
    return held.data


class _AnyLength(int):
    """The expected length of a body of unknown length: never exceeded, and always complete at the end."""

    def __lt__(self, _: object) -> bool:
        return False

    def __sub__(self, _: object) -> _AnyLength:
        return self

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


class Stallable:
    """Notices a client that reads nothing of its answer."""

    config: Any
    transport: Any
    _unsent = 0
    _unsent_since = 0.0

    def abort_if_stalled(self, now: float) -> None:
        """Abort the connection when the client has read nothing for the stalled seconds. Call this once a second."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif unsent and now - self._unsent_since >= self.config.stalled_seconds:
            self.transport.abort()


class HttpConnection:
    """The connection of one HTTP request. A pipelined request behind it gets another object."""

    __slots__ = ("_cycle", "_head", "_protocol")

    def __init__(self, protocol: HandOffHttpProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._head = b""

    @property
    def can_hand_over(self) -> bool:
        return bool(getattr(self._protocol.config, "hand_off", False))

    def stalled(self) -> bool:
        return self._protocol.flow.write_paused

    async def drain(self) -> None:
        await self._protocol.flow.drain()

    def abort(self) -> None:
        self._protocol.transport.abort()

    async def start(self, begin: Callable[[], Awaitable[None]]) -> None:
        self._head = await _written_by(self._cycle, begin)

    def hand_over(self, connection: HandedOffConnection) -> bool:
        protocol, cycle = self._protocol, self._cycle
        transport = protocol.transport
        if cycle.disconnected or transport.is_closing():
            return False
        del self._protocol, self._cycle
        cycle.response_complete = True  # uvicorn neither waits for it nor logs that it is incomplete
        cycle.on_response = _nothing  # nor starts a pipelined request: the head says `Connection: close`
        cycle.message_event.set()
        protocol.pipeline.clear()
        protocol._unset_keepalive_if_required()
        protocol.connections.discard(protocol)
        protocol.server_state.total_requests += 1
        protocol.flow.resume_reading()  # else uvicorn would never see that the peer closes
        _switch_protocol(transport, connection, protocol.flow.write_paused, self._head)
        # They refer to each other: without this only a garbage collection would free them.
        protocol.parser = protocol.cycle = protocol.active = protocol.transport = protocol.flow = None  # type: ignore[assignment]
        return True


class HandOffHttpProtocol(Stallable, HttpToolsProtocol):
    """uvicorn's HTTP protocol, with the connection in the scope of each request."""

    active: RequestResponseCycle | None = None  # uvicorn's own `cycle` is the last one received, perhaps a pipelined one

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        tune(transport, self.config)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.active is not None:
            self.active.disconnected = True
            self.active.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.active = cycle
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is None or cycle is before:
            return  # an upgrade: the WebSocket protocol takes over
        self.scope["extensions"] = {EXTENSION: HttpConnection(self, cycle)}  # type: ignore[dict-item]
        if self.scope["http_version"] == "1.0":
            # HTTP/1.0 has no chunks, but uvicorn would send them: the answer ends with the connection instead.
            cycle.chunked_encoding = False
            cycle.expected_content_length = _AnyLength()

    def data_received(self, data: bytes) -> None:
        """Parse bytes as uvicorn does, but keep the bytes that follow a WebSocket handshake in the same read."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return
            transport, rest = self.transport, data[upgrade.args[0] :]
            self.handle_websocket_upgrade()
            if rest:
                transport.get_protocol().data_received(rest)

    def _should_upgrade(self) -> bool:
        """Return whether the request asks for a WebSocket. Any other method than GET is served as if it did not ask."""
        return self.scope["method"] == "GET" and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        if not self.transport.get_protocol().handshake_initiated:
            # The library cannot read the handshake, which our parser has accepted. It would wait for ever.
            self.send_400_response("Invalid WebSocket handshake received.")
        self.parser = self.flow = None  # type: ignore[assignment]  # they refer back to it: else only a garbage collection frees it


class WebSocketConnection:
    """The connection of one WebSocket."""

    __slots__ = ("_head", "_protocol")

    def __init__(self, protocol: HandOffWebSocketProtocol) -> None:
        self._protocol = protocol
        self._head = b""

    @property
    def can_hand_over(self) -> bool:
        return bool(getattr(self._protocol.config, "hand_off", False))

    def stalled(self) -> bool:
        return not self._protocol.writable.is_set()

    async def drain(self) -> None:
        await self._protocol.writable.wait()

    def abort(self) -> None:
        self._protocol.transport.abort()

    async def start(self, begin: Callable[[], Awaitable[None]]) -> None:
        self._head = await _written_by(self._protocol, begin)

    def hand_over(self, connection: HandedOffConnection) -> bool:
        protocol = self._protocol
        transport = protocol.transport
        if protocol.disconnected or protocol.close_sent or not protocol.handshake_complete or transport.is_closing():
            return False
        del self._protocol
        protocol.stop_keepalive()  # it would close the connection later, because it sees no pongs
        protocol.connections.discard(protocol)
        if protocol.read_paused:
            transport.resume_reading()
        early = bytes(protocol.early)
        _switch_protocol(transport, connection, not protocol.writable.is_set(), self._head)
        protocol.transport = _GONE  # uvicorn closes it when the application returns
        protocol.conn.parser = None  # type: ignore[assignment]  # it refers to itself
        if early:
            connection.data_received(early)
        return True


class HandOffWebSocketProtocol(Stallable, WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, with the connection in the scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = logging.getLogger(WEBSOCKETS)
        self.close_timeout = CLOSE_SECONDS
        self.early = bytearray()  # all bytes after the handshake, for a connection that is handed over
        self._budget = Budget()

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and getattr(self.config, "hand_off", False):
            self.early += data
            if len(self.early) > EARLY_BYTES:
                self.transport.abort()
                return
        super().data_received(data)

    def start_keepalive(self) -> None:
        """Ping the peer, unless the connection is about to be handed over: then the feed pings it."""
        if not getattr(self.config, "hand_off", False):
            super().start_keepalive()

    def handle_cont(self, event: Any) -> None:
        if self._affords_frame():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._affords_frame():
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        if self._affords_frame():
            super().handle_pong(event)

    def _affords_frame(self) -> bool:
        """Return whether the peer may send one more frame without text; else close the connection."""
        if self.close_sent or self.transport.is_closing():
            return False
        if self._budget.spend():
            return True
        self.conn.fail(CloseCode.POLICY_VIOLATION, "too many frames")
        self.handle_parser_exception()
        return False

    def close_if_overdue(self, now: float) -> None:
        """Close a connection whose client reads nothing. uvicorn bounds the rest: the handshake is complete."""
        self.abort_if_stalled(now)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the request was not a handshake, and is refused
            self.scope["extensions"][EXTENSION] = WebSocketConnection(self)  # type: ignore[assignment]


class _Gone:
    """Replaces the transport of a protocol whose connection was handed over."""

    def close(self) -> None:
        return


_GONE: Any = _Gone()


def _nothing() -> None:
    return
