"""The secret addresses with which a provider's own calendar program reads the times of the appointments.

A calendar program cannot sign in, so the address is the key. The database has only its keyed hash, and each address can be
revoked alone. The audit notes who made and revoked it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import CalendarFeedNotFound
from server.domain.model.ids import MAX_ID
from server.queries import calendar_feeds as queries
from server.store import calendar_feeds as store
from server.store.database import Database
from server.vault import Vault

SECRET_BYTES = 32  # 256 bits


@dataclass(frozen=True, slots=True)
class FeedMade:
    """A new address. ``secret`` is stored nowhere: this is the only time that it is shown. ``made_at`` in microseconds."""

    id: int
    secret: str
    made_at: int


@dataclass(frozen=True, slots=True)
class CalendarFeeds:
    """Makes, finds and revokes the addresses of one database."""

    _database: Database
    _vault: Vault
    _audit: Audit

    async def add(self, organisation_id: int, provider_id: int, *, actor: str) -> FeedMade:
        """Make an address for a provider's calendar."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = await self._database.now()
        async with self._database.write() as connection:
            feed_id = await store.create(
                connection, provider_id=provider_id, key_hash=self._vault.keyed_hash(secret), made_by=actor, now=now
            )
        self._note("add-calendar-feed", actor, organisation_id, provider_id, allowed=True)
        return FeedMade(feed_id, secret, now)

    async def revoke(self, organisation_id: int, provider_id: int, feed_id: int, *, actor: str) -> None:
        """Revoke an address, effective at once. Raises `CalendarFeedNotFound`, also for one that is revoked already."""
        now = await self._database.now()
        async with self._database.write() as connection:
            revoked = feed_id <= MAX_ID and await store.revoke(connection, provider_id, feed_id, now)
        self._note("revoke-calendar-feed", actor, organisation_id, provider_id, allowed=revoked)
        if not revoked:
            raise CalendarFeedNotFound()

    async def provider_of(self, secret: str) -> int:
        """Return the provider whose calendar an address opens. Raises `CalendarFeedNotFound`, which gives no reason."""
        found = await queries.provider_of(self._database, self._vault.keyed_hash(secret))
        if found is None:
            raise CalendarFeedNotFound()
        return found

    def _note(self, action: str, actor: str, organisation_id: int, provider_id: int, *, allowed: bool) -> None:
        subject = f"provider:{provider_id}"
        self._audit.note(action, actor, subject=subject, organisation_id=organisation_id, allowed=allowed)
