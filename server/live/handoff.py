"""Streams that were handed off: each is a connection that belongs to the feed, with no task, no request and no queue.

A *line* is the asyncio protocol of such a connection. The lines of one projection that are framed alike are its *crowd*: a
change is put together and framed once, and the same bytes are written to each, straight to its descriptor. `Lines` keeps
what belongs to time: heartbeats on a wheel, spread over the interval, and deadlines of those who stand still.

The invariant that makes the walk cheap: a line is among its crowd's ``ready`` only if nothing is buffered for it and it is
not being closed. Only this module writes to a line's transport; its buffer limit is zero, so the transport calls
`pause_writing` before a write that did not all go returns, and `resume_writing` when the last byte has gone. A descriptor is
thus never used while something is buffered before it, nor after the transport may have closed it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, Protocol

import structlog

from server.domain.views import AHEAD
from server.live import messages
from server.live.feed import COUNT, Projection, TicketProjection
from server.live.messages import Message, Position, Reason
from server.live.stream import BYE_SECONDS, Stream, life_seconds

logger = structlog.get_logger(__name__)

SHORTEST_TURN_SECONDS = 0.05
LONGEST_TURN_SECONDS = 0.25
SPOKES = 64


class Wire(Protocol):
    """How messages are framed for one kind of connection. One object for all connections of a kind; it keeps no state."""

    def greeting(self) -> bytes:
        """Return what is written before the first message."""

    @property
    def waits_for_peer(self) -> bool:
        """Whether the peer answers the end before the connection is closed."""

    def frame(self, message: Message) -> bytes:
        """Return a message as it is written."""

    def changes(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        """Return what frames a `change` of one cell, given its content, as `frame` would: for many at one number."""

    def end(self, reason: Reason) -> bytes:
        """Return what ends the framing, after the ``bye``."""

    def take(self, line: Line, data: bytes) -> None:
        """Take what the peer has sent."""


class Line(asyncio.Protocol):
    """The protocol of a connection whose stream was handed off. Make it, then `begin` with the transport it was given."""

    __slots__ = (
        "_crowd",
        "_lines",
        "_transport",
        "context",
        "descriptor",
        "ends_at",
        "epoch",
        "inbox",
        "sent",
        "spoke",
        "stream",
        "wire",
    )

    def __init__(self, lines: Lines, stream: Stream, wire: Wire, context: object = None) -> None:
        self.stream = stream
        self.context = context  # of the wire's
        self.inbox: Any = None  # of the wire's: what of the peer's has not been understood yet
        self.descriptor = -1
        self.sent = -1  # while it is not among its crowd's ready: how far it has been told
        self.epoch = ""
        self.ends_at = time.monotonic() + life_seconds()
        self.spoke = 0
        self.wire = wire
        self._lines = lines
        self._crowd: Crowd
        self._transport: asyncio.Transport | None = None

    # What the transport calls

    def connection_lost(self, exc: Exception | None) -> None:
        self._unready()
        self.descriptor = -1
        self._transport = None
        self._lines.gone(self)

    def pause_writing(self) -> None:
        self._unready()
        self._lines.paused[self] = time.monotonic() + self._lines.stalled_seconds

    def resume_writing(self) -> None:
        self._lines.paused.pop(self, None)
        if self in self._lines.ending:
            return  # all is said
        if self.stream.ending is not None:
            self.end()
        else:
            self._catch_up()

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.wire.take(self, data)

    def eof_received(self) -> None:
        self._unready()  # the transport closes itself

    # What the stream asks

    @property
    def paused(self) -> bool:
        """Whether something is buffered, because the reader does not take it."""
        return self in self._lines.paused

    def end(self) -> None:
        """Say ``bye`` and close; a reader that stands still is given a moment to take what it was sent before."""
        if self._transport is None or self in self._lines.ending:
            return
        if self.paused:
            self._lines.paused[self] = min(self._lines.paused[self], time.monotonic() + BYE_SECONDS)
            return
        reason = self.stream.ending
        assert reason is not None, "ended by its stream"
        message = messages.bye(reason)
        self._unready()
        self._lines.ending[self] = time.monotonic() + BYE_SECONDS
        self._lines.count(message, 1)
        self._write(self.wire.frame(message) + self.wire.end(reason))
        if not self.wire.waits_for_peer:
            self.close()

    def finish(self) -> None:
        """End when everything up to the stream's last number has been told."""
        self._lines.finishing[self] = None

    def abort(self) -> None:
        """Cut the connection; what has not gone yet is lost."""
        self._unready()
        if self._transport is not None:
            self._transport.abort()

    def give_up(self) -> None:
        """The peer has had its time to take the end, or to answer it."""
        if self.paused:
            self.stream.abort()
        elif self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Close the connection when what is buffered has gone."""
        self._unready()
        if self._transport is not None:
            self._lines.ending.setdefault(self, time.monotonic() + BYE_SECONDS)
            self._transport.close()

    def hang_up(self) -> None:
        """Say nothing more; the connection is closed when the peer has closed its side too, or has had its time.

        Were it closed while the peer still sends, the kernel would answer that with a reset, and the peer might never read
        what it was told last.
        """
        self._unready()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._lines.ending.setdefault(self, time.monotonic() + BYE_SECONDS)
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    # What the endpoint and the wire ask

    def begin(self, transport: asyncio.Transport, descriptor: int, stalled: bool = False) -> None:
        """Take over a connection: greet, say what there is to say, and follow.

        ``descriptor`` is -1 if TLS lies between; ``stalled`` says that the transport has paused whom it belonged to.
        """
        self._transport = transport
        self.descriptor = descriptor
        stream = self.stream
        self._crowd = self._lines.join(self)
        stream.hand_off(self)
        if stream.over_at is not None:
            self.finish()
        if stalled:
            self.pause_writing()  # its head has not gone yet; whom the transport will resume is this protocol
        since, projection = stream.since, stream.projection
        stream.since = None
        first = self.wire.greeting()
        if projection.answers(since):
            assert since is not None
            self.epoch, self.sent = since.epoch, since.seq
            if projection.changed_at <= since.seq:  # nothing to catch up with: say so at once
                self.sent = projection.seq
                beat = projection.beat()
                first += self.wire.frame(beat)
                self._lines.count(beat, 1)
        if self.paused or stream.ending is not None:
            if first:
                self._write(first)
            if not self.paused:
                self.end()
        else:
            self._catch_up(first)

    def say(self, data: bytes) -> None:
        """Write what answers the peer, in the wire's own framing: a pong."""
        if self._transport is not None and self not in self._lines.ending:
            self._write(data)

    # Its own

    @property
    def up_to_date(self) -> bool:
        """Whether it has been told everything that its projection shows."""
        return self.ready and self._crowd.sent >= self.stream.projection.changed_at

    @property
    def ready(self) -> bool:
        """Whether it is told of changes together with its crowd."""
        return self._crowd.ready.get(self.descriptor) is self or self in self._crowd.veiled

    def beat(self) -> None:
        """Write a heartbeat, unless the reader stands still or is being told the end."""
        if self.ready:
            self._write(self._crowd.beat())

    def _catch_up(self, first: bytes = b"") -> None:
        """Write ``first``, and what the projection has that this screen has not; then it is told with its crowd."""
        projection = self.stream.projection
        message = self._lines.due(projection, self.epoch, self.sent)
        if message is not None:
            self.epoch, self.sent = projection.epoch, projection.seq
            self._lines.count(message, 1)
            first += self.wire.frame(message)
        if first:
            self._write(first)
        if not self.paused and self._transport is not None and not self._transport.is_closing():
            self._join()

    def _join(self) -> None:
        crowd = self._crowd
        if not crowd.ready and not crowd.veiled:
            crowd.epoch, crowd.sent = self.stream.projection.epoch, self.stream.projection.seq
        if self.descriptor >= 0:
            crowd.ready[self.descriptor] = self
        else:
            crowd.veiled[self] = None
        crowd.settle()

    def _unready(self) -> None:
        """Be told nothing with the crowd any more; remember how far that has come."""
        if not self.ready:
            return
        crowd = self._crowd
        if self.descriptor >= 0:
            del crowd.ready[self.descriptor]
        else:
            del crowd.veiled[self]
        crowd.settle()
        self.epoch, self.sent = crowd.epoch, crowd.sent

    def _write(self, data: bytes) -> None:
        """Write, straight to the descriptor as long as nothing is buffered."""
        transport = self._transport
        if transport is None:
            return
        if self.descriptor >= 0 and not self.paused and not transport.is_closing():
            for _, rest in _write_to(((self.descriptor, data),)):
                self.left_over(rest)
        else:
            transport.write(data)

    def left_over(self, data: bytes | None) -> None:
        """Have the transport write what the descriptor did not take; None: it takes nothing any more."""
        if data is None:
            self.abort()
        elif self._transport is not None:
            self._transport.write(data)


class Crowd:
    """The lines of one projection that are framed alike. It watches the projection, which calls it after a change.

    ``ready`` are those, by descriptor, who have been told everything so far and take what they are written; the others catch
    up by themselves when they can. ``sent`` is how far the ready ones have been told.
    """

    __slots__ = ("_beat", "_lines", "_projection", "epoch", "members", "only", "ready", "sent", "veiled", "wire")

    def __init__(self, lines: Lines, projection: Projection, wire: Wire) -> None:
        self.wire = wire
        self.members = 0
        self.ready: dict[int, Line] = {}
        self.only = -1  # the descriptor of the one that is ready, if it is just one
        self.veiled: dict[Line, None] = {}  # ready, but behind TLS
        self.epoch, self.sent = projection.epoch, projection.seq
        self._lines = lines
        self._projection = projection
        self._beat: tuple[int, int, Message, bytes] | None = None

    def __call__(self) -> None:
        projection = self._projection
        message = self._lines.due(projection, self.epoch, self.sent)
        if message is None:
            return
        self.epoch, self.sent = projection.epoch, projection.seq
        self._lines.count(message, len(self.ready) + len(self.veiled))
        data = self.wire.frame(message)
        for descriptor, rest in _write_to(zip(self.ready, repeat(data))):
            self.ready[descriptor].left_over(rest)
        for line in list(self.veiled):
            line.left_over(data)

    def settle(self) -> None:
        """Somebody has become ready, or is so no longer."""
        self.only = next(iter(self.ready)) if len(self.ready) == 1 and not self.veiled else -1

    def beat(self) -> bytes:
        """Return a heartbeat as it is written: the same bytes for all who are due in one turn of the wheel."""
        turn = self._lines.turn
        projection = self._projection
        if self._beat is None or self._beat[:2] != (turn, projection.seq):
            message = projection.beat()
            self._beat = (turn, projection.seq, message, self.wire.frame(message))
        self._lines.count(self._beat[2], 1)
        return self._beat[3]


def write_each(projections: Sequence[TicketProjection]) -> tuple[int, int]:
    """Write to each ticket's screens that it has moved on; all are at one number. Return how many messages, and bytes.

    Nearly every ticket has one screen, which takes what it is written: that is the short way. All others are woken.

    Everything is put together before anything is written: a write leaves little of ours in the processor's caches, and
    each object that was touched in between would be waited for.
    """
    at = projections[0].position
    seq = at.seq
    framings: dict[Wire, Callable[[bytes], bytes]] = {}
    due: list[tuple[int, bytes]] = []
    crowds: list[Crowd] = []
    others: list[TicketProjection] = []
    size = 0
    for projection in projections:
        watchers = projection.watchers
        (crowd,) = watchers.values() if len(watchers) == 1 else (None,)
        if type(crowd) is not Crowd or crowd.only < 0:
            others.append(projection)
            continue
        wire = crowd.wire
        framed = framings.get(wire)
        if framed is None:
            framed = framings[wire] = wire.changes(at, AHEAD)
        data = framed(COUNT % projection.ahead)
        size += len(data)
        due.append((crowd.only, data))
        crowd.sent = seq
        crowds.append(crowd)
    not_taken = _write_to(due)
    if not_taken:
        lines = {crowd.only: crowd.ready[crowd.only] for crowd in crowds}
        for descriptor, rest in not_taken:
            lines[descriptor].left_over(rest)
    for projection in others:
        projection.wake()
    return len(due), size


def _write_to(due: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes | None]]:
    """Write to each descriptor, in the order in which they come. Return what any did not take; None of one that is broken.

    Whatever is wrong with one, the others are written to. Nothing else is done in between: nobody is closed or paused by it.
    """
    write = os.write
    not_taken: list[tuple[int, bytes | None]] = []
    for descriptor, data in due:
        try:
            written = write(descriptor, data)
        except BlockingIOError:
            not_taken.append((descriptor, data))
        except OSError:
            not_taken.append((descriptor, None))
        else:
            if written != len(data):
                not_taken.append((descriptor, data[written:]))
    return not_taken


class Lines:
    """All lines of one process: their crowds, the wheel that beats for them, and who is given how much time yet."""

    def __init__(
        self, heartbeat_seconds: float, stalled_seconds: float, leave: Callable[[Stream], None], tally: Tally
    ) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self.stalled_seconds = stalled_seconds
        self.paused: dict[Line, float] = {}  # until when
        self.ending: dict[Line, float] = {}  # they have been told the end; until when they may take to go
        self.finishing: dict[Line, None] = {}
        self.turn = 0
        self._leave = leave
        self._tally = tally
        pace = min(LONGEST_TURN_SECONDS, max(SHORTEST_TURN_SECONDS, heartbeat_seconds / SPOKES))
        self._spokes: list[dict[Line, None]] = [{} for _ in range(max(1, round(heartbeat_seconds / pace)))]

    def join(self, line: Line) -> Crowd:
        """Put a line that has taken over its connection on the wheel; return the crowd that it joins."""
        line.spoke = random.randrange(len(self._spokes))
        self._spokes[line.spoke][line] = None
        projection = line.stream.projection
        crowd = projection.watchers.get(line.wire)
        if not isinstance(crowd, Crowd):
            crowd = projection.watchers[line.wire] = Crowd(self, projection, line.wire)
        crowd.members += 1
        return crowd

    def gone(self, line: Line) -> None:
        """A line's connection is no more."""
        for place in (self._spokes[line.spoke], self.paused, self.ending, self.finishing):
            place.pop(line, None)
        crowd = line._crowd
        crowd.members -= 1
        if not crowd.members:
            line.stream.projection.watchers.pop(crowd.wire, None)
        self._leave(line.stream)

    def count(self, message: Message, times: int) -> None:
        """Note that a message was written."""
        self._tally(message.kind, times, times * len(message.payload))

    def tell(self, projections: Sequence[TicketProjection]) -> None:
        """Write to the screens of tickets that have moved on."""
        self._tally("change", *write_each(projections))

    def due(self, projection: Projection, epoch: str, seq: int) -> Message | None:
        """Return what is to be told to who has been told everything up to ``seq``, if anything."""
        return projection.due(Position(epoch, projection.view.shape, seq), self.heartbeat_seconds)

    async def run(self) -> None:
        """Turn the wheel, and look after deadlines, until cancelled."""
        pace = self.heartbeat_seconds / len(self._spokes)
        due = time.monotonic()
        while True:
            await asyncio.sleep(due - time.monotonic())
            due = max(
                due + pace, time.monotonic() + 0.9 * pace
            )  # made up for slowly: never two heartbeats soon after another
            self.turn += 1
            self._beat(self._spokes[self.turn % len(self._spokes)])
            self._look()

    def _beat(self, lines: dict[Line, None]) -> None:
        now = time.monotonic()
        for line in list(lines):
            if line.stream.ending is None:
                if now >= line.ends_at:
                    line.stream.end("age")
                else:
                    line.beat()

    def _look(self) -> None:
        now = time.monotonic()
        for line, until in list(self.paused.items()):
            if now >= until:
                line.stream.end("slow")
                line.stream.abort()
        for line, until in list(self.ending.items()):
            if now >= until:
                line.give_up()
        for line in list(self.finishing):
            stream = line.stream
            if stream.over_at is not None and stream.projection.seq >= stream.over_at and line.up_to_date:
                del self.finishing[line]
                stream.end("ended")


Tally = Callable[[str, int, int], None]  # a kind of message, how many were written, and how many bytes
