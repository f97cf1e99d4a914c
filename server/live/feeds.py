"""The feeds of one process: opened with the first stream of a site, checked against the log, closed when nobody watches."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from server.domain.board import Board
from server.domain.events import Recorded
from server.live.bus import Bus
from server.live.feed import Feed, Head, Loader, OnChange, WriteTickets
from server.live.messages import Now
from server.telemetry.histogram import Histogram
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.05
HEAD_CHECK_SECONDS = 1.0
LINGER_SECONDS = 30.0
SHOWN_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60)  # seconds from the commit to the screens


class HeadLoader(Loader, Protocol):
    """A loader that also reads the heads of many logs in one query."""

    async def heads(self, site_ids: Iterable[int]) -> Mapping[int, Head]: ...


class Feeds:
    """One feed for each site that somebody watches here. All arguments but the first two are as in `Feed`."""

    def __init__(
        self,
        loader: HeadLoader,
        bus: Bus,
        on_change: OnChange,
        write_tickets: WriteTickets,
        on_drawn: OnChange,
        now: Now,
    ) -> None:
        self.shown = Histogram(SHOWN_BOUNDS)
        self._loader = loader
        self._bus = bus
        self._on_change = on_change
        self._write_tickets = write_tickets
        self._on_drawn = on_drawn
        self._now = now
        self._feeds: dict[int, asyncio.Task[Feed]] = {}
        self._early: dict[int, list[tuple[str, Sequence[Recorded]]]] = {}  # offered while a feed was loading
        self._watched_at: dict[int, float] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._backfills_of_closed = 0
        self._outage = Outage(logger, "feeds not checked")
        self._checked_at = time.monotonic()  # the begin of the last check that succeeded for every feed

    def offer(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        """Give events to a site's feed. Without a feed for the site nothing happens."""
        task = self._feeds.get(site_id)
        if task is None:
            return
        if task.done():
            if not task.cancelled() and task.exception() is None:
                task.result().offer(epoch, events)
        else:
            self._early.setdefault(site_id, []).append((epoch, events))

    def board(self, site_id: int) -> Board | None:
        """Return the board of a site's loaded feed, or None. The caller must not change it."""
        task = self._feeds.get(site_id)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result().board

    async def get(self, site_id: int) -> Feed:
        """Return the feed of a site. Callers at the same time share one load. Raises `SiteNotFound`, `Unavailable`."""
        task = self._feeds.get(site_id)
        if task is None:
            task = self._feeds[site_id] = asyncio.create_task(self._open(site_id))
        self._watched_at[site_id] = time.monotonic()
        return task.result() if task.done() else await asyncio.shield(task)

    async def _open(self, site_id: int) -> Feed:
        """Subscribe first, then load: events that arrive in between wait in ``_early`` and in the feed."""
        feed = Feed(
            site_id,
            self._loader,
            self._on_change,
            FLUSH_SECONDS,
            self._write_tickets,
            self._on_drawn,
            self._now,
            self.shown.observe,
        )
        self._early[site_id] = []
        try:
            await self._bus.subscribe(site_id)
            await feed.load()
        except BaseException:
            del self._feeds[site_id], self._early[site_id]
            await self._bus.unsubscribe(site_id)
            raise
        for epoch, events in self._early.pop(site_id):
            feed.offer(epoch, events)
        return feed

    def _loaded(self) -> list[Feed]:
        return [
            task.result()
            for task in self._feeds.values()
            if task.done() and not task.cancelled() and task.exception() is None
        ]

    @property
    def backfills(self) -> int:
        """How many times feeds of this process have read missing events from the log."""
        return self._backfills_of_closed + sum(feed.backfills for feed in self._loaded())

    @property
    def lag_seconds(self) -> float:
        """For how many seconds the check of the feeds is overdue, because it failed or hangs; 0 while all is well."""
        return max(0.0, time.monotonic() - self._checked_at - HEAD_CHECK_SECONDS)

    def check_soon(self) -> None:
        """Check every feed at once: the bus may have lost messages."""
        task = asyncio.create_task(self._check_all())
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def run(self) -> None:
        """Once a second, check every feed against its log and close the feeds that nobody watches. Until cancelled."""
        while True:
            await asyncio.sleep(HEAD_CHECK_SECONDS * random.uniform(0.9, 1.0))  # nosec B311 # spreads load, keeps no secret
            await self._check_all()
            await self._close_idle_feeds()

    async def close(self) -> None:
        """Cancel every load and every check, and close every feed."""
        tasks = [*self._checks, *self._feeds.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for feed in self._loaded():
            feed.close()

    async def _check_all(self) -> None:
        """Compare every feed with its log. An error of one is logged, and does not stop the others."""
        began = time.monotonic()
        feeds = self._loaded()
        seen = {feed.site_id: feed.position for feed in feeds}  # before the heads are read
        try:
            heads = await self._loader.heads(seen) if seen else {}
        except Exception as error:  # mostly an unavailable database: the next check tries again
            self._outage.failed(error)
            return
        checked_at = began
        for feed in feeds:
            if feed.site_id in heads:
                try:
                    await feed.check(heads[feed.site_id], seen[feed.site_id])
                except Exception as error:
                    checked_at = self._checked_at
                    self._outage.failed(error, site_id=feed.site_id)
        self._checked_at = checked_at
        if checked_at == began:
            self._outage.ended()

    async def _close_idle_feeds(self) -> None:
        now = time.monotonic()
        for feed in self._loaded():
            if feed.watched:
                self._watched_at[feed.site_id] = now
            elif now - self._watched_at[feed.site_id] > LINGER_SECONDS:
                del self._feeds[feed.site_id], self._watched_at[feed.site_id]
                feed.close()
                self._backfills_of_closed += feed.backfills
                await self._bus.unsubscribe(feed.site_id)
