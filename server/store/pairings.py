"""Devices that ask for their token.

People type the code; only the device knows the secret. Both are stored as keyed hashes, and the token is encrypted until
the device collects it, once. A finished pairing stays until its time is over: an administrator whose answer was lost can
enter the code again, and gets the same answer.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import pairings

LIFE_MICROSECONDS = 10 * 60_000_000
_EMPTY = (pairings.c.sealed.is_(None), pairings.c.told.is_(False))  # there is no token yet


async def create(connection: AsyncConnection, code_hash: str, secret_hash: str, now: int) -> int:
    """Begin a pairing at ``now`` (microseconds), and delete expired ones; return its id.

    Raises `Conflict` (from the transaction) when another pairing has the code.
    """
    await connection.execute(delete(pairings).where(pairings.c.expires_at <= now))
    result = await connection.execute(
        insert(pairings).values(code_hash=code_hash, secret_hash=secret_hash, expires_at=now + LIFE_MICROSECONDS)
    )
    return new_id(result)


async def claim(connection: AsyncConnection, code_hash: str, device_id: int, now: int) -> tuple[int, str] | None:
    """Claim a code for a device; return the pairing's id and its secret's hash, or None if the code is not available.

    The same device can claim a code again: the first claim may have failed half way, or its answer may have been lost.
    """
    here = (pairings.c.code_hash == code_hash, pairings.c.expires_at > now)
    free = or_(pairings.c.device_id.is_(None), pairings.c.device_id == device_id)
    statement = select(pairings.c.id, pairings.c.secret_hash).where(*here, free).with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    await connection.execute(update(pairings).where(pairings.c.id == row.id).values(device_id=device_id))
    return int(row.id), str(row.secret_hash)


async def release(connection: AsyncConnection, pairing_id: int) -> None:
    """Release a claimed code, for another device."""
    await connection.execute(update(pairings).where(pairings.c.id == pairing_id, *_EMPTY).values(device_id=None))


async def fill(connection: AsyncConnection, pairing_id: int, sealed: str) -> bool:
    """Store the sealed token for the device, unless it is or was there; return False if the pairing has expired."""
    await connection.execute(update(pairings).where(pairings.c.id == pairing_id, *_EMPTY).values(sealed=sealed))
    there = await connection.execute(select(pairings.c.id).where(pairings.c.id == pairing_id))
    return there.one_or_none() is not None


async def take(connection: AsyncConnection, secret_hash: str, now: int) -> tuple[int, str | None] | None:
    """Return a pairing's id and its sealed token, or None if the pairing is over. Returning a token ends the pairing."""
    here = (pairings.c.secret_hash == secret_hash, pairings.c.expires_at > now, pairings.c.told.is_(False))
    row = (await connection.execute(select(pairings.c.id, pairings.c.sealed).where(*here).with_for_update())).one_or_none()
    if row is None:
        return None
    if row.sealed is not None:
        await connection.execute(update(pairings).where(pairings.c.id == row.id).values(sealed=None, told=True))
    return int(row.id), row.sealed
