"""The hub of a process: who is let in, how often the truth is read, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from server.domain.commands import CallNext, IssueTicket
from server.domain.errors import SiteNotFound, Unavailable
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import hub as module
from server.live.bus import GapListener, Listener
from server.live.hub import Hub, Limits, OverCap
from server.live.memory_bus import Exchange, MemoryBus
from server.live.messages import Message, Position
from server.live.stream import Stream
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, World, a_site, open_sealed, small_clinic

DESK = DeskView(open_sealed)
HEARTBEAT = 0.05
ROOMY = Limits(1000, 1000, 1000)


class Away(MemoryBus):
    """A bus that says when it may have lost something, and counts who listens."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        super().__init__(exchange)
        self.gap: GapListener = lambda: None
        self.subscribed: list[str] = []

    async def start(self, listener: Listener, on_gap: GapListener) -> None:
        self.gap = on_gap
        await super().start(listener, on_gap)

    async def subscribe(self, site_id: int) -> None:
        self.subscribed.append(f"+{site_id}")
        await super().subscribe(site_id)

    async def unsubscribe(self, site_id: int) -> None:
        self.subscribed.append(f"-{site_id}")
        await super().unsubscribe(site_id)


class House:
    """A world, the loader that knows its truth, and hubs of several processes on one exchange."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.queue_id = min(self.world.board.queues)
        self.loader = LogLoader(self.world)
        self.exchange = Exchange()
        self.hubs: list[Hub] = []
        self.buses: list[Away] = []

    async def hub(self, limits: Limits = ROOMY, heartbeat: float = HEARTBEAT) -> Hub:
        """Start the hub of one more process."""
        self.buses.append(Away(self.exchange))
        hub = Hub(self.loader, self.buses[-1], heartbeat, limits)
        await hub.start()
        self.hubs.append(hub)
        return hub

    def ticket(self, hub: Hub | None = None) -> None:
        """Issue a ticket, and have a process publish it; without one it is committed and then lost."""
        recorded = self.world.do(IssueTicket(queue_id=self.queue_id))
        if hub is not None:
            hub.publish(SITE_ID, self.world.board.site.epoch, recorded)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    house.loader.gate.set()
    for hub in house.hubs:
        await hub.stop()


async def enrol(
    hub: Hub, view: View = DESK, since: Position | None = None, address: str = "a", token: str = "t", site_id: int = SITE_ID
) -> Stream:
    async with asyncio.timeout(3):
        return await hub.enrol(site_id, view, since, address=address, token=token)


async def read(messages: AsyncIterator[Message], within: float = 3.0) -> Message:
    async with asyncio.timeout(within):
        return await anext(messages)


async def read_until(screen: Screen, messages: AsyncIterator[Message], seq: int, within: float = 3.0) -> None:
    """Read until the screen has heard of the log's number ``seq``."""
    async with asyncio.timeout(within):
        while screen.position is None or screen.position.seq < seq:
            screen.hear(await anext(messages))


async def until(holds: Callable[[], bool], within: float = 3.0) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


# Following


async def test_following_shows_the_truth_and_what_is_published(house: House) -> None:
    hub = await house.hub()
    screen = Screen()
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot"]
    for _ in range(3):
        house.ticket(hub)
        await read_until(screen, messages, house.world.board.site.seq)
    fresh = Screen()
    fresh.hear(await read(aiter(await enrol(hub))))
    assert screen.cells == fresh.cells
    assert (house.loader.boards_read, hub.refills) == (1, 0)
    assert hub.delivered["snapshot"] == 1
    assert hub.delivered["change"] == 3
    assert hub.streams_by_view() == {"desk": 2}
    await messages.aclose()  # type: ignore[attr-defined]
    assert hub.streams_by_view() == {"desk": 1}


async def test_two_processes_see_each_others_commits(house: House) -> None:
    one, two = await house.hub(), await house.hub()
    near, far = Screen(), Screen()
    messages, others = aiter(await enrol(one)), aiter(await enrol(two))
    near.hear(await read(messages))
    far.hear(await read(others))
    for hub in (one, two, one):
        house.ticket(hub)
        seq = house.world.board.site.seq
        await read_until(near, messages, seq, 0.5)
        await read_until(far, others, seq, 0.5)
        assert near.cells == far.cells
    assert house.loader.logs_read == 0


async def test_what_nobody_watches_costs_nothing(house: House) -> None:
    hub = await house.hub()
    house.ticket(hub)
    hub.offer(SITE_ID, "e1", house.world.log)
    hub.offer(99, "e1", house.world.log)
    assert house.loader.boards_read == 0
    assert house.buses[0].subscribed == []


# Resuming


async def test_resuming(house: House) -> None:
    hub = await house.hub(heartbeat=60)
    stream = await enrol(hub)
    here = Position("e1", "desk5", house.world.board.site.seq)
    assert (await read(aiter(await enrol(hub, since=here)))).kind == "heartbeat"
    house.ticket(hub)
    first = await read(aiter(await enrol(hub, since=here)))
    assert first.kind == "change"
    assert first.id == f"e1.desk5.{house.world.board.site.seq}"
    for position in (
        Position("e9", "desk5", here.seq),
        Position("e1", "display3", here.seq),
        Position("e1", "desk5", here.seq - 1),
    ):
        assert (await read(aiter(await enrol(hub, since=position)))).kind == "snapshot"
    hub.leave(stream)


async def test_a_screen_that_has_seen_more_makes_the_feed_catch_up_first(house: House) -> None:
    """Another process told it; this one has not heard yet."""
    hub = await house.hub(heartbeat=60)
    await enrol(hub)
    house.ticket()
    house.ticket()
    ahead = Position("e1", "desk5", house.world.board.site.seq)
    first = await read(aiter(await enrol(hub, since=ahead)))
    assert first.kind == "heartbeat"  # it has everything, and is told so rather than sent back
    assert first.id == str(ahead)
    assert hub.refills == 1


async def test_a_position_beyond_the_log_gets_a_snapshot(house: House) -> None:
    hub = await house.hub(heartbeat=60)
    first = await read(aiter(await enrol(hub, since=Position("e1", "desk5", 10**15))))
    assert first.kind == "snapshot"
    assert json.loads(first.payload)["seq"] == house.world.board.site.seq


async def test_heartbeats_carry_the_digest(house: House) -> None:
    hub = await house.hub()
    screen = Screen()
    messages = aiter(await enrol(hub, DisplayView()))
    begun = time.monotonic()
    while screen.beats < 3:
        screen.hear(await read(messages))
    assert time.monotonic() - begun < 3 * HEARTBEAT + 1
    house.ticket(hub)
    house.ticket(hub)
    while screen.beats < 6:
        screen.hear(await read(messages))
    assert screen.kinds[0] == "snapshot"
    assert "change" in screen.kinds


# Loading


async def test_many_at_once_load_once(house: House) -> None:
    hub = await house.hub()
    house.loader.gate.clear()
    entering = [asyncio.create_task(enrol(hub, TicketView(index % 3), token=f"t{index}")) for index in range(50)]
    await until(lambda: house.loader.boards_read > 0)
    await asyncio.sleep(0.01)
    house.loader.gate.set()
    streams = await asyncio.gather(*entering)
    assert len(set(streams)) == 50
    assert house.loader.boards_read == 1
    assert house.buses[0].subscribed == [f"+{SITE_ID}"]


async def test_what_is_published_while_loading_is_not_lost(house: House) -> None:
    hub, other = await house.hub(heartbeat=60), await house.hub()
    house.loader.gate.clear()
    entering = asyncio.create_task(enrol(hub))
    await until(lambda: house.loader.boards_read > 0)  # read, but not yet arrived
    house.ticket(hub)
    house.ticket(other)
    house.ticket(hub)
    house.loader.gate.set()
    messages = aiter(await entering)
    first = await read(messages)
    assert json.loads(first.payload)["seq"] == house.world.board.site.seq
    assert (house.loader.boards_read, house.loader.logs_read) == (1, 0)
    screen = Screen()
    screen.hear(first)
    house.ticket(hub)
    await read_until(screen, messages, house.world.board.site.seq)


async def test_a_load_that_fails_leaves_nothing_behind(house: House) -> None:
    hub = await house.hub(Limits(3, 3, 3))
    house.loader.error = Unavailable()
    for _ in range(3):
        outcomes = await asyncio.gather(*(enrol(hub) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert hub.streams_by_view().total() == 0
    assert house.loader.boards_read == 3  # single-flight in failure too
    assert house.buses[0].subscribed == [f"+{SITE_ID}", f"-{SITE_ID}"] * 3
    house.ticket(hub)
    house.loader.error = None
    streams = [await enrol(hub) for _ in range(3)]  # the caps were given back
    first = await read(aiter(streams[0]))
    assert json.loads(first.payload)["seq"] == house.world.board.site.seq
    house.ticket(hub)
    assert (await read(aiter(streams[1]))).id == f"e1.desk5.{house.world.board.site.seq}"


async def test_an_unknown_site_is_not_found(house: House) -> None:
    hub = await house.hub()
    house.loader.error = SiteNotFound(site_id=99)
    messages = hub.follow(99, DESK, None, address="a", token="t")
    with pytest.raises(SiteNotFound):
        await read(messages)
    assert hub.streams_by_view().total() == 0


async def test_who_leaves_while_it_loads_does_not_take_the_load_along(house: House) -> None:
    hub = await house.hub(Limits(2, 2, 2))
    house.loader.gate.clear()
    one, two = asyncio.create_task(enrol(hub)), asyncio.create_task(enrol(hub))
    await until(lambda: house.loader.boards_read > 0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    house.loader.gate.set()
    stream = await two
    assert (await read(aiter(stream))).kind == "snapshot"
    await enrol(hub)  # the place of the one who left is free
    assert house.loader.boards_read == 1


async def test_sites_are_loaded_and_told_apart(house: House) -> None:
    hub = await house.hub(heartbeat=60)
    other = World(a_site(id=8))
    house.loader.worlds[8] = other
    one, two = aiter(await enrol(hub)), aiter(await enrol(hub, site_id=8))
    first = await read(one)
    assert json.loads((await read(two)).payload)["cells"].keys() == {"site"}
    house.ticket(hub)
    assert (await read(one)).kind == "change"
    with pytest.raises(TimeoutError):
        await read(two, 0.05)
    assert first.kind == "snapshot"


# Healing


async def test_a_commit_that_nobody_heard_of_is_shown_within_a_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.05)
    hub = await house.hub()
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    house.ticket()
    await read_until(screen, messages, house.world.board.site.seq, 1.0)
    assert hub.refills == 1
    assert house.loader.boards_read == 1


async def test_heads_are_looked_at_once_a_second_and_never_more_rarely(house: House) -> None:
    hub = await house.hub(heartbeat=60)
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    house.ticket()
    begun = time.monotonic()
    await read_until(screen, messages, house.world.board.site.seq)
    assert time.monotonic() - begun < 1.5


async def test_a_gap_on_the_bus_is_looked_into_at_once(house: House) -> None:
    hub = await house.hub(heartbeat=60)
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    house.ticket()
    begun = time.monotonic()
    house.buses[0].gap()
    await read_until(screen, messages, house.world.board.site.seq)
    assert time.monotonic() - begun < 0.5


async def test_a_database_that_is_away_delays_but_does_not_end_the_looks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    hub = await house.hub()
    screen = Screen()
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    house.loader.error = Unavailable()
    house.ticket()
    looked = house.loader.heads_read
    await until(lambda: house.loader.heads_read > looked + 2)
    assert hub.lag_seconds > 0
    house.loader.error = None
    await read_until(screen, messages, house.world.board.site.seq)
    await until(lambda: hub.lag_seconds == 0)


async def test_a_restored_history_is_taken_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    hub = await house.hub()
    screen = Screen()
    house.ticket(hub)
    messages = aiter(await enrol(hub))
    screen.hear(await read(messages))
    house.loader.worlds[SITE_ID] = restored = small_clinic()
    restored.renew("e2")
    async with asyncio.timeout(2):
        while screen.position is None or screen.position.epoch != "e2":
            screen.hear(await anext(messages))
    assert screen.kinds.count("snapshot") == 2
    assert screen.position.seq == restored.board.site.seq


async def test_a_site_that_nobody_watches_is_let_go_of(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    hub = await house.hub()
    stream = await enrol(hub)
    await asyncio.sleep(0.15)
    assert house.buses[0].subscribed == [f"+{SITE_ID}"]  # watched: it stays
    hub.leave(stream)
    await until(lambda: house.buses[0].subscribed == [f"+{SITE_ID}", f"-{SITE_ID}"])
    looked = house.loader.heads_read
    await asyncio.sleep(0.1)
    assert house.loader.heads_read <= looked + 1
    house.ticket()
    first = await read(aiter(await enrol(hub)))
    assert json.loads(first.payload)["seq"] == house.world.board.site.seq
    assert house.loader.boards_read == 2


# Caps


@pytest.mark.parametrize(
    ("limits", "crowd"),
    [
        (Limits(3, 9, 9), [("a", "1"), ("b", "2"), ("c", "3")]),
        (Limits(9, 3, 9), [("a", "1"), ("a", "2"), ("a", "3")]),
        (Limits(9, 9, 3), [("a", "1"), ("b", "1"), ("c", "1")]),
    ],
    ids=["streams", "address", "token"],
)
async def test_one_too_many_is_refused_and_leaving_makes_room(
    house: House, limits: Limits, crowd: list[tuple[str, str]]
) -> None:
    hub = await house.hub(limits)
    streams = [await enrol(hub, address=address, token=token) for address, token in crowd]
    address, token = ("a" if limits.per_address == 3 else "z"), ("1" if limits.per_token == 3 else "9")
    for _ in range(2):
        with pytest.raises(OverCap):
            await enrol(hub, address=address, token=token)
    hub.leave(streams[0])
    hub.leave(streams[0])  # leaving twice gives one place, not two
    streams[0] = await enrol(hub, address=address, token=token)
    with pytest.raises(OverCap):
        await enrol(hub, address=address, token=token)
    for stream in streams:
        hub.leave(stream)
    assert hub.streams_by_view().total() == 0
    for name, other in crowd:
        await enrol(hub, address=name, token=other)


async def test_other_addresses_and_tokens_are_not_refused(house: House) -> None:
    hub = await house.hub(Limits(9, 1, 1))
    await enrol(hub, address="a", token="1")
    await enrol(hub, address="b", token="2")
    for address, token in (("a", "3"), ("c", "1")):
        with pytest.raises(OverCap):
            await enrol(hub, address=address, token=token)
    await enrol(hub, address="c", token="3")


async def test_over_the_cap_comes_before_anything_is_read(house: House) -> None:
    hub = await house.hub(Limits(0, 9, 9))
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    with pytest.raises(OverCap):
        await read(messages)
    assert house.loader.boards_read == 0


@pytest.mark.parametrize("how", ["bye", "aclose", "cancel"])
async def test_however_a_follower_goes_its_place_is_free(house: House, how: str) -> None:
    hub = await house.hub(Limits(1, 1, 1))
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    await read(messages)
    if how == "bye":
        next(iter(hub._streams)).end("age")
        async with asyncio.timeout(2):
            kinds = [message.kind async for message in messages]
        assert kinds[-1] == "bye"
    elif how == "aclose":
        await messages.aclose()  # type: ignore[attr-defined]
    else:

        async def go_on() -> None:
            async for _ in messages:
                pass

        task = asyncio.create_task(go_on())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await enrol(hub)


# Draining


async def test_draining_says_bye_to_everyone_in_time(house: House) -> None:
    hub = await house.hub(heartbeat=60)

    async def follow(number: int) -> list[Message]:
        view: View = (DESK, DisplayView(), TicketView(number))[number % 3]
        return [message async for message in hub.follow(SITE_ID, view, None, address="a", token=f"t{number}")]

    followers = [asyncio.create_task(follow(number)) for number in range(250)]
    await until(lambda: hub.streams_by_view().total() == 250)
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await hub.drain()
    assert time.monotonic() - begun < 2
    heard = await asyncio.gather(*followers)
    assert all([message.kind for message in each] == ["snapshot", "bye"] for each in heard)
    byes = [json.loads(each[-1].payload) for each in heard]
    assert {bye["reason"] for bye in byes} == {"drain"}
    assert len({bye["retry_ms"] for bye in byes}) > 100  # they do not all come back at once
    assert hub.streams_by_view().total() == 0


async def test_who_comes_while_draining_is_sent_on_at_once(house: House) -> None:
    hub = await house.hub()
    await hub.drain()
    assert hub.draining
    async with asyncio.timeout(2):
        kinds = [message.kind async for message in hub.follow(SITE_ID, DESK, None, address="a", token="t")]
    assert kinds == ["bye"]


async def test_a_stalled_screen_does_not_hold_up_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.2)
    hub = await house.hub()
    await enrol(hub)  # nobody ever reads it
    begun = time.monotonic()
    await hub.drain()
    assert 0.2 <= time.monotonic() - begun < 1


async def test_stopping_ends_every_task(house: House) -> None:
    hub = await house.hub()
    await enrol(hub)
    house.loader.gate.clear()
    house.loader.worlds[8] = World(a_site(id=8))
    entering: Awaitable[Stream] = asyncio.create_task(enrol(hub, site_id=8))
    await until(lambda: house.loader.boards_read == 2)
    house.buses[0].gap()
    before = asyncio.current_task()
    house.hubs.clear()
    async with asyncio.timeout(2):
        await hub.stop()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {before}


# A day, all together


async def test_a_busy_day_on_three_processes_ends_with_one_truth(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit is published by one process, some by none; every screen of every process ends with the same cells."""
    monkeypatch.setattr(module, "HEAD_CHECK_SECONDS", 0.05)
    hubs = [await house.hub() for _ in range(3)]
    views: tuple[View, ...] = (DESK, DisplayView())
    screens: list[tuple[Screen, asyncio.Task[None]]] = []

    async def show(screen: Screen, hub: Hub, view: View) -> None:
        async for message in hub.follow(SITE_ID, view, None, address="a", token="t"):
            screen.hear(message)

    for hub in hubs:
        for view in views:
            screen = Screen()
            screens.append((screen, asyncio.create_task(show(screen, hub, view))))
    point = min(house.world.board.points)
    for number in range(60):
        house.ticket(None if number % 7 == 0 else hubs[number % 3])
        if number == 30:
            recorded = house.world.do(CallNext(point_id=point))
            hubs[0].publish(SITE_ID, "e1", recorded)
        await asyncio.sleep(0.002)
    seq = house.world.board.site.seq
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
