"""Sending a message again: a member of staff decides that for one whose outcome is unknown, or that failed."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import MessageNotFound, MessageRepeated, Refused
from server.queries import sent_messages
from server.queries.sent_messages import Repeatable
from server.store import notifications
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Repeats:
    """Repeats messages of one database. The audit notes who did it."""

    _database: Database
    _vault: Vault
    _audit: Audit

    async def send_again(self, organisation_id: int, message_id: int, *, actor: str) -> None:
        """Plan the message again, due now. Of two requests at once, one is refused.

        Raises `MessageNotFound`, also for a message of another organisation; `MessageNotRepeatable`, `MessageRepeated`,
        `MessageUnwanted`, `MessageOutdated` and `Unavailable`.
        """
        found = await self._find(organisation_id, message_id)
        refusal = found.refusal if found is not None else MessageNotFound(message_id=message_id)
        if found is not None and refusal is None:
            async with self._database.write() as connection:
                added = await notifications.resend(connection, message_id, found.at, found.until)
            if not added:  # another request or the worker's late answer was faster
                refusal = await self._refusal(organisation_id, message_id)
        self._audit.note(
            "resend-message",
            actor,
            subject=f"message:{message_id}",
            site_id=None if found is None else found.site_id,
            organisation_id=organisation_id,
            allowed=refusal is None,
            detail=None if refusal is None else refusal.code,
        )
        if refusal is not None:
            raise refusal

    async def _find(self, organisation_id: int, message_id: int) -> Repeatable | None:
        found = await sent_messages.find(self._database, self._vault, message_id)
        return found if found is not None and found.organisation_id == organisation_id else None

    async def _refusal(self, organisation_id: int, message_id: int) -> Refused:
        found = await self._find(organisation_id, message_id)
        return (found.refusal if found is not None else None) or MessageRepeated()
