"""``/api/v1/practitioners``: the people behind the providers of an organisation's sites."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import NameTaken, Unavailable
from server.queries import practitioners
from server.queries.practitioners import PractitionerListed
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag, as_json
from server.transport.http.fields import Component

Practitioner = Annotated[
    PractitionerListed,
    Component(
        "Practitioner",
        about="A person that several sites of the organisation may book.",
        provider_ids="The providers who are this person.",
    ),
]


class NewPractitioner(Body):
    """A person that several sites may book."""

    name: Annotated[PlainText, Field(min_length=1, max_length=80)]


class _Practitioners(TypedDict):
    data: list[Practitioner]


ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "GET",
    paths.PRACTITIONERS,
    "list-practitioners",
    "The practitioners.",
    may="manage-practitioners",
    refused=(Unavailable,),
)
async def get_practitioners(request: Request) -> _Practitioners:
    """List the practitioners of the caller's organisation, by name."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-practitioners", doing="list-practitioners")
    return {"data": await practitioners.listed(context.database, admin.organisation_id)}


@ENDPOINTS.add(
    "POST",
    paths.PRACTITIONERS,
    "add-practitioner",
    Answer("Added.", Practitioner, status=201, headers=NO_STORE),
    may="manage-practitioners",
    body=NewPractitioner,
    example={"name": "Dr Ada Lovelace"},
    refused=(NameTaken, Unavailable),
)
async def add_practitioner(request: Request) -> Response:
    """Add a practitioner to the caller's organisation. The command `link-practitioner` says who it is at a site."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-practitioners", doing="add-practitioner")
    body = await bodies.read(request, NewPractitioner)
    added = await context.practitioners.add(admin.organisation_id, body.name, actor=admin.actor)
    response = as_json(added)
    response.status_code = 201
    return response
