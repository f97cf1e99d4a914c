"""``/api/v1/api-keys``: how other systems are let in, each by a key of its own that can be revoked alone."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.errors import ApiKeyNotFound
from server.domain.model.ids import MAX_ID
from server.queries import administration
from server.queries.administration import ApiKeyListed
from server.store import api_keys
from server.transport.access.gate import KEY_PREFIX
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText

KEY_BYTES = 32  # 256 bits


class NewApiKey(Body):
    """A key for another system, for one site or, without one, for all sites of the organisation."""

    name: Annotated[PlainText, Field(min_length=1, max_length=80)]
    site_id: Annotated[int | None, Field(ge=1, le=MAX_ID)] = None


async def get_api_keys(request: Request) -> Response:
    """List the API keys of the caller's organisation, without the keys themselves. Revoked ones are listed too."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    cursors = paging.Cursors(context.vault, f"api-keys:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    found = await administration.api_keys_page(context.database, admin.organisation_id, size, after)
    return as_json(paging.answer(found, size, cursors))


async def add_api_key(request: Request) -> Response:
    """Make an API key. The answer is the only place where it is ever shown."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    body = await bodies.read(request, NewApiKey)
    if body.site_id is not None:
        await context.gate.permit_at(admin, "manage-api-keys", body.site_id)
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    now = await context.database.now()
    async with context.database.write() as connection:
        key_id = await api_keys.create(
            connection,
            organisation_id=admin.organisation_id,
            site_id=body.site_id,
            name=body.name,
            key_hash=context.vault.keyed_hash(key),
            now=now,
        )
    made = asdict(ApiKeyListed(key_id, body.name, body.site_id, now // 1000, None, None)) | {"key": key}
    return Response(orjson.dumps(made), 201, {"Cache-Control": "no-store"}, media_type="application/json")


async def revoke_api_key(request: Request) -> Response:
    """Revoke an API key. It is good for nothing from now on."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    key_id = request.path_params["api_key_id"]
    now = await context.database.now()
    async with context.database.write() as connection:
        revoked = key_id <= MAX_ID and await api_keys.revoke(connection, admin.organisation_id, key_id, now)
    if not revoked:
        raise ApiKeyNotFound(api_key_id=key_id)
    return Response(status_code=204)


ROUTES = [
    Route(paths.API_KEYS, get_api_keys, methods=["GET"]),
    Route(paths.API_KEYS, add_api_key, methods=["POST"]),
    Route(paths.API_KEYS + "/{api_key_id:id}", revoke_api_key, methods=["DELETE"]),
]
