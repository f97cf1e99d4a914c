"""Apply events of patients who leave the queue, for a while or for good, and come back."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.board.steps import step
from server.domain.events import (
    AbsenceEnded,
    EntryCancelled,
    EntryHeld,
    EntryLeft,
    EntryReopened,
    EntryReturned,
    PatientRunningLate,
    Recorded,
)


def entry_held(board: Board, event: EntryHeld, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "held")


def entry_returned(board: Board, event: EntryReturned, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "waiting", place=event.place, due_at=event.due_at)


def patient_running_late(board: Board, event: PatientRunningLate, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, absent_until=event.absent_until)


def absence_ended(board: Board, event: AbsenceEnded, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.entries[event.entry_id], absent_until=None, undo=None, seq=recorded.seq), changes)


def entry_left(board: Board, event: EntryLeft, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "left")


def entry_cancelled(board: Board, event: EntryCancelled, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "cancelled")


def entry_reopened(board: Board, event: EntryReopened, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "waiting")
