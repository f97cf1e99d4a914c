"""Look-ups of identity: by session, API key, device token or ticket token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, literal, select, union_all

from server.queries.reader import LookUp, Reader
from server.queries.together import Together
from server.store.tables import api_keys, appointments, displays, entries, kiosks, pairings, sessions, sites, staff, visits


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of staff with the password hash."""

    id: int
    organisation_id: int
    username: str
    password_hash: str
    role: str


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How long a session lasts, in microseconds: in all, without use, and without use by an administrator."""

    longest: int = 12 * 3_600_000_000
    idle: int = 60 * 60_000_000
    idle_of_admin: int = 30 * 60_000_000

    def has_ended(self, session: SessionState) -> bool:
        """Return whether a session has ended by its age, or because nobody used it."""
        idle = self.idle_of_admin if session.member.role == "admin" else self.idle
        return session.idle > idle or session.now >= session.created_at + self.longest


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session and its member of staff. Instants in microseconds."""

    id: str
    created_at: int
    used_at: int
    now: int
    member: StaffMember

    @property
    def idle(self) -> int:
        """The time since its last use, in microseconds."""
        return self.now - self.used_at


@dataclass(frozen=True, slots=True)
class ApiKeyState:
    """An API key that is not revoked, and the sites that it opens. Instants in microseconds."""

    id: int
    organisation_id: int
    site_id: int | None
    last_used_at: int | None
    now: int

    @property
    def unused(self) -> int:
        """The time since its last use, in microseconds."""
        return self.now - (self.last_used_at or 0)


@dataclass(frozen=True, slots=True)
class SiteListed:
    """A site as lists show it to its staff."""

    id: int
    name: str
    time_zone: str
    language: str


async def has_admin(database: Reader) -> bool:
    """Return whether an administrator of any organisation may sign in. Raises `Unavailable`."""
    async with database.read() as connection:
        admins = select(staff.c.id).where(staff.c.role == "admin", staff.c.active)
        return (await connection.execute(admins.limit(1))).first() is not None


@dataclass(frozen=True, slots=True)
class Identities:
    """Looks up people and devices in one database. Each method is one query and raises `Unavailable`.

    Displays and tickets of one moment share a query.
    """

    database: LookUp
    _displays: Together[int] = field(init=False)
    _tickets: Together[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_displays", Together(self._displays_of))
        object.__setattr__(self, "_tickets", Together(self._tickets_of))

    async def member(self, username: str) -> StaffMember | None:
        """Return the active member of staff with this user name, in its normal form, or None."""
        row = await self.database.look_up(_MEMBER.where(staff.c.username == username, staff.c.active))
        return StaffMember(*row) if row else None

    async def active_member(self, staff_id: int) -> StaffMember | None:
        """Return the active member of staff with this id, or None."""
        row = await self.database.look_up(_MEMBER.where(staff.c.id == staff_id, staff.c.active))
        return StaffMember(*row) if row else None

    async def session(self, session_id: str) -> SessionState | None:
        """Return a session that is not revoked, of an active member, or None. The caller checks `SessionTerms`."""
        row = await self.database.look_up(_SESSION, session_id=session_id)
        if row is None:
            return None
        session_id, created_at, used_at, *member = row
        return SessionState(session_id, created_at, used_at, self.database.clock.now(), StaffMember(*member))

    async def api_key(self, key_hash: str) -> ApiKeyState | None:
        """Return the API key with this hash, or None if it is unknown or revoked."""
        columns = (api_keys.c.id, api_keys.c.organisation_id, api_keys.c.site_id, api_keys.c.last_used_at)
        statement = select(*columns).where(api_keys.c.key_hash == key_hash, api_keys.c.revoked_at.is_(None))
        row = await self.database.look_up(statement)
        if row is None:
            return None
        key_id, organisation_id, only_site_id, last_used_at = row
        return ApiKeyState(key_id, organisation_id, only_site_id, last_used_at, self.database.clock.now())

    async def pairing(self, secret_hash: str) -> int | None:
        """Return the id of the open pairing with this secret, or None."""
        here, now = pairings.c.secret_hash == secret_hash, self.database.clock.now()
        statement = select(pairings.c.id).where(here, pairings.c.expires_at > now, pairings.c.told.is_(False))
        row = await self.database.look_up(statement)
        return row.id if row else None

    async def colleague(self, organisation_id: int, staff_id: int) -> StaffMember | None:
        """Return a member of this organisation's staff, active or not, or None."""
        statement = _MEMBER.where(staff.c.id == staff_id, staff.c.organisation_id == organisation_id)
        row = await self.database.look_up(statement)
        return StaffMember(*row) if row else None

    async def living_sessions(self, session_ids: Collection[str], terms: SessionTerms) -> dict[str, str]:
        """Return the role of each of these sessions that has not ended, and is of an active member."""
        statement = (
            select(sessions.c.id, staff.c.role)
            .join(staff, staff.c.id == sessions.c.staff_id)
            .where(sessions.c.id.in_(session_ids), *open_sessions(terms, self.database.clock.now()), staff.c.active)
        )
        async with self.database.read() as connection:
            return {row.id: row.role for row in await connection.execute(statement)}

    async def display(self, token_hash: str) -> int | None:
        """Return the id of the display with this token, or None."""
        return await self._displays.get(token_hash)

    async def kiosk(self, token_hash: str) -> int | None:
        """Return the id of the kiosk with this token, or None."""
        row = await self.database.look_up(select(kiosks.c.id).where(kiosks.c.token_hash == token_hash))
        return row.id if row else None

    async def _displays_of(self, token_hashes: Sequence[str]) -> dict[str, int]:
        statement = select(displays.c.token_hash, displays.c.id)
        return {row[0]: row[1] for row in await self._rows(statement, displays.c.token_hash, token_hashes)}

    async def _tickets_of(self, token_hashes: Sequence[str]) -> dict[str, tuple[int, int]]:
        statement = select(visits.c.token_hash, visits.c.id, visits.c.opened_at)
        return {row[0]: (row[1], row[2]) for row in await self._rows(statement, visits.c.token_hash, token_hashes)}

    async def _rows(
        self, statement: Select[*tuple[Any, ...]], column: ColumnElement[Any], values: Sequence[str]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        if len(values) == 1:  # as nearly always: `look_up` costs less
            row = await self.database.look_up(statement.where(column == values[0]))
            return [] if row is None else [row]
        async with self.database.read() as connection:
            return (await connection.execute(statement.where(column.in_(values)))).all()

    async def device(self, token_hash: str) -> tuple[Literal["display", "kiosk"], int] | None:
        """Return the kind and the id of the device with this token, or None."""
        statement = union_all(
            select(literal("display"), displays.c.id).where(displays.c.token_hash == token_hash),
            select(literal("kiosk"), kiosks.c.id).where(kiosks.c.token_hash == token_hash),
        )
        row = await self.database.look_up(statement)
        return (row[0], row[1]) if row else None

    async def ticket(self, token_hash: str, earliest: int) -> int | None:
        """Return the id of the visit with this token that was opened after ``earliest`` (microseconds), or None."""
        found = await self._tickets.get(token_hash)
        return found[0] if found is not None and found[1] > earliest else None

    async def appointment(self, token_hash: str) -> int | None:
        """Return the id of the appointment or hold with this token, or None."""
        row = await self.database.look_up(select(appointments.c.id).where(appointments.c.token_hash == token_hash))
        return row.id if row else None

    async def visit_of(self, entry_id: int) -> int | None:
        """Return the id of an entry's visit, or None."""
        row = await self.database.look_up(select(entries.c.visit_id).where(entries.c.id == entry_id))
        return row.visit_id if row else None

    async def visit_of_appointment(self, appointment_id: int) -> int | None:
        """Return the id of the visit of an appointment after its check-in, or None."""
        row = await self.database.look_up(select(appointments.c.visit_id).where(appointments.c.id == appointment_id))
        return row.visit_id if row else None

    async def organisation_of(self, site_id: int) -> int | None:
        """Return the id of a site's organisation, or None if there is no such site."""
        row = await self.database.look_up(select(sites.c.organisation_id).where(sites.c.id == site_id))
        return row.organisation_id if row else None

    async def sites(self, organisation_id: int) -> list[SiteListed]:
        """Return an organisation's sites by name."""
        statement = select(sites.c.id, sites.c.name, sites.c.time_zone, sites.c.language).where(
            sites.c.organisation_id == organisation_id
        )
        async with self.database.read() as connection:
            return [SiteListed(*row) for row in await connection.execute(statement.order_by(sites.c.name, sites.c.id))]


def open_sessions(terms: SessionTerms, now: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on `sessions`, joined with `staff`, that a session has not ended: `SessionTerms` as SQL."""
    idle = case((staff.c.role == "admin", terms.idle_of_admin), else_=terms.idle)
    return (sessions.c.revoked_at.is_(None), sessions.c.used_at >= now - idle, sessions.c.created_at > now - terms.longest)


_MEMBER = select(staff.c.id, staff.c.organisation_id, staff.c.username, staff.c.password_hash, staff.c.role)


_SESSION = (  # every request of staff runs this
    select(sessions.c.id, sessions.c.created_at, sessions.c.used_at, *_MEMBER.selected_columns)
    .join(staff, staff.c.id == sessions.c.staff_id)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.revoked_at.is_(None), staff.c.active)
)
