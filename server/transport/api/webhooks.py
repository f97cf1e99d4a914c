"""``/api/v1/webhooks``: where other systems get the events of the caller's organisation, as Standard Webhooks."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import TooManyWebhooks, Unavailable, WebhookNotFound
from server.domain.model.ids import MAX_ID
from server.identity.callers import Staff
from server.notifying.webhooks.set_up import WebhookShown
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag, as_json
from server.transport.http.fields import Component, Id

# Encrypted, or a service on this machine. No user name, and no part behind `#`.
_URL = (
    r"^(https://[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|http://127\.0\.0\.1)"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
)
Url = Annotated[str, Field(pattern=_URL, max_length=500)]
OUTCOMES = {
    "delivered": "The receiver has accepted the event.",
    "busy": "The receiver is busy and asks to try later.",
    "no-answer": "The receiver did not answer in time.",
    "no-connection": "No connection to the receiver. Check the address.",
    "certificate": "The certificate of the receiver is not trusted.",
    "broken": "The receiver broke the connection, or its answer is no HTTP.",
    "redirect": "The receiver names another address. Enter that address.",
    "refused": "The receiver refuses the event.",
    "error": "The receiver failed.",
    "gone": "The receiver wants no more events.",
    "no-secret": "The secret cannot be read with the present keys. Make a new secret.",
}


class NewWebhook(Body):
    """An address for the events of all sites."""

    url: Url


class ChangedWebhook(Body):
    """The address and the state."""

    url: Url
    on: bool


class Replay(Body):
    """The next event to deliver."""

    site_id: Annotated[int, Field(ge=1, le=MAX_ID)]
    number: Annotated[int, Field(ge=1, le=MAX_ID)]


_SECRET = Field(pattern="^whsec_[A-Za-z0-9+/]{43}=$", description="Shown only now.")
Webhook = Annotated[
    WebhookShown,
    Component(
        "Webhook",
        state=Field(description="`gone`: the receiver answered 410.", json_schema_extra={"enum": ["on", "off", "gone"]}),
        number="The last delivered event.",
        last="The last number in the log.",
        error="Why the last try failed.",
        next_at="The next try.",
        off_at="Switched off, after three days of failures.",
        former_secret_until="Until then, the former secret signs, too.",  # noqa: S106  # nosec B106 # a description
    ),
]


class _Webhooks(TypedDict):
    data: list[Webhook]


class _Made(TypedDict):
    id: Id
    secret: Annotated[str, _SECRET]


class _Renewed(TypedDict):
    secret: Annotated[str, _SECRET]


class _Tried(TypedDict):
    outcome: Annotated[str, Field(json_schema_extra={"enum": list(OUTCOMES)})]
    message: Annotated[str, Field(description="The same in English.")]


ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add("GET", paths.WEBHOOKS, "list-webhooks", "The webhooks.", may="manage-channels", refused=(Unavailable,))
async def get_webhooks(request: Request) -> _Webhooks:
    """List the webhooks, and how far each is in the log of each site."""
    admin = await _admin(request, "list-webhooks")
    return {"data": await Context.of(request).webhooks.listed(admin.organisation_id)}


@ENDPOINTS.add(
    "POST",
    paths.WEBHOOKS,
    "add-webhook",
    Answer("The secret.", _Made, status=201, headers=NO_STORE),
    may="manage-channels",
    body=NewWebhook,
    example={"url": "https://example.org/events"},
    refused=(TooManyWebhooks, Unavailable),
)
async def add_webhook(request: Request) -> Response:
    """Send the events from now on to an address, by Standard Webhooks."""
    admin = await _admin(request, "add-webhook")
    body = await bodies.read(request, NewWebhook)
    webhook_id, secret = await Context.of(request).webhooks.add(admin.organisation_id, body.url, actor=admin.actor)
    return as_json({"id": webhook_id, "secret": secret}, 201)


@ENDPOINTS.add(
    "PUT",
    paths.WEBHOOK,
    "change-webhook",
    Answer("Changed.", status=204),
    may="manage-channels",
    body=ChangedWebhook,
    example={"url": "https://example.org/events", "on": True},
    refused=(WebhookNotFound, Unavailable),
)
async def change_webhook(request: Request) -> Response:
    """Change the address, and switch on or off. Switched on, the webhook is tried at once."""
    admin = await _admin(request, "change-webhook")
    body = await bodies.read(request, ChangedWebhook)
    setting_up = Context.of(request).webhooks
    await setting_up.change(admin.organisation_id, _id(request), body.url, body.on, actor=admin.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "DELETE",
    paths.WEBHOOK,
    "remove-webhook",
    Answer("Removed.", status=204),
    may="manage-channels",
    refused=(WebhookNotFound, Unavailable),
)
async def remove_webhook(request: Request) -> Response:
    """Remove a webhook."""
    admin = await _admin(request, "remove-webhook")
    await Context.of(request).webhooks.remove(admin.organisation_id, _id(request), actor=admin.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "POST",
    paths.WEBHOOK_TEST,
    "try-webhook",
    "The outcome.",
    may="manage-channels",
    refused=(WebhookNotFound, Unavailable),
)
async def try_webhook(request: Request) -> _Tried:
    """Send a test event. The answer comes after 20 seconds at most."""
    admin = await _admin(request, "try-webhook")
    outcome = await Context.of(request).webhooks.try_out(admin.organisation_id, _id(request), actor=admin.actor)
    return {"outcome": outcome, "message": OUTCOMES[outcome]}


@ENDPOINTS.add(
    "POST",
    paths.WEBHOOK_SECRET,
    "renew-webhook-secret",
    Answer("The new secret.", _Renewed, headers=NO_STORE),
    may="manage-channels",
    refused=(WebhookNotFound, Unavailable),
)
async def renew_webhook_secret(request: Request) -> Response:
    """Make a new secret. For a day, the former one signs, too."""
    admin = await _admin(request, "renew-webhook-secret")
    secret = await Context.of(request).webhooks.renew_secret(admin.organisation_id, _id(request), actor=admin.actor)
    return as_json({"secret": secret})


@ENDPOINTS.add(
    "POST",
    paths.WEBHOOK_REPLAY,
    "replay-webhook",
    Answer("The event goes out next.", status=204),
    may="manage-channels",
    body=Replay,
    example={"site_id": 1, "number": 4711},
    refused=(WebhookNotFound, Unavailable),
)
async def replay_webhook(request: Request) -> Response:
    """Go on with an event of a site's log: an earlier one repeats, a later one skips."""
    admin = await _admin(request, "replay-webhook")
    body = await bodies.read(request, Replay)
    await Context.of(request).webhooks.replay(
        admin.organisation_id, _id(request), body.site_id, body.number, actor=admin.actor
    )
    return Response(status_code=204)


async def _admin(request: Request, doing: str) -> Staff:
    return await Context.of(request).gate.member_for(request, "manage-channels", doing=doing)


def _id(request: Request) -> int:
    webhook_id: int = request.path_params["webhook_id"]
    return webhook_id
