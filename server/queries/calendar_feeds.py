"""The secret addresses of providers' calendars, read from rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.queries.reader import Reader
from server.store.tables import calendar_feeds


@dataclass(frozen=True, slots=True)
class FeedListed:
    """An address of a provider's calendar, without its secret. Instants in milliseconds."""

    id: int
    made_by: str
    made_at: int


async def listed(database: Reader, provider_id: int) -> list[FeedListed]:
    """Return the valid addresses of a provider's calendar, by id. Raises `Unavailable`."""
    valid = (calendar_feeds.c.provider_id == provider_id, calendar_feeds.c.revoked_at.is_(None))
    async with database.read() as connection:
        rows = await connection.execute(select(calendar_feeds).where(*valid).order_by(calendar_feeds.c.id))
        return [FeedListed(row.id, row.made_by, row.made_at // 1000) for row in rows]


async def provider_of(database: Reader, key_hash: str) -> int | None:
    """Return the provider whose calendar the address with this hash opens, or None. Raises `Unavailable`."""
    valid = (calendar_feeds.c.key_hash == key_hash, calendar_feeds.c.revoked_at.is_(None))
    async with database.read() as connection:
        return await connection.scalar(select(calendar_feeds.c.provider_id).where(*valid))
