"""``GET /api/v1/sites/{id}/statistics``, the same as CSV, and the report of a business day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import SiteNotFound, Unavailable
from server.domain.model import State
from server.domain.plain_text import first_visible
from server.domain.reporting import statistics as figures
from server.domain.reporting.statistics import Group
from server.queries import statistics
from server.queries.statistics import Named, OpenEntry
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count, Instant, IsoDay
from server.transport.http.files import as_file, file_answer

MOST_DAYS = 400
# A spreadsheet takes a text that begins with one of these for a formula; some take the full-width and small forms too,
# and skip spaces before them.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212")
_BREAKS = ("\t", "\r", "\n")  # a cell's end

Figures = Annotated[
    figures.Figures,
    Component(
        "Figures",
        tickets="Visits that began here.",
        entries="All stages, those of transfers included.",
        open="Entries that have not ended.",
        wait="Of called entries: the wait until the last call.",
        held_percent="The share of calls no later than the end of the wait that was quoted first. Good quotes have 90.",
        early_percent="The share of calls before the start of the wait that was quoted first. Good quotes have 50.",
        leave_count="Called patients who had read until when they may leave.",
        before_leave_percent="The share of them called before the first such instant. It should be below 5.",
    ),
]
HourFigures = Annotated[figures.Hour, Component("HourFigures", hour="The hour of the site's wall clock.")]


class PointFigures(TypedDict):
    """The use of one point."""

    point_id: int
    calls: Annotated[Count, Field(description="The number of calls.")]
    busy_seconds: Annotated[
        Count, Field(description="How long the point had a patient called or in service, in closed intervals.")
    ]
    name: str | None


class _ServiceFigures(TypedDict):
    service_id: int
    public_name: str | None
    figures: Figures


class _QueueFigures(TypedDict):
    queue_id: int
    name: str | None
    figures: Figures


class _Figures(TypedDict):
    figures: Figures
    services: list[_ServiceFigures]
    queues: list[_QueueFigures]
    hours: Annotated[list[HourFigures], Field(max_length=24, description="By hour of the site's wall clock.")]
    points: list[PointFigures]


class _OfDay(TypedDict):
    business_day: IsoDay


class _DayFigures(_OfDay, _Figures):
    pass


_Period = TypedDict("_Period", {"site_id": int, "time_zone": str, "from": IsoDay, "to": IsoDay, "days": list[_DayFigures]})


class _Statistics(_Period, _Figures):
    pass


class _Open(TypedDict):
    """The number of open entries by state."""

    called: Count
    held: Count
    serving: Count
    waiting: Count


class _Left(TypedDict):
    entry_id: int
    label: str
    state: Annotated[State, Field(json_schema_extra={"enum": sorted(_Open.__annotations__)})]
    since: Instant


class _QueueDay(_QueueFigures):
    open: _Open
    left: Annotated[list[_Left], Field(description="The entries that are still open.")]


class _Day(TypedDict):
    site_id: int
    business_day: IsoDay
    is_over: bool
    figures: Figures
    open: _Open
    queues: list[_QueueDay]


PERIOD = parameters.Days(
    parameters.Day("from", "The first business day."),
    parameters.Day("to", f"The last business day. The period has at most {MOST_DAYS} days."),
    MOST_DAYS,
)
BUSINESS_DAY = parameters.Day("business_day", "The business day; by default the site's present one.")

_SPREAD = ("count", "mean_seconds", "median_seconds", "p90_seconds", "longest_seconds")
_COUNTS = [name for name in figures.Figures.__dataclass_fields__ if name not in ("wait", "walk", "service", "promises")]
COLUMNS = [
    "business_day",
    "queue_id",
    "queue",
    "service",
    *_COUNTS,
    *(f"{kind}_{name}" for kind in ("wait", "walk", "service") for name in _SPREAD),
    *(f"promises_{name}" for name in figures.Promises.__dataclass_fields__),
]

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.STATISTICS,
    "read-statistics",
    "The figures.",
    may="read-statistics",
    parameters=(PERIOD,),
    refused=(Unavailable, SiteNotFound),
)
async def get_statistics(request: Request) -> _Statistics:
    """Return the figures of some business days: the total, and by day, service, queue, hour and point.

    Days, queues, hours and points without an entry are left out.
    """
    found, first, last = await _asked(request)
    days: list[_DayFigures] = [{"business_day": day, **_group(group, found)} for day, group in found.report.days.items()]
    return {
        "site_id": found.site.id,
        "time_zone": found.site.time_zone,
        "from": first,
        "to": last,
        **_group(found.report.whole, found),
        "days": days,
    }


@ENDPOINTS.add(
    "GET",
    paths.STATISTICS_CSV,
    "export-statistics",
    file_answer(
        "UTF-8. A text that a spreadsheet would take for a formula has an apostrophe before it.",
        "text/csv",
        schema={"type": "string", "pattern": f"^{','.join(COLUMNS)}\r\n"},
    ),
    may="read-statistics",
    parameters=(PERIOD,),
    refused=(Unavailable, SiteNotFound),
)
async def get_statistics_csv(request: Request) -> Response:
    """Return the figures of some business days as CSV: the column names, then one line for each day and queue.

    Days and queues without an entry are left out.
    """
    found, first, last = await _asked(request)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(_lines(found))
    name = f"statistics-{found.site.id}-{first}-{last}.csv"
    return as_file(text.getvalue(), name, "text/csv; header=present")


@ENDPOINTS.add(
    "GET",
    paths.DAY,
    "read-day",
    "The report.",
    may="read-day",
    parameters=(BUSINESS_DAY,),
    refused=(Unavailable, SiteNotFound),
)
async def get_day(request: Request) -> _Day:
    """Return the report of a business day: open entries, outcomes of the others, and waits; total and by queue."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-day", site_id)
    found, day, still = await statistics.of_day(context.database, site_id, BUSINESS_DAY.read(request), context.past_days)
    by_queue: dict[int, list[OpenEntry]] = {}
    for entry in still:
        by_queue.setdefault(entry.queue_id, []).append(entry)
    whole = found.report.whole
    return {
        "site_id": site_id,
        "business_day": day,
        "is_over": day < found.site.business_day,
        "figures": whole.total,
        "open": _by_state(still),
        "queues": [
            {
                "queue_id": queue_id,
                "name": found.queues.get(queue_id),
                "figures": of_queue,
                "open": _by_state(by_queue.get(queue_id, [])),
                "left": [
                    {"entry_id": each.id, "label": each.label, "state": each.state, "since": each.since // 1000}
                    for each in by_queue.get(queue_id, [])
                ],
            }
            for queue_id, of_queue in whole.queues.items()
        ],
    }


async def _asked(request: Request) -> tuple[Named, str, str]:
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    first, last = PERIOD.read(request)
    return await statistics.between(context.database, site_id, first, last, context.past_days), first, last


def _group(group: Group, found: Named) -> _Figures:
    return {
        "figures": group.total,
        "services": [
            {"service_id": service_id, "public_name": found.services.get(service_id), "figures": of_service}
            for service_id, of_service in group.services.items()
        ],
        "queues": [
            {"queue_id": queue_id, "name": found.queues.get(queue_id), "figures": of_queue}
            for queue_id, of_queue in group.queues.items()
        ],
        "hours": list(group.hours),
        "points": [
            {
                "name": found.points.get(use.point_id),
                "point_id": use.point_id,
                "calls": use.calls,
                "busy_seconds": use.busy_seconds,
            }
            for use in group.points
        ],
    }


def _by_state(still: list[OpenEntry]) -> _Open:
    def count(state: State) -> int:
        return sum(each.state == state for each in still)

    return {"called": count("called"), "held": count("held"), "serving": count("serving"), "waiting": count("waiting")}


def _lines(found: Named) -> Iterator[dict[str, Any]]:
    for day, group in found.report.days.items():
        for queue_id, of_queue in group.queues.items():
            service = found.services.get(found.service_of.get(queue_id) or 0, "")
            names = {"queue": neutral(found.queues.get(queue_id, "")), "service": neutral(service)}
            yield {"business_day": day, "queue_id": queue_id} | names | _flat(asdict(of_queue))


def _flat(values: dict[str, Any], before: str = "") -> dict[str, int | None]:
    """Return figures with nested ones on the same level: ``wait_mean_seconds``."""
    found: dict[str, int | None] = {}
    for name, value in values.items():
        found |= _flat(value, f"{name}_") if isinstance(value, dict) else {before + name: value}
    return found


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    begins = text.startswith(_BREAKS) or first_visible(text) in _FORMULA
    return f"'{text}" if begins else text
