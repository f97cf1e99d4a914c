"""``/api/v1/api-keys``: the API keys of other systems. Each key can be revoked alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import ApiKeyNotFound, SiteNotFound, Unavailable
from server.domain.model.ids import MAX_ID
from server.identity.api_keys import KEY_PREFIX
from server.queries import administration
from server.queries.administration import ApiKeyListed
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag
from server.transport.http.fields import Component


class NewApiKey(Body):
    """A key for another system: for one site or, without a site, for all sites of the organisation."""

    name: Annotated[PlainText, Field(min_length=1, max_length=80)]
    site_id: Annotated[int | None, Field(ge=1, le=MAX_ID)] = None


_FIELDS = {
    "site_id": "The only site that the key gives access to; null is all sites of the organisation.",
    "created_at": "An instant, in milliseconds since 1970.",
    "last_used_at": "An instant, in milliseconds since 1970.",
    "revoked_at": "An instant, in milliseconds since 1970.",
}
ApiKey = Annotated[ApiKeyListed, Component("ApiKey", about="An API key, without the key itself.", **_FIELDS)]
ApiKeyMade = Annotated[
    ApiKeyListed,
    Component(
        "ApiKeyMade",
        more={
            "key": Annotated[
                str,
                Field(pattern=f"^{KEY_PREFIX}[A-Za-z0-9_-]{{43}}$", description="The key itself. It is shown only now."),
            ]
        },
        **_FIELDS,
    ),
]

ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "GET",
    paths.API_KEYS,
    "list-api-keys",
    "The keys.",
    may="manage-api-keys",
    parameters=paging.PARAMETERS,
    refused=(Unavailable,),
)
async def get_api_keys(request: Request) -> paging.Paged[ApiKey]:
    """List the API keys of the caller's organisation, revoked ones too. The list does not contain the keys themselves."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys", doing="list-api-keys")
    cursors = paging.Cursors(context.vault, f"api-keys:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    found = await administration.api_keys_page(context.database, admin.organisation_id, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "POST",
    paths.API_KEYS,
    "add-api-key",
    Answer("The key.", ApiKeyMade, status=201, headers=NO_STORE),
    may="manage-api-keys",
    body=NewApiKey,
    example={"name": "Practice software"},
    refused=(SiteNotFound, Unavailable),
)
async def add_api_key(request: Request) -> Response:
    """Make an API key. Only this answer ever shows the key."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys", doing="add-api-key")
    body = await bodies.read(request, NewApiKey)
    if body.site_id is not None:
        await context.gate.permit_at(admin, "manage-api-keys", body.site_id, doing="add-api-key")
    made = await context.identity.api_keys.add(admin.organisation_id, body.name, body.site_id, actor=admin.actor)
    listed = ApiKeyListed(made.id, body.name, body.site_id, made.created_at // 1000, None, None)
    answer = asdict(listed) | {"key": made.key}
    return Response(orjson.dumps(answer), 201, {"Cache-Control": "no-store"}, media_type="application/json")


@ENDPOINTS.add(
    "DELETE",
    paths.API_KEYS + "/{api_key_id:id}",
    "revoke-api-key",
    Answer("Revoked.", status=204),
    may="manage-api-keys",
    refused=(ApiKeyNotFound, Unavailable),
)
async def revoke_api_key(request: Request) -> Response:
    """Revoke an API key, effective at once."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-api-keys", doing="revoke-api-key")
    await context.identity.api_keys.revoke(admin.organisation_id, request.path_params["api_key_id"], actor=admin.actor)
    return Response(status_code=204)
