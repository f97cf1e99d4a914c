"""Apply events of displays and kiosks."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import (
    DeviceRenamed,
    DisplayAdded,
    DisplayChanged,
    DisplayReported,
    KioskAdded,
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


def token_revoked(board: Board, event: TokenRevoked, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.known_device(event.device_id), token_hash=None, seq=recorded.seq), changes)


def display_reported(board: Board, event: DisplayReported, recorded: Recorded, changes: Changes) -> None:
    display = board.displays[event.display_id]
    display = replace(
        display,
        connected=event.connected,
        since=recorded.at if event.connected != display.connected else display.since,
        muted=event.muted,
        version=event.version,
        lag=event.lag,
        heard_by=event.heard_by,
        seq=recorded.seq,
    )
    board.put(display, changes)
