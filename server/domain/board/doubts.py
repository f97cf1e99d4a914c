"""Apply events of calls and services from before an outage."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import EntryConfirmed, EntryDoubted, Recorded
from server.domain.model import answered


def entry_doubted(board: Board, event: EntryDoubted, recorded: Recorded, changes: Changes) -> None:
    mark = (event.offline_from, event.offline_until, None)
    board.put(replace(board.entries[event.entry_id], doubt=mark, seq=recorded.seq), changes)


def entry_confirmed(board: Board, event: EntryConfirmed, recorded: Recorded, changes: Changes) -> None:
    entry = board.entries[event.entry_id]
    board.put(replace(entry, doubt=answered(entry.doubt, recorded.at), seq=recorded.seq), changes)
