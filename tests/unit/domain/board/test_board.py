"""The board: its indexes, its keys and its announcements."""

from __future__ import annotations

import pytest
from hypothesis import given

from server.domain.board import ANNOUNCEMENTS_KEPT, Board, key_of
from server.domain.commands import CallNext, Recall
from server.domain.model import Counter, Visit
from tests.support.bookings import a_clinic
from tests.support.extent import examples
from tests.support.worlds import MINUTE, SECOND, Step, facts, perform, scripts, small_clinic
from tests.unit.domain.rules.test_booking import FRIDAY


@examples(60)
@given(scripts(60))
def test_board_equals_one_made_of_its_records(script: list[Step]) -> None:
    world = small_clinic()
    for step in script:
        perform(world, step)
        assert facts(Board(world.board.site, reversed(world.board.records()))) == facts(world.board)


def test_last_ten_announcements_and_those_of_two_minutes_stay() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    world.call(min(world.board.points))
    for _ in range(14):
        world.do(Recall(entry_id=entry.id), after=5 * SECOND)
    assert len(world.board.announcements) == 15  # all within 70 seconds
    world.do(Recall(entry_id=entry.id), after=70 * SECOND)
    ages = sorted(world.now - each.at for each in world.board.announcements.values())
    assert ages == [0, *range(70 * SECOND, 120 * SECOND, 5 * SECOND)]  # one beyond the last ten, younger than two minutes
    for _ in range(20):
        world.do(Recall(entry_id=entry.id), after=10 * MINUTE)
    assert len(world.board.announcements) == ANNOUNCEMENTS_KEPT
    assert max(world.board.announcements.values(), key=lambda each: each.id).at == world.now
    assert facts(world.loaded()) == facts(world.board)


def test_announcement_of_exactly_two_minutes_ago_is_dropped() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    world.call(min(world.board.points))
    oldest = min(world.board.announcements)
    for _ in range(ANNOUNCEMENTS_KEPT - 1):
        world.do(Recall(entry_id=entry.id), after=0)
    world.do(Recall(entry_id=entry.id), after=120 * SECOND - 1)
    assert oldest in world.board.announcements
    world.do(Recall(entry_id=entry.id), after=1)
    assert oldest not in world.board.announcements


def test_keys_are_kinds_and_ids() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    assert key_of(world.board.visits[entry.visit_id]) == f"visit:{entry.visit_id}"
    assert key_of(entry) == f"entry:{entry.id}"
    with pytest.raises(AssertionError, match="counter"):
        key_of(next(record for record in world.board.records() if isinstance(record, Counter)))


def test_refused_call_leaves_the_board_as_it_was() -> None:
    world = small_clinic()
    before = facts(world.board)
    with pytest.raises(Exception, match="no waiting patient"):
        world.do(CallNext(point_id=min(world.board.points)))
    assert facts(world.board) == before
    assert not any(isinstance(record, Visit) for record in world.board.records())


def test_appointments_of_the_day_are_without_those_that_screens_watch() -> None:
    clinic = a_clinic()
    today, tomorrow = clinic.book(f"{FRIDAY}T12:00"), clinic.calendar.all()[-1]
    clinic.board.lend(tomorrow)
    assert {today.id, tomorrow.id} <= clinic.board.appointments.keys()
    assert [each.id for each in clinic.board.appointments_of_the_day()] == [today.id]
