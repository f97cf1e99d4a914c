"""Peers of handed-off connections: real sockets that are read as a browser reads them."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any, Self

from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from server.domain.views import View
from server.live.feed import Feed
from server.live.handoff import Framing, HandedOffConnection, HandedOffConnections
from server.live.messages import Message, Position
from server.live.stream import Stream
from server.transport.streams.framing import EVENTS, FRAMES, RAW_EVENTS
from tests.support.message_screen import Screen

NEVER_HERE = 3600.0  # the first heartbeat comes at any moment of the interval: too late for a test of seconds
LEAST_TURNS = 10  # of the event loop, before a peer that waits calls it quiet


class Peer:
    """A screen at the end of a socket."""

    def __init__(self, connected: socket.socket, framing: Framing) -> None:
        self.socket = connected
        self.screen = Screen()
        self.framing = framing
        self.raw = b""
        self.ended = False  # as the framing ends
        self.codes: list[int] = []
        self.byes: list[str] = []
        self._rest = self._events = b""
        self._frames = Protocol(CLIENT, state=OPEN, max_size=None)

    async def read(self, seconds: float = 30) -> int:
        """Read once, and apply the messages; return the number of bytes. 0 is the end."""
        until, turns = time.monotonic() + seconds, 0
        while True:  # not `sock_recv`: one that is cancelled may lose the bytes that it has read
            try:
                chunk = self.socket.recv(65536)
                break
            except BlockingIOError:
                # The writer is in this event loop: on a busy machine, time may pass without a turn for it.
                if turns >= LEAST_TURNS and time.monotonic() >= until:
                    raise TimeoutError from None
                turns += 1
                await asyncio.sleep(0.001)
            except ConnectionError:
                return 0
        self.raw += chunk
        for kind, identifier, body in self._parse(chunk):
            if kind == "bye":
                self.byes.append(body["reason"])
            payload = json.dumps(body).encode()
            self.screen.hear(Message(kind, identifier, payload))  # type: ignore[arg-type]
        return len(chunk)

    async def settle(self, quiet: float = 0.05) -> None:
        """Read until nothing arrives for a while."""
        try:
            while await self.read(quiet):
                continue
        except TimeoutError:
            return

    def _parse(self, chunk: bytes) -> list[tuple[str, str | None, dict[str, Any]]]:
        if self.framing is FRAMES:
            return list(self._framed(chunk))
        self._rest += chunk
        if self.framing is EVENTS:
            chunk = self._dechunked()
        self._events += chunk
        blocks = self._events.split(b"\n\n")
        self._events = blocks.pop()
        found = []
        for block in blocks:
            fields = dict(row.split(": ", 1) for row in block.decode().split("\n"))
            if "data" in fields:
                found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
        return found

    def _dechunked(self) -> bytes:
        found = b""
        while b"\r\n" in self._rest:
            size, _, rest = self._rest.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            assert rest[length : length + 2] == b"\r\n"
            found += rest[:length]
            self._rest = rest[length + 2 :]
            self.ended = length == 0
        return found

    def _framed(self, chunk: bytes) -> Any:
        self._frames.receive_data(chunk)
        for frame in self._frames.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.TEXT:
                body = json.loads(bytes(frame.data))
                yield body.pop("type"), body.pop("id", None), body
            elif frame.opcode is Opcode.CLOSE:
                self.ended = True
                self.codes.append(int.from_bytes(bytes(frame.data[:2])))


class Peers:
    """A feed, and handed-off connections to peers."""

    def __init__(self, feed: Feed, *, heartbeat: float = NEVER_HERE, stalled: float = 60.0) -> None:
        self.feed = feed
        self.left: list[Stream] = []
        self.counted: dict[str, int] = {}
        self.handed_off = HandedOffConnections(heartbeat, stalled, self._leave, self._count)
        self._opened: list[tuple[socket.socket, HandedOffConnection]] = []

    def _leave(self, stream: Stream) -> None:
        stream.close()
        self.left.append(stream)

    def _count(self, kind: str, messages: int, size: int) -> None:
        self.counted[kind] = self.counted.get(kind, 0) + messages

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.handed_off.run())
        self._limit = asyncio.timeout(60)
        await self._limit.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._limit.__aexit__(*error)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        for theirs, connection in self._opened:
            connection.abort()
            theirs.close()
        await asyncio.sleep(0.02)
        assert set(self.left) == {connection.stream for _, connection in self._opened}, "every stream is left"

    async def peer(
        self,
        view: View,
        framing: Framing = EVENTS,
        since: Position | None = None,
        *,
        buffer: int | None = None,
        context: object = None,
        subject: str | None = None,
    ) -> tuple[Peer, HandedOffConnection]:
        """Open a connection and hand it off."""
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setblocking(False)
            if buffer is not None:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        stream = Stream(
            self.feed,
            self.feed.projection(view),
            since,
            self.handed_off.heartbeat_seconds,
            address="a",
            token="t",
            subject=subject,
        )
        connection = HandedOffConnection(self.handed_off, stream, framing, context)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        transport.set_write_buffer_limits(high=0)
        transport.set_protocol(connection)
        connection.begin(transport, ours.fileno())
        self._opened.append((theirs, connection))
        return Peer(theirs, framing), connection


FRAMINGS: dict[str, Framing] = {"chunks": EVENTS, "raw": RAW_EVENTS, "frames": FRAMES}
