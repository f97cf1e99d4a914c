"""The server processes and their signs of life. The devices of a dead process are found by its id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, insert, literal, or_, select, union_all, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import displays, kiosks, processes

_STOPPED = {"stopped": True}


async def live(connection: AsyncConnection, process_id: str, now: int, report: dict[str, Any] | None = None) -> None:
    """Record a sign of life of a process at ``now`` (microseconds), and its report about itself."""
    values = {"heard_at": now, "report": report}
    noted = await connection.execute(update(processes).where(processes.c.id == process_id).values(**values))
    if not noted.rowcount:
        await connection.execute(insert(processes).values(id=process_id, **values))


async def stop(connection: AsyncConnection, process_id: str) -> None:
    """Record that a process stops in order: it runs no more from now on.

    The row stays until the process is dead, so that its devices have the time to return to another one.
    """
    await connection.execute(update(processes).where(processes.c.id == process_id).values(report=_STOPPED))


async def heard(connection: AsyncConnection, earliest: int, latest: int) -> list[dict[str, Any] | None]:
    """Return the reports of the running processes whose last sign of life is between two instants (microseconds)."""
    between = processes.c.heard_at.between(earliest, latest)
    return [each for each in await connection.scalars(select(processes.c.report).where(between)) if each != _STOPPED]


async def running(connection: AsyncConnection, earliest: int, latest: int | None = None) -> dict[str, int]:
    """Return the same processes by their ids, with the instants. Without ``latest``, also those of a time to come."""
    wanted = [processes.c.heard_at >= earliest] + ([processes.c.heard_at <= latest] if latest is not None else [])
    found = await connection.execute(select(processes.c.id, processes.c.heard_at, processes.c.report).where(*wanted))
    return {row.id: row.heard_at for row in found if row.report != _STOPPED}


async def last_heard(connection: AsyncConnection) -> int | None:
    """Return the last sign of life of any process (microseconds), or None if no process has ever run."""
    try:
        found = await connection.scalar(select(func.max(processes.c.heard_at)))
    except ProgrammingError:  # MySQL has no tables yet
        return None
    return None if found is None else int(found)


async def has_any(connection: AsyncConnection) -> bool:
    """Return whether any process, dead or alive, has a row."""
    return await connection.scalar(select(processes.c.heard_at).where(processes.c.heard_at > 0).limit(1)) is not None


async def dead(connection: AsyncConnection, earliest: int, latest: int) -> list[str]:
    """Return the processes whose last sign of life is not between two instants (microseconds).

    A sign after ``latest`` is from a time before the clock was set back.
    """
    outside = or_(processes.c.heard_at < earliest, processes.c.heard_at > latest)
    return list(await connection.scalars(select(processes.c.id).where(outside)))


async def devices_of(connection: AsyncConnection, process_id: str) -> list[str]:
    """Return the devices that a process last reported as connected: ``display:812``, ``kiosk:813``."""
    statement = union_all(
        *(
            select(literal(kind), devices.c.id).where(devices.c.heard_by == process_id, devices.c.connected)
            for kind, devices in (("display", displays), ("kiosk", kiosks))
        )
    )
    return [f"{kind}:{device_id}" for kind, device_id in await connection.execute(statement)]


async def forget(connection: AsyncConnection, process_id: str) -> None:
    """Delete the row of a process."""
    await connection.execute(delete(processes).where(processes.c.id == process_id))
