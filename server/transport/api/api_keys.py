"""``/api/v1/api-keys``: the API keys of other systems. Each key can be revoked alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.model.ids import MAX_ID
from server.queries import administration
from server.queries.administration import ApiKeyListed
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText


class NewApiKey(Body):
    """A key for another system: for one site or, without a site, for all sites of the organisation."""

    name: Annotated[PlainText, Field(min_length=1, max_length=80)]
    site_id: Annotated[int | None, Field(ge=1, le=MAX_ID)] = None


async def get_api_keys(request: Request) -> Response:
    """List the API keys of the caller's organisation, revoked ones too. The list does not contain the keys themselves."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    cursors = paging.Cursors(context.vault, f"api-keys:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    found = await administration.api_keys_page(context.database, admin.organisation_id, size, after)
    return as_json(paging.answer(found, size, cursors))


async def add_api_key(request: Request) -> Response:
    """Make an API key. Only this answer ever shows the key."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    body = await bodies.read(request, NewApiKey)
    if body.site_id is not None:
        await context.gate.permit_at(admin, "manage-api-keys", body.site_id)
    made = await context.identity.api_keys.add(admin.organisation_id, body.name, body.site_id)
    listed = ApiKeyListed(made.id, body.name, body.site_id, made.created_at // 1000, None, None)
    answer = asdict(listed) | {"key": made.key}
    return Response(orjson.dumps(answer), 201, {"Cache-Control": "no-store"}, media_type="application/json")


async def revoke_api_key(request: Request) -> Response:
    """Revoke an API key, effective at once."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys")
    await context.identity.api_keys.revoke(admin.organisation_id, request.path_params["api_key_id"])
    return Response(status_code=204)


ROUTES = [
    Route(paths.API_KEYS, get_api_keys, methods=["GET"]),
    Route(paths.API_KEYS, add_api_key, methods=["POST"]),
    Route(paths.API_KEYS + "/{api_key_id:id}", revoke_api_key, methods=["DELETE"]),
]
