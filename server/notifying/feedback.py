"""The question to a patient after the visit: a score from 1 to 5, and a text. One answer counts."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.errors import FeedbackGiven, FeedbackNotWanted
from server.queries import feedback as queries
from server.store import feedback as store
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class PatientFeedback:
    """Takes the answers of patients into one database."""

    _database: Database
    _vault: Vault

    async def is_wanted(self, visit_id: int) -> bool:
        """Return whether the clinic asks about this visit, and has no answer yet. Raises `Unavailable`."""
        visit = await queries.visit(self._database, visit_id)
        return visit is not None and visit.wanted and not await queries.was_given(self._database, self._hash_of(visit_id))

    async def give(self, visit_id: int, score: int, text: str | None) -> None:
        """Take the answer about a visit. Raises `FeedbackNotWanted`, `FeedbackGiven`, `Unavailable`."""
        visit = await queries.visit(self._database, visit_id)
        if visit is None or not visit.wanted:
            raise FeedbackNotWanted()
        visit_hash = self._hash_of(visit_id)
        sealed = self._vault.seal(text.encode(), store.seals_for(visit_hash)) if text else None
        async with self._database.write() as connection:
            first = await store.give(
                connection, visit_hash, site_id=visit.site_id, day=visit.day, score=score, sealed=sealed
            )
        if not first:
            raise FeedbackGiven()

    def _hash_of(self, visit_id: int) -> str:
        return self._vault.keyed_hash(f"feedback:{visit_id}")
