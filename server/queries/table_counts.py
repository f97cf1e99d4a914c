"""The size of the database: the number of rows of each table, and the version of the database server."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from server.domain.errors import Unavailable
from server.queries.reader import Reader
from server.store.tables import metadata


async def counts(database: Reader) -> dict[str, int | None]:
    """Return the number of rows by table; None for a table that the database lacks. Raises `Unavailable`."""
    await database.now()
    found: dict[str, int | None] = {}
    for table in metadata.sorted_tables:
        try:
            async with database.read() as connection:
                found[table.name] = await connection.scalar(select(func.count()).select_from(table))
        except (Unavailable, DBAPIError):
            found[table.name] = None
    return found


async def server_version(database: Reader) -> str:
    """Return the version of the database server, or of SQLite. Raises `Unavailable`."""
    async with database.read() as connection:
        name = "sqlite_version()" if connection.dialect.name == "sqlite" else "version()"
        return f"{connection.dialect.name} {await connection.scalar(text(f'SELECT {name}'))}"
