"""The one-time code of the first run, as a keyed hash.

The table has one row at most. A request that creates the first administrator locks this row, so that only one succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import setup_codes, staff

LIFE_MICROSECONDS = 30 * 60_000_000
TRIES = 5
_ONLY = 1  # the id of the row
ANY_ADMIN = select(staff.c.id).where(staff.c.role == "admin", staff.c.active).limit(1)


@dataclass(frozen=True, slots=True)
class SetupCode:
    """A code: its hash, its end (microseconds), and the number of wrong tries."""

    code_hash: str
    expires_at: int
    wrong_tries: int

    def lives(self, now: int) -> bool:
        """Return whether somebody may still try the code at ``now`` (microseconds)."""
        return now < self.expires_at and self.wrong_tries < TRIES


async def replace(connection: AsyncConnection, code_hash: str, now: int) -> None:
    """Store a new code at ``now`` (microseconds). The code before it ends.

    Raises `Conflict` (from the transaction) when another process stores the first code at the same time.
    """
    fresh = {"code_hash": code_hash, "expires_at": now + LIFE_MICROSECONDS, "wrong_tries": 0}
    changed = await connection.execute(update(setup_codes).where(setup_codes.c.id == _ONLY).values(**fresh))
    if not changed.rowcount:
        await connection.execute(insert(setup_codes).values(id=_ONLY, **fresh))


async def lock(connection: AsyncConnection) -> SetupCode | None:
    """Return the code, and hold its row until the end of the transaction. None if there is no code."""
    columns = (setup_codes.c.code_hash, setup_codes.c.expires_at, setup_codes.c.wrong_tries)
    row = (await connection.execute(select(*columns).where(setup_codes.c.id == _ONLY).with_for_update())).one_or_none()
    return SetupCode(*row) if row else None


async def count_wrong_try(connection: AsyncConnection) -> None:
    """Count one wrong try of the code."""
    more = setup_codes.c.wrong_tries + 1
    await connection.execute(update(setup_codes).where(setup_codes.c.id == _ONLY).values(wrong_tries=more))


async def end(connection: AsyncConnection) -> None:
    """End the code: there is an administrator now."""
    await connection.execute(delete(setup_codes).where(setup_codes.c.id == _ONLY))


async def has_admin(connection: AsyncConnection) -> bool:
    """Return whether the installation has an active administrator."""
    return await connection.scalar(ANY_ADMIN) is not None
