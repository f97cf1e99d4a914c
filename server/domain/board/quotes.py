"""Apply the new quotes of waiting entries."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import Recorded, WaitsExplained, WaitsQuoted
from server.domain.model import Entry

REQUOTE_MICROSECONDS = 30_000_000  # the least time between two quotes of the waiting patients
CONTINUED_MICROSECONDS = 5_000_000  # how long the other processes leave a line to the process that has begun to quote it


def waits_quoted(board: Board, event: WaitsQuoted, recorded: Recorded, changes: Changes) -> None:
    for entry_id, expect_from, expect_until, estimating in event.quotes:
        board.put(_quoted(board.entries[entry_id], expect_from, expect_until, estimating, recorded.seq), changes)
    # The process that quoted a part of a line goes on at once. If it does not, another process soon begins again.
    quoted_at = recorded.at - REQUOTE_MICROSECONDS + CONTINUED_MICROSECONDS if event.more else recorded.at
    board.site = replace(board.site, quoted_at=quoted_at)


def waits_explained(board: Board, event: WaitsExplained, recorded: Recorded, changes: Changes) -> None:
    leaves = dict(event.leaves)
    told = dict(event.told)
    for entry_id in sorted({*leaves, *told}):
        entry = board.entries[entry_id]
        if entry_id in leaves:
            leave = leaves[entry_id]
            entry = replace(
                entry, leave_until=leave, quoted_leave=leave if entry.quoted_leave is None else entry.quoted_leave
            )
        board.put(replace(entry, told=told.get(entry_id, entry.told), seq=recorded.seq), changes)
    for queue_id, minutes in event.late:
        board.put(replace(board.queues[queue_id], late_minutes=minutes, seq=recorded.seq), changes)


def is_followed(board: Board) -> bool:
    """Return whether the clock has to look again: somebody waits, or a queue runs late."""
    return board.anybody_waiting or any(each.late_minutes for each in board.queues.values())


def _quoted(entry: Entry, expect_from: int | None, expect_until: int | None, estimating: bool, seq: int) -> Entry:
    """Return an entry with a new quote. It keeps its first quote, which statistics compare with the call."""
    first = entry.quoted_from is None
    return replace(
        entry,
        expect_from=expect_from,
        expect_until=expect_until,
        estimating=estimating,
        quoted_from=expect_from if first else entry.quoted_from,
        quoted_until=expect_until if first else entry.quoted_until,
        seq=seq,
    )
