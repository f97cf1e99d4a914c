"""Apply events of patients who leave the queue, for a while or for good, and come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.steps import announce, step
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
from server.domain.model import Entry


def entry_held(board: Board, event: EntryHeld, recorded: Recorded, changes: Changes) -> None:
    before = board.entries[event.entry_id]
    away_since = before.missed_since(recorded.at) if before.state == "called" else recorded.at
    hold: dict[str, int | None] = {"away_since": away_since}
    if event.held_until is not None:  # the patient's latest word
        hold |= {"held_until": event.held_until, "absent_until": None}
    step(board, event.entry_id, recorded, changes, "held", **hold)
    _withdraw_call(board, before, event, recorded, changes)


def entry_returned(board: Board, event: EntryReturned, recorded: Recorded, changes: Changes) -> None:
    before = board.entries[event.entry_id]
    new: dict[str, Any] = {"place": event.place, "due_at": event.due_at, "away": before.away + event.away}
    new["delay"] = before.delay + event.due_at - before.due_at
    if event.estimating is not None:
        new |= {"expect_from": event.expect_from, "expect_until": event.expect_until, "estimating": event.estimating}
    after = step(board, event.entry_id, recorded, changes, "waiting", **new)
    habits.arrived(board, after, recorded, changes)
    _withdraw_call(board, before, event, recorded, changes)
    if before.held_until is not None and before.held_until <= recorded.at:  # by the clock: an undone return would come again
        board.put(replace(after, undo=None), changes)


def patient_running_late(board: Board, event: PatientRunningLate, recorded: Recorded, changes: Changes) -> None:
    end = "absent_until" if board.entries[event.entry_id].state == "waiting" else "held_until"
    new: dict[str, Any] = {end: event.absent_until}
    step(board, event.entry_id, recorded, changes, **new)


def absence_ended(board: Board, event: AbsenceEnded, recorded: Recorded, changes: Changes) -> None:
    entry = board.entries[event.entry_id]
    board.put(replace(entry, absent_until=None, undo=None, told=(), leave_until=None, seq=recorded.seq), changes)


def entry_left(board: Board, event: EntryLeft, recorded: Recorded, changes: Changes) -> None:
    before = board.entries[event.entry_id]
    step(board, event.entry_id, recorded, changes, "left", **_kept_absence(before, recorded))
    _withdraw_call(board, before, event, recorded, changes)


def entry_cancelled(board: Board, event: EntryCancelled, recorded: Recorded, changes: Changes) -> None:
    before = board.entries[event.entry_id]
    step(board, event.entry_id, recorded, changes, "cancelled", **_kept_absence(before, recorded))


def entry_reopened(board: Board, event: EntryReopened, recorded: Recorded, changes: Changes) -> None:
    step(board, event.entry_id, recorded, changes, "waiting")


def _kept_absence(before: Entry, recorded: Recorded) -> dict[str, int | None]:
    """Return the absence that a reopened entry goes on with: of a patient who needed more time after a call."""
    held_until = before.held_until
    return {"absent_until": held_until} if held_until is not None and held_until > recorded.at else {}


def _withdraw_call(
    board: Board, before: Entry, event: EntryHeld | EntryReturned | EntryLeft, recorded: Recorded, changes: Changes
) -> None:
    """Tell the displays that a call no longer stands."""
    if event.announcement_id is not None and before.point_id is not None:
        announce(board, recorded, event.announcement_id, before.id, before.point_id, event.label, "withdrawn", changes)
