"""A screen of the tests' own, written from `docs/live-protocol.md`: it follows as long as it is open, as web/js/live does.

It keeps no connection alive by hand and asks nobody: what it knows is what the stream has told it. What it may not be told
(a change before any snapshot, a number that goes back) it notes in ``wrongs``.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
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
JUDGED_ANEW_SECONDS = 0.5
ACK_SECONDS = 2.0
SMALL_BUFFER = 4096  # so that a reader that stands still is soon felt
REFUSALS = (401, 403, 404)
FINAL_CODES = range(3500, 4000)

Transport = Literal["events", "websocket"]
Message = tuple[str, str | None, dict[str, Any]]
Connect = Callable[[], Awaitable[tuple[socket.socket, str]]]  # a connection to some server, and the server's address


class Refused(Exception):
    """The server says that we may not, or that there is nothing."""


@dataclass(frozen=True)
class Place:
    """Somewhere to look at: the address, the right to, and what a fresh look at the rows would show."""

    path: str
    view: View
    token: Callable[[], str | None]
    subject: int | None = None  # the display, point or visit that it ends with


def digest(cells: dict[str, Any]) -> int:
    """Return the digest of cells as the protocol words it."""
    total = 0
    for key, cell in cells.items():
        total ^= zlib.crc32((key + json.dumps(cell, separators=(",", ":"), ensure_ascii=False)).encode())
    return total


class Shown:
    """What a screen knows. `take` applies one message."""

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
        self.heard: Counter[tuple[int, str, int]] = Counter()  # what was announced: whose call, which kind, when

    @property
    def epoch(self) -> str | None:
        """Of which history it is."""
        return self.last_id.partition(".")[0] if self.last_id else None

    def take(self, kind: str, identifier: str | None, body: dict[str, Any]) -> bool:
        """Apply one message; return False when the digest says that what is shown is not so."""
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
            self.wrongs.append(f"a {kind} with the id {identifier} at {body['seq']}")
        elif kind != "snapshot":
            if not self.loaded:
                self.wrongs.append(f"a {kind} before any snapshot")
            if self.last_id is not None and identifier.rpartition(".")[0] != self.last_id.rpartition(".")[0]:
                self.wrongs.append(f"a {kind} of another history: {identifier} after {self.last_id}")
            if body["seq"] < self.seq:
                self.wrongs.append(f"a {kind} that goes back: {body['seq']} after {self.seq}")
        if kind == "change" and set(body["set"]) & set(body["del"]):
            self.wrongs.append("a cell that is set and deleted")

    def _announce(self) -> None:
        """Announce what is new, as `web/js/display/announcer.js` does: none of what was there when the page came."""
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
    """One screen at one place. `run` it; `cancel` that to close it."""

    def __init__(
        self, place: Place, transport: Transport, connect: Connect, chance: random.Random, clock_ahead_seconds: float = 0.0
    ) -> None:
        self.place = place
        self.transport = transport
        self.shown = Shown()
        self.opened_at = self.attempt_at = self.told_at = time.monotonic()
        self.clock_ahead_seconds = clock_ahead_seconds  # of the truth: a screen's clock is often wrong
        self.over: str | None = None  # why it follows no more, if it does not
        self.live = False  # it has been told something on this connection
        self.attempts = 0
        self.rests: list[tuple[float, float]] = []  # when it began to wait before trying again, and for how long
        self.silences: list[float] = []  # when it took a connection for dead
        self.byes: Counter[str] = Counter()
        self.server: str | None = None
        self._connect = connect
        self._chance = chance
        self._losses = 0
        self._ahead_ms = 0.0
        self._reads = asyncio.Event()
        self._reads.set()
        self._watchdog: asyncio.Timeout | None = None
        self._line: asyncio.Transport | None = None
        self._say: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        self._acked_at = 0.0

    # What befalls it

    def stall(self) -> None:
        """Read nothing any more, as a screen that hangs; its own timers hang with it."""
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
        """Lose the connection: the server is told by a reset."""
        if self._line is not None:
            self._line.abort()

    @property
    def stalls(self) -> bool:
        """Whether it reads nothing."""
        return not self._reads.is_set()

    def clock(self) -> float:
        """Return what its own clock says, in seconds."""
        return time.time() + self.clock_ahead_seconds

    def now(self) -> float:
        """Return what time it takes it to be, in seconds: its clock, put right by the server's."""
        return self.clock() + self._ahead_ms / 1000

    # How it follows

    async def run(self) -> None:
        """Follow, through whatever happens, until what it shows is over or it is refused."""
        while self.over is None:
            self.attempt_at = time.monotonic()
            self.attempts += 1
            delay = await self._attempt()
            self.live = False
            if self.over is None:
                self.rests.append((time.monotonic(), delay))
                await asyncio.sleep(delay)

    async def _attempt(self) -> float:
        """Follow one connection to its end; return after how many seconds to come back."""
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
                            self._watch()  # not before: the first message says how often to expect one
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
        """Take a message; return after how many seconds to come back, if the connection is of no more use."""
        self.live = True
        self.told_at = time.monotonic()
        agrees = self.shown.take(kind, identifier, body)
        if kind == "bye":
            self.byes[body["reason"]] += 1
            if body["reason"] == "ended":
                self.over = "ended"
            return JUDGED_ANEW_SECONDS if body["reason"] == "revoked" else body["retry_ms"] / 1000
        if "at" in body:
            self._ahead_ms = body["at"] - self.clock() * 1000
        return None if agrees else self._chance.uniform(0, FIRST_DELAY_SECONDS)

    def _watch(self) -> None:
        """A connection that is silent for too long is dead, whatever the operating system thinks of it."""
        if self._watchdog is not None and not self._watchdog.expired() and self._reads.is_set():
            silent = MISSED_HEARTBEATS * self.shown.heartbeat_seconds
            self._watchdog.reschedule(asyncio.get_running_loop().time() + silent)

    async def _acknowledge(self) -> None:
        """A display says how far it has painted, on the line where the line takes it."""
        if self._say is None or self.place.view.kind != "display" or time.monotonic() - self._acked_at < ACK_SECONDS:
            return
        self._acked_at = time.monotonic()
        await self._say({"type": "ack", "seq": self.shown.seq, "muted": False, "version": "1"})

    # Its two kinds of line

    def _take_up(self, line: asyncio.WriteTransport) -> None:
        assert isinstance(line, asyncio.Transport)
        self._line = line
        if self.stalls:
            line.pause_reading()

    def _head(self) -> dict[str, str]:
        head = {}
        if (token := self.place.token()) is not None:
            head["Authorization"] = f"Bearer {token}"
        if self.shown.last_id is not None:
            head["Last-Event-ID"] = self.shown.last_id
        return head

    @asynccontextmanager
    async def _events(self, sock: socket.socket) -> AsyncIterator[AsyncGenerator[Message, None]]:
        reader, writer = await asyncio.open_connection(sock=sock, limit=SMALL_BUFFER)
        self._take_up(writer.transport)
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
            self._take_up(line.transport)

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
            f"ws://{self.server}{self.place.path}",
            sock=sock,
            additional_headers=self._head(),
            compression=None,
            open_timeout=None,
            ping_interval=None,
            max_queue=None,  # standing still is done below it: a full queue and a close in it would wait for one another
            max_size=None,
            proxy=None,
        )


async def _sent_events(reader: asyncio.StreamReader) -> AsyncGenerator[Message, None]:
    """Yield the messages of an answer in server-sent events, in chunks or until the end."""
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
