"""Rules for calls and services from before an outage: the question "Still valid?", and its answer."""

from __future__ import annotations

from server.domain.board import Board
from server.domain.commands import Confirm, NoteOutage
from server.domain.errors import NothingChanged, NothingDue
from server.domain.events import EntryConfirmed, EntryDoubted, Event
from server.domain.model import BUSY_STATES, LEAST_OUTAGE, Entry
from server.domain.rules.lookups import find_entry, label_of


def note_outage(board: Board, command: NoteOutage) -> list[Event]:
    """Return an event for each call or service that is older than the outage. Raises `NothingDue` if there is none.

    Nobody could call during the outage. What was called or answered in its last `LEAST_OUTAGE`, or later, is thus from after
    it: another process may have started first.
    """
    horizon = command.offline_until - LEAST_OUTAGE
    busy = [board.entries[key] for key in sorted(board.entries) if board.entries[key].state in BUSY_STATES]
    old = [entry for entry in busy if _last_known(entry) <= horizon and not _is_asked(entry, command)]
    if not old:
        raise NothingDue(site_id=command.site_id)
    return [
        EntryDoubted(
            entry_id=entry.id,
            label=label_of(board, entry),
            offline_from=command.offline_from,
            offline_until=command.offline_until,
        )
        for entry in old
    ]


def confirm(board: Board, command: Confirm) -> list[Event]:
    """Return the event that a doubtful call or service is valid. Raises `NothingChanged` if nobody is asked any more."""
    entry = find_entry(board, command.entry_id)
    if entry.open_doubt is None:
        raise NothingChanged()
    return [EntryConfirmed(entry_id=entry.id, label=label_of(board, entry))]


def _last_known(entry: Entry) -> int:
    """Return the last instant at which the call or the service of an entry was certainly true."""
    answered_at = None if entry.doubt is None else entry.doubt[2]
    announced_at = entry.announced_at if entry.state == "called" else None
    return max(entry.since, announced_at or 0, answered_at or 0)


def _is_asked(entry: Entry, command: NoteOutage) -> bool:
    """Return whether another process was first."""
    return entry.doubt is not None and entry.doubt[1] > command.offline_from
