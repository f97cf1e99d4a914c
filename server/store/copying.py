"""Copying a whole database into an empty one: tables in batches, with ids as they are, and the comparison of both.

Until the copy is verified, the target has the revision `UNFINISHED`, which `server.store.migrate.revision` refuses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Column, MetaData, String, Table, Text, delete, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import Database
from server.store.migrate import UNFINISHED, version_of
from server.store.tables import clock_anchors, leases, metadata, processes, sites

BATCH = 500
MARK = "unfinished_move"
VERSIONS = "alembic_version"
_versions = Table(VERSIONS, MetaData(), Column("version_num", String(32)))  # of Alembic
# They tell about the processes and the clock of the source: a server writes its own.
LEFT = frozenset({processes.name, leases.name, clock_anchors.name})


@dataclass(slots=True)
class Digest:
    """The number of rows of a table, and a sum over their contents that does not depend on their order."""

    rows: int = 0
    sum: int = field(default=0, repr=False)

    def add(self, row: tuple[Any, ...], is_json: tuple[bool, ...]) -> None:
        """Add a row. A database may write the same JSON in another way."""
        values = [
            json.loads(value) if document and value is not None else int(value) if isinstance(value, bool) else value
            for value, document in zip(row, is_json, strict=True)
        ]
        content = json.dumps(values, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(hashlib.sha256(content).digest()[:16])) % 2**128


def tables() -> list[Table]:
    """Return the tables to copy, with JSON as the text that the database stores, and without generated columns."""
    plain = MetaData()
    return [
        Table(
            each.name,
            plain,
            *(
                Column(column.name, Text() if isinstance(column.type, JSON) else column.type, primary_key=column.primary_key)
                for column in each.c
                if column.computed is None
            ),
        )
        for each in metadata.sorted_tables
        if each.name not in LEFT
    ]


def _is_json(table: Table) -> tuple[bool, ...]:
    return tuple(isinstance(metadata.tables[table.name].c[column.name].type, JSON) for column in table.c)


async def names(database: Database) -> set[str]:
    """Return the names of all tables of a database. Raises `Unavailable`."""
    async with database.read() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def is_unfinished(database: Database) -> bool:
    """Return whether a database is the target of a move that has not finished, and has no data of its own.

    Raises `Unavailable`.
    """
    found = await names(database)
    async with database.read() as connection:
        if VERSIONS in found and await connection.run_sync(version_of) == UNFINISHED:
            return True
        if MARK not in found:
            return False
        return sites.name not in found or not await connection.scalar(select(func.count()).select_from(sites))


async def mark(database: Database) -> None:
    """Mark an empty database as the target of a move, before anything else is in it."""
    async with database.write() as connection:
        await connection.execute(text(f"CREATE TABLE {MARK} (id INTEGER NOT NULL PRIMARY KEY)"))


async def refuse_use(database: Database) -> str:
    """Give the migrated target a revision that no server accepts; return its own one. Delete the rows of migrations."""
    async with database.write() as connection:
        revision = await connection.scalar(select(_versions.c.version_num))
        await connection.execute(update(_versions).values(version_num=UNFINISHED))
        for table in tables():
            await connection.execute(delete(table))
    return str(revision)


async def allow_use(database: Database, revision: str) -> None:
    """Take the marks off a verified target. A stop between both steps leaves it refused."""
    async with database.write() as connection:
        await connection.execute(text(f"DROP TABLE {MARK}"))
    async with database.write() as connection:
        await connection.execute(update(_versions).values(version_num=revision))


async def clear(database: Database) -> None:
    """Drop the tables of an unfinished move. The mark goes last."""
    found = await names(database)
    ours = [each.name for each in reversed(metadata.sorted_tables)]
    async with database.write() as connection:
        for name in (*ours, VERSIONS, MARK):
            if name in found:
                await connection.execute(text(f"DROP TABLE {name}"))


async def read(connection: AsyncConnection, table: Table) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table in batches, in constant memory."""
    statement = select(table).order_by(*table.primary_key)
    found = await connection.stream(statement)
    async for batch in found.partitions(BATCH):
        yield [tuple(row) for row in batch]


async def copy(source: AsyncConnection, target: Database, table: Table) -> Digest:
    """Copy a table from an open view of the source; return the digest of the copied rows. Raises `Unavailable`."""
    digest, is_json, keys = Digest(), _is_json(table), [column.name for column in table.c]
    async for batch in read(source, table):
        for row in batch:
            digest.add(row, is_json)
        async with target.write() as connection:
            await connection.execute(insert(table), [dict(zip(keys, row, strict=True)) for row in batch])
    await _keep_counter(source, target, table)
    return digest


async def digest_of(database: Database, table: Table) -> Digest:
    """Return the digest of a table. Raises `Unavailable`."""
    digest, is_json = Digest(), _is_json(table)
    async with database.read() as connection:
        async for batch in read(connection, table):
            for row in batch:
                digest.add(row, is_json)
    return digest


async def _keep_counter(source: AsyncConnection, target: Database, table: Table) -> None:
    """Let the target number new rows as the source would: an id of a deleted row is not given again."""
    if source.dialect.name == "sqlite" or target.embedded:
        return
    shown = (await source.execute(text(f"SHOW CREATE TABLE {table.name}"))).one()[1]
    found = re.search(r"\bAUTO_INCREMENT=(\d+)", shown)
    if found is not None:
        async with target.write() as connection:
            await connection.execute(text(f"ALTER TABLE {table.name} AUTO_INCREMENT = {int(found[1])}"))
