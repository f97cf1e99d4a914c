"""Apply events of patients sent to another queue or another provider."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.steps import new_entry, step
from server.domain.events import ProviderReassigned, Recorded, TicketTransferred


def ticket_transferred(board: Board, event: TicketTransferred, recorded: Recorded, changes: Changes) -> None:
    ended = step(board, event.entry_id, recorded, changes, "transferred")
    entry = new_entry(event.new_entry_id, ended.visit_id, board.site, event, recorded)
    board.put(entry, changes)
    habits.arrived(board, entry, recorded, changes)
    board.use_id(event.new_entry_id)


def provider_reassigned(board: Board, event: ProviderReassigned, recorded: Recorded, changes: Changes) -> None:
    for entry_id in event.entry_ids:
        moved = replace(
            board.entries[entry_id], provider_id=event.to_provider_id, told=(), leave_until=None, seq=recorded.seq
        )
        board.put(moved, changes)
