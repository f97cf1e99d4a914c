"""Second factors of staff: the sealed secrets, the last accepted time step, and the recovery codes.

A row of a factor is never deleted, so that a removed row is missed: see `server.store.proofs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import proofs
from server.store.tables import recovery_codes, second_factors
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Factor:
    """The factor of a member. ``sealed`` is in force, ``pending`` waits for its confirmation. Instants in microseconds."""

    sealed: str | None
    pending: str | None
    confirmed_at: int | None


async def find(connection: AsyncConnection, staff_id: int, *, lock: bool = False) -> Factor | None:
    """Return the factor of a member, or None. ``lock`` holds the row until the end of the transaction."""
    columns = (second_factors.c.sealed, second_factors.c.pending, second_factors.c.confirmed_at)
    statement = select(*columns).where(second_factors.c.id == staff_id)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return Factor(*row) if row else None


async def begin(connection: AsyncConnection, vault: Vault, staff_id: int, pending: str) -> None:
    """Store the sealed secret of a set-up. The factor in force stays. Raises `Conflict` (from the transaction) if another
    request adds the row at the same moment."""
    if await find(connection, staff_id, lock=True) is None:
        await connection.execute(insert(second_factors).values(id=staff_id, pending=pending))
        await proofs.add(connection, vault, second_factors, staff_id)
        return
    await connection.execute(update(second_factors).where(second_factors.c.id == staff_id).values(pending=pending))


async def confirm(connection: AsyncConnection, vault: Vault, staff_id: int, pending: str, step: int, now: int) -> bool:
    """Put the secret of a set-up in force, with the ``step`` of its first code; return False if it is gone by now."""
    mine = (second_factors.c.id == staff_id, second_factors.c.pending == pending)
    whole = await proofs.holds(connection, vault, second_factors, staff_id)
    values = {"sealed": pending, "pending": None, "confirmed_at": now, "last_step": step}
    done = (await connection.execute(update(second_factors).where(*mine).values(values))).rowcount == 1
    if done and whole:
        await proofs.prove(connection, vault, second_factors, staff_id)
    return done


async def spend_step(connection: AsyncConnection, staff_id: int, step: int) -> bool:
    """Accept the code of a time step; return False if that step, or a later one, was accepted before."""
    mine = (second_factors.c.id == staff_id, second_factors.c.sealed.is_not(None), second_factors.c.last_step < step)
    return (await connection.execute(update(second_factors).where(*mine).values(last_step=step))).rowcount == 1


async def remove(connection: AsyncConnection, vault: Vault, staff_id: int) -> bool:
    """Remove the factor of a member with its recovery codes, and a set-up; return whether a factor was in force."""
    before = await find(connection, staff_id, lock=True)
    if before is None:
        return False
    whole = await proofs.holds(connection, vault, second_factors, staff_id)
    nothing = {"sealed": None, "pending": None, "confirmed_at": None}
    await connection.execute(update(second_factors).where(second_factors.c.id == staff_id).values(nothing))
    if whole:
        await proofs.prove(connection, vault, second_factors, staff_id)
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.staff_id == staff_id))
    return before.sealed is not None


async def replace_codes(connection: AsyncConnection, staff_id: int, code_hashes: Sequence[str]) -> None:
    """Store new recovery codes of a member in place of the earlier ones."""
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.staff_id == staff_id))
    rows = [{"staff_id": staff_id, "code_hash": each} for each in code_hashes]
    await connection.execute(insert(recovery_codes), rows)


async def spend_code(connection: AsyncConnection, staff_id: int, code_hash: str, now: int) -> bool:
    """Accept a recovery code; return False if it is unknown or was accepted before."""
    mine = (recovery_codes.c.staff_id == staff_id, recovery_codes.c.code_hash == code_hash)
    unused = update(recovery_codes).where(*mine, recovery_codes.c.used_at.is_(None))
    return (await connection.execute(unused.values(used_at=now))).rowcount == 1


async def codes_left(connection: AsyncConnection, staff_id: int) -> int:
    """Return the number of a member's recovery codes that nobody has used."""
    mine = (recovery_codes.c.staff_id == staff_id, recovery_codes.c.used_at.is_(None))
    return await connection.scalar(select(func.count()).where(*mine)) or 0
