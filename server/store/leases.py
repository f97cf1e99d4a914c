"""Leases: work that one process at a time does for all. A lease ends by itself, so a dead holder blocks nobody for long."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.errors import Unavailable
from server.store.database import Database
from server.store.tables import leases

STOP_SECONDS = 3.0
_NEVER = 0  # the end of a lease whose holder has stopped
_INSERT_ONCE = insert(leases).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")


async def take(connection: AsyncConnection, name: str, holder: str, now: int, microseconds: int) -> bool:
    """Take or renew a lease from ``now`` on (the database's time); return whether ``holder`` has it.

    A lease that ends later than any may is from a time before the clock was set back: it has ended.
    """
    until = now + microseconds
    free = or_(leases.c.holder == holder, leases.c.until <= now, leases.c.until > until + microseconds)
    taken = update(leases).where(leases.c.name == name, free).values(holder=holder, until=until)
    if (await connection.execute(taken)).rowcount:
        return True
    return (await connection.execute(_INSERT_ONCE, {"name": name, "holder": holder, "until": until})).rowcount == 1


async def hold(database: Database, name: str, holder: str, microseconds: int) -> bool:
    """Take or renew a lease from now on, in a transaction of its own: see `take`. Raises `Unavailable`."""
    now = await database.now()
    async with database.write() as connection:
        return await take(connection, name, holder, now, microseconds)


async def finish(connection: AsyncConnection, name: str, holder: str, now: int) -> None:
    """Note that ``holder`` has come to the end of the work at ``now``, and end its lease."""
    mine = leases.c.name == name, leases.c.holder == holder
    await connection.execute(update(leases).where(*mine).values(until=now, finished_at=now))


async def leave(connection: AsyncConnection, holder: str) -> None:
    """End all leases of a holder that stops in order. They are no sign of a running process any more."""
    await connection.execute(update(leases).where(leases.c.holder == holder).values(until=_NEVER))


async def give_up(database: Database, holder: str) -> None:
    """End all leases of a holder that stops in order, within `STOP_SECONDS`. Else they end by themselves."""
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS), database.write() as connection:
            await leave(connection, holder)


def is_in_use(now: int, silent_microseconds: int) -> ColumnElement[bool]:
    """Match the leases in force, and those whose holder was at work within the last ``silent_microseconds``."""
    worked = and_(leases.c.finished_at > now - silent_microseconds, leases.c.until > _NEVER)
    return or_(leases.c.until > now, worked)


async def note(connection: AsyncConnection, name: str, holder: str, now: int) -> None:
    """Note that ``holder`` saw the work done at ``now``, where nobody needs a lease for it."""
    await connection.execute(_INSERT_ONCE, {"name": name, "holder": holder, "until": now})
    await connection.execute(update(leases).where(leases.c.name == name).values(holder=holder, until=now, finished_at=now))


async def finished(connection: AsyncConnection, names: Collection[str]) -> dict[str, int | None]:
    """Return by name the instant at which a holder last came to the end of the work (microseconds)."""
    found = await connection.execute(select(leases.c.name, leases.c.finished_at).where(leases.c.name.in_(names)))
    return {row.name: row.finished_at for row in found}
