"""Rules for the mark of a patient who has not received a message."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import Board
from server.domain.calendar import Calendar
from server.domain.commands import ClearUnreached, NoteMessage
from server.domain.errors import AppointmentNotFound, NothingChanged, NothingDue
from server.domain.events import AppointmentInformed, AppointmentUnreached, EntryInformed, EntryUnreached, Event
from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, UNREACHED_KINDS
from server.domain.model import Appointment, Entry, Informed, Mark, Unreached, after_informing
from server.domain.rules.lookups import label_of


def note_message(board: Board, command: NoteMessage, now: int, calendar: Calendar) -> list[Event]:
    """Return the event that sets or clears the mark of a message's subject. Raises `NothingDue` if nothing changes."""
    if command.subject_id in board.entries:
        return _note_for_entry(board, board.entries[command.subject_id], command)
    subject = _appointment(board, calendar, command.subject_id)
    if subject is None or subject.version != command.version:
        raise NothingDue(site_id=command.site_id)
    if command.kind == "freed-time":  # its subject is the hold of the earlier time
        return _note_for_offer(board, subject, command, now, calendar)
    if subject.state not in OF_APPOINTMENTS.get(command.kind, ()) or subject.starts_at <= now:
        raise NothingDue(site_id=command.site_id)
    return [_noted(subject, command)]


def clear(board: Board, command: ClearUnreached, calendar: Calendar) -> list[Event]:
    """Return the event that the patient was told, or was not. Raises `NothingChanged` without such a mark."""
    how: Informed = "staff" if command.told else "nobody"
    entry = board.entries.get(command.subject_id)
    if entry is not None:
        _refuse_same(entry.unreached, told=command.told)
        return [EntryInformed(entry_id=entry.id, label=label_of(board, entry), how=how)]
    appointment = _appointment(board, calendar, command.subject_id)
    if appointment is None:
        raise AppointmentNotFound(appointment_id=command.subject_id)
    _refuse_same(appointment.unreached, told=command.told)
    return [informed(appointment, how)]


def informed(appointment: Appointment, how: Informed) -> AppointmentInformed:
    """Return the event that the patient of an appointment was informed in this way."""
    return AppointmentInformed(
        appointment=replace(appointment, unreached=after_informing(appointment.unreached, how)), how=how
    )


def offer_over(appointment: Appointment | None) -> list[Event]:
    """Return the event that clears the mark of an offer which has ended, if the appointment of its patient has one."""
    mark = None if appointment is None else appointment.unreached
    if appointment is None or mark is None or Unreached(*mark).kind != "freed-time":
        return []
    return [informed(appointment, "offer-over")]


def _note_for_entry(board: Board, entry: Entry, command: NoteMessage) -> list[Event]:
    right = entry.calls == command.version and entry.state in OF_ENTRIES.get(command.kind, ())
    mark = _mark_after(entry.unreached, command)
    if not right or mark == entry.unreached or board.visits[entry.visit_id].trial:
        raise NothingDue(site_id=command.site_id)
    label = label_of(board, entry)
    if mark is None:
        return [EntryInformed(entry_id=entry.id, label=label, how="message")]
    kind, way, problem, at, _ = mark
    return [EntryUnreached(entry_id=entry.id, label=label, kind=kind, way=way, problem=problem, message_at=at)]


def _note_for_offer(board: Board, hold: Appointment, command: NoteMessage, now: int, calendar: Calendar) -> list[Event]:
    """Return the event for the appointment whose patient may take the earlier time, while the offer stands."""
    asking = None if hold.offered_to is None else _appointment(board, calendar, hold.offered_to)
    if asking is None or asking.state != "booked" or not hold.takes_time(now):
        raise NothingDue(site_id=command.site_id)
    if asking.unreached is not None and Unreached(*asking.unreached).kind != "freed-time":
        raise NothingDue(site_id=command.site_id)  # the appointment itself matters more than the offer
    return [_noted(asking, command)]


def _noted(appointment: Appointment, command: NoteMessage) -> Event:
    mark = _mark_after(appointment.unreached, command)
    if mark == appointment.unreached:
        raise NothingDue(site_id=command.site_id)
    if mark is None:
        return informed(appointment, "message")
    kind, way, problem, _, _ = mark
    return AppointmentUnreached(appointment=replace(appointment, unreached=mark), kind=kind, way=way, problem=problem)


def _mark_after(before: Mark | None, command: NoteMessage) -> Mark | None:
    """Return the mark of a subject after what became of a message. An earlier message changes no later mark."""
    if before is not None and command.at < Unreached(*before).at:
        return before
    if command.problem is None:
        return None
    if command.kind not in UNREACHED_KINDS:
        return before
    return (command.kind, command.way, command.problem, command.at, False)  # type: ignore[return-value]


def _appointment(board: Board, calendar: Calendar, appointment_id: int) -> Appointment | None:
    return board.appointments.get(appointment_id) or calendar.appointment(appointment_id)


def _refuse_same(mark: Mark | None, *, told: bool) -> None:
    if mark is None or Unreached(*mark).told == told:
        raise NothingChanged()
