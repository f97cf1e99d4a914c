"""The feeds of a process: shared loads, checks against the log, and the end of a feed that nobody watches."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterable
from itertools import pairwise

import pytest

from server.domain.board import Board
from server.domain.commands import AddQueue, IssueTicket
from server.domain.errors import SiteNotFound, Unavailable
from server.domain.events import Recorded
from server.domain.views import DeskView, DisplayView, TicketView
from server.domain.watching import Watch
from server.live import feeds as module
from server.live.admission import Limits
from server.live.hub import Hub
from server.live.memory_bus import MemoryBus
from server.live.messages import Position
from server.live.projection import stamped
from tests.support.message_screen import Screen
from tests.support.worlds import SITE_ID, Head, LogLoader, World, a_site, small_clinic
from tests.unit.live.hubs import DESK, Processes, enrol, read, read_until, until


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    processes = Processes()
    yield processes
    await processes.stop()


# Loading


async def test_events_of_an_unwatched_site_load_nothing(processes: Processes) -> None:
    hub = await processes.hub()
    processes.ticket(hub)
    hub._feeds.offer(SITE_ID, "e1", processes.world.log)
    hub._feeds.offer(99, "e1", processes.world.log)
    assert processes.loader.boards_read == 0
    assert processes.buses[0].subscribed == []


async def test_concurrent_streams_share_one_load(processes: Processes) -> None:
    hub = await processes.hub()
    processes.loader.gate.clear()
    entering = [asyncio.create_task(enrol(hub, TicketView(index % 3), token=f"t{index}")) for index in range(50)]
    await until(lambda: processes.loader.boards_read > 0)
    await asyncio.sleep(0.01)
    processes.loader.gate.set()
    streams = await asyncio.gather(*entering)
    assert len(set(streams)) == 50
    assert processes.loader.boards_read == 1
    assert processes.buses[0].subscribed == [f"+{SITE_ID}"]


async def test_events_published_during_a_load_are_not_lost(processes: Processes) -> None:
    hub, other = await processes.hub(heartbeat=60), await processes.hub()
    processes.loader.gate.clear()
    entering = asyncio.create_task(enrol(hub))
    await until(lambda: processes.loader.boards_read > 0)  # read, but not yet arrived
    processes.ticket(hub)
    processes.ticket(other)
    processes.ticket(hub)
    processes.loader.gate.set()
    messages = aiter(await entering)
    first = await read(messages)
    assert json.loads(first.payload)["seq"] == processes.world.board.site.seq
    assert (processes.loader.boards_read, processes.loader.logs_read) == (1, 0)
    screen = Screen()
    screen.hear(first)
    processes.ticket(hub)
    await read_until(screen, messages, processes.world.board.site.seq)


async def test_failed_load_leaves_nothing_behind(processes: Processes) -> None:
    hub = await processes.hub(Limits(3, 3, 3, 3))
    processes.loader.error = Unavailable()
    for _ in range(3):
        outcomes = await asyncio.gather(*(enrol(hub) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert hub.streams_by_view().total() == 0
    assert processes.loader.boards_read == 3  # single-flight in failure too
    assert processes.buses[0].subscribed == [f"+{SITE_ID}", f"-{SITE_ID}"] * 3
    processes.ticket(hub)
    processes.loader.error = None
    streams = [await enrol(hub) for _ in range(3)]  # the failed loads have released their places
    first = await read(aiter(streams[0]))
    assert json.loads(first.payload)["seq"] == processes.world.board.site.seq
    processes.ticket(hub)
    assert (await read(aiter(streams[1]))).id == f"e1.{stamped(DeskView.shape)}.{processes.world.board.site.seq}"


async def test_unknown_site_is_not_found(processes: Processes) -> None:
    hub = await processes.hub()
    processes.loader.error = SiteNotFound(site_id=99)
    messages = hub.follow(99, DESK, None, address="a", token="t")
    with pytest.raises(SiteNotFound):
        await read(messages)
    assert hub.streams_by_view().total() == 0


async def test_cancelled_stream_does_not_cancel_the_shared_load(processes: Processes) -> None:
    hub = await processes.hub(Limits(2, 2, 2, 2))
    processes.loader.gate.clear()
    one, two = asyncio.create_task(enrol(hub)), asyncio.create_task(enrol(hub))
    await until(lambda: processes.loader.boards_read > 0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    processes.loader.gate.set()
    stream = await two
    assert (await read(aiter(stream))).kind == "snapshot"
    await enrol(hub)  # the place of the cancelled stream is free
    assert processes.loader.boards_read == 1


async def test_each_site_has_a_feed_of_its_own(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)
    other = World(a_site(id=8))
    processes.loader.worlds[8] = other
    one, two = aiter(await enrol(hub)), aiter(await enrol(hub, site_id=8))
    first = await read(one)
    assert json.loads((await read(two)).payload)["cells"].keys() == {"site", "checklist"}
    processes.ticket(hub)
    assert (await read(one)).kind == "change"
    with pytest.raises(TimeoutError):
        await read(two, 0.05)
    assert first.kind == "snapshot"


# Checks


async def test_lost_commit_is_shown_at_the_next_check(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.05)
    hub = await processes.hub()
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    processes.ticket()
    await read_until(screen, messages, processes.world.board.site.seq, 1.0)
    assert hub.backfills == 1
    assert processes.loader.boards_read == 1


async def test_heads_are_checked_at_least_every_second(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    processes.ticket()
    begun = time.monotonic()
    await read_until(screen, messages, processes.world.board.site.seq)
    assert time.monotonic() - begun < 1.5


async def test_gap_on_the_bus_is_checked_at_once(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    processes.ticket()
    begun = time.monotonic()
    processes.buses[0].gap()
    await read_until(screen, messages, processes.world.board.site.seq)
    assert time.monotonic() - begun < 0.5


async def test_unavailable_database_delays_the_checks_and_does_not_end_them(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    hub = await processes.hub()
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    processes.loader.error = Unavailable()
    processes.ticket()
    looked = processes.loader.heads_read
    await until(lambda: processes.loader.heads_read > looked + 2)
    before, began = hub.lag_seconds, time.monotonic()
    assert before > 0
    await asyncio.sleep(0.3)
    assert hub.lag_seconds - before == pytest.approx(time.monotonic() - began, abs=0.05)  # seconds, not checks
    processes.loader.error = None
    await read_until(screen, messages, processes.world.board.site.seq)
    await until(lambda: hub.lag_seconds == 0)


async def test_check_that_hangs_counts_as_lag(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    hub = await processes.hub()
    await enrol(hub)
    processes.loader.gate.clear()
    await until(lambda: hub.lag_seconds > 0.2)
    processes.loader.gate.set()
    await until(lambda: hub.lag_seconds == 0)


async def test_restored_history_reaches_the_screens(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    hub = await processes.hub()
    screen = Screen()
    processes.ticket(hub)
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    processes.loader.worlds[SITE_ID] = restored = small_clinic()
    restored.renew("e2")
    async with asyncio.timeout(2):
        while screen.position is None or screen.position.epoch != "e2":
            screen.hear(await anext(messages))
    assert screen.kinds.count("snapshot") == 2
    assert screen.position.seq == restored.board.site.seq


async def test_unwatched_feed_is_closed_after_a_while(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    hub = await processes.hub()
    stream = await enrol(hub)
    await asyncio.sleep(0.15)
    assert processes.buses[0].subscribed == [f"+{SITE_ID}"]  # watched: it stays
    hub.leave(stream)
    await until(lambda: processes.buses[0].subscribed == [f"+{SITE_ID}", f"-{SITE_ID}"])
    looked = processes.loader.heads_read
    await asyncio.sleep(0.1)
    assert processes.loader.heads_read <= looked + 1
    processes.ticket()
    first = await read(aiter(await enrol(hub)))
    assert json.loads(first.payload)["seq"] == processes.world.board.site.seq
    assert processes.loader.boards_read == 2


async def test_screens_never_go_back_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub checks the heads while commits continue."""
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.01)
    world = small_clinic()

    class Distant(LogLoader):  # a database that answers after a millisecond or two
        async def heads(self, site_ids: Iterable[int]) -> dict[int, Head]:
            answer = await super().heads(site_ids)
            await asyncio.sleep(0.003)
            return answer

        async def board(self, site_id: int, watched: Collection[Watch] = ()) -> Board:
            answer = await super().board(site_id, watched)
            await asyncio.sleep(0.003)
            return answer

    loader = Distant(world)
    hub = Hub(loader, MemoryBus(), 60, Limits(9, 9, 9, 9))
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


async def test_broken_site_does_not_stop_the_checks_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.03)
    good, bad = World(a_site(id=8)), small_clinic()

    class Newer(LogLoader):
        async def since(self, site_id: int, seq: int) -> list[Recorded]:
            if site_id == SITE_ID:
                raise KeyError("clock-stopped")  # as `event_log.since` for an event of a newer version
            return await super().since(site_id, seq)

    hub = Hub(Newer(bad, good), MemoryBus(), 60, Limits(9, 9, 9, 9))
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


async def test_loaded_feed_serves_streams_while_the_database_is_unavailable() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    hub = Hub(loader, MemoryBus(), 60, Limits(9, 9, 9, 9))
    await hub.start()
    try:
        await hub.enrol(7, DisplayView(), None, address="a", token="t")
        loader.error = Unavailable()
        await hub.enrol(7, DisplayView(), Position("another", stamped(DisplayView.shape), 10**15), address="a", token="t")
    finally:
        await hub.stop()
