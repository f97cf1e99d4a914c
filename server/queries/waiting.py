"""The sites with waiting entries, for the planning of notifications."""

from __future__ import annotations

from sqlalchemy import select

from server.domain.model import Visit
from server.queries.reader import Reader
from server.store.tables import entries, visits


async def sites_with_waiting(database: Reader) -> list[int]:
    """Return the ids of the sites with waiting entries. Raises `Unavailable`."""
    async with database.read() as connection:
        return list(await connection.scalars(select(entries.c.site_id).where(entries.c.state == "waiting").distinct()))


async def visit(database: Reader, visit_id: int) -> Visit | None:
    """Return a visit, or None. Raises `Unavailable`."""
    async with database.read() as connection:
        row = (await connection.execute(select(visits).where(visits.c.id == visit_id))).one_or_none()
    return Visit(**row._mapping) if row else None
