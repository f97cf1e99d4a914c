"""Who a push subscription belongs to, for the page of a ticket or an appointment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from server.domain.messages import subscriber_of
from server.domain.model import Appointment, Visit
from server.queries.reader import Reader
from server.store import push_subscriptions
from server.store.records import columns_of, record_of
from server.store.tables import TABLES

KINDS: dict[str, type[Visit] | type[Appointment]] = {"ticket": Visit, "appointment": Appointment}


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient's subscription. ``is_here`` says that the patient has a ticket."""

    subscriber_id: int
    subscribed: bool
    is_here: bool


async def patient(database: Reader, kind: Literal["ticket", "appointment"], subject_id: int) -> Patient | None:
    """Return the patient of a ticket's visit or of an appointment, or None. Raises `Unavailable`."""
    async with database.read() as connection:
        return await connection.run_sync(patient_in, kind, subject_id)


def patient_in(connection: Connection, kind: Literal["ticket", "appointment"], subject_id: int) -> Patient | None:
    """Return the same, in a transaction."""
    record_type = KINDS[kind]
    statement = select(*columns_of(record_type)).where(TABLES[record_type].c.id == subject_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    record = record_of(record_type, row._mapping)
    assert isinstance(record, Visit | Appointment), "a token opens nothing else"
    subscriber_id = subscriber_of(record)
    return Patient(
        subscriber_id=subscriber_id,
        subscribed=subscriber_id in push_subscriptions.among(connection, [subscriber_id]),
        is_here=isinstance(record, Visit) or record.state == "checked_in",
    )
