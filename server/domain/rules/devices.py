"""Rules for displays and kiosks."""

from __future__ import annotations

from collections.abc import Iterable

from server.domain.board import Board
from server.domain.commands import AddDisplay, AddKiosk, ChangeDisplay, RenameDevice, RenewToken, ReportDisplay, RevokeToken
from server.domain.errors import TokenAlreadyRevoked
from server.domain.events import (
    DeviceRenamed,
    DisplayAdded,
    DisplayChanged,
    DisplayReported,
    Event,
    KioskAdded,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.model import Display, Removable
from server.domain.rules.lookups import (
    find_device,
    find_display,
    find_point,
    find_queues,
    new_ids,
    refuse_taken,
    refuse_unchanged,
)

_HEALTH = ("connected", "heard_by", "muted", "version", "lag")


def add_display(board: Board, command: AddDisplay, token_hash: str) -> list[Event]:
    refuse_taken(command.name, board.displays.values())
    return [DisplayAdded(display_id=next(new_ids(board)), name=command.name, token_hash=token_hash)]


def add_kiosk(board: Board, command: AddKiosk, token_hash: str) -> list[Event]:
    refuse_taken(command.name, board.kiosks.values())
    return [KioskAdded(kiosk_id=next(new_ids(board)), name=command.name, token_hash=token_hash)]


def rename(board: Board, command: RenameDevice) -> list[Event]:
    device = find_device(board, command.device_id)
    siblings: Iterable[Removable] = (board.displays if isinstance(device, Display) else board.kiosks).values()
    refuse_unchanged(device, name=command.name)
    refuse_taken(command.name, siblings)
    return [DeviceRenamed(device_id=device.id, name=command.name)]


def change_display(board: Board, command: ChangeDisplay) -> list[Event]:
    display = find_display(board, command.display_id)
    queue_ids, point_ids = display.queue_ids, display.point_ids
    if command.queue_ids is not None:
        queue_ids = find_queues(board, command.queue_ids)
    if command.point_ids is not None:
        point_ids = tuple(dict.fromkeys(find_point(board, point_id).id for point_id in command.point_ids))
    refuse_unchanged(display, queue_ids=queue_ids, point_ids=point_ids)
    return [DisplayChanged(display_id=display.id, queue_ids=queue_ids, point_ids=point_ids)]


def renew_token(board: Board, command: RenewToken, token_hash: str) -> list[Event]:
    return [TokenRenewed(device_id=find_device(board, command.device_id).id, token_hash=token_hash)]


def revoke_token(board: Board, command: RevokeToken) -> list[Event]:
    device = find_device(board, command.device_id)
    if device.token_hash is None:
        raise TokenAlreadyRevoked(device_id=device.id, device_name=device.name)
    return [TokenRevoked(device_id=device.id)]


def report(board: Board, command: ReportDisplay) -> list[Event]:
    display = find_display(board, command.display_id)
    connected = display.connected if command.connected is None else command.connected
    if command.connected is False and display.heard_by != command.heard_by:
        connected = display.connected  # the display has connected to another process since
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
