"""``GET /api/v1/sites/{id}/statistics``, the same as CSV, and the report of a day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.model import OPEN_STATES
from server.domain.reporting.statistics import Figures, Group
from server.queries import statistics
from server.queries.statistics import Named, OpenEntry
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import parameters, paths

MOST_DAYS = 400
# A spreadsheet takes a text that begins with one of these for a formula, or for the cell's end.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def get_statistics(request: Request) -> Response:
    """Return the figures of some business days: by day, by queue, by hour, by point, and all together."""
    found, first, last = await _asked(request)
    return as_json(
        {
            "site_id": found.site.id,
            "time_zone": found.site.time_zone,
            "from": first,
            "to": last,
            **_group(found.report.whole, found),
            "days": [{"business_day": day} | _group(group, found) for day, group in found.report.days.items()],
        }
    )


async def get_statistics_csv(request: Request) -> Response:
    """Return the figures of some business days as CSV: a line for each day and queue."""
    found, first, last = await _asked(request)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(_lines(found))
    name = f"statistics-{found.site.id}-{first}-{last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), headers=headers, media_type="text/csv; header=present")


async def get_day(request: Request) -> Response:
    """Return the report of a business day: what is open, how the rest ended, how long people waited."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-day", site_id)
    found, day, still = await statistics.of_day(context.database, site_id, parameters.day(request, "business_day"))
    by_queue: dict[int, list[OpenEntry]] = {}
    for entry in still:
        by_queue.setdefault(entry.queue_id, []).append(entry)
    whole = found.report.whole
    return as_json(
        {
            "site_id": site_id,
            "business_day": day,
            "is_over": day < found.site.business_day,
            "figures": whole.total,
            "open": _by_state(still),
            "queues": [
                {
                    "queue_id": queue_id,
                    "name": found.queues.get(queue_id),
                    "figures": figures,
                    "open": _by_state(by_queue.get(queue_id, [])),
                    "left": [
                        {"entry_id": each.id, "label": each.label, "state": each.state, "since": each.since // 1000}
                        for each in by_queue.get(queue_id, [])
                    ],
                }
                for queue_id, figures in whole.queues.items()
            ],
        }
    )


async def _asked(request: Request) -> tuple[Named, str, str]:
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    first, last = parameters.days(request, "from", "to", MOST_DAYS)
    return await statistics.between(context.database, site_id, first, last), first, last


def _group(group: Group, found: Named) -> dict[str, Any]:
    return {
        "figures": group.total,
        "services": [
            {"service_id": service_id, "public_name": found.services.get(service_id), "figures": figures}
            for service_id, figures in group.services.items()
        ],
        "queues": [
            {"queue_id": queue_id, "name": found.queues.get(queue_id), "figures": figures}
            for queue_id, figures in group.queues.items()
        ],
        "hours": group.hours,
        "points": [{"name": found.points.get(use.point_id), **asdict(use)} for use in group.points],
    }


def _by_state(still: list[OpenEntry]) -> dict[str, int]:
    return {state: sum(each.state == state for each in still) for state in sorted(OPEN_STATES)}


def _lines(found: Named) -> Iterator[dict[str, Any]]:
    for day, group in found.report.days.items():
        for queue_id, figures in group.queues.items():
            service = found.services.get(found.service_of.get(queue_id) or 0, "")
            names = {"queue": neutral(found.queues.get(queue_id, "")), "service": neutral(service)}
            yield {"business_day": day, "queue_id": queue_id} | names | _flat(asdict(figures))


def _flat(values: dict[str, Any], before: str = "") -> dict[str, int | None]:
    """Return figures with those within them beside them: ``wait_mean_seconds``."""
    found: dict[str, int | None] = {}
    for name, value in values.items():
        found |= _flat(value, f"{name}_") if isinstance(value, dict) else {before + name: value}
    return found


def neutral(text: str) -> str:
    """Return a text cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


_SPREAD = ("count", "mean_seconds", "median_seconds", "p90_seconds", "longest_seconds")
_COUNTS = [name for name in Figures.__dataclass_fields__ if name not in ("wait", "walk", "service", "promises")]
COLUMNS = [
    "business_day",
    "queue_id",
    "queue",
    "service",
    *_COUNTS,
    *(f"{kind}_{name}" for kind in ("wait", "walk", "service") for name in _SPREAD),
    *(
        f"promises_{name}"
        for name in ("count", "held_percent", "early_percent", "missed_by_median_seconds", "missed_by_most_seconds")
    ),
]

ROUTES = [
    Route(paths.STATISTICS, get_statistics),
    Route(paths.STATISTICS_CSV, get_statistics_csv),
    Route(paths.DAY, get_day),
]
