"""How often screens are told: at once after a quiet time, together in a burst, more rarely where it costs more."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from server.domain.board import Board
from server.domain.views import DeskView, DisplayView, TicketView
from server.live import feed as module
from server.live.feed import Feed, Projection
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)
PACE = 0.05


class Line:
    """A paced feed, and when its desk was brought up to date."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.feed = Feed(SITE_ID, LogLoader(self.world), flush_seconds=PACE)
        self.flushed: list[float] = []

    async def open(self) -> Projection:
        await self.feed.load()
        projection = self.feed.projection(DESK)
        flush = self.feed.flush

        def noted() -> None:
            self.flushed.append(time.monotonic())
            flush()

        self.feed.flush = noted  # type: ignore[method-assign]  # when it begins: how long it takes is the machine's doing
        return projection

    def ticket(self) -> int:
        """Somebody takes a ticket: return the visit."""
        begun = len(self.world.log)
        visit_id = self.world.ticket(min(self.world.board.queues)).visit_id
        self.feed.offer("e1", self.world.log[begun:])
        return visit_id


async def test_on_a_quiet_site_at_once() -> None:
    line = Line()
    projection = await line.open()
    for _ in range(3):
        line.ticket()
        assert projection.seq == line.feed.seq, "before anything else could run"
        await asyncio.sleep(PACE * 1.5)
    assert len(line.flushed) == 3


async def test_a_burst_is_told_together_and_nothing_of_it_is_lost() -> None:
    line = Line()
    projection = await line.open()
    screen = Screen()
    screen.hear(projection.snapshot(1, 0))
    began = time.monotonic()
    while time.monotonic() - began < PACE * 6:
        line.ticket()
        await asyncio.sleep(0.001)
    tickets = len(line.world.board.visits)
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert projection.seq == line.feed.seq == line.world.board.site.seq
    assert len(line.flushed) <= 8 < tickets
    assert all(later - earlier >= PACE * 0.9 for earlier, later in pairwise(line.flushed))
    assert screen.position is not None
    screen.hear(projection.change_since(screen.position.seq))
    fresh = Projection(DESK, line.world.loaded())
    assert digest(screen.cells) == projection.digest == fresh.digest
    line.feed.close()


async def test_what_costs_more_is_told_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    await line.open()
    follow = Projection.follow

    def slowly(projection: Projection, board: Board, changed: set[str]) -> bool:
        time.sleep(0.03)
        return follow(projection, board, changed)

    monkeypatch.setattr(Projection, "follow", slowly)
    began = time.monotonic()
    while time.monotonic() - began < 0.7:
        line.ticket()
        await asyncio.sleep(0.002)
    assert len(line.flushed) >= 3
    spaces = [later - earlier for earlier, later in pairwise(line.flushed)]
    assert min(spaces) >= 0.1, spaces
    line.feed.close()


async def test_a_snapshot_between_two_flushes_is_of_one_moment() -> None:
    """A view drawn anew is ahead of the others for a moment; each is true for its own number."""
    line = Line()
    desk = await line.open()
    line.ticket()
    line.ticket()
    late = line.feed.projection(DisplayView())
    assert desk.seq < late.seq == line.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert desk.seq == late.seq
    assert late.digest == Projection(DisplayView(), line.world.loaded()).digest


async def test_a_ticket_drawn_between_two_flushes_promises_nothing_for_the_others() -> None:
    """Tickets are followed together, and yet each says of itself only what it shows."""
    line = Line()
    await line.open()
    mine, yours = line.ticket(), line.ticket()
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    early = line.feed.projection(TicketView(mine))
    line.ticket()
    line.ticket()  # not told yet
    late = line.feed.projection(TicketView(yours))
    assert early.seq < late.seq == line.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert early.seq == late.seq == line.feed.seq
    for projection, visit_id in ((early, mine), (late, yours)):
        assert projection.digest == Projection(TicketView(visit_id), line.world.loaded()).digest
    line.feed.close()


async def test_who_has_seen_more_is_not_kept_waiting() -> None:
    line = Line()
    projection = await line.open()
    line.ticket()
    line.ticket()
    assert projection.seq < line.feed.seq
    line.feed.flush()
    assert projection.seq == line.feed.seq
    line.feed.close()
