"""The messages to patients that an event plans, each with its due time and the end of its use. Pure.

Instants are microseconds. The command's transaction adds a row for each planned message, and `server.notifying` sends it if
its subject then still has the planned version and a state that allows the kind: see `server.domain.messages`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal
from zlib import crc32

from server.domain.board import Board
from server.domain.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentHeld,
    AppointmentMissed,
    AppointmentMoved,
    AppointmentRezoned,
    DelayAnnounced,
    Event,
    NoShowRecorded,
    OfAppointment,
    ServiceCompleted,
    StepUndone,
    TicketCalled,
)
from server.domain.messages import OPEN, REVIVABLE, Kind
from server.domain.model import UNDO_MICROSECONDS, Appointment, Entry, Site, local_time
from server.domain.model.local_time import MINUTE
from server.domain.ranking import ahead
from server.domain.rules.delays import delayed

HOUR = 60 * MINUTE
DAY_HOURS = 24
SPREAD = 10 * MINUTE
LEAST_LEAD = 30 * MINUTE  # a later reminder finds no patient who can still come or cancel
ALMOST_AHEAD = 2
ALMOST_LASTS = 15 * MINUTE
MISSED_CALL_LASTS = 2 * HOUR
MISSED_APPOINTMENT_LASTS = 24 * HOUR
REPEAT_LASTS = 30 * MINUTE
FEEDBACK_AFTER = HOUR
FEEDBACK_LASTS = 24 * HOUR  # the page of a ticket lives for two days
DELAY_LASTS = 30 * MINUTE  # later, the delay is another one
_SECOND = 1_000_000
# A change of an appointment that begins before the quiet hours end: the patient would come in vain, or not come.
_CANNOT_WAIT: frozenset[Kind] = frozenset({"booked", "moved", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """A message of a kind about one version of its ``subject``: ``appointment:{id}``, ``entry:{id}`` or ``visit:{id}``.

    ``ahead`` is the offset of the kind: hours before the start for a reminder, patients ahead for almost-your-turn, the
    number of the announcement for running-late, else 0. ``minutes`` is the announced delay. ``due_at`` is
    the exact time by the rules, and from ``not_after`` on the message is of no use. ``skipped`` is one whose time had passed
    when it was planned. `spread` may move it later by less than ``slack`` (microseconds).

    The ids are those of the subject. The subject of a freed time is its hold: it names the appointment that may move.
    """

    subject: str
    version: int
    kind: Kind
    ahead: int = 0
    due_at: int
    not_after: int
    state: Literal["due", "skipped"] = "due"
    slack: int = 0
    appointment_id: int | None = None
    entry_id: int | None = None
    visit_id: int | None = None
    minutes: int | None = None

    def spread(self) -> PlannedMessage:
        """Return the message with the due time of its row: messages of one minute get different seconds of ten minutes.

        The shift comes from the subject, the kind and the offset alone. It never reaches ``not_after`` or the quiet hours.
        """
        seconds = crc32(f"{self.subject}:{self.kind}:{self.ahead}".encode()) % max(1, self.slack // _SECOND)
        return replace(self, due_at=self.due_at + seconds * _SECOND, slack=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """What the row of a planned message has: its kind and offset, its times, and its state by the name in the table."""

    kind: Kind
    ahead: int
    state: str
    due_at: int
    not_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """The changes of one appointment's rows. Those of ``move`` get these times, become ``due`` and lose their claim."""

    add: tuple[PlannedMessage, ...] = ()
    move: tuple[PlannedRow, ...] = ()
    withdraw: tuple[PlannedRow, ...] = ()


def planned(board: Board, events: Iterable[Event], now: int) -> list[PlannedMessage]:
    """Return the messages that the events of one command plan at ``now``. ``board`` is the board after them.

    A site without ways plans none, and nobody gets one about a test patient. Only the last event of an appointment counts.
    A series gets one ``booked`` message, of its first appointment. An appointment of another system gets none: its patient
    knows it. After an `AppointmentRezoned`, `replanned` has the reminders.
    """
    if not board.site.rules.message_ways:
        return []
    events = list(events)
    latest = {each.appointment_id: each for each in events if isinstance(each, _TELLING)}
    found: list[PlannedMessage] = []
    series: set[int] = set()
    for last in latest.values():
        found += _of_appointment(board.site, last, now, series)
    for event in events:
        match event:
            case TicketCalled() | NoShowRecorded():
                found += _of_entry(board, event, now)
            case ServiceCompleted():
                found += _of_visit(board, event, now)
            case DelayAnnounced(minutes=minutes):
                found += _of_delay(board, minutes, now)
            case StepUndone(appointment_id=int(checked_in)):  # the appointment has a new version
                appointment = board.appointments.get(checked_in)  # not if it was one of a past day
                found += [] if appointment is None else reminders(appointment, board.site, now)
    return found


def waiting(board: Board, now: int) -> list[PlannedMessage]:
    """Return an ``almost-your-turn`` message for each waiting patient with at most two patients ahead.

    A repeat returns the same keys. Nobody gets one about a test patient.
    """
    if not board.site.rules.message_ways:
        return []
    return [
        _entry_message(entry, "almost-your-turn", now, now + ALMOST_LASTS, ahead=ALMOST_AHEAD)
        for queue_id in board.queues
        for each in board.waiting(queue_id)[: ALMOST_AHEAD + 1]
        if not board.visits[(entry := board.entries[each.entry_id]).visit_id].trial and ahead(board, entry) <= ALMOST_AHEAD
    ]


def calls(board: Board, now: int) -> list[PlannedMessage]:
    """Return a ``called`` message for each patient who was called and is still expected. After an outage nobody is.

    A repeat returns the same keys. Nobody gets one about a test patient.
    """
    if not board.site.rules.message_ways:
        return []
    lasts = board.site.rules.minutes_call_stands * MINUTE
    return [
        _entry_message(entry, "called", now, entry.since + lasts)
        for entry in board.entries.values()
        if entry.state == "called" and entry.doubt is None and now < entry.since + lasts
        if not board.visits[entry.visit_id].trial
    ]


def reminders(appointment: Appointment, site: Site, now: int, late: frozenset[int] = frozenset()) -> list[PlannedMessage]:
    """Return the reminders of an appointment, the last one first.

    A reminder makes sense until the due time of the next one, and the last one until `LEAST_LEAD` before the start. One
    whose time has passed is skipped. With its offset in ``late``, it goes out now.
    """
    if appointment.state != "booked" or not site.rules.message_ways:
        return []
    quiet = _Quiet(site)
    times = {hours: reminder_time(appointment.starts_at, hours, site.time_zone) for hours in site.rules.reminders}
    not_after = appointment.starts_at - LEAST_LEAD
    found: list[PlannedMessage] = []
    for hours, at in sorted(times.items(), key=lambda item: (-item[1], item[0])):
        due_at = quiet.moved_out(max(at, now) if hours in late else at, not_after)
        message = _appointment_message(appointment, "reminder", due_at, not_after, ahead=hours)
        if due_at < now or due_at >= not_after:
            found.append(replace(message, due_at=min(due_at, not_after), state="skipped"))
        else:
            found.append(replace(message, slack=quiet.slack(due_at, not_after) if due_at > now else 0))
            not_after = due_at
    return found


def reminder_time(starts_at: int, hours: int, zone: str) -> int:
    """Return the instant so many hours before a start, before any quiet hours.

    Whole days are days of the wall clock: the same local time, the end of a gap, or the first of a repeated time. Other
    hours are elapsed time.
    """
    if hours % DAY_HOURS:
        return starts_at - hours * HOUR
    local = local_time.local_of(starts_at, zone).local
    day = date.fromisoformat(local[:10]) - timedelta(days=hours // DAY_HOURS)
    return local_time.first_instant(day.isoformat(), zone, local_time.minutes_of(local[11:]))


def replanned(rows: Iterable[PlannedRow], appointment: Appointment, site: Site, now: int) -> Replan:
    """Return the changes of an appointment's rows after other reminders, quiet hours or another zone of the site.

    ``rows`` are all rows of the appointment's present version. A sent or ended row stays. A reminder that was withdrawn or
    skipped comes back if its time is still to come, and an open one whose new time has passed goes out now.
    """
    known = {(row.kind, row.ahead): row for row in rows}
    late = frozenset(row.ahead for row in known.values() if row.kind == "reminder" and row.state in OPEN)
    wanted = {each.ahead: each for each in reminders(appointment, site, now, late)}
    quiet = _Quiet(site)
    move: list[PlannedRow] = []
    withdraw: list[PlannedRow] = []
    for row in known.values():
        if row.state not in OPEN | REVIVABLE:
            continue
        message = wanted.get(row.ahead) if row.kind == "reminder" else None
        if message is not None and message.state == "due":
            times = replace(row, due_at=message.spread().due_at, not_after=message.not_after)
            if times != row or row.state in REVIVABLE:
                move.append(replace(times, state="due"))
        elif row.state not in OPEN:
            continue
        elif row.kind == "reminder":
            withdraw.append(row)
        elif row.kind not in _AT_ONCE and now < row.due_at != (due_at := quiet.moved_out(row.due_at, row.not_after)) >= now:
            move.append(replace(row, state="due", due_at=due_at))
    add = tuple(each for hours, each in wanted.items() if ("reminder", hours) not in known)
    return Replan(add=add, move=tuple(move), withdraw=tuple(withdraw))


def repeat_until(kind: Kind, appointment: Appointment | None, now: int) -> int:
    """Return until when a message is useful that staff send again at ``now``: half an hour, or less if its kind ends sooner.

    ``appointment`` is None for a message about an entry. A result up to ``now`` means that it is too late.
    """
    latest = now + REPEAT_LASTS
    if appointment is None or kind in _AFTER_THE_START:
        return latest
    if kind == "freed-time":
        return min(latest, appointment.held_until or now)
    return min(latest, appointment.starts_at - (LEAST_LEAD if kind == "reminder" else 0))


def _of_appointment(site: Site, event: OfAppointment, now: int, series: set[int]) -> list[PlannedMessage]:
    """Return the messages of an appointment's last event. ``series`` are the series with a ``booked`` message so far."""
    appointment = event.appointment
    starts_at = appointment.starts_at
    match event:
        case AppointmentBooked():
            told = appointment.foreign_id is not None or appointment.series_id in series
            if appointment.series_id is not None:
                series.add(appointment.series_id)
            booked = [] if told else [_change(site, appointment, "booked", now, starts_at)]
            return [*booked, *reminders(appointment, site, now)]
        case AppointmentMoved():
            moved = _moved(site, appointment, event.was_starts_at, now)
            return [moved, *reminders(appointment, site, now)]
        case AppointmentRezoned() if event.was_local_start not in (None, appointment.local_start):
            return [_moved(site, appointment, event.was_starts_at, now)]
        case AppointmentCancelled():
            return [_change(site, appointment, "cancelled", now, starts_at)]
        case AppointmentMissed():
            return [_change(site, appointment, "no-show", now, now + MISSED_APPOINTMENT_LASTS)]
        case AppointmentHeld() if appointment.offered_to is not None:
            return [_change(site, appointment, "freed-time", now, appointment.held_until or now)]
    return []


def _moved(site: Site, appointment: Appointment, was_starts_at: int, now: int) -> PlannedMessage:
    """Return the message about another time: the patient needs it before the new time, and before an old one to come."""
    starts_at = appointment.starts_at
    needed_by = min(starts_at, was_starts_at) if was_starts_at > now else starts_at
    return _change(site, appointment, "moved", now, starts_at, needed_by)


def _of_entry(board: Board, event: TicketCalled | NoShowRecorded, now: int) -> list[PlannedMessage]:
    """Return the message of a call or of a missed call, if the entry is still in its state."""
    entry = board.entries.get(event.entry_id)
    if entry is None or board.visits[entry.visit_id].trial:  # the day may have turned in the same command
        return []
    if isinstance(event, TicketCalled):
        lasts = board.site.rules.minutes_call_stands * MINUTE
        return [_entry_message(entry, "called", now, now + lasts)] if entry.state == "called" else []
    if entry.state != "no_show":
        return []
    at = now + UNDO_MICROSECONDS  # the step may be a mistake
    return [_outside_quiet_hours(_entry_message(entry, "no-show", at, now + MISSED_CALL_LASTS), board.site, now)]


def _of_visit(board: Board, event: ServiceCompleted, now: int) -> list[PlannedMessage]:
    """Return the question about a visit whose last stage has been completed. Each visit has one."""
    entry = board.entries.get(event.entry_id)
    if board.site.rules.feedback == "off" or entry is None or entry.state != "completed":
        return []
    visit = board.visits[entry.visit_id]
    if visit.trial or board.latest_entry(visit.id) != entry:
        return []
    message = _entry_message(entry, "feedback", now + FEEDBACK_AFTER, now + FEEDBACK_LASTS)
    # Another call of the same visit asks no second time.
    return [_outside_quiet_hours(replace(message, subject=f"visit:{visit.id}", version=0), board.site, now)]


def _of_delay(board: Board, minutes: int, now: int) -> list[PlannedMessage]:
    """Return the messages about an announced delay, which can be withdrawn for a minute. They ignore quiet hours."""
    number, due_at, not_after = board.site.late_number, now + UNDO_MICROSECONDS, now + DELAY_LASTS
    return [
        replace(
            _entry_message(each, "running-late", due_at, not_after, ahead=number)
            if isinstance(each, Entry)
            else _appointment_message(each, "running-late", due_at, not_after, ahead=number),
            minutes=minutes,
        )
        for each in delayed(board, minutes, now)
    ]


def _change(
    site: Site, appointment: Appointment, kind: Kind, now: int, not_after: int, needed_by: int = 0
) -> PlannedMessage:
    """Return a message about a change of this moment. The patient needs it before ``needed_by``, or ``not_after``."""
    message = _appointment_message(appointment, kind, now, not_after)
    return _outside_quiet_hours(message, site, now, needed_by or not_after)


def _outside_quiet_hours(message: PlannedMessage, site: Site, now: int, needed_by: int = 0) -> PlannedMessage:
    """Return a message with its due time moved out of the quiet hours, skipped if its time has passed."""
    quiet = _Quiet(site)
    due_at = quiet.moved_out(message.due_at, needed_by or message.not_after)
    if due_at < now and message.kind in _CANNOT_WAIT:
        due_at = message.due_at
    if due_at < now or due_at >= message.not_after:
        return replace(message, due_at=min(due_at, message.not_after), state="skipped")
    put_off = due_at > message.due_at  # many messages wait for the same end of the quiet hours
    return replace(message, due_at=due_at, slack=quiet.slack(due_at, message.not_after) if put_off else 0)


def tried_again_at(kind: Kind, site: Site, at: int, not_after: int) -> int:
    """Return the instant of another try at a message whose provider was away: ``at``, or later outside the quiet hours.

    A message that cannot wait for their end is tried in them, and none after ``not_after``, where it expires.
    """
    if kind not in _AT_ONCE:
        at = max(at, _Quiet(site).moved_out(at, not_after))
    return min(at, not_after)


def _appointment_message(
    appointment: Appointment, kind: Kind, due_at: int, not_after: int, *, ahead: int = 0
) -> PlannedMessage:
    return PlannedMessage(
        subject=f"appointment:{appointment.id}",
        version=appointment.version,
        kind=kind,
        ahead=ahead,
        due_at=due_at,
        not_after=not_after,
        appointment_id=appointment.id,
    )


def _entry_message(entry: Entry, kind: Kind, due_at: int, not_after: int, *, ahead: int = 0) -> PlannedMessage:
    return PlannedMessage(
        subject=f"entry:{entry.id}",
        version=entry.calls,
        kind=kind,
        ahead=ahead,
        due_at=due_at,
        not_after=not_after,
        entry_id=entry.id,
        visit_id=entry.visit_id,
    )


class _Quiet:
    """The quiet hours of a site as spans of instants, which have every instant whose wall clock is in the quiet hours."""

    def __init__(self, site: Site) -> None:
        self._zone = site.time_zone
        self._from, self._until = site.rules.quiet_from, site.rules.quiet_until

    def moved_out(self, at: int, needed_by: int) -> int:
        """Return ``at``, or if it is quiet then, the end of the quiet hours, or else one minute before they begin.

        The end is early enough if a message of that minute can be spread before ``needed_by``.
        """
        span = self._at(at)
        if span is None:
            return at
        begin, end = span
        return end if end + SPREAD <= needed_by else begin - MINUTE

    def slack(self, due_at: int, not_after: int) -> int:
        """Return by how much a message may be spread: up to `SPREAD`, ``not_after``, and the next quiet hours."""
        begins = [begin - due_at for begin, _ in self._spans(due_at) if begin > due_at]
        return min(SPREAD, not_after - due_at, *begins)

    def _at(self, instant: int) -> tuple[int, int] | None:
        """Return the quiet time around an instant, or None. A change of the clocks can join two spans into one."""
        found = self._span(instant)
        if found is None:
            return None
        begin, end = found
        while (earlier := self._span(begin - 1)) is not None:
            begin = earlier[0]
        while (later := self._span(end)) is not None:
            end = later[1]
        return begin, end

    def _span(self, instant: int) -> tuple[int, int] | None:
        return next(((begin, end) for begin, end in self._spans(instant) if begin <= instant < end), None)

    def _spans(self, instant: int) -> list[tuple[int, int]]:
        """Return the quiet hours that begin on the local date of an instant, the day before or the day after."""
        if self._from == self._until:
            return []
        today = local_time.wall_clock(instant, self._zone).date()
        days = [today + timedelta(days=each) for each in (-1, 0, 1)]
        overnight = timedelta(days=self._from > self._until)
        return [
            (
                local_time.first_instant(day.isoformat(), self._zone, self._from),
                local_time.last_instant((day + overnight).isoformat(), self._zone, self._until),
            )
            for day in days
        ]


_AFTER_THE_START: frozenset[Kind] = frozenset({"no-show", "feedback"})
_AT_ONCE: frozenset[Kind] = frozenset({"called", "almost-your-turn", "running-late"})
_TELLING = (
    AppointmentBooked,
    AppointmentMoved,
    AppointmentCancelled,
    AppointmentMissed,
    AppointmentHeld,
    AppointmentRezoned,
)
