"""One screen's stream. It remembers only the position of its screen, and gets every message from the projection.

A slow screen therefore owes at most one value per cell, and a repeated wake-up costs nothing. While a reader has not taken
the bytes written before, no message is built for it: the stream then costs as little as an idle one.

A stream is either *pulled* by the code that iterates it, or *handed off* to a connection (`server.live.handoff`) that writes
its messages itself. Both ask the same projection the same questions.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Protocol

from server.domain.model import Display, Kiosk
from server.domain.views import DisplayView
from server.live import messages
from server.live.feed import Feed
from server.live.messages import Message, Position, Reason
from server.live.projection import Projection

SESSION = "session:"  # the beginning of a token that names a session
LIFE_SECONDS = 3600.0
STALLED_SECONDS = 30.0
BYE_SECONDS = 1.0
# There is a view of these kinds for each record or date: its projection goes with its last stream.
PASSING_KINDS = frozenset({"ticket", "point", "kiosk", "calendar", "appointment"})


class Outlet(Protocol):
    """The connection that a pulled stream's messages are written to."""

    def stalled(self) -> bool:
        """Return whether written bytes are still buffered here, because the reader does not take them."""

    async def drain(self) -> None:
        """Wait until all buffered bytes are sent, or the connection is lost."""

    def abort(self) -> None:
        """Close the connection at once; buffered bytes are lost."""


class Open:
    """An outlet that never stalls: for callers whose own pace is the reader's."""

    def stalled(self) -> bool:
        return False

    async def drain(self) -> None:
        return

    def abort(self) -> None:
        return


OPEN = Open()


class HandedOff(Protocol):
    """The connection that writes a stream which was handed off."""

    def change_projection(self) -> None:
        """Write a snapshot of the stream's new projection, then follow it."""

    @property
    def paused(self) -> bool:
        """Whether its reader takes nothing."""

    def end(self) -> None:
        """Write ``bye`` with the stream's reason, and close."""

    def finish(self) -> None:
        """End the stream when its screen shows the stream's last number."""

    def abort(self) -> None:
        """Close the connection at once; buffered bytes are lost."""


class Stream:
    """The messages of one projection for one screen: iterate it.

    The stream ends after a ``bye``. It ends without one, and aborts its outlet, when the reader has taken nothing for
    ``stalled_seconds``.

    ``since`` is the screen's own position; None, or a position that the projection cannot resume from, gets a snapshot.
    The caps count the stream for ``address``, ``token`` and, if staff follow it, ``member``. The stream is revoked when
    ``proof`` is no longer valid: a session's role, or a device's token hash. ``subject`` names the record that the stream
    depends on (``display:812``). ``transport`` is the label of the metrics.
    """

    __slots__ = (
        "_awake",
        "_ending",
        "_feed",
        "_heartbeat_seconds",
        "_outlet",
        "_paused",
        "_projection",
        "_stalled_seconds",
        "_write_timeout",
        "address",
        "connection",
        "cut",
        "last_seq",
        "member",
        "opened_at",
        "proof",
        "since",
        "subject",
        "token",
        "transport",
    )

    def __init__(
        self,
        feed: Feed,
        projection: Projection,
        since: Position | None,
        heartbeat_seconds: float,
        *,
        address: str,
        token: str,
        member: str | None = None,
        proof: str | None = None,
        subject: str | None = None,
        outlet: Outlet = OPEN,
        transport: str = "",
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self.address = address
        self.token = token
        self.member = member
        self.proof = proof
        self.subject = subject
        self.transport = transport
        self.opened_at = time.monotonic()
        self.cut = False  # the connection was aborted, because the reader took nothing
        self._projection = projection
        self.since = since
        self.connection: HandedOff | None = None
        self.last_seq: int | None = None  # the stream ends when its screen shows this number
        self._feed = feed
        self._heartbeat_seconds = heartbeat_seconds
        self._outlet = outlet
        self._stalled_seconds = stalled_seconds
        self._paused = False
        self._awake: asyncio.Event | None = None
        self._write_timeout: asyncio.Timeout | None = None
        self._ending: Reason | None = None
        projection.watchers[self] = self._wake

    @property
    def site_id(self) -> int:
        """The site whose view the stream shows."""
        return self._feed.site_id

    @property
    def projection(self) -> Projection:
        """The cells that the stream shows."""
        return self._projection

    @property
    def device_proof(self) -> str | None:
        """The token hash that the device must keep, or None if the stream is not a device's."""
        return None if self.token.startswith(SESSION) else self.proof

    @property
    def view_kind(self) -> str:
        """The kind of view that the stream shows."""
        return self._projection.view.kind

    @property
    def changed_at(self) -> int:
        """The log number at which any cell of the stream's view last changed."""
        return self._projection.changed_at

    @property
    def device(self) -> Display | Kiosk | None:
        """The device's record on the feed's board, or None if the stream is not that of a display or a kiosk."""
        if self.subject is None or not self.subject.startswith(("display:", "kiosk:")) or self._feed.board is None:
            return None
        return self._feed.board.device(int(self.subject.partition(":")[2]))

    @property
    def paused(self) -> bool:
        """Whether the reader takes nothing."""
        return self._paused if self.connection is None else self.connection.paused

    @property
    def ending(self) -> Reason | None:
        """Why the stream ends or has ended; None while it goes on."""
        return self._ending

    def end(self, reason: Reason) -> None:
        """End the stream with a ``bye``. A later call with another reason changes nothing."""
        if self._ending is not None:
            return
        self._ending = reason
        if self.connection is not None:
            self.connection.end()
            return
        self._wake()
        if self._write_timeout is not None and not self._write_timeout.expired():  # a stalled reader takes no ``bye``
            self._write_timeout.reschedule(asyncio.get_running_loop().time() + BYE_SECONDS)

    def abort(self) -> None:
        """Close the connection at once; buffered bytes are lost."""
        self.cut = True
        (self._outlet if self.connection is None else self.connection).abort()

    def finish(self, at: int) -> None:
        """End the stream when its screen shows the log number ``at``: nothing changes after that."""
        self.last_seq = at
        if self.connection is not None:
            self.connection.finish()
        else:
            self._wake()

    def follow_choice(self) -> None:
        """Show the calls that the stream's display has chosen now: after another choice a snapshot of them."""
        display, before = self.device, self._projection
        if not isinstance(display, Display) or (now := self._feed.projection(DisplayView(display.id))) is before:
            return
        self._projection = now
        if self.connection is not None:
            self.connection.change_projection()
        else:
            del before.watchers[self]
            now.watchers[self] = self._wake
            self._wake()
        self._feed.forget(before)

    def hand_off(self, connection: HandedOff) -> None:
        """Leave the writing to ``connection`` from now on."""
        self.connection = connection
        self._outlet = OPEN
        self._projection.watchers.pop(self, None)

    def close(self) -> None:
        """Stop watching the projection."""
        self._projection.watchers.pop(self, None)
        if self._projection.view.kind in PASSING_KINDS:
            self._feed.forget(self._projection)

    def _wake(self) -> None:
        if self._awake is not None:
            self._awake.set()

    async def __aiter__(self) -> AsyncIterator[Message]:
        projection = self._projection
        awake = self._awake = asyncio.Event()
        life_ends = time.monotonic() + life_seconds()
        first = random.uniform(0.1, 1.0)  # nosec B311 # spreads load, keeps no secret
        next_heartbeat = time.monotonic() + self._heartbeat_seconds * first
        sent = self.since if projection.can_resume(self.since) else None
        if sent is not None and projection.changed_at <= sent.seq:
            yield projection.heartbeat()  # the screen is up to date: confirm it at once
        while True:
            if self._outlet.stalled():
                if not await self._drained(BYE_SECONDS if self._ending else self._stalled_seconds):
                    return
                next_heartbeat = max(next_heartbeat, time.monotonic())
            awake.clear()
            projection = self._projection
            if self._ending is not None:
                yield messages.bye(self._ending)
                await self._drained(BYE_SECONDS)
                return
            if (message := projection.next_message(sent, self._heartbeat_seconds)) is not None:
                sent = projection.position
                yield message
            elif self.last_seq is not None and projection.seq >= self.last_seq:
                self.end("ended")
            elif (now := time.monotonic()) >= life_ends:
                self.end("age")
            elif now >= next_heartbeat:
                next_heartbeat = now + self._heartbeat_seconds
                sent = projection.position
                yield projection.heartbeat()
            else:
                try:
                    async with asyncio.timeout(min(next_heartbeat, life_ends) - now):
                        await awake.wait()
                except TimeoutError:
                    pass

    async def _drained(self, seconds: float) -> bool:
        """Wait until the reader has taken all written bytes. After ``seconds`` abort the connection and return False."""
        self._paused = self._outlet.stalled()
        try:
            async with asyncio.timeout(seconds) as self._write_timeout:
                await self._outlet.drain()
        except TimeoutError:
            self.end("slow")
            self.abort()
            return False
        finally:
            self._paused = False
            self._write_timeout = None
        return True


def life_seconds() -> float:
    """Return how long one stream may live, in seconds: 80 to 100 % of an hour, at random, so that ends are spread."""
    return LIFE_SECONDS * random.uniform(0.8, 1.0)  # nosec B311 # spreads load, keeps no secret
