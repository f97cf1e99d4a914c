"""The calendar of a site, read from rows: appointments of all days, and the busy cells of its people and rooms.

In a command it reads under the site's lock. Another site may take a shared person's time meanwhile: then the key of the busy
cells refuses this command, which starts again and sees the cell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select

from server.domain.model import TAKING, Appointment, BusyCell, local_time
from server.store.patients import keyed, phone_digits
from server.store.records import columns_of, record_of
from server.store.tables import appointments, busy_cells, practitioners, sites
from server.vault import Vault, new_token

_COLUMNS = columns_of(Appointment)
_BUSY = select(*(busy_cells.c[name] for name in BusyCell._fields)).where(
    busy_cells.c.resource_id.in_(bindparam("resource_ids", expanding=True)),
    busy_cells.c.cell >= bindparam("from_cell"),
    busy_cells.c.cell < bindparam("until_cell"),
)
_OF_SITE = appointments.c.site_id == bindparam("site_id")
_BY_ID = select(*_COLUMNS).where(appointments.c.id == bindparam("id"), _OF_SITE)
_BY_TOKEN = select(*_COLUMNS).where(appointments.c.token_hash == bindparam("token_hash"), _OF_SITE)
_SPAN = and_(appointments.c.starts_at >= bindparam("from_"), appointments.c.starts_at < bindparam("until"))
_OPEN = appointments.c.state.in_(sorted(TAKING))
_BETWEEN = select(*_COLUMNS).where(_OF_SITE, _SPAN, _OPEN)
_OF_PROVIDERS = select(*_COLUMNS).where(
    appointments.c.provider_id.in_(bindparam("provider_ids", expanding=True)), _SPAN, _OPEN
)
_OF_PHONE = select(*_COLUMNS).where(
    appointments.c.phone_hash == bindparam("phone_hash"), _OF_SITE, _SPAN, appointments.c.state == "booked"
)
_HOLDS = select(*_COLUMNS).where(
    _OF_SITE,
    appointments.c.state == "held",
    appointments.c.held_until > bindparam("now"),
    or_(appointments.c.held_by == bindparam("held_by"), appointments.c.held_from == bindparam("held_from")),
)


def is_outdated(zone: Any, tz_version: Any, now: Any) -> ColumnElement[bool]:
    """Return whether a row is a coming appointment that was derived with another zone or other zone data."""
    return and_(
        appointments.c.starts_at > now,
        _OPEN,
        or_(appointments.c.state != "held", appointments.c.held_until > now),
        or_(appointments.c.zone != zone, appointments.c.tz_version != tz_version),
    )


_OUTDATED = (
    select(*_COLUMNS)
    .where(_OF_SITE, is_outdated(bindparam("zone"), bindparam("tz_version"), bindparam("now")))
    .limit(bindparam("limit"))
)
_FIRST_OUTDATED = _OUTDATED.order_by(appointments.c.starts_at, appointments.c.id)
_LAST_OUTDATED = _OUTDATED.order_by(appointments.c.starts_at.desc(), appointments.c.id.desc())

_WANTING = (
    select(*_COLUMNS)
    .where(
        appointments.c.provider_id == bindparam("provider_id"),
        appointments.c.earlier_since.is_not(None),
        appointments.c.state == "booked",
        appointments.c.starts_at > bindparam("after"),
    )
    .order_by(appointments.c.earlier_since, appointments.c.id)
)
_OF_FOREIGN_IDS = select(*_COLUMNS).where(_OF_SITE, appointments.c.foreign_id.in_(bindparam("foreign_ids", expanding=True)))
_OFFERS_TO = select(*_COLUMNS).where(appointments.c.offered_to == bindparam("appointment_id"))
_OFFERS_OF = select(*_COLUMNS).where(
    appointments.c.provider_id == bindparam("provider_id"),
    appointments.c.starts_at == bindparam("starts_at"),
    appointments.c.offered_to.is_not(None),
)
_PRACTITIONER = (
    select(practitioners.c.id)
    .join(sites, sites.c.organisation_id == practitioners.c.organisation_id)
    .where(practitioners.c.id == bindparam("id"), sites.c.id == bindparam("site_id"))
)


class SiteCalendar:
    """A site's calendar as one transaction sees it: a `server.domain.calendar.Calendar`.

    ``tokens`` maps the hashes of the tokens that this command made or was given to the tokens. ``read`` has the appointments
    that were read by their id or with others, by their id.
    """

    def __init__(self, connection: Connection, site_id: int, vault: Vault) -> None:
        self._connection = connection
        self._site_id = site_id
        self._vault = vault
        self.tokens: dict[str, str] = {}
        self.read: dict[int, Appointment] = {}

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        """As `Times.busy`."""
        if not resource_ids:
            return ()
        values = {"resource_ids": sorted(resource_ids), "from_cell": from_cell, "until_cell": until_cell}
        return [BusyCell(*row) for row in self._connection.execute(_BUSY, values)]

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        """As `Times.between`."""
        if provider_ids is None:
            found = self._all(_BETWEEN, from_=from_, until=until)
        else:
            ids = sorted(provider_ids)
            found = self._all(_OF_PROVIDERS, provider_ids=ids, from_=from_, until=until) if ids else []
        return sorted(found, key=lambda each: (each.starts_at, each.id))

    def appointment(self, appointment_id: int) -> Appointment | None:
        """As `Calendar.appointment`."""
        found = self._all(_BY_ID, id=appointment_id)
        return found[0] if found else None

    def with_token(self, token_hash: str) -> Appointment | None:
        """As `Calendar.with_token`."""
        found = self._all(_BY_TOKEN, token_hash=token_hash)
        return found[0] if found else None

    def of_phone(self, phone_hash: str, from_: int, until: int) -> Sequence[Appointment]:
        """As `Calendar.of_phone`."""
        return self._all(_OF_PHONE, phone_hash=phone_hash, from_=from_, until=until)

    def holds(self, held_by: str, held_from: str, now: int) -> Sequence[Appointment]:
        """As `Calendar.holds`."""
        return self._all(_HOLDS, held_by=held_by, held_from=held_from, now=now)

    def wanting_earlier(self, provider_id: int, after: int) -> Sequence[Appointment]:
        """As `Calendar.wanting_earlier`."""
        return self._all(_WANTING, provider_id=provider_id, after=after)

    def of_foreign_ids(self, foreign_ids: Collection[str]) -> Sequence[Appointment]:
        """As `Calendar.of_foreign_ids`."""
        return self._all(_OF_FOREIGN_IDS, foreign_ids=sorted(set(foreign_ids)))

    def offers_to(self, appointment_id: int) -> Sequence[Appointment]:
        """As `Calendar.offers_to`."""
        return self._all(_OFFERS_TO, appointment_id=appointment_id)

    def offers_of(self, provider_id: int, starts_at: int) -> Sequence[Appointment]:
        """As `Calendar.offers_of`."""
        return self._all(_OFFERS_OF, provider_id=provider_id, starts_at=starts_at)

    def outdated(
        self, zone: str, tz_version: str, now: int, limit: int, *, latest_first: bool = False
    ) -> Sequence[Appointment]:
        """As `Calendar.outdated`."""
        statement = _LAST_OUTDATED if latest_first else _FIRST_OUTDATED
        return self._all(statement, zone=zone, tz_version=tz_version, now=now, limit=limit)

    def token_hash(self, token: str) -> str:
        """As `Calendar.token_hash`."""
        token_hash = self._vault.keyed_hash(token)
        self.tokens[token_hash] = token
        return token_hash

    def new_token_hash(self) -> str:
        """As `Calendar.new_token_hash`."""
        return self.token_hash(new_token(self._site_id, "a"))

    def phone_hash(self, phone: str) -> str:
        """As `Calendar.phone_hash`."""
        return keyed(self._vault, self._site_id, "phone", phone_digits(phone))

    def has_practitioner(self, practitioner_id: int) -> bool:
        """As `Calendar.has_practitioner`."""
        found = self._connection.execute(_PRACTITIONER, {"site_id": self._site_id, "id": practitioner_id})
        return found.one_or_none() is not None

    def tz_version(self) -> str:
        """As `Calendar.tz_version`."""
        return local_time.tz_version()

    def _all(self, statement: Any, **values: Any) -> list[Appointment]:
        rows = self._connection.execute(statement, {"site_id": self._site_id} | values)
        found = [record_of(Appointment, row._mapping) for row in rows]
        found = [each for each in found if each.site_id == self._site_id]
        self.read |= {each.id: each for each in found}
        return found
