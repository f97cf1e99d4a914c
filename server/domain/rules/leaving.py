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
from server.domain.model import Entry, State
from server.domain.model.local_time import MINUTE
from server.domain.ranking import Rank
from server.domain.rules import quoting
from server.domain.rules.lookups import find_entry, label_of, new_ids, refuse_removed, refuse_second_stage


def hold(board: Board, command: Hold) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("waiting", "called"):
        raise EntryNotOpen(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    return [EntryHeld(entry_id=entry.id, label=label_of(board, entry), announcement_id=_withdrawal(board, entry))]


def return_(board: Board, command: Return, now: int) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state == "waiting" and entry.absent_until is not None:  # the late patient is here
        return [AbsenceEnded(entry_id=entry.id, label=label_of(board, entry))]
    if entry.state not in ("held", "no_show", "called"):
        raise EntryNotHeld(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    refuse_second_stage(board, entry)
    refuse_removed(board, entry)
    return [returned(board, entry, now, now)]


def returned(board: Board, entry: Entry, back_at: int, now: int) -> EntryReturned:
    """Return the event that brings back an entry whose absence ended at ``back_at``, see `ranking.due_after`."""
    missed = entry.missed_since(now) if entry.state == "called" else None
    away = back_at - (entry.away_since or missed or entry.since)
    due_at = ranking.due_after(entry.due_at, away, back_at, board.site.rules)
    # The place keeps its distance from the due time, which came from the priority or from a move.
    place = entry.place + due_at - entry.due_at
    label = label_of(board, entry)
    lane, rank = ranking.lane(entry, board.visits[entry.visit_id]), Rank(entry.band, place, entry.id)
    quote = quoting.first_quote(board, rank, lane, now, entry.absent_until or 0)
    return EntryReturned(
        entry_id=entry.id,
        label=label,
        place=place,
        due_at=due_at,
        away=away,
        announcement_id=_withdrawal(board, entry),
        reason=f"{label} {ranking.cost_of_absence(away, due_at - entry.due_at)}",
        expect_from=quote.expect_from,
        expect_until=quote.expect_until,
        estimating=quote.estimating,
    )


def running_late(board: Board, command: RunningLate, now: int) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    label, until = label_of(board, entry), now + command.minutes * MINUTE
    if command.minutes == 0:
        if entry.held_until is not None:
            return [returned(board, entry, now, now)]
        if entry.state == "waiting" or (entry.state == "held" and entry.absent_until is not None):
            return [AbsenceEnded(entry_id=entry.id, label=label)]
    elif entry.state == "called":
        withdrawal = _withdrawal(board, entry)
        return [EntryHeld(entry_id=entry.id, label=label, held_until=until, announcement_id=withdrawal)]
    elif entry.state == "waiting" or entry.held_until is not None:
        return [PatientRunningLate(entry_id=entry.id, label=label, absent_until=until)]
    raise EntryNotWaiting(entry_id=entry.id, label=label, state=entry.state)


def leave(board: Board, command: Leave) -> list[Event]:
    entry = _leaving(board, command.entry_id, "called")
    return [EntryLeft(entry_id=entry.id, label=label_of(board, entry), announcement_id=_withdrawal(board, entry))]


def cancel(board: Board, command: Cancel) -> list[Event]:
    entry = _leaving(board, command.entry_id)
    return [EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason)]


def reopen(board: Board, command: Reopen) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("completed", "left", "cancelled", "no_show"):
        raise EntryNotEnded(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    refuse_second_stage(board, entry)
    refuse_removed(board, entry)
    return [EntryReopened(entry_id=entry.id, label=label_of(board, entry))]


def _withdrawal(board: Board, entry: Entry) -> int | None:
    """Return the id of the announcement that withdraws the call of an entry, or None if the entry is not called."""
    return next(new_ids(board)) if entry.state == "called" else None


def _leaving(board: Board, entry_id: int, *also: State) -> Entry:
    """Return an entry that waits, is on hold, or is in the state ``also``. Raises `EntryNotFound` and `EntryNotLeaving`."""
    entry = find_entry(board, entry_id)
    if entry.state not in ("waiting", "held", *also):
        raise EntryNotLeaving(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    return entry
