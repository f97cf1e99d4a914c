"""The quotes that patients get."""

from __future__ import annotations

import pytest

from server.domain.commands import BreakPoint, Complete, RunningLate, Start, Tick, Undo
from server.domain.errors import NothingDue
from tests.support.whole_clinic import BLOOD, ONE, whole_clinic
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, a_site, facts


def test_patient_gets_a_quote_with_the_ticket_and_new_ones_by_the_clock() -> None:
    """The first quote is kept. The clock gives new quotes at most every half minute, if they differ."""
    world = World()
    queue = world.queue()
    point = world.point(queue)
    entries = [world.ticket(queue) for _ in range(4)]
    quotes = [(entry.expect_from, entry.expect_until) for entry in entries]
    assert all(begin is not None and end is not None and world.now <= begin < end for begin, end in quotes)
    assert quotes == sorted(quotes)
    assert all((entry.quoted_from, entry.quoted_until) == quote for entry, quote in zip(entries, quotes, strict=True))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    with pytest.raises(NothingDue):
        world.do(Tick(site_id=SITE_ID), after=29 * SECOND)
    world.do(BreakPoint(point_id=point))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    last = world.entry(entries[-1])
    assert (last.expect_from, last.expect_until) == (None, None), "no quote while no point is open"
    assert (last.quoted_from, last.quoted_until) == quotes[-1]


def test_late_patient_is_not_expected_early() -> None:
    world = World()
    queue = world.queue()
    world.point(queue)
    entry = world.ticket(queue)
    world.do(RunningLate(entry_id=entry.id, minutes=60))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    expected = world.entry(entry).expect_from
    assert expected is not None
    assert expected >= world.now + 59 * MINUTE


def test_duration_of_a_service_is_recorded_and_undo_removes_it() -> None:
    world = World()
    queue = world.queue()
    point = world.point(queue)
    first, second = world.ticket(queue), world.ticket(queue)
    world.call(point)
    world.do(Start(entry_id=first.id), after=MINUTE)
    world.do(Complete(entry_id=first.id), after=9 * MINUTE)
    assert world.board.queues[queue].durations == (10 * MINUTE,)
    world.do(Undo(entry_id=first.id))
    assert world.board.queues[queue].durations == ()
    world.do(Complete(entry_id=first.id), after=0)
    world.call(point)
    world.do(Undo(entry_id=second.id))  # an undone call is not a service
    assert len(world.board.queues[queue].durations) == 1
    assert facts(world.loaded()) == facts(world.board)


def test_first_quote_is_kept_with_its_inputs_and_the_first_call() -> None:
    world = whole_clinic()
    first = world.ticket(BLOOD)
    second = world.ticket(BLOOD)
    assert [(each.quoted_ahead, each.quoted_points) for each in (first, second)] == [(0, 2), (1, 2)]
    wheelchair = world.ticket(BLOOD, needs=("step_free",))
    assert (wheelchair.quoted_ahead, wheelchair.quoted_points) == (2, 1)
    world.call(ONE)
    called_at = world.now
    assert world.entry(first).first_called_at == called_at
    world.do(Undo(entry_id=first.id))
    assert world.entry(first).first_called_at is None
    assert a_site().rules.names_on_display
