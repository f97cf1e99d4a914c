"""One screen's stream: what comes first, what comes then, and how it ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from server.domain.commands import Start
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import feed as feeds
from server.live import stream as module
from server.live.feed import Feed
from server.live.messages import Message, Position
from server.live.stream import Stream
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, World, head_of, open_sealed, small_clinic

HEARTBEAT = 0.05
DESK = DeskView(open_sealed)


class Line:
    """A feed of a small clinic, and streams of it."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.queue_id = min(self.world.board.queues)
        self.loader = LogLoader(self.world)
        self.feed = Feed(SITE_ID, self.loader)

    def stream(self, since: Position | None = None, view: View = DESK, heartbeat: float = 60.0) -> Stream:
        return Stream(self.feed, self.feed.projection(view), since, heartbeat, address="a", token="t")

    def ticket(self, count: int = 1) -> None:
        """Issue tickets, and let the feed hear of it."""
        begun = len(self.world.log)
        for _ in range(count):
            self.world.ticket(self.queue_id)
        self.feed.offer(self.world.board.site.epoch, self.world.log[begun:])

    def here(self, seq: int | None = None) -> Position:
        return Position("e1", DeskView.shape, self.feed.seq if seq is None else seq)


@pytest.fixture
async def line() -> Line:
    line = Line()
    line.ticket(2)
    await line.feed.load()
    return line


async def read(messages: AsyncIterator[Message], within: float = 2.0) -> Message:
    async with asyncio.timeout(within):
        return await anext(messages)


async def quiet(messages: AsyncIterator[Message], for_seconds: float = 0.05) -> bool:
    """Return whether nothing comes for a while. Ends the iteration if so."""
    try:
        await read(messages, for_seconds)
    except TimeoutError:
        return True
    return False


async def test_first_a_snapshot(line: Line) -> None:
    messages = aiter(line.stream(heartbeat=15))
    first = await read(messages)
    assert first.kind == "snapshot"
    assert first.id == str(line.here())
    body = json.loads(first.payload)
    assert body["seq"] == line.feed.seq
    assert body["heartbeat_ms"] == 15_000
    assert abs(body["at"] - time.time() * 1000) < 5_000  # a screen can set its clock at once
    assert set(body["cells"]) == set(DESK.keys(line.world.board))
    assert await quiet(messages)


async def test_then_changes_as_they_happen(line: Line) -> None:
    messages = aiter(line.stream())
    screen = Screen()
    screen.hear(await read(messages))
    for _ in range(3):
        line.ticket()
        screen.hear(await read(messages))
        fresh = Screen()
        fresh.hear(line.feed.projection(DESK).snapshot(1, 0))
        assert screen.cells == fresh.cells
        assert screen.position == fresh.position
    assert screen.kinds == ["snapshot", "change", "change", "change"]


async def test_a_slow_reader_gets_one_change_for_many(line: Line) -> None:
    messages = aiter(line.stream())
    screen = Screen()
    screen.hear(await read(messages))
    for _ in range(20):
        line.ticket()
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change"]
    assert screen.position == line.here()
    assert digest(screen.cells) == line.feed.projection(DESK).digest
    assert await quiet(messages)


async def test_a_change_right_after_the_snapshot_is_not_missed(line: Line) -> None:
    """The stream enrolled; events come before its first message, and between that and the next look."""
    stream = line.stream()
    line.ticket()
    messages = aiter(stream)
    screen = Screen()
    screen.hear(await read(messages))
    line.ticket()  # nobody waits on the stream just now
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change"]
    assert digest(screen.cells) == line.feed.projection(DESK).digest


async def test_resuming_where_one_left_off_gets_a_heartbeat_at_once(line: Line) -> None:
    messages = aiter(line.stream(line.here()))
    first = await read(messages, 0.5)
    assert first.kind == "heartbeat"
    assert first.id == str(line.here())
    assert await quiet(messages)


async def test_resuming_behind_gets_the_change_only(line: Line) -> None:
    left_at = line.here()
    line.ticket(3)
    first = await read(aiter(line.stream(left_at)))
    line.feed.projection(DESK)
    assert first.kind == "snapshot"  # the view was drawn after that: it cannot tell
    left_at = line.here()
    line.ticket(3)
    messages = aiter(line.stream(left_at))
    first = await read(messages)
    assert first.kind == "change"
    assert first.id == str(line.here())
    assert len([key for key in json.loads(first.payload)["set"] if key.startswith("entry:")]) == 3


async def test_resuming_a_view_that_did_not_change_gets_a_heartbeat_with_the_present_number(line: Line) -> None:
    """The log went on, but not in this view: there is nothing to catch up with."""
    visit_id = min(line.world.board.visits)
    view = TicketView(visit_id)
    line.feed.projection(view).watchers["other"] = lambda: None
    left_at = Position("e1", TicketView.shape, line.feed.seq)
    line.ticket()  # behind me in the queue
    messages = aiter(line.stream(left_at, view))
    first = await read(messages)
    assert first.kind == "heartbeat"
    assert first.id == str(Position("e1", TicketView.shape, line.feed.seq))
    begun = len(line.world.log)
    line.world.call(min(line.world.board.points))
    line.feed.offer("e1", line.world.log[begun:])
    body = json.loads((await read(messages)).payload)
    assert body["set"]["ticket"]["state"] == "called"


@pytest.mark.parametrize(
    ("epoch", "shape", "shift"),
    [
        ("e0", DeskView.shape, 0),
        ("e1", "desk0", 0),
        ("e1", DisplayView.shape, 0),
        ("e1", DeskView.shape, -1),
        ("e1", DeskView.shape, -9),
        ("e1", DeskView.shape, 1),
    ],
    ids=["epoch", "shape", "another view's shape", "below the floor", "long ago", "above the head"],
)
async def test_resuming_from_where_nothing_can_be_told_gets_a_snapshot(
    line: Line, epoch: str, shape: str, shift: int
) -> None:
    position = Position(epoch, shape, line.feed.projection(DESK).floor + shift)
    messages = aiter(line.stream(position))
    first = await read(messages)
    assert first.kind == "snapshot"
    assert await quiet(messages)


async def test_a_screen_that_fell_below_the_floor_gets_a_snapshot(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "TOMBSTONES_KEPT", 0)
    messages = aiter(line.stream(view=DisplayView()))
    screen = Screen()
    screen.hear(await read(messages))
    begun = len(line.world.log)
    entry = line.world.call(min(line.world.board.points))
    line.feed.offer("e1", line.world.log[begun:])
    screen.hear(await read(messages))
    line.world.do(Start(entry_id=entry.id))
    line.feed.offer("e1", line.world.log[-1:])
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "change", "snapshot"]
    assert digest(screen.cells) == line.feed.projection(DisplayView()).digest


async def test_another_epoch_in_mid_stream_is_a_snapshot(line: Line) -> None:
    messages = aiter(line.stream())
    screen = Screen()
    screen.hear(await read(messages))
    line.world.renew("e2")
    line.world.ticket(line.queue_id)
    await line.feed.check(head_of(line.world))
    screen.hear(await read(messages))
    assert screen.kinds == ["snapshot", "snapshot"]
    assert screen.position is not None
    assert screen.position.epoch == "e2"


async def test_heartbeats_come_in_time_with_the_right_digest(line: Line) -> None:
    messages = aiter(line.stream(heartbeat=HEARTBEAT))
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
    line.ticket()
    while screen.beats < 6:
        screen.hear(await read(messages))
    assert screen.kinds.count("change") == 1
    assert time.monotonic() - begun > 2 * HEARTBEAT  # an interval between them, not a flood


async def test_first_heartbeats_are_spread_over_the_interval(line: Line) -> None:
    """So that a thousand screens that came at once do not beat at once."""
    streams = [aiter(line.stream(heartbeat=0.3)) for _ in range(12)]
    for each in streams:
        await read(each)
    begun = time.monotonic()

    async def until_beat(messages: AsyncIterator[Message]) -> float:
        assert (await read(messages)).kind == "heartbeat"
        return time.monotonic() - begun

    waits = await asyncio.gather(*(until_beat(each) for each in streams))
    assert max(waits) - min(waits) > 0.05
    assert max(waits) < 0.3 + 0.5


async def test_a_heartbeat_never_overtakes_a_change(line: Line) -> None:
    """Its id says that all changes up to there were written before it."""
    messages = aiter(line.stream(heartbeat=0.001))
    screen = Screen()
    for _ in range(30):
        line.ticket()
        await asyncio.sleep(0.002)
        screen.hear(await read(messages))
        assert digest(screen.cells) == line.feed.projection(DESK).digest
        assert screen.position == line.here()


async def test_the_end_is_a_bye(line: Line) -> None:
    stream = line.stream()
    messages = aiter(stream)
    await read(messages)
    waiting = asyncio.create_task(read(messages))
    await asyncio.sleep(0)
    stream.end("drain")
    stream.end("age")  # the first reason stands
    bye = await waiting
    assert bye.kind == "bye"
    assert json.loads(bye.payload)["reason"] == "drain"
    with pytest.raises(StopAsyncIteration):
        await read(messages)


async def test_an_end_goes_before_what_is_still_to_tell(line: Line) -> None:
    stream = line.stream()
    messages = aiter(stream)
    await read(messages)
    line.ticket()
    stream.end("drain")
    assert (await read(messages)).kind == "bye"


async def test_a_stream_ends_of_age(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIFE_SECONDS", 0.1)
    messages = aiter(line.stream(heartbeat=0.03))
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


async def test_a_closed_stream_is_woken_no_longer(line: Line) -> None:
    stream = line.stream()
    projection = line.feed.projection(DESK)
    assert stream in projection.watchers
    stream.close()
    stream.close()
    assert projection.watchers == {}
    assert line.feed.projection(DESK) is projection  # the desk's cells stay for the next


async def test_a_patients_cells_go_with_the_last_to_look() -> None:
    line = Line()
    line.ticket()
    await line.feed.load()
    view = TicketView(min(line.world.board.visits))
    one, two = line.stream(view=view), line.stream(view=view)
    projection = line.feed.projection(view)
    one.close()
    assert line.feed.projection(view) is projection
    two.close()
    assert line.feed.projection(view) is not projection


async def test_what_a_stream_shows() -> None:
    world: World = small_clinic()
    feed = Feed(SITE_ID, LogLoader(world))
    await feed.load()
    kinds = [
        Stream(feed, feed.projection(view), None, 1, address="a", token="t").view_kind
        for view in (DESK, DisplayView(), TicketView(1))
    ]
    assert kinds == ["desk", "display", "ticket"]
