"""Calls and services from before an outage: the question "Still valid?", and everything that answers it."""

from __future__ import annotations

import pytest

from server.domain.commands import (
    CallNext,
    ChangeSite,
    Complete,
    Confirm,
    Hold,
    Leave,
    NoShow,
    NoteOutage,
    Recall,
    Return,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import EntryNotFound, NothingChanged, NothingDue
from server.domain.events import TicketCalled
from server.domain.model import LEAST_OUTAGE, Entry
from server.domain.rules.messages import calls
from tests.support.one_entry import three_waiting
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, an_id, facts

OUTAGE = 30 * MINUTE


def outage(world: World, length: int = OUTAGE) -> None:
    """Let the servers of a clinic be off for a while, and note that at their start."""
    began = world.now
    world.do(NoteOutage(site_id=SITE_ID, offline_from=began, offline_until=began + length), after=length)


def called() -> tuple[World, Entry]:
    """Return a clinic with a patient who was called before an outage."""
    world, _ = three_waiting()
    entry = world.call(min(world.board.points))
    world.now += 2 * MINUTE
    outage(world)
    return world, world.entry(entry)


def serving() -> tuple[World, Entry]:
    """Return a clinic with a patient who was in service before an outage."""
    world, _ = three_waiting()
    entry = world.call(min(world.board.points))
    world.do(Start(entry_id=entry.id))
    outage(world)
    return world, world.entry(entry)


def test_staff_are_asked_about_calls_and_services_and_nobody_else() -> None:
    for world, entry in (called(), serving()):
        assert entry.doubt == (world.now - OUTAGE, world.now, None)
        waiting = [each for each in world.board.entries.values() if each.state == "waiting"]
        assert len(waiting) == 2
        assert all(each.doubt is None for each in waiting)
        assert world.log[-1].event.name_on_wire() == "entry-doubted"
        assert facts(world.loaded()) == facts(world.board)


def test_patient_on_hold_is_not_asked_about() -> None:
    world, entry = three_waiting()
    world.do(Hold(entry_id=entry.id))
    with pytest.raises(NothingDue):
        outage(world)


def test_call_after_the_start_of_another_process_is_no_old_one() -> None:
    """Of two processes that start together, the slower one notes the outage after the first calls."""
    world, _ = three_waiting()
    began = world.now
    world.now += OUTAGE
    entry = world.call(min(world.board.points))
    with pytest.raises(NothingDue):
        world.do(NoteOutage(site_id=SITE_ID, offline_from=began, offline_until=world.now), after=SECOND)
    assert world.entry(entry).doubt is None


def test_call_in_the_last_seconds_before_the_power_failed_is_an_old_one() -> None:
    """The last sign of life is up to one heartbeat older than the end of the work."""
    world, _ = three_waiting()
    heard = world.now
    entry = world.call(min(world.board.points))
    assert world.now > heard
    until = heard + LEAST_OUTAGE + 15 * SECOND
    world.do(NoteOutage(site_id=SITE_ID, offline_from=heard, offline_until=until), after=until - world.now)
    assert world.entry(entry).open_doubt is not None


def test_outage_is_noted_once() -> None:
    world, entry = called()
    assert entry.doubt is not None
    again = NoteOutage(site_id=SITE_ID, offline_from=entry.doubt[0], offline_until=world.now + 5 * SECOND)
    with pytest.raises(NothingDue):
        world.do(again)
    world.do(Confirm(entry_id=entry.id))
    with pytest.raises(NothingDue):
        world.do(again)


def test_next_outage_asks_again_also_after_an_answer() -> None:
    world, entry = called()
    outage(world, 10 * MINUTE)
    assert world.entry(entry).doubt == (world.now - 10 * MINUTE, world.now, None)
    world.do(Confirm(entry_id=entry.id))
    with pytest.raises(NothingDue):
        outage(world, LEAST_OUTAGE - SECOND)
    outage(world, 10 * MINUTE)
    assert world.entry(entry).open_doubt is not None


def test_turn_of_the_day_ends_what_nobody_answers() -> None:
    world, entry = called()
    world.do(Tick(site_id=SITE_ID), after=24 * 60 * MINUTE)
    assert entry.id not in world.board.entries


def test_entry_that_a_night_carries_over_is_asked_about() -> None:
    world, _ = three_waiting()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    entry = world.call(min(world.board.points))
    began = world.now
    world.do(Tick(site_id=SITE_ID), after=24 * 60 * MINUTE)
    world.do(NoteOutage(site_id=SITE_ID, offline_from=began, offline_until=world.now), after=0)
    assert world.entry(entry).open_doubt is not None


@pytest.mark.parametrize("asked", [called, serving])
def test_confirmed_patient_keeps_the_point(asked: object) -> None:
    assert callable(asked)
    world, entry = asked()
    world.do(Confirm(entry_id=entry.id))
    after = world.entry(entry)
    assert after.open_doubt is None
    assert (after.state, after.point_id, after.since, after.calls) == (entry.state, entry.point_id, entry.since, entry.calls)
    with pytest.raises(NothingChanged):
        world.do(Confirm(entry_id=entry.id))
    assert facts(world.loaded()) == facts(world.board)


def test_only_a_doubtful_entry_is_confirmed() -> None:
    world, entry = three_waiting()
    with pytest.raises(NothingChanged):
        world.do(Confirm(entry_id=entry.id))
    with pytest.raises(EntryNotFound):
        world.do(Confirm(entry_id=an_id(999)))


def test_call_again_answers_the_question() -> None:
    world, entry = called()
    world.do(Recall(entry_id=entry.id))
    assert world.entry(entry).open_doubt is None


def test_return_after_an_outage_costs_no_place() -> None:
    """The patient did not miss the call: nobody could press a button."""
    world, entry = called()
    before = entry.place
    world.do(Return(entry_id=entry.id))
    after = world.entry(entry)
    assert (after.state, after.place, after.away, after.delay, after.doubt) == ("waiting", before, 0, 0, None)
    assert world.call(min(world.board.points)).id == entry.id


def test_absence_counts_from_the_answer() -> None:
    world, entry = called()
    world.do(Confirm(entry_id=entry.id))
    world.do(Return(entry_id=entry.id), after=7 * MINUTE)
    assert world.entry(entry).away == 7 * MINUTE
    world, entry = called()
    world.do(NoShow(entry_id=entry.id))
    assert world.entry(entry).away_since == world.now
    world, entry = called()
    world.do(Hold(entry_id=entry.id))
    assert world.entry(entry).away_since == world.now


@pytest.mark.parametrize("step", [NoShow, Leave, Hold, Return])
def test_step_answers_the_question_and_its_undo_asks_again(step: type[NoShow]) -> None:
    world, entry = called()
    world.do(step(entry_id=entry.id))
    assert world.entry(entry).doubt is None
    world.do(Undo(entry_id=entry.id))
    assert world.entry(entry).doubt == entry.doubt
    assert facts(world.loaded()) == facts(world.board)


def test_transfer_answers_the_question() -> None:
    world, entry = serving()
    other = max(world.board.queues)
    world.do(Transfer(entry_id=entry.id, queue_id=other))
    assert all(each.doubt is None for each in world.board.entries.values())


def test_service_that_an_outage_interrupted_gives_no_duration() -> None:
    """Nobody knows when it ended, and the quotes of the day would grow by the outage."""
    world, entry = serving()
    queue_id = entry.queue_id
    before = world.board.queues[queue_id].durations
    world.do(Complete(entry_id=entry.id))
    assert world.board.queues[queue_id].durations == before
    world, entry = called()
    world.do(Start(entry_id=entry.id))
    assert world.entry(entry).open_doubt is None
    world.do(Complete(entry_id=entry.id), after=5 * MINUTE)
    assert world.board.queues[queue_id].durations == before
    world.do(CallNext(point_id=min(world.board.points)))
    event = world.log[-1].event
    assert isinstance(event, TicketCalled)
    world.do(Start(entry_id=event.entry_id))
    world.do(Complete(entry_id=event.entry_id), after=5 * MINUTE)
    assert len(world.board.queues[queue_id].durations) == len(before) + 1


def test_quotes_leave_the_time_of_the_outage_out() -> None:
    """Without an outage, a patient who is served for half an hour longer makes the line wait longer."""

    def first_quote(world: World) -> int:
        world.do(Tick(site_id=SITE_ID), after=MINUTE)
        [first, *_] = [each for each in world.board.entries.values() if each.state == "waiting"]
        assert first.expect_until is not None
        return first.expect_until - world.now

    interrupted, _ = serving()
    plain, _ = three_waiting()
    entry = plain.call(min(plain.board.points))
    plain.do(Start(entry_id=entry.id))
    short = first_quote(plain)
    plain.now += OUTAGE
    assert first_quote(plain) > short
    assert abs(first_quote(interrupted) - short) <= MINUTE


def test_nobody_gets_a_message_about_an_old_call() -> None:
    world, _ = three_waiting()
    world.do(ChangeSite(site_id=SITE_ID, message_ways=("sms",)))
    entry = world.call(min(world.board.points))
    assert [each.subject for each in calls(world.board, world.now)] == [f"entry:{entry.id}"]
    outage(world, LEAST_OUTAGE)
    assert calls(world.board, world.now) == []
