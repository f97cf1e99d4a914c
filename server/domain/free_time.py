"""Free time: the starts that a site offers, and the rule that takes any other start away.

The list of free times, the hold, the booking and the question why all ask this module, so that every listed time can be
booked and every other time is refused. A *window* is a time in which a provider sees patients on one date. Starts lie on its
steps of elapsed minutes. Each rule is a layer: an integer whose bit ``p`` says whether the rule allows a start ``p`` cells
after the begin of the window. A start that all layers allow is free if one lane is free for the whole time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from server.domain.board import Board
from server.domain.calendar import Times
from server.domain.errors import InvalidField, SlotNotOffered, SlotTaken
from server.domain.model import (
    CELL,
    FIRST_EXTRA_LANE,
    STEP_MINUTES,
    Appointment,
    BusyCell,
    Provider,
    Schedule,
    ScheduleException,
    Site,
    local_time,
)
from server.domain.model.hours import DAY_MINUTES
from server.domain.model.local_time import MINUTE

MOST_DAYS = 62
MOST_SLOTS = 2000
_CHUNK = 256  # cells: small integers are quick to change
_CLOCK = [f"T{minute // 60:02}:{minute % 60:02}" for minute in range(DAY_MINUTES)]

Rule = Literal["no_schedule", "past", "off_grid", "closed_site", "closed", "too_far", "too_soon", "kept", "booked", "held"]
# From the rule that takes most times away to the one that takes least. A start is refused by the last one that it meets.
_ORDER: tuple[Rule, ...] = (
    "no_schedule",
    "past",
    "off_grid",
    "closed_site",
    "closed",
    "too_far",
    "too_soon",
    "kept",
    "booked",
    "held",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody looks for. Without ``provider_id``: any provider. Without ``minutes``: the length of a step.

    The limits of patients apply with ``for_patient``. The cells of the appointments ``own`` count as free: the visitor's own
    hold, or the appointment that moves.
    """

    service_id: int
    provider_id: int | None = None
    minutes: int | None = None
    for_patient: bool = False
    own: frozenset[int] = frozenset()


class Slot(NamedTuple):
    """A free start at a provider. ``left`` appointments can still take exactly this time."""

    local_start: str
    fold: int
    offset_minutes: int
    starts_at: int
    minutes: int
    provider_id: int
    left: int


class Offer(NamedTuple):
    """Where and when an appointment takes place: the person, the room and the lane that are free for the whole time."""

    provider_id: int
    resource_id: int
    point_id: int | None
    local_start: str
    fold: int
    starts_at: int
    ends_at: int
    minutes: int
    buffer_minutes: int
    lane: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The ``rule`` that takes a start away; None: the start is free.

    ``schedule`` is the weekly window or the extra time that contains the start, ``closure`` the exception that closes it.
    """

    local_start: str
    fold: int
    starts_at: int
    rule: Rule | None
    provider_id: int | None = None
    schedule: Schedule | ScheduleException | None = None
    closure: ScheduleException | None = None


def slots(
    board: Board, calendar: Times, wanted: Wanted, from_date: str, until_date: str, now: int, limit: int = MOST_SLOTS
) -> list[Slot]:
    """Return the free starts on the local dates ``from_date`` to ``until_date`` (both included), by time, then by provider.

    The calendar is read once. Raises `InvalidField` for dates that do not exist, for more than `MOST_DAYS` days, and for a
    length that is no multiple of five minutes.
    """

    def read(resource_ids: Collection[int], from_cell: int, until_cell: int) -> Iterator[TakenBits]:
        return _bits_of(_taking(calendar.busy(resource_ids, from_cell, until_cell), wanted, now))

    return slots_beside(board, read, wanted, from_date, until_date, now, limit)


class TakenBits(NamedTuple):
    """Cells of a lane that are taken: bit ``p`` of ``bits`` stands for the cell ``cell + p``."""

    resource_id: int
    lane: int
    cell: int
    bits: int


ReadTaken = Callable[[Collection[int], int, int], Iterable[TakenBits]]


def slots_beside(
    board: Board, read: ReadTaken, wanted: Wanted, from_date: str, until_date: str, now: int, limit: int = MOST_SLOTS
) -> list[Slot]:
    """Return what `slots` returns, with the taken cells from ``read`` instead of a calendar.

    ``read`` gets the people and rooms, the first cell, and the cell after the last one. It leaves out lapsed holds, the
    cells of the appointments ``own`` of ``wanted``, and the lanes of overbookings.
    """
    first, last = local_time.date_of(from_date, "from").toordinal(), local_time.date_of(until_date, "until").toordinal()
    if not 0 <= last - first < MOST_DAYS:
        raise InvalidField(field="until", problem=f"must be on the date from, or up to {MOST_DAYS - 1} days later")
    hours = _Hours(board.site, board.schedules.values(), board.exceptions.values())
    limits = _Limits(board.site, wanted, now)
    windows = [
        (day, hours.windows(day, wanted, _providers(board, wanted)))
        for day in (_day(date.fromordinal(each).isoformat(), board.site.time_zone) for each in range(first, last + 1))
    ]
    every = [each for _, found in windows for each in found]
    if not every:
        return []
    from_cell, until_cell = min(each.begin for each in every) // CELL, max(_until(each, each.end) for each in every)
    busy = _Busy(read(_resources(every), from_cell, until_cell), from_cell)
    offered: list[Slot] = []
    for day, found in windows:
        of_day: dict[_Key, Slot] = {}
        for window in found:
            minutes = wanted.minutes or window.source.slot_minutes
            allowed = -1
            for _, mask, _ in _layers(window, minutes, day, hours, limits):
                allowed &= mask
            if allowed:
                _list(window, minutes, allowed, busy, day, of_day)
        offered += (of_day[key] for key in sorted(of_day))
        if len(offered) >= limit:
            break
    return offered[:limit]


def offers_at(board: Board, calendar: Times, wanted: Wanted, local_start: str, fold: int, now: int) -> list[Offer]:
    """Return an offer of each provider that can take exactly this start, in the order of the providers.

    The calendar is read once, at most. Raises `SlotTaken` if appointments or holds take the time at every provider, and
    `SlotNotOffered` with the reason if no provider offers it. Raises `InvalidField` and `NoSuchLocalTime` for a
    start that is no local time.
    """
    offers, whys = _judge(board, calendar, wanted, local_start, fold, now)
    if offers:
        return offers
    rule = _last(whys).rule
    if rule in ("booked", "held"):
        raise SlotTaken(local_start=local_start, reason=rule)
    raise SlotNotOffered(local_start=local_start, reason=rule)


def why(board: Board, calendar: Times, wanted: Wanted, local_start: str, fold: int, now: int) -> Why:
    """Return the rule that takes a start away at every provider. Raises like `offers_at`, but not for the start itself."""
    _, whys = _judge(board, calendar, wanted, local_start, fold, now)
    return _last(whys)


def within_hours(
    site: Site,
    schedules: Iterable[Schedule],
    exceptions: Iterable[ScheduleException],
    appointments: Iterable[Appointment],
) -> set[int]:
    """Return the ids of the appointments that lie in the hours of their provider, at a step of them or not."""
    hours, zone = _Hours(site, schedules, exceptions), site.time_zone
    return {
        each.id
        for each in appointments
        if hours.contain(each, _day(local_time.local_of(each.starts_at, zone).local[:10], zone))
    }


def free_lane(
    calendar: Times, place: Offer | Appointment, now: int, lanes: range, own: frozenset[int] = frozenset()
) -> int | None:
    """Return the first of these lanes that is free for the whole time of a place, its buffer included, or None.

    The hours do not matter. The cells of an appointment do not block itself, nor do those of the appointments ``own``.
    """
    if isinstance(place, Appointment):
        own |= {place.id}
    from_cell = place.starts_at // CELL
    until_cell = -(-(place.ends_at + place.buffer_minutes * MINUTE) // CELL)
    person, room = place.resource_id, place.point_id
    resources = {person} if room is None else {person, room}
    # A room has one usual lane: whatever takes it in any of them takes it in all. Each extra lane stands for itself.
    taken = {
        (each.resource_id, lane)
        for each in calendar.busy(resources, from_cell, until_cell)
        if _takes(each, now, own)
        for lane in (range(FIRST_EXTRA_LANE) if each.resource_id == room and each.lane < FIRST_EXTRA_LANE else (each.lane,))
    }
    return next((lane for lane in lanes if not any((each, lane) in taken for each in resources)), None)


def usual_minutes(board: Board, provider_id: int, local_start: str) -> int | None:
    """Return the length of a step at a provider and a local time: of the window there, or else of another one that day."""
    day = _day(local_start[:10], board.site.time_zone)
    hours = _Hours(board.site, board.schedules.values(), board.exceptions.values())
    of_day = [each for each in hours.sources(day) if each.provider_id == provider_id]
    minute = int(local_start[11:13]) * 60 + int(local_start[14:])
    there = [each for each in of_day if each.from_minute <= minute < each.until_minute]
    return next((each.slot_minutes for each in there + of_day), None)


class OpenTime(NamedTuple):
    """A time in which a provider sees patients. Nothing of it is closed; it may be booked."""

    begin: int
    end: int
    provider_id: int
    service_ids: tuple[int, ...]
    point_id: int | None
    slot_minutes: int
    capacity: int


def open_times(board: Board, iso: str) -> list[OpenTime]:
    """Return the times of a local date in which the providers in use see patients, by begin, then by provider."""
    hours = _Hours(board.site, board.schedules.values(), board.exceptions.values())
    day = _day(iso, board.site.time_zone)
    if hours.is_site_closed(day):
        return []
    found = []
    for source in hours.sources(day):
        provider = board.providers.get(source.provider_id or 0)
        if provider is None or provider.removed_at:
            continue
        parts = [(day.first(source.from_minute), day.last(source.until_minute))]
        for closed in hours.closures(day, provider.id):
            parts = [
                part
                for begin, end in parts
                for part in ((begin, min(end, closed.begin)), (max(begin, closed.end), end))
                if part[0] < part[1]
            ]
        about = (provider.id, source.service_ids, source.point_id, source.slot_minutes, source.capacity)
        found += [OpenTime(begin, end, *about) for begin, end in parts]
    return sorted(found, key=lambda each: (each.begin, board.providers[each.provider_id].position, each.provider_id))


class _Day(NamedTuple):
    """A date at a time zone. On most dates the clock stays: then ``midnight`` and ``offset_minutes`` give every instant."""

    iso: str
    zone: str
    ordinal: int
    midnight: int | None
    offset_minutes: int

    def first(self, minute: int) -> int:
        if self.midnight is None:
            return local_time.first_instant(self.iso, self.zone, minute)
        return self.midnight + minute * MINUTE

    def last(self, minute: int) -> int:
        if self.midnight is None:
            return local_time.last_instant(self.iso, self.zone, minute)
        return self.midnight + minute * MINUTE


@lru_cache(maxsize=4096)
def _day(iso: str, zone: str) -> _Day:
    midnights, following = local_time.instants_of(iso, zone, 0), local_time.instants_of(iso, zone, DAY_MINUTES)
    usual = midnights[0] == midnights[1] and {each - midnights[0] for each in following} == {DAY_MINUTES * MINUTE}
    return _Day(
        iso,
        zone,
        date.fromisoformat(iso).toordinal(),
        midnights[0] if usual else None,
        local_time.local_of(midnights[0], zone).offset_minutes,
    )


class _Window(NamedTuple):
    """A time in which a provider sees patients: a weekly one or an extra one."""

    begin: int
    end: int
    source: Schedule | ScheduleException
    place: tuple[int, int]  # of the provider on the screens
    resource_id: int


class _Span(NamedTuple):
    begin: int
    end: int
    exception: ScheduleException


class _Hours:
    """The hours of a site's providers, whatever is booked."""

    def __init__(self, site: Site, schedules: Iterable[Schedule], exceptions: Iterable[ScheduleException]) -> None:
        self._closed_on = frozenset(site.rules.closed_on)
        self._weekly: dict[int, list[Schedule]] = defaultdict(list)
        self._extra: dict[str, list[ScheduleException]] = defaultdict(list)
        self._closed: dict[str, list[ScheduleException]] = defaultdict(list)
        for schedule in sorted(schedules, key=lambda each: each.id):
            self._weekly[schedule.weekday].append(schedule)
        for exception in sorted(exceptions, key=lambda each: each.id):
            if not exception.removed_at:
                (self._extra if exception.kind == "extra" else self._closed)[exception.date].append(exception)

    def sources(self, day: _Day, service_id: int | None = None) -> list[Schedule | ScheduleException]:
        """Return the weekly and the extra windows that a service, or any service, has on a date."""
        weekday, week = (day.ordinal - 1) % 7, (day.ordinal - 1) // 7
        found: list[Schedule | ScheduleException] = [
            each
            for each in self._weekly.get(weekday, ())
            if each.valid_from <= day.iso
            and (each.valid_until is None or day.iso <= each.valid_until)
            and (service_id is None or service_id in each.service_ids)
            and (each.every_n_weeks == 1 or (week - _week(each.anchor_date)) % each.every_n_weeks == 0)
        ]
        extra = self._extra.get(day.iso, ())
        return found + [each for each in extra if service_id is None or service_id in each.service_ids]

    def windows(self, day: _Day, wanted: Wanted, providers: dict[int, Provider]) -> list[_Window]:
        """Return the windows of a date at these providers, in the order in which an appointment is placed."""
        found = []
        for each in self.sources(day, wanted.service_id):
            provider = providers.get(each.provider_id or 0)
            if provider is not None:
                begin, end = day.first(each.from_minute), day.last(each.until_minute)
                found.append(_Window(begin, end, each, (provider.position, provider.id), provider.resource_id))
        return found

    def is_site_closed(self, day: _Day) -> bool:
        return day.iso in self._closed_on

    def closures(self, day: _Day, provider_id: int | None) -> list[_Span]:
        """Return the times that are closed for a provider on a date, those of the whole site included."""
        return [
            _Span(day.first(each.from_minute), day.last(each.until_minute), each)
            for each in self._closed.get(day.iso, ())
            if each.provider_id in (None, provider_id)
        ]

    def contain(self, appointment: Appointment, day: _Day) -> bool:
        """Return whether an appointment of a date lies in an open window of its provider, and in one of its lanes."""
        begin, end, provider_id = appointment.starts_at, appointment.ends_at, appointment.provider_id
        if self.is_site_closed(day):
            return False
        if any(closed.begin < end and begin < closed.end for closed in self.closures(day, provider_id)):
            return False
        return any(
            each.provider_id == provider_id
            and day.first(each.from_minute) <= begin
            and end <= day.last(each.until_minute)
            and (appointment.lane < each.capacity or appointment.overbooked is not None)
            for each in self.sources(day, appointment.service_id)
        )


@lru_cache(maxsize=1024)
def _week(iso: str) -> int:
    return (date.fromisoformat(iso).toordinal() - 1) // 7


def _providers(board: Board, wanted: Wanted) -> dict[int, Provider]:
    """Return the providers in use that are wanted. A removed service has none."""
    service = board.services.get(wanted.service_id)
    if service is None or service.removed_at:
        return {}
    return {
        each.id: each for each in board.providers.values() if not each.removed_at and wanted.provider_id in (None, each.id)
    }


class _Limits:
    """The limits of time that hold for somebody at ``now``."""

    __slots__ = ("for_patient", "now", "today")

    def __init__(self, site: Site, wanted: Wanted, now: int) -> None:
        if wanted.minutes is not None and (wanted.minutes <= 0 or wanted.minutes % STEP_MINUTES):
            raise InvalidField(field="minutes", problem=f"must be a multiple of {STEP_MINUTES}")
        self.now, self.for_patient = now, wanted.for_patient
        self.today = local_time.wall_clock(now, site.time_zone).toordinal()


_Key = tuple[int, int, int]  # of a slot: the start, and the provider's place
_Layer = tuple[Rule, int, ScheduleException | None]


def _layers(window: _Window, minutes: int, day: _Day, hours: _Hours, limits: _Limits) -> Iterator[_Layer]:
    """Yield each rule besides the booked times, with the starts that it allows and the exception behind it."""
    begin, end, source = window.begin, window.end, window.source
    length = minutes * MINUTE
    everything = (1 << _cells(window)) - 1
    if begin < limits.now:
        yield "past", everything & -(1 << -((begin - limits.now) // CELL)), None
    step = source.slot_minutes // STEP_MINUTES
    steps = (end - begin - length) // (step * CELL) + 1
    yield "off_grid", ((1 << step * steps) - 1) // ((1 << step) - 1) if steps > 0 else 0, None
    if hours.is_site_closed(day):
        yield "closed_site", 0, None
    for closed in hours.closures(day, source.provider_id):
        first, last = max(0, (closed.begin - length - begin) // CELL + 1), -((begin - closed.end) // CELL)
        rule: Rule = "closed_site" if closed.exception.provider_id is None else "closed"
        yield rule, everything & ~_bits(first, last), closed.exception
    if isinstance(source, Schedule):
        if limits.for_patient:
            if source.days_ahead and day.ordinal - limits.today > source.days_ahead:
                yield "too_far", 0, None
            if source.notice_minutes:
                first = max(0, -((begin - limits.now - source.notice_minutes * MINUTE) // CELL))
                yield "too_soon", everything & -(1 << first), None
        if source.opens_before:
            yield "kept", _bits(0, (limits.now + source.opens_before * MINUTE - begin) // CELL + 1), None


def _cells(window: _Window) -> int:
    return -((window.begin - window.end) // CELL)


def _bits(first: int, last: int) -> int:
    """Return an integer whose bits from ``first`` on, before ``last``, are set."""
    return (1 << last) - (1 << first) if last > first else 0


class _Busy:
    """The cells that are taken, as one integer for each lane of a person or a room. Bit 0 is the cell ``base``."""

    __slots__ = ("_base", "_lanes")

    def __init__(self, taken: Iterable[TakenBits], base: int) -> None:
        chunks: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for resource_id, lane, cell, bits in taken:
            chunk, place = divmod(cell, _CHUNK)
            chunks[resource_id, lane][chunk] |= bits << place
        self._base = base // _CHUNK * _CHUNK
        self._lanes: dict[int, dict[int, int]] = defaultdict(dict)
        for (resource_id, lane), of_lane in chunks.items():
            whole = 0
            for chunk, bits in of_lane.items():
                whole |= bits << (chunk * _CHUNK - self._base)
            self._lanes[resource_id][lane] = whole

    def free(self, resource_id: int, lane: int | None, cell: int, width: int) -> int:
        """Return which of ``width`` cells from ``cell`` on are free, in one lane, or in all lanes at once (None)."""
        full = (1 << width) - 1
        lanes = self._lanes.get(resource_id)
        if lanes is None:
            return full
        taken = 0
        for number, each in lanes.items():
            if lane in (None, number):
                taken |= each
        return ~(taken >> (cell - self._base)) & full


def _resources(windows: Iterable[_Window]) -> set[int]:
    """Return the people and the rooms of these windows."""
    found = set()
    for window in windows:
        found.add(window.resource_id)
        if window.source.point_id is not None:
            found.add(window.source.point_id)
    return found


def _taking(cells: Iterable[BusyCell], wanted: Wanted, now: int) -> list[BusyCell]:
    """Return the cells of usual lanes that are taken for somebody at ``now``."""
    return [each for each in cells if each.lane < FIRST_EXTRA_LANE and _takes(each, now, wanted.own)]


def _bits_of(cells: Iterable[BusyCell]) -> Iterator[TakenBits]:
    return (TakenBits(each.resource_id, each.lane, each.cell, 1) for each in cells)


def _takes(cell: BusyCell, now: int, own: frozenset[int]) -> bool:
    return (cell.held_until is None or cell.held_until > now) and cell.appointment_id not in own


def _until(window: _Window, ends_at: int) -> int:
    """Return the first cell after an appointment that ends at ``ends_at``, and after its buffer."""
    return -(-(ends_at + window.source.buffer_minutes * MINUTE) // CELL)


def _free_lanes(window: _Window, minutes: int, busy: _Busy, begin: int, starts: int = 1) -> list[int]:
    """Return for each lane the starts at which it is free for the whole time.

    Bit 0 is a start at ``begin``, the next bits are starts each five minutes later. A room is free if nobody is in it.
    """
    source, cell = window.source, begin // CELL
    needed = _until(window, begin + minutes * MINUTE) - cell
    width = starts - 1 + needed
    room = -1
    if source.point_id is not None:
        room = _runs(busy.free(source.point_id, None, cell, width), needed)
    return [_runs(busy.free(window.resource_id, lane, cell, width), needed) & room for lane in range(source.capacity)]


def _runs(bits: int, length: int) -> int:
    """Return the bits at which a run of ``length`` set bits begins."""
    covered = 1
    while covered < length:
        further = min(covered, length - covered)
        bits &= bits >> further
        covered += further
    return bits


def _list(window: _Window, minutes: int, allowed: int, busy: _Busy, day: _Day, found: dict[_Key, Slot]) -> None:
    """Add the starts of a window that the rules allow and that are free, unless an earlier window has added them."""
    begin = window.begin
    lanes = _free_lanes(window, minutes, busy, begin, _cells(window))
    free = 0
    for each in lanes:
        free |= each
    free &= allowed
    while free:
        lowest = free & -free
        free ^= lowest
        starts_at = begin + (lowest.bit_length() - 1) * CELL
        key = (starts_at, *window.place)
        if key in found:
            continue
        if day.midnight is not None:
            local, fold, offset = day.iso + _CLOCK[(starts_at - day.midnight) // MINUTE], 0, day.offset_minutes
        else:
            local, fold, offset = local_time.local_of(starts_at, day.zone)
            if local[:10] != day.iso:
                continue
        left = 1 if len(lanes) == 1 else sum(each & lowest != 0 for each in lanes)
        found[key] = Slot(local, fold, offset, starts_at, minutes, window.place[1], left)


def _judge(
    board: Board, calendar: Times, wanted: Wanted, local_start: str, fold: int, now: int
) -> tuple[list[Offer], list[Why]]:
    """Return the offers of a start, and the rules that take it away at the other windows that could have it."""
    zone = board.site.time_zone
    starts_at = local_time.instant_of(local_start, zone, fold)
    fold = local_time.local_of(starts_at, zone).fold
    day = _day(local_start[:10], zone)
    hours, limits = _Hours(board.site, board.schedules.values(), board.exceptions.values()), _Limits(board.site, wanted, now)

    def because(rule: Rule | None, window: _Window | None = None, closure: ScheduleException | None = None) -> Why:
        provider_id, source = (window.place[1], window.source) if window is not None else (None, None)
        return Why(
            local_start=local_start,
            fold=fold,
            starts_at=starts_at,
            rule=rule,
            provider_id=provider_id,
            schedule=source,
            closure=closure,
        )

    whys, allowed = [because("no_schedule")], []
    for window in hours.windows(day, wanted, _providers(board, wanted)):
        if not window.begin <= starts_at < window.end:
            continue
        minutes = wanted.minutes or window.source.slot_minutes
        place, beside = divmod(starts_at - window.begin, CELL)
        for rule, mask, closure in _layers(window, minutes, day, hours, limits):
            if not mask >> place & 1 or (rule == "off_grid" and beside):
                whys.append(because(rule, window, closure))
                break
        else:
            allowed.append((window, minutes))
    if not allowed:
        return [], whys
    from_cell = starts_at // CELL
    until_cell = max(_until(window, starts_at + minutes * MINUTE) for window, minutes in allowed)
    resources = _resources(window for window, _ in allowed)
    taken = _taking(calendar.busy(resources, from_cell, until_cell), wanted, now)
    busy = _Busy(_bits_of(taken), from_cell)
    booked = _Busy(_bits_of(each for each in taken if each.held_until is None), from_cell)
    offers: dict[tuple[int, int], Offer] = {}
    for window, minutes in allowed:
        if window.place in offers:
            continue
        lane = next((lane for lane, free in enumerate(_free_lanes(window, minutes, busy, starts_at)) if free), None)
        if lane is None:
            without_holds = any(_free_lanes(window, minutes, booked, starts_at))
            whys.append(because("held" if without_holds else "booked", window))
            continue
        whys.append(because(None, window))
        offers[window.place] = Offer(
            provider_id=window.place[1],
            resource_id=window.resource_id,
            point_id=window.source.point_id,
            local_start=local_start,
            fold=fold,
            starts_at=starts_at,
            ends_at=starts_at + minutes * MINUTE,
            minutes=minutes,
            buffer_minutes=window.source.buffer_minutes,
            lane=lane,
        )
    return [offers[place] for place in sorted(offers)], whys


def _last(whys: list[Why]) -> Why:
    """Return the rule that takes the start away last: without it, the start would be free."""
    return max(whys, key=lambda each: len(_ORDER) if each.rule is None else _ORDER.index(each.rule))
