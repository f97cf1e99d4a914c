"""How often screens are told: at once after a quiet time, together in a burst, more rarely where it costs more."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from server.domain.board import Board
from server.domain.views import DeskView, DisplayView, TicketView
from server.live import feed as module
from server.live.feed import Canvas, Feed
from tests.unit.screens import Screen, digest
from tests.unit.worlds import SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)
PACE = 0.05


class Line:
    """A paced feed, and when its desk was brought up to date."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.feed = Feed(SITE_ID, LogLoader(self.world), flush_seconds=PACE)
        self.flushed: list[float] = []

    async def open(self) -> Canvas:
        await self.feed.load()
        canvas = self.feed.canvas(DESK)
        flush = self.feed.flush

        def noted() -> None:
            self.flushed.append(time.monotonic())
            flush()

        self.feed.flush = noted  # type: ignore[method-assign]  # when it begins: how long it takes is the machine's doing
        return canvas

    def ticket(self) -> int:
        """Somebody takes a ticket: return the visit."""
        begun = len(self.world.log)
        visit_id = self.world.ticket(min(self.world.board.queues)).visit_id
        self.feed.offer("e1", self.world.log[begun:])
        return visit_id


async def test_on_a_quiet_site_at_once() -> None:
    line = Line()
    canvas = await line.open()
    for _ in range(3):
        line.ticket()
        assert canvas.seq == line.feed.seq, "before anything else could run"
        await asyncio.sleep(PACE * 1.5)
    assert len(line.flushed) == 3


async def test_a_burst_is_told_together_and_nothing_of_it_is_lost() -> None:
    line = Line()
    canvas = await line.open()
    screen = Screen()
    screen.hear(canvas.snapshot(1, 0))
    began = time.monotonic()
    while time.monotonic() - began < PACE * 6:
        line.ticket()
        await asyncio.sleep(0.001)
    tickets = len(line.world.board.visits)
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert canvas.seq == line.feed.seq == line.world.board.site.seq
    assert len(line.flushed) <= 8 < tickets
    assert all(later - earlier >= PACE * 0.9 for earlier, later in pairwise(line.flushed))
    assert screen.position is not None
    screen.hear(canvas.change_since(screen.position.seq))
    fresh = Canvas(DESK, line.world.loaded())
    assert digest(screen.cells) == canvas.digest == fresh.digest
    line.feed.close()


async def test_what_costs_more_is_told_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    await line.open()
    follow = Canvas.follow

    def slowly(canvas: Canvas, board: Board, changed: set[str]) -> bool:
        time.sleep(0.03)
        return follow(canvas, board, changed)

    monkeypatch.setattr(Canvas, "follow", slowly)
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
    late = line.feed.canvas(DisplayView())
    assert desk.seq < late.seq == line.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert desk.seq == late.seq
    assert late.digest == Canvas(DisplayView(), line.world.loaded()).digest


async def test_a_ticket_drawn_between_two_flushes_promises_nothing_for_the_others() -> None:
    """Tickets are followed together, and yet each says of itself only what it shows."""
    line = Line()
    await line.open()
    mine, yours = line.ticket(), line.ticket()
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    early = line.feed.canvas(TicketView(mine))
    line.ticket()
    line.ticket()  # not told yet
    late = line.feed.canvas(TicketView(yours))
    assert early.seq < late.seq == line.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert early.seq == late.seq == line.feed.seq
    for canvas, visit_id in ((early, mine), (late, yours)):
        assert canvas.digest == Canvas(TicketView(visit_id), line.world.loaded()).digest
    line.feed.close()


async def test_who_has_seen_more_is_not_kept_waiting() -> None:
    line = Line()
    canvas = await line.open()
    line.ticket()
    line.ticket()
    assert canvas.seq < line.feed.seq
    line.feed.flush()
    assert canvas.seq == line.feed.seq
    line.feed.close()
