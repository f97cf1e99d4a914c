"""Rules for schedules and exceptions. No change touches the past, and none cancels an appointment unasked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date, timedelta
from math import gcd
from typing import Any, TypeVar

from server.domain import free_time
from server.domain.board import Board
from server.domain.calendar import Calendar
from server.domain.commands import AddException, AddSchedule, ChangeSchedule, EndSchedule, RemoveException
from server.domain.commands.schedules import Stranded
from server.domain.errors import ExceptionNotFound, InUse, InvalidField, NothingChanged, ScheduleNotFound
from server.domain.events import Event, ExceptionAdded, ExceptionRemoved, ScheduleAdded, ScheduleEnded
from server.domain.model import STEP_MINUTES, Appointment, Schedule, ScheduleException, local_time
from server.domain.model.hours import DAY_MINUTES
from server.domain.rules import booking
from server.domain.rules.lookups import find_point, find_provider, find_service, new_ids

FOREVER = 1 << 62  # after every instant
MOST_NAMED = 5
_REMOVABLE = ("valid_until", "point_id")  # an empty text or 0 removes them
_Window = TypeVar("_Window", Schedule, ScheduleException)
ScheduleCommand = AddSchedule | ChangeSchedule | EndSchedule | AddException | RemoveException


def decide_schedule(board: Board, command: ScheduleCommand, now: int, calendar: Calendar) -> list[Event]:
    """Return the events of a command on schedules or exceptions.

    Raises `NotFound` by name, `InvalidField`, and `InUse` with the appointments that the change would strand.
    """
    match command:
        case AddSchedule():
            return _add(board, command)
        case ChangeSchedule():
            return _change(board, command, now, calendar)
        case EndSchedule():
            return _end(board, command, now, calendar)
        case AddException():
            return _add_exception(board, command, now, calendar)
        case RemoveException():
            return _remove_exception(board, command, now, calendar)


def _add(board: Board, command: AddSchedule) -> list[Event]:
    schedule = Schedule(
        id=next(new_ids(board)),
        site_id=board.site.id,
        provider_id=find_provider(board, command.provider_id).id,
        service_ids=command.service_ids,
        weekday=command.weekday,
        from_minute=local_time.minutes_of(command.from_),
        until_minute=local_time.minutes_of(command.until),
        slot_minutes=command.slot_minutes,
        capacity=command.capacity,
        every_n_weeks=command.every_n_weeks,
        anchor_date=command.anchor_date or command.valid_from,
        valid_from=command.valid_from,
        valid_until=command.valid_until,
        seq=0,
        point_id=command.point_id,
        buffer_minutes=command.buffer_minutes,
        notice_minutes=command.notice_minutes,
        days_ahead=command.days_ahead,
        opens_before=command.opens_before,
    )
    return [ScheduleAdded(schedule=_checked(board, schedule, board.schedules.values()))]


def _change(board: Board, command: ChangeSchedule, now: int, calendar: Calendar) -> list[Event]:
    before = _find_schedule(board, command.schedule_id)
    _refuse_past(board, local_time.date_of(command.from_date, "from_date").isoformat(), now, "from_date")
    given: dict[str, Any] = {
        item.name: value for item in fields(before) if (value := getattr(command, item.name, None)) is not None
    }
    given |= {name: None for name in _REMOVABLE if name in given and not given[name]}
    if command.from_ is not None:
        given["from_minute"] = local_time.minutes_of(command.from_)
    if command.until is not None:
        given["until_minute"] = local_time.minutes_of(command.until)
    if replace(before, **given) == before:
        raise NothingChanged(schedule_id=before.id)
    begin = max(command.from_date, before.valid_from)
    if before.valid_until is not None and begin > before.valid_until:
        raise InvalidField(field="from_date", problem=f"the schedule ends on {before.valid_until}")
    ended = ScheduleEnded(schedule_id=before.id, valid_until=_day_before(begin))
    others = [each for each in board.schedules.values() if each.id != before.id]
    after = replace(before, id=next(new_ids(board)), valid_from=begin, **given)
    after = _checked(board, after, others)
    stranded = _strand(
        board,
        [*others, replace(before, valid_until=ended.valid_until), after],
        board.exceptions.values(),
        calendar.between(_first_instant(board, begin, now), FOREVER, [before.provider_id]),
    )
    return [
        ended,
        ScheduleAdded(schedule=after),
        *settled(stranded, command.stranded, _provider_name(board, before), now),
    ]


def _end(board: Board, command: EndSchedule, now: int, calendar: Calendar) -> list[Event]:
    before = _find_schedule(board, command.schedule_id)
    begin = (local_time.date_of(command.last_date, "last_date") + timedelta(days=1)).isoformat()
    _refuse_past(board, begin, now, "last_date")
    if before.valid_until is not None and command.last_date >= before.valid_until:
        raise NothingChanged(schedule_id=before.id)
    after = replace(before, valid_until=command.last_date)
    stranded = _strand(
        board,
        [after if each.id == before.id else each for each in board.schedules.values()],
        board.exceptions.values(),
        calendar.between(_first_instant(board, begin, now), FOREVER, [before.provider_id]),
    )
    ended = ScheduleEnded(schedule_id=before.id, valid_until=command.last_date)
    return [ended, *settled(stranded, command.stranded, _provider_name(board, before), now)]


def _add_exception(board: Board, command: AddException, now: int, calendar: Calendar) -> list[Event]:
    _refuse_past(board, local_time.date_of(command.date, "date").isoformat(), now, "date")
    exception = ScheduleException(
        id=next(new_ids(board)),
        site_id=board.site.id,
        provider_id=None if command.provider_id is None else find_provider(board, command.provider_id).id,
        date=command.date,
        kind=command.kind,
        from_minute=local_time.minutes_of(command.from_),
        until_minute=local_time.minutes_of(command.until),
        reason=command.reason,
        seq=0,
    )
    _refuse_hours(exception)
    if command.kind == "extra":
        if command.provider_id is None:
            raise InvalidField(field="provider_id", problem="an extra time needs a provider")
        if not command.service_ids:
            raise InvalidField(field="service_ids", problem="an extra time needs services")
        if command.slot_minutes is None:
            raise InvalidField(field="slot_minutes", problem="an extra time needs the length of an appointment")
        exception = replace(
            exception,
            service_ids=command.service_ids,
            slot_minutes=command.slot_minutes,
            capacity=command.capacity,
            point_id=command.point_id,
            buffer_minutes=command.buffer_minutes,
        )
        return [ExceptionAdded(exception=_with_services(board, exception))]
    providers = None if exception.provider_id is None else [exception.provider_id]
    stranded = _strand(
        board,
        board.schedules.values(),
        [*board.exceptions.values(), exception],
        calendar.between(*_span(board, exception, now), providers),
    )
    return [
        ExceptionAdded(exception=exception),
        *settled(stranded, command.stranded, _provider_name(board, exception), now),
    ]


def _remove_exception(board: Board, command: RemoveException, now: int, calendar: Calendar) -> list[Event]:
    exception = board.exceptions.get(command.exception_id)
    if exception is None or exception.removed_at:
        raise ExceptionNotFound(exception_id=command.exception_id)
    _refuse_past(board, exception.date, now, "exception_id")
    stranded = []
    if exception.provider_id is not None and exception.kind == "extra":
        stranded = _strand(
            board,
            board.schedules.values(),
            [each for each in board.exceptions.values() if each.id != exception.id],
            calendar.between(*_span(board, exception, now), [exception.provider_id]),
        )
    removed = ExceptionRemoved(exception_id=exception.id)
    return [removed, *settled(stranded, command.stranded, _provider_name(board, exception), now)]


def _strand(
    board: Board,
    schedules: Iterable[Schedule],
    exceptions: Iterable[ScheduleException],
    appointments: Iterable[Appointment],
) -> list[Appointment]:
    """Return the booked appointments that lie in the present hours, but not in these ones."""
    booked = [each for each in appointments if each.state == "booked"]
    before = free_time.within_hours(board.site, board.schedules.values(), board.exceptions.values(), booked)
    after = free_time.within_hours(board.site, schedules, exceptions, booked)
    return [each for each in booked if each.id in before and each.id not in after]


def settled(appointments: list[Appointment], wish: Stranded | None, name: str, now: int) -> list[Event]:
    """Return the cancellations of stranded appointments, if they are wished. Raises `InUse` without a wish."""
    if appointments and wish is None:
        refuse_in_use(name, appointments)
    return [booking.cancelled(each, now, "staff") for each in appointments] if wish == "cancel" else []


def refuse_in_use(name: str, appointments: list[Appointment], **details: object) -> None:
    """Raise `InUse` with the number of these appointments and the first ones."""
    first = appointments[:MOST_NAMED]
    raise InUse(
        name=name,
        by=", ".join(each.local_start for each in first),
        count=len(appointments),
        first=[{"id": each.id, "local_start": each.local_start} for each in first],
        **details,
    )


def _find_schedule(board: Board, schedule_id: int) -> Schedule:
    schedule = board.schedules.get(schedule_id)
    if schedule is None:
        raise ScheduleNotFound(schedule_id=schedule_id)
    return schedule


def _checked(board: Board, schedule: Schedule, others: Iterable[Schedule]) -> Schedule:
    """Return a schedule with each service once. Raises `InvalidField` if its values do not fit together.

    Two schedules of a provider must not overlap: else nobody could say how long an appointment there takes.
    """
    begin = local_time.date_of(schedule.valid_from, "valid_from")
    local_time.date_of(schedule.anchor_date, "anchor_date")
    if schedule.valid_until is not None and local_time.date_of(schedule.valid_until, "valid_until") < begin:
        raise InvalidField(field="valid_until", problem=f"must not be before {schedule.valid_from}")
    _refuse_hours(schedule)
    if any(_overlap(schedule, each) for each in others):
        raise InvalidField(field="from", problem="the provider has another schedule at this time")
    return _with_services(board, schedule)


def _overlap(one: Schedule, other: Schedule) -> bool:
    """Return whether two schedules have a minute of a date in common."""
    days = min(one.valid_until or "9999", other.valid_until or "9999") >= max(one.valid_from, other.valid_from)
    hours = max(one.from_minute, other.from_minute) < min(one.until_minute, other.until_minute)
    same = (one.provider_id, one.weekday) == (other.provider_id, other.weekday)
    if not (days and hours and same):
        return False
    weeks = (_monday(one.anchor_date) - _monday(other.anchor_date)).days // 7
    return weeks % gcd(one.every_n_weeks, other.every_n_weeks) == 0


def _monday(iso: str) -> date:
    day = date.fromisoformat(iso)
    return day - timedelta(days=day.weekday())


def _refuse_hours(window: Schedule | ScheduleException) -> None:
    for field, minute in (("from", window.from_minute), ("until", window.until_minute)):
        if minute % STEP_MINUTES or not 0 <= minute <= DAY_MINUTES:
            raise InvalidField(field=field, problem=f"must be a multiple of {STEP_MINUTES} minutes")
    if window.from_minute >= window.until_minute:
        raise InvalidField(field="until", problem="must be later than from")


def _with_services(board: Board, window: _Window) -> _Window:
    """Return a window with each service once. Raises `NotFound` for a service or a room that does not exist."""
    for field, minutes in (("slot_minutes", window.slot_minutes), ("buffer_minutes", window.buffer_minutes)):
        if minutes % STEP_MINUTES:
            raise InvalidField(field=field, problem=f"must be a multiple of {STEP_MINUTES}")
    if window.from_minute + window.slot_minutes > window.until_minute:
        raise InvalidField(field="slot_minutes", problem="no appointment fits between from and until")
    if window.point_id is not None and find_point(board, window.point_id) and window.capacity > 1:
        raise InvalidField(field="capacity", problem="a room takes one appointment at a time")
    return replace(window, service_ids=tuple(dict.fromkeys(find_service(board, each).id for each in window.service_ids)))


def _refuse_past(board: Board, day: str, now: int, field: str) -> None:
    """Raise `InvalidField` for a date that is over at the site."""
    today = local_time.wall_clock(now, board.site.time_zone).date().isoformat()
    if day < today:
        raise InvalidField(field=field, problem=f"changes begin today, {today}, or later")


def _first_instant(board: Board, day: str, now: int) -> int:
    return max(now, local_time.first_instant(day, board.site.time_zone))


def _span(board: Board, exception: ScheduleException, now: int) -> tuple[int, int]:
    """Return the rest of the date of an exception."""
    return _first_instant(board, exception.date, now), local_time.first_instant(
        exception.date, board.site.time_zone, DAY_MINUTES
    )


def _provider_name(board: Board, window: Schedule | ScheduleException) -> str:
    return board.site.name if window.provider_id is None else board.providers[window.provider_id].name


def _day_before(iso: str) -> str:
    return (date.fromisoformat(iso) - timedelta(days=1)).isoformat()
