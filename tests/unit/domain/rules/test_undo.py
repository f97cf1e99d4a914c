"""The rule for undoing the last step of an entry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.commands import Complete, Hold, Start, Transfer, Undo
from server.domain.errors import LaterStepDepends, NotAllowed, NothingToUndo, PointBusy
from server.domain.model import COMMANDS_OF_STEP
from server.domain.rules import decide
from tests.support.one_entry import do_step, three_waiting
from tests.support.worlds import SECOND, facts, small_clinic

UNDOABLE: list[tuple[str, tuple[str, ...]]] = [
    ("ticket-called", ("call",)),
    ("service-started", ("call", "start")),
    ("service-completed", ("call", "start", "complete")),
    ("no-show-recorded", ("call", "no-show")),
    ("entry-held", ("hold",)),
    ("entry-returned", ("hold", "return")),
    ("entry-left", ("leave",)),
    ("entry-cancelled", ("cancel",)),
    ("entry-reopened", ("cancel", "reopen")),
    ("ticket-transferred", ("transfer",)),
    ("entry-reprioritised", ("reprioritise",)),
    ("entry-moved", ("move",)),
    ("patient-running-late", ("running-late",)),
]


@pytest.mark.parametrize(("event", "steps"), UNDOABLE, ids=[each[0] for each in UNDOABLE])
def test_undo_restores_the_entry(event: str, steps: tuple[str, ...]) -> None:
    """State, place, priority, calls and the running interval are as before. A second undo is refused."""
    world, entry = three_waiting()
    for step in steps[:-1]:
        do_step(world, entry, step)
    before, visit = world.entry(entry), world.board.visits[entry.visit_id]
    do_step(world, entry, steps[-1])
    assert world.log[-1].event.name_on_wire() == event
    assert event in COMMANDS_OF_STEP
    world.do(Undo(entry_id=entry.id), after=59 * SECOND)
    after = world.entry(entry)
    # The words about the wait begin again.
    assert replace(after, seq=0, undo=None, told=None) == replace(before, seq=0, undo=None, told=None)
    assert after.undo is None
    assert replace(world.board.visits[entry.visit_id], seq=0) == replace(visit, seq=0)
    assert facts(world.loaded()) == facts(world.board)
    with pytest.raises(NothingToUndo):
        world.do(Undo(entry_id=entry.id))


def test_table_names_every_step_that_can_be_undone() -> None:
    check_in = {"ticket-issued"}  # tests/unit/domain/rules/test_booking.py
    assert {event for event, _ in UNDOABLE} | check_in == set(COMMANDS_OF_STEP)


def test_undo_is_refused_after_a_minute() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "hold")
    with pytest.raises(NothingToUndo):
        world.do(Undo(entry_id=entry.id), after=60 * SECOND + 1)


def test_undo_of_a_call_withdraws_the_announcement() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    world.do(Undo(entry_id=entry.id))
    assert [each.kind for each in world.board.announcements.values()] == ["call", "withdrawn"]
    do_step(world, entry, "hold")
    world.do(Undo(entry_id=entry.id))
    assert len(world.board.announcements) == 2


def test_undo_is_refused_while_a_later_step_depends_on_it() -> None:
    """The room has the next patient, or the next stage has begun: the later step must be undone first."""
    world, entry = three_waiting()
    do_step(world, entry, "call")
    do_step(world, entry, "no-show")
    world.call(min(world.board.points))
    with pytest.raises(PointBusy):
        world.do(Undo(entry_id=entry.id))
    world, entry = three_waiting()
    do_step(world, entry, "transfer")
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    world.do(Hold(entry_id=stage.id))
    with pytest.raises(LaterStepDepends):
        world.do(Undo(entry_id=entry.id))


def test_undone_transfer_does_not_count_as_a_later_step() -> None:
    """The stage that the transfer began has ended. The visit is at the earlier stage again."""
    world = small_clinic()
    first, second, _ = sorted(world.board.queues)
    entry = world.ticket(first)
    world.call(min(world.board.points))
    world.do(Start(entry_id=entry.id))
    world.do(Transfer(entry_id=entry.id, queue_id=second))
    world.do(Undo(entry_id=entry.id))
    world.do(Complete(entry_id=entry.id))
    latest = world.board.latest_entry(entry.visit_id)
    assert latest is not None
    assert (latest.id, latest.state) == (entry.id, "completed")
    world.do(Undo(entry_id=entry.id))
    assert world.entry(entry).state == "serving"


def test_undo_needs_the_right_to_the_step() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "cancel")
    with pytest.raises(NotAllowed):
        decide(world.board, Undo(entry_id=entry.id), world.now, may=lambda name: name != "cancel")
    assert decide(world.board, Undo(entry_id=entry.id), world.now, may=lambda name: name == "cancel")
