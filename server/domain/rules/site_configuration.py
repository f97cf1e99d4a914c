"""Rules for the set-up of a site: its rules, services, providers, queues and points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import cast

from server.domain.board import Board, open_entries
from server.domain.commands import (
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Command,
    Remove,
)
from server.domain.errors import InvalidField, LanguageNotOffered, NothingChanged, RecordNotFound, StillInUse
from server.domain.events import (
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
    Display,
    Kiosk,
    Names,
    Personal,
    Point,
    Provider,
    Queue,
    Removable,
    Rules,
    Service,
    hours,
    languages,
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

_Naming = AddService | ChangeService | AddQueue | ChangeQueue | AddPoint | ChangePoint


def configure_site(board: Board, command: Command, now: int) -> list[Event]:
    """Return the events of a command that changes the set-up of a site.

    Raises `NotFound` and `Refused` by name, and `ValueError` for a command without a rule.
    """
    new_id = next(new_ids(board))
    match command:
        case ChangeSite():
            return _change_site(board, command, now)
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
            return [
                ServiceChanged(
                    service_id=service.id,
                    public_name=changed_service.public_name,
                    position=changed_service.position,
                    names=changed_service.names,
                    personal=personal,
                )
            ]
        case AddProvider():
            refuse_taken(command.name, board.providers.values())
            return [ProviderAdded(provider_id=new_id, name=command.name, position=len(board.providers))]
        case ChangeProvider():
            provider = find_provider(board, command.provider_id)
            changed_provider = _changed(board, provider, command, board.providers.values())
            return [ProviderChanged(provider_id=provider.id, name=changed_provider.name, position=changed_provider.position)]
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
            return [
                QueueChanged(
                    queue_id=queue.id,
                    name=changed_queue.name,
                    service_id=changed_queue.service_id,
                    capacity=changed_queue.capacity,
                    joins_anew=changed_queue.joins_anew,
                    names=changed_queue.names,
                    position=changed_queue.position,
                )
            ]
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
            return [
                PointChanged(
                    point_id=point.id,
                    name=changed_point.name,
                    queue_ids=changed_point.queue_ids,
                    unmet_needs=changed_point.unmet_needs,
                    names=changed_point.names,
                    position=changed_point.position,
                )
            ]
        case Remove():
            return _remove(board, command)
    raise ValueError(f"no rule for {type(command).__name__}")


def _change_site(board: Board, command: ChangeSite, now: int) -> list[Event]:
    site = board.site
    given = {item.name: value for item in fields(command) if (value := getattr(command, item.name)) is not None}
    if command.language is not None:
        given["language"] = languages.usual(command.language)
    if command.languages is not None:
        given["languages"] = tuple(dict.fromkeys(map(languages.usual, command.languages)))
    own = ("name", "time_zone", "language", "day_turns_at_minutes")
    rules = replace(site.rules, **{item.name: given[item.name] for item in fields(Rules) if item.name in given})
    changed = replace(site, rules=rules, **{name: given[name] for name in own if name in given})
    if changed == site:
        raise NothingChanged(site_id=site.id)
    if not hours.is_time_zone(changed.time_zone):
        raise InvalidField(field="time_zone", problem=f"there is no time zone {changed.time_zone[:64]!r}")
    hours.validate(rules)
    turn = tickets.next_turn(site.business_day, changed.time_zone, changed.day_turns_at_minutes)
    return [
        SiteChanged(
            name=changed.name,
            time_zone=changed.time_zone,
            language=changed.language,
            day_turns_at_minutes=changed.day_turns_at_minutes,
            next_turn_at=turn,
            rules=rules,
        )
    ]


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


def _remove(board: Board, command: Remove) -> list[Event]:
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
    if by := ", ".join(list(users)[:5]):
        raise StillInUse(record_id=record.id, name=name_of(record), by=by)
    return [RecordRemoved(record_id=record.id, kind=type(record).__name__.lower())]
