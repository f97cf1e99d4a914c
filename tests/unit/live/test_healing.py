"""What heals, and what may not go wrong while it does: reloads, looks at the log, one broken site among others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import pairwise

import pytest

from server.domain.board import Board
from server.domain.commands import AddQueue, IssueTicket
from server.domain.errors import Unavailable
from server.domain.events import Recorded
from server.domain.views import DisplayView
from server.live import hub as module
from server.live.feed import Feed
from server.live.hub import Hub, Limits
from server.live.memory_bus import MemoryBus
from server.live.messages import Position
from tests.support.worlds import SITE_ID, Head, LogLoader, World, a_site, head_of, small_clinic


async def loaded(world: World) -> tuple[Feed, LogLoader]:
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    return feed, loader


async def test_heads_read_before_a_commit_are_no_other_history() -> None:
    world = small_clinic()
    feed, loader = await loaded(world)
    seen = feed.position
    head = head_of(world)  # read from the database ...
    feed.offer("e1", world.do(IssueTicket(queue_id=min(world.board.queues))))  # ... then a commit is shown here ...
    await feed.check(head, seen)  # ... then they are compared
    assert loader.boards_read == 1


async def test_a_reload_loses_nothing_offered_meanwhile() -> None:
    world = small_clinic()
    feed, loader = await loaded(world)
    loader.gate.clear()
    world.renew("e2")
    check = asyncio.create_task(feed.check(head_of(world)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert loader.boards_read == 2
    feed.offer("e2", world.do(IssueTicket(queue_id=min(world.board.queues))))
    loader.gate.set()
    await check
    assert feed.seq == world.board.site.seq


async def test_a_screen_is_never_sent_back_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both together, by the hub's own look at the heads, while commits go on as usual."""
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.01)
    world = small_clinic()

    class Distant(LogLoader):  # a database that answers after a millisecond or two
        async def heads(self, site_ids: Iterable[int]) -> dict[int, Head]:
            answer = await super().heads(site_ids)
            await asyncio.sleep(0.003)
            return answer

        async def board(self, site_id: int) -> Board:
            answer = await super().board(site_id)
            await asyncio.sleep(0.003)
            return answer

    loader = Distant(world)
    hub = Hub(loader, MemoryBus(), 60, Limits(9, 9, 9))
    await hub.start()
    seen: list[int] = []

    async def follow() -> None:
        async for message in hub.follow(SITE_ID, DisplayView(), None, address="a", token="t"):
            seen.append(json.loads(message.payload)["seq"])

    task = asyncio.create_task(follow())
    try:
        await asyncio.sleep(0.05)
        for _ in range(200):
            hub.publish(SITE_ID, "e1", world.do(IssueTicket(queue_id=min(world.board.queues))))
            await asyncio.sleep(0.001)
        assert seen == sorted(seen), f"{sum(a > b for a, b in pairwise(seen))} steps back"
        assert loader.boards_read == 1
    finally:
        task.cancel()
        await hub.stop()


async def test_one_broken_site_does_not_end_the_looks_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.03)
    good, bad = World(a_site(id=8)), small_clinic()

    class Newer(LogLoader):
        async def since(self, site_id: int, seq: int) -> list[Recorded]:
            if site_id == SITE_ID:
                raise KeyError("clock-stopped")  # what log.since raises for an event of a newer version
            return await super().since(site_id, seq)

    hub = Hub(Newer(bad, good), MemoryBus(), 60, Limits(9, 9, 9))
    await hub.start()
    try:
        await hub.enrol(7, DisplayView(), None, address="a", token="t")
        stream = await hub.enrol(8, DisplayView(), None, address="a", token="t")
        bad.ticket(min(bad.board.queues))
        await asyncio.sleep(0.1)
        good.do(AddQueue(site_id=8, name="X", prefix="A"))
        await asyncio.sleep(0.2)
        assert stream._projection.seq == good.board.site.seq
    finally:
        await hub.stop()


async def test_a_feed_that_lives_serves_while_the_database_is_away() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    hub = Hub(loader, MemoryBus(), 60, Limits(9, 9, 9))
    await hub.start()
    try:
        await hub.enrol(7, DisplayView(), None, address="a", token="t")
        loader.error = Unavailable()
        await hub.enrol(7, DisplayView(), Position("another", "display3", 10**15), address="a", token="t")
    finally:
        await hub.stop()
