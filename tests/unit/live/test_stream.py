"""One screen's stream: its first message, the changes that follow, its end, and a reader that takes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from server.domain.commands import Start
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import projection as projections
from server.live import stream as module
from server.live.feed import Feed
from server.live.messages import Message, Position
from server.live.projection import Projection, stamped
from server.live.stream import Stream
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, World, head_of, open_sealed, small_clinic

HEARTBEAT = 0.05
DESK = DeskView(open_sealed)


class Clinic:
    """A feed of a small clinic, and streams of it."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.queue_id = min(self.world.board.queues)
        self.loader = LogLoader(self.world)
        self.feed = Feed(SITE_ID, self.loader)

    def stream(self, since: Position | None = None, view: View = DESK, heartbeat: float = 60.0) -> Stream:
        return Stream(self.feed, self.feed.projection(view), since, heartbeat, address="a", token="t")

    def ticket(self, count: int = 1) -> None:
        """Issue tickets, and offer the events to the feed."""
        begun = len(self.world.log)
        for _ in range(count):
            self.world.ticket(self.queue_id)
        self.feed.offer(self.world.board.site.epoch, self.world.log[begun:])

    def here(self, seq: int | None = None) -> Position:
        return Position("e1", stamped(DeskView.shape), self.feed.seq if seq is None else seq)


@pytest.fixture
async def clinic() -> Clinic:
    clinic = Clinic()
    clinic.ticket(2)
    await clinic.feed.load()
    return clinic


async def read(messages: AsyncIterator[Message], within: float = 2.0) -> Message:
    async with asyncio.timeout(within):
        return await anext(messages)


async def quiet(messages: AsyncIterator[Message], for_seconds: float = 0.05) -> bool:
    """Return whether no message comes for a while. The iteration then ends."""
    try:
        await read(messages, for_seconds)
    except TimeoutError:
        return True
    return False


async def test_first_message_is_a_snapshot(clinic: Clinic) -> None:
    messages = aiter(clinic.stream(heartbeat=15))
    first = await read(messages)
    assert first.kind == "snapshot"
    assert first.id == str(clinic.here())
    body = json.loads(first.payload)
    assert body["seq"] == clinic.feed.seq
    assert body["heartbeat_ms"] == 15_000
    assert abs(body["at"] - time.time() * 1000) < 5_000  # a screen can set its clock at once
    assert set(body["cells"]) == set(DESK.keys(clinic.world.board))
    assert await quiet(messages)


async def test_changes_follow_as_they_happen(clinic: Clinic) -> None:
    messages = aiter(clinic.stream())
    screen = Screen()
    screen.hear(await read(messages))
    for _ in range(3):
        clinic.ticket()
        screen.hear(await read(messages))
        fresh = Screen()
        fresh.hear(clinic.feed.projection(DESK).snapshot(1, 0))
        assert screen.cells == fresh.cells
        assert screen.position == fresh.position
    assert screen.kinds == ["snapshot", "change", "change", "change"]


async def test_slow_reader_gets_one_change_for_many(clinic: Clinic) -> None:
    messages = aiter(clinic.stream())
    screen = Screen()
    screen.hear(await read(messages))
    for _ in range(20):
        clinic.ticket()
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change"]
    assert screen.position == clinic.here()
    assert digest(screen.cells) == clinic.feed.projection(DESK).digest
    assert await quiet(messages)


async def test_change_right_after_the_snapshot_is_not_missed(clinic: Clinic) -> None:
    """Events arrive between the opening of a stream and its first message, and between two messages."""
    stream = clinic.stream()
    clinic.ticket()
    messages = aiter(stream)
    screen = Screen()
    screen.hear(await read(messages))
    clinic.ticket()  # at this moment nobody iterates the stream
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change"]
    assert digest(screen.cells) == clinic.feed.projection(DESK).digest


async def test_resume_of_an_up_to_date_screen_gets_a_heartbeat_at_once(clinic: Clinic) -> None:
    messages = aiter(clinic.stream(clinic.here()))
    first = await read(messages, 0.5)
    assert first.kind == "heartbeat"
    assert first.id == str(clinic.here())
    assert await quiet(messages)


async def test_resume_behind_gets_only_the_change(clinic: Clinic) -> None:
    left_at = clinic.here()
    clinic.ticket(3)
    first = await read(aiter(clinic.stream(left_at)))
    clinic.feed.projection(DESK)
    assert first.kind == "snapshot"  # the view was drawn after that: earlier changes are not known
    left_at = clinic.here()
    clinic.ticket(3)
    messages = aiter(clinic.stream(left_at))
    first = await read(messages)
    assert first.kind == "change"
    assert first.id == str(clinic.here())
    assert len([key for key in json.loads(first.payload)["set"] if key.startswith("entry:")]) == 3


async def test_resume_of_an_unchanged_view_gets_a_heartbeat_with_the_present_number(clinic: Clinic) -> None:
    """The log has new events, but none changes this view."""
    visit_id = min(clinic.world.board.visits)
    view = TicketView(visit_id)
    clinic.feed.projection(view).watchers["other"] = lambda: None
    left_at = Position("e1", stamped(TicketView.shape), clinic.feed.seq)
    clinic.ticket()  # behind me in the queue
    messages = aiter(clinic.stream(left_at, view))
    first = await read(messages)
    assert first.kind == "heartbeat"
    assert first.id == str(Position("e1", stamped(TicketView.shape), clinic.feed.seq))
    begun = len(clinic.world.log)
    clinic.world.call(min(clinic.world.board.points))
    clinic.feed.offer("e1", clinic.world.log[begun:])
    body = json.loads((await read(messages)).payload)
    assert body["set"]["ticket"]["state"] == "called"


@pytest.mark.parametrize(
    ("epoch", "shape", "shift"),
    [
        ("e0", stamped(DeskView.shape), 0),
        ("e1", "desk0", 0),
        ("e1", stamped(DisplayView.shape), 0),
        ("e1", stamped(DeskView.shape), -1),
        ("e1", stamped(DeskView.shape), -9),
        ("e1", stamped(DeskView.shape), 1),
    ],
    ids=["epoch", "shape", "another view's shape", "below the floor", "long ago", "above the head"],
)
async def test_resume_from_an_unknown_position_gets_a_snapshot(clinic: Clinic, epoch: str, shape: str, shift: int) -> None:
    position = Position(epoch, shape, clinic.feed.projection(DESK).floor + shift)
    messages = aiter(clinic.stream(position))
    first = await read(messages)
    assert first.kind == "snapshot"
    assert await quiet(messages)


async def test_screen_below_the_floor_gets_a_snapshot(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projections, "TOMBSTONES_KEPT", 0)
    messages = aiter(clinic.stream(view=DisplayView()))
    screen = Screen()
    screen.hear(await read(messages))
    begun = len(clinic.world.log)
    entry = clinic.world.call(min(clinic.world.board.points))
    clinic.feed.offer("e1", clinic.world.log[begun:])
    screen.hear(await read(messages))
    clinic.world.do(Start(entry_id=entry.id))
    clinic.feed.offer("e1", clinic.world.log[-1:])
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change", "snapshot"]
    assert digest(screen.cells) == clinic.feed.projection(DisplayView()).digest


async def test_other_epoch_during_a_stream_is_a_snapshot(clinic: Clinic) -> None:
    messages = aiter(clinic.stream())
    screen = Screen()
    screen.hear(await read(messages))
    clinic.world.renew("e2")
    clinic.world.ticket(clinic.queue_id)
    await clinic.feed.check(head_of(clinic.world))
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "snapshot"]
    assert screen.position is not None
    assert screen.position.epoch == "e2"


async def test_heartbeats_come_in_time_with_the_right_digest(clinic: Clinic) -> None:
    messages = aiter(clinic.stream(heartbeat=HEARTBEAT))
    screen = Screen()
    screen.hear(await read(messages))
    begun = time.monotonic()
    for count in range(1, 5):
        message = await read(messages)
        assert time.monotonic() - begun < count * HEARTBEAT + 0.5
        assert message.kind == "heartbeat"
        screen.hear(message)  # it checks the digest
        at = json.loads(message.payload)["at"]
        assert abs(at - time.time() * 1000) < 5_000
    clinic.ticket()
    while screen.beats < 6:
        screen.hear(await read(messages))
    assert screen.kinds.count("change") == 1
    assert time.monotonic() - begun > 2 * HEARTBEAT  # an interval between them, not a flood


async def test_first_heartbeats_are_spread_over_the_interval(clinic: Clinic) -> None:
    """A thousand screens that connect at once do not get their heartbeats at once."""
    streams = [aiter(clinic.stream(heartbeat=0.3)) for _ in range(12)]
    for each in streams:
        await read(each)
    begun = time.monotonic()

    async def until_beat(messages: AsyncIterator[Message]) -> float:
        assert (await read(messages)).kind == "heartbeat"
        return time.monotonic() - begun

    waits = await asyncio.gather(*(until_beat(each) for each in streams))
    assert max(waits) - min(waits) > 0.05
    assert max(waits) < 0.3 + 0.5


async def test_heartbeat_never_overtakes_a_change(clinic: Clinic) -> None:
    """The id of a heartbeat promises that all changes up to it were written before."""
    messages = aiter(clinic.stream(heartbeat=0.001))
    screen = Screen()
    for _ in range(30):
        clinic.ticket()
        await asyncio.sleep(0.002)
        screen.hear(await read(messages))
        assert digest(screen.cells) == clinic.feed.projection(DESK).digest
        assert screen.position == clinic.here()


async def test_ended_stream_sends_a_bye(clinic: Clinic) -> None:
    stream = clinic.stream()
    messages = aiter(stream)
    await read(messages)
    waiting = asyncio.create_task(read(messages))
    await asyncio.sleep(0)
    stream.end("drain")
    stream.end("age")  # the first reason remains
    bye = await waiting
    assert bye.kind == "bye"
    assert json.loads(bye.payload)["reason"] == "drain"
    with pytest.raises(StopAsyncIteration):
        await read(messages)


async def test_bye_goes_before_pending_changes(clinic: Clinic) -> None:
    stream = clinic.stream()
    messages = aiter(stream)
    await read(messages)
    clinic.ticket()
    stream.end("drain")
    assert (await read(messages)).kind == "bye"


async def test_old_stream_ends_with_reason_age(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIFE_SECONDS", 0.1)
    messages = aiter(clinic.stream(heartbeat=0.03))
    begun = time.monotonic()
    kinds = []
    last = None
    async with asyncio.timeout(3):
        async for message in messages:
            kinds.append(message.kind)
            last = message
    assert time.monotonic() - begun >= 0.08
    assert kinds[0] == "snapshot"
    assert kinds[-1] == "bye"
    assert last is not None
    assert json.loads(last.payload)["reason"] == "age"


async def test_closed_stream_is_no_longer_woken(clinic: Clinic) -> None:
    stream = clinic.stream()
    projection = clinic.feed.projection(DESK)
    assert stream in projection.watchers
    stream.close()
    stream.close()
    assert projection.watchers == {}
    assert clinic.feed.projection(DESK) is projection  # the desk's projection stays for the next stream


async def test_ticket_projection_is_dropped_with_its_last_stream() -> None:
    clinic = Clinic()
    clinic.ticket()
    await clinic.feed.load()
    view = TicketView(min(clinic.world.board.visits))
    one, two = clinic.stream(view=view), clinic.stream(view=view)
    projection = clinic.feed.projection(view)
    one.close()
    assert clinic.feed.projection(view) is projection
    two.close()
    assert clinic.feed.projection(view) is not projection


async def test_view_kind_names_the_view() -> None:
    world: World = small_clinic()
    feed = Feed(SITE_ID, LogLoader(world))
    await feed.load()
    kinds = [
        Stream(feed, feed.projection(view), None, 1, address="a", token="t").view_kind
        for view in (DESK, DisplayView(), TicketView(1))
    ]
    assert kinds == ["desk", "display", "ticket"]


# Slow readers


class Tap:
    """An outlet that is turned off and on."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.running.set()
        self.aborted = False

    def stalled(self) -> bool:
        return not self.running.is_set()

    async def drain(self) -> None:
        await self.running.wait()

    def abort(self) -> None:
        self.aborted = True


class TappedStream:
    """A feed, and one screen behind a tap."""

    def __init__(self, *, heartbeat: float = 60.0, stalled_seconds: float = 5.0) -> None:
        self.world = small_clinic()
        self.feed = Feed(SITE_ID, LogLoader(self.world))
        self.tap = Tap()
        self.heartbeat, self.stalled_seconds = heartbeat, stalled_seconds

    async def open(self) -> AsyncIterator[Message]:
        await self.feed.load()
        self.stream = Stream(
            self.feed, self.feed.projection(DESK), None, self.heartbeat, address="a", token="t", outlet=self.tap,
            stalled_seconds=self.stalled_seconds,
        )  # fmt: skip
        return aiter(self.stream)

    def tickets(self, count: int) -> None:
        begun = len(self.world.log)
        for _ in range(count):
            self.world.ticket(min(self.world.board.queues))
        self.feed.offer("e1", self.world.log[begun:])


async def test_no_message_is_built_for_a_paused_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = TappedStream(heartbeat=0.02)
    messages = await tapped.open()
    screen = Screen()
    screen.hear(await read(messages))
    tapped.tap.running.clear()
    made: list[int] = []
    change_since = Projection.change_since

    def counted(projection: Projection, seq: int) -> Message:
        made.append(seq)
        return change_since(projection, seq)

    monkeypatch.setattr(Projection, "change_since", counted)
    waiting = asyncio.ensure_future(anext(messages))
    for _ in range(20):
        tapped.tickets(5)
        await asyncio.sleep(0.005)
    assert not waiting.done(), "not even a heartbeat"
    assert tapped.stream.paused
    assert made == []
    tapped.tap.running.set()
    screen.hear(await asyncio.wait_for(waiting, 2))
    assert not tapped.stream.paused
    assert screen.kinds == ["snapshot", "change"]
    assert screen.position is not None
    assert screen.position.seq == tapped.feed.seq
    assert digest(screen.cells) == tapped.feed.projection(DESK).digest
    screen.hear(await read(messages))
    assert screen.kinds[-1] == "heartbeat"


async def test_reader_paused_too_long_is_aborted() -> None:
    tapped = TappedStream(stalled_seconds=0.1)
    messages = await tapped.open()
    await read(messages)
    tapped.tap.running.clear()
    began = time.monotonic()
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert 0.1 <= time.monotonic() - began < 1
    assert tapped.tap.aborted
    assert tapped.stream.cut
    assert tapped.stream.ending == "slow"


async def test_bye_that_is_not_taken_is_followed_by_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    tapped = TappedStream()
    messages = await tapped.open()
    await read(messages)
    tapped.stream.end("drain")
    assert (await read(messages)).kind == "bye"
    tapped.tap.running.clear()  # it was written, and stays in the buffer
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert tapped.tap.aborted
    assert tapped.stream.ending == "drain"


async def test_reader_paused_at_the_end_is_aborted_without_a_bye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    tapped = TappedStream(stalled_seconds=60)
    messages = await tapped.open()
    await read(messages)
    tapped.tap.running.clear()
    waiting = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    tapped.stream.end("drain")
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 2)
    assert time.monotonic() - began < 1
    assert tapped.tap.aborted


async def test_bye_that_is_taken_aborts_nothing() -> None:
    tapped = TappedStream()
    messages = await tapped.open()
    await read(messages)
    tapped.stream.end("revoked")
    assert json.loads((await read(messages)).payload)["reason"] == "revoked"
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert not tapped.tap.aborted
