"""``GET /api/v1/sites/{id}/what-if``: the waits of a real day, with one point more or with other rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain import what_if
from server.domain.errors import DayTooLarge, NothingRecorded, PastNotPrepared, SiteNotFound, Unavailable
from server.domain.model import local_time
from server.domain.what_if import RULES, Changed, Extra
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count, Id, IsoDay

MOST_MINUTES = 240

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


class _LeftOut(TypedDict):
    type: Annotated[str, Field(description="The type of the events: `entry-held`.")]
    count: Count


class _WhatIf(TypedDict):
    site_id: Id
    business_day: IsoDay
    real: Annotated[Waits, Field(description="The waits of the day, from the log.")]
    control: Annotated[Waits, Field(description="The day replayed without a change: its difference is the model's error.")]
    changed: Annotated[Waits, Field(description="The day replayed with the changes.")]
    left_out: Annotated[list[_LeftOut], Field(description="Steps of the day that the replay leaves out.")]


@dataclass(frozen=True, slots=True)
class Minutes(parameters.Parameter):
    """A rule of the site in minutes; absent, it stays as it was."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": 0, "maximum": MOST_MINUTES}

    def read(self, request: Request) -> int | None:
        """Return the minutes, or None if they are absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > MOST_MINUTES:
            raise self.wrong(f"a whole number from 0 to {MOST_MINUTES}")
        return int(text)


BUSINESS_DAY = parameters.Day("business_day", "The business day. Required.")
POINT = parameters.IdOfSite("like_point", "One point more, with the queues of this one. It needs `from` and `until`.")
FROM = parameters.InstantWithOffset("from", "The time at which the point more opens, with its offset from UTC.")
UNTIL = parameters.InstantWithOffset("until", "The time at which the point more closes, with its offset from UTC.")
RULE_MINUTES = tuple(Minutes(name, f"The rule `{name}` of the site, in minutes.") for name in RULES)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.WHAT_IF,
    "replay-with-changes",
    "The waits.",
    may="replay-days",
    parameters=(BUSINESS_DAY, POINT, FROM, UNTIL, *RULE_MINUTES),
    refused=(Unavailable, SiteNotFound, NothingRecorded, PastNotPrepared, DayTooLarge),
)
async def get_what_if(request: Request) -> _WhatIf:
    """Replay a day with one point more or with other rules, and return the waits.

    The patients of the day come when they came, and each keeps a point as long as on that day. The staff call after the
    same pauses as on that day, and have its breaks. Compare `changed` with `control`, not with `real`.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "replay-days", site_id, doing="replay-with-changes")
    business_day = BUSINESS_DAY.read(request)
    if business_day is None:
        raise BUSINESS_DAY.wrong("required: a day as YYYY-MM-DD")
    local_time.date_of(business_day, BUSINESS_DAY.name)  # the days that a clinic has
    point_id, begins_at, ends_at = POINT.read(request, site_id), FROM.read(request), UNTIL.read(request)
    extra = None
    if point_id is not None:
        if begins_at is None or ends_at is None or begins_at >= ends_at:
            raise UNTIL.wrong("required for one point more, and after `from`")
        extra = Extra(point_id, begins_at, ends_at)
    minutes = {rule.name: rule.read(request) for rule in RULE_MINUTES}
    changed = Changed(extra, {name: value for name, value in minutes.items() if value is not None})
    found = await context.past.what_if(site_id, business_day, changed)
    return {
        "site_id": site_id,
        "business_day": business_day,
        "real": found.real,
        "control": found.control,
        "changed": found.changed,
        "left_out": [{"type": name, "count": number} for name, number in sorted(found.left_out.items())],
    }
