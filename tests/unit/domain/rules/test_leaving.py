"""Rules for patients who leave the queue, for a while or for good, and come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.board import Board
from server.domain.commands import Complete, Hold, NoShow, Reopen, Return, RunningLate, Start, Tick
from server.domain.errors import NobodyWaiting, VisitGoesOn
from tests.support.one_entry import do_step, three_waiting, unchanged_by
from tests.support.worlds import MINUTE, SITE_ID, World


def test_late_patient_is_passed_over_and_keeps_the_place() -> None:
    world, second = three_waiting()
    point = min(world.board.points)
    world.do(Complete(entry_id=_served(world, point)))
    world.do(RunningLate(entry_id=second.id, minutes=10))
    assert world.board.absent() == {second.id: world.now + 10 * MINUTE}
    third = world.call(point)
    assert third.id != second.id
    world.do(NoShow(entry_id=third.id))
    with pytest.raises(NobodyWaiting):
        world.call(point)
    world.do(Tick(site_id=SITE_ID), after=10 * MINUTE)
    assert world.log[-1].event.name_on_wire() == "absence-ended"
    assert world.entry(second).place == second.place
    assert world.call(point).id == second.id


def _served(world: World, point: int) -> int:
    entry = world.call(point)
    world.do(Start(entry_id=entry.id))
    return entry.id


def test_late_patient_can_be_here_early() -> None:
    world, second = three_waiting()
    world.do(RunningLate(entry_id=second.id, minutes=10))
    world.do(RunningLate(entry_id=second.id, minutes=0))
    assert world.entry(second).absent_until is None
    assert world.board.absent() == {}


def test_return_places_a_patient_behind_those_of_the_last_quarter_hour() -> None:
    world, second = three_waiting()
    world.do(Hold(entry_id=second.id))
    world.do(Return(entry_id=second.id), after=5 * MINUTE)
    assert world.entry(second).place == second.place, "a short absence costs nothing"
    world.do(Hold(entry_id=second.id))
    world.do(Return(entry_id=second.id), after=60 * MINUTE)
    assert world.entry(second).due_at == world.now - 15 * MINUTE
    assert world.entry(second).place == world.now - 15 * MINUTE


def test_reopen_is_refused_while_the_visit_goes_on_elsewhere() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    do_step(world, entry, "no-show")
    world.do(Reopen(entry_id=entry.id))
    do_step(world, entry, "transfer")
    old = replace(world.entry(entry), state="cancelled")
    board = Board(world.board.site, [*(each for each in world.board.records() if each != world.entry(entry)), old])
    outcome = unchanged_by(board, Reopen(entry_id=entry.id), world.now)
    assert isinstance(outcome, VisitGoesOn)
