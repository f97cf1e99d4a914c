"""The sums of one business day for managers, from which the figures of any period follow.

Pure. Durations are bytes (`server.domain.reporting.coarse`), counts are integers. The sums have a plain form, which the
database keeps for past days. A change of this form, or of the meaning of a sum, needs a new `VERSION`.

Each entry counts for its queue, for the hour in which it joined, and for one provider: the one at the point that called it
last, else the one that the entry names, else none (0). Test patients are in no sum.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypedDict

from server.domain import waits
from server.domain.model import BUSY_STATES, OPEN_STATES, AppointmentState, State, local_time
from server.domain.reporting.coarse import MOST_DAYS, code
from server.domain.reporting.statistics import Stage
from server.domain.reporting.timeline import timeline

VERSION = 2  # of the plain form of `DaySums`
_QUARTER = 900_000_000  # every time zone differs from UTC by whole quarters of an hour
_DAY = 86_400_000_000
SECOND_HOUR = 24  # added to an hour that the clock shows for the second time

Reason = Literal["emergency", "urgent", "assisted", "booked", "moved", "returned", "by_name", "in_order", "other"]
REASONS: tuple[Reason, ...] = (
    "emergency",
    "urgent",
    "assisted",
    "booked",
    "moved",
    "returned",
    "by_name",
    "in_order",
    "other",
)
_ENDS: tuple[State, ...] = ("completed", "no_show", "left", "cancelled", "expired", "transferred")


class Standing(NamedTuple):
    """A point from an instant on: whether it is open, and the provider who works there (0: none)."""

    since: int
    is_open: bool
    provider_id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry for the sums. ``provider_id`` is the named one, ``point_id`` the present one; ``booked``: by appointment.

    ``doubted`` marks a present call or service across an outage.
    """

    stage: Stage
    provider_id: int | None
    point_id: int | None
    booked: bool
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """An appointment of the day. ``came`` is set after the check-in, ``late`` for a cancellation that was too late."""

    service_id: int
    provider_id: int
    state: AppointmentState
    starts_at: int
    booked_at: int
    late: bool
    came: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A business day: its instants, the clock of the site, and for the present day, the present instant.

    ``points`` has the history of each point since the begin. ``reasons`` has the reason of each call, by its number in the
    log.
    """

    begin: int
    end: int
    time_zone: str
    now: int | None
    points: Mapping[int, Sequence[Standing]]
    reasons: Mapping[int, Reason]


def reason_of(text: str) -> Reason:
    """Return the kind of a reason that `server.domain.ranking.reason` or the command ``call`` gave."""
    told = text.partition(": ")[2]
    if told in ("the only one waiting", "waiting longer", "the earlier ticket"):
        return "in_order"
    exact: dict[str, Reason] = {
        "emergency": "emergency",
        "moved by staff": "moved",
        "has an appointment": "booked",
        "called by name": "by_name",
    }
    if told in exact:
        return exact[told]
    if told.endswith(" min head start"):
        priority = told.partition(",")[0]
        return priority if priority in ("urgent", "assisted") else "other"  # type: ignore[return-value]
    # "A012 before B003: B003 returned after 5 min away: 5 min later": the other patient was away.
    return "returned" if " returned after " in told else "other"


def hour_of(instant: int, time_zone: str) -> int:
    """Return the local hour, 0 to 23; the second of two equal hours has `SECOND_HOUR` added."""
    return _hour_of_quarter(instant // _QUARTER, time_zone)


@lru_cache(maxsize=50_000)  # more than the quarters of a year
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    wall = local_time.wall_clock(quarter * _QUARTER, time_zone)
    return wall.hour + SECOND_HOUR * wall.fold


NUMBERS = (
    *("tickets", "served", "no_shows", "left", "cancelled", "expired", "transferred", "open"),
    *("walk_ins", "walk_in_no_shows", "walk_in_left"),
    *("promised", "held", "early"),
    *("leaves", "before_leave"),
)
_AT = {name: index for index, name in enumerate(NUMBERS)}
SPANS = ("still", "wait", "gave_up", "walk", "service", "late")
OUTCOMES = ("booked", "cancelled_early", "cancelled_late", "missed", "kept", "to_come")


@dataclass(slots=True)
class Cell:
    """The sums of the entries of one queue, provider and hour. ``numbers`` are in the order of `NUMBERS`."""

    numbers: list[int] = field(default_factory=lambda: [0] * len(NUMBERS))
    spans: dict[str, bytearray] = field(default_factory=lambda: {name: bytearray() for name in SPANS})


@dataclass(slots=True)
class Booked:
    """The sums of the appointments of one service, provider and hour. ``numbers`` are in the order of `OUTCOMES`.

    ``lead`` has a byte for each: the days from the booking to the start.
    """

    numbers: list[int] = field(default_factory=lambda: [0] * len(OUTCOMES))
    lead: bytearray = field(default_factory=bytearray)


class Plain(TypedDict):
    """The plain form of the sums of a day. Durations are bytes in hexadecimal digits, sorted.

    A cell is a queue, a provider, an hour, the `NUMBERS`, and the durations of `SPANS`. An appointment is a service, a
    provider, an hour, the `OUTCOMES`, and the days of lead.
    """

    cells: list[list[Any]]
    appointments: list[list[Any]]
    opened: list[list[int]]
    points: list[list[int]]
    calls: list[list[Any]]


class DaySums:
    """The sums of one business day. ``opened`` is the time of open points by hour, ``points`` is by point: calls, the time
    open and the time busy; ``calls`` is by queue, provider and reason: calls, those that passed others, the passed ones.
    Times are in microseconds.
    """

    __slots__ = ("appointments", "calls", "cells", "opened", "points")

    def __init__(self) -> None:
        self.cells: defaultdict[tuple[int, int, int], Cell] = defaultdict(Cell)
        self.appointments: defaultdict[tuple[int, int, int], Booked] = defaultdict(Booked)
        self.opened: defaultdict[int, int] = defaultdict(int)
        self.points: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.calls: defaultdict[tuple[int, int, Reason], list[int]] = defaultdict(lambda: [0, 0, 0])

    def plain(self) -> Plain:
        """Return the sums as plain lists and texts, which `server.domain.reporting.insights` adds up."""
        return {
            "cells": [
                [*key, cell.numbers, *(bytes(sorted(cell.spans[name])).hex() for name in SPANS)]
                for key, cell in sorted(self.cells.items())
            ],
            "appointments": [
                [*key, each.numbers, bytes(sorted(each.lead)).hex()] for key, each in sorted(self.appointments.items())
            ],
            "opened": sorted(map(list, self.opened.items())),
            "points": [[key, *each] for key, each in sorted(self.points.items())],
            "calls": [[*key, *each] for key, each in sorted(self.calls.items())],
        }


def sums_of(day: Day, entries: Collection[Seen], appointments: Iterable[Contact]) -> DaySums:
    """Return the sums of a day from all its entries and appointments."""
    made = DaySums()
    providers: dict[int, int] = {}
    for each in entries:
        providers[each.stage.entry_id] = _add_entry(made, day, each)
    _add_calls(made, day, entries, providers)
    _add_points(made, day, entries)
    for contact in appointments:
        _add_appointment(made, day, contact)
    return made


def _add_entry(made: DaySums, day: Day, seen: Seen) -> int:
    """Add an entry; return the provider for which it counts."""
    stage = seen.stage
    times = timeline(stage.state, stage.since, stage.intervals)
    provider_id = _provider(day, seen)
    cell = made.cells[stage.queue_id, provider_id, hour_of(times.joined_at, day.time_zone)]
    numbers, spans = cell.numbers, cell.spans
    numbers[_AT["tickets"]] += times.joined_at == stage.opened_at
    is_open = stage.state in OPEN_STATES
    numbers[_AT["open"] if is_open else 1 + _ENDS.index(stage.state)] += 1
    if not seen.booked:
        numbers[_AT["walk_ins"]] += 1
        numbers[_AT["walk_in_no_shows"]] += stage.state == "no_show"
        numbers[_AT["walk_in_left"]] += stage.state == "left"
    if times.waited_for_call is not None:
        spans["wait"].append(code(times.waited_for_call))
    elif stage.state in ("left", "cancelled", "expired"):
        spans["gave_up"].append(code(times.waited))
    if stage.state == "waiting" and day.now is not None:
        spans["still"].append(code(times.waited + day.now - stage.since))
    spans["walk"].extend(code(walk) for walk in times.walks)
    if times.served is not None:
        spans["service"].append(code(times.served))
    called_at = stage.first_called_at
    if stage.quote is not None and called_at is not None:
        held = waits.held(stage.quote, called_at)
        numbers[_AT["promised"]] += 1
        numbers[_AT["held"]] += held
        numbers[_AT["early"]] += called_at < stage.quote.expect_from
        if not held:
            spans["late"].append(code(waits.missed_by(stage.quote, called_at)))
    if stage.leave_until is not None and called_at is not None:
        numbers[_AT["leaves"]] += 1
        numbers[_AT["before_leave"]] += called_at < stage.leave_until
    return provider_id


class _Stay(NamedTuple):
    """A time that an entry was called to a point, or served there. ``until`` is None while it lasts.

    ``doubted``: an outage came between, so nobody knows how long it lasted.
    """

    state: State
    since: int
    until: int | None
    point_id: int
    doubted: bool


def _stays(seen: Seen) -> list[_Stay]:
    """Return the times of an entry at points, in order. The wait before a call has the point of the call."""
    found: list[_Stay] = []
    point_id: int | None = None
    for interval in sorted(seen.stage.intervals, key=lambda each: each.ended_by):
        if interval.state == "waiting":
            point_id = interval.point_id
        elif interval.state in BUSY_STATES and point_id is not None:
            found.append(_Stay(interval.state, interval.started_at, interval.ended_at, point_id, interval.doubted))
    if seen.stage.state in BUSY_STATES and seen.point_id is not None:
        found.append(_Stay(seen.stage.state, seen.stage.since, None, seen.point_id, seen.doubted))
    return found


def _provider(day: Day, seen: Seen) -> int:
    stays = _stays(seen)
    found = _standing(day, stays[-1].point_id, stays[-1].since).provider_id if stays else 0
    return found or seen.provider_id or 0


def _standing(day: Day, point_id: int, at: int) -> Standing:
    """Return the state of a point at an instant; before the begin of the day, that of the begin."""
    history = day.points.get(point_id, ())
    index = bisect_right(history, at, key=lambda each: each.since) - 1
    return history[max(0, index)] if history else Standing(day.begin, False, 0)


def _add_calls(made: DaySums, day: Day, entries: Iterable[Seen], providers: Mapping[int, int]) -> None:
    """Count the calls by their reasons, and the waiting patients of the same queue who had joined earlier."""
    by_queue: defaultdict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)
    for each in entries:
        closed = sorted(each.stage.intervals, key=lambda interval: interval.ended_by)
        joined = closed[0].started_at if closed else each.stage.since
        steps = by_queue[each.stage.queue_id]
        started_by = 0
        for interval in closed:
            if interval.state == "waiting":
                steps.append((interval.started_at, started_by, 1, joined, each.stage.entry_id))
                steps.append((interval.ended_at, interval.ended_by, -1, joined, each.stage.entry_id))
            started_by = interval.ended_by
        if each.stage.state == "waiting":
            steps.append((each.stage.since, started_by, 1, joined, each.stage.entry_id))
    for queue_id, steps in by_queue.items():
        waiting: list[int] = []  # when the waiting entries joined, in order
        for _, seq, change, joined, entry_id in sorted(steps):
            if change > 0:
                insort(waiting, joined)
                continue
            del waiting[bisect_left(waiting, joined)]
            reason = day.reasons.get(seq)
            if reason is not None:
                passed = bisect_left(waiting, joined)
                sums = made.calls[queue_id, providers[entry_id], reason]
                sums[0] += 1
                sums[1] += passed > 0
                sums[2] += passed


def _add_points(made: DaySums, day: Day, entries: Iterable[Seen]) -> None:
    """Add the use of the points. A point counts as open between its first call and the end of its last patient.

    A call or a service across an outage counts as a call alone: its time is neither open nor busy.
    """
    busy: defaultdict[int, list[_Stay]] = defaultdict(list)
    end = day.end if day.now is None else max(day.begin, min(day.now, day.end))
    for each in entries:
        for stay in _stays(each):
            busy[stay.point_id].append(stay)
    for point_id, stays in busy.items():
        sums = made.points[point_id]
        sums[0] += sum(each.state == "called" for each in stays)
        clipped = [
            (max(day.begin, each.since), end if each.until is None else min(end, each.until), each.doubted) for each in stays
        ]
        known = [(since, until) for since, until, doubted in clipped if not doubted]
        if not known:
            continue
        sums[2] += sum(max(0, until - since) for since, until in known)
        first, last = min(since for since, _ in known), max(until for _, until in known)
        unknown = sorted((since, until) for since, until, doubted in clipped if doubted)
        history = day.points.get(point_id, ())
        for standing, until in zip(history, [*(each.since for each in history[1:]), end], strict=False):
            if standing.is_open:
                for begin, stop in _without(unknown, max(first, standing.since), min(last, until)):
                    sums[1] += _open(made, day, begin, stop)


def _without(spans: Iterable[tuple[int, int]], since: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a time outside of some spans, which are in order."""
    for begin, end in spans:
        if begin >= until:
            break
        if begin > since:
            yield since, begin
        since = max(since, end)
    if since < until:
        yield since, until


def _open(made: DaySums, day: Day, since: int, until: int) -> int:
    """Add an open time by hour; return its length."""
    at = since
    while at < until:
        following = min(until, (at // _QUARTER + 1) * _QUARTER)
        made.opened[hour_of(at, day.time_zone)] += following - at
        at = following
    return max(0, until - since)


def _add_appointment(made: DaySums, day: Day, contact: Contact) -> None:
    outcome = _outcome(contact)
    if outcome is None:
        return
    sums = made.appointments[contact.service_id, contact.provider_id, hour_of(contact.starts_at, day.time_zone)]
    sums.numbers[0] += 1
    sums.numbers[OUTCOMES.index(outcome)] += 1
    sums.lead.append(min(MOST_DAYS, max(0, contact.starts_at - contact.booked_at) // _DAY))


def _outcome(contact: Contact) -> str | None:
    """Return what became of an appointment; None if the time was kept for a visitor only and never booked."""
    match contact.state:
        case "no_show":
            return "missed"
        case "cancelled" if not contact.came:
            return "cancelled_late" if contact.late else "cancelled_early"
        case "booked":
            return "to_come"
        case "held":
            return None
        case "expired" if not contact.came:
            return None
    return "kept"
