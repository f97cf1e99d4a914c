"""A real day as its log tells it: arrivals, what became of each patient, and what the staff did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

from server.domain.board import Board, Changes, apply
from server.domain.events import (
    AbsenceEnded,
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
from server.domain.model import COMMANDS_OF_STEP, Entry, Priority
from server.domain.model.local_time import MINUTE
from server.domain.ranking import next_for, rank

# Events that the replay repeats as they were.
_REPEATED = (
    *(SiteChanged, ServiceAdded, ServiceChanged, ProviderAdded, ProviderChanged, QueueAdded, QueueChanged, QueueOpened),
    *(QueuePaused, PointAdded, PointChanged, PointStaffed, PointsSwapped, RecordRemoved, ProviderReassigned),
)
_FREEING = (ServiceCompleted, NoShowRecorded, TicketTransferred, EntryLeft, EntryHeld, EntryReturned)

Doing = Literal["hold", "return", "leave", "transfer", "reopen", "late", "here", "reprioritise", "move"]
End = Literal["complete", "no-show", "transfer", "hold", "return", "leave"]


@dataclass(frozen=True, slots=True)
class Deed:
    """A step of staff or of the patient while the patient waits, so many microseconds after the begin of the lap.

    ``ahead`` are the entries of the real day before a moved one, the nearest first.
    """

    doing: Doing
    after: int
    minutes: int = 0
    priority: Priority = "standard"
    ahead: tuple[int, ...] = ()


@dataclass(slots=True)
class Lap:
    """One turn of a patient: from a begin of waiting (microseconds) to the end of the call, and the way back, if any.

    ``busy`` is how long the patient kept the point, from the call on. None: the patient was not called, or was still there
    at the end of the day. ``minutes`` are those of a patient who asked for more time at the call. ``back_after`` the end,
    the patient was in the line again: ``reopened`` by mistake of the end, else returned.
    """

    began_at: int
    deeds: list[Deed] = field(default_factory=list)
    called_at: int | None = None
    busy: int | None = None
    end: End | None = None
    minutes: int = 0
    ended_at: int | None = None
    back_after: int | None = None
    reopened: bool = False


@dataclass(slots=True)
class Stage:
    """One stage of a patient on the real day. ``after`` is the stage that began by a transfer."""

    queue_id: int
    provider_id: int | None
    joined_at: int
    laps: list[Lap]
    after: Stage | None = None

    @property
    def called_at(self) -> int | None:
        """The first call."""
        return next((each.called_at for each in self.laps if each.called_at is not None), None)


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
    another point was faster, or the point began to rest, or the day ended. ``calls`` and ``freed`` are by point: the first
    call, and the last end of a service. ``entries`` are the first ids of each stage.
    """

    begin: Board
    begins_at: int
    ends_at: int
    arrivals: list[Arrival] = field(default_factory=list)
    stages: dict[int, Stage] = field(default_factory=dict)
    rests: list[Rest] = field(default_factory=list)
    opened: list[tuple[int, int]] = field(default_factory=list)  # instant and point, without a rest before
    repeated: list[Recorded] = field(default_factory=list)
    pauses: dict[int, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    calls: dict[int, int] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # of the queues, by id
    left_out: Counter[str] = field(default_factory=Counter)


def observed(begin: Board, log: Sequence[Recorded], ends_at: int) -> Day:
    """Return the day that a log tells, from the board before its first event. The board stays as it is.

    A test patient is a patient here: staff spent the same time.
    """
    return _Observer(begin, log[0].at if log else ends_at, ends_at).day_of(log)


class _Observer:
    def __init__(self, begin: Board, begins_at: int, ends_at: int) -> None:
        self._day = Day(begin, begins_at, ends_at)
        self._board = Board(begin.site, begin.records())
        self._ready = Ready()
        self._resting: dict[int, tuple[int, bool, bool]] = {}
        self._before: dict[int, tuple[list[Lap], Stage | None]] = {}  # entry -> its stage before the last step
        self._since: dict[int, int] = {}  # entry -> since when the point could call it

    def day_of(self, log: Sequence[Recorded]) -> Day:
        day = self._day
        self._ready.look(self._board, day.begins_at)
        for each in log:
            self._hear(each)
        for point_id in list(self._resting):
            self._end_rest(point_id, None)
        for point_id, since in self._ready.since.items():
            day.pauses[point_id].append((max(day.ends_at, since) - since, False))
        day.names = {each.id: each.name for each in self._board.queues.values()}
        return day

    def _hear(self, recorded: Recorded) -> None:
        day, board, event, at = self._day, self._board, recorded.event, recorded.at
        if isinstance(event, TicketIssued):
            stage = day.stages[event.entry_id] = Stage(event.queue_id, event.provider_id, at, [Lap(at)])
            day.arrivals.append(Arrival(at, event, stage))
        elif isinstance(event, PointBreakBegan | PointClosed):
            self._end_rest(event.point_id, at)
            during = board.entry_at(event.point_id) is not None
            self._resting[event.point_id] = (at, isinstance(event, PointClosed), during)
        elif isinstance(event, PointOpened):
            if event.point_id in self._resting:
                self._end_rest(event.point_id, at)
            else:
                day.opened.append((at, event.point_id))
        elif isinstance(event, _REPEATED):
            day.repeated.append(recorded)
        if isinstance(event, StepUndone):
            self._undo(event)
        else:
            self._note(event, at)
        apply(board, recorded, Changes())
        if isinstance(event, EntryMoved):
            self._note_move(event, at)
        caller = event.point_id if isinstance(event, TicketCalled) else None
        for point_id, since in self._ready.look(board, at).items():
            if point_id == caller and isinstance(event, TicketCalled):
                self._since[event.entry_id] = since
            if not isinstance(event, StepUndone):
                day.pauses[point_id].append((at - since, point_id == caller))

    def _note(self, event: Event, at: int) -> None:
        """Note a step of an entry, from the board before it."""
        entry_id = getattr(event, "entry_id", 0)
        stage, entry = self._day.stages.get(entry_id), self._board.entries.get(entry_id)
        if stage is None or entry is None:
            return
        if event.name_on_wire() in COMMANDS_OF_STEP:
            self._before[entry_id] = (deepcopy(stage.laps), stage.after)
        lap = stage.laps[-1]
        if isinstance(event, TicketCalled):
            lap.called_at = at
            self._day.calls.setdefault(event.point_id, at)
            return
        if isinstance(event, TicketTransferred):
            self._day.stages[event.new_entry_id] = Stage(event.queue_id, event.provider_id, at, [Lap(at)])
            stage.after = self._day.stages[event.new_entry_id]
        if entry.state in ("called", "serving") and entry.called_at is not None:
            self._note_end(lap, event, entry, at)
            if isinstance(event, EntryReturned):
                lap.back_after = 0
                stage.laps.append(Lap(at))
        elif isinstance(event, EntryReturned | EntryReopened) and lap.end is not None:
            lap.back_after, lap.reopened = at - (lap.ended_at or at), isinstance(event, EntryReopened)
            stage.laps.append(Lap(at))
        else:
            self._note_deed(lap, event, entry, at)

    def _note_end(self, lap: Lap, event: Event, entry: Entry, at: int) -> None:
        ends: dict[type[Event], End] = {
            ServiceCompleted: "complete",
            NoShowRecorded: "no-show",
            TicketTransferred: "transfer",
            EntryHeld: "hold",
            EntryReturned: "return",
            EntryLeft: "leave",
        }
        if isinstance(event, _FREEING):
            lap.busy, lap.end, lap.ended_at = at - (entry.called_at or at), ends[type(event)], at
            if isinstance(event, EntryHeld) and event.held_until is not None:
                lap.minutes = _minutes(event.held_until - at)
            if entry.point_id is not None:
                self._day.freed[entry.point_id] = at

    def _note_deed(self, lap: Lap, event: Event, entry: Entry, at: int) -> None:
        after = at - lap.began_at
        match event:
            case EntryLeft() | EntryCancelled() | EntryExpired():
                lap.deeds.append(Deed("leave", after))
            case TicketTransferred():
                lap.deeds.append(Deed("transfer", after))
            case EntryHeld():
                lap.deeds.append(Deed("hold", after))
            case EntryReturned():
                lap.deeds.append(Deed("return", after))
            case EntryReopened():
                lap.deeds.append(Deed("reopen", after))
            case AbsenceEnded():
                lap.deeds.append(Deed("here", after))
            case PatientRunningLate() if lap.end is None:
                lap.deeds.append(Deed("late", after, minutes=_minutes(event.absent_until - at)))
            case PatientRunningLate():  # who asked for more time at the call asks again: the way back has the whole time
                self._day.left_out[event.name_on_wire()] += 1
            case EntryReprioritised():
                lap.deeds.append(Deed("reprioritise", after, priority=event.priority))

    def _note_move(self, event: EntryMoved, at: int) -> None:
        """Note a move, from the board after it."""
        stage, entry = self._day.stages.get(event.entry_id), self._board.entries[event.entry_id]
        if stage is not None:
            line, mine = self._board.waiting(entry.queue_id), rank(entry)
            ahead = tuple(each.entry_id for each in reversed(line) if each.band == entry.band and each < mine)
            stage.laps[-1].deeds.append(Deed("move", at - stage.laps[-1].began_at, ahead=ahead))

    def _undo(self, event: StepUndone) -> None:
        """Forget an undone step: the replay has neither the step nor its undo."""
        day = self._day
        if event.step == "ticket-issued":
            gone = day.stages.pop(event.entry_id, None)
            day.arrivals = [each for each in day.arrivals if each.first is not gone]
            return
        stage, before = day.stages.get(event.entry_id), self._before.pop(event.entry_id, None)
        if stage is None or before is None:
            day.left_out[event.name_on_wire()] += 1  # a step from before this day
            return
        if stage.after is not None and stage.after is not before[1]:
            day.stages = {key: each for key, each in day.stages.items() if each is not stage.after}
        stage.laps, stage.after = before
        since = self._since.pop(event.entry_id, None)
        if event.step == "ticket-called" and event.point_id is not None and since is not None:
            pauses = day.pauses[event.point_id]
            if pauses and pauses[-1][1]:
                pauses.pop()
                self._ready.since[event.point_id] = since

    def _end_rest(self, point_id: int, at: int | None) -> None:
        if point_id in self._resting:
            begins_at, closed, during = self._resting.pop(point_id)
            self._day.rests.append(Rest(point_id, begins_at, at, closed, during))


class Ready:
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


def _minutes(length: int) -> int:
    """Return the minutes of a length (microseconds), as the command takes them."""
    return max(1, min(240, -(-length // MINUTE)))
