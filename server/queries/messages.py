"""What the sending of messages reads: due rows, the records that messages are made from, and the health of the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from server.domain.model import Appointment, Visit
from server.queries.reader import LookUp, Reader
from server.store import leases
from server.store.notifications import NO_CHANNEL, Claimed
from server.store.tables import appointments, entries, notifications, sites, visits

LEASE = "messages"  # the name of the sweeps' lease
LATE_MICROSECONDS = 5 * 60_000_000
AGAIN_MICROSECONDS = 60_000_000  # a row without a channel is due again so much later

_due_at = notifications.c.open_due_at
# Not "= due": SQLite would then read every due row by its state, also those of next month.
_IS_DUE = select(notifications.c.id).where(_due_at <= bindparam("now"), notifications.c.state != "claimed").limit(1)


@dataclass(frozen=True, slots=True)
class Subject:
    """The records of one message. ``site_language`` counts where the patient's own language has no texts."""

    organisation_id: int
    site_language: str
    visit: Visit | None
    appointment: Appointment | None


@dataclass(frozen=True, slots=True)
class Health:
    """What the database tells about the workers. Instants and ages are in microseconds.

    ``oldest`` is the age of the oldest due row, 0 without one. ``late`` counts the rows that have been due for more
    than five minutes, ``without_channel`` those that no channel can send. ``swept`` is the age of the last finished sweep.
    """

    oldest: int
    late: int
    without_channel: int
    swept: int | None

    @property
    def trouble(self) -> str | None:
        """What is wrong, for `/health/ready`, or None."""
        if self.without_channel:
            return f"degraded: {self.without_channel} messages have no channel"
        if self.late:
            return f"degraded: the oldest message is {self.oldest // 1_000_000} s late"
        return None


async def sites_with_waiting(database: Reader) -> list[int]:
    """Return the ids of the sites with waiting entries. Raises `Unavailable`."""
    async with database.read() as connection:
        return list(await connection.scalars(select(entries.c.site_id).where(entries.c.state == "waiting").distinct()))


async def is_due(database: LookUp) -> bool:
    """Return whether a row can be claimed now. Raises `Unavailable`."""
    return await database.look_up(_IS_DUE, now=await database.now()) is not None


async def subjects(database: Reader, rows: Sequence[Claimed]) -> dict[int, Subject]:
    """Return the records of claimed rows, by the rows' ids. Raises `Unavailable`."""
    site_ids = {row.site_id for row in rows}
    visit_ids = {row.visit_id for row in rows if row.visit_id is not None}
    appointment_ids = {row.appointment_id for row in rows if row.appointment_id is not None}
    found_visits: dict[int, Visit] = {}
    found_appointments: dict[int, Appointment] = {}
    async with database.read() as connection:
        about = select(sites.c.id, sites.c.organisation_id, sites.c.language).where(sites.c.id.in_(site_ids))
        of_site = {row.id: row for row in await connection.execute(about)}
        if visit_ids:
            for row in await connection.execute(select(visits).where(visits.c.id.in_(visit_ids))):
                found_visits[row.id] = Visit(**row._mapping)
        if appointment_ids:
            for row in await connection.execute(select(appointments).where(appointments.c.id.in_(appointment_ids))):
                found_appointments[row.id] = Appointment(**row._mapping)
    return {
        row.id: Subject(
            of_site[row.site_id].organisation_id,
            of_site[row.site_id].language,
            found_visits.get(row.visit_id or 0),
            found_appointments.get(row.appointment_id or 0),
        )
        for row in rows
    }


async def health(database: Reader) -> Health:
    """Return what the database tells about the workers. Raises `Unavailable`."""
    now = await database.now()
    async with database.read() as connection:
        oldest = await connection.scalar(select(_due_at).where(_due_at <= now).order_by(_due_at).limit(1))
        late = await connection.scalar(select(func.count()).where(_due_at < now - LATE_MICROSECONDS))
        soon = _due_at <= now + AGAIN_MICROSECONDS
        without = await connection.scalar(select(func.count()).where(soon, notifications.c.reason == NO_CHANNEL))
        swept = await leases.finished_at(connection, LEASE)
    return Health(
        oldest=0 if oldest is None else now - oldest,
        late=late or 0,
        without_channel=without or 0,
        swept=None if swept is None else max(0, now - swept),
    )
