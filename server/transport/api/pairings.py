"""``/api/v1/pairings``: a display or a kiosk gets its token by a code that it shows. See `server.identity.pairing`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal, TypedDict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.commands import RenewToken
from server.domain.errors import Busy, PairingNotFound, SiteNotFound, Unavailable
from server.domain.model.ids import MAX_ID
from server.identity.pairing import CODE_LENGTH
from server.identity.readable_codes import ALPHABET
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag
from server.transport.http.fields import Component, Instant


class Pairing(Body):
    """The device that shows the code."""

    device_id: int = Field(ge=1, le=MAX_ID)


class PairingBegun(TypedDict):
    """A new pairing."""

    code: Annotated[
        str, Field(pattern=f"^[{ALPHABET}]{{{CODE_LENGTH}}}$", description="The code for people to read and type.")
    ]
    secret: Annotated[
        str,
        Field(pattern="^[A-Za-z0-9_-]{43}$", description="For the device only: it asks for the pairing's state with it."),
    ]
    expires_at: Instant


class Paired(TypedDict):
    """The paired device."""

    device_id: int
    kind: Annotated[str, Field(json_schema_extra={"enum": ["display", "kiosk"]})]


class _Pending(TypedDict):
    state: Literal["pending"]


class _Done(TypedDict):
    state: Literal["paired"]
    device_id: int
    kind: Annotated[str, Field(json_schema_extra={"enum": ["display", "kiosk"]})]
    token: Annotated[
        str, Field(pattern="^d[0-9]+-[A-Za-z0-9_-]{22}$", description="The device's token. It is shown only once.")
    ]


PairingState = Annotated[_Pending | _Done, Component("PairingState")]

ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "POST",
    paths.PAIRINGS,
    "begin-pairing",
    Answer("Begun.", PairingBegun, status=201, headers=NO_STORE),
    security=PUBLIC,
    refused=(Unavailable,),
)
async def begin(request: Request) -> Response:
    """Begin a pairing: the answer has a code for an administrator and a secret for the device.

    Both are valid for ten minutes. No sign-in is needed.
    """
    begun = await Context.of(request).identity.pairings.begin()
    body: PairingBegun = {"code": begun.code, "secret": begun.secret, "expires_at": begun.expires_at // 1000}
    return _unkept(body, 201)


@ENDPOINTS.add(
    "POST",
    paths.PAIRINGS + "/{pairing}",
    "pair",
    Answer("Paired.", Paired, headers=NO_STORE),
    may="pair-devices",
    body=Pairing,
    example={"device_id": 7_000_000_007},
    refused=(SiteNotFound, PairingNotFound, Busy, Unavailable),
    runs=RenewToken,
)
async def pair(request: Request) -> Response:
    """Pair the device that shows a code: it gets a new token, and its old token ends.

    The path has the code; spaces, hyphens and small letters are accepted. A repeat for the same device, while the code is
    valid, gets the same answer and changes nothing.
    """
    context = Context.of(request)
    admin = await context.gate.member_for(request, "pair-devices")
    command = RenewToken(device_id=(await bodies.read(request, Pairing)).device_id)
    await context.gate.permit(admin, command)
    device = await context.identity.pairings.pair(request.path_params["pairing"], command, actor=admin.actor)
    body: Paired = {"device_id": device.device_id, "kind": device.kind}
    return _unkept(body, 200)


@ENDPOINTS.add(
    "GET",
    paths.PAIRINGS + "/{pairing}",
    "ask-pairing",
    Answer("The state of the pairing.", PairingState, headers=NO_STORE),
    security=PUBLIC,
    refused=(Unavailable, PairingNotFound),
)
async def ask(request: Request) -> Response:
    """Return the state of a pairing. The path has the device's secret.

    After the pairing, the first answer has the device's token and ends the pairing.
    """
    context = Context.of(request)
    secret = request.path_params["pairing"]
    if request.method == "HEAD":  # a HEAD request must not use the token up
        await context.identity.pairings.check(secret)
        return _unkept({}, 200)
    device = await context.identity.pairings.collect(secret)
    if device is None:
        return _unkept({"state": "pending"}, 200)
    return _unkept({"state": "paired", **asdict(device)}, 200)


def _unkept(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json")
