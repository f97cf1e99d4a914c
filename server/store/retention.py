"""Forgetting: what is personal leaves the visits and the log after so many days; what is left counts, and names nobody.

Batch by batch, each in a transaction of its own, so that servers go on meanwhile; what was forgotten stays forgotten, so it
may be stopped and begun again. The chains hold: nothing that is forgotten is a link.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Delete, Table, Update, and_, delete, or_, select, true, update

from server.domain.events import EVENTS
from server.store.batches import batches, beyond
from server.store.database import Database
from server.store.tables import commands, events, sessions, sites, visit_search, visits

BATCH = 500
DAY_MICROSECONDS = 86_400_000_000

# The events that tell of a patient: what else is sealed, a service's true name, is not theirs.
OF_PATIENTS = tuple(
    name
    for name, kind in EVENTS.items()
    if {"visit_id", "sealed"} <= {item.name for item in fields(kind)}  # type: ignore[arg-type]
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows of each kind were cleared or deleted."""

    visits: int
    events: int
    searches: int
    answers: int
    sessions: int


async def forget(database: Database, days: int) -> Forgotten:
    """Forget whatever is personal and older than ``days``, at least 1, from now on. Raises `Unavailable`.

    A visit of its site's present day stays as it is, however long ago that day began: screens still show it.
    """
    if days < 1:
        raise ValueError("what is of today is never forgotten")
    before = await database.now() - days * DAY_MICROSECONDS
    past = visits.c.business_day != select(sites.c.business_day).where(sites.c.id == visits.c.site_id).scalar_subquery()
    old_visit = and_(visits.c.opened_at < before, past)
    told = or_(visits.c.sealed.is_not(None), visits.c.display_name.is_not(None))
    shown = or_(events.c.sealed.is_not(None), events.c.display_name.is_not(None))
    nothing: dict[str, Any] = {"sealed": None, "display_name": None}
    searched = select(visits.c.id).where(visits.c.id == visit_search.c.visit_id, old_visit).exists()
    ended = or_(sessions.c.used_at < before, sessions.c.revoked_at < before)
    return Forgotten(
        searches=await _each(database, visit_search, searched, delete(visit_search)),
        visits=await _each(database, visits, and_(old_visit, told), update(visits).values(nothing)),
        events=await _each(
            database,
            events,
            and_(events.c.at < before, events.c.type.in_(OF_PATIENTS), shown),
            update(events).values(nothing),
        ),
        answers=await _each(database, commands, commands.c.at < before, delete(commands)),
        sessions=await _each(database, sessions, ended, delete(sessions)),
    )


async def _each(database: Database, table: Table, old: ColumnElement[bool], forgetting: Update | Delete) -> int:
    key = list(table.primary_key)
    forgotten = 0
    among: ColumnElement[bool] = true()
    async for rows in batches(database, select(*key).where(old), key, BATCH):
        async with database.write() as connection:
            upto_here = forgetting.where(old, among, ~beyond(key, rows[-1]))
            forgotten += (await connection.execute(upto_here)).rowcount
        among = beyond(key, rows[-1])
    return forgotten
