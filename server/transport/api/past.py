"""``GET /api/v1/sites/{id}/past``: a screen as it was at a past instant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain import roles
from server.domain.errors import (
    DateNotKept,
    DeviceNotFound,
    NothingRecorded,
    PastNotPrepared,
    PointNotFound,
    SiteNotFound,
    Unavailable,
)
from server.domain.model import local_time
from server.domain.model.ids import MAX_ID, site_of
from server.domain.views.calendar import MOST_DAYS
from server.domain.views.site import Offsets, offsets_of
from server.queries.past import Happened, Screen
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Id, Instant, IsoDay, Schema

MOST_FOLLOWING = 200
MOST_NUMBER = 2**53
_SCREEN = re.compile(r"desk|calendar|display|(display|kiosk|point):([1-9][0-9]{0,15})")
_DRAWN = ("Desk", "Calendar", "Display", "Kiosk", "Point")
_CELLS = {"oneOf": [{"$ref": f"#/components/schemas/{name}Cells"} for name in _DRAWN]}

_Number = Annotated[int, Field(ge=0, description="A number of the site's log.")]
_Label = Annotated[str | None, Field(description="The ticket that the event was about; null for none.")]
_ScreenName = Annotated[
    str,
    Field(
        description="`desk`, `calendar`, `display` (all calls), or with an id: `display:7000000003`, `point:…`, `kiosk:…`."
    ),
]


class _Event(TypedDict):
    """An event of the log."""

    seq: _Number
    at: Instant
    type: Annotated[str, Field(description="The type of the event: `ticket-called`.")]
    label: _Label


class _Following(_Event):
    """An event after the instant, with its effect on the screen: as a change of a live stream."""

    set: Annotated[
        dict[str, Any],
        Schema(
            {
                "type": "object",
                "description": "The changed cells, by their keys.",
                "additionalProperties": {"type": "object"},
            }
        ),
    ]
    gone: Annotated[list[str], Field(description="The keys of the cells that the event removed.")]


class _Screen(TypedDict):
    screen: _ScreenName
    name: Annotated[str, Field(description="The name of the display, point or kiosk; else empty.")]


class _Past(TypedDict):
    site_id: Id
    screen: _ScreenName
    seq: Annotated[int, Field(ge=1, description="The number of the last event that the cells include.")]
    at: Annotated[int, Field(ge=0, description="The instant of the screen, in milliseconds since 1970.")]
    business_day: IsoDay
    begins: Annotated[int, Field(ge=0, description="The begin of this business day, in milliseconds since 1970.")]
    turns: Annotated[int, Field(ge=0, description="The end of this business day, as it was known then.")]
    last: Annotated[int, Field(ge=1, description="The number of the last event of the site's log.")]
    time_zone: str
    offsets: Offsets
    cells: Annotated[
        dict[str, Any],
        Schema(_CELLS | {"description": "The cells that the live stream of this screen had at that number."}),
    ]
    before: Annotated[list[_Event], Field(description="The last events that the cells include.")]
    following: Annotated[list[_Following], Field(max_length=MOST_FOLLOWING, description="The next events.")]
    screens: Annotated[list[_Screen], Field(description="The screens that the site had at that number.")]


@dataclass(frozen=True, slots=True)
class ScreenOfSite(parameters.Parameter):
    """A screen of the site that the request is about."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^({_SCREEN.pattern})$", "default": "desk"}

    def read(self, request: Request, site_id: int) -> Screen:
        """Return the screen. Raises `InvalidField`."""
        found = _SCREEN.fullmatch(self.given(request) or "desk")
        if found is None:
            raise self.wrong("desk, calendar, display, display:{id}, kiosk:{id} or point:{id}")
        if found[2] is None:
            return Screen(found[0])
        if int(found[2]) > MAX_ID or site_of(int(found[2])) != site_id:
            raise self.wrong(f"an id of the site {site_id}")
        return Screen(found[1], int(found[2]))


SCREEN = ScreenOfSite(
    "screen", "`desk`, `calendar`, `display` for all calls, `display:{id}`, `kiosk:{id}`, or `point:{id}` for a room."
)
DATE = parameters.Day(
    "date", "The first date of a calendar, from the business day on. Absent: the date of the instant. See `days`."
)
DAYS = parameters.Whole("days", "How many days a calendar shows.", 1, MOST_DAYS, 1)
AT = parameters.InstantWithOffset("at", "The instant, with its offset from UTC: `2026-11-30T10:42:00+01:00`.")
NUMBER = parameters.Whole("number", "Instead of `at`: a number of the site's log; 0 for none.", 0, MOST_NUMBER, 0)
FOLLOWING = parameters.Whole("following", "How many of the next events the answer has.", 0, MOST_FOLLOWING, 0)
STEP: parameters.Choice[str] = parameters.Choice(
    "step", "`before-change`: the screen before the last event up to then that changed it.", ("before-change",)
)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.PAST,
    "replay-days",
    "The screen.",
    may="replay-days",
    parameters=(SCREEN, DATE, DAYS, AT, NUMBER, STEP, FOLLOWING),
    refused=(Unavailable, SiteNotFound, NothingRecorded, DeviceNotFound, PointNotFound, DateNotKept, PastNotPrepared),
)
async def get_past(request: Request) -> _Past:
    """Return a screen as it was at an instant, or at a number of the site's log.

    Exactly one of `at` and `number` is needed. The cells equal the cells of the live stream at that number. They have the
    names that the log still has, for roles that read personal data. Each look is noted in the audit, with the screen and
    the instant.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    staff = await context.gate.staff_for(request, "replay-days", site_id)
    screen, number, at = SCREEN.read(request, site_id), NUMBER.read(request), AT.read(request)
    if screen.kind == "calendar":
        date = DATE.read(request)
        if date is not None:
            local_time.date_of(date, DATE.name)  # the days that a clinic has
        screen = replace(screen, date=date, days=DAYS.read(request))
    following = FOLLOWING.read(request)
    if (at is None) == (number == 0):
        raise AT.wrong("required, unless a number of the log is given")
    if at is not None and at > await context.database.now():
        raise AT.wrong("an instant that is past")
    found = await context.past.moment(
        site_id,
        screen,
        at=at,
        number=number or None,
        following=following,
        with_names=roles.may(staff.role, "read-personal"),
        before_change=STEP.read(request) is not None,
    )
    site = found.site
    shown_at = site.last_event_at if at is None else at
    context.audit.note(
        "replay-days",
        staff.actor,
        subject=_name(screen),
        site_id=site_id,
        organisation_id=staff.organisation_id,
        detail=datetime.fromtimestamp(shown_at // 1_000_000, UTC).isoformat(),
    )
    return {
        "site_id": site_id,
        "screen": _name(screen),
        "seq": site.seq,
        "at": shown_at // 1000,
        "business_day": site.business_day,
        "begins": found.begins_at // 1000,
        "turns": site.turns_at // 1000,
        "last": found.last,
        "time_zone": site.time_zone,
        "offsets": offsets_of(site),
        "cells": dict(found.cells),
        "before": [_event(each) for each in found.before],
        "following": [{**_event(each.happened), "set": dict(each.set), "gone": list(each.gone)} for each in found.following],
        "screens": _screens(found.screens),
    }


def _event(happened: Happened) -> _Event:
    return {"seq": happened.seq, "at": happened.at // 1000, "type": happened.type, "label": happened.label}


def _screens(screens: Sequence[Screen]) -> list[_Screen]:
    return [{"screen": _name(each), "name": each.name} for each in screens]


def _name(screen: Screen) -> str:
    return screen.kind if screen.id is None else f"{screen.kind}:{screen.id}"
