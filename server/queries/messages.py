"""What the sending of messages reads: due rows, the records that messages are made from, and the health of the workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, TypeVar

import orjson
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.messages import Way, address_for, subscriber_of
from server.domain.model import Appointment, Personal, Site, Visit
from server.queries import message_texts
from server.queries.message_texts import Texts
from server.queries.reader import LookUp, Reader
from server.store import leases, sites
from server.store.notifications import NO_CHANNEL
from server.store.push_subscriptions import seals_for
from server.store.records import columns_of, record_of
from server.store.tables import TABLES, notifications, providers, push_subscriptions
from server.vault import Vault

T = TypeVar("T", Visit, Appointment)

LEASE = "messages"  # the name of the sweeps' lease
BEAT = "beat"  # the name under which a worker notes that beat woke it
LATE_MICROSECONDS = 5 * 60_000_000
AGAIN_MICROSECONDS = 60_000_000  # a row without a channel is due again so much later

_due_at = notifications.c.open_due_at
# Not "= due": SQLite would then read every due row by its state, also those of next month.
_IS_DUE = select(notifications.c.id).where(_due_at <= bindparam("now"), notifications.c.state != "claimed").limit(1)


class OfSubject(Protocol):
    """A row of a message, with the ids of its records."""

    @property
    def id(self) -> int: ...
    @property
    def site_id(self) -> int: ...
    @property
    def visit_id(self) -> int | None: ...
    @property
    def appointment_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """The push subscription of a patient's phone, as it is stored. ``created_at`` is in microseconds."""

    subject_id: int
    sealed: str
    created_at: int

    def opened(self, vault: Vault) -> dict[str, Any]:
        """Return the ``endpoint`` and the ``keys``, and the ``page`` that subscribed."""
        found: dict[str, Any] = orjson.loads(vault.open(self.sealed, seals_for(self.subject_id)))
        return found


@dataclass(frozen=True, slots=True)
class Subject:
    """The records of one message, and the clinic's own ``texts``.

    ``asking`` is the appointment whose patient may take the freed time ``appointment``.
    """

    site: Site
    visit: Visit | None = None
    appointment: Appointment | None = None
    asking: Appointment | None = None
    provider: str = ""
    texts: Texts = field(default_factory=dict)
    subscription: Subscription | None = None

    @property
    def record(self) -> Appointment | Visit | None:
        """The record with the data of the patient who gets the message."""
        return self.asking or self.appointment or self.visit

    def address_of(self, personal: Personal, way: Way, vault: Vault) -> str | None:
        """Return the present address on a way of the patient with these ``personal`` data, or None."""
        subscription = None
        if way == "push" and self.subscription is not None:
            opened = self.subscription.opened(vault)
            subscription = orjson.dumps({name: opened[name] for name in ("endpoint", "keys")}).decode()
        return address_for(personal, way, subscription)

    def addresses(self, ways: Iterable[Way], vault: Vault) -> dict[Way, str]:
        """Return the present addresses of the patient on these ways, in their order, without the ways that have none."""
        if self.record is None:
            return {}
        personal = vault.open_personal(self.record)
        found = ((way, self.address_of(personal, way, vault)) for way in ways)
        return {way: address for way, address in found if address is not None}


@dataclass(frozen=True, slots=True)
class Health:
    """What the database tells about the workers. Instants and ages are in microseconds.

    ``oldest`` is the age of the oldest due row, 0 without one. ``late`` counts the rows that have been due for more
    than five minutes, ``without_channel`` those that no channel can send. ``swept`` is the age of the last finished sweep,
    ``beat`` that of the last time that beat woke a worker.
    """

    oldest: int
    late: int
    without_channel: int
    swept: int | None
    beat: int | None

    @property
    def trouble(self) -> str | None:
        """What is wrong, for `/health/ready`, or None."""
        if self.without_channel:
            return f"degraded: {self.without_channel} messages have no channel"
        if self.late:
            return f"degraded: the oldest message is {self.oldest // 1_000_000} s late"
        return None


async def is_due(database: LookUp) -> bool:
    """Return whether a row can be claimed now. Raises `Unavailable`."""
    return await database.look_up(_IS_DUE, now=await database.now()) is not None


async def subjects(database: Reader, rows: Sequence[OfSubject]) -> dict[int, Subject]:
    """Return the records of rows, by the rows' ids. Raises `Unavailable`."""
    visit_ids = {row.visit_id for row in rows if row.visit_id is not None}
    appointment_ids = {row.appointment_id for row in rows if row.appointment_id is not None}
    async with database.read() as connection:
        site_ids = {row.site_id for row in rows}
        of_site = await sites.of_ids(connection, site_ids)
        own = await message_texts.of_sites(connection, site_ids)
        found_visits = await _records(connection, Visit, visit_ids)
        booked = await _records(connection, Appointment, appointment_ids)
        asking = {each.offered_to for each in booked.values() if each.offered_to is not None}
        booked |= await _records(connection, Appointment, asking)
        names: dict[int, str] = {}
        if booked:
            named = select(providers.c.id, providers.c.name)
            named = named.where(providers.c.id.in_({each.provider_id for each in booked.values()}))
            names = {row.id: row.name for row in await connection.execute(named)}
        subscriptions: dict[int, Subscription] = {}
        if any("push" in site.rules.message_ways for site in of_site.values()):
            ids = {subscriber_of(each) for each in found_visits.values()} | set(booked)
            subscriptions = await _subscriptions(connection, ids)
    found: dict[int, Subject] = {}
    for row in rows:
        appointment = booked.get(row.appointment_id or 0)
        subject = Subject(
            site=of_site[row.site_id],
            visit=found_visits.get(row.visit_id or 0),
            appointment=appointment,
            asking=None if appointment is None else booked.get(appointment.offered_to or 0),
            provider="" if appointment is None else names.get(appointment.provider_id, ""),
            texts=own[row.site_id],
        )
        if subject.record is not None:
            subject = replace(subject, subscription=subscriptions.get(subscriber_of(subject.record)))
        found[row.id] = subject
    return found


async def _subscriptions(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Subscription]:
    if not ids:
        return {}
    columns = (push_subscriptions.c[each.name] for each in fields(Subscription))
    rows = await connection.execute(select(*columns).where(push_subscriptions.c.subject_id.in_(ids)))
    return {row.subject_id: Subscription(*row) for row in rows}


async def _records(connection: AsyncConnection, kind: type[T], ids: Collection[int]) -> dict[int, T]:
    if not ids:
        return {}
    statement = select(*columns_of(kind)).where(TABLES[kind].c.id.in_(ids))
    return {row.id: record_of(kind, row._mapping) for row in await connection.execute(statement)}


async def health(database: Reader) -> Health:
    """Return what the database tells about the workers. Raises `Unavailable`."""
    now = await database.now()
    async with database.read() as connection:
        oldest = await connection.scalar(select(_due_at).where(_due_at <= now).order_by(_due_at).limit(1))
        late = await connection.scalar(select(func.count()).where(_due_at < now - LATE_MICROSECONDS))
        soon = _due_at <= now + AGAIN_MICROSECONDS
        without = await connection.scalar(select(func.count()).where(soon, notifications.c.reason == NO_CHANNEL))
        ended = await leases.finished(connection, (LEASE, BEAT))
    return Health(
        oldest=0 if oldest is None else now - oldest,
        late=late or 0,
        without_channel=without or 0,
        swept=_age(ended.get(LEASE), now),
        beat=_age(ended.get(BEAT), now),
    )


def _age(instant: int | None, now: int) -> int | None:
    return None if instant is None else max(0, now - instant)
