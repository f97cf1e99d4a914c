"""Whether the database has the tables of this version."""

from __future__ import annotations

from functools import cache

from server.queries.reader import Reader
from server.store import migrate


async def pending(database: Reader) -> list[str]:
    """Return the revisions that the database still lacks, in order. Raises `Unavailable`."""
    async with database.read() as connection:
        at = await connection.run_sync(migrate.revision)
    return _lacking(at)


async def is_empty(database: Reader) -> bool:
    """Return whether the database has none of our tables yet. Raises `Unavailable`."""
    async with database.read() as connection:
        return await connection.run_sync(migrate.revision) is None


@cache
def _lacking(at: str | None) -> list[str]:
    """Return the revisions after ``at``. The scripts of this version do not change while a process runs."""
    return migrate.lacking(at)
