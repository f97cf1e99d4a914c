"""A screen written from `docs/live-protocol.md` alone. It follows its stream while it is open, as `web/js/live` does.

The messages of the stream are its only source. A screen notes each violation of the protocol (a change before any snapshot,
a decreasing number) in ``wrongs``.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import time
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from server.domain.views import View

MISSED_HEARTBEATS = 2.5
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
REVOKED_DELAY_SECONDS = 0.5
ACK_SECONDS = 2.0
SMALL_BUFFER = 4096  # small, so that the server soon notices a stalled reader
REFUSALS = (401, 403, 404)
FINAL_CODES = range(3500, 4000)

Transport = Literal["events", "websocket"]
Message = tuple[str, str | None, dict[str, Any]]
Connect = Callable[[], Awaitable[tuple[socket.socket, str]]]  # returns a connection to a server, and its address


class Refused(Exception):
    """The server refuses the stream: it is forbidden or does not exist."""


@dataclass(frozen=True)
class Place:
    """A live address, its token, and the view that it serves."""

    path: str
    view: View
    token: Callable[[], str | None]
    subject: int | None = None  # the display, point or visit; its end ends the stream


def digest(cells: dict[str, Any]) -> int:
    """Return the digest of cells, as the protocol defines it."""
    total = 0
    for key, cell in cells.items():
        total ^= zlib.crc32((key + json.dumps(cell, separators=(",", ":"), ensure_ascii=False)).encode())
    return total


class Shown:
    """The cells and position of a screen. `take` applies one message."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.seq = 0
        self.last_id: str | None = None
        self.heartbeat_seconds = 15.0
        self.loaded = False
        self.disagreements = 0
        self.kinds: Counter[str] = Counter()
        self.wrongs: list[str] = []
        self._known: set[tuple[str, int]] | None = None
        self.heard: Counter[tuple[int, str, int]] = Counter()  # announcements: entry, kind, time

    @property
    def epoch(self) -> str | None:
        """The epoch of the last message."""
        return self.last_id.partition(".")[0] if self.last_id else None

    def take(self, kind: str, identifier: str | None, body: dict[str, Any]) -> bool:
        """Apply one message; return False if the digest does not match the cells."""
        self.kinds[kind] += 1
        if kind == "bye":
            return True
        self._check(kind, identifier, body)
        if kind == "snapshot":
            self.cells = dict(body["cells"])
            self.heartbeat_seconds = body["heartbeat_ms"] / 1000
            self.loaded = True
        elif kind == "change":
            self.cells |= body["set"]
            for key in body["del"]:
                self.cells.pop(key, None)
        self.seq = body["seq"]
        self.last_id = identifier
        if kind == "heartbeat" and body["digest"] != digest(self.cells):
            self.disagreements += 1
            self.last_id = None
            return False
        self._announce()
        return True

    def _check(self, kind: str, identifier: str | None, body: dict[str, Any]) -> None:
        if identifier is None or identifier.rpartition(".")[2] != str(body["seq"]):
            self.wrongs.append(f"a {kind} with the id {identifier} has the number {body['seq']}")
        elif kind != "snapshot":
            if not self.loaded:
                self.wrongs.append(f"a {kind} before any snapshot")
            if self.last_id is not None and identifier.rpartition(".")[0] != self.last_id.rpartition(".")[0]:
                self.wrongs.append(f"a {kind} of another epoch: {identifier} after {self.last_id}")
            if body["seq"] < self.seq:
                self.wrongs.append(f"a {kind} with a decreasing number: {body['seq']} after {self.seq}")
        if kind == "change" and set(body["set"]) & set(body["del"]):
            self.wrongs.append("a change sets and deletes the same cell")

    def _announce(self) -> None:
        """Announce new announcements, as `web/js/components/announcer.js` does. Those of the first snapshot are not new."""
        present = {(key, cell["at"]): cell for key, cell in self.cells.items() if key.startswith("announcement:")}
        if self._known is None:
            self._known = set(present)
            return
        for known, cell in present.items():
            if known not in self._known:
                self._known.add(known)
                if f"entry:{cell['entry']}" in self.cells:
                    self.heard[cell["entry"], cell["kind"], cell["at"]] += 1


class Viewer:
    """One screen at one place. `run` follows the stream; cancel its task to close the screen."""

    def __init__(
        self,
        place: Place,
        transport: Transport,
        connect: Connect,
        chance: random.Random,
        clock_ahead_seconds: float = 0.0,
        *,
        least_silence_seconds: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.place = place
        self.transport = transport
        self.shown = Shown()
        self.opened_at = self.attempt_at = self.message_at = time.monotonic()
        self.clock_ahead_seconds = clock_ahead_seconds  # the error of the screen's own clock
        self.over: str | None = None  # the reason why it stopped following, or None
        self.live = False  # a message has arrived on this connection
        self.attempts = 0
        self.rests: list[tuple[float, float]] = []  # each wait before a new attempt: its start and length
        self.silences: list[float] = []  # the times when it considered a connection dead
        self.byes: Counter[str] = Counter()
        self.server: str | None = None
        self._connect = connect
        self._chance = chance
        self._tls = tls
        self._least_silence_seconds = least_silence_seconds  # a busy machine may be silent longer than the protocol allows
        self._losses = 0
        self._ahead_ms = 0.0
        self._reads = asyncio.Event()
        self._reads.set()
        self._watchdog: asyncio.Timeout | None = None
        self._line: asyncio.Transport | None = None
        self._say: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        self._acked_at = 0.0

    # Failures

    def stall(self) -> None:
        """Stop reading, like a screen that hangs. Its timers stop too."""
        self._reads.clear()
        if self._line is not None:
            self._line.pause_reading()
        if self._watchdog is not None and not self._watchdog.expired():
            self._watchdog.reschedule(None)

    def go_on(self) -> None:
        """Read again."""
        self._reads.set()
        if self._line is not None and not self._line.is_closing():
            self._line.resume_reading()
        self._watch()

    def cut(self) -> None:
        """Reset the connection."""
        if self._line is not None:
            self._line.abort()

    @property
    def stalls(self) -> bool:
        """Whether the screen has stopped reading."""
        return not self._reads.is_set()

    def clock(self) -> float:
        """Return the time of its own clock, in seconds."""
        return time.time() + self.clock_ahead_seconds

    def now(self) -> float:
        """Return its own clock corrected by the server's, in seconds."""
        return self.clock() + self._ahead_ms / 1000

    # Following

    async def run(self) -> None:
        """Follow the stream and reconnect after failures, until the stream ends for good or is refused."""
        while self.over is None:
            self.attempt_at = time.monotonic()
            self.attempts += 1
            delay = await self._attempt()
            self.live = False
            if self.over is None:
                self.rests.append((time.monotonic(), delay))
                await asyncio.sleep(delay)

    async def _attempt(self) -> float:
        """Follow one connection to its end; return the delay before the next attempt, in seconds."""
        began, heard = time.monotonic(), False
        try:
            async with asyncio.timeout(None) as self._watchdog:
                self._watch()
                source = self._events if self.transport == "events" else self._frames
                sock, self.server = await self._connect()
                with sock:
                    async with source(sock) as messages, aclosing(messages):
                        async for kind, identifier, body in messages:
                            await self._reads.wait()
                            heard = True
                            if (delay := self._take(kind, identifier, body)) is not None:
                                return delay
                            self._watch()  # after the message: the first one gives the heartbeat interval
                            await self._acknowledge()
        except TimeoutError:
            self.silences.append(time.monotonic())
        except Refused as refusal:
            self.over = f"refused: {refusal}"
        except (OSError, EOFError, ConnectionClosed, InvalidHandshake, asyncio.LimitOverrunError):
            pass
        finally:
            self._watchdog = None
            self._line = None
            self._say = None
        lasted = heard and time.monotonic() - began >= self.shown.heartbeat_seconds
        self._losses = 0 if lasted else self._losses + 1
        longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(self._losses, 10))
        return self._chance.uniform(0, longest)

    def _take(self, kind: str, identifier: str | None, body: dict[str, Any]) -> float | None:
        """Apply a message; return the delay before a new connection in seconds, or None to keep this one."""
        self.live = True
        self.message_at = time.monotonic()
        agrees = self.shown.take(kind, identifier, body)
        if kind == "bye":
            self.byes[body["reason"]] += 1
            if body["reason"] == "ended":
                self.over = "ended"
            return REVOKED_DELAY_SECONDS if body["reason"] == "revoked" else body["retry_ms"] / 1000
        if "at" in body:
            self._ahead_ms = body["at"] - self.clock() * 1000
        return None if agrees else self._chance.uniform(0, FIRST_DELAY_SECONDS)

    def _watch(self) -> None:
        """Restart the timer after which a silent connection counts as dead."""
        if self._watchdog is not None and not self._watchdog.expired() and self._reads.is_set():
            silent = max(MISSED_HEARTBEATS * self.shown.heartbeat_seconds, self._least_silence_seconds)
            self._watchdog.reschedule(asyncio.get_running_loop().time() + silent)

    async def _acknowledge(self) -> None:
        """Acknowledge the shown number, if this is a display on a WebSocket."""
        if self._say is None or self.place.view.kind != "display" or time.monotonic() - self._acked_at < ACK_SECONDS:
            return
        self._acked_at = time.monotonic()
        await self._say({"type": "ack", "seq": self.shown.seq, "muted": False, "version": "1"})

    # The two transports

    def _use_transport(self, transport: asyncio.WriteTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._line = transport
        if self.stalls:
            transport.pause_reading()

    def _head(self) -> dict[str, str]:
        head = {}
        if (token := self.place.token()) is not None:
            head["Authorization"] = f"Bearer {token}"
        if self.shown.last_id is not None:
            head["Last-Event-ID"] = self.shown.last_id
        return head

    @asynccontextmanager
    async def _events(self, sock: socket.socket) -> AsyncIterator[AsyncGenerator[Message, None]]:
        reader, writer = await asyncio.open_connection(
            sock=sock, limit=SMALL_BUFFER, ssl=self._tls, server_hostname="" if self._tls else None
        )
        self._use_transport(writer.transport)
        try:
            head = {"Host": self.server or "", "Accept": "text/event-stream"} | self._head()
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            writer.write(f"GET {self.place.path} HTTP/1.1\r\n{lines}\r\n".encode())
            yield _sent_events(reader)
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def _frames(self, sock: socket.socket) -> AsyncIterator[AsyncGenerator[Message, None]]:
        async with self._socket(sock) as line:
            self._use_transport(line.transport)

            async def say(body: dict[str, Any]) -> None:
                with suppress(ConnectionClosed):
                    await line.send(json.dumps(body))

            self._say = say
            try:
                yield _frames_of(line)
            finally:
                line.transport.abort()

    def _socket(self, sock: socket.socket) -> AbstractAsyncContextManager[ClientConnection]:
        return connect(
            f"{'wss' if self._tls else 'ws'}://{self.server}{self.place.path}",
            sock=sock,
            ssl=self._tls,
            additional_headers=self._head(),
            compression=None,
            open_timeout=None,
            ping_interval=None,
            max_queue=None,  # the transport pauses reading: a full queue would block the close inside it
            max_size=None,
            proxy=None,
        )


async def _sent_events(reader: asyncio.StreamReader) -> AsyncGenerator[Message, None]:
    """Yield the messages of a response in server-sent events, either chunked or raw until the end."""
    status = (await reader.readline()).split(b" ", 2)
    if len(status) < 2:
        raise EOFError
    chunked = False
    while (line := await reader.readline()).strip():
        chunked = chunked or line.lower().startswith(b"transfer-encoding: chunked")
    if int(status[1]) in REFUSALS:
        raise Refused(status[1].decode())
    if status[1] != b"200":
        raise EOFError
    text = b""
    while True:
        if chunked:
            size = int(await reader.readline() or b"0", 16)
            if size == 0:
                return
            text += await reader.readexactly(size)
            await reader.readexactly(2)
        else:
            part = await reader.read(65536)
            if not part:
                return
            text += part
        *whole, text = text.split(b"\n\n")
        for each in whole:
            fields = dict(line.split(": ", 1) for line in each.decode().split("\n") if ": " in line)
            if "data" in fields:
                yield fields["event"], fields.get("id"), json.loads(fields["data"])


async def _frames_of(line: ClientConnection) -> AsyncGenerator[Message, None]:
    try:
        async for frame in line:
            body = json.loads(frame)
            yield body.pop("type"), body.pop("id", None), body
    finally:
        if line.close_code in FINAL_CODES and line.close_reason != "revoked":
            raise Refused(line.close_reason)
