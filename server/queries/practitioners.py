"""The practitioners of an organisation, with the providers who are these people at its sites."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.queries.reader import Reader
from server.store.tables import practitioners, providers


@dataclass(frozen=True, slots=True)
class PractitionerListed:
    """A practitioner, and the ids of the providers in use who are this person."""

    id: int
    name: str
    provider_ids: tuple[int, ...]


async def listed(database: Reader, organisation_id: int) -> list[PractitionerListed]:
    """Return the practitioners of an organisation, by name. Raises `Unavailable`."""
    people = select(practitioners.c.id, practitioners.c.name).where(practitioners.c.organisation_id == organisation_id)
    linked = (
        select(providers.c.practitioner_id, providers.c.id)
        .join(practitioners, practitioners.c.id == providers.c.practitioner_id)
        .where(practitioners.c.organisation_id == organisation_id, providers.c.removed_at == 0)
    )
    async with database.read() as connection:
        found = (await connection.execute(people.order_by(practitioners.c.name))).all()
        of_person: dict[int, list[int]] = {}
        for practitioner_id, provider_id in await connection.execute(linked):
            of_person.setdefault(practitioner_id, []).append(provider_id)
    return [PractitionerListed(row.id, row.name, tuple(sorted(of_person.get(row.id, ())))) for row in found]
