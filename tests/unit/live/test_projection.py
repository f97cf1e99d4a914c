"""A projection: the changes since n, the range of n, and messages that are encoded once."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from server.domain.board import Board
from server.domain.commands import NoShow, Start
from server.domain.model import local_time
from server.domain.views import CalendarView, Cell, DeskView, DisplayView, View
from server.live import projection as module
from server.live.messages import Position
from server.live.projection import stamped
from tests.support.message_screen import Screen, digest
from tests.support.worlds import head_of, open_sealed, small_clinic
from tests.unit.live.projections import NOW, a_feed, catch_up, cells_of, some_events


async def test_resume_is_possible_from_the_floor_to_the_head_only() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = world.board.site.seq
    feed.offer("e1", some_events(world))
    head = world.board.site.seq
    assert not projection.can_resume(None)
    tried = [Position("e1", stamped(DeskView.shape), seq) for seq in (0, floor - 1, floor, head, head + 1)]
    assert [projection.can_resume(each) for each in tried] == [False, False, True, True, False]
    assert not projection.can_resume(Position("e2", stamped(DeskView.shape), head))
    assert not projection.can_resume(Position("e1", stamped(DisplayView.shape), head))
    assert projection.position == Position("e1", stamped(DeskView.shape), head)


async def test_view_drawn_with_other_zone_data_is_no_place_to_resume_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offsets of a site and the days of a calendar are drawn from the zone data: for one number, releases differ."""
    views: list[View] = [CalendarView("2026-12-01", 7, open_sealed), DeskView(open_sealed), DisplayView()]
    positions = []
    for release in ("2026b", "2026c"):
        monkeypatch.setattr(local_time, "tz_version", lambda release=release: release)
        feed, _ = await a_feed(small_clinic())
        projections = list(map(feed.projection, views))
        positions.append([each.position for each in projections])
    assert [each.can_resume(at) for each, at in zip(projections, positions[0], strict=True)] == [False] * 3
    assert [each.can_resume(at) for each, at in zip(projections, positions[1], strict=True)] == [True] * 3


async def test_removed_cell_is_listed_for_screens_that_had_it() -> None:
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
    """A view whose one cell exists while an odd number of patients wait: the cell comes back."""

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


async def test_cell_that_comes_back_is_not_listed_as_removed() -> None:
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
async def test_dropped_tombstones_raise_the_floor(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
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
    answered = [projection.can_resume(screen.position) for screen in screens]
    assert answered == [False] * (6 - kept) + [True] * kept
    gone = world.log[-1].seq - 3 * kept  # the number of the newest tombstone that was dropped
    assert projection.floor == gone
    for screen in screens:
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection)
        assert digest(screen.cells) == projection.digest
    assert [screen.kinds[-1] for screen in screens] == ["change" if answer else "snapshot" for answer in answered]


async def test_change_since_one_number_is_encoded_once() -> None:
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


async def test_reload_discards_encoded_changes() -> None:
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
    assert not projection.can_resume(Position("e2", stamped(DeskView.shape), floor))


async def test_unchanged_cell_is_not_sent() -> None:
    world = small_clinic()
    first = world.ticket(min(world.board.queues))
    world.ticket(min(world.board.queues))  # keeps the next patient, and the reason, as they are
    feed, _ = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    floor = projection.seq
    begun = len(world.log)
    second = world.ticket(min(world.board.queues))
    feed.offer("e1", world.log[begun:])
    body = json.loads(projection.change_since(floor).payload)
    assert list(body["set"]) == [f"entry:{second.id}"]  # neither the queue, which looks the same, nor the others
    assert f"entry:{first.id}" in cells_of(projection)


def test_heartbeat_and_snapshot_carry_the_given_time() -> None:
    view = DeskView(open_sealed)
    projection = module.Projection(view, small_clinic().board, lambda: NOW * 1000)
    assert json.loads(projection.heartbeat().payload)["at"] == NOW
    snapshot = projection.next_message(None, 15.0)
    assert snapshot is not None
    assert json.loads(snapshot.payload)["at"] == NOW
