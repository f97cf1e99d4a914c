"""API keys: the credential of another system. Each key can be revoked alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from server.domain.errors import ApiKeyNotFound
from server.domain.model.ids import MAX_ID
from server.store import api_keys as store
from server.store.database import Database
from server.vault import Vault

KEY_PREFIX = "nk_"
KEY_BYTES = 32  # 256 bits


@dataclass(frozen=True, slots=True)
class ApiKeyMade:
    """A new API key. ``key`` is stored nowhere: this is the only time that it is shown. ``created_at`` in microseconds."""

    id: int
    key: str
    created_at: int


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Makes and revokes the API keys of one database."""

    _database: Database
    _vault: Vault

    async def add(self, organisation_id: int, name: str, site_id: int | None) -> ApiKeyMade:
        """Make a key for one site of an organisation or, with None, for all its sites."""
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = await self._database.now()
        async with self._database.write() as connection:
            key_id = await store.create(
                connection,
                organisation_id=organisation_id,
                site_id=site_id,
                name=name,
                key_hash=self._vault.keyed_hash(key),
                now=now,
            )
        return ApiKeyMade(key_id, key, now)

    async def revoke(self, organisation_id: int, api_key_id: int) -> None:
        """Revoke a key, effective at once. Raises `ApiKeyNotFound`, also for a key that is revoked already."""
        now = await self._database.now()
        async with self._database.write() as connection:
            revoked = api_key_id <= MAX_ID and await store.revoke(connection, organisation_id, api_key_id, now)
        if not revoked:
            raise ApiKeyNotFound(api_key_id=api_key_id)
