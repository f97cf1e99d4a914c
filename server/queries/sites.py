"""The sites of an organisation, page by page."""

from __future__ import annotations

from sqlalchemy import select

from server.queries import keyset
from server.queries.identity import SiteListed
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store.tables import sites

KEY: tuple[type, ...] = (str, int)  # name, id


async def page(
    database: Reader, organisation_id: int, size: int, after: Key | None, *, only: int | None = None
) -> Page[SiteListed]:
    """Return a page of an organisation's sites, by name; with ``only``, just that site. Raises `Unavailable`."""
    statement = select(sites.c.id, sites.c.name, sites.c.time_zone, sites.c.language)
    own = sites.c.organisation_id == organisation_id
    if only is not None:
        own &= sites.c.id == only
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement.where(own), (sites.c.name, sites.c.id), size, after)
        counted = await keyset.total(connection, select(sites.c.id).where(own))
    return keyset.page([SiteListed(*row) for row in found], counted, lambda site: (site.name, site.id), more=more)
