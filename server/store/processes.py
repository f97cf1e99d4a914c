"""The server processes: each says from time to time that it lives, and what a dead one knew is found by its name."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import displays, processes


async def live(connection: AsyncConnection, process_id: str, now: int) -> None:
    """Note that a process lives at ``now`` (microseconds)."""
    noted = await connection.execute(update(processes).where(processes.c.id == process_id).values(heard_at=now))
    if not noted.rowcount:
        await connection.execute(insert(processes).values(id=process_id, heard_at=now))


async def dead(connection: AsyncConnection, earliest: int) -> list[str]:
    """Return the processes that have not been heard since ``earliest`` (microseconds)."""
    return list(await connection.scalars(select(processes.c.id).where(processes.c.heard_at < earliest)))


async def displays_of(connection: AsyncConnection, process_id: str) -> list[int]:
    """Return the displays that a process last said were connected to it."""
    statement = select(displays.c.id).where(displays.c.heard_by == process_id, displays.c.connected)
    return list(await connection.scalars(statement))


async def forget(connection: AsyncConnection, process_id: str) -> None:
    """Forget a process."""
    await connection.execute(delete(processes).where(processes.c.id == process_id))
