"""The records with a patient's addresses, and the site that sends to them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.domain.model import Appointment, Site, Visit
from server.queries.reader import Reader
from server.store import sites
from server.store.records import columns_of, record_of
from server.store.tables import TABLES


@dataclass(frozen=True, slots=True)
class Contact:
    """A visit or an appointment with its patient's addresses, and its site."""

    site: Site
    record: Visit | Appointment


async def of_visit(database: Reader, visit_id: int) -> Contact | None:
    """Return the contact of a visit, or None for an unknown id. Raises `Unavailable`."""
    return await _find(database, Visit, visit_id)


async def of_appointment(database: Reader, appointment_id: int) -> Contact | None:
    """Return the contact of an appointment, or None for an unknown id. Raises `Unavailable`."""
    return await _find(database, Appointment, appointment_id)


async def _find(database: Reader, kind: type[Visit] | type[Appointment], record_id: int) -> Contact | None:
    statement = select(*columns_of(kind)).where(TABLES[kind].c.id == record_id)
    async with database.read() as connection:
        row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        record: Visit | Appointment = record_of(kind, row._mapping)
        return Contact((await sites.of_ids(connection, {record.site_id}))[record.site_id], record)
