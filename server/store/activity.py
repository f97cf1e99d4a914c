"""Whether servers or workers use a database at present."""

from __future__ import annotations

from sqlalchemy import or_, select

from server.store.circuits import PREFIX
from server.store.database import Database
from server.store.tables import leases, processes


async def is_used(database: Database, silent_microseconds: int) -> bool:
    """Return whether a server, or a process that has a lease, was heard within the last ``silent_microseconds``.

    Raises `Unavailable`.
    """
    now = await database.now()
    heard = select(processes.c.id).where(processes.c.heard_at > now - silent_microseconds).limit(1)
    worked = or_(leases.c.until > now, leases.c.finished_at > now - silent_microseconds)
    process = ~leases.c.name.startswith(PREFIX)  # an open circuit needs no process
    async with database.read() as connection:
        if await connection.scalar(heard) is not None:
            return True
        return await connection.scalar(select(leases.c.name).where(worked, process).limit(1)) is not None
