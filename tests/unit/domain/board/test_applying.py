"""Applying events. The law: a board and its cells that follow the log equal those of a fresh look at the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from server.domain.board import Board, Changes, apply, open_entries
from server.domain.commands import NoShow, Recall, Start, Tick, Transfer
from server.domain.events import (
    EVENTS,
    AppointmentsImported,
    DayClosed,
    Event,
    NoShowRecorded,
    QueueAdded,
    Recorded,
)
from server.domain.model import AppointmentState, Entry, State
from tests.support.extent import examples
from tests.support.worlds import (
    DAY,
    HOUR,
    SECOND,
    SITE_ID,
    START,
    Apply,
    Follower,
    Step,
    World,
    a_day,
    a_site,
    an_id,
    drawn,
    facts,
    follow,
    perform,
    scripts,
    small_clinic,
)


def check_law(world: World, follower: Follower, views_only: bool = False) -> None:
    truth = world.loaded()
    check_appointments(world)
    assert follower.shown() == drawn(follower, truth)
    if not views_only:
        assert facts(follower.board) == facts(truth)


# The state of an appointment by the state of the last entry of its visit.
STATE_BY_ENTRY: dict[State, AppointmentState] = {
    **dict.fromkeys(("waiting", "called", "serving", "held"), "checked_in"),
    "completed": "fulfilled",
    "no_show": "no_show",
    "left": "cancelled",
    "cancelled": "cancelled",
    "expired": "expired",
}


def check_appointments(world: World) -> None:
    """Assert that no two appointments take one time, and that the state of each one is that of its visit."""
    taken = [cell[:3] for cell in world.calendar.cells() if cell.held_until is None or cell.held_until > world.now]
    assert len(set(taken)) == len(taken)
    entries = [row for row in world.rows.values() if isinstance(row, Entry)]
    last = {entry.visit_id: entry for entry in sorted(entries, key=lambda entry: entry.id)}
    for appointment in world.calendar.all():
        if appointment.visit_id is None:
            assert appointment.state in ("held", "booked", "cancelled", "no_show", "expired")
        else:
            assert appointment.state == STATE_BY_ENTRY[last[appointment.visit_id].state]


def live_through(
    script: Sequence[Step], follower_applies: Apply = apply, views_only: bool = False, batch: int = 1
) -> list[Recorded]:
    """Live a day, and check the law after every ``batch`` commands. Return the day's log."""
    world = World()
    follower = Follower(world.first, follower_applies)
    for step in a_clinic_opens():
        follow(world, follower, perform(world, step))
        check_law(world, follower, views_only)
    applied = len(world.log)
    for index, step in enumerate(script, 1):
        perform(world, step)
        if index % batch == 0:
            follow(world, follower, world.log[applied:])
            applied = len(world.log)
            check_law(world, follower, views_only)
    return world.log


def a_clinic_opens() -> list[Step]:
    return [
        *(("add-queue", number, SECOND) for number in range(3)),
        *(("add-point", number, SECOND) for number in (0, 8)),
        *(("add-service", 1, SECOND), ("change-queue", 3, SECOND)),
        *(("add-provider", number, SECOND) for number in (0, 1)),
        *(("add-schedule", number, SECOND) for number in (0, 1, 6, 7, 12)),
    ]


@examples(150)
@given(scripts())
def test_followed_board_and_cells_equal_fresh_ones_after_every_command(script: list[Step]) -> None:
    """The followed board equals the one of the rows, and the cells redrawn by `touched` equal fresh ones."""
    target(float(len({type(each.event) for each in live_through(script)})))


@examples(40)
@given(scripts(60), st.integers(2, 20))
def test_law_holds_for_bursts(script: list[Step], batch: int) -> None:
    """Events of many commands, applied at once, give the same cells."""
    live_through(script, batch=batch)


@pytest.mark.parametrize("seed", range(6))
def test_law_holds_for_long_days(seed: int) -> None:
    live_through(a_day(seed, 200))


def without(kind: type[Event]) -> Apply:
    """Return an `apply` that ignores one kind of event."""

    def apply_most(board: Board, recorded: Recorded, changes: Changes) -> None:
        if isinstance(recorded.event, kind):
            board.site = replace(board.site, seq=recorded.seq, last_event_at=recorded.at)
        else:
            apply(board, recorded, changes)

    return apply_most


DAYS = 24  # random days, in which each event happens
LENGTH = 120  # commands of a random day


@cache
def happened(seed: int) -> frozenset[type[Event]]:
    """Return the kinds of the events of a random day."""
    world = World()
    for step in (*a_clinic_opens(), *a_day(seed, LENGTH)):
        perform(world, step)
    return frozenset(type(each.event) for each in world.log)


# The close of a day and the end of an import change nothing themselves: other events of the command do.
TOLD_ONLY = (DayClosed, AppointmentsImported)


@pytest.mark.parametrize("kind", [kind for kind in EVENTS.values() if kind not in TOLD_ONLY])
def test_cells_differ_if_one_event_is_not_applied(kind: type[Event]) -> None:
    """Every event changes a cell of some view."""

    def cells_differ(seed: int) -> bool:
        try:
            live_through(a_day(seed, LENGTH), without(kind), views_only=True)
        except (AssertionError, KeyError, ValueError, IndexError):
            return True
        return False

    assert any(cells_differ(seed) for seed in range(DAYS) if kind in happened(seed))


def test_random_days_have_every_event() -> None:
    assert frozenset[type[Event]]().union(*map(happened, range(DAYS))) == set(EVENTS.values())


def test_event_out_of_order_is_refused() -> None:
    board = Board(a_site(seq=4))
    event = QueueAdded(queue_id=an_id(1), name="X", prefix="A", position=0)
    before = facts(board)
    for seq in (0, 3, 4, 6, 100):
        changes = Changes()
        with pytest.raises(ValueError, match="cannot follow 4"):
            apply(board, Recorded(seq, START, "x", event), changes)
        assert facts(board) == before
        assert not changes.keys
        assert not changes.records
    apply(board, Recorded(5, START + 9, "x", event), Changes())
    assert (board.site.seq, board.site.last_event_at, board.site.last_id) == (5, START + 9, 1)


def test_event_of_unknown_kind_changes_nothing() -> None:
    class ClockStopped(Event):
        pass

    board = Board(a_site())
    before = facts(board)
    with pytest.raises(ValueError, match="ClockStopped"):
        apply(board, Recorded(1, START, "x", ClockStopped()), Changes())
    assert facts(board) == before


def test_changes_have_each_record_before_and_after() -> None:
    """For several events, a record is as before the first and as after the last."""
    world = small_clinic()
    point = min(world.board.points)
    entry = world.ticket(min(world.board.queues))
    board, changes = world.loaded(), Changes()
    begun = len(world.log)
    world.call(point)
    world.do(Start(entry_id=entry.id))
    for each in world.log[begun:]:
        apply(board, each, changes)
    assert changes.records[Entry, entry.id] == (entry, world.entry(entry))
    assert {f"entry:{entry.id}", f"point:{point}", f"queue:{entry.queue_id}"} <= changes.keys


def test_changes_name_only_changed_keys() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    first, second = world.ticket(queue_id), world.ticket(queue_id)
    called = world.call(min(world.board.points))
    changes = Changes()
    board = world.loaded()
    begun = len(world.log)
    world.do(Recall(entry_id=called.id))
    for each in world.log[begun:]:
        apply(board, each, changes)
    assert called.id == first.id
    assert f"entry:{second.id}" not in changes.keys
    assert f"queue:{queue_id}" not in changes.keys


def test_turn_of_the_day_drops_entries_and_keeps_the_set_up() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    world.ticket(max(world.board.queues))
    world.call(min(world.board.points))
    queues, points, displays = dict(world.board.queues), dict(world.board.points), dict(world.board.displays)
    used = world.board.site.last_id
    world.do(Tick(site_id=SITE_ID), after=24 * HOUR)
    board = world.board
    assert (board.queues, board.points, board.displays) == (queues, points, displays)
    assert not board.visits
    assert not board.entries
    assert not board.announcements
    assert not board.counters
    assert all(board.waiting(queue_id) == [] for queue_id in board.queues)
    assert all(board.entry_at(point_id) is None for point_id in board.points)
    assert board.latest_entry(entry.visit_id) is None
    assert board.site.business_day > DAY
    assert board.site.last_id == used  # ids are never used twice
    ended = [row for row in world.rows.values() if isinstance(row, Entry)]
    assert {row.state for row in ended} == {"expired"}


def test_transfer_moves_the_visit_and_frees_the_point() -> None:
    world = small_clinic()
    first, second, _ = sorted(world.board.queues)
    point = min(world.board.points)
    entry = world.ticket(first)
    world.call(point)
    world.do(Transfer(entry_id=entry.id, queue_id=second))
    latest = world.board.latest_entry(entry.visit_id)
    assert latest is not None
    assert (latest.queue_id, latest.state, latest.point_id, latest.calls) == (second, "waiting", None, 0)
    assert world.entry(entry).state == "transferred"
    assert world.board.entry_at(point) is None
    assert [each.entry_id for each in world.board.waiting(second)] == [latest.id]
    assert open_entries(world.board) == [latest]


def test_each_step_sets_time_and_number_and_calls_are_counted() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    assert (entry.since, entry.seq, entry.calls) == (world.now, world.log[-1].seq, 0)
    called = world.call(min(world.board.points))
    assert (called.since, called.seq, called.calls) == (world.now, world.log[-1].seq, 1)
    since = world.now
    world.do(Recall(entry_id=entry.id))
    recalled = world.entry(entry)
    assert (recalled.since, recalled.seq, recalled.calls) == (since, world.log[-1].seq, 2)
    world.do(NoShow(entry_id=entry.id))
    assert isinstance(world.log[-1].event, NoShowRecorded)
    assert (world.entry(entry).since, world.entry(entry).point_id) == (world.now, called.point_id)
    assert open_entries(world.board) == []
