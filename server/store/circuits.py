"""The open circuits before providers, which all processes share. A closed circuit has no row.

A row is a lease without a holder until the trial: nobody calls before ``until``, and the trial takes the time after it. Its
``finished_at`` is the instant of the opening.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import leases

PREFIX = "circuit:"
LONGEST_NAME = 40

_INSERT_ONCE = insert(leases).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")


def row_of(circuit: str) -> str:
    """Return the name of the row of a circuit, such as ``smtp:7``."""
    return f"{PREFIX}{circuit}"[:LONGEST_NAME]


async def keep_open(connection: AsyncConnection, circuit: str, opened_at: int, next_at: int) -> None:
    """Note that a circuit is open, and the instant of its next trial (microseconds)."""
    values = {"holder": "", "until": next_at}
    changed = update(leases).where(leases.c.name == row_of(circuit)).values(**values)
    if not (await connection.execute(changed)).rowcount:
        await connection.execute(_INSERT_ONCE, {"name": row_of(circuit), "finished_at": opened_at, **values})


async def take_trial(connection: AsyncConnection, circuit: str, holder: str, now: int, until: int, latest: int) -> bool:
    """Let ``holder`` alone make the trial of a circuit, from ``now`` to ``until``; return False if it is not time for one.

    A trial after ``latest`` is from a time before the clock was set back: it may begin. Instants are in microseconds.
    """
    free = or_(leases.c.until <= now, leases.c.until > latest)
    taken = update(leases).where(leases.c.name == row_of(circuit), free).values(holder=holder, until=until)
    return (await connection.execute(taken)).rowcount == 1


async def close(connection: AsyncConnection, circuit: str) -> bool:
    """Note that a circuit is closed; return whether it was open."""
    return bool((await connection.execute(delete(leases).where(leases.c.name == row_of(circuit)))).rowcount)


async def forget(connection: AsyncConnection, before: int) -> int:
    """Delete the circuits that nobody has tried since ``before`` (microseconds), such as those of removed channels."""
    old = leases.c.name.startswith(PREFIX), leases.c.until < before
    return (await connection.execute(delete(leases).where(*old))).rowcount
