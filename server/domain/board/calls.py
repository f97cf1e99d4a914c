"""Apply events of calls: called, recalled, served, and not come."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.first_steps import reach
from server.domain.board.steps import announce, step
from server.domain.events import NoShowRecorded, Recorded, ServiceCompleted, ServiceStarted, TicketCalled, TicketRecalled
from server.domain.model import answered


def ticket_called(board: Board, event: TicketCalled, recorded: Recorded, changes: Changes) -> None:
    entry, at = board.entries[event.entry_id], recorded.at
    called = {"calls": entry.calls + 1, "called_at": at, "first_called_at": entry.first_called_at or at, "announced_at": at}
    step(board, event.entry_id, recorded, changes, "called", point_id=event.point_id, **called)
    habits.called(board, entry, event.point_id, recorded, changes)
    announce(board, recorded, event.announcement_id, event.entry_id, event.point_id, event.label, "call", changes)
    if not board.visits[entry.visit_id].trial:
        reach(board, "ticket-called", changes)


def ticket_recalled(board: Board, event: TicketRecalled, recorded: Recorded, changes: Changes) -> None:
    entry = board.entries[event.entry_id]
    doubt = answered(entry.doubt, recorded.at)
    board.put(replace(entry, calls=entry.calls + 1, announced_at=recorded.at, doubt=doubt, seq=recorded.seq), changes)
    announce(board, recorded, event.announcement_id, event.entry_id, event.point_id, event.label, "recall", changes)


def service_started(board: Board, event: ServiceStarted, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "serving")


def service_completed(board: Board, event: ServiceCompleted, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "completed")


def no_show_recorded(board: Board, event: NoShowRecorded, recorded: Recorded, changes: Changes) -> None:
    entry = board.entries[event.entry_id]
    step(board, event.entry_id, recorded, changes, "no_show", away_since=entry.missed_since(recorded.at))
