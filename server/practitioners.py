"""Practitioners: people that several sites of an organisation may book."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import NameTaken
from server.queries.practitioners import PractitionerListed
from server.store import practitioners as store
from server.store.database import Conflict, Database


@dataclass(frozen=True, slots=True)
class Practitioners:
    """Adds practitioners to organisations."""

    _database: Database
    _audit: Audit

    async def add(self, organisation_id: int, name: str, *, actor: str) -> PractitionerListed:
        """Add a practitioner. Raises `NameTaken`, `Unavailable`."""
        try:
            async with self._database.write() as connection:
                practitioner_id = await store.add(connection, organisation_id, name)
        except Conflict:
            raise NameTaken(name=name) from None
        self._audit.note("add-practitioner", actor, organisation_id=organisation_id)
        return PractitionerListed(practitioner_id, name, ())
