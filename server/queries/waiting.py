"""The sites with waiting entries, for the planning of notifications."""

from __future__ import annotations

from sqlalchemy import select

from server.domain.model import Visit
from server.queries.reader import Reader
from server.store.tables import entries, sites, visits


async def sites_with_waiting(database: Reader) -> list[int]:
    """Return the ids of the sites with waiting entries. Raises `Unavailable`."""
    async with database.read() as connection:
        return list(await connection.scalars(select(entries.c.site_id).where(entries.c.state == "waiting").distinct()))


async def visit(database: Reader, visit_id: int) -> tuple[Visit, str] | None:
    """Return a visit and its site's language, or None. Raises `Unavailable`."""
    statement = select(visits, sites.c.language.label("of_site")).join(sites, sites.c.id == visits.c.site_id)
    async with database.read() as connection:
        row = (await connection.execute(statement.where(visits.c.id == visit_id))).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    site_language = values.pop("of_site")
    return Visit(**values), site_language
