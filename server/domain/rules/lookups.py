"""Look-ups and refusals that several rules share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import TypeVar

from server.domain.board import Board
from server.domain.errors import (
    DeviceNotFound,
    EntryNotFound,
    NameTaken,
    NotFound,
    NothingChanged,
    PointBusy,
    PointNotFound,
    PointRemoved,
    ProviderNotFound,
    ProviderRemoved,
    QueueNotFound,
    QueueRemoved,
    Refused,
    ServiceNotFound,
    VisitGoesOn,
)
from server.domain.model import OPEN_STATES, Display, Entry, Kiosk, Need, Point, Provider, Queue, Removable, Service, State
from server.domain.model.ids import IDS_PER_SITE

Record = TypeVar("Record", Service, Provider, Queue, Point, Display, Kiosk)


def _in_use(found: Record | None, error: type[NotFound], **names: int) -> Record:
    """Return the record if it exists and is not removed, else raise ``error``."""
    if found is None or found.removed_at:
        raise error(**names)
    return found


def find_service(board: Board, service_id: int) -> Service:
    """Return a service in use. Raises `ServiceNotFound`."""
    return _in_use(board.services.get(service_id), ServiceNotFound, service_id=service_id)


def find_provider(board: Board, provider_id: int) -> Provider:
    """Return a provider in use. Raises `ProviderNotFound`."""
    return _in_use(board.providers.get(provider_id), ProviderNotFound, provider_id=provider_id)


def named_provider(board: Board, provider_id: int | None) -> int | None:
    """Return the id of a provider in use, or None for None. Raises `ProviderNotFound`."""
    return None if provider_id is None else find_provider(board, provider_id).id


def find_queue(board: Board, queue_id: int) -> Queue:
    """Return a queue in use. Raises `QueueNotFound`."""
    return _in_use(board.queues.get(queue_id), QueueNotFound, queue_id=queue_id)


def find_queues(board: Board, queue_ids: Iterable[int]) -> tuple[int, ...]:
    """Return the ids of queues in use, in order and without duplicates. Raises `QueueNotFound`."""
    return tuple(dict.fromkeys(find_queue(board, queue_id).id for queue_id in queue_ids))


def find_point(board: Board, point_id: int) -> Point:
    """Return a point in use. Raises `PointNotFound`."""
    return _in_use(board.points.get(point_id), PointNotFound, point_id=point_id)


def find_device(board: Board, device_id: int) -> Display | Kiosk:
    """Return a display or a kiosk in use. Raises `DeviceNotFound`."""
    device = board.device(device_id)
    if device is None or device.removed_at:
        raise DeviceNotFound(device_id=device_id)
    return device


def find_display(board: Board, display_id: int) -> Display:
    """Return a display in use. Raises `DeviceNotFound`."""
    return _in_use(board.displays.get(display_id), DeviceNotFound, device_id=display_id)


def find_kiosk(board: Board, kiosk_id: int) -> Kiosk:
    """Return a kiosk in use. Raises `DeviceNotFound`."""
    return _in_use(board.kiosks.get(kiosk_id), DeviceNotFound, device_id=kiosk_id)


def find_entry(board: Board, entry_id: int, state: State | None = None, otherwise: type[Refused] = Refused) -> Entry:
    """Return an entry of today. Raises `EntryNotFound`, and ``otherwise`` if the entry is not in ``state``."""
    entry = board.entries.get(entry_id)
    if entry is None:
        raise EntryNotFound(entry_id=entry_id)
    if state is not None and entry.state != state:
        raise otherwise(entry_id=entry_id, label=label_of(board, entry), state=entry.state)
    return entry


def refuse_second_stage(board: Board, entry: Entry) -> None:
    """Raise `VisitGoesOn` if another entry of the visit is open: a visit has at most one open entry."""
    latest = board.latest_entry(entry.visit_id)
    if latest is not None and latest.id != entry.id and latest.state in OPEN_STATES:
        raise VisitGoesOn(entry_id=entry.id, label=label_of(board, entry))


def refuse_removed(board: Board, entry: Entry, point_id: int | None = None) -> None:
    """Raise `QueueRemoved`, `ProviderRemoved` or `PointRemoved` if an ended entry could not wait, or be at ``point_id``.

    An entry that comes back would otherwise wait in a queue that no screen shows. An open entry needs no check: its queue,
    provider and point cannot be removed.
    """
    label, queue = label_of(board, entry), board.queues[entry.queue_id]
    if queue.removed_at:
        raise QueueRemoved(entry_id=entry.id, label=label, queue_id=queue.id, queue_name=queue.name)
    provider = None if entry.provider_id is None else board.providers[entry.provider_id]
    if provider is not None and provider.removed_at:
        raise ProviderRemoved(entry_id=entry.id, label=label, provider_id=provider.id, provider_name=provider.name)
    point = None if point_id is None else board.points[point_id]
    if point is not None and point.removed_at:
        raise PointRemoved(entry_id=entry.id, label=label, point_id=point.id, point_name=point.name)


def refuse_busy(board: Board, point: Point) -> None:
    """Raise `PointBusy` if an entry is called to the point or served at it."""
    guest = board.entry_at(point.id)
    if guest is not None:
        raise PointBusy(
            point_id=point.id, point_name=point.name, entry_id=guest.id, label=label_of(board, guest), state=guest.state
        )


def name_of(record: Removable) -> str:
    """Return the name that must be unique among records of this kind: a service's public name, else the name."""
    return record.public_name if isinstance(record, Service) else record.name


def refuse_taken(name: str, siblings: Iterable[Removable]) -> None:
    """Raise `NameTaken` if a record of the same kind in use has this name."""
    if any(name_of(each) == name and not each.removed_at for each in siblings):
        raise NameTaken(name=name)


def refuse_unchanged(record: object, **wanted: object) -> None:
    """Raise `NothingChanged` if the record already has all these values."""
    if all(getattr(record, name) == value for name, value in wanted.items()):
        raise NothingChanged()


def each_once(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Return the needs sorted and without duplicates, so that equal sets of needs compare equal."""
    return tuple(sorted(set(needs)))


def label_of(board: Board, entry: Entry) -> str:
    """Return the ticket label of an entry's visit."""
    return board.visits[entry.visit_id].label


def new_ids(board: Board) -> Iterator[int]:
    """Return an iterator over the next free ids of the site."""
    return count(board.site.id * IDS_PER_SITE + board.site.last_id + 1)
