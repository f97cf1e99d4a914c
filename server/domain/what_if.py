"""What if: a real day once more, through `decide` and `apply`, with one point more or with other rules.

The patients of the day come when they came, with their priorities, needs and appointments. Each patient keeps a point as
long as on that day. The staff follow the day, too: each point calls after the same pauses as on that day, and has its
breaks. Only the order of calls and their times are decided again. Nothing is random.

A replay without a change is the control: its difference from the real waits is the error of this model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from statistics import median_low
from typing import Any

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddPoint,
    BreakPoint,
    CallNext,
    ClosePoint,
    Command,
    Complete,
    IssueTicket,
    Leave,
    NoShow,
    OpenPoint,
    Start,
    Transfer,
)
from server.domain.errors import NotFound, Refused
from server.domain.events import (
    EntryCancelled,
    EntryExpired,
    EntryHeld,
    EntryLeft,
    EntryMoved,
    EntryReopened,
    EntryReprioritised,
    EntryReturned,
    Event,
    NoShowRecorded,
    PatientRunningLate,
    PointAdded,
    PointBreakBegan,
    PointChanged,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    ProviderAdded,
    ProviderChanged,
    ProviderReassigned,
    QueueAdded,
    QueueChanged,
    QueueOpened,
    QueuePaused,
    Recorded,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    ServiceCompleted,
    SiteChanged,
    StepUndone,
    TicketCalled,
    TicketIssued,
    TicketTransferred,
)
from server.domain.model import Rules
from server.domain.ranking import due_when_booked, next_for, place
from server.domain.rules import decide

# Events that the replay repeats as they were.
_REPEATED = (
    *(SiteChanged, ServiceAdded, ServiceChanged, ProviderAdded, ProviderChanged, QueueAdded, QueueChanged, QueueOpened),
    *(QueuePaused, PointAdded, PointChanged, PointStaffed, PointsSwapped, RecordRemoved),
)
# Steps of staff and patients that the replay leaves out: each may make the control differ from the day.
_LEFT_OUT = (
    *(EntryHeld, EntryReturned, EntryReopened, EntryReprioritised, EntryMoved, PatientRunningLate, ProviderReassigned),
    StepUndone,
)
_FREEING = (ServiceCompleted, NoShowRecorded, TicketTransferred, EntryLeft, EntryHeld, EntryReturned)
RULES = ("head_start_urgent", "head_start_assisted", "booking_lead", "booking_grace")  # that a replay may change
_IDS_APART = 500_000_000  # new ids of a replay never meet those of the day
_SHOWN_FROM = 5  # waits: fewer could be recognised


@dataclass(slots=True)
class Stage:
    """One wait of a patient on the real day, and the time at the point after it. Instants are microseconds.

    ``busy`` is how long the patient kept the point, from the last call on. None: the patient was not called, or was still
    there at the end. ``left_at`` is the end of a wait without a call.
    """

    queue_id: int
    provider_id: int | None
    joined_at: int
    called_at: int | None = None
    busy: int | None = None
    missed: bool = False  # the patient did not come
    left_at: int | None = None
    after: Stage | None = None  # begun by a transfer


@dataclass(frozen=True, slots=True)
class Arrival:
    """A patient of the real day."""

    at: int
    issued: TicketIssued
    first: Stage


@dataclass(frozen=True, slots=True)
class Rest:
    """A time in which a point did not call: a break, or closed. ``during`` a service means that it began in one."""

    point_id: int
    begins_at: int
    ends_at: int | None
    closed: bool
    during: bool


@dataclass(slots=True)
class Day:
    """A real day, as the replay needs it.

    ``pauses`` has a record for each time at which a point could call: how long it did not, and whether it called then. Else
    another point was faster, or the point began to rest.
    """

    begin: Board
    begins_at: int
    ends_at: int
    arrivals: list[Arrival] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    opened: list[tuple[int, int]] = field(default_factory=list)  # instant and point, without a rest before
    repeated: list[Recorded] = field(default_factory=list)
    pauses: dict[int, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Extra:
    """One point more, with the queues of the point ``like``, from an instant until another (microseconds)."""

    like: int
    begins_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The changes of a replay: one point more, and other values of the rules by name."""

    extra: Extra | None = None
    rules: Mapping[str, int] = field(default_factory=dict)


NO_CHANGE = Changed()


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of a day until the first call of each stage, in seconds. Durations of fewer than five are None.

    ``waiting`` patients were not called in the end: they left, or the day ended before their call.
    """

    called: int
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None
    waiting: int


def real_waits(day: Day) -> Waits:
    """Return the waits of the real day."""
    waits = [each.called_at - each.joined_at for each in day.stages if each.called_at is not None]
    return _summed(waits, len(day.stages) - len(waits))


def _summed(waits: Sequence[int], waiting: int) -> Waits:
    seconds = sorted(each // 1_000_000 for each in waits)
    called = len(seconds)
    if called < _SHOWN_FROM:
        return Waits(called, None, None, None, waiting)
    return Waits(called, seconds[(called + 1) // 2 - 1], seconds[(9 * called + 9) // 10 - 1], seconds[-1], waiting)


def observed(begin: Board, log: Sequence[Recorded], ends_at: int) -> Day:
    """Return the day that a log tells, from the board before its first event. The board stays as it is.

    A test patient is a patient here: staff spent the same time.
    """
    day = Day(begin, log[0].at if log else ends_at, ends_at)
    board, watch = Board(begin.site, begin.records()), _Ready()
    stages: dict[int, Stage] = {}
    resting: dict[int, tuple[int, bool, bool]] = {}
    watch.look(board, day.begins_at)
    for each in log:
        event, at = each.event, each.at
        if isinstance(event, TicketIssued):
            stage = stages[event.entry_id] = Stage(event.queue_id, event.provider_id, at)
            day.arrivals.append(Arrival(at, event, stage))
            day.stages.append(stage)
        elif isinstance(event, TicketCalled) and (called := stages.get(event.entry_id)):
            if called.called_at is None:
                called.called_at = at
        elif isinstance(event, PointBreakBegan | PointClosed):
            _end_rest(day, resting, event.point_id, at)
            during = board.entry_at(event.point_id) is not None
            resting[event.point_id] = (at, isinstance(event, PointClosed), during)
        elif isinstance(event, PointOpened):
            if event.point_id in resting:
                _end_rest(day, resting, event.point_id, at)
            else:
                day.opened.append((at, event.point_id))
        elif isinstance(event, _REPEATED):
            day.repeated.append(each)
        elif isinstance(event, _LEFT_OUT):
            day.left_out[event.name_on_wire()] += 1
        _note_end(board, stages, event, at)
        if isinstance(event, TicketTransferred):
            following = stages[event.new_entry_id] = Stage(event.queue_id, event.provider_id, at)
            day.stages.append(following)
            if event.entry_id in stages:
                stages[event.entry_id].after = following
        apply(board, each, Changes())
        caller = event.point_id if isinstance(event, TicketCalled) else None
        for point_id, since in watch.look(board, at).items():
            day.pauses[point_id].append((at - since, point_id == caller))
    for point_id in list(resting):
        _end_rest(day, resting, point_id, None)
    return day


def _end_rest(day: Day, resting: dict[int, tuple[int, bool, bool]], point_id: int, at: int | None) -> None:
    if point_id in resting:
        begins_at, closed, during = resting.pop(point_id)
        day.rests.append(Rest(point_id, begins_at, at, closed, during))


def _note_end(board: Board, stages: dict[int, Stage], event: Event, at: int) -> None:
    """Note the end of a service or of a wait, from the board before the event."""
    stage = stages.get(getattr(event, "entry_id", 0))
    entry = board.entries.get(getattr(event, "entry_id", 0))
    if stage is None or entry is None:
        return
    is_busy = entry.state in ("called", "serving") and entry.called_at is not None
    if is_busy and isinstance(event, _FREEING):
        stage.busy = (stage.busy or 0) + at - (entry.called_at or at)
        stage.missed = isinstance(event, NoShowRecorded)
    if isinstance(event, EntryLeft | EntryCancelled | EntryExpired | TicketTransferred) and not is_busy:
        stage.left_at = at


class _Ready:
    """Since when each free, open point has had somebody to call."""

    def __init__(self) -> None:
        self.since: dict[int, int] = {}

    def look(self, board: Board, at: int) -> dict[int, int]:
        """Look at the board. Return the points that cannot call any more, each with the time since when it could."""
        over: dict[int, int] = {}
        for point in board.points.values():
            free = point.state == "open" and not point.removed_at and board.entry_at(point.id) is None
            if free and next_for(board, point) is not None:
                self.since.setdefault(point.id, at)
            elif point.id in self.since:
                over[point.id] = self.since.pop(point.id)
        return over


def replayed_waits(day: Day, changed: Changed = NO_CHANGE) -> Waits:
    """Return the waits of a replay of a day with changes."""
    return _Run(day, changed).waits()


# The order of actions at one instant.
_REPEAT, _DONE, _STAFF, _LEFT, _ARRIVAL, _CALL = range(6)


class _Run:
    """One replay: a board, and the actions to come, in order."""

    def __init__(self, day: Day, changed: Changed) -> None:
        self._day = day
        self._changed = changed
        site = day.begin.site
        self._board = Board(
            replace(site, last_id=site.last_id + _IDS_APART, rules=self._ruled(site.rules)), day.begin.records()
        )
        self._now = day.begins_at
        self._serial = count()
        self._actions: list[tuple[int, int, int, Any]] = []
        self._stages: dict[int, Stage] = {}
        self._joined: dict[int, int] = {}
        self._called: dict[int, int] = {}
        self._ready = _Ready()
        self._planned: dict[int, int] = {}  # point -> since when it is ready, for which its call is planned
        self._times: Counter[int] = Counter()  # by point: how often it could call
        self._like: dict[int, int] = {}  # the extra point -> the point whose pauses it has
        self._waiting_rests: dict[int, Rest] = {}  # point -> a rest that begins after the service
        self._closing: set[int] = set()  # points that close after the service
        busy = [each.busy for each in day.stages if each.busy is not None]
        self._usual_busy = median_low(busy) if busy else 0

    def _ruled(self, rules: Rules) -> Rules:
        return replace(rules, **self._changed.rules)  # type: ignore[arg-type]

    def waits(self) -> Waits:
        self._plan()
        self._look()
        while self._actions:
            at, _, _, action = heappop(self._actions)
            if at >= self._day.ends_at:
                break
            self._now = at
            action()
            self._look()
        waits = [called - self._joined[entry_id] for entry_id, called in self._called.items()]
        return _summed(waits, len(self._joined) - len(waits))

    def _plan(self) -> None:
        day, extra = self._day, self._changed.extra
        for each in day.repeated:
            self._at(each.at, _REPEAT, partial(self._happen, [self._changed_event(each.event)]))
        for rest in day.rests:
            self._at(rest.begins_at, _STAFF, partial(self._rest, rest))
        for at, point_id in day.opened:
            self._at(at, _STAFF, partial(self._do, OpenPoint(point_id=point_id)))
        for arrival in day.arrivals:
            self._at(arrival.at, _ARRIVAL, partial(self._arrive, arrival))
        if extra is not None:
            self._at(extra.begins_at, _STAFF, partial(self._add_point, extra))

    def _at(self, at: int, order: int, action: Any) -> None:
        heappush(self._actions, (at, order, next(self._serial), action))

    def _changed_event(self, event: Event) -> Event:
        return replace(event, rules=self._ruled(event.rules)) if isinstance(event, SiteChanged) else event

    def _do(self, command: Command) -> Sequence[Event]:
        """Do a command, unless the board does not allow it."""
        try:
            events = decide(self._board, command, self._now, f"what-if-{self._board.site.seq}")
        except (Refused, NotFound):
            return ()
        self._happen(events)
        return events

    def _happen(self, events: Sequence[Event]) -> None:
        for event in events:
            apply(self._board, Recorded(self._board.site.seq + 1, self._now, "what-if", event), Changes())

    # Patients

    def _arrive(self, arrival: Arrival) -> None:
        was = arrival.issued
        command = IssueTicket(
            queue_id=was.queue_id,
            priority=was.priority,
            provider_id=was.provider_id,
            party_size=was.party_size,
            needs=was.needs,
            overrule=True,
        )
        try:
            (issued,) = decide(self._board, command, self._now, f"what-if-{self._board.site.seq}")
        except (Refused, NotFound):
            return
        assert isinstance(issued, TicketIssued)
        if was.booked_for is not None:
            rules = self._board.site.rules
            due_at = due_when_booked(was.booked_for, self._now, rules)
            issued = replace(issued, due_at=due_at, place=place(due_at, was.priority, rules), booked_for=was.booked_for)
        self._happen([issued])
        self._join(issued.entry_id, arrival.first)

    def _join(self, entry_id: int, stage: Stage) -> None:
        self._stages[entry_id] = stage
        self._joined[entry_id] = self._now
        if stage.called_at is None and stage.left_at is not None:
            self._at(max(stage.left_at, self._now), _LEFT, partial(self._do, Leave(entry_id=entry_id)))

    # Points

    def _look(self) -> None:
        """Plan the call of each point that has become ready, after its next pause."""
        self._ready.look(self._board, self._now)
        for point_id, since in self._ready.since.items():
            if self._planned.get(point_id) != since:
                self._planned[point_id] = since
                pause = self._pause(point_id)
                if pause is not None:
                    self._at(since + pause, _CALL, partial(self._call, point_id, since))

    def _pause(self, point_id: int) -> int | None:
        """Return the pause of a point before its next call: that of the same time on the real day, or else a usual one.

        If the point did not call then, its pause was longer than the record. None: the point called nobody on that day.
        """
        pauses = self._day.pauses.get(self._like.get(point_id, point_id), ())
        own = [pause for pause, called in pauses if called]
        number = self._times[point_id]
        self._times[point_id] += 1
        if not own:
            return None
        if number >= len(pauses):
            return median_low(own)
        pause, called = pauses[number]
        return pause if called else pause + max(1, median_low(own))

    def _call(self, point_id: int, since: int) -> None:
        if self._ready.since.get(point_id) != since or not self._do(CallNext(point_id=point_id)):
            return  # somebody else called the patient, or the point rests
        entry = self._board.entry_at(point_id)
        assert entry is not None
        self._called.setdefault(entry.id, self._now)
        stage = self._stages.get(entry.id)
        if stage is None or not stage.missed:
            self._do(Start(entry_id=entry.id))
        if stage is None or stage.busy is not None or stage.called_at is None:
            busy = self._usual_busy if stage is None or stage.busy is None else stage.busy
            self._at(self._now + busy, _DONE, partial(self._finish, entry.id, point_id, stage))

    def _finish(self, entry_id: int, point_id: int, stage: Stage | None) -> None:
        after = None if stage is None else stage.after
        if stage is not None and stage.missed:
            done = self._do(NoShow(entry_id=entry_id))
        elif after is not None:
            done = self._do(Transfer(entry_id=entry_id, queue_id=after.queue_id, provider_id=after.provider_id))
            for each in done:
                if isinstance(each, TicketTransferred):
                    self._join(each.new_entry_id, after)
        else:
            done = self._do(Complete(entry_id=entry_id))
        if not done:  # the queue of the transfer is gone, for example
            self._do(Start(entry_id=entry_id))
            self._do(Complete(entry_id=entry_id))
        if point_id in self._waiting_rests:
            self._rest(self._waiting_rests.pop(point_id))
        if point_id in self._closing:
            self._do(ClosePoint(point_id=point_id))

    def _rest(self, rest: Rest) -> None:
        """Begin a rest, after the present service if it did not begin in one on the day. It keeps its length."""
        if not rest.during and self._board.entry_at(rest.point_id) is not None:
            self._waiting_rests[rest.point_id] = rest
            return
        self._do((ClosePoint if rest.closed else BreakPoint)(point_id=rest.point_id))
        if rest.ends_at is not None:
            ends_at = self._now + rest.ends_at - rest.begins_at
            self._at(ends_at, _STAFF, partial(self._do, OpenPoint(point_id=rest.point_id)))

    def _add_point(self, extra: Extra) -> None:
        like = self._board.points.get(extra.like)
        if like is None:
            return
        name = "+"
        while any(each.name == name for each in self._board.points.values()):
            name += "+"
        command = AddPoint(site_id=self._board.site.id, name=name, queue_ids=like.queue_ids, unmet_needs=like.unmet_needs)
        for event in self._do(command):
            if isinstance(event, PointAdded):
                self._like[event.point_id] = extra.like
                self._at(extra.ends_at, _STAFF, partial(self._close, event.point_id))

    def _close(self, point_id: int) -> None:
        if self._board.entry_at(point_id) is None:
            self._do(ClosePoint(point_id=point_id))
        else:
            self._closing.add(point_id)
