"""The sums of the business days of a site: kept ones of past days, and counting of days from the rows and the log.

Each day begins with the points as the day before left them, so days are counted in order from the first one on. The turn
of a day ends it: no later event changes its entries, its appointments or its points.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.board import Board, Changes, apply
from server.domain.events import (
    EVENTS,
    Event,
    PointAdded,
    PointBreakBegan,
    PointChanged,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    Recorded,
    RecordRemoved,
    TicketCalled,
    event_from,
)
from server.domain.model import Point, Site
from server.domain.model.tickets import begin_of, business_day, next_turn
from server.domain.reporting.day_sums import VERSION, Contact, Day, DaySums, Reason, Seen, Standing, reason_of, sums_of
from server.domain.reporting.statistics import Stage
from server.domain.reporting.timeline import Interval
from server.domain.waits import Quote
from server.queries.reader import Reader
from server.queries.statistics import ROWS_AT_ONCE
from server.store import daily_sums as store
from server.store import sites as site_store
from server.store.daily_sums import Kept
from server.store.tables import appointments, daily_sums, entries, events, intervals, sites, visits

# The events that change whether a point is open, and the provider there.
OF_POINTS: tuple[type[Event], ...] = (
    PointAdded,
    PointChanged,
    PointOpened,
    PointBreakBegan,
    PointClosed,
    PointStaffed,
    PointsSwapped,
    RecordRemoved,
)
_READ = {name for name, kind in EVENTS.items() if issubclass(kind, OF_POINTS)}
_SITES = 500  # at once
_ROWS = 50  # of kept sums, at once
_OF_ENTRY = (
    *(entries.c[name] for name in ("id", "queue_id", "state", "since")),
    visits.c.opened_at,
    *(entries.c[name] for name in ("first_called_at", "quoted_from", "quoted_until", "quoted_leave")),
    *(entries.c[name] for name in ("provider_id", "point_id")),
    *(entries.c.doubt, visits.c.appointment_id, visits.c.trial),
)
_OF_INTERVAL = tuple(
    intervals.c[name] for name in ("entry_id", "ended_by", "state", "started_at", "ended_at", "point_id", "doubted")
)


@dataclass(frozen=True, slots=True)
class Left:
    """The state after a business day: the next day, the last event of the day before, and the points."""

    day: str
    until_seq: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """The sums of a business day, and the state after it."""

    day: str
    sums: DaySums
    after: Left

    def kept(self, site: Site) -> Kept:
        """Return the row that keeps the sums of this past day."""
        points = [[each.id, each.state, each.provider_id] for each in self.after.points]
        body = {"sums": self.sums.plain(), "points": points}
        return store.kept(site, "visits", self.day, self.after.until_seq, body)


def following(day: str, days: int = 1) -> str:
    """Return the day that comes so many days after another one."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


async def kept_after(connection: AsyncConnection, site: Site, before: str | None = None) -> Left | None:
    """Return the state after the last day with kept sums, of the days ``before`` one if it is given.

    Without such a day, it is the state before the first day. Without a log, it is None. Damaged sums count as missing.
    """
    day = daily_sums.c.business_day
    latest = _of(site, "visits").order_by(day.desc()).limit(1)
    while True:
        last = (await connection.execute(latest if before is None else latest.where(day < before))).one_or_none()
        if last is None:
            return await _first(connection, site)
        plain = store.readable(last.body, site.id, "visits", last.business_day)
        if plain is not None:
            points = tuple(_point(site, *each) for each in plain["points"])
            return Left(following(last.business_day), last.until_seq, points)
        before = last.business_day


async def _first(connection: AsyncConnection, site: Site) -> Left | None:
    first_event = select(events.c.at).where(events.c.site_id == site.id).order_by(events.c.seq).limit(1)
    at = await connection.scalar(first_event)
    first_entry = await connection.scalar(select(func.min(entries.c.business_day)).where(entries.c.site_id == site.id))
    days = [business_day(at, site.time_zone, site.day_turns_at_minutes)] if at is not None else []
    days += [first_entry] if first_entry is not None else []
    return Left(min(days), 0, ()) if days else None


@dataclass(frozen=True, slots=True)
class Clinic:
    """A site, and the sums of it that can be kept: those of the days before ``business_day``."""

    site_id: int
    business_day: str
    about: str


async def clinics(database: Reader) -> list[Clinic]:
    """Return all sites. Raises `Unavailable`."""
    table = sites.c
    columns = table.id, table.business_day, table.epoch, table.day_turns_at_minutes, table.time_zone
    found: list[Clinic] = []
    async with database.read() as connection:
        after = 0
        page = select(*columns).order_by(table.id).limit(_SITES)
        while rows := (await connection.execute(page.where(table.id > after))).all():
            found += [Clinic(row.id, row.business_day, f"{row.epoch}:{row[3]}:{row.time_zone}") for row in rows]
            after = rows[-1].id
    return found


async def next_kept(database: Reader, site_id: int) -> Kept | None:
    """Count the next past day of a site whose sums are not kept; None if there is no such day.

    The days after the last kept one come first, then the days of removed sums between kept ones. While servers of a newer
    version keep the sums, there is none. Raises `SiteNotFound`, `Unavailable`.
    """
    async with database.read() as connection:
        site = await connection.run_sync(site_store.load, site_id)
        before = await kept_after(connection, site)
        if before is None or await store.of_newer_version(connection, site_id):
            return None
        if before.day >= site.business_day:
            begin = await _first(connection, site)
            gap = None if begin is None else await first_gap(connection, site, "visits", begin.day)
            before = None if gap is None else await kept_after(connection, site, gap)
        return None if before is None else (await count(connection, site, before, 0)).kept(site)


async def first_gap(connection: AsyncConnection, site: Site, part: store.Part, begin: str) -> str | None:
    """Return the first day from ``begin`` on without kept sums, before a day with them; or None."""
    days = _of(site, part).with_only_columns(daily_sums.c.business_day).order_by(daily_sums.c.business_day)
    for day in (await connection.scalars(days)).all():
        if day > begin:
            return begin
        begin = following(day)
    return None


async def damaged(database: Reader, site_id: int) -> list[tuple[store.Part, str]]:
    """Return the part and the day of all kept sums of a site that cannot be read. Raises `SiteNotFound`, `Unavailable`."""
    found: list[tuple[store.Part, str]] = []
    async with database.read() as connection:
        site = await connection.run_sync(site_store.load, site_id)
        for part in store.PARTS:
            rows: Sequence[Row[*tuple[Any, ...]]] = ()
            page = _of(site, part).order_by(daily_sums.c.business_day).limit(_ROWS)
            while rows := (
                await connection.execute(page.where(daily_sums.c.business_day > (rows[-1].business_day if rows else "")))
            ).all():
                kept = await asyncio.to_thread(_read, site_id, part, rows, lambda *_: None)
                found += [(part, row.business_day) for row in rows if row.business_day not in kept]
    return found


@dataclass(frozen=True, slots=True)
class KeptDay:
    """The state after a business day with kept sums, of visits: its points and the number of the last event in the sums."""

    until_seq: int
    points: Sequence[Any]

    def after(self, site: Site, day: str) -> Left:
        """Return the state after this day."""
        return Left(following(day), self.until_seq, tuple(_point(site, *each) for each in self.points))


Read = Callable[[Callable[[str, Any], None]], dict[str, KeptDay]]


async def kept_between(connection: AsyncConnection, site: Site, part: store.Part, first: str, last: str) -> Read:
    """Read the kept sums of these business days.

    The returned function makes their plain forms, beside the loop, and gives each to its argument with the day, in the
    order of the days, so that only one is in memory at a time. Damaged sums are left out, and the log names them.
    """
    table = daily_sums.c
    found = await connection.execute(_of(site, part).where(table.business_day >= first, table.business_day <= last))
    return partial(_read, site.id, part, found.all())


def _read(
    site_id: int, part: store.Part, rows: Iterable[Row[*tuple[Any, ...]]], add: Callable[[str, Any], None]
) -> dict[str, KeptDay]:
    kept: dict[str, KeptDay] = {}
    for row in sorted(rows, key=lambda each: each.business_day):
        plain = store.readable(row.body, site_id, part, row.business_day)
        if plain is not None:
            add(row.business_day, plain)
            kept[row.business_day] = KeptDay(row.until_seq, plain["points"] if part == "visits" else ())
    return kept


async def first_kept(connection: AsyncConnection, site: Site) -> str | None:
    """Return the first day with kept sums of visits, or None."""
    found = (await connection.execute(_of(site, "visits").order_by(daily_sums.c.business_day).limit(1))).one_or_none()
    return None if found is None else found.business_day


async def last_kept(connection: AsyncConnection, site: Site, part: store.Part) -> str | None:
    """Return the last day with kept sums of a part, or None."""
    found = (await connection.execute(_of(site, part).order_by(daily_sums.c.business_day.desc()).limit(1))).one_or_none()
    return None if found is None else found.business_day


def _of(site: Site, part: store.Part) -> Any:
    table = daily_sums.c
    return select(table.business_day, table.until_seq, table.body).where(
        table.site_id == site.id,
        table.part == part,
        table.version == VERSION,
        table.about == store.about(site),
    )


def _point(site: Site, point_id: int, state: Any, provider_id: int | None) -> Point:
    return Point(point_id, site.id, "", (), 0, state, 0, provider_id)


async def count(connection: AsyncConnection, site: Site, before: Left, now: int) -> Counted:
    """Return the sums of the day ``before.day``, and the state after it. The present day is counted up to ``now``."""
    begin = begin_of(before.day, site.time_zone, site.day_turns_at_minutes)
    end = next_turn(before.day, site.time_zone, site.day_turns_at_minutes)
    present = before.day >= site.business_day
    # A day that nobody saw turn has no event at or after its end yet.
    over = select(events.c.seq).where(events.c.site_id == site.id, events.c.seq > before.until_seq, events.c.at >= end)
    after = None if present else await connection.scalar(over.order_by(events.c.seq).limit(1))
    until_seq = site.seq if after is None else after - 1
    recorded = [each async for each in _recorded(connection, site.id, before.until_seq, until_seq)]
    histories, points = _histories(site, before.points, recorded, begin)
    seen = await _entries(connection, site.id, before.day)
    reasons = await _reasons(connection, site.id, seen)
    day = Day(begin, end, site.time_zone, now if present else None, histories, reasons)
    contacts = await _contacts(connection, site.id, before.day, begin, end)
    sums = await asyncio.to_thread(sums_of, day, seen, contacts)  # beside the loop: a busy day takes a moment
    return Counted(before.day, sums, Left(following(before.day), until_seq, points))


async def _entries(connection: AsyncConnection, site_id: int, day: str) -> list[Seen]:
    """Return the entries of a day with their intervals, without test patients."""
    of_day = entries.c.site_id == site_id, entries.c.business_day == day
    steps: defaultdict[int, list[Interval]] = defaultdict(list)
    closed = select(*_OF_INTERVAL).join_from(entries, intervals, intervals.c.entry_id == entries.c.id).where(*of_day)
    async for entry_id, *values in _rows(connection, closed):
        steps[entry_id].append(Interval(*values))
    every = select(*_OF_ENTRY).join_from(entries, visits, visits.c.id == entries.c.visit_id, isouter=True).where(*of_day)
    found: list[Seen] = []
    async for entry_id, queue_id, state, since, opened_at, called_at, *more, trial in _rows(connection, every):
        if not trial:
            first, last, leave, provider_id, point_id, doubt, appointment_id = more
            quote = Quote(first, last, False) if first is not None and last is not None else None
            closed_of = tuple(steps[entry_id])
            stage = Stage(entry_id, day, queue_id, state, since, opened_at, quote, called_at, closed_of, leave)
            found.append(Seen(stage, provider_id, point_id, appointment_id is not None, doubt is not None))
    return found


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> AsyncIterator[Row[*tuple[Any, ...]]]:
    """Yield the rows of a statement. Between two batches, this process serves other requests."""
    async with connection.stream(statement, execution_options={"yield_per": ROWS_AT_ONCE}) as result:
        async for rows in result.partitions():
            await asyncio.sleep(0)
            for row in rows:
                yield row


async def _recorded(connection: AsyncConnection, site_id: int, after: int, until: int) -> AsyncIterator[Recorded]:
    """Yield the events of points with these numbers, in order."""
    wanted = (
        select(events.c.seq, events.c.at, events.c.actor, events.c.type, events.c.body)
        .where(events.c.site_id == site_id, events.c.seq > after, events.c.seq <= until, events.c.type.in_(sorted(_READ)))
        .order_by(events.c.seq)
    )
    for seq, at, actor, kind, body in await connection.execute(wanted):
        yield Recorded(seq, at, actor, event_from(kind, orjson.loads(body), None))


async def _reasons(connection: AsyncConnection, site_id: int, seen: Iterable[Seen]) -> dict[int, Reason]:
    """Return the reason of each call of these entries, by its number in the log."""
    waits = {each.ended_by for entry in seen for each in entry.stage.intervals if each.state == "waiting"}
    if not waits:
        return {}
    wanted = select(events.c.seq, events.c.body).where(
        events.c.site_id == site_id,
        events.c.seq >= min(waits),
        events.c.seq <= max(waits),
        events.c.type == TicketCalled.name_on_wire(),
    )
    rows = await connection.execute(wanted)
    return {seq: reason_of(orjson.loads(body)["reason"]) for seq, body in rows if seq in waits}


def _histories(
    site: Site, points: Sequence[Point], recorded: Sequence[Recorded], begin: int
) -> tuple[dict[int, list[Standing]], tuple[Point, ...]]:
    """Return the history of each point of a day, and the points after it."""
    board = Board(site, points)
    found = {each.id: [_standing(each, begin)] for each in points}
    for each in recorded:
        if isinstance(each.event, OF_POINTS) and not _of_another(board, each.event):
            changes = Changes()
            board.site = replace(board.site, seq=each.seq - 1)  # the events between are about other records
            apply(board, each, changes)
            for _, after in changes.records.values():
                if isinstance(after, Point):
                    found.setdefault(after.id, []).append(_standing(after, max(begin, each.at)))
    return found, tuple(board.points[key] for key in sorted(board.points))


def _of_another(board: Board, event: Event) -> bool:
    """Return whether an event is about a record that is no point."""
    return isinstance(event, RecordRemoved) and event.record_id not in board.points


def _standing(point: Point, since: int) -> Standing:
    return Standing(since, point.state == "open", point.provider_id or 0)


async def _contacts(connection: AsyncConnection, site_id: int, day: str, begin: int, end: int) -> list[Contact]:
    """Return the appointments of a day: those that were on its board, and those that ended before their day came."""
    table = appointments.c
    columns = (
        table.service_id,
        table.provider_id,
        table.state,
        table.starts_at,
        table.booked_at,
        table.late,
        table.visit_id,
    )
    ended = select(*columns).where(
        table.site_id == site_id, table.starts_at >= begin, table.starts_at < end, table.business_day.is_(None)
    )
    of_day = select(*columns).where(table.site_id == site_id, table.business_day == day)
    rows = [row for statement in (of_day, ended) for row in await connection.execute(statement)]
    return [Contact(*row[:-1], row.visit_id is not None) for row in rows]
