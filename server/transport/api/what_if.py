"""``GET /api/v1/sites/{id}/what-if``: the waits of a real day, with other points, hours or rules."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, TypeVar

from pydantic import Field
from starlette.requests import ClientDisconnect, Request

from server.domain import what_if
from server.domain.errors import (
    DayTooLarge,
    NothingRecorded,
    PastNotPrepared,
    ReplayBusy,
    ReplayTooLong,
    SiteNotFound,
    Unavailable,
)
from server.domain.model import local_time
from server.domain.model.ids import MAX_ID, site_of
from server.domain.model.local_time import MINUTE
from server.domain.what_if import RULES, Changed, Extra, Intake, PointChange, Rows
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count, Id, Instant, IsoDay

MOST_MINUTES = 240
MOST_IDS = 40
DETAIL = 120  # characters of a row of the audit

_Result = TypeVar("_Result")

Waits = Annotated[
    what_if.Waits,
    Component(
        "ReplayedWaits",
        called="Stages with a call.",
        median_seconds="The median wait until the first call of a stage; null if fewer than five were called.",
        p90_seconds="Nine in ten waits are at most so long; null if fewer than five were called.",
        longest_seconds="The longest wait; null if fewer than five were called.",
        waiting="Stages without a call: the patient left, or the day ended before.",
    ),
]


class _Steps(TypedDict):
    type: Annotated[str, Field(description="The kind of the steps: `hold`.")]
    count: Count


class _Rows(TypedDict):
    real: Annotated[Waits, Field(description="The waits of the day, from the log.")]
    control: Annotated[Waits, Field(description="The day replayed without a change: its difference is the model's error.")]
    changed: Annotated[Waits, Field(description="The day replayed with the changes.")]


class _QueueRows(_Rows):
    queue: Id
    name: str


class _HourRows(_Rows):
    begins: Annotated[Instant, Field(description="The begin of the local hour in which the waits began.")]
    offset_minutes: Annotated[int, Field(description="How far the site's clock is ahead of UTC in it, in minutes.")]


class _WhatIf(_Rows):
    site_id: Id
    business_day: IsoDay
    queues: list[_QueueRows]
    hours: list[_HourRows]
    left_out: Annotated[
        list[_Steps], Field(description="Steps of the day that no replay repeats, by the type of the event.")
    ]
    not_repeated: Annotated[
        list[_Steps], Field(description="Steps whose time was over in the replay with the changes: the call came earlier.")
    ]
    turned_away: Annotated[Count, Field(description="Patients without a ticket in the replay with the changes.")]


@dataclass(frozen=True, slots=True)
class Minutes(parameters.Parameter):
    """A length in minutes; absent, nothing changes."""

    least: int = 0

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": self.least, "maximum": MOST_MINUTES}

    def read(self, request: Request) -> int | None:
        """Return the minutes, or None if they are absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        digits = text.removeprefix("-") if self.least < 0 else text
        if not digits.isascii() or not digits.isdigit() or len(digits) > 3 or not self.least <= int(text) <= MOST_MINUTES:
            raise self.wrong(f"a whole number from {self.least} to {MOST_MINUTES}")
        return int(text)


@dataclass(frozen=True, slots=True)
class IdsOfSite(parameters.Parameter):
    """Ids of records of the site that the request is about, with commas between them."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^[0-9]{{1,16}}(,[0-9]{{1,16}}){{0,{MOST_IDS - 1}}}$"}

    def read(self, request: Request, site_id: int) -> tuple[int, ...]:
        """Return the ids, each once; none if they are absent. Raises `InvalidField`."""
        text = self.given(request)
        parts = [] if text is None else text.split(",")
        good = all(each.isascii() and each.isdigit() and len(each) <= 16 for each in parts)
        if not good or len(parts) > MOST_IDS or any(int(each) > MAX_ID or site_of(int(each)) != site_id for each in parts):
            raise self.wrong(f"ids of the site {site_id} with commas between them, at most {MOST_IDS}")
        return tuple(dict.fromkeys(map(int, parts)))


BUSINESS_DAY = parameters.Day("business_day", "The business day. Required.")
LIKE = parameters.IdOfSite("like_point", "One point more, with the queues of this one. It needs `from` and `until`.")
FROM = parameters.InstantWithOffset("from", "The time at which the point more opens, with its offset from UTC.")
UNTIL = parameters.InstantWithOffset("until", "The time at which the point more closes, with its offset from UTC.")
CLOSED = IdsOfSite("closed_points", "Points that stay closed the whole day: their ids, with commas between them.")
BEGINS = Minutes("begins_later", "So many minutes later each point begins; negative: earlier.", -MOST_MINUTES)
ENDS = Minutes("ends_later", "So many minutes later each point ends; negative: earlier.", -MOST_MINUTES)
HOURS_OF = parameters.IdOfSite("hours_of", "The only point that begins and ends at other times; absent: every point.")
POINT = parameters.IdOfSite("queues_of", "A point that serves other queues. It needs `queues`.")
QUEUES = IdsOfSite("queues", "The queues that the point `queues_of` serves: their ids, with commas between them.")
INTAKE_FROM = parameters.InstantWithOffset("intake_from", "Patients without an appointment get tickets from this time on.")
INTAKE_UNTIL = parameters.InstantWithOffset("intake_until", "Patients without an appointment get tickets until this time.")
RULE_MINUTES = tuple(Minutes(name, f"The rule `{name}` of the site, in minutes.") for name in RULES)
CHANGES = (
    *(LIKE, FROM, UNTIL, CLOSED, BEGINS, ENDS, HOURS_OF, POINT, QUEUES, INTAKE_FROM, INTAKE_UNTIL),
    *RULE_MINUTES,
)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.WHAT_IF,
    "replay-with-changes",
    "The waits.",
    may="replay-days",
    parameters=(BUSINESS_DAY, *CHANGES),
    refused=(Unavailable, SiteNotFound, NothingRecorded, PastNotPrepared, DayTooLarge, ReplayBusy, ReplayTooLong),
)
async def get_what_if(request: Request) -> _WhatIf:
    """Replay a day with other points, hours or rules, and return the waits: in all, by queue, and by hour.

    The patients of the day come when they came, and each keeps a point as long as on that day. The staff call after the
    same pauses as on that day, have its breaks, and put patients on hold as long after their arrival. Compare `changed`
    with `control`, not with `real`.

    The times of the intake do not concern patients with an appointment. Others who came before it wait at the door, and
    their wait begins there; others who came after it get no ticket. An earlier begin brings nobody earlier.
    The audit notes each replay with its day and its changes.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    staff = await context.gate.staff_for(request, "replay-days", site_id, doing="replay-with-changes")
    business_day = BUSINESS_DAY.read(request)
    if business_day is None:
        raise BUSINESS_DAY.wrong("required: a day as YYYY-MM-DD")
    local_time.date_of(business_day, BUSINESS_DAY.name)  # the days that a clinic has
    changed = _changed(request, site_id)
    given = " ".join(f"{each.name}={each.given(request)}" for each in CHANGES if each.given(request) is not None)
    for part in textwrap.wrap(given, DETAIL, break_on_hyphens=False) or ["no change"]:  # one row may be too short
        context.audit.note(
            "replay-with-changes",
            staff.actor,
            subject=f"day:{business_day}",
            site_id=site_id,
            organisation_id=staff.organisation_id,
            detail=part,
        )
    found = await unless_gone(request, context.past.what_if(site_id, business_day, changed))
    return {
        "site_id": site_id,
        "business_day": business_day,
        **_rows(found.rows),
        "queues": [{"queue": key, "name": found.names.get(key, ""), **_rows(each)} for key, each in found.queues.items()],
        "hours": [
            {"begins": key // 1000, "offset_minutes": found.offsets[key], **_rows(each)} for key, each in found.hours.items()
        ],
        "left_out": _steps(found.left_out),
        "not_repeated": _steps(found.not_repeated),
        "turned_away": found.turned_away,
    }


def _changed(request: Request, site_id: int) -> Changed:
    """Return the changes that a request names. Raises `InvalidField`."""
    like, begins_at, ends_at = LIKE.read(request, site_id), FROM.read(request), UNTIL.read(request)
    extra = None
    if like is not None:
        if begins_at is None or ends_at is None or begins_at >= ends_at:
            raise UNTIL.wrong("required for one point more, and after `from`")
        extra = Extra(like, begins_at, ends_at)
    begins, ends, hours_of = BEGINS.read(request) or 0, ENDS.read(request) or 0, HOURS_OF.read(request, site_id)
    hours = PointChange(begins_later=begins * MINUTE, ends_later=ends * MINUTE)
    queues_of, queue_ids = POINT.read(request, site_id), QUEUES.read(request, site_id)
    if (queues_of is None) != (not queue_ids):
        raise QUEUES.wrong("required with `queues_of`, and only with it")
    closed = CLOSED.read(request, site_id)
    points = {} if hours_of is None else {hours_of: hours}
    every = hours if hours_of is None else PointChange()
    if queues_of is not None:
        was = points.get(queues_of, every)
        points[queues_of] = PointChange(begins_later=was.begins_later, ends_later=was.ends_later, queue_ids=queue_ids)
    points |= dict.fromkeys(closed, PointChange(closed=True))
    intake = Intake(INTAKE_FROM.read(request), INTAKE_UNTIL.read(request))
    if intake.begins_at is not None and intake.ends_at is not None and intake.begins_at >= intake.ends_at:
        raise INTAKE_UNTIL.wrong("a time after `intake_from`")
    minutes = {rule.name: rule.read(request) for rule in RULE_MINUTES}
    rules = {name: value for name, value in minutes.items() if value is not None}
    return Changed(extra, rules, points, every, intake)


async def unless_gone(request: Request, work: Awaitable[_Result]) -> _Result:
    """Return the result of some work, unless the client leaves before: then cancel it, and raise `ClientDisconnect`."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect()
        return doing.result()
    finally:
        for each in (doing, leaving):
            each.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


def _rows(rows: Rows) -> _Rows:
    return {"real": rows.real, "control": rows.control, "changed": rows.changed}


def _steps(counted: Mapping[str, int]) -> list[_Steps]:
    return [{"type": name, "count": number} for name, number in sorted(counted.items())]
