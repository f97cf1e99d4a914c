"""The rule for the check-in: an appointment becomes a visit with a ticket, in one order with the walk-in patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from server.domain import ranking
from server.domain.board import Board
from server.domain.calendar import Calendar
from server.domain.commands import CheckIn, IssueTicket
from server.domain.errors import (
    AlreadyCheckedIn,
    AppointmentNotBooked,
    AppointmentNotFound,
    NoQueueForService,
    NotAllowed,
    RequestExpired,
    TooEarly,
    TooLate,
)
from server.domain.events import Event
from server.domain.model import Appointment, Queue, local_time
from server.domain.rules import tickets
from server.domain.rules.lookups import find_queue
from server.domain.rules.tickets import Patients


def check_in(
    board: Board,
    command: CheckIn,
    now: int,
    token_hash: str,
    may: Callable[[str], bool],
    calendar: Calendar,
    patients: Patients,
) -> list[Event]:
    if command.valid_until is not None and now > command.valid_until * 1000:
        raise RequestExpired()
    appointment = _find(board, calendar, command.appointment_id)
    if command.anyway and not may("overrule-limits"):
        raise NotAllowed(action="overrule-limits")
    refuse_wrong_time(board, appointment, now, anyway=command.anyway)
    queue = find_queue(board, command.queue_id) if command.queue_id is not None else queue_of(board, appointment)
    known = patients.open_sealed(appointment)
    ticket = IssueTicket(
        queue_id=queue.id,
        provider_id=_waits_for(board, appointment),
        language=appointment.language,
        needs=appointment.needs,
        name=known.name,
        phone=known.phone,
        email=known.email,
        date_of_birth=known.date_of_birth,
        notes=known.notes,
    )
    due_at = ranking.due_when_booked(appointment.starts_at, now, board.site.rules)
    issued = tickets.issued(board, queue, ticket, now, due_at, token_hash)
    return [replace(issued, appointment_id=appointment.id, booked_for=appointment.starts_at)]


def refuse_wrong_time(board: Board, appointment: Appointment, now: int, *, anyway: bool) -> None:
    """Raise `TooEarly` or `TooLate` outside the time of the check-in; with ``anyway``, only before the day."""
    opens_at, closes_at = board.site.rules.check_in_time(appointment.starts_at)
    if appointment.business_day != board.site.business_day or (now < opens_at and not anyway):
        raise TooEarly(
            appointment_id=appointment.id,
            local_from=local_time.local_of(opens_at, appointment.zone).local,
            opens_at=opens_at // 1000,
        )
    if now > closes_at and not anyway:
        raise TooLate(
            appointment_id=appointment.id,
            local_until=local_time.local_of(closes_at, appointment.zone).local,
            closed_at=closes_at // 1000,
        )


def queue_of(board: Board, appointment: Appointment) -> Queue:
    """Return the first queue of the appointment's service. Raises `NoQueueForService`."""
    queues = [each for each in board.queues.values() if each.service_id == appointment.service_id and not each.removed_at]
    if not queues:
        service = board.services[appointment.service_id]
        raise NoQueueForService(service_id=service.id, service_name=service.public_name)
    return min(queues, key=lambda queue: (queue.position, queue.id))


def _find(board: Board, calendar: Calendar, appointment_id: int) -> Appointment:
    """Return an appointment that can be checked in, or one whose patient counted as missing."""
    found = board.appointments.get(appointment_id) or calendar.appointment(appointment_id)
    if found is None or found.state == "held":
        raise AppointmentNotFound(appointment_id=appointment_id)
    if found.state == "checked_in" and found.visit_id in board.visits:
        entry = board.latest_entry(found.visit_id)
        label = board.visits[found.visit_id].label
        raise AlreadyCheckedIn(appointment_id=found.id, label=label, entry_id=entry.id if entry else None)
    if found.state != "booked" and not (found.state == "no_show" and found.visit_id is None):
        raise AppointmentNotBooked(appointment_id=found.id, state=found.state, local_start=found.local_start)
    return found


def _waits_for(board: Board, appointment: Appointment) -> int | None:
    """Return the provider of the appointment, if the provider is at a point; else any point may call."""
    provider = board.providers[appointment.provider_id]
    present = any(each.provider_id == provider.id and not each.removed_at for each in board.points.values())
    return provider.id if present and not provider.removed_at else None
