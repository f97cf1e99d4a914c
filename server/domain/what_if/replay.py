"""A real day once more, through `decide` and `apply`, with other points, hours or rules.

The patients of the day come when they came, with their priorities, needs and appointments. Each patient keeps a point as
long as on that day. The staff follow the day, too: each point calls after the same pauses as on that day, and has its
breaks. Holds, returns, moves and transfers come as long after the begin of the wait, or of the call, as on that day. Only
the order of calls and their times are decided again. Nothing is random.

A replay without a change is the control: its difference from the real waits is the error of this model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from statistics import median_low

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddPoint,
    BreakPoint,
    CallNext,
    ClosePoint,
    Command,
    Complete,
    Hold,
    IssueTicket,
    Leave,
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
)
from server.domain.errors import NotFound, Refused
from server.domain.events import (
    Event,
    PointAdded,
    PointChanged,
    ProviderReassigned,
    Recorded,
    SiteChanged,
    TicketIssued,
    TicketTransferred,
)
from server.domain.model import Rules, State, local_time
from server.domain.model.local_time import MINUTE
from server.domain.ranking import due_when_booked, place
from server.domain.rules import decide
from server.domain.what_if.changes import NO_CHANGE, Changed, Extra
from server.domain.what_if.observing import Arrival, Day, Deed, Lap, Ready, Rest, Stage
from server.domain.what_if.waits import Compared, Rows, Wait, Waits, grouped, hour_of, summed

_IDS_APART = 500_000_000  # new ids of a replay never meet those of the day
_REASON = "what-if"
# The order of actions at one instant.
_REPEAT, _DONE, _STAFF, _DEED, _ARRIVAL, _CALL = range(6)
# The states in which a deed may happen; all others while the entry waits or is on hold.
_WHEN: dict[str, tuple[State, ...]] = {"reopen": ("left", "cancelled")}
_CALLED_ONLY = ("no-show", "hold", "return", "leave")  # ends of a call whose patient was not served


def compared(day: Day, changed: Changed = NO_CHANGE) -> Compared:
    """Return the waits of a day, of its replay without a change, and of its replay with changes."""
    real, control = real_stages(day), replayed_day(day)
    other = control if changed == NO_CHANGE else replayed_day(day, changed)
    rows, zone = (real, control.waits, other.waits), day.begin.site.time_zone
    hours = grouped(lambda each: hour_of(each.joined_at, zone), *rows)
    return Compared(
        Rows(*(summed(each) for each in rows)),
        grouped(lambda each: each.queue_id, *rows),
        hours,
        day.names,
        {each: local_time.local_of(each, zone).offset_minutes for each in hours},
        day.left_out,
        other.not_repeated,
        other.turned_away,
    )


def real_waits(day: Day) -> Waits:
    """Return the waits of the real day."""
    return summed(real_stages(day))


def replayed_waits(day: Day, changed: Changed = NO_CHANGE) -> Waits:
    """Return the waits of a replay of a day with changes."""
    return summed(replayed_day(day, changed).waits)


def real_stages(day: Day) -> list[Wait]:
    """Return the wait of each stage of the real day."""
    return [
        Wait(each.queue_id, each.joined_at, None if each.called_at is None else each.called_at - each.joined_at)
        for each in day.stages.values()
    ]


class Replayed:
    """What a replay gave: the waits, the steps by kind that were not repeated, and the patients who got no ticket."""

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.not_repeated: Counter[str] = Counter()
        self.turned_away = 0


def replayed_day(day: Day, changed: Changed = NO_CHANGE) -> Replayed:
    """Replay a day with changes."""
    return _Run(day, changed).run()


class _Run:
    """One replay: a board, and the actions to come, in order."""

    def __init__(self, day: Day, changed: Changed) -> None:
        self._day = day
        self._changed = changed
        self._found = Replayed()
        site = day.begin.site
        self._board = Board(
            replace(site, last_id=site.last_id + _IDS_APART, rules=self._ruled(site.rules)), day.begin.records()
        )
        self._board.unquoted = True
        self._now = day.begins_at
        self._serial = count()
        self._actions: list[tuple[int, int, int, Callable[[], object]]] = []
        self._stages: dict[int, Stage] = {}
        self._laps: Counter[int] = Counter()  # entry -> the number of its lap
        self._ids: dict[int, int] = {}  # entry of the real day -> entry of the replay
        self._own = {id(stage): key for key, stage in day.stages.items()}
        self._joined: dict[int, tuple[int, int]] = {}  # entry -> queue and begin of the wait
        self._called: dict[int, int] = {}
        self._ready = Ready()
        self._planned: dict[int, int] = {}  # point -> since when it is ready, for which its call is planned
        self._times: Counter[int] = Counter()  # by point: how often it could call
        self._like: dict[int, int] = {}  # the extra point -> the point whose pauses it has
        self._waiting_rests: dict[int, Rest] = {}  # point -> a rest that begins after the service
        self._closing: set[int] = set()  # points that close after the service
        self._begins: dict[int, int] = {}  # point that was open from the night -> the changed begin of its first call
        self._going_on: set[int] = set()  # points that work longer
        self._have_called: set[int] = set()  # points
        busy = [lap.busy for stage in day.stages.values() for lap in stage.laps if lap.busy is not None]
        self._usual_busy = median_low(busy) if busy else 0

    def run(self) -> Replayed:
        self._plan()
        self._enforce()
        self._look()
        while self._actions:
            at, _, _, action = heappop(self._actions)
            if at >= self._day.ends_at:
                break
            self._now = at
            action()
            self._look()
        self._found.waits = [
            Wait(queue_id, joined_at, self._called[each] - joined_at if each in self._called else None)
            for each, (queue_id, joined_at) in self._joined.items()
        ]
        return self._found

    def _ruled(self, rules: Rules) -> Rules:
        return replace(rules, **self._changed.rules)  # type: ignore[arg-type]

    def _plan(self) -> None:
        day, extra = self._day, self._changed.extra
        for each in day.repeated:
            self._at(each.at, _REPEAT, partial(self._repeat, each.event))
        points = {each.point_id for each in day.rests} | {point_id for _, point_id in day.opened} | {*day.begin.points}
        for point_id in sorted(points):
            self._plan_point(point_id)
        for arrival in day.arrivals:
            self._plan_arrival(arrival)
        if extra is not None:
            self._at(extra.begins_at, _STAFF, partial(self._add_point, extra))

    def _at(self, at: int, order: int, action: Callable[[], object]) -> None:
        heappush(self._actions, (at, order, next(self._serial), action))

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

    def _repeat(self, event: Event) -> None:
        if isinstance(event, ProviderReassigned):  # other patients may wait than on the real day
            provider_id, to = event.provider_id, event.to_provider_id
            self._do(ReassignProvider(provider_id=provider_id, to_provider_id=to, reason=_REASON))
            return
        self._happen([replace(event, rules=self._ruled(event.rules)) if isinstance(event, SiteChanged) else event])
        self._enforce()

    # Patients

    def _plan_arrival(self, arrival: Arrival) -> None:
        """Plan a ticket: at the time of the real day, or when the changed times allow it."""
        at, booked_for, intake = arrival.at, arrival.issued.booked_for, self._changed.intake
        if booked_for is None:
            if intake.ends_at is not None and at >= intake.ends_at:
                self._found.turned_away += 1
                return
            at = max(at, intake.begins_at or at)
        elif (minutes := self._changed.rules.get("check_in_from")) is not None:
            at = max(at, booked_for - minutes * MINUTE)
        self._at(at, _ARRIVAL, partial(self._arrive, arrival))

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
            self._found.turned_away += 1
            return
        assert isinstance(issued, TicketIssued)
        if was.booked_for is not None:
            rules = self._board.site.rules
            due_at = due_when_booked(was.booked_for, self._now, rules)
            issued = replace(issued, due_at=due_at, place=place(due_at, was.priority, rules), booked_for=was.booked_for)
        self._happen([issued])
        self._join(issued.entry_id, arrival.first, arrival.at)

    def _join(self, entry_id: int, stage: Stage, came_at: int) -> None:
        self._stages[entry_id] = stage
        self._ids[self._own[id(stage)]] = entry_id
        self._joined[entry_id] = (stage.queue_id, came_at)
        self._begin_lap(entry_id, stage.laps[0], came_at)

    def _begin_lap(self, entry_id: int, lap: Lap, began_at: int) -> None:
        number = self._laps[entry_id]
        for deed in lap.deeds:
            self._at(max(self._now, began_at + deed.after), _DEED, partial(self._deed, entry_id, number, deed))

    def _deed(self, entry_id: int, number: int, deed: Deed) -> None:
        """Repeat a step of the patient's wait, unless the call was earlier than on the real day."""
        entry = self._board.entries.get(entry_id)
        in_time = entry is not None and entry.state in _WHEN.get(deed.doing, ("waiting", "held"))
        if not in_time or self._laps[entry_id] != number or not self._do_deed(entry_id, deed):
            self._found.not_repeated[deed.doing] += 1

    def _do_deed(self, entry_id: int, deed: Deed) -> bool:
        match deed.doing:
            case "hold":
                return bool(self._do(Hold(entry_id=entry_id)))
            case "return":
                return bool(self._do(Return(entry_id=entry_id)))
            case "leave":
                return bool(self._do(Leave(entry_id=entry_id)))
            case "reopen":
                return bool(self._do(Reopen(entry_id=entry_id)))
            case "late":
                return bool(self._do(RunningLate(entry_id=entry_id, minutes=deed.minutes)))
            case "here":
                return bool(self._do(RunningLate(entry_id=entry_id, minutes=0)))
            case "reprioritise":
                return bool(self._do(Reprioritise(entry_id=entry_id, priority=deed.priority)))
            case "move":
                return self._move(entry_id, deed)
            case "transfer":
                return self._send_on(entry_id)

    def _move(self, entry_id: int, deed: Deed) -> bool:
        """Move an entry behind the nearest one of those that were ahead on the real day and wait here; else to the front."""
        entries = self._board.entries
        waiting = (each for one in deed.ahead if (each := entries.get(self._ids.get(one, one))) and each.state == "waiting")
        mine = entries[entry_id]
        near = next((each.id for each in waiting if each.absent_until is None and each.band == mine.band), None)
        return bool(self._do(Move(entry_id=entry_id, behind_entry_id=near, reason=_REASON)))

    def _send_on(self, entry_id: int) -> bool:
        after = self._stages[entry_id].after
        if after is None:
            return False
        done = self._do(Transfer(entry_id=entry_id, queue_id=after.queue_id, provider_id=after.provider_id))
        for each in done:
            if isinstance(each, TicketTransferred):
                self._join(each.new_entry_id, after, self._now)
        return bool(done)

    # Points

    def _look(self) -> None:
        """Plan the call of each point that has become ready, after its next pause."""
        self._ready.look(self._board, self._now)
        for point_id, since in self._ready.since.items():
            if self._planned.get(point_id) != since:
                self._planned[point_id] = since
                pause = self._pause(point_id)
                if pause is not None:
                    self._at(max(since + pause, self._begins.get(point_id, 0)), _CALL, partial(self._call, point_id, since))

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
        usual = median_low(own)
        if point_id in self._begins and point_id not in self._have_called:
            return min(usual, next(pause for pause, called in pauses if called))
        if number >= len(pauses) or (point_id in self._going_on and number == len(pauses) - 1 and not pauses[number][1]):
            return usual
        pause, called = pauses[number]
        return pause if called else pause + max(1, usual)

    def _call(self, point_id: int, since: int) -> None:
        if self._ready.since.get(point_id) != since or not self._do(CallNext(point_id=point_id)):
            return  # somebody else called the patient, or the point rests
        self._have_called.add(point_id)
        entry = self._board.entry_at(point_id)
        assert entry is not None
        self._called.setdefault(entry.id, self._now)
        stage = self._stages.get(entry.id)
        lap = None if stage is None else stage.laps[self._laps[entry.id]]
        if lap is None or lap.end not in _CALLED_ONLY:
            self._do(Start(entry_id=entry.id))
        if lap is None or lap.busy is not None or lap.called_at is None:
            busy = self._usual_busy if lap is None or lap.busy is None else lap.busy
            self._at(self._now + busy, _DONE, partial(self._finish, entry.id, point_id, lap))

    def _finish(self, entry_id: int, point_id: int, lap: Lap | None) -> None:
        stage = self._stages.get(entry_id)
        if not self._end_call(entry_id, stage, lap):  # the queue of the transfer is gone, for example
            self._do(Start(entry_id=entry_id))
            self._do(Complete(entry_id=entry_id))
        elif stage is not None and lap is not None and lap.back_after is not None:
            if lap.end == "return":
                self._next_lap(entry_id, stage)
            else:
                self._at(self._now + lap.back_after, _DEED, partial(self._come_back, entry_id, stage, lap))
        if point_id in self._waiting_rests:
            self._rest(self._waiting_rests.pop(point_id))
        if point_id in self._closing:
            self._closing.discard(point_id)
            self._do(ClosePoint(point_id=point_id))

    def _end_call(self, entry_id: int, stage: Stage | None, lap: Lap | None) -> bool:
        """End a call as on the real day; a patient who was not called then and was sent on while waiting goes on now."""
        end = None if lap is None else lap.end
        if stage is not None and stage.after is not None and (end == "transfer" or lap is stage.laps[-1]):
            return self._send_on(entry_id)
        match end:
            case "no-show":
                return bool(self._do(NoShow(entry_id=entry_id)))
            case "hold" if lap is not None and lap.minutes:
                return bool(self._do(RunningLate(entry_id=entry_id, minutes=lap.minutes)))
            case "hold":
                return bool(self._do(Hold(entry_id=entry_id)))
            case "return":
                return bool(self._do(Return(entry_id=entry_id)))
            case "leave":
                return bool(self._do(Leave(entry_id=entry_id)))
        return bool(self._do(Complete(entry_id=entry_id)))

    def _come_back(self, entry_id: int, stage: Stage, lap: Lap) -> None:
        if self._do((Reopen if lap.reopened else Return)(entry_id=entry_id)):
            self._next_lap(entry_id, stage)
        else:
            self._found.not_repeated["reopen" if lap.reopened else "return"] += 1

    def _next_lap(self, entry_id: int, stage: Stage) -> None:
        self._laps[entry_id] += 1
        self._begin_lap(entry_id, stage.laps[self._laps[entry_id]], self._now)

    # The times of points

    def _plan_point(self, point_id: int) -> None:
        """Plan the opening, the rests and the closing of a point, with their changes."""
        day, change = self._day, self._changed.of(point_id)
        if change.closed:
            return
        opening = min((at for at, each in day.opened if each == point_id), default=None)
        rests = [each for each in day.rests if each.point_id == point_id]
        point = day.begin.points.get(point_id)
        if change.begins_later and opening is not None:
            opening = max(day.begins_at, opening + change.begins_later)
            opening, rests = _begun(opening, rests)
        elif change.begins_later and point is not None and point.state == "open" and point_id in day.calls:
            self._begins[point_id] = day.calls[point_id] + change.begins_later
        if change.ends_later:
            rests = self._ended(point_id, rests, change.ends_later)
        if opening is not None:
            self._at(opening, _STAFF, partial(self._do, OpenPoint(point_id=point_id)))
        for rest in rests:
            self._at(rest.begins_at, _STAFF, partial(self._rest, rest))

    def _ended(self, point_id: int, rests: list[Rest], later: int) -> list[Rest]:
        """Return the rests of a point that ends its work earlier or later."""
        closing = next((each for each in rests if each.closed and each.ends_at is None), None)
        end = self._day.freed.get(point_id) if closing is None else closing.begins_at
        if end is None:
            return rests
        end += later
        self._going_on |= {point_id} if later > 0 else set()
        kept = [
            replace(each, ends_at=None) if each.ends_at is not None and each.ends_at >= end else each
            for each in rests
            if each is not closing and each.begins_at < end
        ]
        return [*kept, Rest(point_id, end, None, closed=True, during=False)]

    def _enforce(self) -> None:
        """Keep closed points closed, and the changed queues of points as they are changed."""
        changed = self._changed
        for point in list(self._board.points.values()):
            change = changed.of(point.id)
            if change.closed and point.state != "closed" and not point.removed_at:
                self._close(point.id)
            if change.queue_ids is not None and point.queue_ids != change.queue_ids:
                event = PointChanged(
                    point_id=point.id,
                    name=point.name,
                    queue_ids=change.queue_ids,
                    unmet_needs=point.unmet_needs,
                    position=point.position,
                    names=point.names,
                )
                self._happen([event])

    def _rest(self, rest: Rest) -> None:
        """Begin a rest, after the present service if it did not begin in one on the day. It keeps its length."""
        if (rest.closed or not rest.during) and self._board.entry_at(rest.point_id) is not None:
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


def _begun(opening: int, rests: Sequence[Rest]) -> tuple[int | None, list[Rest]]:
    """Return the opening of a point that begins at a changed time, and the rests after it. None: it does not open."""
    later = []
    begins: int | None = opening
    for each in rests:
        if begins is None:
            break
        if each.begins_at > begins:
            later.append(each)
        elif each.ends_at is None or each.ends_at > begins:
            begins = each.ends_at
    return begins, later
