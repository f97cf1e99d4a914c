"""``/api/v1/session/second-factor``: the caller's own second factor."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import NotSignedIn, Unavailable
from server.identity.codes import RECOVERY_CODES
from server.identity.errors import (
    CodeWrong,
    OwnPasswordWrong,
    SecondFactorNotBegun,
    SecondFactorOff,
    SignInBusy,
    SignInLocked,
)
from server.queries import administration
from server.queries.administration import SecondFactorShown
from server.transport import qr_codes
from server.transport.api.sessions import SecondStep
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag, as_json
from server.transport.http.fields import Component


class OwnPassword(Body):
    """The caller's own password: the screen may be unattended."""

    password: Annotated[str, Field(min_length=1, max_length=200)]


SecondFactor = Annotated[
    SecondFactorShown,
    Component(
        "SecondFactor",
        about="The state of the caller's second factor.",
        on="Whether a sign-in needs a code.",
        since="The confirmation: an instant, in milliseconds since 1970.",
        recovery_codes_left=Field(ge=0, le=RECOVERY_CODES, description="The number of unused recovery codes."),
    ),
]


class SetUpBegun(TypedDict):
    """A set-up that waits for its first code. The secret is shown only now."""

    secret: Annotated[str, Field(pattern="^[A-Z2-7]{32}$", description="For an app that reads no QR code.")]
    address: Annotated[str, Field(description="The `otpauth:` address that the QR code contains.")]
    qr_code: Annotated[str, Field(description="The QR code: an SVG image as a `data:` address.")]


class RecoveryCodes(TypedDict):
    """New recovery codes. They are shown only now; each is accepted once."""

    recovery_codes: Annotated[list[str], Field(min_length=RECOVERY_CODES, max_length=RECOVERY_CODES)]


ENDPOINTS = Endpoints(Tag.SESSION)
_PASSWORD = (NotSignedIn, OwnPasswordWrong, SignInLocked, SignInBusy, Unavailable)
_EXAMPLE = {"password": "river candle ninety moss"}  # nosec B105 # an example


@ENDPOINTS.add("GET", paths.SECOND_FACTOR, "read-second-factor", "The state.", refused=(NotSignedIn, Unavailable))
async def get_second_factor(request: Request) -> SecondFactor:
    """Return whether the caller has a second factor, and how many recovery codes are unused."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    return await administration.second_factor(context.database, staff.id)


@ENDPOINTS.add(
    "POST",
    paths.SECOND_FACTOR,
    "set-up-second-factor",
    Answer("The secret.", SetUpBegun, headers=NO_STORE),
    body=OwnPassword,
    example=_EXAMPLE,
    refused=_PASSWORD,
)
async def begin(request: Request) -> Response:
    """Begin the set-up of an authenticator app (TOTP). A present second factor stays until the new one is confirmed."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, OwnPassword)
    made = await context.identity.second_factors.begin(staff, body.password)
    begun: SetUpBegun = {"secret": made.secret, "address": made.address, "qr_code": qr_codes.image_address(made.address)}
    return as_json(begun)


@ENDPOINTS.add(
    "POST",
    f"{paths.SECOND_FACTOR}/confirm",
    "confirm-second-factor",
    Answer("The recovery codes.", RecoveryCodes, headers=NO_STORE),
    body=SecondStep,
    example={"code": "492039"},
    refused=(NotSignedIn, CodeWrong, SecondFactorNotBegun, SignInLocked, Unavailable),
)
async def confirm(request: Request) -> Response:
    """Confirm the set-up with a code of the app. From now on a sign-in needs a code, and all other sessions end."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, SecondStep)
    return _codes(await context.identity.second_factors.confirm(staff, body.code))


@ENDPOINTS.add(
    "POST",
    f"{paths.SECOND_FACTOR}/recovery-codes",
    "make-recovery-codes",
    Answer("The recovery codes.", RecoveryCodes, headers=NO_STORE),
    body=OwnPassword,
    example=_EXAMPLE,
    refused=(*_PASSWORD, SecondFactorOff),
)
async def renew_codes(request: Request) -> Response:
    """Make ten new recovery codes. The earlier ones end."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, OwnPassword)
    return _codes(await context.identity.second_factors.renew_codes(staff, body.password))


@ENDPOINTS.add(
    "POST",
    f"{paths.SECOND_FACTOR}/remove",
    "remove-own-second-factor",
    Answer("Removed.", status=204),
    body=OwnPassword,
    example=_EXAMPLE,
    refused=(*_PASSWORD, SecondFactorOff),
)
async def remove(request: Request) -> Response:
    """Remove the caller's second factor with its recovery codes. A sign-in then needs the password alone."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, OwnPassword)
    await context.identity.second_factors.remove(staff, body.password)
    return Response(status_code=204)


def _codes(made: list[str]) -> Response:
    body: RecoveryCodes = {"recovery_codes": made}
    return as_json(body)
