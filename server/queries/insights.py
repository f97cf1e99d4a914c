"""The figures of a site for managers: of a period of business days, the present one included.

The sums of past days come from the table of daily sums. The next days after the kept ones, such as yesterday's in the first
minute of a day, are counted for the report, for a short time. Days beyond that are missing, and the report says so.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.model import Site
from server.domain.reporting.insights import Comparison, Insights, Only, Period, Totals, compare
from server.queries import message_sums
from server.queries.day_sums import Counted, KeptDay, Left, count, following, kept_after, kept_between
from server.queries.message_figures import MessageReport
from server.queries.reader import Reader
from server.store import sites
from server.store.tables import points, providers, queues, services

COUNTING_SECONDS = 2.0  # for days that are not kept yet
_BESIDE = ThreadPoolExecutor(1, "insights")  # one report at a time in a process: the others wait, and the loop goes on


@dataclass(frozen=True, slots=True)
class Missing:
    """Days of a period that are not counted yet."""

    days: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names of services (public), queues, providers and points, removed ones too, and the services of queues."""

    services: Mapping[int, str]
    queues: Mapping[int, str]
    providers: Mapping[int, str]
    points: Mapping[int, str]
    service_of: Mapping[int, int | None]


@dataclass(frozen=True, slots=True)
class Messages:
    """What became of the messages, and the answers of patients by week."""

    report: MessageReport
    weeks: Mapping[str, Counter[int]]


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of a period. ``messages`` is None with a filter. ``now`` in microseconds."""

    site: Site
    first: str
    last: str
    now: int
    names: Names
    insights: Insights
    missing: Missing | None
    messages: Messages | None
    only: Only | None


async def between(
    database: Reader,
    site_id: int,
    first: str | None,
    last: str | None,
    only: Only | None = None,
    counting_seconds: float = COUNTING_SECONDS,
) -> Found:
    """Return the figures of the business days from ``first`` to ``last``; without them, of the present one.

    Days after the present one have no figures. Raises `SiteNotFound`, `Unavailable`.
    """
    now = database.clock.now()
    async with database.read() as connection:
        names = await _names(connection, site_id)
    period = Period(names.service_of, only)
    days = await _days(database, site_id, first, last, now, counting_seconds, period.add_day)
    site, first, last = days.site, days.first, days.last
    insights = await asyncio.get_running_loop().run_in_executor(_BESIDE, period.insights)
    messages = None
    if only is None:
        sums = await message_sums.between(database, site, first, last)
        messages = Messages(sums.report(), message_sums.weeks(sums.scores, first, last, site.business_day))
    return Found(site, first, last, now, names, insights, days.missing, messages, only)


@dataclass(frozen=True, slots=True)
class SiteDays:
    """The days of a period at a site, and those of them that are missing."""

    site: Site
    first: str
    last: str
    missing: Missing | None


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures of several sites, each on its own business days. ``now`` in microseconds."""

    now: int
    sites: list[SiteDays]
    comparison: Comparison


async def compared(
    database: Reader,
    site_ids: Sequence[int],
    first: str | None,
    last: str | None,
    counting_seconds: float = COUNTING_SECONDS,
) -> Compared:
    """Return the figures of sites in total, side by side; without days, of the present one of each site.

    The time for days that are not kept is one for all sites. Raises `SiteNotFound`, `Unavailable`.
    """
    loop, now = asyncio.get_running_loop(), database.clock.now()
    stop_at = time.monotonic() + counting_seconds
    tallies: dict[int, Any] = {}
    found: list[SiteDays] = []
    for site_id in site_ids:  # one after the other: a year of one site is some megabytes
        totals = Totals()
        left = max(0.0, stop_at - time.monotonic())
        days = await _days(database, site_id, first, last, now, left, partial(_add_to, totals))
        tallies[site_id] = await loop.run_in_executor(_BESIDE, totals.tally)
        found.append(SiteDays(days.site, days.first, days.last, days.missing))
    return Compared(now, found, await loop.run_in_executor(_BESIDE, compare, tallies))


def _add_to(totals: Totals, _: str, sums: Any) -> None:
    totals.add_day(sums)


async def _days(
    database: Reader,
    site_id: int,
    first: str | None,
    last: str | None,
    now: int,
    counting_seconds: float,
    add: Callable[[str, Any], None],
) -> SiteDays:
    """Give the sums of each day of a period to ``add``, beside the loop: first the kept ones, then those counted now."""
    loop = asyncio.get_running_loop()
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        first, last = first or site.business_day, last or site.business_day
        read = await kept_between(connection, site, "visits", first, last)
    kept = await loop.run_in_executor(_BESIDE, read, lambda day, plain: add(day, plain["sums"]))
    if _all_in(kept, first, min(last, site.business_day)):
        return SiteDays(site, first, last, None)
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        upto = min(last, site.business_day)
        counted, missing = await _not_kept(connection, site, first, upto, now, counting_seconds, kept)
    await loop.run_in_executor(_BESIDE, _add_counted, counted, add)
    return SiteDays(site, first, last, missing)


def _all_in(kept: Mapping[str, KeptDay], first: str, last: str) -> bool:
    day = first
    while day in kept and day <= last:
        day = following(day)
    return day > last


def _add_counted(counted: Sequence[Counted], add: Callable[[str, Any], None]) -> None:
    for each in counted:
        add(each.day, each.sums.plain())


async def _not_kept(
    connection: AsyncConnection,
    site: Site,
    first: str,
    last: str,
    now: int,
    seconds: float,
    kept: Mapping[str, KeptDay],
) -> tuple[list[Counted], Missing | None]:
    """Return the sums of the days of a period that are not kept, and the days that are missing after some seconds.

    They are the days after the kept ones, and those whose kept sums are damaged.
    """
    found: list[Counted] = []
    missing: list[str] = []
    stop_at = time.monotonic() + seconds
    before: Left | None = None  # the state before the day, or before an earlier one
    day = first
    while day <= last:
        if day in kept:
            before = kept[day].after(site, day)
            day = following(day)
            continue
        before = before or await kept_after(connection, site, day)
        if before is None:
            break  # there is no log
        if before.day > day:
            day = before.day  # the log begins then
        elif time.monotonic() >= stop_at:
            missing.append(day)
            day = following(day)
        else:
            counted = await count(connection, site, before, now)
            before = counted.after
            if counted.day == day:
                found.append(counted)
                day = following(day)
    return found, Missing(len(missing), missing[0], missing[-1]) if missing else None


async def _names(connection: AsyncConnection, site_id: int) -> Names:
    found: list[dict[int, str]] = []
    for table, name in (
        (services, services.c.public_name),
        (queues, queues.c.name),
        (providers, providers.c.name),
        (points, points.c.name),
    ):
        rows = await connection.execute(select(table.c.id, name.label("name")).where(table.c.site_id == site_id))
        found.append({row.id: row.name for row in rows})
    of_queues = await connection.execute(select(queues.c.id, queues.c.service_id).where(queues.c.site_id == site_id))
    of_services, names_of_queues, of_providers, of_points = found
    service_of = {row.id: row.service_id for row in of_queues}
    return Names(of_services, names_of_queues, of_providers, of_points, service_of)
