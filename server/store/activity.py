"""Whether servers or workers use a database at present."""

from __future__ import annotations

from sqlalchemy import select

from server.store import leases, processes
from server.store.circuits import PREFIX
from server.store.database import Database
from server.store.tables import leases as lease_table


async def is_used(database: Database, silent_microseconds: int) -> bool:
    """Return whether a server, or a process that has a lease, was heard within the last ``silent_microseconds``.

    A process that has stopped in order does not count. Raises `Unavailable`.
    """
    now = await database.now()
    worked = leases.is_in_use(now, silent_microseconds)
    process = ~lease_table.c.name.startswith(PREFIX)  # an open circuit needs no process
    async with database.read() as connection:
        if await processes.running(connection, now - silent_microseconds + 1):
            return True
        return await connection.scalar(select(lease_table.c.name).where(worked, process).limit(1)) is not None
