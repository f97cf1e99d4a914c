"""API keys: the credential of another system. Each key can be revoked alone. The audit notes who made and revoked it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import ApiKeyNotFound
from server.domain.model.ids import MAX_ID
from server.identity.staff import lock_with_rights
from server.store import api_keys as store
from server.store import proofs, tables
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
    _audit: Audit

    async def add(self, organisation_id: int, name: str, site_id: int | None, *, actor: str) -> ApiKeyMade:
        """Make a key for one site of an organisation or, with None, for all its sites.

        Raises `NotAllowed` if ``actor`` administers no longer.
        """
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = await self._database.now()
        async with self._database.write() as connection:
            await lock_with_rights(connection, organisation_id, actor)
            key_id = await store.create(
                connection,
                organisation_id=organisation_id,
                site_id=site_id,
                name=name,
                key_hash=self._vault.keyed_hash(key),
                now=now,
            )
            await proofs.add(connection, self._vault, tables.api_keys, key_id)
        self._note("add-api-key", actor, organisation_id, key_id, f"site: {site_id}" if site_id else "all sites")
        return ApiKeyMade(key_id, key, now)

    async def revoke(self, organisation_id: int, api_key_id: int, *, actor: str) -> None:
        """Revoke a key, effective at once. Raises `ApiKeyNotFound`, also for a key that is revoked already."""
        now = await self._database.now()
        async with self._database.write() as connection:
            known = api_key_id <= MAX_ID
            whole = known and await proofs.holds(connection, self._vault, tables.api_keys, api_key_id)
            revoked = known and await store.revoke(connection, organisation_id, api_key_id, now)
            if revoked and whole:
                await proofs.prove(connection, self._vault, tables.api_keys, api_key_id)
        self._note("revoke-api-key", actor, organisation_id, api_key_id, None, allowed=revoked)
        if not revoked:
            raise ApiKeyNotFound(api_key_id=api_key_id)

    def _note(
        self, action: str, actor: str, organisation_id: int, key_id: int, detail: str | None, *, allowed: bool = True
    ) -> None:
        subject = f"api-key:{key_id}"
        self._audit.note(action, actor, subject=subject, organisation_id=organisation_id, allowed=allowed, detail=detail)
