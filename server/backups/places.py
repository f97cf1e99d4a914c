"""The place of a backup in the binary log of its server: the changes behind it lead on to any later instant.

MariaDB tells a transaction the place of its view. MySQL does not: there the tables stand still for a moment, until the dump
tool has its view. Only our own tables are locked, and only against changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import binary_logs
from server.store.database import Database, translated

LOCK_SECONDS = 10  # until open transactions have ended
HOLD_SECONDS = 10.0  # until the dump tool has its view
_LOCK_TIMED_OUT = 1205


def is_mariadb(database: Database) -> bool:
    """Return whether a server that has been asked already is a MariaDB."""
    return bool(getattr(database.engine.dialect, "is_mariadb", False))


async def obstacle(database: Database) -> str | None:
    """Return why no backup of a database server can name its place, with the remedy, or None. Raises `Unavailable`."""
    with translated():
        async with database.engine.connect() as connection:
            found = await binary_logs.look(connection)
    if found.wrong:
        return f"the database server has {found.settings}"
    if found.grant:
        return f"the account may not see it; {found.grant}"
    if found.place is None:
        return "the database server no longer writes its binary log; look at its error log, then restart it"
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
            held = Still(await binary_logs.place_of(connection) if await _lock(connection) else None)
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
        if binary_logs.error_number(error) != _LOCK_TIMED_OUT:
            raise
        return False
    return True


async def _release(connection: AsyncConnection, held: Still) -> None:
    await held.wait()
    await connection.exec_driver_sql("UNLOCK TABLES")
