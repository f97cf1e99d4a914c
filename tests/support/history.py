"""Dumps and loads all rows of a site, to simulate a restored backup while clients follow the site."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, insert, select, update

from server.domain.model.ids import IDS_PER_SITE
from server.store.database import Database
from server.store.tables import event_entries, metadata, sites

# Credentials, audit, notifications and webhooks: they have a site but are not part of its history.
_BESIDE = {"audit", "audit_chains", "api_keys", "pairings", "notifications", "webhook_sites"}


@dataclass(frozen=True)
class History:
    """All rows of one site."""

    site_id: int
    rows: Mapping[str, Sequence[dict[str, Any]]]


def _tables() -> list[Table]:
    return [each for each in metadata.sorted_tables if "site_id" in each.c and each.name not in _BESIDE] + [event_entries]


def _of_site(table: Table, site_id: int) -> ColumnElement[bool]:
    if "site_id" in table.c:
        return table.c.site_id == site_id
    return table.c.entry_id.between(site_id * IDS_PER_SITE, (site_id + 1) * IDS_PER_SITE - 1)


async def dump(database: Database, site_id: int) -> History:
    """Return a site's rows as one snapshot."""
    rows = {}
    async with database.read() as connection:
        for table in [*_tables(), sites]:
            columns = [column for column in table.c if column.computed is None]
            where = table.c.id == site_id if table is sites else _of_site(table, site_id)
            found = await connection.execute(select(*columns).where(where))
            rows[table.name] = [dict(row._mapping) for row in found]
    return History(site_id, rows)


async def load(database: Database, history: History, *, renew: bool = True) -> None:
    """Replace a site's rows with a dump. With ``renew``, the site gets a new epoch, as a proper restore requires."""
    site_id = history.site_id
    (site,) = history.rows[sites.name]
    async with database.write() as connection:
        await connection.execute(select(sites.c.id).where(sites.c.id == site_id).with_for_update())
        for table in _tables():
            await connection.execute(delete(table).where(_of_site(table, site_id)))
            if history.rows[table.name]:
                await connection.execute(insert(table), history.rows[table.name])
        values = site | {"epoch": secrets.token_hex(4)} if renew else {**site, "epoch": sites.c.epoch}
        await connection.execute(update(sites).where(sites.c.id == site_id).values(**values))
