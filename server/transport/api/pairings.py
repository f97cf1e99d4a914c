"""``/api/v1/pairings``: a display or a kiosk gets its token by a code that it shows. See `server.identity.pairing`."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.commands import RenewToken
from server.domain.model.ids import MAX_ID
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body


class Pairing(Body):
    """The device that shows the code."""

    device_id: int = Field(ge=1, le=MAX_ID)


async def begin(request: Request) -> Response:
    """Begin a pairing. The answer has a code for an administrator and a secret for the device, both valid for ten minutes.
    No sign-in is needed."""
    begun = await Context.of(request).identity.pairings.begin()
    return _unkept({"code": begun.code, "secret": begun.secret, "expires_at": begun.expires_at // 1000}, 201)


async def pair(request: Request) -> Response:
    """Pair the device that shows a code: it gets a new token, and its old token ends. The code is in the path; spaces,
    hyphens and small letters are accepted. A repeat for the same device, while the code is valid, gets the same answer and
    changes nothing."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "pair-devices")
    body = await bodies.read(request, Pairing)
    command = RenewToken(device_id=body.device_id)
    await context.gate.permit(admin, command)
    device = await context.identity.pairings.pair(request.path_params["pairing"], command, actor=admin.actor)
    return _unkept({"device_id": device.device_id, "kind": device.kind}, 200)


async def ask(request: Request) -> Response:
    """Return the state of a pairing. The device's secret is in the path. Once paired, the answer has the device's token,
    one time only, and the pairing is over."""
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


ROUTES = [
    Route(paths.PAIRINGS, begin, methods=["POST"]),
    Route(paths.PAIRINGS + "/{pairing}", pair, methods=["POST"]),
    Route(paths.PAIRINGS + "/{pairing}", ask, methods=["GET"]),
]
