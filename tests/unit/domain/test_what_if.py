"""What if: the control equals a day whose staff follow the model, and one point more helps."""

from __future__ import annotations

import random
from heapq import heappop, heappush
from itertools import count

import pytest

from server.domain.board import Board
from server.domain.commands import (
    AddProvider,
    BreakPoint,
    CallNext,
    Cancel,
    ClosePoint,
    Complete,
    Hold,
    IssueTicket,
    Move,
    NoShow,
    OpenPoint,
    ReassignProvider,
    Reopen,
    Reprioritise,
    Return,
    RunningLate,
    Start,
    Transfer,
    Undo,
)
from server.domain.model import Entry, Priority
from server.domain.model.local_time import MINUTE
from server.domain.ranking import next_for
from server.domain.what_if import (
    Changed,
    Day,
    Extra,
    Intake,
    PointChange,
    Waits,
    compared,
    observed,
    real_waits,
    replayed_day,
    replayed_waits,
)
from tests.support.worlds import HOUR, SECOND, SITE_ID, World, small_clinic

SEEDS = range(6)


class Morning:
    """A morning whose staff follow the model: each point calls some time after it could, and rests after a service.

    On a ``lively`` one, patients also go on hold, come late or back, and are moved or sent on while they wait.
    """

    def __init__(self, seed: int, patients: int = 60, *, lively: bool = False) -> None:
        self.chance = random.Random(seed)
        self.lively = lively
        self.world: World = small_clinic()
        self.world.board.unquoted = True  # the replay has no quotes either
        self.points = sorted(self.world.board.points)
        self.queues = sorted(self.world.board.queues)
        self.begin = Board(self.world.board.site, self.world.board.records())
        self.begun = len(self.world.log)
        self._actions: list[tuple[int, int, str, int]] = []
        self._serial = count()
        self._ready: dict[int, int] = {}
        start = self.world.now + MINUTE
        for _ in range(patients):
            self._at(start + self.chance.randrange(3 * HOUR), "arrive", 0)
        self._at(start + HOUR, "break", self.points[0])
        while self._actions:
            at, _, what, about = heappop(self._actions)
            self._do(at, what, about)
            self._look(at)
        self.ends_at = self.world.now + HOUR

    def _at(self, at: int, what: str, about: int) -> None:
        heappush(self._actions, (at, next(self._serial), what, about))

    def _command(self, at: int, command: object) -> None:
        self.world.do(command, after=at - self.world.now)  # type: ignore[arg-type]

    def _do(self, at: int, what: str, about: int) -> None:
        board, chance = self.world.board, self.chance
        if what == "arrive":
            priority: Priority = chance.choice(("standard", "standard", "standard", "urgent"))
            self._command(at, IssueTicket(queue_id=chance.choice(self.queues), priority=priority))
            if chance.random() < 0.05:
                self._at(at + 20 * MINUTE, "cancel", max(board.entries))
            if self.lively and chance.random() < 0.5:
                what = chance.choice(("hold", "late", "raise", "move", "send-on", "leave-by-mistake"))
                self._at(at + chance.randrange(SECOND, 25 * MINUTE), what, max(board.entries))
        elif what == "cancel":
            if board.entries[about].state == "waiting":
                self._command(at, Cancel(entry_id=about, reason="gone home"))
        elif what == "call":
            if self._ready.get(about) is not None and board.entry_at(about) is None and board.points[about].state == "open":
                self._command(at, CallNext(point_id=about))
                entry = board.entry_at(about)
                assert entry is not None
                missed = chance.random() < 0.1
                if not missed:
                    self._command(at, Start(entry_id=entry.id))
                if self.lively and missed and chance.random() < 0.5:
                    missed_how = chance.choice(("hold-called", "more-time", "return-called"))
                    self._at(at + chance.randrange(MINUTE, 4 * MINUTE), missed_how, about)
                    return
                self._at(at + chance.randrange(2 * MINUTE, 9 * MINUTE), "miss" if missed else "finish", about)
        elif what in ("finish", "miss"):
            entry = board.entry_at(about)
            assert entry is not None
            if what == "miss":
                self._command(at, NoShow(entry_id=entry.id))
                if self.lively and chance.random() < 0.5:
                    self._at(at + chance.randrange(MINUTE, 9 * MINUTE), "come-back", entry.id)
            elif chance.random() < 0.15 and len(self.queues) > 1:
                other = next(each for each in self.queues if each != entry.queue_id)
                self._command(at, Transfer(entry_id=entry.id, queue_id=other))
            else:
                self._command(at, Complete(entry_id=entry.id))
        elif what in ("hold-called", "more-time", "return-called"):
            entry = board.entry_at(about)
            assert entry is not None
            if what == "hold-called":
                self._command(at, Hold(entry_id=entry.id))
                self._at(at + chance.randrange(MINUTE, 9 * MINUTE), "come-back", entry.id)
            elif what == "more-time":
                self._command(at, RunningLate(entry_id=entry.id, minutes=7))
                self._at(at + chance.randrange(MINUTE, 6 * MINUTE), "come-back", entry.id)
            else:
                self._command(at, Return(entry_id=entry.id))
        elif what == "come-back":
            self._command(at, Return(entry_id=about))
        elif what in ("hold", "late", "raise", "move", "send-on", "leave-by-mistake", "here", "reopen"):
            self._do_waiting(at, what, about)
        elif what == "break":
            self._command(at, BreakPoint(point_id=about))
            self._at(at + 15 * MINUTE, "open", about)
        elif what == "open":
            self._command(at, OpenPoint(point_id=about))

    def _do_waiting(self, at: int, what: str, about: int) -> None:
        board, chance = self.world.board, self.chance
        entry = board.entries[about]
        if what == "reopen":
            self._command(at, Reopen(entry_id=about))
        elif what == "here":
            self._command(at, Return(entry_id=about) if entry.state == "held" else RunningLate(entry_id=about, minutes=0))
        elif entry.state != "waiting" or entry.absent_until is not None:
            return
        elif what == "hold":
            self._command(at, Hold(entry_id=about))
            self._at(at + chance.randrange(MINUTE, 15 * MINUTE), "here", about)
        elif what == "late":
            self._command(at, RunningLate(entry_id=about, minutes=16))
            self._at(at + chance.randrange(MINUTE, 15 * MINUTE), "here", about)
        elif what == "raise":
            self._command(at, Reprioritise(entry_id=about, priority="assisted"))
        elif what == "move":
            others = [each.entry_id for each in board.waiting(entry.queue_id) if each.band == entry.band]
            behind = chance.choice([None, *(each for each in others if each != about)])
            self._command(at, Move(entry_id=about, behind_entry_id=behind, reason="asked"))
        elif what == "send-on":
            other = next(each for each in self.queues if each != entry.queue_id)
            self._command(at, Transfer(entry_id=about, queue_id=other))
        else:
            self._command(at, Cancel(entry_id=about, reason="a mistake"))
            self._at(at + chance.randrange(MINUTE, 3 * MINUTE), "reopen", about)

    def _look(self, at: int) -> None:
        board = self.world.board
        for point in board.points.values():
            free = point.state == "open" and board.entry_at(point.id) is None and next_for(board, point) is not None
            if not free:
                self._ready.pop(point.id, None)
            elif point.id not in self._ready:
                self._ready[point.id] = at
                self._at(at + self.chance.randrange(5 * SECOND, 90 * SECOND), "call", point.id)

    def day(self) -> Day:
        return observed(self.begin, self.world.log[self.begun :], self.ends_at)


@pytest.mark.parametrize("seed", SEEDS)
def test_control_equals_a_day_whose_staff_follow_the_model(seed: int) -> None:
    day = Morning(seed).day()
    real, control = real_waits(day), replayed_waits(day)
    assert real.called > 40
    assert control == real
    assert day.left_out == {}


@pytest.mark.parametrize("seed", range(12))
def test_control_repeats_holds_returns_moves_and_transfers(seed: int) -> None:
    """Each step comes as long after the begin of the wait as on the day, so the control is the day."""
    day = Morning(seed, lively=True).day()
    control = replayed_day(day)
    assert compared(day).rows.control == compared(day).rows.real
    assert day.left_out == {}
    assert control.not_repeated == {}
    assert sum(len(lap.deeds) for stage in day.stages.values() for lap in stage.laps) > 10
    assert any(len(stage.laps) > 1 for stage in day.stages.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_that_come_too_late_are_counted(seed: int) -> None:
    """With one point more some patients are called before their hold: the replay says how many steps it did not repeat."""
    morning = Morning(seed, lively=True)
    day = morning.day()
    extra = Extra(morning.points[1], day.begins_at, day.ends_at)
    found = compared(day, Changed(extra))
    assert sum(found.not_repeated.values()) > 0
    assert set(found.not_repeated) <= {
        "hold",
        "return",
        "leave",
        "transfer",
        "reopen",
        "late",
        "here",
        "reprioritise",
        "move",
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_one_point_more_shortens_the_waits(seed: int) -> None:
    morning = Morning(seed)
    day = morning.day()
    extra = Extra(morning.points[0], day.begins_at, day.ends_at)
    control, changed = replayed_waits(day), replayed_waits(day, Changed(extra))
    assert control.median_seconds is not None
    assert changed.median_seconds is not None
    assert changed.median_seconds <= control.median_seconds
    assert changed.called >= control.called
    # A point after the day, or like no point, changes nothing.
    assert replayed_waits(day, Changed(Extra(morning.points[0], day.ends_at, day.ends_at))) == control
    assert replayed_waits(day, Changed(Extra(1, day.begins_at, day.ends_at))) == control


def test_replay_is_the_same_each_time_and_changes_no_board() -> None:
    day = Morning(1).day()
    before = day.begin.site
    changed = Changed(rules={"head_start_urgent": 0})
    assert replayed_waits(day, changed) == replayed_waits(day, changed)
    assert day.begin.site == before
    assert not day.begin.entries


def test_rules_change_the_order() -> None:
    """Without a head start, the urgent patient of this morning waits as long as the others."""
    world = small_clinic()
    point_id, queue_id = min(world.board.points), min(world.board.queues)
    begin, begun = Board(world.board.site, world.board.records()), len(world.log)
    for _ in range(4):
        world.ticket(queue_id, after=MINUTE)
    urgent = world.ticket(queue_id, priority="urgent", after=MINUTE)
    for _ in range(5):
        called = world.call(point_id)
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id), after=10 * MINUTE)
    assert world.entry(urgent).first_called_at is not None
    day = observed(begin, world.log[begun:], world.now + HOUR)
    assert replayed_waits(day) == real_waits(day)
    level = replayed_waits(day, Changed(rules={"head_start_urgent": 0, "head_start_assisted": 0}))
    assert level.longest_seconds != real_waits(day).longest_seconds
    assert level.called == 5


def test_few_waits_are_hidden() -> None:
    world = small_clinic()
    begin, begun = Board(world.board.site, world.board.records()), len(world.log)
    entry = world.ticket(min(world.board.queues))
    world.do(Hold(entry_id=entry.id))
    world.do(Return(entry_id=entry.id))
    world.call(min(world.board.points))
    day = observed(begin, world.log[begun:], world.now + HOUR)
    assert real_waits(day) == Waits(1, None, None, None, 0)
    assert replayed_waits(day) == Waits(1, None, None, None, 0)


def test_empty_day_has_no_waits() -> None:
    world = small_clinic()
    day = observed(Board(world.board.site, world.board.records()), [], world.now)
    assert real_waits(day) == replayed_waits(day) == Waits(0, None, None, None, 0)


def called_at(world: World, point_id: int, after: int) -> Entry:
    """Call the next patient some time later; return the entry."""
    world.do(CallNext(point_id=point_id), after=after)
    entry = world.board.entry_at(point_id)
    assert entry is not None
    return entry


class Line:
    """One point and one queue: tickets at given minutes, calls at once, and ten minutes at the point for each."""

    def __init__(self, minutes: list[int], *, opens: int | None = None, closes: int | None = None) -> None:
        self.world = small_clinic()
        self.world.board.unquoted = True
        self.point_id, self.queue_id = min(self.world.board.points), min(self.world.board.queues)
        for each in sorted(self.world.board.points):
            if each != self.point_id or opens is not None:
                self.world.do(ClosePoint(point_id=each))
        self.begin = Board(self.world.board.site, self.world.board.records())
        self.begun = len(self.world.log)
        self.starts_at = self.world.now
        coming = [self.starts_at + each * MINUTE for each in minutes]
        opening = None if opens is None else self.starts_at + opens * MINUTE
        closing = None if closes is None else self.starts_at + closes * MINUTE
        busy_until = 0
        guest: int | None = None
        for at in range(self.starts_at, self.starts_at + 6 * HOUR, MINUTE):
            if at == opening:
                self._do(at, OpenPoint(point_id=self.point_id))
            while coming and coming[0] <= at:
                coming.pop(0)
                self._do(at, IssueTicket(queue_id=self.queue_id))
            if guest is not None and at >= busy_until:
                self._do(at, Complete(entry_id=guest))
                guest = None
            point = self.world.board.points[self.point_id]
            if closing is not None and at >= closing and guest is None and point.state == "open":
                self._do(at, ClosePoint(point_id=self.point_id))
            elif guest is None and point.state == "open" and next_for(self.world.board, point) is not None:
                self._do(at, CallNext(point_id=self.point_id))
                entry = self.world.board.entry_at(self.point_id)
                assert entry is not None
                guest, busy_until = entry.id, at + 10 * MINUTE
                self._do(at, Start(entry_id=guest))
        self.day = observed(self.begin, self.world.log[self.begun :], self.starts_at + 6 * HOUR)

    def _do(self, at: int, command: object) -> None:
        self.world.do(command, after=at - self.world.now)  # type: ignore[arg-type]

    def waits(self, changed: Changed) -> list[int | None]:
        """Return the waits of a replay in minutes, in the order of the arrivals."""
        found = sorted(replayed_day(self.day, changed).waits, key=lambda each: each.joined_at)
        return [None if each.lasted is None else each.lasted // MINUTE for each in found]


def test_point_that_begins_and_ends_at_other_times() -> None:
    line = Line([0, 1, 2, 3, 4, 5], opens=30)
    as_it_was = [30, 39, 48, 57, 66, 75]
    assert line.waits(Changed()) == as_it_was
    for minutes in (-20, -5, 10, 45):
        change = PointChange(begins_later=minutes * MINUTE)
        for changed in (Changed(every=change), Changed(points={line.point_id: change})):
            assert line.waits(changed) == [each + minutes for each in as_it_was]
    assert line.waits(Changed(points={max(line.begin.points): PointChange(begins_later=HOUR)})) == as_it_was
    closing = Line([0, 1, 2, 3, 4, 5], opens=5, closes=45)
    assert closing.waits(Changed()) == [5, 14, 23, 32, None, None]
    assert closing.waits(Changed(every=PointChange(ends_later=20 * MINUTE))) == [5, 14, 23, 32, 41, 50]
    assert closing.waits(Changed(every=PointChange(ends_later=-20 * MINUTE))) == [5, 14, None, None, None, None]


def test_point_that_was_open_from_the_night_begins_with_its_first_call() -> None:
    """Nobody called before minute 30 on this morning, although the point stayed open overnight."""
    world = small_clinic()
    world.board.unquoted = True
    point_id, queue_id = min(world.board.points), min(world.board.queues)
    begin, begun, starts_at = Board(world.board.site, world.board.records()), len(world.log), world.now
    for _ in range(6):
        world.ticket(queue_id)
    for number in range(6):
        called = called_at(world, point_id, 30 * MINUTE if number == 0 else SECOND)
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id), after=10 * MINUTE)
    day = observed(begin, world.log[begun:], starts_at + 6 * HOUR)
    assert replayed_waits(day).median_seconds == real_waits(day).median_seconds
    for minutes in (-20, 15):
        changed = Changed(every=PointChange(begins_later=minutes * MINUTE))
        first = min(each.lasted or 0 for each in replayed_day(day, changed).waits)
        assert first // MINUTE == 30 + minutes


def test_point_that_nobody_closed_ends_with_its_last_service() -> None:
    """It stays open with waiting patients until the end of the day, and calls nobody. With a later end it goes on."""
    world = small_clinic()
    world.board.unquoted = True
    point_id, queue_id = min(world.board.points), min(world.board.queues)
    begin, begun, starts_at = Board(world.board.site, world.board.records()), len(world.log), world.now
    for _ in range(6):
        world.ticket(queue_id)
    for _ in range(4):
        called = called_at(world, point_id, MINUTE)
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id), after=10 * MINUTE)
    day = observed(begin, world.log[begun:], starts_at + 6 * HOUR)
    assert (replayed_waits(day).called, replayed_waits(day).waiting) == (4, 2)
    for minutes, called_then in ((-15, 3), (8, 5), (30, 6)):
        assert replayed_waits(day, Changed(every=PointChange(ends_later=minutes * MINUTE))).called == called_then, minutes


def test_closed_point_calls_nobody_and_another_point_takes_its_queue() -> None:
    line = Line([0, 1, 2, 3, 4, 5])
    assert line.waits(Changed(points={line.point_id: PointChange(closed=True)})) == [None] * 6
    other = next(each for each in line.begin.queues if each != line.queue_id)
    moved = PointChange(queue_ids=(other,))
    assert line.waits(Changed(points={line.point_id: moved})) == [None] * 6


@pytest.mark.parametrize("seed", SEEDS)
def test_one_point_less_lengthens_the_waits(seed: int) -> None:
    morning = Morning(seed)
    day = morning.day()
    less = replayed_waits(day, Changed(points={morning.points[0]: PointChange(closed=True)}))
    assert (less.waiting, less.longest_seconds) > (replayed_waits(day).waiting, 0)


def test_intake_lets_early_patients_wait_at_the_door_and_turns_late_ones_away() -> None:
    line = Line([0, 1, 2, 30, 60, 90])
    later = line.starts_at + 20 * MINUTE
    assert line.waits(Changed(intake=Intake(begins_at=later))) == [20, 29, 38, 20, 0, 0]
    until = replayed_day(line.day, Changed(intake=Intake(ends_at=line.starts_at + HOUR)))
    assert (len(until.waits), until.turned_away) == (4, 2)
    # An earlier opening brings nobody earlier.
    assert line.waits(Changed(intake=Intake(begins_at=line.starts_at - HOUR))) == line.waits(Changed())


def test_groups_are_by_queue_and_by_hour_and_hide_few_waits() -> None:
    line = Line([0, 1, 2, 3, 4, 5, 70])
    found = compared(line.day, Changed(intake=Intake(ends_at=line.starts_at + HOUR)))
    assert found.turned_away == 1
    assert set(found.queues) == {line.queue_id}
    assert found.names[line.queue_id] == line.begin.queues[line.queue_id].name
    assert found.queues[line.queue_id] == found.rows
    assert sum(each.real.called for each in found.hours.values()) == 7
    assert all((each - line.starts_at % HOUR) % HOUR == (-line.starts_at) % HOUR or each % HOUR == 0 for each in found.hours)
    last = list(found.hours.values())[-1]
    assert (last.real.called, last.real.median_seconds, last.changed.called) == (1, None, 0)


def test_several_changes_work_together() -> None:
    line = Line([0, 1, 2, 3, 4, 5], opens=30)
    extra = Extra(line.point_id, line.starts_at, line.starts_at + HOUR)
    intake = Intake(ends_at=line.starts_at + 5 * MINUTE)
    changed = Changed(extra, {"return_lead": 0}, {line.point_id: PointChange(closed=True)}, intake=intake)
    assert line.waits(changed) == [0, 9, 18, 27, 36]


def test_undone_steps_are_left_out_on_both_sides() -> None:
    """A call by mistake that was undone at once changes neither the record of pauses nor the waits."""
    world = small_clinic()
    world.board.unquoted = True
    point_id, queue_id = min(world.board.points), min(world.board.queues)
    begin, begun = Board(world.board.site, world.board.records()), len(world.log)
    for _ in range(6):
        world.ticket(queue_id)
    for number in range(6):
        called = called_at(world, point_id, MINUTE)
        if number % 2:
            world.do(Undo(entry_id=called.id), after=20 * SECOND)
            called = called_at(world, point_id, SECOND)
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id), after=10 * MINUTE)
    day = observed(begin, world.log[begun:], world.now + HOUR)
    assert replayed_waits(day) == real_waits(day)
    assert real_waits(day).called == 6
    assert day.left_out == {}
    assert {number for pauses in day.pauses.values() for _, number in pauses} == {True}


def test_provider_is_reassigned_again() -> None:
    world = small_clinic()
    world.board.unquoted = True
    point_id, queue_id = min(world.board.points), min(world.board.queues)
    world.do(AddProvider(site_id=SITE_ID, name="Dr Ada"))
    provider_id = max(world.board.providers)
    begin, begun = Board(world.board.site, world.board.records()), len(world.log)
    for _ in range(6):
        world.ticket(queue_id, provider_id=provider_id, after=MINUTE)
    world.do(ReassignProvider(provider_id=provider_id, to_provider_id=None, reason="ill"), after=MINUTE)
    for _ in range(6):
        called = called_at(world, point_id, MINUTE)
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id), after=MINUTE)
    day = observed(begin, world.log[begun:], world.now + HOUR)
    assert replayed_waits(day) == real_waits(day)
    assert real_waits(day).called == 6
