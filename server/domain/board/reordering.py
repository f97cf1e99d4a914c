"""Apply changes in the order of a queue."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.board.steps import step
from server.domain.events import EntryMoved, EntryReprioritised, Recorded


def entry_reprioritised(board: Board, event: EntryReprioritised, recorded: Recorded, changes: Changes) -> None:
    entry = step(board, event.entry_id, recorded, changes, band=event.band, place=event.place, moved=False)
    board.put(replace(board.visits[entry.visit_id], priority=event.priority, seq=recorded.seq), changes)


def entry_moved(board: Board, event: EntryMoved, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, place=event.place, moved=True)
    for entry_id, place in event.pushed:
        board.put(replace(board.entries[entry_id], place=place, moved=True, seq=recorded.seq), changes)
