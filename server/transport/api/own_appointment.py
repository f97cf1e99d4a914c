"""``/api/v1/appointments/{token}``: a patient's own appointment. Its token is the only key.

No request here changes anything: a mail scanner opens every link of a message. A patient's changes are commands.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server import calendars
from server.domain.board import Board
from server.domain.errors import AppointmentNotFound, Unavailable
from server.domain.free_time import Wanted
from server.domain.model import Appointment
from server.domain.model.ids import site_of
from server.domain.views import AppointmentView, draw
from server.identity.booking import bookable
from server.identity.check_in import CODE_LENGTH
from server.identity.readable_codes import ALPHABET
from server.queries import slots
from server.transport import qr_codes
from server.transport.api.booking import address_of_appointment
from server.transport.api.slots import DATES, Slots, shown
from server.transport.api.tickets import base_address
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag
from server.transport.http.fields import Count, Schema
from server.transport.http.files import as_file


class _Provider(TypedDict):
    id: int
    name: str


class _OwnAppointment(TypedDict):
    """A patient's appointment, as its stream shows it, and how to check in."""

    seq: Annotated[Count, Field(description="The number in the site's log of the last event that this answer includes.")]
    cells: Annotated[dict[str, Any], Schema({"$ref": "#/components/schemas/AppointmentCells"})]
    code: Annotated[
        str, Field(pattern=f"^[{ALPHABET}]{{{CODE_LENGTH}}}$", description="The code that the patient types at a kiosk.")
    ]
    kiosk: Annotated[bool, Field(description="A kiosk of the site takes the code.")]
    booking_page: Annotated[str | None, Field(description="The address of the site's booking page; null without one.")]
    provider_id: int
    providers: Annotated[list[_Provider], Field(description="The providers that the patient can choose for another time.")]


PROVIDER = parameters.Id("provider_id", "Only times of this provider.", "provider")
ENDPOINTS = Endpoints(Tag.BOOKING)


@ENDPOINTS.add(
    "GET",
    paths.OWN_APPOINTMENT,
    "read-own-appointment",
    "The appointment.",
    security=PUBLIC,
    refused=(AppointmentNotFound, Unavailable),
)
async def look(request: Request) -> _OwnAppointment:
    """Return a patient's appointment by its token, and its ticket after the check-in: the cells of its stream."""
    context = Context.of(request)
    appointment, board = await _found(request)
    view = AppointmentView(appointment.id)
    rules = board.site.rules
    takes_codes = any(not each.removed_at and each.check_in != "off" for each in board.kiosks.values())
    return {
        "seq": board.site.seq,
        "cells": draw(view, board),
        "code": context.identity.check_in.code(appointment.id),
        "kiosk": takes_codes,
        "booking_page": f"{base_address(request)}/book/{board.site.id}" if rules.booking == "on" else None,
        "provider_id": appointment.provider_id,
        "providers": [
            {"id": provider.id, "name": provider.name}
            for each in bookable(board)
            if each.service.id == appointment.service_id
            for provider in each.providers
        ],
    }


@ENDPOINTS.add(
    "GET",
    paths.OWN_SLOTS,
    "list-own-slots",
    "The free times.",
    security=PUBLIC,
    parameters=(PROVIDER, DATES),
    refused=(AppointmentNotFound, Unavailable),
)
async def get_slots(request: Request) -> Slots:
    """List the times to which a patient can move an appointment. The present time of the appointment counts as free."""
    context = Context.of(request)
    appointment, board = await _found(request)
    first, last = DATES.read(request)
    wanted = Wanted(
        service_id=appointment.service_id,
        provider_id=PROVIDER.read(request),
        minutes=appointment.minutes,
        for_patient=True,
        own=frozenset({appointment.id}),
    )
    return shown(await slots.listed(context.database, board, wanted, first, last))


@ENDPOINTS.add(
    "GET",
    paths.OWN_CALENDAR,
    "download-own-appointment",
    Answer(
        "The calendar.",
        headers=NO_STORE,
        schema={"type": "string", "pattern": "^BEGIN:VCALENDAR"},
        media_type="text/calendar",
    ),
    security=PUBLIC,
    refused=(AppointmentNotFound, Unavailable),
)
async def get_calendar(request: Request) -> Response:
    """Return the appointment as an iCalendar file: the clinic, the provider and the times, nothing clinical.

    The entry keeps its UID. Its sequence is the version of the appointment, and a cancelled one is marked.
    """
    context = Context.of(request)
    appointment, board = await _found(request)
    made = calendars.of_patient(
        appointment,
        context.vault,
        context.database.clock.now(),
        site=board.site.name,
        provider=board.providers[appointment.provider_id].name,
        address=address_of_appointment(request, request.path_params["token"]),
    )
    return as_file(made, "appointment.ics", calendars.MEDIA_TYPE)


@ENDPOINTS.add(
    "GET",
    paths.OWN_QR,
    "draw-appointment-code",
    Answer("The code.", headers=NO_STORE, schema={"type": "string", "pattern": "^<svg "}, media_type="image/svg+xml"),
    security=PUBLIC,
    refused=(AppointmentNotFound, Unavailable),
)
async def get_qr(request: Request) -> Response:
    """Return the appointment's QR code: the address of its page, in black on white. A kiosk reads it."""
    token = request.path_params["token"]
    await Context.of(request).gate.appointment(token)
    drawn = qr_codes.image(address_of_appointment(request, token))
    return Response(drawn, headers={"Cache-Control": "no-store"}, media_type="image/svg+xml")


async def _found(request: Request) -> tuple[Appointment, Board]:
    """Return the appointment of the token in the address, and the site's board with it. Raises `AppointmentNotFound`."""
    context = Context.of(request)
    bearer = await context.gate.appointment(request.path_params["token"])
    board = await context.boards.board(site_of(bearer.id), (AppointmentView(bearer.id).watch,))
    found = board.appointments.get(bearer.id)
    if found is None or found.state in ("held", "expired"):  # nobody has booked it
        raise AppointmentNotFound()
    return found, board
