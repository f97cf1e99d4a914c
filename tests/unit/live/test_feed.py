"""A site's feed: in whatever order, however often and whether at all it hears of an event, it ends up with the truth."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.board import Board
from server.domain.commands import NoShow, Start
from server.domain.errors import Unavailable
from server.domain.events import Recorded
from server.domain.views import Cell, DeskView, DisplayView, TicketView, View, draw
from server.live import feed as module
from server.live.feed import Feed, Projection
from server.live.messages import Position
from tests.support.message_screen import Screen, digest
from tests.support.worlds import (
    SITE_ID,
    Head,
    LogLoader,
    Step,
    World,
    examples,
    head_of,
    open_sealed,
    perform,
    scripts,
    small_clinic,
)

HEARTBEAT = 15.0
NOW = 1_711_695_600_000


def cells_of(projection: Projection) -> dict[str, Any]:
    """Return the cells that a projection holds, as a screen without a position is given them."""
    cells = json.loads(projection.snapshot(HEARTBEAT, NOW).payload)["cells"]
    assert isinstance(cells, dict)
    return cells


def check_projection(projection: Projection, board: Board) -> None:
    """A projection holds what a fresh one holds, with its digest."""
    fresh = Projection(projection.view, board)
    assert cells_of(projection) == cells_of(fresh) == json.loads(orjson.dumps(draw(projection.view, board)))
    assert projection.digest == fresh.digest == digest(cells_of(projection))
    assert projection.position == fresh.position


def catch_up(screen: Screen, projection: Projection) -> None:
    """Tell a screen what a stream would tell it now."""
    if screen.position is None or not projection.answers(screen.position):
        screen.hear(projection.snapshot(HEARTBEAT, NOW))
    elif projection.changed_at > screen.position.seq:
        screen.hear(projection.change_since(screen.position.seq))


@examples(150)
@given(scripts(15), scripts(25), st.booleans(), st.data())
async def test_any_order_any_repeat_any_loss(
    before: list[Step], after: list[Step], restored: bool, data: st.DataObject
) -> None:
    world = small_clinic()
    for step in before:
        perform(world, step)
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    views: list[View] = [DeskView(open_sealed), DisplayView(), *map(TicketView, list(world.board.visits)[:2]), TicketView(5)]
    projections = [feed.projection(view) for view in views]
    screens = [Screen() for _ in views]
    lazy = [Screen() for _ in views]  # these look only at the start and at the end
    for screen, projection in zip([*screens, *lazy], projections * 2, strict=True):
        catch_up(screen, projection)
    begun = len(world.log)
    for step in after:
        perform(world, step)
    fresh = world.log[begun:]
    if restored:
        world.renew("e2")
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    offered = [event for event in fresh for _ in range(chance.choice((0, 1, 1, 1, 2)))]
    match data.draw(st.sampled_from(["in order", "nearly", "any order"])):
        case "nearly":
            offered.sort(key=lambda each: each.seq + chance.randrange(4))
        case "any order":
            chance.shuffle(offered)
    size = data.draw(st.integers(1, 4))
    for at in range(0, len(offered), size):
        feed.offer(chance.choice(("e1", "e2")) if restored else "e1", offered[at : at + size])
        assert begun <= feed.seq <= len(world.log)
        reader = chance.randrange(len(views) + 1)
        if reader < len(views):
            catch_up(screens[reader], projections[reader])
            assert screens[reader].cells == cells_of(projections[reader])
    await feed.check(head_of(world))
    assert feed.seq == world.board.site.seq
    for screen, projection in zip([*screens, *lazy], projections * 2, strict=True):
        check_projection(projection, await loader.board(SITE_ID))
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection)
        assert digest(screen.cells) == projection.digest
    feed.close()


@examples(60)
@given(scripts(40))
async def test_in_order_nothing_is_read_again(script: list[Step]) -> None:
    """On the common path every change is shown at once, and neither the log nor the rows are read for it."""
    world = small_clinic()
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    desk, display = feed.projection(DeskView(open_sealed)), feed.projection(DisplayView())
    for step in script:
        feed.offer("e1", perform(world, step))
        check_projection(desk, world.board)
        check_projection(display, world.board)
    assert (loader.boards_read, loader.logs_read) == (1, 0)


async def a_feed(world: World) -> tuple[Feed, LogLoader]:
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    return feed, loader


def some_events(world: World, count: int = 3) -> list[Recorded]:
    begun = len(world.log)
    for _ in range(count):
        world.ticket(min(world.board.queues))
    return world.log[begun:]


async def test_a_gap_is_filled_from_the_log_after_a_moment() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    first, second, third = some_events(world)
    feed.offer("e1", [first])
    feed.offer("e1", [third])
    assert feed.seq == first.seq  # never past a gap
    await asyncio.sleep(module.GRACE_SECONDS / 2)
    assert loader.logs_read == 0  # it may still come
    async with asyncio.timeout(2):
        while feed.seq < third.seq:  # noqa: ASYNC110 - a feed has no event to wait for
            await asyncio.sleep(0.01)
    assert (loader.boards_read, feed.refills) == (1, 1)
    assert second.seq < feed.seq
    feed.close()


async def test_a_gap_that_fills_by_itself_costs_nothing() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    first, second, third = some_events(world)
    for event in (third, second, first):
        feed.offer("e1", [event])
    assert feed.seq == third.seq
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert loader.logs_read == 0
    feed.close()


async def test_a_gap_while_the_database_is_away_waits_for_the_next_look() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    events = some_events(world)
    loader.error = Unavailable()
    feed.offer("e1", events[1:])
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert feed.seq == events[0].seq - 1
    with pytest.raises(Unavailable):
        await feed.check(head_of(world))
    assert feed.seq == events[0].seq - 1
    loader.error = None
    await feed.check(head_of(world))
    assert feed.seq == events[-1].seq
    feed.close()


async def test_a_head_that_is_level_costs_nothing() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    await feed.check(head_of(world))
    assert (loader.boards_read, loader.logs_read) == (1, 0)


async def test_a_lost_event_is_found_by_the_head() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    some_events(world)
    await feed.check(head_of(world))
    check_projection(projection, world.board)
    assert (loader.boards_read, feed.refills) == (1, 1)


async def test_before_it_is_loaded_a_feed_waits() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.check(Head(99, "e9"))
    await feed.refill()
    assert (feed.seq, loader.boards_read, loader.logs_read) == (0, 0, 0)


async def test_what_is_offered_before_the_first_load_is_applied_after_it() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    loader.gate.clear()
    feed = Feed(SITE_ID, loader)
    loading = asyncio.create_task(feed.load())
    await asyncio.sleep(0)
    assert loader.boards_read == 1
    feed.offer("e1", some_events(world))  # after the board was read, before it arrived
    loader.gate.set()
    await loading
    assert feed.seq == world.board.site.seq
    check_projection(feed.projection(DeskView(open_sealed)), world.board)
    assert loader.logs_read == 0


@pytest.mark.parametrize("heard_by", ["offer", "check"])
async def test_another_epoch_reloads_and_every_screen_gets_a_snapshot(heard_by: str) -> None:
    world = small_clinic()
    some_events(world)
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    woken: list[int] = []
    projection.watchers["me"] = lambda: woken.append(projection.seq)
    screen = Screen()
    catch_up(screen, projection)
    other = small_clinic()  # a shorter history, as after a restore
    other.renew("e2")
    loader.worlds[SITE_ID] = other
    if heard_by == "check":
        await feed.check(head_of(other))
    else:
        other.ticket(min(other.board.queues))
        for _ in range(6):
            other.ticket(min(other.board.queues))
        feed.offer("e2", other.log[-1:])
        await feed.refill()
    assert loader.boards_read == 2
    assert woken == [other.board.site.seq]
    assert screen.position is not None
    assert not projection.answers(screen.position)
    catch_up(screen, projection)
    assert screen.kinds == ["snapshot", "snapshot"]
    assert screen.position == Position("e2", "desk5", other.board.site.seq)
    check_projection(projection, other.board)
    feed.close()


async def test_a_head_below_the_feeds_own_is_another_history() -> None:
    world = small_clinic()
    some_events(world)
    feed, loader = await a_feed(world)
    projection = feed.projection(DisplayView())
    before = projection.position
    loader.worlds[SITE_ID] = shorter = small_clinic()
    await feed.check(head_of(shorter))
    assert loader.boards_read == 2
    check_projection(projection, shorter.board)
    # Its numbers come again, and mean something else now: who was at one of them is told everything.
    while feed.seq <= before.seq:
        feed.offer(shorter.board.site.epoch, [some_events(shorter)[0]])
        await feed.check(head_of(shorter))
    assert not projection.answers(before)
    check_projection(projection, shorter.board)


async def test_only_the_first_to_notice_renames_a_history() -> None:
    world = small_clinic()
    some_events(world)
    (one, loader), other = await a_feed(world), Feed(SITE_ID, LogLoader(), flush_seconds=0)
    other._loader = loader
    await other.load()
    loader.worlds[SITE_ID] = shorter = small_clinic()
    head = head_of(shorter)
    for feed in (one, other):
        await feed.check(head)
    assert shorter.board.site.epoch == "e1+"
    assert one.position == other.position


async def test_events_of_another_epoch_are_never_mixed_in() -> None:
    """Those of a foreign history have the very numbers that come next: none of them is taken for one of ours."""
    world = small_clinic()
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    foreign = small_clinic()
    for _ in range(3):
        foreign.ticket(max(foreign.board.queues))
    feed.offer("e0", foreign.log[-3:])
    assert feed.seq == world.board.site.seq
    for event in some_events(world):
        feed.offer("e1", [event])
        assert feed.seq == event.seq
    check_projection(projection, world.board)
    await feed.check(head_of(world))
    check_projection(projection, world.board)
    assert loader.logs_read == 0
    feed.close()


# Canvases


async def test_views_of_one_name_share_a_canvas() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    assert feed.projection(DisplayView()) is feed.projection(DisplayView())
    assert feed.projection(TicketView(1)) is feed.projection(TicketView(1))
    assert feed.projection(TicketView(1)) is not feed.projection(TicketView(2))


async def test_a_canvas_is_forgotten_when_nobody_watches() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(TicketView(1))
    projection.watchers["me"] = lambda: None
    assert feed.watched
    feed.forget(projection)
    assert feed.projection(TicketView(1)) is projection
    projection.watchers.clear()
    assert not feed.watched
    feed.forget(projection)
    assert feed.projection(TicketView(1)) is not projection


async def test_only_the_views_that_change_are_woken() -> None:
    world = small_clinic()
    queue_id, point = min(world.board.queues), min(world.board.points)
    mine = world.ticket(queue_id)
    world.ticket(queue_id)
    feed, _ = await a_feed(world)
    woken: list[str] = []
    for view in (DeskView(open_sealed), DisplayView(), TicketView(mine.visit_id)):
        projection = feed.projection(view)
        projection.watchers[view.name] = lambda name=view.name: woken.append(name)  # type: ignore[misc]
    begun = len(world.log)
    world.call(point)
    feed.offer("e1", world.log[begun:])
    assert woken == ["desk", "display", f"ticket:{mine.visit_id}"]
    woken.clear()
    begun = len(world.log)
    world.ticket(sorted(world.board.queues)[-1])
    feed.offer("e1", world.log[begun:])
    assert woken == ["desk", "display"]
    ticket = feed.projection(TicketView(mine.visit_id))
    assert (ticket.seq, ticket.changed_at) == (len(world.log), len(world.log) - 1)


async def test_a_burst_wakes_once() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    woken: list[int] = []
    projection = feed.projection(DeskView(open_sealed))
    projection.watchers["me"] = lambda: woken.append(projection.seq)
    feed.offer("e1", some_events(world, 10))
    assert woken == [len(world.log)]


async def test_since_n_is_answered_from_the_floor_to_the_head_only() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = world.board.site.seq
    feed.offer("e1", some_events(world))
    head = world.board.site.seq
    assert not projection.answers(None)
    assert [projection.answers(Position("e1", "desk5", seq)) for seq in (0, floor - 1, floor, head, head + 1)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert not projection.answers(Position("e2", "desk5", head))
    assert not projection.answers(Position("e1", "display3", head))
    assert projection.position == Position("e1", "desk5", head)


async def test_what_is_gone_is_told_to_whoever_had_it() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    world.call(min(world.board.points))
    feed, _ = await a_feed(world)
    projection = feed.projection(DisplayView())
    had_it = projection.position
    key = f"entry:{entry.id}"
    assert key in cells_of(projection)
    begun = len(world.log)
    world.do(Start(entry_id=entry.id))
    feed.offer("e1", world.log[begun:])
    after = projection.position
    begun = len(world.log)
    world.ticket(min(world.board.queues))
    feed.offer("e1", world.log[begun:])
    assert json.loads(projection.change_since(had_it.seq).payload)["del"] == [key]
    assert json.loads(projection.change_since(after.seq).payload)["del"] == []


class OddView:
    """A view whose one cell is there while an odd number wait: cells may come back."""

    kind: ClassVar[str] = "odd"
    shape: ClassVar[str] = "odd1"
    name = "odd"

    def keys(self, board: Board) -> list[str]:
        return ["odd"]

    def cell(self, board: Board, key: str) -> Cell | None:
        count = sum(len(board.waiting(queue_id)) for queue_id in board.queues)
        return {"count": count} if count % 2 else None

    def touched(self, board: Board, changed: set[str]) -> list[str]:
        return ["odd"]


async def test_a_cell_that_comes_back_is_not_told_as_gone() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(OddView())
    screens = []
    for _ in range(7):
        screens.append(Screen())
        catch_up(screens[-1], projection)
        feed.offer("e1", some_events(world, 1))
    for screen in screens:
        catch_up(screen, projection)  # it checks that no key is both set and gone
        assert screen.cells == cells_of(projection) == {"odd": {"count": 7}}
    feed.offer("e1", some_events(world, 1))
    for screen in screens:
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection) == {}
    assert projection.digest == 0


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_forgotten_tombstones_raise_the_floor(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the floor a screen might keep a cell that is gone, so it gets a snapshot; at the floor it cannot."""
    monkeypatch.setattr(module, "TOMBSTONES_KEPT", kept)
    world = small_clinic()
    queue_id, point = min(world.board.queues), min(world.board.points)
    feed, _ = await a_feed(world)
    projection = feed.projection(DisplayView())
    screens: list[Screen] = []
    for _ in range(6):
        entry = world.ticket(queue_id)
        world.call(point)
        feed.offer("e1", world.log[-2:])
        screens.append(Screen())
        catch_up(screens[-1], projection)  # this one has seen the entry called
        begun = len(world.log)
        world.do(NoShow(entry_id=entry.id))
        feed.offer("e1", world.log[begun:])
    answered = [projection.answers(screen.position) for screen in screens]
    assert answered == [False] * (6 - kept) + [True] * kept
    gone = world.log[-1].seq - 3 * kept  # the number of the newest tombstone that was forgotten
    assert projection.floor == gone
    for screen in screens:
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection)
        assert digest(screen.cells) == projection.digest
    assert [screen.kinds[-1] for screen in screens] == ["change" if answer else "snapshot" for answer in answered]


async def test_a_change_is_encoded_once_for_all_who_ask_the_same() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = projection.seq
    feed.offer("e1", some_events(world))
    message = projection.change_since(floor)
    assert all(projection.change_since(floor) is message for _ in range(5))
    assert projection.change_since(floor + 1) is not message
    feed.offer("e1", some_events(world))
    newer = projection.change_since(floor)
    assert newer is not message
    assert newer.id == str(projection.position)
    feed.offer("e1", some_events(world))
    newest = projection.change_since(floor)  # the same question as the last one, but more has happened since
    assert newest is not newer
    assert newest.id == str(projection.position)


async def test_after_a_reload_nothing_encoded_before_is_sent() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = projection.seq
    feed.offer("e1", some_events(world))
    before = projection.change_since(floor)
    world.renew("e2")
    await feed.check(head_of(world))
    assert loader.boards_read == 2
    assert projection.change_since(floor) is not before
    assert not projection.answers(Position("e2", "desk5", floor))


async def test_a_cell_that_is_as_before_is_not_sent() -> None:
    world = small_clinic()
    first = world.ticket(min(world.board.queues))
    world.ticket(min(world.board.queues))  # so that who is next, and why, stays as it is
    feed, _ = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = projection.seq
    begun = len(world.log)
    second = world.ticket(min(world.board.queues))
    feed.offer("e1", world.log[begun:])
    body = json.loads(projection.change_since(floor).payload)
    assert list(body["set"]) == [f"entry:{second.id}"]  # neither the queue, which looks the same, nor the others
    assert f"entry:{first.id}" in cells_of(projection)


async def test_closing_ends_the_wait_for_a_gap() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    feed.offer("e1", some_events(world)[1:])
    feed.close()
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert loader.logs_read == 0
    Feed(SITE_ID, loader).close()  # nothing to end
