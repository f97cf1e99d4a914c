"""``/api/v1/sites/{id}/appointments``: the appointments of a date, and the history of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server import phones
from server.domain import roles
from server.domain.errors import AppointmentNotFound, SiteNotFound, Unavailable
from server.domain.events import AppointmentCancelled, AppointmentMoved, OfAppointment, Recorded, StepUndone, TicketIssued
from server.domain.model import Appointment, AppointmentState, EndedBy, Need, Site
from server.domain.model.ids import site_of
from server.domain.views.appointments import offset_minutes
from server.queries import appointments, history, sites
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Count, Instant, who


class _Appointment(TypedDict):
    id: int
    state: AppointmentState
    version: Annotated[int, Field(ge=1, description="The number of changes that matter to the patient.")]
    service_id: int
    provider_id: int
    point_id: Annotated[int | None, Field(description="The room that the appointment takes.")]
    local_start: Annotated[str, Field(description="The wall clock of the site at the start.")]
    fold: Annotated[int, Field(ge=0, le=1)]
    offset_minutes: Annotated[int, Field(description="The offset of the local time from UTC; positive in the east.")]
    starts_at: Instant
    ends_at: Instant
    minutes: Count
    language: str
    needs: Annotated[tuple[Need, ...] | None, Field(description="Null for another system.")]
    overbooked: Annotated[str | None, Field(description="The reason of a deliberate overbooking. Null for another system.")]
    wants_earlier: bool
    collides: Annotated[bool, Field(description="New zone data moved it onto another appointment.")]
    series_id: int | None
    foreign_id: Annotated[str | None, Field(description="The id in the system that the appointment comes from.")]
    visit_id: Annotated[int | None, Field(description="The visit after the check-in.")]
    ended_by: EndedBy | None
    late: Annotated[bool, Field(description="The cancellation was late.")]
    name: Annotated[str | None, Field(description="For the roles that may read personal data.")]
    phone: Annotated[str | None, Field(description="E.164, with an extension as in `+4930901820;ext=3`.")]
    phone_shown: Annotated[str | None, Field(description="The number as people of the site write it.")]
    email: str | None
    date_of_birth: str | None
    note: str | None


class _Appointments(TypedDict):
    data: list[_Appointment]


class _Step(TypedDict):
    """One event of an appointment, and its values after it."""

    seq: Annotated[int, Field(ge=1)]
    at: Instant
    type: Annotated[str, Field(description="The event: `appointment-booked`, `appointment-moved`, `ticket-issued`, ...")]
    actor: Annotated[str, Field(description="The actor: `staff:3`, `appointment:7000000011`, `clock`, ...")]
    username: Annotated[
        str | None,
        Field(description=f"The user name of the member of staff. Null except for the roles: {who('read-actors')}."),
    ]
    state: Annotated[AppointmentState | None, Field(description="Null for the check-in.")]
    version: int | None
    local_start: str | None
    provider_id: int | None
    was_local_start: Annotated[str | None, Field(description="Of a move: the start before it.")]
    was_provider_id: Annotated[int | None, Field(description="Of a move: the provider before it.")]
    reason: Annotated[str | None, Field(description="Of a cancellation: the reason that staff gave.")]
    overbooked: Annotated[str | None, Field(description="The reason of a deliberate overbooking.")]
    ended_by: EndedBy | None
    late: Annotated[bool, Field(description="The cancellation was late.")]
    offered_to: Annotated[
        int | None, Field(description="Of an offer: the appointment whose patient may take the kept time.")
    ]
    entry_id: Annotated[int | None, Field(description="Of the check-in and its undo: the entry.")]
    label: Annotated[str | None, Field(description="Of the check-in and its undo: the label of the ticket.")]


class _History(TypedDict):
    appointment_id: int
    steps: list[_Step]


DATE = parameters.Day("date", "The local date; by default the business day of the site.")

ENDPOINTS = Endpoints(Tag.APPOINTMENTS)


@ENDPOINTS.add(
    "GET",
    paths.APPOINTMENTS,
    "list-appointments",
    "The appointments.",
    may="read-appointments",
    parameters=(DATE,),
    refused=(Unavailable, SiteNotFound),
)
async def get_appointments(request: Request) -> _Appointments:
    """List the appointments that start on a date, by time. Only roles that may read personal data see who comes."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    caller = await context.gate.staff_for(request, "read-appointments", site_id)
    site = (await context.hub.present_board(site_id)).site
    found = await appointments.of_date(context.database, site, DATE.read(request) or site.business_day)
    return {"data": [_listed(context, each, site, caller.role) for each in found]}


@ENDPOINTS.add(
    "GET",
    paths.ONE_APPOINTMENT,
    "read-appointment",
    "The appointment.",
    may="read-appointments",
    refused=(Unavailable, SiteNotFound, AppointmentNotFound),
)
async def get_appointment(request: Request) -> _Appointment:
    """Return an appointment of any date, in any state. Only roles that may read personal data see who comes."""
    context = Context.of(request)
    site_id, appointment_id = request.path_params["site_id"], request.path_params["appointment_id"]
    caller = await context.gate.staff_for(request, "read-appointments", site_id, doing="read-appointment")
    found = await appointments.find(context.database, appointment_id) if site_of(appointment_id) == site_id else None
    if found is None:
        raise AppointmentNotFound(appointment_id=appointment_id)
    return _listed(context, found, await sites.find(context.database, site_id), caller.role)


def _listed(context: Context, appointment: Appointment, site: Site, role: str) -> _Appointment:
    known = context.vault.open_personal(appointment) if roles.may(role, "read-personal") else None
    marks = roles.may(role, "read-marks")
    return {
        "id": appointment.id,
        "state": appointment.state,
        "version": appointment.version,
        "service_id": appointment.service_id,
        "provider_id": appointment.provider_id,
        "point_id": appointment.point_id,
        "local_start": appointment.local_start,
        "fold": appointment.fold,
        "offset_minutes": offset_minutes(appointment),
        "starts_at": appointment.starts_at // 1000,
        "ends_at": appointment.ends_at // 1000,
        "minutes": appointment.minutes,
        "language": appointment.language,
        "needs": appointment.needs if marks else None,
        "overbooked": appointment.overbooked if marks else None,
        "wants_earlier": appointment.wants_earlier,
        "collides": appointment.collides,
        "series_id": appointment.series_id,
        "foreign_id": appointment.foreign_id,
        "visit_id": appointment.visit_id,
        "ended_by": appointment.ended_by,
        "late": appointment.late,
        "name": known.name if known else None,
        "phone": known.phone if known else None,
        "phone_shown": phones.shown(known.phone, site) if known and known.phone else None,
        "email": known.email if known else None,
        "date_of_birth": known.date_of_birth if known else None,
        "note": known.notes if known else None,
    }


@ENDPOINTS.add(
    "GET",
    paths.APPOINTMENT_HISTORY,
    "read-appointment-history",
    "The history.",
    may="read-history",
    refused=(Unavailable, SiteNotFound, AppointmentNotFound),
)
async def get_history(request: Request) -> _History:
    """Return every event of an appointment in order, from the first hold or booking to the check-in or the end.

    The offers of an earlier time to its patient are among them: with ``offered_to``, and the values of the kept time.
    """
    context = Context.of(request)
    site_id, appointment_id = request.path_params["site_id"], request.path_params["appointment_id"]
    staff = await context.gate.staff_for(request, "read-history", site_id, doing="read-appointment-history")
    with_names = roles.may(staff.role, "read-actors")
    found, usernames = await history.of_appointment(context.database, appointment_id, with_names=with_names)
    if not found or site_of(appointment_id) != site_id:
        raise AppointmentNotFound(appointment_id=appointment_id)
    return {"appointment_id": appointment_id, "steps": [_step(each, usernames) for each in found]}


def _step(recorded: Recorded, usernames: Mapping[str, str]) -> _Step:
    event = recorded.event
    after = event.appointment if isinstance(event, OfAppointment) else None
    moved = event if isinstance(event, AppointmentMoved) else None
    ticket = event if isinstance(event, TicketIssued | StepUndone) else None
    return {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": event.name_on_wire(),
        "actor": recorded.actor,
        "username": usernames.get(recorded.actor),
        "state": after.state if after else None,
        "version": after.version if after else None,
        "local_start": after.local_start if after else None,
        "provider_id": after.provider_id if after else None,
        "was_local_start": moved.was_local_start if moved else None,
        "was_provider_id": moved.was_provider_id if moved else None,
        "reason": event.reason if isinstance(event, AppointmentCancelled) else None,
        "overbooked": after.overbooked if after else None,
        "ended_by": after.ended_by if after else None,
        "late": after.late if after else False,
        "offered_to": after.offered_to if after else None,
        "entry_id": ticket.entry_id if ticket else None,
        "label": ticket.label if ticket else None,
    }
