"""Rules of the business day and of the clock."""

from __future__ import annotations

from server.domain.board import REQUOTE_MICROSECONDS, Board, is_followed, open_entries
from server.domain.calendar import NO_CALENDAR, Calendar
from server.domain.commands import CloseDay
from server.domain.errors import NothingDue
from server.domain.events import AbsenceEnded, AppointmentDue, DayClosed, DayTurned, EntryCancelled, EntryExpired, Event
from server.domain.model import tickets
from server.domain.rules import booking, explaining, leaving, quoting
from server.domain.rules.lookups import label_of


def tick(board: Board, now: int, calendar: Calendar, *, explain: bool = True, leave: bool = True) -> list[Event]:
    """Return the events of the clock at ``now``: the day turns, absences end, or waiting patients get new quotes.

    A long line gets its quotes in several ticks. While the event `WaitsQuoted` says that there is ``more``, the next tick
    comes at once.
    With ``explain``, the words about the waits follow the quotes; without ``leave``, no new time to leave. Raises
    `NothingDue` if the clock has no work yet.
    """
    events = overdue(board, now, calendar)
    due = board.requoting is not None or now >= board.site.quoted_at + REQUOTE_MICROSECONDS
    if not events and is_followed(board) and due:
        found = quoting.requote_line(board, now)
        events = [found.event, *(explaining.explained(board, found, now, leave=leave) if explain else ())]
    if not events:
        raise NothingDue(site_id=board.site.id)
    return events


def overdue(board: Board, now: int, calendar: Calendar = NO_CALENDAR) -> list[Event]:
    """Return the events that come before any other command at ``now``: the turn of the day, and the end of absences.

    An entry returns as of the announced time, even if the clock comes later.
    """
    turn = turn_of_day(board, now, calendar)
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


def turn_of_day(board: Board, now: int, calendar: Calendar = NO_CALENDAR) -> list[Event]:
    """Return the events of the turn of the day: open entries expire, and the new day begins with its appointments.

    Patients who did not come to their appointment count as missing. The list is empty before the turn. A site's day never
    goes back, even if its clock or its time zone does.
    """
    site = board.site
    today = tickets.business_day(now, site.time_zone, site.day_turns_at_minutes)
    if today <= site.business_day:
        return []
    turn = tickets.next_turn(today, site.time_zone, site.day_turns_at_minutes)
    left = open_entries(board)
    # The end of a day that nobody saw turn counts, too: the site's server may have been off for days.
    begin = tickets.begin_of(today, site.time_zone, site.day_turns_at_minutes)
    booked = [each for each in board.appointments.values() if each.state == "booked"]
    coming = [each for each in calendar.between(site.turns_at, turn) if each.state in ("booked", "held")]
    over: list[Event] = [
        booking.missed(each, now, "clock")
        for each in [*booked, *coming]
        if each.state == "booked" and each.starts_at < begin
    ]
    due: list[Event] = [
        AppointmentDue(appointment=each) for each in [*booked, *coming] if each.takes_time(now) and each.starts_at >= begin
    ]
    if site.rules.round_the_clock:
        carried = tuple(entry.id for entry in left)
        return [*over, DayTurned(business_day=today, next_turn_at=turn, carried=carried), *due]
    events: list[Event] = [
        EntryExpired(entry_id=entry.id, label=label_of(board, entry), was=entry.state)  # type: ignore[arg-type]
        for entry in left
    ]
    return [*events, *over, DayTurned(business_day=today, next_turn_at=turn), *due]


def close_day(board: Board, command: CloseDay) -> list[Event]:
    ending = open_entries(board)
    ended: list[Event] = [
        EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason) for entry in ending
    ]
    return [*ended, DayClosed(reason=command.reason, ended=len(ending))]
