"""``/api/v1/pairings``: how a display or a kiosk gets its token without anybody typing it.

The device asks for a code and shows it; an administrator enters the code and says which device that is; the device, which
keeps asking by a secret that only it knows, is given its new token once.
"""

from __future__ import annotations

import secrets

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.commands import RenewToken
from server.domain.errors import NowServingError, PairingNotFound, Unavailable
from server.domain.model.ids import MAX_ID
from server.store import pairings
from server.store.database import Conflict
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body

ALPHABET = "ACDEFGHJKMNPQRTUVWXY34679"  # none of B8, 0O, 1IL, 2Z, 5S: people read and type it
CODE_LENGTH = 6
SECRET_BYTES = 32
ATTEMPTS = 5


class Pairing(Body):
    """Which device has shown the code."""

    device_id: int = Field(ge=1, le=MAX_ID)


async def begin(request: Request) -> Response:
    """Begin a pairing: the answer has a code for an administrator and a secret for the device. Both are good for ten
    minutes. Nobody signs in for this."""
    context = Context.of(request)
    now = await context.database.now()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    for _ in range(ATTEMPTS):
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        try:
            async with context.database.write() as connection:
                await pairings.create(connection, context.vault.keyed_hash(code), context.vault.keyed_hash(secret), now)
        except Conflict:
            continue  # somebody has this code: one in a hundred million, or so
        body = {"code": code, "secret": secret, "expires_at": (now + pairings.LIFE_MICROSECONDS) // 1000}
        return _unkept(body, 201)
    raise Unavailable()


async def pair(request: Request) -> Response:
    """Pair the device that shows a code: it is given a new token, and the token it had before ends. In the path is the
    code; spaces, hyphens and small letters are forgiven. Asked again for the same device, as long as the code is good, it
    answers as before and changes nothing."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "pair-devices")
    code = request.path_params["pairing"].replace("-", "").replace(" ", "").upper()
    body = await bodies.read(request, Pairing)
    command = RenewToken(device_id=body.device_id)
    await context.gate.permit(admin, command)
    now = await context.database.now()
    async with context.database.write() as connection:
        claimed = await pairings.claim(connection, context.vault.keyed_hash(code), body.device_id, now)
    if claimed is None:
        raise PairingNotFound()
    pairing_id, secret_hash = claimed
    # The same id if this is tried again, so that one token is made, however often the answer is lost. It is made of what
    # no other pairing ever has: a database may give a row's id a second time.
    command_id = f"pairing:{secret_hash}"
    try:
        answer = await context.executor.execute(command, actor=admin.actor, command_id=command_id)
    except Unavailable:
        raise
    except NowServingError:
        async with context.database.write() as connection:
            await pairings.release(connection, pairing_id)
        raise
    token = answer.body["token"]
    device = await context.gate.device(token)
    if device is None:
        raise PairingNotFound()  # it was paired anew, or taken away, in the meantime
    found = {"device_id": device.id, "kind": device.kind, "token": token}
    async with context.database.write() as connection:
        kept = await pairings.fill(connection, pairing_id, context.vault.seal(orjson.dumps(found), f"pairing:{pairing_id}"))
    if not kept:
        raise PairingNotFound()
    return _unkept({"device_id": device.id, "kind": device.kind}, 200)


async def ask(request: Request) -> Response:
    """Say how a pairing stands. In the path is the device's secret. Once paired, the device's token is told once, and the
    pairing is over."""
    context = Context.of(request)
    secret_hash = context.vault.keyed_hash(request.path_params["pairing"])
    if request.method == "HEAD":  # whoever only looks does not use it up
        if await context.identities.pairing(secret_hash) is None:
            raise PairingNotFound()
        return _unkept({}, 200)
    now = await context.database.now()
    async with context.database.write() as connection:
        found = await pairings.take(connection, secret_hash, now)
    if found is None:
        raise PairingNotFound()
    pairing_id, sealed = found
    if sealed is None:
        return _unkept({"state": "pending"}, 200)
    paired = orjson.loads(context.vault.open(sealed, f"pairing:{pairing_id}"))
    return _unkept({"state": "paired", **paired}, 200)


def _unkept(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json")


ROUTES = [
    Route(paths.PAIRINGS, begin, methods=["POST"]),
    Route(paths.PAIRINGS + "/{pairing}", pair, methods=["POST"]),
    Route(paths.PAIRINGS + "/{pairing}", ask, methods=["GET"]),
]
