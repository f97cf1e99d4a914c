"""Apply events of displays and kiosks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from server.domain.board.board import Board, Changes
from server.domain.board.first_steps import reach
from server.domain.events import (
    DeviceRenamed,
    DeviceReported,
    DisplayAdded,
    DisplayChanged,
    HelpAnswered,
    HelpAsked,
    KioskAdded,
    KioskChanged,
    Recorded,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.model import Display, Kiosk


def display_added(board: Board, event: DisplayAdded, recorded: Recorded, changes: Changes) -> None:
    board.put(Display(event.display_id, board.site.id, event.name, event.token_hash, recorded.seq), changes)
    board.use_id(event.display_id)


def kiosk_added(board: Board, event: KioskAdded, recorded: Recorded, changes: Changes) -> None:
    board.put(Kiosk(event.kiosk_id, board.site.id, event.name, event.token_hash, recorded.seq), changes)
    board.use_id(event.kiosk_id)


def device_renamed(board: Board, event: DeviceRenamed, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.known_device(event.device_id), name=event.name, seq=recorded.seq), changes)


def display_changed(board: Board, event: DisplayChanged, recorded: Recorded, changes: Changes) -> None:
    display = board.displays[event.display_id]
    board.put(replace(display, queue_ids=event.queue_ids, point_ids=event.point_ids, seq=recorded.seq), changes)


def token_renewed(board: Board, event: TokenRenewed, recorded: Recorded, changes: Changes) -> None:
    device = board.known_device(event.device_id)
    board.put(replace(device, token_hash=event.token_hash, seq=recorded.seq), changes)
    if isinstance(device, Display):
        reach(board, "screen-paired", changes)


def token_revoked(board: Board, event: TokenRevoked, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.known_device(event.device_id), token_hash=None, seq=recorded.seq), changes)


def kiosk_changed(board: Board, event: KioskChanged, recorded: Recorded, changes: Changes) -> None:
    kiosk = replace(
        board.kiosks[event.kiosk_id],
        queue_ids=event.queue_ids,
        printing=event.printing,
        low=event.low,
        check_in=event.check_in,
        place=event.place,
        seq=recorded.seq,
    )
    board.put(kiosk, changes)


def help_asked(board: Board, event: HelpAsked, recorded: Recorded, changes: Changes) -> None:
    kiosk = board.kiosks[event.kiosk_id]
    board.put(replace(kiosk, help_asked_at=recorded.at, help_by=None, seq=recorded.seq), changes)


def help_answered(board: Board, event: HelpAnswered, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.kiosks[event.kiosk_id], help_by=event.by, seq=recorded.seq), changes)


def device_reported(board: Board, event: DeviceReported, recorded: Recorded, changes: Changes) -> None:
    device = board.known_device(event.device_id)
    health: dict[str, Any] = {
        "connected": event.connected,
        "since": recorded.at if event.connected != device.connected else device.since,
        "version": event.version,
        "lag": event.lag,
        "heard_by": event.heard_by,
        "seq": recorded.seq,
    }
    own = {"muted": event.muted} if isinstance(device, Display) else {"printer": event.printer}
    board.put(replace(device, **health, **own), changes)
    if isinstance(device, Display) and event.connected:
        reach(board, "screen-paired", changes)
