"""Apply events of appointments and schedules.

The board has the appointments of the present business day. Each event has the whole appointment, so one that is not on the
board can change, too: only its row does. A follower may `watch` more days, for the screens that show them.
"""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.events import (
    AppointmentAmended,
    AppointmentDue,
    AppointmentInformed,
    AppointmentMissed,
    AppointmentRezoned,
    AppointmentsImported,
    AppointmentUnreached,
    DayTurned,
    ExceptionAdded,
    ExceptionRemoved,
    OfAppointment,
    PractitionerLinked,
    Recorded,
    ScheduleAdded,
    ScheduleEnded,
    StepUndone,
)
from server.domain.model import OPEN_STATES, AppointmentState, Entry, State

# The state of an appointment after the check-in, by the state of the visit's last entry. Every open state is `checked_in`.
_FOLLOWS: dict[State, AppointmentState] = {
    "completed": "fulfilled",
    "no_show": "no_show",
    "left": "cancelled",
    "cancelled": "cancelled",
    "expired": "expired",
}


def appointment_changed(board: Board, event: OfAppointment, recorded: Recorded, changes: Changes) -> None:
    site = board.site
    after = replace(
        event.appointment,
        unreached=event.appointment.unreached if _keeps_mark(event) else None,
        seq=recorded.seq,
        sealed=event.sealed,
        business_day=site.business_day if event.appointment.starts_at < site.turns_at else None,
    )
    board.put(after, changes)
    board.use_id(after.id)
    if isinstance(event, AppointmentMissed):
        habits.missed(board, recorded, changes)
    if not board.keeps(after):
        board.drop(after, changes)


def _keeps_mark(event: OfAppointment) -> bool:
    """Return whether a message about the appointment before the event is still about the appointment after it."""
    if isinstance(event, AppointmentRezoned):
        return event.was_local_start in (None, event.appointment.local_start)
    return isinstance(event, AppointmentUnreached | AppointmentInformed | AppointmentAmended | AppointmentDue)


def appointments_imported(board: Board, event: AppointmentsImported, recorded: Recorded, changes: Changes) -> None:
    """Change nothing: events of the same command have changed the appointments."""


def follow_entries(board: Board, recorded: Recorded, changes: Changes) -> None:
    """Give each appointment the state of its visit's entry, after an event that changed entries."""
    for record in [after for _, after in changes.records.values() if isinstance(after, Entry) and after.seq == recorded.seq]:
        visit = board.visits.get(record.visit_id)
        if visit is None or visit.appointment_id is None:
            continue
        appointment, entry = board.appointments.get(visit.appointment_id), board.latest_entry(visit.id)
        if appointment is None or entry is None or appointment.visit_id not in (None, visit.id):
            continue
        if appointment.business_day != board.site.business_day:  # only a board that watches its day has it
            continue
        if isinstance(recorded.event, StepUndone) and recorded.event.step == "ticket-issued":
            after = replace(appointment, state="booked", visit_id=None, version=appointment.version + 1)
        elif entry.state in OPEN_STATES:
            after = replace(appointment, state="checked_in", visit_id=visit.id, ended_by=None)
        elif appointment.visit_id is None:
            continue
        else:
            after = appointment.without_time(recorded.at, _FOLLOWS.get(entry.state, "fulfilled"))
        if after != appointment:
            board.put(replace(after, unreached=None, seq=recorded.seq), changes)


def forget_past(board: Board, event: DayTurned, recorded: Recorded, changes: Changes) -> None:
    """Drop what the new day does not need: past appointments, exceptions and schedules. Carried visits keep theirs."""
    for appointment in list(board.appointments.values()):
        of_a_day = appointment.business_day is not None  # else only a board that watches its day has it
        if of_a_day and appointment.visit_id is not None and appointment.visit_id in board.visits:
            board.put(replace(appointment, business_day=event.business_day, seq=recorded.seq), changes)
        elif not board.keeps(appointment):
            board.drop(appointment, changes)
    for exception in list(board.exceptions.values()):
        if exception.date < event.business_day:
            board.drop(exception, changes)
    for schedule in list(board.schedules.values()):
        if schedule.valid_until is not None and schedule.valid_until < event.business_day:
            board.drop(schedule, changes)


def forget_later(board: Board, changes: Changes) -> None:
    """Put the appointments off the board that begin after the day's end, which has just been moved.

    An appointment whose patient is here stays: its state follows the visit.
    """
    for appointment in list(board.appointments.values()):
        if appointment.visit_id is not None and appointment.visit_id in board.visits:
            continue
        if appointment.business_day is not None and appointment.starts_at >= board.site.turns_at:
            board.put(replace(appointment, business_day=None), changes)
            if not board.keeps(board.appointments[appointment.id]):
                board.drop(board.appointments[appointment.id], changes)


def schedule_added(board: Board, event: ScheduleAdded, recorded: Recorded, changes: Changes) -> None:
    added = replace(event.schedule, seq=recorded.seq)
    board.put(added, changes)
    board.use_id(added.id)
    if added.valid_until is not None and added.valid_until < board.site.business_day:
        board.drop(added, changes)


def schedule_ended(board: Board, event: ScheduleEnded, recorded: Recorded, changes: Changes) -> None:
    ended = replace(board.schedules[event.schedule_id], valid_until=event.valid_until, seq=recorded.seq)
    board.put(ended, changes)
    if event.valid_until < board.site.business_day:
        board.drop(ended, changes)


def exception_added(board: Board, event: ExceptionAdded, recorded: Recorded, changes: Changes) -> None:
    added = replace(event.exception, seq=recorded.seq)
    board.put(added, changes)
    board.use_id(added.id)
    if added.date < board.site.business_day:  # after a change of the zone, the site's date may be behind its business day
        board.drop(added, changes)


def exception_removed(board: Board, event: ExceptionRemoved, recorded: Recorded, changes: Changes) -> None:
    removed = replace(board.exceptions[event.exception_id], removed_at=recorded.at, seq=recorded.seq)
    board.put(removed, changes)
    board.drop(removed, changes)


def practitioner_linked(board: Board, event: PractitionerLinked, recorded: Recorded, changes: Changes) -> None:
    provider = board.providers[event.provider_id]
    board.put(replace(provider, practitioner_id=event.practitioner_id, seq=recorded.seq), changes)
