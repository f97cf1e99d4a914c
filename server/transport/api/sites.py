"""``/api/v1/sites``: the queries on sites, and new sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict, TypeVar

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain import roles
from server.domain.board import Board
from server.domain.commands.bounds import LANGUAGE
from server.domain.errors import NameTaken, SiteNotFound, Unavailable
from server.domain.model import Display, Kiosk, Need, PointState, Removable, Rules
from server.domain.views import DeskView, OpenSealed, draw
from server.identity.callers import Integration
from server.queries import sites
from server.queries.identity import SiteListed
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag, as_json, data
from server.transport.http.fields import Component, Count, IsoDay, Schema

_Tag = Annotated[str, Field(**LANGUAGE)]
Site = Annotated[SiteListed, Component("Site")]
Seq = Annotated[Count, Field(description="The number in the site's log of the last event that this answer includes.")]


_Names = Annotated[dict[str, str], Field(description="The public name in languages of the site, by tag.")]


class NewSite(Body):
    """A new site of the organisation."""

    name: Annotated[PlainText, Field(min_length=1, max_length=120)]
    time_zone: Annotated[str, Field(min_length=1, max_length=64, description="An IANA name: `Europe/Berlin`.")]
    language: _Tag
    languages: Annotated[
        list[_Tag] | None, Field(max_length=20, description="The languages of the site's readers besides its own.")
    ] = None


class _Service(TypedDict):
    id: int
    name: Annotated[str | None, Field(description="The service's internal name, shown to staff only.")]
    public_name: Annotated[str, Field(description="The name for patients and displays.")]
    names: _Names


class _Provider(TypedDict):
    id: int
    name: str


class _Queue(TypedDict):
    id: int
    name: str
    names: _Names
    prefix: Annotated[str, Field(pattern="^[A-Z]$", description="The letter that begins the labels of its tickets.")]
    paused: Annotated[bool, Field(description="True: the queue gives no tickets.")]
    service_id: int | None
    capacity: Annotated[Count, Field(description="How many may wait at once; 0 is no limit.")]
    joins_anew: Annotated[bool, Field(description="True: a patient who is transferred here joins at the end.")]
    waiting: Annotated[Count, Field(description="The number of entries that wait and are not absent.")]


class _Point(TypedDict):
    id: int
    name: str
    names: _Names
    state: PointState
    queue_ids: tuple[int, ...]
    provider_id: Annotated[int | None, Field(description="The clinician at the point.")]
    unmet_needs: tuple[Need, ...]


class _Device(TypedDict):
    id: int
    name: str
    paired: Annotated[bool, Field(description="Whether a device has its token.")]


class _Configuration(TypedDict):
    """A site with its configuration. Removed records are left out; lists are in the order of the screens."""

    id: int
    name: str
    time_zone: str
    language: str
    day_turns_at_minutes: Annotated[
        Count, Field(description="When the business day begins, in minutes after local midnight.")
    ]
    business_day: IsoDay
    message: Annotated[str | None, Field(description="The message that every display shows.")]
    rules: Rules
    seq: Seq
    services: list[_Service]
    providers: list[_Provider]
    queues: list[_Queue]
    points: list[_Point]
    displays: list[_Device]
    kiosks: list[_Device]


class _Board(TypedDict):
    seq: Seq
    cells: Annotated[dict[str, Any], Schema({"$ref": "#/components/schemas/DeskCells", "required": ["site"]})]


ENDPOINTS = Endpoints(Tag.SITES)


@ENDPOINTS.add(
    "GET",
    paths.SITES,
    "list-sites",
    data("The sites.", {"board": {"operationId": "read-board", "parameters": {"site_id": "$response.body#/data/0/id"}}}),
    may="read-sites",
    parameters=paging.PARAMETERS,
    refused=(Unavailable,),
)
async def get_sites(request: Request) -> paging.Paged[Site]:
    """List the sites of the caller's organisation, by name."""
    context = Context.of(request)
    staff = await context.gate.staff_for(request, "read-sites")
    cursors = paging.Cursors(context.vault, f"sites:{staff.organisation_id}", sites.KEY)
    size, after = paging.asked(request, cursors)
    only = staff.site_id if isinstance(staff, Integration) else None
    found = await sites.page(context.database, staff.organisation_id, size, after, only=only)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "POST",
    paths.SITES,
    "add-site",
    Answer("Added.", Site, status=201, headers=NO_STORE),
    may="add-site",
    body=NewSite,
    example={"name": "Riverside Clinic", "time_zone": "Europe/London", "language": "en"},
    refused=(NameTaken, Unavailable),
)
async def add_site(request: Request) -> Response:
    """Add a site to the caller's organisation. The site has no queues yet."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "add-site")
    body = await bodies.read(request, NewSite)
    site = await context.new_sites.add(
        admin.organisation_id,
        body.name,
        time_zone=body.time_zone,
        language=body.language,
        more_languages=tuple(body.languages or ()),
        actor=admin.actor,
    )
    response = as_json(SiteListed(site.id, site.name, site.time_zone, site.language))
    response.status_code = 201
    return response


@ENDPOINTS.add("GET", paths.SITE, "read-site", "The site.", may="read-site", refused=(Unavailable, SiteNotFound))
async def get_site(request: Request) -> _Configuration:
    """Return a site with its rules and its configuration.

    Services, providers, queues, points, displays and kiosks are in the order of the screens. Removed ones are left out.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-site", site_id)
    return described(await context.hub.present_board(site_id), context.vault.open_personal)


@ENDPOINTS.add("GET", paths.BOARD, "read-board", "The board.", may="read-board", refused=(Unavailable, SiteNotFound))
async def get_board(request: Request) -> _Board:
    """Return the desk's view of a site: the same cells that the caller's live stream carries."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    caller = await context.gate.staff_for(request, "read-board", site_id)
    board = await context.hub.present_board(site_id)
    view = DeskView(context.vault.open_personal, roles.onlooker(caller.role))
    return {"seq": board.site.seq, "cells": draw(view, board)}


def described(board: Board, open_sealed: OpenSealed) -> _Configuration:
    """Return a site's configuration for its staff: in the order of its screens, without removed records."""
    site = board.site
    return {
        "id": site.id,
        "name": site.name,
        "time_zone": site.time_zone,
        "language": site.language,
        "day_turns_at_minutes": site.day_turns_at_minutes,
        "business_day": site.business_day,
        "message": site.message,
        "rules": site.rules,
        "seq": site.seq,
        "services": [
            {
                "id": each.id,
                "name": open_sealed(each).name,
                "public_name": each.public_name,
                "names": dict(each.names),
            }
            for each in _present(board.services)
        ],
        "providers": [{"id": each.id, "name": each.name} for each in _present(board.providers)],
        "queues": [
            {
                "id": queue.id,
                "name": queue.name,
                "names": dict(queue.names),
                "prefix": queue.prefix,
                "paused": queue.paused,
                "service_id": queue.service_id,
                "capacity": queue.capacity,
                "joins_anew": queue.joins_anew,
                "waiting": len(board.waiting(queue.id)),
            }
            for queue in _present(board.queues)
        ],
        "points": [
            {
                "id": point.id,
                "name": point.name,
                "names": dict(point.names),
                "state": point.state,
                "queue_ids": point.queue_ids,
                "provider_id": point.provider_id,
                "unmet_needs": point.unmet_needs,
            }
            for point in _present(board.points)
        ],
        "displays": [_device(each) for each in _present(board.displays)],
        "kiosks": [_device(each) for each in _present(board.kiosks)],
    }


_Record = TypeVar("_Record", bound=Removable)


def _present(records: Mapping[int, _Record]) -> list[_Record]:
    """Return the records that are not removed, in their order on the screens."""
    return sorted(
        (each for each in records.values() if not each.removed_at),
        key=lambda each: (getattr(each, "position", 0), each.id),
    )


def _device(device: Display | Kiosk) -> _Device:
    return {"id": device.id, "name": device.name, "paired": device.token_hash is not None}
