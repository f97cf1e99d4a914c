"""Devices that ask for their token. The code is for people to type, the secret is the device's own; both are kept as
keyed hashes, and the token is sealed until it has been fetched, once. What is over stays until its time is out, so that
whoever enters a code again, for want of an answer, is told that it is done."""

from __future__ import annotations

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import pairings

LIFE_MICROSECONDS = 10 * 60_000_000
_EMPTY = (pairings.c.sealed.is_(None), pairings.c.told.is_(False))  # there is no token yet


async def create(connection: AsyncConnection, code_hash: str, secret_hash: str, now: int) -> int:
    """Begin a pairing at ``now`` (microseconds), and drop those that are over; return its id.

    Raises `Conflict` (from the transaction) when the code is in use.
    """
    await connection.execute(delete(pairings).where(pairings.c.expires_at <= now))
    result = await connection.execute(
        insert(pairings).values(code_hash=code_hash, secret_hash=secret_hash, expires_at=now + LIFE_MICROSECONDS)
    )
    return new_id(result)


async def claim(connection: AsyncConnection, code_hash: str, device_id: int, now: int) -> tuple[int, str] | None:
    """Take a code for a device; return the pairing's id and its secret's hash, or None if there is none to be had.

    A code that the same device has taken can be taken again: the first time may have failed half way, or its answer may
    have been lost.
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
    """Give a code back: the device could not have it."""
    await connection.execute(update(pairings).where(pairings.c.id == pairing_id, *_EMPTY).values(device_id=None))


async def fill(connection: AsyncConnection, pairing_id: int, sealed: str) -> bool:
    """Put the sealed token where the device fetches it, unless it is or was there; return False if the time is out."""
    await connection.execute(update(pairings).where(pairings.c.id == pairing_id, *_EMPTY).values(sealed=sealed))
    there = await connection.execute(select(pairings.c.id).where(pairings.c.id == pairing_id))
    return there.one_or_none() is not None


async def take(connection: AsyncConnection, secret_hash: str, now: int) -> tuple[int, str | None] | None:
    """Return a pairing's id and its sealed token, or None if it is over. With a token it is over from now on."""
    here = (pairings.c.secret_hash == secret_hash, pairings.c.expires_at > now, pairings.c.told.is_(False))
    row = (await connection.execute(select(pairings.c.id, pairings.c.sealed).where(*here).with_for_update())).one_or_none()
    if row is None:
        return None
    if row.sealed is not None:
        await connection.execute(update(pairings).where(pairings.c.id == row.id).values(sealed=None, told=True))
    return int(row.id), row.sealed
