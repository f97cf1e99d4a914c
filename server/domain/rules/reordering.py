"""Rules for changing the order of a queue."""

from __future__ import annotations

from server.domain import ranking
from server.domain.board import Board
from server.domain.commands import Move, Reprioritise
from server.domain.errors import EntryNotWaiting, NoNeighbour
from server.domain.events import EntryMoved, EntryReprioritised, Event
from server.domain.rules.lookups import find_entry, label_of


def reprioritise(board: Board, command: Reprioritise) -> list[Event]:
    entry = find_entry(board, command.entry_id, "waiting", EntryNotWaiting)
    return [
        EntryReprioritised(
            entry_id=entry.id,
            label=label_of(board, entry),
            priority=command.priority,
            band=ranking.band(command.priority),
            place=ranking.place(entry.due_at, command.priority, board.site.rules),
            reason=command.reason,
        )
    ]


def move(board: Board, command: Move) -> list[Event]:
    entry = find_entry(board, command.entry_id, "waiting", EntryNotWaiting)
    behind = None
    if command.behind_entry_id is not None:
        behind = find_entry(board, command.behind_entry_id)
        waits_beside = behind.state == "waiting" and behind.absent_until is None and behind.queue_id == entry.queue_id
        if not waits_beside or behind.band != entry.band or behind.id == entry.id:
            raise NoNeighbour(entry_id=entry.id, behind_entry_id=behind.id)
    place, pushed = ranking.places_behind(board, entry, behind)
    return [EntryMoved(entry_id=entry.id, label=label_of(board, entry), place=place, reason=command.reason, pushed=pushed)]
