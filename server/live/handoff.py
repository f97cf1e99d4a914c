"""Handed-off streams: each is a network connection that belongs to the feed, with no task, no request and no queue.

`HandedOffConnection` is the asyncio protocol of such a connection. The connections of one projection that have the same
framing are its `Crowd`. A change is encoded and framed once, and the same bytes are written to each member, straight to its
descriptor. `HandedOffConnections` keeps the timers: heartbeats on a wheel, spread over the interval, and the deadlines of
readers that take nothing.

One invariant makes the loop over the members cheap: a connection is in its crowd's ``ready`` only if nothing is buffered for
it and it is not closing. Only this module writes to the transport of a handed-off connection, and the transport's buffer
limit is zero. The transport therefore calls `pause_writing` before a short write returns, and `resume_writing` when the last
byte is sent. No descriptor is used while bytes are buffered before it, nor after the transport may have closed it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, Protocol

from server.domain.views import AHEAD
from server.live import messages
from server.live.messages import Message, Position, Reason
from server.live.projection import COUNT, Projection, TicketProjection, wake_all
from server.live.stream import BYE_SECONDS, Stream, life_seconds

SHORTEST_TURN_SECONDS = 0.05
LONGEST_TURN_SECONDS = 0.25
SLOTS = 64

OnWritten = Callable[[str, int, int], None]  # the kind of message, how many were written, and their bytes in all


class Framing(Protocol):
    """The framing of messages on one kind of connection. One object serves all connections of its kind: it has no state."""

    def greeting(self) -> bytes:
        """Return the bytes before the first message."""

    @property
    def waits_for_peer(self) -> bool:
        """Whether the peer answers the end before the connection is closed."""

    def frame(self, message: Message) -> bytes:
        """Return a message as it is written."""

    def change_framer(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        """Return a function that frames a `change` of one cell, given its content, as `frame` does: for many cells."""

    def end(self, reason: Reason) -> bytes:
        """Return the bytes after the ``bye`` that end the framing."""

    def receive(self, connection: HandedOffConnection, data: bytes) -> None:
        """Process bytes from the peer."""


class HandedOffConnection(asyncio.Protocol):
    """The protocol of a connection whose stream was handed off. Create it, then `begin` with the connection's transport."""

    __slots__ = (
        "_connections",
        "_crowd",
        "_transport",
        "context",
        "descriptor",
        "ends_at",
        "epoch",
        "framing",
        "inbox",
        "pinged",
        "sent",
        "slot",
        "stream",
    )

    def __init__(self, connections: HandedOffConnections, stream: Stream, framing: Framing, context: object = None) -> None:
        self.stream = stream
        self.context = context  # for the framing
        self.inbox: Any = None  # for the framing: received bytes that are no whole message yet
        self.pinged = True  # for the framing: since the last pong. The first message may contain a ping
        self.descriptor = -1
        self.sent = -1  # the number that the screen shows, while the connection is not ready
        self.epoch = ""
        self.ends_at = time.monotonic() + life_seconds()
        self.slot = 0  # on the heartbeat wheel
        self.framing = framing
        self._connections = connections
        self._crowd: Crowd
        self._transport: asyncio.Transport | None = None

    # Called by the transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave_ready()
        self.descriptor = -1
        self._transport = None
        self._connections.remove(self)

    def pause_writing(self) -> None:
        self._leave_ready()
        self._connections.paused[self] = time.monotonic() + self._connections.stalled_seconds

    def resume_writing(self) -> None:
        self._connections.paused.pop(self, None)
        if self in self._connections.ending:
            return  # the ``bye`` is written
        if self.stream.ending is not None:
            self.end()
        else:
            self._catch_up()

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.framing.receive(self, data)

    def eof_received(self) -> None:
        self._leave_ready()  # the transport closes itself

    # Called by the stream

    @property
    def paused(self) -> bool:
        """Whether bytes are buffered, because the reader does not take them."""
        return self in self._connections.paused

    def end(self) -> None:
        """Write ``bye`` and close. A paused reader gets a moment to take the bytes written before."""
        if self._transport is None or self in self._connections.ending:
            return
        if self.paused:
            self._connections.paused[self] = min(self._connections.paused[self], time.monotonic() + BYE_SECONDS)
            return
        reason = self.stream.ending
        assert reason is not None, "only an ending stream calls this"
        message = messages.bye(reason)
        self._leave_ready()
        self._connections.ending[self] = time.monotonic() + BYE_SECONDS
        self._connections.count(message, 1)
        self._write(self.framing.frame(message) + self.framing.end(reason))
        if not self.framing.waits_for_peer:
            self.close()

    def finish(self) -> None:
        """End the stream when its screen shows the stream's last number."""
        self._connections.finishing[self] = None

    def change_projection(self) -> None:
        """Write a snapshot of the stream's new projection, or leave it for the end of a pause; then follow it."""
        self._leave_ready()
        self._connections.leave_crowd(self)
        self._crowd = self._connections.join_crowd(self)
        self.epoch, self.sent = "", -1
        if self._transport is not None and not self.paused and self.stream.ending is None:
            self._catch_up()

    def abort(self) -> None:
        """Close the connection at once; buffered bytes are lost."""
        self._leave_ready()
        if self._transport is not None:
            self._transport.abort()

    def close_overdue(self) -> None:
        """Close the connection: the peer has not taken the end, or not answered it, in time."""
        if self.paused:
            self.stream.abort()
        elif self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Close the connection when all buffered bytes are sent."""
        self._leave_ready()
        if self._transport is not None:
            self._connections.ending.setdefault(self, time.monotonic() + BYE_SECONDS)
            self._transport.close()

    def half_close(self) -> None:
        """Close our side only. The connection closes when the peer closes its side, or after a second.

        If the connection were closed while the peer still sends, the kernel would answer with a reset. The peer might then
        never read the last bytes written to it.
        """
        self._leave_ready()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._connections.ending.setdefault(self, time.monotonic() + BYE_SECONDS)
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    # Called by the endpoint and the framing

    def begin(self, transport: asyncio.Transport, descriptor: int, stalled: bool = False, head: bytes = b"") -> None:
        """Take over a connection: write ``head``, the greeting and the first message, then follow the projection.

        ``descriptor`` is -1 if the connection uses TLS. ``stalled``: the transport has paused its last protocol.
        """
        self._transport = transport
        self.descriptor = descriptor
        stream = self.stream
        self._crowd = self._connections.join(self)
        stream.hand_off(self)
        if stream.last_seq is not None:
            self.finish()
        if stalled:
            self.pause_writing()  # an earlier answer is still buffered; the transport will resume this protocol
        since, projection = stream.since, stream.projection
        stream.since = None
        first = head + self.framing.greeting()
        if projection.can_resume(since):
            assert since is not None
            self.epoch, self.sent = since.epoch, since.seq
            if projection.changed_at <= since.seq:  # the screen is up to date: confirm it at once
                self.sent = projection.seq
                heartbeat = projection.heartbeat()
                first += self.framing.frame(heartbeat)
                self._connections.count(heartbeat, 1)
        if self.paused or stream.ending is not None:
            if first:
                self._write(first)
            if not self.paused:
                self.end()
        else:
            self._catch_up(first)

    def reply(self, data: bytes) -> None:
        """Write an answer to the peer that is already framed: a pong, or a close."""
        if self._transport is not None and self not in self._connections.ending:
            self._write(data)

    # Internal

    @property
    def up_to_date(self) -> bool:
        """Whether the screen was sent every change that its projection shows."""
        return self.ready and self._crowd.sent >= self.stream.projection.changed_at

    @property
    def ready(self) -> bool:
        """Whether the connection gets changes together with its crowd."""
        return self._crowd.ready.get(self.descriptor) is self or self in self._crowd.ready_over_tls

    def heartbeat(self) -> None:
        """Write a heartbeat, unless the reader is paused or the stream is ending."""
        if self.ready:
            self.pinged = True
            self._write(self._crowd.heartbeat())

    def _catch_up(self, first: bytes = b"") -> None:
        """Write ``first`` and the message that the screen lacks. From then on the crowd writes to it."""
        projection = self.stream.projection
        message = self._connections.next_message(projection, self.epoch, self.sent)
        if message is not None:
            self.epoch, self.sent = projection.epoch, projection.seq
            self._connections.count(message, 1)
            first += self.framing.frame(message)
        if first:
            self._write(first)
        if not self.paused and self._transport is not None and not self._transport.is_closing():
            self._join_ready()

    def _join_ready(self) -> None:
        crowd = self._crowd
        if not crowd.ready and not crowd.ready_over_tls:
            crowd.epoch, crowd.sent = self.stream.projection.epoch, self.stream.projection.seq
        if self.descriptor >= 0:
            crowd.ready[self.descriptor] = self
        else:
            crowd.ready_over_tls[self] = None
        crowd.update_sole_descriptor()

    def _leave_ready(self) -> None:
        """Leave the crowd's ready connections, and note the number that the screen shows."""
        if not self.ready:
            return
        crowd = self._crowd
        if self.descriptor >= 0:
            del crowd.ready[self.descriptor]
        else:
            del crowd.ready_over_tls[self]
        crowd.update_sole_descriptor()
        self.epoch, self.sent = crowd.epoch, crowd.sent

    def _write(self, data: bytes) -> None:
        """Write, straight to the descriptor as long as nothing is buffered."""
        transport = self._transport
        if transport is None:
            return
        if self.descriptor >= 0 and not self.paused and not transport.is_closing():
            for _, rest in _write_to(((self.descriptor, data),)):
                self.write_rest(rest)
        else:
            transport.write(data)

    def write_rest(self, data: bytes | None) -> None:
        """Leave bytes that the descriptor did not take to the transport. None means that the descriptor is broken."""
        if data is None:
            self.abort()
        elif self._transport is not None:
            self._transport.write(data)


class Crowd:
    """The connections of one projection that have the same framing. A watcher: the projection calls it after a change.

    ``ready`` holds, by descriptor, the connections that are up to date to ``sent`` and have nothing buffered. The others
    catch up by themselves when they can.
    """

    __slots__ = (
        "_connections",
        "_heartbeat",
        "epoch",
        "framing",
        "members",
        "projection",
        "ready",
        "ready_over_tls",
        "sent",
        "sole_descriptor",
    )

    def __init__(self, connections: HandedOffConnections, projection: Projection, framing: Framing) -> None:
        self.framing = framing
        self.members = 0
        self.ready: dict[int, HandedOffConnection] = {}
        self.sole_descriptor = -1  # of the only ready connection; -1 if there are none, several, or it uses TLS
        self.ready_over_tls: dict[HandedOffConnection, None] = {}
        self.epoch, self.sent = projection.epoch, projection.seq
        self._connections = connections
        self.projection = projection
        self._heartbeat: tuple[int, int, Message, bytes] | None = None

    def __call__(self) -> None:
        data = self.next_data()
        if data is None:
            return
        for descriptor, rest in _write_to(zip(self.ready, repeat(data))):
            self.ready[descriptor].write_rest(rest)
        for connection in list(self.ready_over_tls):
            connection.write_rest(data)

    def next_data(self) -> bytes | None:
        """Return the framed message that the ready connections lack, or None. The caller writes it to each of them."""
        projection = self.projection
        message = self._connections.next_message(projection, self.epoch, self.sent)
        if message is None:
            return None
        self.epoch, self.sent = projection.epoch, projection.seq
        self._connections.count(message, len(self.ready) + len(self.ready_over_tls))
        return self.framing.frame(message)

    def update_sole_descriptor(self) -> None:
        """Set ``sole_descriptor`` after a change of the ready connections."""
        self.sole_descriptor = next(iter(self.ready)) if len(self.ready) == 1 and not self.ready_over_tls else -1

    def heartbeat(self) -> bytes:
        """Return a framed heartbeat: the same bytes for every member in one turn of the wheel."""
        turn = self._connections.turn
        projection = self.projection
        if self._heartbeat is None or self._heartbeat[:2] != (turn, projection.seq):
            message = projection.heartbeat()
            self._heartbeat = (turn, projection.seq, message, self.framing.frame(message))
        self._connections.count(self._heartbeat[2], 1)
        return self._heartbeat[3]


def write_changes(projections: Sequence[TicketProjection]) -> None:
    """Write to each ticket's screens what changed when the ticket was drawn again.

    As in `write_counts`, all messages are built before the first is written, and only tickets with one screen are written
    here.
    """
    writes: list[tuple[int, bytes]] = []
    crowds: list[Crowd] = []
    others: list[TicketProjection] = []
    for projection in projections:
        crowd = _sole_crowd(projection)
        if crowd is None:
            others.append(projection)
        elif (data := crowd.next_data()) is not None:
            writes.append((crowd.sole_descriptor, data))
            crowds.append(crowd)
    _write_each(writes, crowds)
    wake_all(others)


def write_counts(projections: Sequence[TicketProjection]) -> tuple[int, int]:
    """Write each ticket's new count of entries ahead to its screens. Return how many messages and how many bytes.

    All tickets are at one number. Nearly every ticket has one screen, and that screen takes its bytes at once: such tickets
    are written here. The watchers of all others are woken.

    All messages are built before the first is written. A write leaves little of our memory in the processor's caches, and
    each object touched between two writes would be fetched again.
    """
    at = projections[0].position
    seq = at.seq
    framers: dict[Framing, Callable[[bytes], bytes]] = {}
    writes: list[tuple[int, bytes]] = []
    crowds: list[Crowd] = []
    others: list[TicketProjection] = []
    size = 0
    for projection in projections:
        crowd = _sole_crowd(projection)
        if crowd is None:
            others.append(projection)
            continue
        framing = crowd.framing
        framer = framers.get(framing)
        if framer is None:
            framer = framers[framing] = framing.change_framer(at, AHEAD)
        data = framer(COUNT % projection.ahead)
        size += len(data)
        writes.append((crowd.sole_descriptor, data))
        crowd.sent = seq
        crowds.append(crowd)
    _write_each(writes, crowds)
    wake_all(others)
    return len(writes), size


def _sole_crowd(projection: TicketProjection) -> Crowd | None:
    """Return the only watcher of a ticket if it is a crowd with one descriptor, which takes its bytes at once."""
    watchers = projection.watchers
    if len(watchers) != 1:
        return None
    (crowd,) = watchers.values()
    return crowd if type(crowd) is Crowd and crowd.sole_descriptor >= 0 else None


def _write_each(writes: Sequence[tuple[int, bytes]], crowds: Iterable[Crowd]) -> None:
    """Write to the sole descriptor of each of these crowds."""
    not_taken = _write_to(writes)
    if not_taken:
        connections = {crowd.sole_descriptor: crowd.ready[crowd.sole_descriptor] for crowd in crowds}
        for descriptor, rest in not_taken:
            connections[descriptor].write_rest(rest)


def _write_to(writes: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes | None]]:
    """Write to each descriptor in order. Return the bytes that a descriptor did not take, or None for a broken one.

    A failure of one descriptor does not stop the others. The loop closes and pauses no connection.
    """
    write = os.write
    not_taken: list[tuple[int, bytes | None]] = []
    for descriptor, data in writes:
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


class HandedOffConnections:
    """All handed-off connections of one process: their crowds, the wheel of their heartbeats, and their deadlines.

    ``on_closed`` gets each stream whose connection is closed, and ``on_written`` a count of every message written.
    """

    def __init__(
        self,
        heartbeat_seconds: float,
        stalled_seconds: float,
        on_closed: Callable[[Stream], None],
        on_written: OnWritten,
    ) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self.stalled_seconds = stalled_seconds
        self.paused: dict[HandedOffConnection, float] = {}  # each with the time at which it is aborted
        self.ending: dict[HandedOffConnection, float] = {}  # the ``bye`` is written; the time at which they are closed
        self.finishing: dict[HandedOffConnection, None] = {}
        self.turn = 0
        self._on_closed = on_closed
        self._on_written = on_written
        pace = min(LONGEST_TURN_SECONDS, max(SHORTEST_TURN_SECONDS, heartbeat_seconds / SLOTS))
        self._slots: list[dict[HandedOffConnection, None]] = [{} for _ in range(max(1, round(heartbeat_seconds / pace)))]

    def join(self, connection: HandedOffConnection) -> Crowd:
        """Put a connection on the wheel, and return the crowd that it belongs to."""
        connection.slot = random.randrange(len(self._slots))  # nosec B311 # spreads load, keeps no secret
        self._slots[connection.slot][connection] = None
        return self.join_crowd(connection)

    def join_crowd(self, connection: HandedOffConnection) -> Crowd:
        """Return the crowd that a connection belongs to from now on."""
        projection = connection.stream.projection
        crowd = projection.watchers.get(connection.framing)
        if not isinstance(crowd, Crowd):
            crowd = projection.watchers[connection.framing] = Crowd(self, projection, connection.framing)
        crowd.members += 1
        return crowd

    def remove(self, connection: HandedOffConnection) -> None:
        """Forget a connection that is lost."""
        for place in (self._slots[connection.slot], self.paused, self.ending, self.finishing):
            place.pop(connection, None)
        self.leave_crowd(connection)
        self._on_closed(connection.stream)

    def leave_crowd(self, connection: HandedOffConnection) -> None:
        """Take a connection out of its crowd."""
        crowd = connection._crowd
        crowd.members -= 1
        if not crowd.members:
            crowd.projection.watchers.pop(crowd.framing, None)

    def count(self, message: Message, times: int) -> None:
        """Count a message that was written ``times`` times."""
        self._on_written(message.kind, times, times * len(message.payload))

    def write_tickets(self, drawn: Sequence[TicketProjection], moved: Sequence[TicketProjection]) -> None:
        """Write to the screens of the tickets that changed when drawn again, and of those that only moved."""
        write_changes(drawn)
        if moved:
            self._on_written("change", *write_counts(moved))

    def next_message(self, projection: Projection, epoch: str, seq: int) -> Message | None:
        """Return the next message for a screen that is up to date to ``seq``, or None."""
        return projection.next_message(Position(epoch, projection.shape, seq), self.heartbeat_seconds)

    async def run(self) -> None:
        """Turn the wheel and enforce the deadlines, until cancelled."""
        pace = self.heartbeat_seconds / len(self._slots)
        due = time.monotonic()
        while True:
            await asyncio.sleep(due - time.monotonic())
            # A late wheel makes up for it slowly: no connection gets two heartbeats in quick succession.
            due = max(due + pace, time.monotonic() + 0.9 * pace)
            self.turn += 1
            self._send_heartbeats(self._slots[self.turn % len(self._slots)])
            self._enforce_deadlines()

    def _send_heartbeats(self, connections: dict[HandedOffConnection, None]) -> None:
        now = time.monotonic()
        for connection in list(connections):
            if connection.stream.ending is None:
                if now >= connection.ends_at:
                    connection.stream.end("age")
                else:
                    connection.heartbeat()

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for connection, until in list(self.paused.items()):
            if now >= until:
                connection.stream.end("slow")
                connection.stream.abort()
        for connection, until in list(self.ending.items()):
            if now >= until:
                connection.close_overdue()
        for connection in list(self.finishing):
            stream = connection.stream
            if stream.last_seq is not None and stream.projection.seq >= stream.last_seq and connection.up_to_date:
                del self.finishing[connection]
                stream.end("ended")
