"""Whether the database has the tables of this version."""

from __future__ import annotations

from functools import cache

from sqlalchemy import column, select, table

from server.queries.reader import LookUp, Reader
from server.store import migrate

_REVISION = select(table("alembic_version", column("version_num")).c.version_num)


async def pending(database: Reader) -> list[str]:
    """Return the revisions that the database still lacks, in order. Raises `Unavailable`, `NewerTables`."""
    async with database.read() as connection:
        at = await connection.run_sync(migrate.revision)
    return _lacking(at)


async def is_empty(database: Reader) -> bool:
    """Return whether the database has none of our tables yet. Raises `Unavailable`."""
    async with database.read() as connection:
        return await connection.run_sync(migrate.revision) is None


async def revision(database: LookUp) -> str | None:
    """Return the revision of a database that has our tables, by one cheap statement. Raises `Unavailable`."""
    row = await database.look_up(_REVISION)
    return None if row is None else row.version_num


@cache
def known() -> tuple[str, ...]:
    """Return the revisions of this version, in order. The first call reads all scripts."""
    return tuple(migrate.lacking(None))


def lacking(at: str | None) -> tuple[str, ...] | None:
    """Return the revisions after ``at``, or None if this version does not know ``at``."""
    if at is None:
        return known()
    return known()[known().index(at) + 1 :] if at in known() else None


@cache
def _lacking(at: str | None) -> list[str]:
    """Return the revisions after ``at``. The scripts of this version do not change while a process runs."""
    return migrate.lacking(at)
