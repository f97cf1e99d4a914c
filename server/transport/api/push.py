"""``/api/v1/tickets/{token}/push`` and ``/api/v1/appointments/{token}/push``: messages to a patient's phone.

The token is the only key. A phone subscribes with its browser's push service.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import AppointmentNotFound, InvalidField, PushNotOffered, TicketNotFound, Unavailable
from server.notifying.subscriptions import PushShown
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import PUBLIC, Answer, Endpoints, Tag
from server.transport.http.errors import TooManyRequests
from server.transport.http.fields import Component

LONGEST_ENDPOINT = 1_000


class Keys(Body):
    """The keys of a browser, as base64 for addresses."""

    p256dh: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{87}$")]
    auth: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{22}$")]


class PushSubscription(Body):
    """The push subscription of a browser."""

    endpoint: Annotated[
        str,
        Field(max_length=LONGEST_ENDPOINT, pattern="^https://[!-~]+$", description="The address at a known push service."),
    ]
    keys: Keys


Shown = Annotated[
    PushShown,
    Component(
        "Push",
        about="Whether a phone gets messages.",
        key="The clinic's public key, with which a browser subscribes. Null: not offered.",
        subscribed="A phone is subscribed.",
    ),
]
ENDPOINTS = Endpoints(Tag.BOOKING)
_KEPT = Answer("Subscribed.", status=204)
_ENDED = Answer("Ended.", status=204)


@ENDPOINTS.add(
    "GET", paths.TICKET_PUSH, "read-ticket-push", "The state.", security=PUBLIC, refused=(TicketNotFound, Unavailable)
)
async def look_by_ticket(request: Request) -> Shown:
    """Return whether the phone of a ticket can get messages, and whether one does."""
    return await _look(request, "ticket")


@ENDPOINTS.add(
    "PUT",
    paths.TICKET_PUSH,
    "subscribe-ticket",
    _KEPT,
    security=PUBLIC,
    body=PushSubscription,
    refused=(TicketNotFound, PushNotOffered, InvalidField, TooManyRequests, Unavailable),
)
async def put_by_ticket(request: Request) -> Response:
    """Send the messages of a ticket to this browser. The former one gets no more."""
    return await _put(request, "ticket")


@ENDPOINTS.add(
    "DELETE", paths.TICKET_PUSH, "unsubscribe-ticket", _ENDED, security=PUBLIC, refused=(TicketNotFound, Unavailable)
)
async def remove_by_ticket(request: Request) -> Response:
    """Send no further messages of a ticket to a browser."""
    return await _remove(request, "ticket")


@ENDPOINTS.add(
    "GET", paths.OWN_PUSH, "read-own-push", "The state.", security=PUBLIC, refused=(AppointmentNotFound, Unavailable)
)
async def look_by_appointment(request: Request) -> Shown:
    """Return whether the phone of an appointment can get messages, and whether one does."""
    return await _look(request, "appointment")


@ENDPOINTS.add(
    "PUT",
    paths.OWN_PUSH,
    "subscribe-own-appointment",
    _KEPT,
    security=PUBLIC,
    body=PushSubscription,
    refused=(AppointmentNotFound, PushNotOffered, InvalidField, TooManyRequests, Unavailable),
)
async def put_by_appointment(request: Request) -> Response:
    """Send the messages of an appointment, and later of its ticket, to this browser. The former one gets no more."""
    return await _put(request, "appointment")


@ENDPOINTS.add(
    "DELETE",
    paths.OWN_PUSH,
    "unsubscribe-own-appointment",
    _ENDED,
    security=PUBLIC,
    refused=(AppointmentNotFound, Unavailable),
)
async def remove_by_appointment(request: Request) -> Response:
    """Send no further messages of an appointment to a browser."""
    return await _remove(request, "appointment")


_Kind = Literal["ticket", "appointment"]


async def _look(request: Request, kind: _Kind) -> PushShown:
    return await Context.of(request).subscriptions.look(kind, await _subject(request, kind))


async def _put(request: Request, kind: _Kind) -> Response:
    context = Context.of(request)
    subject_id = await _subject(request, kind)
    body = await bodies.read(request, PushSubscription)
    if context.limiter is not None:
        limit = context.limiter.limits.subscribed
        await context.limiter.refuse_excess(limit, f"{kind}:{subject_id}", TooManyRequests)
    page = f"/{'t' if kind == 'ticket' else 'a'}/{request.path_params['token']}"
    await context.subscriptions.put(kind, subject_id, body.endpoint, body.keys.model_dump(), page)
    return Response(status_code=204)


async def _remove(request: Request, kind: _Kind) -> Response:
    await Context.of(request).subscriptions.remove(kind, await _subject(request, kind))
    return Response(status_code=204)


async def _subject(request: Request, kind: _Kind) -> int:
    """Return the id of the token's visit or appointment. Raises `TicketNotFound` or `AppointmentNotFound`."""
    gate, token = Context.of(request).gate, request.path_params["token"]
    return (await (gate.ticket(token) if kind == "ticket" else gate.appointment(token))).id
