"""Apply events of a clinic's delay."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import DelayAnnounced, DelayWithdrawn, Recorded


def delay_announced(board: Board, event: DelayAnnounced, recorded: Recorded, changes: Changes) -> None:
    board.site = replace(board.site, late_minutes=event.minutes, late_since=recorded.at, late_number=recorded.seq)
    changes.keys.add("site")


def delay_withdrawn(board: Board, event: DelayWithdrawn, recorded: Recorded, changes: Changes) -> None:
    board.site = replace(board.site, late_minutes=0, late_since=None, late_number=0)
    changes.keys.add("site")
