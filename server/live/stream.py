"""One screen's stream: it remembers only how far it has written, and asks the projection for the rest.

So a slow screen owes at most one value per cell, and a repeated wake-up costs nothing. Nothing is put together for a
reader that has not taken what was written before: while it stands still, a stream costs what it cost when idle.

A stream is either *pulled*, by whoever iterates it, or *handed off* to a line (`server.live.handoff`), which writes to its
connection by itself. Both decide what to say by the same questions to the same projection.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Protocol

from server.domain.model import Display
from server.live import messages
from server.live.feed import Feed, Projection
from server.live.messages import Message, Position, Reason

SESSION = "session:"
LIFE_SECONDS = 3600.0
STALLED_SECONDS = 30.0
BYE_SECONDS = 1.0
SINGLE = frozenset({"ticket", "point"})  # views of which each screen has one of its own: not kept for nobody


class Outlet(Protocol):
    """Where a pulled stream's messages are written: one connection."""

    def stalled(self) -> bool:
        """Return whether something written before is still here, because the reader does not take it."""

    async def drain(self) -> None:
        """Wait until all that was written has gone, or the connection has."""

    def abort(self) -> None:
        """Cut the connection; what has not gone yet is lost."""


class Open:
    """An outlet that takes everything, or cannot say: the caller's own pace is the reader's."""

    def stalled(self) -> bool:
        return False

    async def drain(self) -> None:
        return

    def abort(self) -> None:
        return


OPEN = Open()


class Handed(Protocol):
    """What writes a stream that was handed off: a line."""

    @property
    def paused(self) -> bool:
        """Whether its reader takes nothing."""

    def end(self) -> None:
        """The stream ends: say so, and close."""

    def finish(self) -> None:
        """The stream ends once all up to a number has been told."""

    def abort(self) -> None:
        """Cut the connection."""


class Stream:
    """The messages of one projection for one screen: iterate it. It ends after a ``bye``, or without one when the reader has
    taken nothing for ``stalled_seconds``: the outlet is cut then.

    ``since`` is where the screen says it is; None, or a place that the projection cannot answer for, gets a snapshot.
    ``address`` and ``token`` say who it is counted for; ``proof`` is what must stay so for it to go on: a session's role,
    a device's token hash. ``transport`` names how its messages are carried, for the figures.
    """

    __slots__ = (
        "_awake",
        "_ending",
        "_feed",
        "_heartbeat_seconds",
        "_outlet",
        "_patience",
        "_paused",
        "_projection",
        "_stalled_seconds",
        "address",
        "cut",
        "line",
        "opened_at",
        "over_at",
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
        proof: str | None = None,
        outlet: Outlet = OPEN,
        transport: str = "",
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self.address = address
        self.token = token
        self.proof = proof
        self.subject: str | None = None
        self.transport = transport
        self.opened_at = time.monotonic()
        self.cut = False  # the outlet was, because the reader took nothing
        self._projection = projection
        self.since = since
        self.line: Handed | None = None
        self.over_at: int | None = None
        self._feed = feed
        self._heartbeat_seconds = heartbeat_seconds
        self._outlet = outlet
        self._stalled_seconds = stalled_seconds
        self._paused = False
        self._awake: asyncio.Event | None = None
        self._patience: asyncio.Timeout | None = None
        self._ending: Reason | None = None
        projection.watchers[self] = self._wake

    @property
    def site_id(self) -> int:
        """The site whose view it shows."""
        return self._feed.site_id

    @property
    def projection(self) -> Projection:
        """The cells that it shows."""
        return self._projection

    @property
    def device_proof(self) -> str | None:
        """The token hash that its subject must have, if it is a device's."""
        return None if self.token.startswith(SESSION) else self.proof

    @property
    def view_kind(self) -> str:
        """The kind of view it shows."""
        return self._projection.view.kind

    @property
    def changed_at(self) -> int:
        """The number in the site's log at which anything last changed that the screen shows."""
        return self._projection.changed_at

    @property
    def display(self) -> Display | None:
        """What the log says of the display whose stream it is, if it is a display's."""
        if self.subject is None or not self.subject.startswith("display:") or self._feed.board is None:
            return None
        return self._feed.board.displays.get(int(self.subject.removeprefix("display:")))

    @property
    def paused(self) -> bool:
        """Whether its reader takes nothing."""
        return self._paused if self.line is None else self.line.paused

    @property
    def ending(self) -> Reason | None:
        """Why it ends or has ended, if it does."""
        return self._ending

    def end(self, reason: Reason) -> None:
        """Have the stream say ``bye`` and end."""
        if self._ending is not None:
            return
        self._ending = reason
        if self.line is not None:
            self.line.end()
            return
        self._wake()
        if self._patience is not None and not self._patience.expired():  # to a reader that stands still nothing can be said
            self._patience.reschedule(asyncio.get_running_loop().time() + BYE_SECONDS)

    def abort(self) -> None:
        """Cut the connection."""
        self.cut = True
        (self._outlet if self.line is None else self.line).abort()

    def finish(self, at: int) -> None:
        """Have the stream end when it has told everything up to the log's number ``at``: there will be no more."""
        self.over_at = at
        if self.line is not None:
            self.line.finish()
        else:
            self._wake()

    def hand_off(self, line: Handed) -> None:
        """Have ``line`` write it from now on."""
        self.line = line
        self._outlet = OPEN
        self._projection.watchers.pop(self, None)

    def close(self) -> None:
        """Be woken no longer."""
        self._projection.watchers.pop(self, None)
        if self._projection.view.kind in SINGLE:
            self._feed.forget(self._projection)

    def _wake(self) -> None:
        if self._awake is not None:
            self._awake.set()

    async def __aiter__(self) -> AsyncIterator[Message]:
        projection = self._projection
        awake = self._awake = asyncio.Event()
        life_ends = time.monotonic() + life_seconds()
        next_beat = time.monotonic() + self._heartbeat_seconds * random.uniform(0.1, 1.0)
        sent = self.since if projection.answers(self.since) else None
        if sent is not None and projection.changed_at <= sent.seq:
            yield projection.beat()  # nothing to catch up with: say so at once
        while True:
            if self._outlet.stalled():
                if not await self._taken(BYE_SECONDS if self._ending else self._stalled_seconds):
                    return
                next_beat = max(next_beat, time.monotonic())
            awake.clear()
            if self._ending is not None:
                yield messages.bye(self._ending)
                await self._taken(BYE_SECONDS)
                return
            if (message := projection.due(sent, self._heartbeat_seconds)) is not None:
                sent = projection.position
                yield message
            elif self.over_at is not None and projection.seq >= self.over_at:
                self.end("ended")
            elif (now := time.monotonic()) >= life_ends:
                self.end("age")
            elif now >= next_beat:
                next_beat = now + self._heartbeat_seconds
                sent = projection.position
                yield projection.beat()
            else:
                try:
                    async with asyncio.timeout(min(next_beat, life_ends) - now):
                        await awake.wait()
                except TimeoutError:
                    pass

    async def _taken(self, seconds: float) -> bool:
        """Wait until the reader has taken everything; cut it off, and return False, when it has not in time."""
        self._paused = self._outlet.stalled()
        try:
            async with asyncio.timeout(seconds) as self._patience:
                await self._outlet.drain()
        except TimeoutError:
            self.end("slow")
            self.abort()
            return False
        finally:
            self._paused = False
            self._patience = None
        return True


def life_seconds() -> float:
    """Return how long a stream may live: an hour at most, not all of them equally long."""
    return LIFE_SECONDS * random.uniform(0.8, 1.0)
