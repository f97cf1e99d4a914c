"""The devices of an installation: displays and kiosks that show nothing."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import false, or_, select

from server.domain.model import Site
from server.queries.reader import Reader
from server.store import sites
from server.store.tables import displays, kiosks


async def dark(database: Reader, before: int) -> list[tuple[Site, int]]:
    """Return the sites with paired devices that have not been connected since ``before`` (microseconds), and their number.

    Raises `Unavailable`.
    """
    counts: Counter[int] = Counter()
    async with database.read() as connection:
        for table in (displays, kiosks):
            since = or_(table.c.since.is_(None), table.c.since <= before)
            lost = (table.c.connected == false(), table.c.removed_at == 0, table.c.token_hash.is_not(None), since)
            counts.update(await connection.scalars(select(table.c.site_id).where(*lost)))
        of_site = await sites.of_ids(connection, counts) if counts else {}
    return [(site, counts[site_id]) for site_id, site in of_site.items()]
