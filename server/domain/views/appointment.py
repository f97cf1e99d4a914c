"""The view of one patient's appointment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypedDict, get_args

from server.domain.board import Board
from server.domain.model import Appointment, AppointmentState, EndedBy
from server.domain.model.clocks import Hours, clock_of
from server.domain.views.appointments import LocalStart, OffsetMinutes, Version, offset_minutes
from server.domain.views.fields import Count, Described, Id, Instant, NamesByTag
from server.domain.views.site import Offsets, offsets_of
from server.domain.views.ticket import AHEAD, TICKET, AheadCell, CurrentTicketCell, TicketView
from server.domain.views.view import Cell, names_of
from server.domain.watching import Single

APPOINTMENT = "appointment"  # a key of the view


class Offer(TypedDict):
    """An earlier time that the patient may take. The present one stays until then."""

    local_start: LocalStart
    offset_minutes: OffsetMinutes
    starts: Instant
    until: Annotated[Instant, Described("The offer ends at this time.")]


class PatientAppointmentCell(TypedDict):
    """A patient's appointment. The instants follow from the site's rules."""

    appointment: Annotated[Id, Described("The patient's commands name this appointment.")]
    state: AppointmentState
    version: Version
    local_start: LocalStart
    fold: Annotated[int, Described("1: the second of two equal local times, when the clocks go back.", minimum=0, maximum=1)]
    offset_minutes: OffsetMinutes
    starts: Instant
    ends: Instant
    minutes: Count
    check_in_from: Annotated[Instant, Described("The time from which the patient may check in.")]
    check_in_until: Annotated[Instant, Described("The time from which only staff may check the patient in.")]
    cancel_until: Annotated[Instant, Described("A move or a cancellation after this instant is late.")]
    wants_earlier: Annotated[bool, Described("The patient would come earlier.")]
    offer: Annotated[Offer | None, Described("The earlier time that is offered to the patient; null for none.")]
    ended_by: Annotated[
        EndedBy | None,
        Described("The person or the clock that ended it; null while it goes on.", enum=(*get_args(EndedBy), None)),
    ]
    late: Annotated[bool, Described("The cancellation was late.")]
    service: Annotated[str, Described("The neutral name of the service.")]
    service_names: NamesByTag
    provider: str
    language: str
    site: str
    time_zone: str
    offsets: Offsets
    clock: Hours
    site_language: str


@dataclass(frozen=True, slots=True)
class AppointmentView:
    """One patient's appointment; after the check-in also the patient's ticket. It reveals nothing of others.

    The cells of the ticket are those of `TicketView`, so that the page of the appointment becomes that of the ticket.
    """

    appointment_id: int
    kind: ClassVar[str] = "appointment"
    shape: ClassVar[str] = "appointment1"
    cells: ClassVar[Mapping[str, Any]] = {
        APPOINTMENT: PatientAppointmentCell,
        TICKET: CurrentTicketCell,
        AHEAD: AheadCell,
    }

    @property
    def name(self) -> str:
        return f"appointment:{self.appointment_id}"

    @property
    def watch(self) -> Single:
        """The appointment that the view shows."""
        return Single(self.appointment_id)

    def keys(self, board: Board) -> Iterable[str]:
        yield from (APPOINTMENT, TICKET, AHEAD)

    def cell(self, board: Board, key: str) -> Cell | None:
        appointment = board.appointments.get(self.appointment_id)
        if appointment is None:
            return None
        if key == APPOINTMENT:
            return _appointment(board, appointment)
        visit_id = appointment.visit_id
        return TicketView(visit_id).cell(board, key) if visit_id is not None and visit_id in board.visits else None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        appointment = board.appointments.get(self.appointment_id)
        has_ticket = appointment is not None and appointment.visit_id is not None
        if has_ticket or self.name in changed or "site" in changed:
            return self.keys(board)
        if any(self._is_offer(board, key) for key in changed):
            return (APPOINTMENT,)
        shown = any(key.startswith(("service:", "provider:")) for key in changed)
        return (APPOINTMENT,) if shown else ()

    def _is_offer(self, board: Board, key: str) -> bool:
        kind, _, identifier = key.partition(":")
        hold = board.appointments.get(int(identifier)) if kind == "appointment" else None
        return hold is not None and hold.offered_to == self.appointment_id


def _appointment(board: Board, appointment: Appointment) -> PatientAppointmentCell:
    site, starts_at = board.site, appointment.starts_at
    service = board.services[appointment.service_id]
    check_in_from, check_in_until = site.rules.check_in_time(starts_at)
    return {
        "appointment": appointment.id,
        "state": appointment.state,
        "version": appointment.version,
        "local_start": appointment.local_start,
        "fold": appointment.fold,
        "offset_minutes": offset_minutes(appointment),
        "starts": starts_at // 1000,
        "ends": appointment.ends_at // 1000,
        "minutes": appointment.minutes,
        "check_in_from": check_in_from // 1000,
        "check_in_until": check_in_until // 1000,
        "cancel_until": site.rules.in_time_until(starts_at) // 1000,
        "wants_earlier": appointment.wants_earlier,
        "offer": _offer(board, appointment),
        "ended_by": appointment.ended_by,
        "late": appointment.late,
        "service": service.public_name,
        "service_names": names_of(board, service),
        "provider": board.providers[appointment.provider_id].name,
        "language": appointment.language,
        "site": site.name,
        "time_zone": site.time_zone,
        "offsets": offsets_of(site),
        "clock": clock_of(site),
        "site_language": site.language,
    }


def _offer(board: Board, appointment: Appointment) -> Offer | None:
    """Return the last offer to the patient, unless it was answered. It lapses without an event: the screen hides it then."""
    holds = [each for each in board.appointments.values() if each.offered_to == appointment.id and each.state == "held"]
    if not holds or appointment.state != "booked":
        return None
    last = max(holds, key=lambda each: each.id)
    return {
        "local_start": last.local_start,
        "offset_minutes": offset_minutes(last),
        "starts": last.starts_at // 1000,
        "until": (last.held_until or 0) // 1000,
    }
