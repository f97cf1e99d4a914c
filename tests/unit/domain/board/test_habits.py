"""Habits of staff: events note them, an undo takes them back, and the turn of the day closes them."""

from __future__ import annotations

import random

import pytest

from server.domain.board import habits as keeping
from server.domain.calibrating import ALL, BEFORE
from server.domain.commands import (
    AddProvider,
    BreakPoint,
    ClosePoint,
    Complete,
    Hold,
    IssueTicket,
    Leave,
    OpenPoint,
    Return,
    StaffPoint,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.model import Habits
from server.domain.model.habits import ARRIVALS_KEPT, DAYS_KEPT, GOING_ON, NO_MORE, PointDay
from server.domain.waits import PART
from tests.support.worlds import HOUR, MINUTE, SECOND, SITE_ID, Step, World, facts, perform, small_clinic


def clinic() -> tuple[World, int, int]:
    """Return a clinic with one queue and one point."""
    world = World()
    queue = world.queue()
    return world, queue, world.point(queue)


def known(world: World) -> Habits:
    habits = world.board.habits
    assert habits is not None
    assert facts(world.loaded()) == facts(world.board)
    return habits


def served(world: World, queue: int, point: int, lasts: int = 5 * MINUTE, after: int = SECOND) -> None:
    """Call the next patient ``after`` some time, and complete the service."""
    if not world.board.waiting(queue):
        world.ticket(queue)
    world.do(Start(entry_id=world.call(point).id), after=after)
    guest = world.board.entry_at(point)
    assert guest is not None
    world.do(Complete(entry_id=guest.id), after=lasts)


def day_of(world: World, point: int) -> PointDay:
    day = known(world).of_point(point)
    assert day is not None
    return day


def test_first_call_of_a_point_is_noted_with_whether_the_patient_had_waited() -> None:
    for waits, waited in ((SECOND, 0), (20 * MINUTE, 1)):
        world, queue, point = clinic()
        world.ticket(queue)
        world.now += waits - SECOND
        world.call(point)
        assert day_of(world, point) == (point, known(world).second_of(world.now), waited)
        served_at = day_of(world, point)
        called = world.board.entry_at(point)
        assert called is not None
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id))
        served(world, queue, point)
        assert day_of(world, point) == served_at, "a later call changes nothing"


def test_undone_first_call_is_forgotten() -> None:
    world, queue, point = clinic()
    world.ticket(queue)
    entry = world.call(point)
    world.do(Undo(entry_id=entry.id))
    assert known(world).points == ()


def test_test_patients_teach_nothing() -> None:
    world, queue, point = clinic()
    world.do(IssueTicket(queue_id=queue, priority="urgent", trial=True))
    world.call(point)
    assert world.board.habits is None


@pytest.mark.parametrize("command", [BreakPoint, ClosePoint])
def test_break_is_noted_with_its_begin_and_its_end(command: type[BreakPoint | ClosePoint]) -> None:
    world, queue, point = clinic()
    served(world, queue, point)
    world.do(command(point_id=point))
    began = known(world).second_of(world.now)
    assert day_of(world, point)[3:] == (began, GOING_ON)
    world.do(OpenPoint(point_id=point), after=15 * MINUTE)
    assert day_of(world, point)[3:] == (began, began + 15 * 60)


def test_break_begins_when_the_last_patient_leaves() -> None:
    world, queue, point = clinic()
    world.ticket(queue)
    entry = world.call(point)
    world.do(Start(entry_id=entry.id))
    world.do(BreakPoint(point_id=point))
    world.do(Complete(entry_id=entry.id), after=4 * MINUTE)
    freed = known(world).second_of(world.now)
    world.do(OpenPoint(point_id=point), after=10 * MINUTE)
    assert day_of(world, point)[3:] == (freed, freed + 600)


def test_break_before_the_first_call_is_none() -> None:
    world, _, point = clinic()
    world.do(BreakPoint(point_id=point))
    assert world.board.habits is None


def test_pause_while_a_patient_waits_is_noted_with_the_next_service() -> None:
    world, queue, point = clinic()
    for _ in range(3):
        world.ticket(queue)
    served(world, queue, point)
    paces = world.board.queues[queue].paces
    world.now += 2 * MINUTE
    served(world, queue, point)
    assert world.board.queues[queue].pauses == (2 * MINUTE + SECOND,)
    assert world.board.queues[queue].paces != paces
    entry = max(each.id for each in world.board.entries.values() if each.state == "completed")
    world.do(Undo(entry_id=entry))
    assert world.board.queues[queue].pauses == ()
    assert world.board.queues[queue].paces == paces
    assert len(world.board.queues[queue].durations) == 1
    assert facts(world.loaded()) == facts(world.board)


def test_idle_time_and_breaks_are_no_pauses() -> None:
    world, queue, point = clinic()
    world.ticket(queue)
    served(world, queue, point)
    world.now += 5 * MINUTE
    served(world, queue, point)  # nobody had waited
    world.ticket(queue)
    world.ticket(queue)
    served(world, queue, point)
    world.do(BreakPoint(point_id=point))
    world.do(OpenPoint(point_id=point), after=5 * MINUTE)
    served(world, queue, point)
    assert not world.board.queues[queue].pauses


def test_long_pause_is_a_break_that_nobody_announced() -> None:
    world, queue, point = clinic()
    world.ticket(queue)
    world.ticket(queue)
    served(world, queue, point)
    freed = known(world).second_of(world.now)
    world.now += 30 * MINUTE
    entry = world.call(point)
    assert day_of(world, point)[3:] == (freed, known(world).second_of(world.now))
    world.do(Undo(entry_id=entry.id))
    assert day_of(world, point)[3:] == ()


def test_patient_with_a_head_start_is_an_arrival() -> None:
    world, queue, _ = clinic()
    world.ticket(queue)
    world.ticket(queue, "assisted")
    world.ticket(queue, "urgent", after=MINUTE)
    second = known(world).second_of(world.now)
    world.ticket(queue, "emergency", after=MINUTE)
    assert known(world).arrivals[1:] == ((second, queue, 1, 45 * 60), (second + 60, queue, 0, 0))
    assert known(world).arrivals[0][2:] == (1, 20 * 60)


def test_transferred_and_returned_patients_are_arrivals_and_an_undo_takes_them_back() -> None:
    world, queue, point = clinic()
    other = world.queue("B")
    entry = world.ticket(queue)
    world.do(Hold(entry_id=entry.id), after=MINUTE)
    world.do(Return(entry_id=entry.id), after=5 * MINUTE)
    assert [each[1] for each in known(world).arrivals] == [queue]
    world.do(Undo(entry_id=entry.id))
    assert known(world).arrivals == ()
    world.do(Return(entry_id=entry.id))
    world.do(Start(entry_id=world.call(point).id))
    world.do(Transfer(entry_id=entry.id, queue_id=other))
    assert [each[1] for each in known(world).arrivals] == [queue, other]
    world.do(Undo(entry_id=entry.id))
    assert [each[1] for each in known(world).arrivals] == [queue]


def test_arrivals_of_a_day_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ARRIVALS_KEPT", 3)
    world, queue, _ = clinic()
    for _ in range(5):
        world.ticket(queue, "urgent")
    assert len(known(world).arrivals) == 3 < ARRIVALS_KEPT


def next_day(world: World) -> None:
    world.do(Tick(site_id=SITE_ID), after=24 * HOUR)


def test_turn_closes_a_day_with_calls_and_keeps_the_last_twenty() -> None:
    world, queue, point = clinic()
    world.ticket(queue, "urgent")
    served(world, queue, point)
    today = known(world)
    next_day(world)
    after = known(world)
    assert after.past == ((today.points, today.arrivals),)
    assert (after.points, after.arrivals, after.bookings) == ((), (), today.bookings)
    assert after.second_of(world.board.site.turns_at) in (23 * 3600, 24 * 3600, 25 * 3600)
    next_day(world)
    assert known(world).past == after.past, "a day without calls is not kept"
    for _ in range(DAYS_KEPT + 2):
        served(world, queue, point)
        next_day(world)
    assert len(known(world).past) == DAYS_KEPT


def test_break_that_did_not_end_is_kept_only_if_others_went_on() -> None:
    for calls, kept in ((keeping.GONE, True), (1, False)):
        world, queue, point = clinic()
        other = world.point(queue)
        served(world, queue, point)
        world.do(ClosePoint(point_id=point))
        for _ in range(calls):
            served(world, queue, other)
        next_day(world)
        [(points, _)] = known(world).past
        assert (points[0][-1] == GOING_ON) == kept


def test_staff_who_leave_without_a_word_are_gone_if_others_go_on() -> None:
    world, queue, point = clinic()
    other = world.point(queue)
    served(world, queue, point)
    freed = known(world).second_of(world.now)
    for _ in range(keeping.GONE):
        world.ticket(queue)
    world.now += 5 * MINUTE
    for _ in range(keeping.GONE):
        served(world, queue, other)
    next_day(world)
    [(points, _)] = known(world).past
    assert points[0][-2:] == (freed, GOING_ON)
    assert points[1][-1] != GOING_ON


def test_point_that_was_only_the_last_choice_has_not_gone() -> None:
    """Nobody waited: the others called each patient at once."""
    world, queue, point = clinic()
    other = world.point(queue)
    served(world, queue, point)
    for _ in range(3 * keeping.GONE):
        served(world, queue, other)
    next_day(world)
    [(points, _)] = known(world).past
    assert points[0][-1] != GOING_ON


def test_point_that_closes_while_patients_wait_has_gone_home() -> None:
    for waits, end in ((True, GOING_ON), (False, NO_MORE)):
        world, queue, point = clinic()
        other = world.point(queue)
        served(world, queue, point)
        if waits:
            world.ticket(queue)
        world.do(ClosePoint(point_id=point))
        served(world, queue, other)
        next_day(world)
        [(points, _)] = known(world).past
        assert points[0][-1] == end


def test_time_until_a_free_point_notices_a_patient_is_noted_and_undone() -> None:
    world, queue, point = clinic()
    served(world, queue, point)
    world.now += 10 * MINUTE
    world.ticket(queue)
    world.now += 2 * MINUTE
    served(world, queue, point)
    assert world.board.queues[queue].reactions == (2 * MINUTE + SECOND,)
    assert not world.board.queues[queue].pauses
    entry = max(each.id for each in world.board.entries.values() if each.state == "completed")
    world.do(Undo(entry_id=entry))
    assert world.board.queues[queue].reactions == ()
    assert facts(world.loaded()) == facts(world.board)


def test_patient_who_comes_while_a_point_may_still_pause_tells_no_reaction() -> None:
    world, queue, point = clinic()
    served(world, queue, point)
    world.now += MINUTE
    world.ticket(queue)
    world.now += MINUTE
    served(world, queue, point)
    assert not world.board.queues[queue].reactions


def test_turn_counts_the_patients_who_left_and_the_promises_that_held() -> None:
    world, queue, point = clinic()
    for _ in range(3):
        world.ticket(queue)
    gone = world.ticket(queue)
    world.do(Leave(entry_id=gone.id), after=10 * MINUTE)
    for _ in range(3):
        served(world, queue, point)
    next_day(world)
    [leaves] = known(world).leaves or ()
    assert leaves[::2] == (1, 0, 0)
    assert sum(leaves[1::2]) > 600
    groups = {row[0]: row[3] for row in known(world).shifts or ()}
    assert groups == {BEFORE: 3 * PART, ALL: 3 * PART}
    next_day(world)
    assert len(known(world).leaves or ()) == 1, "a day without calls is not counted"


def test_pace_of_the_clinician_is_learnt_with_each_service() -> None:
    world, queue, point = clinic()
    served(world, queue, point)
    [first, row] = world.board.queues[queue].paces or ()
    assert first[1] == 1
    assert row[0] == -point, "nobody is signed in"
    world.do(AddProvider(site_id=SITE_ID, name="Ada"))
    ada = max(world.board.providers)
    world.do(StaffPoint(point_id=point, provider_id=ada))
    served(world, queue, point)
    assert [each[0] for each in (world.board.queues[queue].paces or ())[1:]] == [-point, ada]


ACTIONS = (
    *("issue",) * 6,
    *("call", "start", "complete") * 4,
    *("break-point", "open-point", "close-point", "undo", "transfer", "hold", "return", "no-show", "leave", "night"),
)


@pytest.mark.parametrize("seed", range(6))
def test_rows_of_random_days_have_the_habits_of_the_log(seed: int) -> None:
    chance = random.Random(seed)
    world = small_clinic()
    for _ in range(150):
        step: Step = (chance.choice(ACTIONS), chance.randrange(1000), chance.choice((SECOND, MINUTE, 25 * MINUTE)))
        perform(world, step)
    assert facts(world.loaded()) == facts(world.board)
    assert world.board.habits is not None
    for point_id in world.board.points:
        for at in (world.now, world.now - HOUR):
            assert world.loaded().freed_at(point_id, at) == world.board.freed_at(point_id, at)
