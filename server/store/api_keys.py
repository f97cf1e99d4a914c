"""API keys: the credentials of other systems. The database has only the keyed hash of a key."""

from __future__ import annotations

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import api_keys


async def create(
    connection: AsyncConnection, *, organisation_id: int, site_id: int | None, name: str, key_hash: str, now: int
) -> int:
    """Add a key of an organisation, for one of its sites or, if ``site_id`` is None, for all; return its id."""
    result = await connection.execute(
        insert(api_keys).values(
            organisation_id=organisation_id, site_id=site_id, name=name, key_hash=key_hash, created_at=now
        )
    )
    return new_id(result)


async def touch(connection: AsyncConnection, api_key_id: int, now: int) -> None:
    """Record that a key is in use at ``now`` (microseconds)."""
    await connection.execute(update(api_keys).where(api_keys.c.id == api_key_id).values(last_used_at=now))


async def revoke(connection: AsyncConnection, organisation_id: int, api_key_id: int, now: int) -> bool:
    """Revoke a key; return False if the organisation has no valid key with this id."""
    result = await connection.execute(
        update(api_keys)
        .where(api_keys.c.id == api_key_id, api_keys.c.organisation_id == organisation_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return result.rowcount == 1
