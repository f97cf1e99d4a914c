"""Apply events of messages that did not reach the patient of an entry."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import EntryInformed, EntryUnreached, Recorded
from server.domain.model import after_informing


def entry_unreached(board: Board, event: EntryUnreached, recorded: Recorded, changes: Changes) -> None:
    mark = (event.kind, event.way, event.problem, event.message_at, False)
    board.put(replace(board.entries[event.entry_id], unreached=mark, seq=recorded.seq), changes)


def entry_informed(board: Board, event: EntryInformed, recorded: Recorded, changes: Changes) -> None:
    entry = board.entries[event.entry_id]
    board.put(replace(entry, unreached=after_informing(entry.unreached, event.how), seq=recorded.seq), changes)
