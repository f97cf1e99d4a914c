"""The days of a site for the figures of `server.domain.reporting.statistics`. A cache keeps the sums of past days.

No command changes an entry of a day that has turned: it loads the entries of the present day alone. So the sums of a past
day are final, until another history begins or the site gets another time zone. The present day is always read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Row, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.caching.cache import Cache, Form, Store
from server.domain.model import OPEN_STATES, Site, State
from server.domain.reporting.statistics import VERSION, Report, Stage, Statistics, Sums
from server.domain.reporting.timeline import Interval
from server.domain.waits import Quote
from server.queries.reader import Reader
from server.store import sites
from server.store.tables import entries, intervals, points, queues, services, visits

_IS_TRUE_PATIENT = func.coalesce(visits.c.trial, false()).is_(false())  # test patients are in no figure
ROWS_AT_ONCE = 200  # between two batches, this process serves other requests
DAYS_AT_ONCE = 31  # of a long period, so many days are in memory at a time
PastDays: TypeAlias = Cache[Sums]
_FORM = Form(VERSION, Sums.plain, Sums.from_plain)


def past_days(store: Store | None) -> PastDays:
    """Return the cache of the sums of past days. Without a ``store`` it keeps nothing."""
    return Cache("statistics", _FORM, store)


NOTHING_KEPT = past_days(None)


@dataclass(frozen=True, slots=True)
class Named:
    """A report, the services of queues, and the names of services (public), queues and points, removed ones too."""

    site: Site
    report: Report
    service_of: dict[int, int | None]
    services: dict[int, str]
    queues: dict[int, str]
    points: dict[int, str]


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """An entry of a business day that has not ended. ``since`` in microseconds."""

    id: int
    queue_id: int
    label: str
    state: State
    since: int


async def between(database: Reader, site_id: int, first: str, last: str, past: PastDays = NOTHING_KEPT) -> Named:
    """Return the figures of the business days from ``first`` to ``last``. Raises `SiteNotFound`, `Unavailable`."""
    async with database.read() as connection:
        seen = await _seen(connection, await connection.run_sync(sites.load, site_id), first, last)
    return await _named(database, seen, first, last, past)


async def of_day(
    database: Reader, site_id: int, business_day: str | None, past: PastDays = NOTHING_KEPT
) -> tuple[Named, str, list[OpenEntry]]:
    """Return a day's figures, the day, and its open entries. Without ``business_day``, it is the site's present day.

    Raises `SiteNotFound`, `Unavailable`.
    """
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        day = business_day or site.business_day
        rows = await connection.execute(
            select(entries.c.id, entries.c.queue_id, visits.c.label, entries.c.state, entries.c.since)
            .join_from(entries, visits, visits.c.id == entries.c.visit_id, isouter=True)
            .where(entries.c.site_id == site_id, entries.c.business_day == day, entries.c.state.in_(sorted(OPEN_STATES)))
            .where(_IS_TRUE_PATIENT)
        )
        still = sorted((OpenEntry(*row) for row in rows), key=lambda each: each.id)
        seen = await _seen(connection, site, day, day)
    return await _named(database, seen, day, day, past), day, still


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one view of the database shows: the site, names, and the sums of the asked days that are not past."""

    site: Site
    service_of: dict[int, int | None]
    names: list[dict[int, str]]
    present: dict[str, Sums]


async def _seen(connection: AsyncConnection, site: Site, first: str, last: str) -> _Seen:
    names: list[dict[int, str]] = []
    for table, name in ((services, services.c.public_name), (queues, queues.c.name), (points, points.c.name)):
        rows = await connection.execute(select(table.c.id, name.label("name")).where(table.c.site_id == site.id))
        names.append({row.id: row.name for row in rows})
    of_queues = await connection.execute(select(queues.c.id, queues.c.service_id).where(queues.c.site_id == site.id))
    service_of = {row.id: row.service_id for row in of_queues}
    begin = max(first, site.business_day)
    present = await _sums(connection, site, begin, last) if begin <= last else {}
    return _Seen(site, service_of, names, present)


async def _named(database: Reader, seen: _Seen, first: str, last: str, past: PastDays) -> Named:
    site = seen.site
    made = Statistics(site.time_zone, seen.service_of)
    over = [day for day in _days(first, last) if day < site.business_day]

    async def read(days: Collection[str]) -> dict[str, Sums]:
        found: dict[str, Sums] = {}
        async with database.read() as connection:
            for begin, end in _runs(sorted(days)):
                found |= await _sums(connection, site, begin, end)
        return {day: found.get(day) or Sums() for day in days}

    about = f"{site.organisation_id}:{site.epoch}:{site.time_zone}"
    for at in range(0, len(over), DAYS_AT_ONCE):
        some = over[at : at + DAYS_AT_ONCE]
        found = await past.get(site.id, about, some, read)
        for day in some:
            made.add_day(day, found[day])
            await asyncio.sleep(0)
    for day, sums in sorted(seen.present.items()):
        made.add_day(day, sums)
    return Named(site, made.report(), seen.service_of, *seen.names)


async def _sums(connection: AsyncConnection, site: Site, first: str, last: str) -> dict[str, Sums]:
    """Return the sums of each of these days that has entries."""
    found: dict[str, Sums] = {}
    async with aclosing(_stages(connection, site.id, first, last)) as stages:
        async for stage in stages:
            found.setdefault(stage.business_day, Sums()).add(stage, site.time_zone)
    return found


def _days(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=after)).isoformat() for after in range((end - begin).days + 1)]


def _runs(days: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the first and the last day of each run of consecutive days."""
    begin = before = days[0]
    for day in days[1:]:
        if date.fromisoformat(day) - date.fromisoformat(before) > timedelta(days=1):
            yield begin, before
            begin = day
        before = day
    yield begin, before


async def _stages(connection: AsyncConnection, site_id: int, first: str, last: str) -> AsyncGenerator[Stage, None]:
    """Yield each entry of these days with its intervals, by day and id. Memory holds one batch at a time."""
    statement = (
        select(
            *(entries.c[name] for name in _OF_ENTRY),
            intervals.c.ended_by,
            intervals.c.state.label("was"),
            intervals.c.started_at,
            intervals.c.ended_at,
            intervals.c.point_id,
            visits.c.opened_at,
        )
        .join_from(entries, visits, visits.c.id == entries.c.visit_id, isouter=True)
        .join(intervals, intervals.c.entry_id == entries.c.id, isouter=True)
        .where(entries.c.site_id == site_id, entries.c.business_day >= first, entries.c.business_day <= last)
        .where(_IS_TRUE_PATIENT)
        .order_by(entries.c.business_day, entries.c.id)
    )
    of_one: list[Row[*tuple[Any, ...]]] = []
    async with connection.stream(statement, execution_options={"yield_per": ROWS_AT_ONCE}) as result:
        async for rows in result.partitions():
            await asyncio.sleep(0)  # a driver with buffered rows never waits, so other tasks get no turn
            for row in rows:
                if of_one and row.id != of_one[0].id:
                    yield _stage(of_one)
                    of_one.clear()
                of_one.append(row)
    if of_one:
        yield _stage(of_one)


def _stage(rows: list[Row[*tuple[Any, ...]]]) -> Stage:
    entry = rows[0]
    quoted = entry.quoted_from is not None and entry.quoted_until is not None
    return Stage(
        entry_id=entry.id,
        business_day=entry.business_day,
        queue_id=entry.queue_id,
        state=entry.state,
        since=entry.since,
        opened_at=entry.opened_at,
        first_called_at=entry.first_called_at,
        quote=Quote(entry.quoted_from, entry.quoted_until, False) if quoted else None,
        intervals=tuple(
            Interval(row.ended_by, row.was, row.started_at, row.ended_at, row.point_id)
            for row in rows
            if row.ended_by is not None
        ),
        leave_until=entry.quoted_leave,
    )


_OF_ENTRY = (
    "id",
    "business_day",
    "queue_id",
    "state",
    "since",
    "first_called_at",
    "quoted_from",
    "quoted_until",
    "quoted_leave",
)
