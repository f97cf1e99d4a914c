"""``.../contact``: how the clinic reaches a patient, and an address's opt-out. By a token, or for staff by an id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypedDict, get_args

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.domain.errors import (
    AddressNotFound,
    AppointmentNotFound,
    EntryUnknown,
    NowServingError,
    SiteNotFound,
    TicketNotFound,
    Unavailable,
)
from server.domain.messages import STOPPABLE, OptOutSource
from server.domain.model.ids import site_of
from server.notifying.contacts import WayTo
from server.queries import contacts, entries
from server.queries.contacts import Contact
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag
from server.transport.http.fields import Component

ONE_CLICK = "email"  # the way of a mail's own link


class OptOut(Body):
    """Whether an address takes no messages."""

    opted_out: Annotated[bool, Field(description="True stops the messages to this address; false undoes this.")]


Way = Annotated[
    WayTo,
    Component(
        "ContactWay",
        about="A way on which the clinic sends messages to the patient.",
        way=Field(json_schema_extra={"enum": list(STOPPABLE)}),
        recipient="The address, masked: `…67`, or `n…@example.org`. Null if there is none.",
        opted_out="The address takes no messages of this clinic's organisation.",
        source=Field(
            description="Where the opt-out comes from; null without one.",
            json_schema_extra={"enum": [*get_args(OptOutSource), None]},
        ),
    ),
]


class _Ways(TypedDict):
    ways: list[Way]


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who asks about a contact. The actor is the name in logs."""

    contact: Contact
    actor: str
    source: OptOutSource


_Find = Callable[[Request, str], Awaitable[_Caller]]
ENDPOINTS = Endpoints(Tag.MESSAGES)


async def _of_ticket(request: Request, _: str) -> _Caller:
    context = Context.of(request)
    bearer = await context.gate.ticket(request.path_params["token"])
    found = await contacts.of_visit(context.database, bearer.id)
    if found is None:
        raise TicketNotFound()
    return _Caller(found, bearer.actor, "patient")


async def _of_own_appointment(request: Request, _: str) -> _Caller:
    context = Context.of(request)
    bearer = await context.gate.appointment(request.path_params["token"])
    found = await contacts.of_appointment(context.database, bearer.id)
    if found is None:
        raise AppointmentNotFound()
    return _Caller(found, bearer.actor, "patient")


async def _of_entry(request: Request, right: str) -> _Caller:
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    member = await context.gate.member_for(request, right, site_of(entry_id))
    visit_id = await entries.visit_of(context.database, entry_id)
    found = None if visit_id is None else await contacts.of_visit(context.database, visit_id)
    if found is None:
        raise EntryUnknown(entry_id=entry_id)
    return _Caller(found, member.actor, "staff")


async def _of_appointment(request: Request, right: str) -> _Caller:
    context = Context.of(request)
    site_id, appointment_id = request.path_params["site_id"], request.path_params["appointment_id"]
    member = await context.gate.member_for(request, right, site_id)
    known = site_of(appointment_id) == site_id
    found = await contacts.of_appointment(context.database, appointment_id) if known else None
    if found is None:
        raise AppointmentNotFound(appointment_id=appointment_id)
    return _Caller(found, member.actor, "staff")


def _add(path: str, name: str, find: _Find, unknown: type[NowServingError], *, by_staff: bool) -> None:
    """Add the two endpoints of a kind of contact."""
    refused = (SiteNotFound, unknown, Unavailable) if by_staff else (unknown, Unavailable)
    security = None if by_staff else PUBLIC
    whose = "a patient" if by_staff else "the patient of a token"

    @ENDPOINTS.add(
        "GET",
        path,
        f"read-{name}",
        "The ways.",
        about=f"Return the ways on which the clinic sends messages to {whose}, with masked addresses.",
        may="read-contact" if by_staff else None,
        security=security,
        refused=refused,
    )
    async def get_contact(request: Request) -> _Ways:
        caller = await find(request, "read-contact")
        return {"ways": await Context.of(request).contacts.ways_to(caller.contact)}

    @ENDPOINTS.add(
        "PUT",
        f"{path}/{{way}}",
        f"change-{name}",
        Answer("Changed.", status=204),
        about=f"Stop the messages to an address of {whose}, or undo this, in the whole organisation.",
        may="change-contact" if by_staff else None,
        security=security,
        body=OptOut,
        example={"opted_out": True},
        refused=(*refused, AddressNotFound),
    )
    async def put_contact(request: Request) -> Response:
        caller = await find(request, "change-contact")
        body = await bodies.read(request, OptOut)
        way = request.path_params["way"]
        await Context.of(request).contacts.set(caller.contact, way, body.opted_out, caller.source, actor=caller.actor)
        return Response(status_code=204)


_add(paths.TICKET_CONTACT, "ticket-contact", _of_ticket, TicketNotFound, by_staff=False)
_add(paths.OWN_CONTACT, "own-contact", _of_own_appointment, AppointmentNotFound, by_staff=False)
_add(paths.ENTRY_CONTACT, "entry-contact", _of_entry, EntryUnknown, by_staff=True)
_add(paths.APPOINTMENT_CONTACT, "appointment-contact", _of_appointment, AppointmentNotFound, by_staff=True)


@ENDPOINTS.add(
    "POST",
    paths.UNSUBSCRIBE,
    "unsubscribe",
    Answer("Unsubscribed.", status=204),
    security=PUBLIC,
    refused=(TicketNotFound, Unavailable),
)
async def unsubscribe(request: Request) -> Response:
    """Stop the mails to the patient of a ticket or an appointment: one click in a mail program, after RFC 8058.

    The address is in the header `List-Unsubscribe` of each mail. The body means nothing here.
    """
    caller = await _of_token(request)
    try:
        await Context.of(request).contacts.set(caller.contact, ONE_CLICK, True, caller.source, actor=caller.actor)
    except AddressNotFound:  # the record has no mail address any more, so no mail goes to it
        pass
    return Response(status_code=204)


@ENDPOINTS.add(
    "GET",
    paths.UNSUBSCRIBE,
    "open-unsubscribe",
    Answer("The patient's page.", status=303, headers=NO_STORE),
    security=PUBLIC,
    refused=(TicketNotFound, Unavailable),
)
async def open_unsubscribe(request: Request) -> Response:
    """Open the patient's page, which has the switches. A mail scanner that opens every link changes nothing."""
    caller = await _of_token(request)
    page = "t" if caller.actor.startswith("ticket:") else "a"
    return RedirectResponse(f"/{page}/{request.path_params['token']}", 303, {"Cache-Control": "no-store"})


async def _of_token(request: Request) -> _Caller:
    """Return the caller with the token of a ticket or an appointment. Raises `TicketNotFound` for any other token."""
    try:
        return await _of_ticket(request, "")
    except TicketNotFound:
        pass
    try:
        return await _of_own_appointment(request, "")
    except AppointmentNotFound:
        raise TicketNotFound() from None
