"""The decisions about what a site is made of: its rules, services, providers, queues, points and devices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from server.domain.board import Board, open_entries
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
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
    RenameDevice,
    RenewToken,
    ReportDisplay,
    RevokeToken,
    StaffPoint,
    SwapPoints,
)
from server.domain.errors import (
    DeviceNotFound,
    InvalidField,
    NothingChanged,
    RecordNotFound,
    SamePoint,
    StillInUse,
    TokenAlreadyRevoked,
)
from server.domain.events import (
    DeviceRenamed,
    DisplayAdded,
    DisplayReported,
    Event,
    KioskAdded,
    PointAdded,
    PointChanged,
    PointsSwapped,
    PointStaffed,
    ProviderAdded,
    ProviderChanged,
    QueueAdded,
    QueueChanged,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    SiteChanged,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.model import Display, Kiosk, Personal, Point, Provider, Queue, Removable, Rules, Service, hours, tickets
from server.domain.rules.lookups import (
    Record,
    each_once,
    find_device,
    find_point,
    find_provider,
    find_queue,
    find_queues,
    find_service,
    label_of,
    name_of,
    named_provider,
    new_ids,
    refuse_busy,
    refuse_taken,
    refuse_unchanged,
)


def furnish(board: Board, command: Command, now: int, token_hash: str) -> list[Event]:
    """Return what happens when one of the things that a site is made of is added, changed or taken away.

    The arguments are those of `server.domain.rules.decisions.decide`.
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
                )
            ]
        case ChangeService():
            service = find_service(board, command.service_id)
            personal = None if command.name is None else Personal(name=command.name)
            changed_service = _changed(service, command, board.services.values(), sealed=personal is not None)
            return [
                ServiceChanged(
                    service_id=service.id,
                    public_name=changed_service.public_name,
                    position=changed_service.position,
                    personal=personal,
                )
            ]
        case ReportDisplay():
            return _report(board, command)
        case AddProvider():
            refuse_taken(command.name, board.providers.values())
            return [ProviderAdded(provider_id=new_id, name=command.name, position=len(board.providers))]
        case ChangeProvider():
            provider = find_provider(board, command.provider_id)
            changed_provider = _changed(provider, command, board.providers.values())
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
                )
            ]
        case ChangeQueue():
            queue = find_queue(board, command.queue_id)
            if command.service_id is not None:
                find_service(board, command.service_id)
            changed_queue = _changed(queue, command, board.queues.values())
            return [
                QueueChanged(
                    queue_id=queue.id,
                    name=changed_queue.name,
                    service_id=changed_queue.service_id,
                    capacity=changed_queue.capacity,
                    joins_anew=changed_queue.joins_anew,
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
                )
            ]
        case ChangePoint():
            point = find_point(board, command.point_id)
            if command.queue_ids is not None:
                command = replace(command, queue_ids=find_queues(board, command.queue_ids))
            if command.unmet_needs is not None:
                command = replace(command, unmet_needs=each_once(command.unmet_needs))
            changed_point = _changed(point, command, board.points.values())
            return [
                PointChanged(
                    point_id=point.id,
                    name=changed_point.name,
                    queue_ids=changed_point.queue_ids,
                    unmet_needs=changed_point.unmet_needs,
                    position=changed_point.position,
                )
            ]
        case StaffPoint():
            point = find_point(board, command.point_id)
            provider_id = named_provider(board, command.provider_id)
            refuse_unchanged(point, provider_id=provider_id)
            return [PointStaffed(point_id=point.id, provider_id=provider_id)]
        case SwapPoints():
            one, other = find_point(board, command.point_id), find_point(board, command.with_point_id)
            if one.id == other.id:
                raise SamePoint(point_id=one.id)
            refuse_busy(board, one)
            refuse_busy(board, other)
            return [PointsSwapped(point_id=one.id, with_point_id=other.id)]
        case AddDisplay():
            refuse_taken(command.name, board.displays.values())
            return [DisplayAdded(display_id=new_id, name=command.name, token_hash=token_hash)]
        case AddKiosk():
            refuse_taken(command.name, board.kiosks.values())
            return [KioskAdded(kiosk_id=new_id, name=command.name, token_hash=token_hash)]
        case RenameDevice():
            device = find_device(board, command.device_id)
            siblings: Iterable[Removable] = (board.displays if isinstance(device, Display) else board.kiosks).values()
            refuse_unchanged(device, name=command.name)
            refuse_taken(command.name, siblings)
            return [DeviceRenamed(device_id=device.id, name=command.name)]
        case RenewToken():
            return [TokenRenewed(device_id=find_device(board, command.device_id).id, token_hash=token_hash)]
        case RevokeToken():
            device = find_device(board, command.device_id)
            if device.token_hash is None:
                raise TokenAlreadyRevoked(device_id=device.id, device_name=device.name)
            return [TokenRevoked(device_id=device.id)]
        case Remove():
            return _remove(board, command)
    raise ValueError(f"no rule for {type(command).__name__}")


def _change_site(board: Board, command: ChangeSite, now: int) -> list[Event]:
    site = board.site
    given = {item.name: value for item in fields(command) if (value := getattr(command, item.name)) is not None}
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


def _changed(record: Record, command: Command, siblings: Iterable[Removable], *, sealed: bool = False) -> Record:
    """Return a record with what a command says of it.

    Raises `NameTaken` if a sibling has its new name, and `NothingChanged` if nothing is new, ``sealed`` nothing either.
    """
    given = {
        item.name: value
        for item in fields(record)
        if item.name != "site_id" and (value := getattr(command, item.name, None)) is not None
    }
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


def _report(board: Board, command: ReportDisplay) -> list[Event]:
    display = board.displays.get(command.display_id)
    if display is None or display.removed_at:
        raise DeviceNotFound(device_id=command.display_id)
    connected = display.connected if command.connected is None else command.connected
    if command.connected is False and display.heard_by != command.heard_by:
        connected = display.connected  # it follows elsewhere by now
    known = command.connected is not None and connected
    reported = DisplayReported(
        display_id=display.id,
        connected=connected,
        heard_by=command.heard_by if known else display.heard_by,
        muted=display.muted if command.muted is None else command.muted,
        version=display.version if command.version is None else command.version,
        lag=(command.lag if known else display.lag) if connected else None,
    )
    refuse_unchanged(display, **{name: getattr(reported, name) for name in _HEALTH})
    return [reported]


_HEALTH = ("connected", "heard_by", "muted", "version", "lag")
