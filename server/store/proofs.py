"""Proofs: keyed hashes of rows, which nobody can make without the installation's secret key.

A row's ``proof`` covers the columns that `PROVEN` names. The table `census` counts the rows that were added to a table, and
has proofs itself: a removed row is missed. No function proves a row whose earlier proof is wrong, so a change behind the
server stays visible after later changes by the server. See ``docs/decisions/0016-proofs-of-rows.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Table, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.batches import batches
from server.store.database import Database
from server.store.tables import (
    account_links,
    api_keys,
    audit_chains,
    census,
    events,
    second_factors,
    sessions,
    sites,
    staff,
)
from server.vault import Vault

PROVEN: dict[Table, tuple[str, ...]] = {
    sites: ("id", "organisation_id", "seq", "chain"),
    events: ("site_id", "seq", "hash", "entry_id", "sealed", "display_name"),
    audit_chains: ("id", "n", "hash"),
    staff: ("id", "organisation_id", "username", "password_hash", "role", "active"),
    sessions: ("id", "staff_id"),
    second_factors: ("id", "sealed", "confirmed_at"),
    account_links: (
        *("id", "organisation_id", "kind", "staff_id", "username", "role", "secret_hash", "expires_at"),
        *("used_at", "revoked_at"),
    ),
    api_keys: ("id", "organisation_id", "site_id", "key_hash", "revoked_at"),
    census: ("name", "added"),
}
COUNTED = (sites, audit_chains, staff, second_factors, api_keys)  # no code deletes a row of these
BATCH = 1000


def proof(vault: Vault, table: Table, row: Mapping[Any, Any]) -> str:
    """Return the proof of a row of ``table``, from its values by the names of their columns."""
    return vault.keyed_hash(f"row:{table.name}:{orjson.dumps([row[name] for name in PROVEN[table]]).decode()}")


def renewed(vault: Vault, table: Table, row: Mapping[Any, Any], changed: Mapping[str, Any]) -> str | None:
    """Return the proof of ``row``, which has its present ``proof``, after the change of some values.

    A wrong or missing proof stays as it is.
    """
    before: str | None = row["proof"]
    return proof(vault, table, {**row, **changed}) if before == proof(vault, table, row) else before


async def add(connection: AsyncConnection, vault: Vault, table: Table, row_id: int | str) -> None:
    """Prove the row with this ``id``, which this transaction has inserted, and count it."""
    await prove(connection, vault, table, row_id)
    if table in COUNTED:
        await count(connection, vault, table)


async def prove(connection: AsyncConnection, vault: Vault, table: Table, row_id: int | str) -> None:
    """Prove the row with this ``id`` as it is now. The caller has checked it with `holds`, or made it."""
    row = (await connection.execute(select(table).where(table.c.id == row_id))).one()._mapping
    await connection.execute(update(table).where(table.c.id == row_id).values(proof=proof(vault, table, row)))


async def holds(connection: AsyncConnection, vault: Vault, table: Table, row_id: int | str) -> bool:
    """Return whether the row with this ``id`` has its right proof, and lock it until the end of the transaction."""
    row = (await connection.execute(select(table).where(table.c.id == row_id).with_for_update())).one_or_none()
    return row is not None and row.proof == proof(vault, table, row._mapping)


async def count(connection: AsyncConnection, vault: Vault, table: Table) -> None:
    """Count one more row of ``table``."""
    mine = census.c.name == table.name
    row = (await connection.execute(select(census).where(mine).with_for_update())).one_or_none()
    if row is None:
        first = {"name": table.name, "added": 1}
        await connection.execute(insert(census).values(**first, proof=proof(vault, census, first)))
        return
    more = {"added": row.added + 1}
    await connection.execute(update(census).where(mine).values(**more, proof=renewed(vault, census, row._mapping, more)))


async def prove_all(database: Database, vault: Vault) -> int:
    """Prove every row that has no proof, and count the tables without a count; return the number of rows.

    For rows from the time before proofs: nobody can tell what happened to them until now. Servers may run meanwhile.
    Raises `Unavailable`.
    """
    proven = 0
    for table, names in PROVEN.items():
        key = list(table.primary_key)
        columns = [*key, *(table.c[name] for name in names if table.c[name] not in set(key))]
        async for rows in batches(database, select(*columns).where(table.c.proof.is_(None)), key, BATCH):
            async with database.write() as connection:
                for row in rows:
                    same = and_(*(column.is_not_distinct_from(row._mapping[column.name]) for column in columns))
                    statement = update(table).where(same, table.c.proof.is_(None))
                    proven += (await connection.execute(statement.values(proof=proof(vault, table, row._mapping)))).rowcount
    async with database.write() as connection:
        known = set(await connection.scalars(select(census.c.name)))
        for table in COUNTED:
            rows_now = await connection.scalar(select(func.count()).select_from(table))
            if table.name not in known and rows_now:
                counted = {"name": table.name, "added": rows_now}
                await connection.execute(insert(census).values(**counted, proof=proof(vault, census, counted)))
    return proven
