"""The tally of the clinics for the metrics: the waiting patients and the dark screens of the sites of one process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlalchemy import func, null, select

from server.queries.reader import Reader
from server.store.tables import displays, entries, kiosks


class ClinicTally:
    """Counts, by site, patients that wait and screens that are dark. Empty until the first `update`."""

    def __init__(self) -> None:
        self.waiting: Counter[int] = Counter()
        self.longest: dict[int, float] = {}  # the longest present wait, in seconds
        self.dark: Counter[int] = Counter()

    async def update(self, database: Reader, site_ids: Collection[int]) -> None:
        """Count again, for these sites alone. Raises `Unavailable`.

        A screen is dark if it is paired, was connected before, and is not connected now.
        """
        if not site_ids:
            return
        now = await database.now()
        waiting = (
            select(entries.c.site_id, func.count(), func.min(entries.c.since))
            .where(entries.c.site_id.in_(site_ids), entries.c.state == "waiting")
            .group_by(entries.c.site_id)
            .order_by(null())  # else MariaDB sorts the groups
        )
        counts: Counter[int] = Counter(dict.fromkeys(site_ids, 0))
        longest = dict.fromkeys(site_ids, 0.0)
        dark: Counter[int] = Counter(dict.fromkeys(site_ids, 0))
        async with database.read() as connection:
            for site_id, count, since in await connection.execute(waiting):
                counts[site_id] = count
                longest[site_id] = max(0.0, (now - since) / 1_000_000)
            for table in (displays, kiosks):
                of_kind = (
                    select(table.c.site_id, func.count())
                    .where(table.c.site_id.in_(site_ids), table.c.removed_at == 0, ~table.c.connected)
                    .where(table.c.token_hash.is_not(None), table.c.since.is_not(None))
                    .group_by(table.c.site_id)
                    .order_by(null())
                )
                for site_id, count in await connection.execute(of_kind):
                    dark[site_id] += count
        self.waiting, self.longest, self.dark = counts, longest, dark
