"""The board, and the law: whoever follows the log shows what a fresh look at the rows shows, after every command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from server.domain.board import ANNOUNCEMENTS_KEPT, Board, Changes, apply, key_of, open_entries
from server.domain.commands import CallNext, NoShow, Recall, Start, Tick, Transfer
from server.domain.events import EVENTS, DayClosed, Event, NoShowRecorded, QueueAdded, Recorded
from server.domain.model import Counter, Entry, Visit
from tests.support.worlds import (
    DAY,
    HOUR,
    MINUTE,
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
    examples,
    facts,
    follow,
    perform,
    scripts,
    small_clinic,
)


def check_law(world: World, follower: Follower, views_only: bool = False) -> None:
    truth = world.loaded()
    assert follower.shown() == drawn(follower, truth)
    if not views_only:
        assert facts(follower.board) == facts(truth)


def live_through(
    script: Sequence[Step], follower_applies: Apply = apply, views_only: bool = False, batch: int = 1
) -> list[Recorded]:
    """Live a day, and check the law after every command, or every ``batch`` of them. Return the day's log."""
    world = World()
    follower = Follower(world.first, follower_applies)
    for step in a_clinic_opens():
        follow(world, follower, perform(world, step))
        check_law(world, follower, views_only)
    heard = len(world.log)
    for index, step in enumerate(script, 1):
        perform(world, step)
        if index % batch == 0:
            follow(world, follower, world.log[heard:])
            heard = len(world.log)
            check_law(world, follower, views_only)
    return world.log


def a_clinic_opens() -> list[Step]:
    return [("add-queue", number, SECOND) for number in range(3)] + [("add-point", number, SECOND) for number in (0, 8)]


@examples(150)
@given(scripts())
def test_the_law(script: list[Step]) -> None:
    """For every command: the kept board equals the one its rows give, and the cells kept by touch equal fresh ones."""
    target(float(len({type(each.event) for each in live_through(script)})))


@examples(40)
@given(scripts(60), st.integers(2, 20))
def test_the_law_holds_for_bursts(script: list[Step], batch: int) -> None:
    """Events of many commands, heard at once, give the same cells."""
    live_through(script, batch=batch)


@pytest.mark.parametrize("seed", range(6))
def test_the_law_holds_for_long_days(seed: int) -> None:
    live_through(a_day(seed, 200))


@examples(60)
@given(scripts(60))
def test_a_board_equals_the_one_made_of_its_own_records(script: list[Step]) -> None:
    world = small_clinic()
    for step in script:
        perform(world, step)
        assert facts(Board(world.board.site, reversed(world.board.records()))) == facts(world.board)


def deaf_to(kind: type[Event]) -> Apply:
    """Return an `apply` whose branch for one kind of event does nothing."""

    def apply_most(board: Board, recorded: Recorded, changes: Changes) -> None:
        if isinstance(recorded.event, kind):
            board.site = replace(board.site, seq=recorded.seq, last_event_at=recorded.at)
        else:
            apply(board, recorded, changes)

    return apply_most


DAYS = 20  # random ones, in which each event happens


def law_breaks(kind: type[Event], views_only: bool) -> bool:
    for seed in range(DAYS):
        try:
            live_through(a_day(seed, 120), deaf_to(kind), views_only)
        except (AssertionError, KeyError, ValueError, IndexError):
            return True
    return False


# The close of a day says who closed it and why; what it ended, events of their own have ended. Its branch does nothing.
TOLD_ONLY = (DayClosed,)


@pytest.mark.parametrize("kind", [kind for kind in EVENTS.values() if kind not in TOLD_ONLY])
def test_the_law_notices_a_branch_that_does_nothing(kind: type[Event]) -> None:
    assert law_breaks(kind, views_only=False)


@pytest.mark.parametrize("kind", [kind for kind in EVENTS.values() if kind not in TOLD_ONLY])
def test_screens_notice_a_branch_that_does_nothing(kind: type[Event]) -> None:
    """Every event is seen on some screen."""
    assert law_breaks(kind, views_only=True)


def test_a_long_day_has_every_event() -> None:
    happened = {type(each.event) for seed in range(DAYS) for each in live_through(a_day(seed, 120))}
    assert happened == set(EVENTS.values())


def test_events_come_in_order_without_a_gap() -> None:
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


def test_an_event_of_no_known_kind_changes_nothing() -> None:
    class ClockStopped(Event):
        pass

    board = Board(a_site())
    before = facts(board)
    with pytest.raises(ValueError, match="ClockStopped"):
        apply(board, Recorded(1, START, "x", ClockStopped()), Changes())
    assert facts(board) == before


def test_changes_name_what_was_before_and_what_is_after() -> None:
    """Several events in one go: before is as it was before the first, after as it is after the last."""
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


def test_only_what_changed_is_named() -> None:
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


def test_the_last_ten_announcements_stay_and_all_of_the_last_two_minutes() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    world.call(min(world.board.points))
    for _ in range(14):
        world.do(Recall(entry_id=entry.id), after=5 * SECOND)
    assert len(world.board.announcements) == 15  # within 70 seconds: all are kept
    world.do(Recall(entry_id=entry.id), after=70 * SECOND)
    ages = sorted(world.now - each.at for each in world.board.announcements.values())
    assert ages == [0, *range(70 * SECOND, 120 * SECOND, 5 * SECOND)]  # eleven: one more than ten is younger than that
    for _ in range(20):
        world.do(Recall(entry_id=entry.id), after=10 * MINUTE)
    assert len(world.board.announcements) == ANNOUNCEMENTS_KEPT
    assert max(world.board.announcements.values(), key=lambda each: each.id).at == world.now
    assert facts(world.loaded()) == facts(world.board)


def test_an_announcement_of_exactly_two_minutes_ago_goes() -> None:
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


def test_the_turn_of_the_day_empties_the_board_but_keeps_the_house() -> None:
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
    assert board.site.last_id == used  # ids go on: they are never used twice
    ended = [row for row in world.rows.values() if isinstance(row, Entry)]
    assert {row.state for row in ended} == {"expired"}


def test_a_transfer_moves_the_visit_on_and_frees_the_point() -> None:
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


def test_every_step_is_stamped_and_calls_are_counted() -> None:
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


def test_keys_are_kinds_and_ids() -> None:
    world = small_clinic()
    entry = world.ticket(min(world.board.queues))
    assert key_of(world.board.visits[entry.visit_id]) == f"visit:{entry.visit_id}"
    assert key_of(entry) == f"entry:{entry.id}"
    with pytest.raises(AssertionError, match="counter"):
        key_of(next(record for record in world.board.records() if isinstance(record, Counter)))


def test_a_call_to_a_point_without_work_leaves_all_as_it_was() -> None:
    world = small_clinic()
    before = facts(world.board)
    with pytest.raises(Exception, match="Nobody is waiting"):
        world.do(CallNext(point_id=min(world.board.points)))
    assert facts(world.board) == before
    assert not any(isinstance(record, Visit) for record in world.board.records())
