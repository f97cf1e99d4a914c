"""Rules for patients who leave the queue, for a while or for good, and come back."""

from __future__ import annotations

from server.domain import ranking
from server.domain.board import Board
from server.domain.commands import Cancel, Hold, Leave, Reopen, Return, RunningLate
from server.domain.errors import EntryNotEnded, EntryNotHeld, EntryNotLeaving, EntryNotOpen, EntryNotWaiting
from server.domain.events import (
    AbsenceEnded,
    EntryCancelled,
    EntryHeld,
    EntryLeft,
    EntryReopened,
    EntryReturned,
    Event,
    PatientRunningLate,
)
from server.domain.model import Entry
from server.domain.rules.lookups import find_entry, label_of, refuse_second_stage


def hold(board: Board, command: Hold) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("waiting", "called"):
        raise EntryNotOpen(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    return [EntryHeld(entry_id=entry.id, label=label_of(board, entry))]


def return_(board: Board, command: Return, now: int) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("held", "no_show"):
        raise EntryNotHeld(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    refuse_second_stage(board, entry)
    # The patient waits behind those who joined up to this many minutes ago.
    due_at = max(entry.due_at, now - board.site.rules.return_lead * ranking.MINUTE)
    # The place keeps its distance from the due time, which came from the priority or from a move.
    place = entry.place + due_at - entry.due_at
    return [EntryReturned(entry_id=entry.id, label=label_of(board, entry), place=place, due_at=due_at)]


def running_late(board: Board, command: RunningLate, now: int) -> list[Event]:
    entry = find_entry(board, command.entry_id, "waiting", EntryNotWaiting)
    label = label_of(board, entry)
    if command.minutes == 0:
        return [AbsenceEnded(entry_id=entry.id, label=label)]
    until = now + command.minutes * ranking.MINUTE
    return [PatientRunningLate(entry_id=entry.id, label=label, absent_until=until)]


def leave(board: Board, command: Leave) -> list[Event]:
    entry = _leaving(board, command.entry_id)
    return [EntryLeft(entry_id=entry.id, label=label_of(board, entry))]


def cancel(board: Board, command: Cancel) -> list[Event]:
    entry = _leaving(board, command.entry_id)
    return [EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason)]


def reopen(board: Board, command: Reopen) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("completed", "left", "cancelled", "no_show"):
        raise EntryNotEnded(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    refuse_second_stage(board, entry)
    return [EntryReopened(entry_id=entry.id, label=label_of(board, entry))]


def _leaving(board: Board, entry_id: int) -> Entry:
    """Return an entry that can leave or be cancelled. Raises `EntryNotFound` and `EntryNotLeaving`."""
    entry = find_entry(board, entry_id)
    if entry.state not in ("waiting", "held"):
        raise EntryNotLeaving(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    return entry
