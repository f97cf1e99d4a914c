"""The entries of a site, today's and past ones: a page of them, one, or all of a visit. Nothing here decrypts data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.model import Priority, State, Visit
from server.domain.model.ids import IDS_PER_SITE
from server.domain.reporting.timeline import Interval, timeline
from server.queries import keyset
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store.tables import entries, intervals, sites, visits

KEY: tuple[type, ...] = (int,)  # id, in the order of joining


@dataclass(frozen=True, slots=True)
class Filters:
    """The wanted entries; None means any. A label belongs to a business day: by default, the site's present one."""

    business_day: str | None = None
    queue_id: int | None = None
    state: State | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class EntryListed:
    """An entry as lists show it, without personal data. Instants in milliseconds, sums of intervals in whole seconds."""

    id: int
    site_id: int
    visit_id: int
    business_day: str
    label: str
    queue_id: int
    provider_id: int | None
    point_id: int | None
    state: State
    priority: Priority
    calls: int
    joined_at: int
    first_called_at: int | None
    called_at: int | None
    started_at: int | None
    ended_at: int | None
    waited_seconds: int
    served_seconds: int | None
    quoted_from: int | None
    quoted_until: int | None


async def page(database: Reader, site_id: int, filters: Filters, size: int, after: Key | None) -> Page[EntryListed]:
    """Return a page of a site's entries, newest first. Raises `Unavailable`."""
    async with database.read() as connection:
        chosen = await _chosen(connection, site_id, filters)
        if chosen is None:
            return Page((), None, 0, False)
        key, conditions = chosen
        # With several filters, an optimiser may intersect keys and then sort. This key is in the order of the list.
        by_key = f"FORCE INDEX ({key})"
        wanted = _ENTRIES.where(*conditions).with_hint(entries, by_key, "mysql")
        found, more = await keyset.rows(connection, wanted, (entries.c.id,), size, after, descending=True)
        listed = await _listed(connection, found)
        every = select(entries.c.id).where(*conditions).with_hint(entries, by_key, "mysql")
        counted = await keyset.total(connection, every)
    return keyset.page(listed, counted, lambda entry: (entry.id,), more=more)


async def _chosen(
    connection: AsyncConnection, site_id: int, filters: Filters
) -> tuple[str, list[ColumnElement[bool]]] | None:
    """Return the key to read by, and the conditions of the filters; None when no entry can match."""
    found: list[ColumnElement[bool]] = []
    if filters.queue_id is not None:
        found.append(entries.c.queue_id == filters.queue_id)
    if filters.state is not None:
        found.append(entries.c.state == filters.state)
    if filters.label is not None:
        visit_id = await _visit_labelled(connection, site_id, filters.business_day, filters.label)
        found.append(entries.c.visit_id == visit_id)
        return None if visit_id is None else ("ix_entries_visit_id", found)
    if filters.business_day is not None:
        own = [entries.c.site_id == site_id, entries.c.business_day == filters.business_day]
        return "ix_entries_site_id_business_day_id", own + found
    if filters.queue_id is not None:
        return "ix_entries_queue_id_id" if filters.state is None else "ix_entries_queue_id_state_id", found
    if filters.state is not None:
        return "ix_entries_site_id_state_id", [entries.c.site_id == site_id, *found]
    # The ids contain the site, so the primary key is in the order of the list.
    return "PRIMARY", [entries.c.id.between(site_id * IDS_PER_SITE, (site_id + 1) * IDS_PER_SITE - 1)]


async def _visit_labelled(connection: AsyncConnection, site_id: int, business_day: str | None, label: str) -> int | None:
    day: Any = business_day
    if day is None:
        day = select(sites.c.business_day).where(sites.c.id == site_id).scalar_subquery()
    statement = select(visits.c.id)
    return await connection.scalar(
        statement.where(visits.c.site_id == site_id, visits.c.business_day == day, visits.c.label == label)
    )


async def visit_of(database: Reader, entry_id: int) -> int | None:
    """Return the id of an entry's visit, or None if there is no such entry. Raises `Unavailable`."""
    async with database.read() as connection:
        return await connection.scalar(select(entries.c.visit_id).where(entries.c.id == entry_id))


async def visit(database: Reader, visit_id: int) -> tuple[Visit, Sequence[EntryListed]] | None:
    """Return a visit with its stages in order, or None if there is no such visit. Raises `Unavailable`."""
    async with database.read() as connection:
        row = (await connection.execute(select(visits).where(visits.c.id == visit_id))).one_or_none()
        if row is None:
            return None
        return Visit(**{**row._mapping, "needs": tuple(row.needs)}), await stages(connection, visit_id)


async def stages(connection: AsyncConnection, visit_id: int) -> list[EntryListed]:
    """Return the stages of a visit in order."""
    found = (await connection.execute(_ENTRIES.where(entries.c.visit_id == visit_id))).all()
    return await _listed(connection, sorted(found, key=lambda row: row.id))


async def intervals_of(connection: AsyncConnection, entry_ids: Iterable[int]) -> dict[int, list[Interval]]:
    """Return the closed intervals of entries, in order, by entry. One statement, or none without entries."""
    wanted = list(entry_ids)
    found: dict[int, list[Interval]] = defaultdict(list)
    if wanted:
        for entry_id, *values in await connection.execute(_INTERVALS.where(intervals.c.entry_id.in_(wanted))):
            found[entry_id].append(Interval(*values))
    for several in found.values():
        several.sort(key=lambda each: each.ended_by)
    return found


async def _listed(connection: AsyncConnection, found: Sequence[Row[*tuple[Any, ...]]]) -> list[EntryListed]:
    closed = await intervals_of(connection, [row.id for row in found])
    listed = []
    for row in found:
        times = timeline(row.state, row.since, closed[row.id])
        listed.append(
            EntryListed(
                id=row.id,
                site_id=row.site_id,
                visit_id=row.visit_id,
                business_day=row.business_day,
                label=row.label,
                queue_id=row.queue_id,
                provider_id=row.provider_id,
                point_id=row.point_id,
                state=row.state,
                priority=row.priority,
                calls=row.calls,
                joined_at=times.joined_at // 1000,
                first_called_at=milliseconds(row.first_called_at),
                called_at=milliseconds(row.called_at),
                started_at=milliseconds(times.started_at),
                ended_at=milliseconds(times.ended_at),
                waited_seconds=times.waited // 1_000_000,
                served_seconds=None if times.served is None else times.served // 1_000_000,
                quoted_from=milliseconds(row.quoted_from),
                quoted_until=milliseconds(row.quoted_until),
            )
        )
    return listed


def milliseconds(instant: int | None) -> int | None:
    """Return an instant of microseconds in milliseconds, as the API shows it."""
    return None if instant is None else instant // 1000


# An outer join, so that no optimiser begins with the visits. Every entry has a visit.
_OF_ENTRY = (
    *("id", "site_id", "visit_id", "business_day", "queue_id", "provider_id", "point_id", "state", "since", "calls"),
    *("called_at", "first_called_at", "quoted_from", "quoted_until"),
)
_ENTRIES: Select[*tuple[Any, ...]] = select(
    *(entries.c[name] for name in _OF_ENTRY),
    visits.c.label,
    visits.c.priority,
).join_from(entries, visits, visits.c.id == entries.c.visit_id, isouter=True)
_INTERVALS = select(
    intervals.c.entry_id,
    intervals.c.ended_by,
    intervals.c.state,
    intervals.c.started_at,
    intervals.c.ended_at,
    intervals.c.point_id,
    intervals.c.doubted,
)
