"""The secret addresses of providers' calendars. The database has only the keyed hash of an address."""

from __future__ import annotations

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import calendar_feeds


async def create(connection: AsyncConnection, *, provider_id: int, key_hash: str, made_by: str, now: int) -> int:
    """Add an address of a provider's calendar; return its id."""
    values = {"provider_id": provider_id, "key_hash": key_hash, "made_by": made_by, "made_at": now}
    return new_id(await connection.execute(insert(calendar_feeds).values(**values)))


async def revoke(connection: AsyncConnection, provider_id: int, feed_id: int, now: int) -> bool:
    """Revoke an address; return False if the provider has no valid address with this id."""
    own = (calendar_feeds.c.id == feed_id, calendar_feeds.c.provider_id == provider_id)
    statement = update(calendar_feeds).where(*own, calendar_feeds.c.revoked_at.is_(None)).values(revoked_at=now)
    return (await connection.execute(statement)).rowcount == 1
