"""Rules of the business day and of the clock."""

from __future__ import annotations

from server.domain.board import REQUOTE_MICROSECONDS, Board, open_entries
from server.domain.commands import CloseDay
from server.domain.errors import NothingDue
from server.domain.events import AbsenceEnded, DayClosed, DayTurned, EntryCancelled, EntryExpired, Event
from server.domain.model import tickets
from server.domain.rules import leaving, quoting
from server.domain.rules.lookups import label_of


def tick(board: Board, now: int) -> list[Event]:
    """Return the events of the clock at ``now``: the day turns, absences end, or waiting patients get new quotes.

    A long line gets its quotes in several ticks. While the event `WaitsQuoted` says that there is ``more``, the next tick
    comes at once.
    Raises `NothingDue` if the clock has no work yet.
    """
    events = overdue(board, now)
    due = board.requoting is not None or now >= board.site.quoted_at + REQUOTE_MICROSECONDS
    if not events and board.anybody_waiting and due:
        events = [quoting.requote(board, now)]
    if not events:
        raise NothingDue(site_id=board.site.id)
    return events


def overdue(board: Board, now: int) -> list[Event]:
    """Return the events that come before any other command at ``now``: the turn of the day, and the end of absences.

    An entry returns as of the announced time, even if the clock comes later.
    """
    turn = turn_of_day(board, now)
    if turn and not board.site.rules.round_the_clock:
        return turn  # it ends the absent entries
    ended = [
        AbsenceEnded(entry_id=entry_id, label=label_of(board, board.entries[entry_id]))
        for entry_id, until in sorted(board.absent().items())
        if until <= now
    ]
    returns = [
        leaving.returned(board, board.entries[entry_id], until, now)
        for entry_id, until in sorted(board.returning().items())
        if until <= now
    ]
    return [*turn, *ended, *returns]


def turn_of_day(board: Board, now: int) -> list[Event]:
    """Return the events of the turn of the day: open entries expire, and the new day begins.

    The list is empty before the turn. A site's day never goes back, even if its clock or its time zone does.
    """
    site = board.site
    today = tickets.business_day(now, site.time_zone, site.day_turns_at_minutes)
    if today <= site.business_day:
        return []
    turn = tickets.next_turn(today, site.time_zone, site.day_turns_at_minutes)
    left = open_entries(board)
    if site.rules.round_the_clock:
        return [DayTurned(business_day=today, next_turn_at=turn, carried=tuple(entry.id for entry in left))]
    events: list[Event] = [
        EntryExpired(entry_id=entry.id, label=label_of(board, entry), was=entry.state)  # type: ignore[arg-type]
        for entry in left
    ]
    return [*events, DayTurned(business_day=today, next_turn_at=turn)]


def close_day(board: Board, command: CloseDay) -> list[Event]:
    ending = open_entries(board)
    ended: list[Event] = [
        EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason) for entry in ending
    ]
    return [*ended, DayClosed(reason=command.reason, ended=len(ending))]
