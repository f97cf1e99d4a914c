"""Past patients: a site's visits by what the patient told, found by keyed hashes. Nothing here opens personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, union

from server.domain.model import Visit
from server.queries import keyset
from server.queries.keyset import Key, Page
from server.store.database import Database
from server.store.patients import SearchKey
from server.store.tables import visit_search, visits

KEY: tuple[type, ...] = (int,)  # id: a site gives them in the order of arrival


async def page(
    database: Database, site_id: int, ways: Sequence[Sequence[SearchKey]], size: int, after: Key | None
) -> Page[Visit]:
    """Return some of the visits that have all keys of one of the ``ways``, newest first. Raises `Unavailable`."""
    async with database.read() as connection:
        found: dict[int, Visit] = {}
        for way in ways:  # each in the order of its key; an OR of them would have to be sorted
            statement, visit_id = _having(site_id, way, *visits.c)
            rows, _ = await keyset.rows(connection, statement, (visit_id,), size + 1, after, descending=True)
            found |= {row.id: Visit(**{**row._mapping, "needs": tuple(row.needs)}) for row in rows}
        every = union(*(_having(site_id, way, visits.c.id)[0] for way in ways)).subquery()
        counted = await keyset.total(connection, select(every.c.id))
    newest = sorted(found.values(), key=lambda visit: -visit.id)
    return keyset.page(newest[:size], counted, lambda visit: (visit.id,), more=len(newest) > size)


def _having(
    site_id: int, way: Sequence[SearchKey], *columns: ColumnElement[Any]
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """Return the visits that have all of some keys, and the column by which they are in order."""
    first, *others = [visit_search.alias(f"by_{number}") for number in range(len(way))]
    having = [
        and_(each.c.site_id == site_id, each.c.kind == kind, each.c.hash == digest)
        for each, (kind, digest) in zip((first, *others), way, strict=True)
    ]
    statement = select(*columns).join_from(first, visits, visits.c.id == first.c.visit_id)
    for each in others:
        statement = statement.join(each, each.c.visit_id == first.c.visit_id)
    return statement.where(*having), first.c.visit_id
