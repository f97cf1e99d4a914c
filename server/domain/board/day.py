"""Apply events of the business day, and the message of the day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from server.domain.board import habits
from server.domain.board.appointments import forget_past
from server.domain.board.board import Board, Changes
from server.domain.board.steps import step
from server.domain.events import DayClosed, DayTurned, EntryExpired, MessageBroadcast, Recorded
from server.domain.model import Announcement, Counter, Entry, Visit


def message_broadcast(board: Board, event: MessageBroadcast, recorded: Recorded, changes: Changes) -> None:
    board.site = replace(board.site, message=event.message)
    changes.keys.add("site")


def day_closed(board: Board, event: DayClosed, recorded: Recorded, changes: Changes) -> None:
    """Change nothing: events of the same command have ended the open entries."""


def entry_expired(board: Board, event: EntryExpired, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "expired")


def day_turned(board: Board, event: DayTurned, recorded: Recorded, changes: Changes) -> None:
    began_at = board.site.turns_at
    in_time: dict[str, Any] = {"late_minutes": 0, "late_since": None, "late_number": 0}
    board.site = replace(board.site, business_day=event.business_day, turns_at=event.next_turn_at, **in_time)
    habits.day_turned(board, began_at, recorded, changes)  # while the board still has the entries of the day
    carried = set(event.carried)
    visits = {board.entries[entry_id].visit_id for entry_id in carried}
    for record in board.records():
        if (isinstance(record, Entry) and record.id in carried) or (isinstance(record, Visit) and record.id in visits):
            board.put(replace(record, business_day=event.business_day, seq=recorded.seq), changes)
        elif isinstance(record, Visit | Entry | Announcement | Counter):
            board.drop(record, changes)
    forget_past(board, event, recorded, changes)
    changes.keys.add("site")
