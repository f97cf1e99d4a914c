"""Who a change would reach: the patients of several appointments by way, the parts of their SMS, and those to phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from server import phones
from server.domain.errors import AppointmentNotFound
from server.domain.flags import DEFAULTS, Flags
from server.domain.messages import Way
from server.domain.model import Appointment, Site
from server.domain.model.ids import site_of
from server.notifying import sms
from server.notifying.compose import compose, reachable
from server.notifying.context import Channels
from server.queries import messages, sites
from server.queries.messages import Subject
from server.store import opt_outs
from server.store.database import Database
from server.store.notifications import Claimed
from server.store.opt_outs import HashedAddress
from server.vault import Vault

BulkKind = Literal["moved", "cancelled"]
Unreached = Literal["no-way", "no-address", "opted-out", "no-channel"]


@dataclass(frozen=True, slots=True)
class ByWay:
    """The patients that one way reaches, and the parts of all their messages (0 for a way without parts)."""

    way: Way
    patients: int
    parts: int


@dataclass(frozen=True, slots=True)
class ToPhone:
    """A patient that no message reaches, with the reason. Personal data are None for a reader without the right."""

    appointment_id: int
    local_start: str
    reason: Unreached
    name: str | None
    phone: str | None
    phone_shown: str | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The patients of some appointments; one with two appointments counts twice. ``phone`` is in the order of the starts."""

    patients: int
    ways: tuple[ByWay, ...]
    phone: tuple[ToPhone, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """Looks ahead at the messages of one database. ``link_base`` is the beginning of patients' links."""

    _database: Database
    _vault: Vault
    _channels: Channels
    _link_base: str
    _flags: Flags = DEFAULTS

    async def of(self, site_id: int, kind: BulkKind, appointment_ids: Iterable[int], *, personal: bool) -> Reached:
        """Return who a message of ``kind`` about these appointments would reach. One that has begun counts for nobody.

        With ``personal``, the patients to phone have their names and numbers. Raises `AppointmentNotFound` and
        `Unavailable`.
        """
        rows = [_row(site_id, kind, each) for each in dict.fromkeys(appointment_ids)]
        now = await self._database.now()
        site = await sites.find(self._database, site_id)
        found = await messages.subjects(self._database, rows) if rows else {}
        subjects = {row_id: reachable(subject, self._flags) for row_id, subject in found.items()}
        ready = {way for way in site.rules.message_ways if await self._channels.of(site.organisation_id, way) is not None}
        addresses = {row.id: self._addresses(site, subjects[row.id]) for row in rows}
        stopped = await self._stopped(addresses.values())
        patients: Counter[Way] = Counter()
        parts: Counter[Way] = Counter()
        to_phone: list[ToPhone] = []
        for row in rows:
            subject = subjects[row.id]
            appointment = subject.appointment
            if appointment is None or site_of(row.id) != site_id:
                raise AppointmentNotFound()
            if appointment.starts_at <= now:
                continue
            way = next((way for way, address in addresses[row.id].items() if address not in stopped), None)
            if way is None or way not in ready:
                reason: Unreached = "no-channel" if way else "opted-out" if addresses[row.id] else "no-address"
                reason = reason if site.rules.message_ways else "no-way"
                to_phone.append(self._to_phone(site, appointment, reason, personal=personal))
                continue
            patients[way] += 1
            parts[way] += self._parts(row, subject, way, now)
        return Reached(
            patients=patients.total() + len(to_phone),
            ways=tuple(ByWay(way, patients[way], parts[way]) for way in site.rules.message_ways if patients[way]),
            phone=tuple(sorted(to_phone, key=lambda each: (each.local_start, each.appointment_id))),
        )

    def _addresses(self, site: Site, subject: Subject) -> dict[Way, HashedAddress]:
        """Return the addresses of a patient by the site's ways, in their order."""
        found = subject.addresses(site.rules.message_ways, self._vault)
        return {way: opt_outs.hashed(self._vault, site.organisation_id, way, address) for way, address in found.items()}

    async def _stopped(self, addresses: Iterable[Mapping[Way, HashedAddress]]) -> Collection[HashedAddress]:
        """Return the addresses that take no messages."""
        async with self._database.read() as connection:
            return await opt_outs.sources(connection, {each for of_patient in addresses for each in of_patient.values()})

    def _parts(self, row: Claimed, subject: Subject, way: Way, now: int) -> int:
        if way != "sms":
            return 0
        message = compose(row, subject, self._vault, self._link_base, now)
        return 0 if message is None else sms.parts(message.text)

    def _to_phone(self, site: Site, appointment: Appointment, reason: Unreached, *, personal: bool) -> ToPhone:
        known = self._vault.open_personal(appointment) if personal else None
        phone = known.phone if known is not None else None
        return ToPhone(
            appointment_id=appointment.id,
            local_start=appointment.local_start,
            reason=reason,
            name=None if known is None else known.name,
            phone=phone,
            phone_shown=None if phone is None else phones.shown(phone, site),
        )


def _row(site_id: int, kind: BulkKind, appointment_id: int) -> Claimed:
    """Return the row that a message about the appointment would have."""
    return Claimed(
        id=appointment_id,
        site_id=site_id,
        subject=f"appointment:{appointment_id}",
        kind=kind,
        ahead=0,
        channel="sms",
        visit_id=None,
        appointment_id=appointment_id,
        not_after=0,
        attempts=0,
    )
