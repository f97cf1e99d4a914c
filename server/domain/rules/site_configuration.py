"""Rules for the set-up of a site: its rules, services, providers, queues and points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import cast

from server.domain import free_time
from server.domain.board import Board, open_entries
from server.domain.calendar import NO_CALENDAR, Calendar
from server.domain.commands import (
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    Arrange,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Command,
    Remove,
)
from server.domain.commands.bounds import REMINDER
from server.domain.errors import InUse, InvalidField, LanguageNotOffered, NothingChanged, RecordNotFound
from server.domain.events import (
    AppointmentDue,
    Event,
    PointAdded,
    PointChanged,
    ProviderAdded,
    ProviderChanged,
    QueueAdded,
    QueueChanged,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    SiteChanged,
)
from server.domain.model import (
    Appointment,
    Display,
    Kiosk,
    Names,
    Personal,
    Point,
    Provider,
    Queue,
    Removable,
    Rules,
    Schedule,
    ScheduleException,
    Service,
    hours,
    languages,
    local_time,
    tickets,
)
from server.domain.rules.lookups import (
    Record,
    each_once,
    find_point,
    find_provider,
    find_queue,
    find_queues,
    find_service,
    label_of,
    name_of,
    new_ids,
    refuse_taken,
)
from server.domain.rules.schedules import FOREVER, refuse_in_use, settled

_Naming = AddService | ChangeService | AddQueue | ChangeQueue | AddPoint | ChangePoint


def configure_site(board: Board, command: Command, now: int, calendar: Calendar = NO_CALENDAR) -> list[Event]:
    """Return the events of a command that changes the set-up of a site.

    Raises `NotFound` and `Refused` by name, and `ValueError` for a command without a rule.
    """
    new_id = next(new_ids(board))
    match command:
        case ChangeSite():
            return _change_site(board, command, now, calendar)
        case AddService():
            refuse_taken(command.public_name, board.services.values())
            return [
                ServiceAdded(
                    service_id=new_id,
                    public_name=command.public_name,
                    position=len(board.services),
                    personal=Personal(name=command.name),
                    names=_names(board, command),
                )
            ]
        case ChangeService():
            service = find_service(board, command.service_id)
            personal = None if command.name is None else Personal(name=command.name)
            changed_service = _changed(board, service, command, board.services.values(), sealed=personal is not None)
            return [_values_of_service(changed_service, personal)]
        case AddProvider():
            refuse_taken(command.name, board.providers.values())
            return [ProviderAdded(provider_id=new_id, name=command.name, position=len(board.providers))]
        case ChangeProvider():
            provider = find_provider(board, command.provider_id)
            changed_provider = _changed(board, provider, command, board.providers.values())
            return [_values_of_provider(changed_provider)]
        case AddQueue():
            refuse_taken(command.name, board.queues.values())
            return [
                QueueAdded(
                    queue_id=new_id,
                    name=command.name,
                    prefix=command.prefix,
                    position=len(board.queues),
                    service_id=None if command.service_id is None else find_service(board, command.service_id).id,
                    capacity=command.capacity,
                    joins_anew=command.joins_anew,
                    names=_names(board, command),
                )
            ]
        case ChangeQueue():
            queue = find_queue(board, command.queue_id)
            if command.service_id is not None:
                find_service(board, command.service_id)
            changed_queue = _changed(board, queue, command, board.queues.values())
            return [_values_of_queue(changed_queue)]
        case AddPoint():
            refuse_taken(command.name, board.points.values())
            return [
                PointAdded(
                    point_id=new_id,
                    name=command.name,
                    queue_ids=find_queues(board, command.queue_ids),
                    position=len(board.points),
                    unmet_needs=each_once(command.unmet_needs),
                    names=_names(board, command),
                )
            ]
        case ChangePoint():
            point = find_point(board, command.point_id)
            if command.queue_ids is not None:
                command = replace(command, queue_ids=find_queues(board, command.queue_ids))
            if command.unmet_needs is not None:
                command = replace(command, unmet_needs=each_once(command.unmet_needs))
            changed_point = _changed(board, point, command, board.points.values())
            return [_values_of_point(changed_point)]
        case Arrange():
            return _arrange(board, command)
        case Remove():
            return _remove(board, command, now, calendar)
    raise ValueError(f"no rule for {type(command).__name__}")


def _change_site(board: Board, command: ChangeSite, now: int, calendar: Calendar) -> list[Event]:
    site = board.site
    given = {item.name: value for item in fields(command) if (value := getattr(command, item.name)) is not None}
    if command.language is not None:
        given["language"] = languages.usual(command.language)
    if command.languages is not None:
        given["languages"] = tuple(dict.fromkeys(map(languages.usual, command.languages)))
    if command.message_ways is not None:
        given["message_ways"] = tuple(dict.fromkeys(command.message_ways))
    if command.reminders is not None:
        given["reminders"] = _reminders(command.reminders)
    own = ("name", "time_zone", "language", "day_turns_at_minutes")
    rules = replace(site.rules, **{item.name: given[item.name] for item in fields(Rules) if item.name in given})
    changed = replace(site, rules=rules, **{name: given[name] for name in own if name in given})
    if changed == site:
        raise NothingChanged(site_id=site.id)
    if not hours.is_time_zone(changed.time_zone):
        raise InvalidField(field="time_zone", problem=f"there is no time zone {changed.time_zone[:64]!r}")
    hours.validate(rules)
    turn = tickets.next_turn(site.business_day, changed.time_zone, changed.day_turns_at_minutes)
    closing = sorted({*rules.closed_on} - {*site.rules.closed_on})
    # A longer day has more appointments: the desk shows them from now on.
    arriving = calendar.between(site.turns_at, turn) if turn > site.turns_at else ()
    return [
        SiteChanged(
            name=changed.name,
            time_zone=changed.time_zone,
            language=changed.language,
            day_turns_at_minutes=changed.day_turns_at_minutes,
            next_turn_at=turn,
            rules=rules,
        ),
        *(AppointmentDue(appointment=each) for each in arriving if each.takes_time(now)),
        *settled(_booked_on(board, closing, now, calendar), command.stranded, site.name, now),
    ]


def _reminders(hours_before: Iterable[int]) -> tuple[int, ...]:
    """Return the hours of reminders, each once, the earliest reminder first. Raises `InvalidField`."""
    least, most = REMINDER["ge"], REMINDER["le"]
    for each in hours_before:
        if not least <= each <= most:
            raise InvalidField(field="reminders", problem=f"{each} is not from {least} to {most} hours")
    return tuple(sorted(set(hours_before), reverse=True))


def _booked_on(board: Board, days: Iterable[str], now: int, calendar: Calendar) -> list[Appointment]:
    """Return the booked appointments after ``now`` that lie in the hours of these dates."""
    zone = board.site.time_zone
    spans = [(local_time.first_instant(day, zone), local_time.first_instant(day, zone, hours.DAY_MINUTES)) for day in days]
    booked = [
        each
        for begin, end in spans
        if end > now
        for each in calendar.between(max(begin, now), end)
        if each.state == "booked"
    ]
    within = free_time.within_hours(board.site, board.schedules.values(), board.exceptions.values(), booked)
    return [each for each in booked if each.id in within]


def _names(board: Board, command: _Naming) -> Names:
    """Return the names that a command gives, by tag. Raises `LanguageNotOffered`."""
    names = {languages.usual(tag): name for tag, name in command.names or ()}
    for tag in names:
        if tag not in board.site.languages:
            raise LanguageNotOffered(language=tag, site_name=board.site.name)
    return tuple(sorted(names.items()))


def _changed(
    board: Board, record: Record, command: Command, siblings: Iterable[Removable], *, sealed: bool = False
) -> Record:
    """Return a record with the values that a command gives.

    Raises `NameTaken` if another record of the same kind has the new name. Raises `NothingChanged` if no value is new and
    the command changes no ``sealed`` data.
    """
    given = {
        item.name: value
        for item in fields(record)
        if item.name != "site_id" and (value := getattr(command, item.name, None)) is not None
    }
    if "names" in given:
        given["names"] = _names(board, cast("_Naming", command))
    changed = replace(record, **given)
    if name_of(changed) != name_of(record):
        refuse_taken(name_of(changed), siblings)
    if changed == record and not sealed:
        raise NothingChanged()
    return changed


_Arranged = Service | Provider | Queue | Point


def _values_of_service(record: Service, personal: Personal | None = None) -> Event:
    """Return the event that gives a service its values. ``personal`` is the new true name, if it changes."""
    return ServiceChanged(
        service_id=record.id,
        public_name=record.public_name,
        position=record.position,
        names=record.names,
        personal=personal,
    )


def _values_of_provider(record: Provider) -> Event:
    return ProviderChanged(provider_id=record.id, name=record.name, position=record.position)


def _values_of_queue(record: Queue) -> Event:
    return QueueChanged(
        queue_id=record.id,
        name=record.name,
        service_id=record.service_id,
        capacity=record.capacity,
        joins_anew=record.joins_anew,
        names=record.names,
        position=record.position,
    )


def _values_of_point(record: Point) -> Event:
    return PointChanged(
        point_id=record.id,
        name=record.name,
        queue_ids=record.queue_ids,
        unmet_needs=record.unmet_needs,
        names=record.names,
        position=record.position,
    )


def _values_of(record: _Arranged) -> Event:
    """Return the event that gives a record its values."""
    match record:
        case Service():
            return _values_of_service(record)
        case Provider():
            return _values_of_provider(record)
        case Queue():
            return _values_of_queue(record)
        case Point():
            return _values_of_point(record)


def _arrange(board: Board, command: Arrange) -> list[Event]:
    """Return the events that put records into an order: one for each that gets another position.

    Raises `RecordNotFound` for an id that is no record in use of the first one's kind.
    """
    chosen: list[_Arranged] = []
    for record_id in dict.fromkeys(command.record_ids):
        record = board.removable(record_id)
        if record is None or record.removed_at or isinstance(record, Display | Kiosk):
            raise RecordNotFound(record_id=record_id)
        if chosen and type(record) is not type(chosen[0]):
            raise RecordNotFound(record_id=record_id)
        chosen.append(record)
    shelves: tuple[Iterable[_Arranged], ...] = tuple(
        shelf.values() for shelf in (board.services, board.providers, board.queues, board.points)
    )
    siblings = (each for shelf in shelves for each in shelf if type(each) is type(chosen[0]) and not each.removed_at)
    named = {record.id for record in chosen}
    others = sorted((each for each in siblings if each.id not in named), key=lambda each: (each.position, each.id))
    order = enumerate([*chosen, *others])
    events = [_values_of(replace(record, position=place)) for place, record in order if record.position != place]
    if not events:
        raise NothingChanged()
    return events


def _remove(board: Board, command: Remove, now: int, calendar: Calendar) -> list[Event]:
    record = board.removable(command.record_id)
    if record is None or record.removed_at:
        raise RecordNotFound(record_id=command.record_id)
    users: Iterable[str] = ()
    match record:
        case Service():
            users = (queue.name for queue in board.queues.values() if queue.service_id == record.id and not queue.removed_at)
        case Queue():
            points = (point.name for point in board.points.values() if record.id in point.queue_ids and not point.removed_at)
            waiting = (label_of(board, entry) for entry in open_entries(board) if entry.queue_id == record.id)
            users = (*points, *waiting)
        case Provider():
            points = (point.name for point in board.points.values() if point.provider_id == record.id)
            waiting = (label_of(board, entry) for entry in open_entries(board) if entry.provider_id == record.id)
            users = (*points, *waiting)
        case Point():
            guest = board.entry_at(record.id)
            users = () if guest is None else (label_of(board, guest),)
        case Display() | Kiosk():
            pass
    if known := [*users, *_hours_of(board, record)]:
        first = known[:5]
        raise InUse(record_id=record.id, name=name_of(record), by=", ".join(first), count=len(known), first=first)
    if booked := _booked_with(record, now, calendar):
        refuse_in_use(name_of(record), booked, record_id=record.id)
    return [RecordRemoved(record_id=record.id, kind=type(record).__name__.lower())]


def _hours_of(board: Board, record: Removable) -> list[str]:
    """Return the schedules and the extra times that need a record, each by its provider and its wall clock."""
    windows: tuple[Schedule | ScheduleException, ...] = (*board.schedules.values(), *board.exceptions.values())
    return [
        f"{board.providers[window.provider_id].name} {_clock(window.from_minute)}-{_clock(window.until_minute)}"
        for window in windows
        if window.provider_id is not None
        and (window.kind == "extra" if isinstance(window, ScheduleException) else True)
        and record.id in (window.provider_id, window.point_id, *window.service_ids)
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _booked_with(record: Removable, now: int, calendar: Calendar) -> list[Appointment]:
    """Return the booked appointments after ``now`` that need a record."""
    if not isinstance(record, Service | Provider | Point):
        return []
    later = calendar.between(now, FOREVER, [record.id] if isinstance(record, Provider) else None)
    return [
        each for each in later if each.state == "booked" and record.id in (each.service_id, each.provider_id, each.point_id)
    ]
