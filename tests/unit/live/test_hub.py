"""The hub of a process: streams show the truth, across processes, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable

import pytest

from server.domain.commands import CallNext
from server.domain.views import DeskView, DisplayView, View
from server.live import feeds as module
from server.live.hub import Hub
from server.live.messages import Position
from server.live.projection import stamped
from server.live.stream import Stream
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, World, a_site, small_clinic
from tests.unit.live.hubs import DESK, HEARTBEAT, Processes, enrol, read, read_until, until


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    processes = Processes()
    yield processes
    await processes.stop()


async def test_follow_yields_a_snapshot_then_every_published_change(processes: Processes) -> None:
    hub = await processes.hub()
    screen = Screen()
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot"]
    for _ in range(3):
        processes.ticket(hub)
        await read_until(screen, messages, processes.world.board.site.seq)
    fresh = Screen()
    fresh.hear(await read(aiter(await enrol(hub))))
    assert screen.cells == fresh.cells
    assert (processes.loader.boards_read, hub.backfills) == (1, 0)
    assert hub.delivered["snapshot"] == 1
    assert hub.delivered["change"] == 3
    assert hub.streams_by_view() == {"desk": 2}
    await messages.aclose()  # type: ignore[attr-defined]
    assert hub.streams_by_view() == {"desk": 1}


async def test_commits_reach_the_screens_of_every_process(processes: Processes) -> None:
    one, two = await processes.hub(), await processes.hub()
    near, far = Screen(), Screen()
    messages, others = aiter(await enrol(one)), aiter(await enrol(two))
    near.hear(await read(messages))
    far.hear(await read(others))
    for hub in (one, two, one):
        processes.ticket(hub)
        seq = processes.world.board.site.seq
        await read_until(near, messages, seq, 0.5)
        await read_until(far, others, seq, 0.5)
        assert near.cells == far.cells
    assert processes.loader.logs_read == 0


async def test_resume_gets_a_heartbeat_a_change_or_a_snapshot(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)
    stream = await enrol(hub)
    here = Position("e1", stamped(DeskView.shape), processes.world.board.site.seq)
    assert (await read(aiter(await enrol(hub, since=here)))).kind == "heartbeat"
    processes.ticket(hub)
    first = await read(aiter(await enrol(hub, since=here)))
    assert first.kind == "change"
    assert first.id == f"e1.{stamped(DeskView.shape)}.{processes.world.board.site.seq}"
    for position in (
        Position("e9", stamped(DeskView.shape), here.seq),
        Position("e1", stamped(DisplayView.shape), here.seq),
        Position("e1", stamped(DeskView.shape), here.seq - 1),
    ):
        assert (await read(aiter(await enrol(hub, since=position)))).kind == "snapshot"
    hub.leave(stream)


async def test_position_beyond_the_feed_makes_it_read_the_log_first(processes: Processes) -> None:
    """Another process has shown it more; this one lacks the events."""
    hub = await processes.hub(heartbeat=60)
    await enrol(hub)
    processes.ticket()
    processes.ticket()
    ahead = Position("e1", stamped(DeskView.shape), processes.world.board.site.seq)
    first = await read(aiter(await enrol(hub, since=ahead)))
    assert first.kind == "heartbeat"  # it is up to date, and stays where it is
    assert first.id == str(ahead)
    assert hub.backfills == 1


async def test_position_beyond_the_log_gets_a_snapshot(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)
    first = await read(aiter(await enrol(hub, since=Position("e1", stamped(DeskView.shape), 10**15))))
    assert first.kind == "snapshot"
    assert json.loads(first.payload)["seq"] == processes.world.board.site.seq


async def test_heartbeats_carry_the_digest(processes: Processes) -> None:
    hub = await processes.hub()
    screen = Screen()
    messages = aiter(await enrol(hub, DisplayView()))
    begun = time.monotonic()
    while screen.beats < 3:
        screen.hear(await read(messages))
    assert time.monotonic() - begun < 3 * HEARTBEAT + 1
    processes.ticket(hub)
    processes.ticket(hub)
    while screen.beats < 6:
        screen.hear(await read(messages))
    assert screen.kinds[0] == "snapshot"
    assert "change" in screen.kinds


async def test_stop_ends_every_task(processes: Processes) -> None:
    hub = await processes.hub()
    await enrol(hub)
    processes.loader.gate.clear()
    processes.loader.worlds[8] = World(a_site(id=8))
    entering: Awaitable[Stream] = asyncio.create_task(enrol(hub, site_id=8))
    await until(lambda: processes.loader.boards_read == 2)
    processes.buses[0].gap()
    before = asyncio.current_task()
    processes.hubs.clear()
    async with asyncio.timeout(2):
        await hub.stop()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {before}


async def test_screens_of_three_processes_end_with_the_same_cells_after_a_busy_day(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit is published by one process, some by none; every screen of every process ends with the same cells."""
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.05)
    hubs = [await processes.hub() for _ in range(3)]
    views: tuple[View, ...] = (DESK, DisplayView())
    screens: list[tuple[Screen, asyncio.Task[None]]] = []

    async def show(screen: Screen, hub: Hub, view: View) -> None:
        async for message in hub.follow(SITE_ID, view, None, address="a", token="t"):
            screen.hear(message)

    for hub in hubs:
        for view in views:
            screen = Screen()
            screens.append((screen, asyncio.create_task(show(screen, hub, view))))
    point = min(processes.world.board.points)
    for number in range(60):
        processes.ticket(None if number % 7 == 0 else hubs[number % 3])
        if number == 30:
            recorded = processes.world.do(CallNext(point_id=point))
            hubs[0].publish(SITE_ID, "e1", recorded)
        await asyncio.sleep(0.002)
    seq = processes.world.board.site.seq
    await until(lambda: all(screen.position is not None and screen.position.seq == seq for screen, _ in screens))
    for _, task in screens:
        task.cancel()
    await asyncio.gather(*(task for _, task in screens), return_exceptions=True)
    for index, view in enumerate(views):
        fresh = Screen()
        fresh.hear(await read(aiter(await enrol(hubs[0], view))))
        for screen, _ in screens[index::2]:
            assert screen.cells == fresh.cells
            assert digest(screen.cells) == digest(fresh.cells)


async def test_present_board_is_read_only_where_the_followed_one_is_not_the_present_one(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 60)  # the feed notices nothing by itself
    hub, loader = await processes.hub(heartbeat=60), processes.loader

    async def seq_and_reads() -> tuple[int, int]:
        before = loader.boards_read
        return (await hub.present_board(SITE_ID)).site.seq, loader.boards_read - before

    assert await seq_and_reads() == (processes.world.board.site.seq, 1)  # nobody follows the site yet
    await enrol(hub)
    processes.ticket(hub)
    assert await seq_and_reads() == (processes.world.board.site.seq, 0)
    processes.ticket()  # of another process, whose message is lost
    assert await seq_and_reads() == (processes.world.board.site.seq, 1)
    loader.worlds[SITE_ID] = restored = small_clinic()  # a shorter history under the same epoch
    assert await seq_and_reads() == (restored.board.site.seq, 1)
    restored.renew("e2")
    assert await seq_and_reads() == (restored.board.site.seq, 1)
