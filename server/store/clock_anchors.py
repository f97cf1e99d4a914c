"""The kept offsets of the database's clock: a process that starts during a step knows the right time from them."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import SteadyClock
from server.store.tables import clock_anchors as table

KEPT_MICROSECONDS = 30 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Anchor:
    """The clock as the servers of one machine saw it at ``noted_at``. Microseconds."""

    host: str
    step: int
    behind: int
    noted_at: int


async def keep(connection: AsyncConnection, boot_id: str, clock: SteadyClock) -> None:
    """Keep the offset of ``clock`` for this boot of the machine. During a step, note only the step.

    During a step a missing row stays missing: the operator has deleted it.
    """
    now = clock.now()
    noted = {"step": clock.step, "behind": clock.behind, "noted_at": now}
    if clock.is_worth_keeping:
        noted["booted_at"] = clock.offset
    changed = await connection.execute(update(table).where(table.c.boot_id == boot_id).values(noted))
    if not changed.rowcount and clock.is_worth_keeping:
        await connection.execute(insert(table).values(noted | {"boot_id": boot_id, "host": socket.gethostname()[:100]}))


async def listed(connection: AsyncConnection) -> list[Anchor]:
    """Return the anchors by host."""
    rows = await connection.execute(
        select(table.c.host, table.c.step, table.c.behind, table.c.noted_at).order_by(table.c.host)
    )
    return [Anchor(*row) for row in rows]


async def accept(connection: AsyncConnection) -> int:
    """Delete every kept offset, so that all processes take the present clock for right. Return the number of machines."""
    return (await connection.execute(delete(table))).rowcount


async def forget(connection: AsyncConnection, now: int) -> int:
    """Delete the offsets of machines without a server for 30 days; return their number."""
    return (await connection.execute(delete(table).where(table.c.noted_at < now - KEPT_MICROSECONDS))).rowcount
