"""Appointments of any day, read from rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select

from server.domain.model import Appointment, Site, local_time
from server.domain.model.hours import DAY_MINUTES
from server.queries.reader import Reader
from server.store.calendar import is_outdated
from server.store.records import columns_of, record_of
from server.store.tables import appointments, sites

PROMISED = ("booked", "checked_in", "fulfilled")


async def find(database: Reader, appointment_id: int) -> Appointment | None:
    """Return an appointment in any state, or None for an unknown id. Raises `Unavailable`."""
    statement = select(*columns_of(Appointment)).where(appointments.c.id == appointment_id)
    async with database.read() as connection:
        row = (await connection.execute(statement)).first()
    return None if row is None else record_of(Appointment, row._mapping)


async def of_provider(database: Reader, provider_id: int, from_: int, until: int, limit: int) -> list[Appointment]:
    """Return the appointments of a provider that start in a time (microseconds), in order. Raises `Unavailable`."""
    statement = (
        select(*columns_of(Appointment))
        .where(
            appointments.c.provider_id == provider_id,
            appointments.c.starts_at >= from_,
            appointments.c.starts_at < until,
            appointments.c.state.in_(PROMISED),
        )
        .order_by(appointments.c.starts_at, appointments.c.id)
        .limit(limit)
    )
    async with database.read() as connection:
        return [record_of(Appointment, row._mapping) for row in await connection.execute(statement)]


async def of_date(database: Reader, site: Site, date: str) -> Sequence[Appointment]:
    """Return the appointments of a site that start on a local date, by time, in every state but lapsed and released holds.

    Raises `InvalidField` for a year without local times, and `Unavailable`.
    """
    day = local_time.date_of(date, "date").isoformat()
    begin, end = (local_time.first_instant(day, site.time_zone, minutes) for minutes in (0, DAY_MINUTES))
    now = database.clock.now()
    statement = (
        select(*columns_of(Appointment))
        .where(
            appointments.c.site_id == site.id,
            appointments.c.starts_at >= begin,
            appointments.c.starts_at < end,
            or_(appointments.c.held_until.is_(None), appointments.c.held_until > now, appointments.c.state != "held"),
            appointments.c.state != "expired",
        )
        .order_by(appointments.c.starts_at, appointments.c.id)
    )
    async with database.read() as connection:
        return [record_of(Appointment, row._mapping) for row in await connection.execute(statement)]


async def with_outdated_appointments(database: Reader) -> list[int]:
    """Return the sites with coming appointments of another zone or other zone data. Raises `Unavailable`."""
    now = await database.now()
    outdated = (
        select(appointments.c.id)
        .where(appointments.c.site_id == sites.c.id, is_outdated(sites.c.time_zone, local_time.tz_version(), now))
        .exists()
    )
    async with database.read() as connection:
        return list(await connection.scalars(select(sites.c.id).where(outdated)))


async def present_holds(database: Reader) -> list[int]:
    """Return the holds and offers that still take time, of all sites. Raises `Unavailable`."""
    now = await database.now()
    statement = select(appointments.c.id).where(appointments.c.state == "held", appointments.c.held_until > now)
    async with database.read() as connection:
        return list(await connection.scalars(statement.order_by(appointments.c.id)))


async def lapsed_offers(database: Reader) -> list[int]:
    """Return the holds for patients of the waiting list that lapsed unanswered. Raises `Unavailable`."""
    now = await database.now()
    statement = select(appointments.c.id).where(
        appointments.c.offered_to.is_not(None), appointments.c.state == "held", appointments.c.held_until <= now
    )
    async with database.read() as connection:
        return list(await connection.scalars(statement))
