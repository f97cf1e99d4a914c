"""``/api/v1/channels``: how the caller's organisation sends messages. No answer contains a secret setting."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict, cast

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.commands.bounds import LANGUAGE
from server.domain.errors import ChannelNotFound, InvalidField, Unavailable
from server.identity.callers import Staff
from server.notifying.channels.kinds import KINDS, WAYS, Way
from server.notifying.channels.smsapi import ADDRESS
from server.notifying.set_up import ChannelShown
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Json, Tag, as_json
from server.transport.http.fields import Component

_HOST = "^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$"
_MAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$"
# Encrypted, or a service on this machine.
_API_ADDRESS = r"^(https://[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|http://127\.0\.0\.1)(:[0-9]{1,5})?/?$"
_SENDER = "^[A-Za-z0-9+ ._&-]{0,16}$"
Secret = Annotated[str | None, Field(min_length=1, max_length=500)]
_KEPT = "Null keeps the one that is set. No answer contains it."


class SmtpSettings(Body):
    """A mail server."""

    host: Annotated[str, Field(pattern=_HOST, description="The name of the server.")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="`none` sends in clear: only for a server on the same trusted network."),
    ] = "starttls"
    sender: Annotated[str, Field(max_length=200, pattern=_MAIL, description="The address of the clinic.")]
    sender_name: Annotated[PlainText, Field(max_length=80, description="The name of the clinic.")] = ""
    username: Annotated[str, Field(max_length=200, description="Empty for a server without sign-in.")] = ""
    password: Annotated[str | None, Field(max_length=500, description=_KEPT)] = None


class SmsapiSettings(Body):
    """An account of SMSAPI."""

    token: Annotated[Secret, Field(description=f"The OAuth token of the account. {_KEPT}")] = None
    sender: Annotated[str, Field(pattern=_SENDER, description="A sender name of the account; empty is the default.")] = ""
    address: Annotated[str, Field(pattern=_API_ADDRESS, description="The API of the account's country.")] = ADDRESS


class InfobipSettings(Body):
    """An account of Infobip."""

    address: Annotated[str, Field(pattern=_API_ADDRESS, description="The base URL of the account.")]
    api_key: Annotated[Secret, Field(description=f"The API key. {_KEPT}")] = None
    sender: Annotated[str, Field(pattern=_SENDER, min_length=1, description="A sender of the account.")]
    idempotent: Annotated[
        bool,
        Field(description="Whether Infobip has enabled idempotency for this account."),
    ] = False


class AppriseSettings(Body):
    """A service that Apprise knows."""

    address: Annotated[
        Secret,
        Field(description=f"The Apprise address, with `{{to}}` for the patient's number or address. {_KEPT}"),
    ] = None


class PushSettings(Body):
    """Web Push. The server makes the keys itself, and keeps them."""

    contact: Annotated[
        str, Field(max_length=200, pattern=_MAIL, description="A mail address for the operators of push services.")
    ]


class TrialMessage(Body):
    """A trial message."""

    to: Annotated[
        str,
        Field(
            min_length=3,
            max_length=2_000,
            description="A phone number as `+4930901820`, a mail address, or a push subscription as JSON.",
        ),
    ]
    language: Annotated[str, Field(**LANGUAGE)] = "en"


_INSTANT = "An instant, in milliseconds since 1970."
Channel = Annotated[
    ChannelShown,
    Component(
        "Channel",
        about="A configured channel, without its secret setting.",
        way=Field(description="The way of its messages.", json_schema_extra={"enum": list(WAYS)}),
        kind=Field(json_schema_extra={"enum": sorted(KINDS)}),
        settings="The settings, as they were sent. `push` adds its `public_key`, and `apprise` the name of its `service`.",
        key_set="Whether the secret setting is set.",
        honours_key="Whether the provider refuses a repeated message, so that a lost answer may be asked for again.",
        reports_to="Where an SMS provider reports receipts and forwards replies. Its secret is the only credential.",
        changed_at=_INSTANT,
        outcome="The outcome of the last message: `accepted`, `busy`, `no-answer`, or a reason.",
        outcome_at=_INSTANT,
        arrival="The last receipt: `delivered`, `undelivered` or `undelivered-for-now`.",
        arrival_at=_INSTANT,
    ),
]


class _Channels(TypedDict):
    data: list[Channel]


class _Tried(TypedDict):
    outcome: Annotated[str, Field(description="`accepted`, `busy`, `no-answer`, or the reason of a refusal.")]
    message: Annotated[str, Field(description="The same in English.")]
    provider_id: Annotated[str | None, Field(description="The name of the message at the provider.")]


OUTCOMES = {
    "accepted": "The provider has accepted the message.",
    "busy": "The provider is busy and asks to try later.",
    "no-answer": "The provider did not answer in time, or not clearly. The message may have been sent.",
    "no-connection": "No connection to the server. Check the name and the port.",
    "no-encryption": "The server offers no encryption on this port. Choose another port or kind of encryption.",
    "certificate": "The certificate of the server is not trusted. Check the name of the server.",
    "credentials": "The provider refuses the sign-in. Check the user name, the password or the key.",
    "forbidden": "The provider forbids this account to send. Ask the provider.",
    "invalid": "The provider does not understand the message or the settings. Check the settings.",
    "address": "The provider does not know this number or address.",
    "sender": "The provider refuses the sender. Use a sender that belongs to the account.",
    "content": "The provider refuses the text of the message.",
    "credit": "The account has no credit left.",
    "unsubscribed": "This number has stopped messages.",
    "gone": "This browser no longer takes push messages.",
    "service": "The subscription leads to a push service that is not known.",
    "refused": "The provider refuses the message.",
}

ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add("GET", paths.CHANNELS, "list-channels", "The channels.", may="manage-channels", refused=(Unavailable,))
async def get_channels(request: Request) -> _Channels:
    """List the channels of the caller's organisation, one for each way in use. The list contains no secret setting."""
    admin = await _admin(request, "list-channels")
    return {"data": await Context.of(request).channels.listed(admin.organisation_id)}


_SECRETS_STAY = "A secret setting that is null stays as it is, unless it would go to another server."


def _put(path: str, kind: str, about: str, model: type[Body], example: Json) -> None:
    """Add the endpoint that configures a channel of one kind."""

    @ENDPOINTS.add(
        "PUT",
        path,
        f"set-{kind}-channel",
        Answer("The channel.", Channel, headers=NO_STORE),
        about=f"{about} A channel of another kind is replaced.\n\n{_SECRETS_STAY}",
        may="manage-channels",
        body=model,
        example=example,
        refused=(ChannelNotFound, Unavailable),
    )
    async def put(request: Request) -> Response:
        admin = await _admin(request, "set-channel")
        way = _way(request) if "{way}" in path else KINDS[kind].ways[0]
        if way not in KINDS[kind].ways:
            raise ChannelNotFound(way=way)
        body = await bodies.read(request, model)
        made = await Context.of(request).channels.put(admin.organisation_id, way, kind, body.model_dump(), actor=admin.actor)
        return as_json(made)


_put(
    f"{paths.CHANNELS}/email/smtp",
    "smtp",
    "Send mail through a mail server.",
    SmtpSettings,
    {
        "host": "mail.example.org",
        "sender": "desk@example.org",
        "sender_name": "Clinic",
        "username": "desk",
        "password": "…",  # nosec B105 # an example
    },
)
_put(
    f"{paths.CHANNELS}/sms/smsapi",
    "smsapi",
    "Send SMS through an account of SMSAPI.",
    SmsapiSettings,
    {"token": "…", "sender": "Clinic"},  # nosec B105 # an example
)
_put(
    f"{paths.CHANNELS}/sms/infobip",
    "infobip",
    "Send SMS through an account of Infobip.",
    InfobipSettings,
    {"address": "https://xyz.api.infobip.com", "api_key": "…", "sender": "Clinic"},
)
_put(
    f"{paths.CHANNELS}/push/push",
    "push",
    "Send push messages to the browsers of patients.",
    PushSettings,
    {"contact": "it@example.org"},
)
_put(
    f"{paths.CHANNEL}/apprise",
    "apprise",
    "Send messages of a way through a service that Apprise knows.",
    AppriseSettings,
    {"address": "signal://localhost:8080/+4930901820/{to}"},
)


@ENDPOINTS.add(
    "POST",
    paths.CHANNEL_TEST,
    "try-channel",
    "The outcome of the message.",
    may="manage-channels",
    body=TrialMessage,
    example={"to": "+4930901820", "language": "en"},
    refused=(ChannelNotFound, Unavailable),
)
async def try_channel(request: Request) -> _Tried:
    """Send a trial message to an address of the caller's choice. The answer comes after 20 seconds at most."""
    admin = await _admin(request, "try-channel")
    way = _way(request)
    body = await bodies.read(request, TrialMessage)
    if way in ("sms", "chat") and not (body.to.startswith("+") and body.to[1:].isascii() and body.to[1:].isdigit()):
        raise InvalidField(field="to", problem="a phone number with its country code, as +4930901820")
    tried = await Context.of(request).channels.try_out(admin.organisation_id, way, body.to, body.language, actor=admin.actor)
    return {"outcome": tried.outcome, "message": OUTCOMES[tried.outcome], "provider_id": tried.provider_id}


@ENDPOINTS.add(
    "DELETE",
    paths.CHANNEL,
    "remove-channel",
    Answer("Removed.", status=204),
    may="manage-channels",
    refused=(ChannelNotFound, Unavailable),
)
async def remove_channel(request: Request) -> Response:
    """Remove the channel of a way, with its settings. Messages of this way then fail."""
    admin = await _admin(request, "remove-channel")
    await Context.of(request).channels.remove(admin.organisation_id, _way(request), actor=admin.actor)
    return Response(status_code=204)


async def _admin(request: Request, doing: str) -> Staff:
    return await Context.of(request).gate.member_for(request, "manage-channels", doing=doing)


def _way(request: Request) -> Way:
    way = request.path_params["way"]
    if way not in WAYS:
        raise ChannelNotFound(way=way)
    return cast(Way, way)
