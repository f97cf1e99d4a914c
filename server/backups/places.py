"""The place of a backup in the binary log of its server: the changes behind it lead on to any later instant.

MariaDB tells a transaction the place of its view. MySQL does not: there the tables stand still for a moment, until the dump
tool has its view. Only our own tables are locked, and only against changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import Database, translated

LOCK_SECONDS = 10  # until open transactions have ended
HOLD_SECONDS = 10.0  # until the dump tool has its view
_ACCESS_DENIED = (1044, 1227)
_LOCK_TIMED_OUT = 1205
_WANTED = {  # the values with which a log can be repeated; a server knows some of these names
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_encryption": "OFF",
    "encrypt_binlog": "OFF",
    "binlog_transaction_compression": "OFF",
    "log_bin_compress": "OFF",
}


def is_mariadb(database: Database) -> bool:
    """Return whether a server that has been asked already is a MariaDB."""
    return bool(getattr(database.engine.dialect, "is_mariadb", False))


async def obstacle(database: Database) -> str | None:
    """Return why no backup of a database server can name its place, with the remedy, or None. Raises `Unavailable`."""
    with translated():
        async with database.engine.connect() as connection:
            names = ", ".join(f"'{each}'" for each in _WANTED)
            rows = await connection.exec_driver_sql(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
            for row in rows:
                name, value = str(row.Variable_name), str(row.Value)
                if value != _WANTED[name]:
                    return f"the database server has {name}={value}; set {name}={_WANTED[name]}"
            try:
                await _place(connection, is_mariadb(database))
            except DBAPIError as error:
                if _number(error) not in _ACCESS_DENIED:
                    raise
                right = "BINLOG MONITOR" if is_mariadb(database) else "REPLICATION CLIENT"
                return f"the account may not see it; GRANT {right} ON *.* TO '{database.url.username}'@'%';"
    return None


class Still:
    """Tables that stand still. ``place`` is that of all changes so far, or None if the tables could not be locked."""

    def __init__(self, place: str | None) -> None:
        self._place = place
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._expired = False

    def end(self) -> str | None:
        """Let the tables change again; return the place, or None if they changed already. For any thread."""
        place = None if self._expired else self._place
        self._loop.call_soon_threadsafe(self._ended.set)
        return place

    async def wait(self) -> None:
        """Return after `end`, or after `HOLD_SECONDS`."""
        try:
            await asyncio.wait_for(self._ended.wait(), HOLD_SECONDS)
        except TimeoutError:
            self._expired = True


@asynccontextmanager
async def still(database: Database) -> AsyncIterator[Still]:
    """Keep all tables of a database from changing until `Still.end`, at most to the end of the block.

    Call it if there is no `obstacle`. Raises `Unavailable`.
    """
    with translated():
        connection = await database.engine.connect()
    try:
        with translated():
            held = Still(await _place(connection, is_mariadb(database)) if await _lock(connection) else None)
        releasing = asyncio.create_task(_release(connection, held))
        try:
            yield held
        finally:
            held.end()
            await asyncio.gather(releasing, return_exceptions=True)
    finally:
        await connection.invalidate()  # the end of its session is the end of its locks
        await connection.close()


async def _lock(connection: AsyncConnection) -> bool:
    rows = await connection.exec_driver_sql(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    )
    names = ", ".join(f"`{name}` READ" for (name,) in rows)
    await connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    try:
        await connection.exec_driver_sql(f"LOCK TABLES {names}")
    except DBAPIError as error:
        if _number(error) != _LOCK_TIMED_OUT:
            raise
        return False
    return True


async def _release(connection: AsyncConnection, held: Still) -> None:
    await held.wait()
    await connection.exec_driver_sql("UNLOCK TABLES")


async def _place(connection: AsyncConnection, mariadb: bool) -> str:
    statement = "SHOW MASTER STATUS" if mariadb else "SHOW BINARY LOG STATUS"
    row: Row[*tuple[object, ...]] = (await connection.exec_driver_sql(statement)).one()
    return f"{row[0]}:{row[1]}"


def _number(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None
