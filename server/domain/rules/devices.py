"""Rules for displays and kiosks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from server.domain.board import Board
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AnswerHelp,
    AskHelp,
    ChangeDisplay,
    ChangeKiosk,
    RenameDevice,
    RenewToken,
    ReportDevice,
    RevokeToken,
)
from server.domain.errors import HelpNotAsked, NothingChanged, TokenAlreadyRevoked
from server.domain.events import (
    DeviceRenamed,
    DeviceReported,
    DisplayAdded,
    DisplayChanged,
    Event,
    HelpAnswered,
    HelpAsked,
    KioskAdded,
    KioskChanged,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.model import Display, Removable
from server.domain.rules.lookups import (
    find_device,
    find_display,
    find_kiosk,
    find_point,
    find_queues,
    new_ids,
    refuse_taken,
    refuse_unchanged,
)

Value = TypeVar("Value")

_SETTINGS = ("queue_ids", "printing", "low", "check_in", "place")
_HEALTH = ("connected", "heard_by", "version", "lag")


def add_display(board: Board, command: AddDisplay, token_hash: str | None) -> list[Event]:
    refuse_taken(command.name, board.displays.values())
    return [DisplayAdded(display_id=next(new_ids(board)), name=command.name, token_hash=token_hash)]


def add_kiosk(board: Board, command: AddKiosk, token_hash: str | None) -> list[Event]:
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


def change_kiosk(board: Board, command: ChangeKiosk) -> list[Event]:
    kiosk = find_kiosk(board, command.kiosk_id)
    changed = KioskChanged(
        kiosk_id=kiosk.id,
        queue_ids=kiosk.queue_ids if command.queue_ids is None else find_queues(board, command.queue_ids),
        printing=command.printing or kiosk.printing,
        low=kiosk.low if command.low is None else command.low,
        check_in=command.check_in or kiosk.check_in,
        place=kiosk.place if command.place is None else command.place,
    )
    refuse_unchanged(kiosk, **{name: getattr(changed, name) for name in _SETTINGS})
    return [changed]


def ask_help(board: Board, command: AskHelp) -> list[Event]:
    kiosk = find_kiosk(board, command.kiosk_id)
    if kiosk.calls_for_help:
        raise NothingChanged(kiosk_id=kiosk.id)
    return [HelpAsked(kiosk_id=kiosk.id)]


def answer_help(board: Board, command: AnswerHelp) -> list[Event]:
    kiosk = find_kiosk(board, command.kiosk_id)
    if not kiosk.calls_for_help:
        raise HelpNotAsked(kiosk_id=kiosk.id, kiosk_name=kiosk.name)
    return [HelpAnswered(kiosk_id=kiosk.id, by=command.name)]


def renew_token(board: Board, command: RenewToken, token_hash: str) -> list[Event]:
    return [TokenRenewed(device_id=find_device(board, command.device_id).id, token_hash=token_hash)]


def revoke_token(board: Board, command: RevokeToken) -> list[Event]:
    device = find_device(board, command.device_id)
    if device.token_hash is None:
        raise TokenAlreadyRevoked(device_id=device.id, device_name=device.name)
    return [TokenRevoked(device_id=device.id)]


def report(board: Board, command: ReportDevice) -> list[Event]:
    device = find_device(board, command.device_id)
    connected = device.connected if command.connected is None else command.connected
    if command.connected is False and device.heard_by != command.heard_by:
        connected = device.connected  # the device has connected to another process since
    known = command.connected is not None and connected
    reported = DeviceReported(
        device_id=device.id,
        connected=connected,
        heard_by=command.heard_by if known else device.heard_by,
        muted=_latest(command.muted, device.muted) if isinstance(device, Display) else False,
        version=_latest(command.version, device.version),
        lag=(command.lag if known else device.lag) if connected else None,
        printer=None if isinstance(device, Display) else _latest(command.printer, device.printer),
    )
    own = "muted" if isinstance(device, Display) else "printer"
    refuse_unchanged(device, **{name: getattr(reported, name) for name in (*_HEALTH, own)})
    return [reported]


def _latest(reported: Value | None, known: Value) -> Value:
    return known if reported is None else reported
