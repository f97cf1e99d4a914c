"""How long a call stands."""

from __future__ import annotations

import pytest

from server.domain.commands import ChangeSite, Complete, Hold, NoShow, Recall, Return, Undo
from server.domain.model import Entry
from server.domain.views import DeskView, DisplayView, PointView
from tests.support.one_entry import do_step, three_waiting
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, facts, open_sealed


def test_call_stands_for_the_minutes_of_the_site_after_the_last_recall() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    assert _cells(world, entry) == [world.now // 1000 + 600_000] * 3
    world.do(Recall(entry_id=entry.id), after=4 * MINUTE)
    assert _cells(world, entry) == [world.now // 1000 + 600_000] * 3
    recalled = world.now
    world.do(ChangeSite(site_id=SITE_ID, minutes_call_stands=3))
    assert _cells(world, entry) == [recalled // 1000 + 180_000] * 3
    assert facts(world.loaded()) == facts(world.board)


def test_changed_rule_redraws_the_open_calls() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    before = world.board.site.seq
    world.do(ChangeSite(site_id=SITE_ID, minutes_call_stands=3))
    assert world.board.site.seq == before + 1
    assert f"entry:{entry.id}" in set(DisplayView().touched(world.board, {f"entry:{entry.id}"}))


@pytest.mark.parametrize("after", ["start", "no-show", "hold"])
def test_only_a_call_has_an_end(after: str) -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    do_step(world, entry, after)
    cell = DeskView(open_sealed).cell(world.board, f"entry:{entry.id}")
    assert cell is not None
    assert cell["stands_until"] is None


def test_called_again_stands_again() -> None:
    """The time of an earlier call does not make a new call a past one. An undo restores the time."""
    world, entry = three_waiting()
    do_step(world, entry, "call")
    first = world.now
    world.do(NoShow(entry_id=entry.id), after=30 * MINUTE)
    world.do(Undo(entry_id=entry.id))
    assert _cells(world, entry) == [first // 1000 + 600_000] * 3
    world.do(Hold(entry_id=entry.id))
    world.do(Return(entry_id=entry.id))
    do_step(world, entry, "call")
    assert _cells(world, entry) == [world.now // 1000 + 600_000] * 3


def test_forgotten_call_can_return_to_the_queue() -> None:
    """The point is free, the display withdraws the call, and an undo restores the call if the point is still free."""
    world, entry = three_waiting()
    do_step(world, entry, "call")
    point_id = min(world.board.points)
    world.do(Return(entry_id=entry.id), after=113 * MINUTE)
    returned = world.entry(entry)
    assert returned.state == "waiting"
    assert world.board.entry_at(point_id) is None
    assert [each.kind for each in world.board.announcements.values()] == ["call", "withdrawn"]
    assert returned.away == 113 * MINUTE
    assert f"entry:{entry.id}" not in {
        key for key in DisplayView().keys(world.board) if DisplayView().cell(world.board, key)
    }
    world.do(Undo(entry_id=entry.id), after=5 * SECOND)
    assert world.entry(entry).state == "called"
    do_step(world, entry, "start")
    world.do(Complete(entry_id=entry.id))
    assert facts(world.loaded()) == facts(world.board)


def _cells(world: World, entry: Entry) -> list[int]:
    """Return the end of the call as the display, the desk and the room show it."""
    point_id = world.entry(entry).point_id
    assert point_id is not None
    drawn = [
        DisplayView().cell(world.board, f"entry:{entry.id}"),
        DeskView(open_sealed).cell(world.board, f"entry:{entry.id}"),
        PointView(point_id, open_sealed).cell(world.board, "guest"),
    ]
    assert all(cell is not None for cell in drawn)
    return [cell["stands_until"] for cell in drawn if cell is not None]
