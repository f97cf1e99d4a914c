"""What every decision looks up on a board, or refuses in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import TypeVar

from server.domain.board import Board
from server.domain.errors import (
    DeviceNotFound,
    NameTaken,
    NotFound,
    NothingChanged,
    PointBusy,
    PointNotFound,
    ProviderNotFound,
    QueueNotFound,
    ServiceNotFound,
)
from server.domain.model import Display, Entry, Kiosk, Need, Point, Provider, Queue, Removable, Service
from server.domain.model.ids import IDS_PER_SITE

Record = TypeVar("Record", Service, Provider, Queue, Point, Display, Kiosk)


def _there(found: Record | None, error: type[NotFound], **names: int) -> Record:
    """Return a record that is there and has not been taken away; else raise ``error``."""
    if found is None or found.removed_at:
        raise error(**names)
    return found


def find_service(board: Board, service_id: int) -> Service:
    """Return a service that is there. Raises `ServiceNotFound`."""
    return _there(board.services.get(service_id), ServiceNotFound, service_id=service_id)


def find_provider(board: Board, provider_id: int) -> Provider:
    """Return a provider who is there. Raises `ProviderNotFound`."""
    return _there(board.providers.get(provider_id), ProviderNotFound, provider_id=provider_id)


def named_provider(board: Board, provider_id: int | None) -> int | None:
    """Return the id of a provider who is there, or None where none is named. Raises `ProviderNotFound`."""
    return None if provider_id is None else find_provider(board, provider_id).id


def find_queue(board: Board, queue_id: int) -> Queue:
    """Return a queue that is there. Raises `QueueNotFound`."""
    return _there(board.queues.get(queue_id), QueueNotFound, queue_id=queue_id)


def find_queues(board: Board, queue_ids: Iterable[int]) -> tuple[int, ...]:
    """Return the ids of queues that are there, each once, in their order. Raises `QueueNotFound`."""
    return tuple(dict.fromkeys(find_queue(board, queue_id).id for queue_id in queue_ids))


def find_point(board: Board, point_id: int) -> Point:
    """Return a point that is there. Raises `PointNotFound`."""
    return _there(board.points.get(point_id), PointNotFound, point_id=point_id)


def find_device(board: Board, device_id: int) -> Display | Kiosk:
    """Return a display or a kiosk that is there. Raises `DeviceNotFound`."""
    device = board.device(device_id)
    if device is None or device.removed_at:
        raise DeviceNotFound(device_id=device_id)
    return device


def refuse_busy(board: Board, point: Point) -> None:
    """Raise `PointBusy` while somebody is called to the point or served there."""
    guest = board.entry_at(point.id)
    if guest is not None:
        raise PointBusy(
            point_id=point.id, point_name=point.name, entry_id=guest.id, label=label_of(board, guest), state=guest.state
        )


def name_of(record: Removable) -> str:
    """Return the name that no other of its kind may have; of a service the public one."""
    return record.public_name if isinstance(record, Service) else record.name


def refuse_taken(name: str, siblings: Iterable[Removable]) -> None:
    """Raise `NameTaken` if one of the same kind that is there has this name."""
    if any(name_of(each) == name and not each.removed_at for each in siblings):
        raise NameTaken(name=name)


def refuse_unchanged(record: object, **wanted: object) -> None:
    """Raise `NothingChanged` if the record has all these values already."""
    if all(getattr(record, name) == value for name, value in wanted.items()):
        raise NothingChanged()


def each_once(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Return needs in the one order and number in which they are kept, so that equal ones are the same."""
    return tuple(sorted(set(needs)))


def label_of(board: Board, entry: Entry) -> str:
    """Return the ticket of an entry's visit."""
    return board.visits[entry.visit_id].label


def new_ids(board: Board) -> Iterator[int]:
    """Return the ids that the site gives next."""
    return count(board.site.id * IDS_PER_SITE + board.site.last_id + 1)
