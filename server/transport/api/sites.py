"""``GET /api/v1/...``: the queries on sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain import roles
from server.domain.board import Board
from server.domain.model import Display, Kiosk, Removable
from server.domain.views import DeskView, OpenSealed, draw
from server.identity.callers import Integration
from server.queries import sites
from server.transport.context import Context
from server.transport.http import paging, paths


async def get_sites(request: Request) -> Response:
    """List the sites of the caller's organisation."""
    context = Context.of(request)
    staff = await context.gate.staff_for(request, "read-sites")
    cursors = paging.Cursors(context.vault, f"sites:{staff.organisation_id}", sites.KEY)
    size, after = paging.asked(request, cursors)
    only = staff.site_id if isinstance(staff, Integration) else None
    found = await sites.page(context.database, staff.organisation_id, size, after, only=only)
    return as_json(paging.answer(found, size, cursors))


async def get_site(request: Request) -> Response:
    """Return a site with its rules and all that it is made of."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-site", site_id)
    return as_json(described(await context.boards.board(site_id), context.vault.open_personal))


async def get_board(request: Request) -> Response:
    """Return the desk's view of a site as it is now: the same cells that the caller's live stream carries."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    caller = await context.gate.staff_for(request, "read-board", site_id)
    board = await context.boards.board(site_id)
    view = DeskView(context.vault.open_personal, roles.onlooker(caller.role))
    return as_json({"seq": board.site.seq, "cells": draw(view, board)})


def described(board: Board, open_sealed: OpenSealed) -> dict[str, Any]:
    """Return what a site is made of, for its staff: in the order of its screens, without what was taken away."""
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
            {"id": each.id, "name": open_sealed(each).name, "public_name": each.public_name}
            for each in _there(board.services)
        ],
        "providers": [{"id": each.id, "name": each.name} for each in _there(board.providers)],
        "queues": [
            {
                "id": queue.id,
                "name": queue.name,
                "prefix": queue.prefix,
                "paused": queue.paused,
                "service_id": queue.service_id,
                "capacity": queue.capacity,
                "joins_anew": queue.joins_anew,
                "waiting": len(board.waiting(queue.id)),
            }
            for queue in _there(board.queues)
        ],
        "points": [
            {
                "id": point.id,
                "name": point.name,
                "state": point.state,
                "queue_ids": point.queue_ids,
                "provider_id": point.provider_id,
                "unmet_needs": point.unmet_needs,
            }
            for point in _there(board.points)
        ],
        "displays": [_device(each) for each in _there(board.displays)],
        "kiosks": [_device(each) for each in _there(board.kiosks)],
    }


_Thing = TypeVar("_Thing", bound=Removable)


def _there(things: Mapping[int, _Thing]) -> list[_Thing]:
    """Return what has not been taken away, in its order on the screens."""
    return sorted(
        (each for each in things.values() if not each.removed_at), key=lambda each: (getattr(each, "position", 0), each.id)
    )


def _device(device: Display | Kiosk) -> dict[str, Any]:
    return {"id": device.id, "name": device.name, "paired": device.token_hash is not None}


def as_json(body: object) -> Response:
    """Return an answer of data that changes: no cache keeps it."""
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")


ROUTES = [
    Route(paths.SITES, get_sites),
    Route(paths.SITE, get_site),
    Route(paths.BOARD, get_board),
]
