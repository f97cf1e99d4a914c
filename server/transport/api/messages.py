"""``/api/v1/sites/{id}/messages``: the messages to patients, and the sending of one again."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain import roles
from server.domain.errors import (
    AppointmentNotFound,
    MessageNotFound,
    MessageNotRepeatable,
    MessageOutdated,
    MessageRepeated,
    MessageUnwanted,
    SiteNotFound,
    Unavailable,
)
from server.domain.messages import Kind, MessageState, Way
from server.domain.model import local_time
from server.domain.model.ids import MAX_ID
from server.notifying.reach import BulkKind, Reached
from server.queries import sent_messages, sites
from server.queries.sent_messages import Filters, MessageListed
from server.transport.context import Context
from server.transport.http import bodies, paging, parameters, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import Answer, Endpoints, Tag
from server.transport.http.fields import Component

_INSTANT = "An instant, in milliseconds since 1970."
Listed = Annotated[
    MessageListed,
    Component(
        "MessageListed",
        about="A message to a patient, without its text.",
        ahead="Of a reminder, the hours before the start; of `almost-your-turn`, the patients ahead; of `running-late`, the "
        "number of the announcement; else 0.",
        reason="Why the message failed, waits or has no known outcome.",
        receipt="The provider's report: null until one comes.",
        due_at="When it goes out. The list has the latest first.",
        not_after="From this instant on, the message is useless.",
        changed_at=_INSTANT,
        appointment_id="The appointment that the message is about. Of `freed-time`, the hold of the offered time.",
        local_start="The present start of this appointment, on the wall clock of the site.",
        entry_id="The entry that the message is about.",
        label="The label of the ticket; null for an appointment.",
        recipient="The patient's present address, masked: `…67`, or `n…@example.org`. Null if there is none.",
        attempts=Field(description="How often a provider was called.", ge=0),
        resend_of="The message that this one repeats.",
        may_resend="Whether staff may send it again.",
        minutes="The announced delay of `running-late`.",
    ),
]

STATE: parameters.Choice[MessageState] = parameters.Choice("state", "Only messages in this state.", get_args(MessageState))
KIND: parameters.Choice[Kind] = parameters.Choice("kind", "Only messages of this kind.", get_args(Kind))
WAY: parameters.Choice[Way] = parameters.Choice("way", "Only messages on this way.", get_args(Way))
APPOINTMENT = parameters.IdOfSite("appointment_id", "Only messages about this appointment of the site.")
FROM = parameters.Day("from", "Only messages that are due on this local date or later.")
TO = parameters.Day("to", "Only messages that are due on this local date or earlier.")

_Reached = Annotated[
    Reached,
    Component(
        "MessagesReach",
        patients="One for each appointment that has not begun.",
        ways="The patients that messages reach, and the parts of their SMS.",
        phone="The patients that no message reaches, in the order of their times.",
        reason="The site has no ways, the patient has no address, or the way has no channel.",
        name="Null without the right to personal data.",
        phone_shown="The number as people of the site write it.",
    ),
]


class ReachQuestion(Body):
    """Appointments that change together."""

    kind: BulkKind
    appointment_ids: Annotated[list[Annotated[int, Field(ge=1, le=MAX_ID)]], Field(min_length=1, max_length=500)]


ENDPOINTS = Endpoints(Tag.MESSAGES)


@ENDPOINTS.add(
    "GET",
    paths.MESSAGES,
    "list-messages",
    "The messages.",
    may="read-messages",
    parameters=(*paging.PARAMETERS, STATE, KIND, WAY, APPOINTMENT, FROM, TO),
    refused=(Unavailable, SiteNotFound),
)
async def get_messages(request: Request) -> paging.Paged[Listed]:
    """List the messages of a site, the latest due time first. Addresses are masked, and texts are not stored."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.member_for(request, "read-messages", site_id)
    zone = (await sites.find(context.database, site_id)).time_zone
    cursors = paging.Cursors(context.vault, f"messages:{site_id}", sent_messages.KEY)
    size, after = paging.asked(request, cursors)
    filters = Filters(
        state=STATE.read(request),
        kind=KIND.read(request),
        way=WAY.read(request),
        appointment_id=APPOINTMENT.read(request, site_id),
        since=_midnight(FROM, request, zone, 0),
        until=_midnight(TO, request, zone, 1440),
    )
    found = await sent_messages.page(context.database, context.vault, site_id, filters, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "POST",
    paths.RESEND,
    "resend-message",
    Answer("The message goes out now.", status=204),
    may="resend-message",
    refused=(Unavailable, MessageNotFound, MessageNotRepeatable, MessageRepeated, MessageUnwanted, MessageOutdated),
)
async def resend_message(request: Request) -> Response:
    """Send a failed message, or one of unknown outcome, again: at once, also in quiet hours. Each can be repeated once.

    A repeat that does not go out within half an hour, or before the appointment starts, expires. The patient may get the
    message twice if the outcome is unknown.
    """
    context = Context.of(request)
    member = await context.gate.member_for(request, "resend-message")
    await context.repeats.send_again(member.organisation_id, request.path_params["message_id"], actor=member.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "POST",
    paths.MESSAGES_PREVIEW,
    "preview-messages",
    "The patients.",
    may="read-messages",
    body=ReachQuestion,
    example={"kind": "cancelled", "appointment_ids": [1_000_000_001]},
    refused=(Unavailable, SiteNotFound, AppointmentNotFound),
)
async def preview_messages(request: Request) -> _Reached:
    """Show the patients that messages about a move or a cancellation reach, and the patients to phone. Nothing is sent."""
    context, site_id = Context.of(request), request.path_params["site_id"]
    member = await context.gate.member_for(request, "read-messages", site_id, doing="preview-messages")
    body = await bodies.read(request, ReachQuestion)
    personal = roles.may(member.role, "read-personal")
    return await context.reach.of(site_id, body.kind, body.appointment_ids, personal=personal)


def _midnight(day: parameters.Day, request: Request, zone: str, minutes: int) -> int | None:
    """Return the instant so many minutes after the midnight that begins a given day, or None. Raises `InvalidField`."""
    given = day.read(request)
    if given is None:
        return None
    local_time.date_of(given, day.name)  # the days that a clinic has
    return local_time.first_instant(given, zone, minutes)
