"""The sites of an organisation, page by page."""

from __future__ import annotations

from sqlalchemy import func, inspect, select

from server.domain.model import Site
from server.queries import keyset
from server.queries.identity import SiteListed
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store import sites as store
from server.store.tables import sites

KEY: tuple[type, ...] = (str, int)  # name, id


async def find(database: Reader, site_id: int) -> Site:
    """Return a site. Raises `SiteNotFound`, `Unavailable`."""
    async with database.read() as connection:
        return await connection.run_sync(store.load, site_id)


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


async def first_of(database: Reader, organisation_id: int) -> Site | None:
    """Return the site of an organisation that was created first, or None. Raises `Unavailable`."""
    async with database.read() as connection:
        first = await connection.scalar(select(func.min(sites.c.id)).where(sites.c.organisation_id == organisation_id))
        return None if first is None else (await store.of_ids(connection, [first])).get(first)


async def all_ids(database: Reader) -> list[int]:
    """Return the ids of all sites. Raises `Unavailable`."""
    async with database.read() as connection:
        return list(await connection.scalars(select(sites.c.id).order_by(sites.c.id)))


async def has_sites(database: Reader) -> bool:
    """Return whether the database has a site. A database without tables has none. Raises `Unavailable`."""
    async with database.read() as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(sites.name)):
            return False
        return (await connection.execute(select(sites.c.id).limit(1))).first() is not None
