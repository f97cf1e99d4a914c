"""The turns of commands: one command of a site at a time, in order, and no queue that takes too long.

A queue that grows without a limit serves nobody: each command waits until its client has given up. The turns refuse a
command at once when the queue before it would take too long. The time of the queue is an estimate, from the measured times
of the site's commands.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

from server.domain.errors import Busy

QUEUE_SECONDS = 5.0  # a command is accepted while the queue takes no longer
PATIENCE_SECONDS = 7.0  # an accepted command begins within this time, or is refused: the estimate can be wrong
FIRST_GUESS_SECONDS = 0.01  # of a command, until the first ones of a site are measured
MOST_RETRY_SECONDS = 30
SITES_KEPT = 256
_WEIGHT = 0.1  # of the newest command in the average


class Standing(Enum):
    """The sender of a command, as the turns see it."""

    SERVER = "server"  # the clock and the other loops: never refused, in one lane with the staff
    STAFF = "staff"  # staff, kiosks and screens: served before guests
    GUEST = "guest"  # patients, visitors and other systems


_Waiter = asyncio.Future[None]


class Turns:
    """The turns at all sites, in one event loop.

    ``queue_seconds`` is the longest estimated time of a queue, ``patience_seconds`` the longest real wait. ``now`` reads a
    steady clock in seconds.
    """

    def __init__(
        self,
        queue_seconds: float = QUEUE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue_seconds = queue_seconds
        self._patience_seconds = patience_seconds
        self._now = now
        self._sites: OrderedDict[int, _Site] = OrderedDict()
        self.refused = 0  # commands, since the start

    @classmethod
    def within(cls, request_seconds: float) -> Turns:
        """Return turns for requests that are cut after ``request_seconds``: no command waits until it is cut."""
        return cls(min(QUEUE_SECONDS, request_seconds / 2), min(PATIENCE_SECONDS, request_seconds * 3 / 4))

    @property
    def waiting(self) -> int:
        """The number of commands that wait for their turn, at all sites."""
        return sum(site.waiting for site in self._sites.values())

    @asynccontextmanager
    async def turn(self, site_id: int, standing: Standing) -> AsyncIterator[None]:
        """Let one command of a site at a time into the block: staff before guests, each in the order of their coming.

        Raises `Busy` instead of entering the block when the queue takes too long. A member of staff takes the place of the
        newest guest, if one waits.
        """
        site = self._site(site_id)
        if site.began is None:
            site.began = self._now()
        else:
            await self._wait(site, standing)
        try:
            yield
        finally:
            now = self._now()
            site.measure(now)
            site.pass_on(now)
            # The commands have become slower than they were when the newest guests came: their turn would come too late.
            while site.guests and site.seconds(now, site.waiting - 1) > self._patience_seconds:
                self._refuse(site, site.guests[-1])

    async def _wait(self, site: _Site, standing: Standing) -> None:
        if standing is not Standing.SERVER:
            self._make_room(site, standing)
        loop = asyncio.get_running_loop()
        waiter: _Waiter = loop.create_future()
        lane = site.guests if standing is Standing.GUEST else site.first
        lane.append(waiter)
        limit = None
        if standing is not Standing.SERVER:
            limit = loop.call_later(self._patience_seconds, self._lose_patience, site, waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                site.pass_on(self._now())  # cancelled between the begin of the turn and its use
            elif waiter in lane:
                lane.remove(waiter)
            raise
        finally:
            if limit is not None:
                limit.cancel()

    def _make_room(self, site: _Site, standing: Standing) -> None:
        """Refuse the newest command if the queue takes too long: a guest who waits, or else the one that asks."""
        now = self._now()
        before = site.waiting if standing is Standing.GUEST else len(site.first)
        if site.seconds(now, before) > self._queue_seconds:
            raise self._busy(site, standing)
        if site.guests and site.seconds(now, site.waiting) > self._queue_seconds:
            self._refuse(site, site.guests[-1])

    def _lose_patience(self, site: _Site, waiter: _Waiter) -> None:
        if not waiter.done():
            self._refuse(site, waiter)

    def _refuse(self, site: _Site, waiter: _Waiter) -> None:
        standing = Standing.GUEST if waiter in site.guests else Standing.STAFF
        (site.guests if standing is Standing.GUEST else site.first).remove(waiter)
        if not waiter.done():
            waiter.set_exception(self._busy(site, standing))

    def _busy(self, site: _Site, standing: Standing) -> Busy:
        """Return a refusal. Each guest gets a later time than the one before: not all of them may come back at once."""
        before = len(site.first)
        if standing is Standing.GUEST:
            before = site.waiting + site.refused
            site.refused += 1
        seconds = site.seconds(self._now(), before)
        self.refused += 1
        return Busy(retry_after=min(max(1, math.ceil(seconds)), MOST_RETRY_SECONDS))

    def _site(self, site_id: int) -> _Site:
        site = self._sites.get(site_id)
        if site is None:
            site = self._sites[site_id] = _Site()
            idle = [each for each, other in self._sites.items() if other.began is None and each != site_id]
            for each in idle[: max(0, len(self._sites) - SITES_KEPT)]:
                del self._sites[each]
        return site


class _Site:
    """The queue of one site."""

    __slots__ = ("average", "began", "first", "guests", "refused")

    def __init__(self) -> None:
        self.average = FIRST_GUESS_SECONDS  # the time of a command
        self.began: float | None = None  # the begin of the present turn
        self.first: deque[_Waiter] = deque()
        self.guests: deque[_Waiter] = deque()
        self.refused = 0  # guests, since the site last was idle

    @property
    def waiting(self) -> int:
        return len(self.first) + len(self.guests)

    def seconds(self, now: float, waiting: int) -> float:
        """Return the estimated time of the present turn and of so many commands that wait.

        A turn that is longer than the average is expected to last as long again: the database may stand still.
        """
        assert self.began is not None
        elapsed = now - self.began
        rest = self.average - elapsed if elapsed < self.average else elapsed
        return rest + waiting * self.average

    def measure(self, now: float) -> None:
        assert self.began is not None
        self.average += _WEIGHT * (now - self.began - self.average)

    def pass_on(self, now: float) -> None:
        """Begin the turn of the next command."""
        for lane in (self.first, self.guests):
            while lane:
                waiter = lane.popleft()
                if not waiter.done():
                    self.began = now
                    waiter.set_result(None)
                    return
        self.began = None
        self.refused = 0
