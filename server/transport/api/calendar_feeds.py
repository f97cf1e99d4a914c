"""Calendars of providers: secret addresses for their own calendar programs, and what such an address returns."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, TypedDict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server import calendars
from server.domain.errors import CalendarFeedNotFound, ProviderNotFound, SiteNotFound, Unavailable
from server.domain.model.ids import site_of
from server.identity.callers import Staff
from server.queries import appointments, calendar_feeds
from server.queries.calendar_feeds import FeedListed
from server.transport.api.tickets import base_address
from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag
from server.transport.http.fields import Component

DAY = 86_400_000_000
DAYS_BACK = 30
DAYS_AHEAD = 400
MOST_EVENTS = 5_000

CalendarFeed = Annotated[
    FeedListed,
    Component(
        "CalendarFeed",
        about="A secret address of a provider's calendar, without the address itself.",
        made_by="The member of staff who made it: `staff:12`.",
        made_at="An instant, in milliseconds since 1970.",
    ),
]
CalendarFeedMade = Annotated[
    FeedListed,
    Component(
        "CalendarFeedMade",
        more={"address": Annotated[str, Field(description="The secret address. It is shown only now.")]},
        made_by="The member of staff who made it: `staff:12`.",
        made_at="An instant, in milliseconds since 1970.",
    ),
]


class _Feeds(TypedDict):
    data: list[CalendarFeed]


ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "GET",
    paths.CALENDAR_FEEDS,
    "list-calendar-feeds",
    "The addresses.",
    may="manage-calendar-feeds",
    refused=(SiteNotFound, Unavailable),
)
async def get_feeds(request: Request) -> _Feeds:
    """List the valid addresses of a provider's calendar. The list does not contain the addresses themselves."""
    await _manager(request, "list-calendar-feeds")
    context = Context.of(request)
    return {"data": await calendar_feeds.listed(context.database, request.path_params["provider_id"])}


@ENDPOINTS.add(
    "POST",
    paths.CALENDAR_FEEDS,
    "add-calendar-feed",
    Answer("The address.", CalendarFeedMade, status=201, headers=NO_STORE),
    may="manage-calendar-feeds",
    refused=(SiteNotFound, ProviderNotFound, Unavailable),
)
async def add_feed(request: Request) -> Response:
    """Make a secret address, with which a calendar program reads a provider's times. Only this answer ever shows it.

    Everybody with the address sees when the provider has appointments, and nothing of the patients. Revoke it when it is
    lost.
    """
    context = Context.of(request)
    manager = await _manager(request, "add-calendar-feed")
    provider_id = request.path_params["provider_id"]
    board = await context.hub.present_board(site_of(provider_id))
    provider = board.providers.get(provider_id)
    if provider is None or provider.removed_at:
        raise ProviderNotFound(provider_id=provider_id)
    made = await context.identity.calendar_feeds.add(manager.organisation_id, provider_id, actor=manager.actor)
    listed = FeedListed(made.id, manager.actor, made.made_at // 1000)
    address = f"{base_address(request)}{paths.CALENDAR_FEED.format(secret=made.secret)}"
    body = orjson.dumps(asdict(listed) | {"address": address})
    return Response(body, 201, {"Cache-Control": "no-store"}, media_type="application/json")


@ENDPOINTS.add(
    "DELETE",
    paths.CALENDAR_FEEDS + "/{feed_id:id}",
    "revoke-calendar-feed",
    Answer("Revoked.", status=204),
    may="manage-calendar-feeds",
    refused=(SiteNotFound, CalendarFeedNotFound, Unavailable),
)
async def revoke_feed(request: Request) -> Response:
    """Revoke a secret address, effective at once."""
    context = Context.of(request)
    manager = await _manager(request, "revoke-calendar-feed")
    provider_id, feed_id = request.path_params["provider_id"], request.path_params["feed_id"]
    await context.identity.calendar_feeds.revoke(manager.organisation_id, provider_id, feed_id, actor=manager.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "GET",
    paths.CALENDAR_FEED,
    "read-calendar-feed",
    Answer(
        "The calendar.",
        headers=NO_STORE,
        schema={"type": "string", "pattern": "^BEGIN:VCALENDAR"},
        media_type="text/calendar",
    ),
    security=PUBLIC,
    refused=(CalendarFeedNotFound, Unavailable),
)
async def get_feed(request: Request) -> Response:
    """Return the times of a provider's appointments as an iCalendar file. The secret in the address is the only key.

    The calendar has the last month and the coming year. Each entry is called "Appointment": it names no patient, no service
    and no ticket. The addresses of a removed provider are refused.
    """
    context = Context.of(request)
    provider_id = await context.identity.calendar_feeds.provider_of(request.path_params["secret"])
    board = await context.hub.present_board(site_of(provider_id))
    provider = board.providers[provider_id]
    if provider.removed_at:  # no page lists the addresses of a removed provider, so nobody could end them there
        raise CalendarFeedNotFound()
    now = context.database.clock.now()
    found = await appointments.of_provider(
        context.database, provider_id, now - DAYS_BACK * DAY, now + DAYS_AHEAD * DAY, MOST_EVENTS
    )
    name = f"{board.site.name} · {provider.name}"
    made = calendars.of_provider(found, context.vault, now, name=name)
    return Response(made, headers={"Cache-Control": "no-store"}, media_type=calendars.MEDIA_TYPE)


async def _manager(request: Request, doing: str) -> Staff:
    """Return the caller, who may manage the addresses at the provider's site."""
    site_id = site_of(request.path_params["provider_id"])
    return await Context.of(request).gate.member_for(request, "manage-calendar-feeds", site_id, doing=doing)
