"""An administrator's lists, page by page: staff, open sessions, API keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.queries import keyset
from server.queries.identity import SessionTerms, open_sessions
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store.tables import api_keys, sessions, staff

BY_NUMBER: tuple[type, ...] = (int,)  # id
BY_NAME: tuple[type, ...] = (str,)  # a session's id


@dataclass(frozen=True, slots=True)
class StaffListed:
    """A member of staff as an administrator sees them."""

    id: int
    username: str
    role: str
    active: bool


@dataclass(frozen=True, slots=True)
class SessionListed:
    """A session that has not ended. Instants in milliseconds."""

    id: str
    staff_id: int
    created_at: int
    used_at: int
    current: bool


@dataclass(frozen=True, slots=True)
class ApiKeyListed:
    """An API key as an administrator sees it, without the key. Instants in milliseconds."""

    id: int
    name: str
    site_id: int | None
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


async def staff_page(database: Reader, organisation_id: int, size: int, after: Key | None) -> Page[StaffListed]:
    """Return a page of an organisation's staff, by id. Raises `Unavailable`."""
    own = staff.c.organisation_id == organisation_id
    statement = select(staff.c.id, staff.c.username, staff.c.role, staff.c.active).where(own)
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement, (staff.c.id,), size, after)
        counted = await keyset.total(connection, select(staff.c.id).where(own))
    return keyset.page([StaffListed(*row) for row in found], counted, lambda member: (member.id,), more=more)


async def sessions_page(
    database: Reader, staff_id: int, terms: SessionTerms, now: int, current: str, size: int, after: Key | None
) -> Page[SessionListed]:
    """Return a page of a member's sessions that have not ended at ``now`` (microseconds), by id.

    ``current`` is the session of the request. Raises `Unavailable`.
    """
    lives = (
        sessions.c.staff_id == staff_id,
        staff.c.id == sessions.c.staff_id,
        *open_sessions(terms, now),
    )
    statement = select(sessions.c.id, sessions.c.staff_id, sessions.c.created_at, sessions.c.used_at).where(*lives)
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement, (sessions.c.id,), size, after)
        counted = await keyset.total(connection, select(sessions.c.id).where(*lives))
    listed = [
        SessionListed(row.id, row.staff_id, row.created_at // 1000, row.used_at // 1000, row.id == current) for row in found
    ]
    return keyset.page(listed, counted, lambda session: (session.id,), more=more)


async def api_keys_page(database: Reader, organisation_id: int, size: int, after: Key | None) -> Page[ApiKeyListed]:
    """Return a page of an organisation's API keys, by id, revoked ones too. Raises `Unavailable`."""
    own = api_keys.c.organisation_id == organisation_id
    async with database.read() as connection:
        found, more = await keyset.rows(connection, select(api_keys).where(own), (api_keys.c.id,), size, after)
        counted = await keyset.total(connection, select(api_keys.c.id).where(own))
    listed = [
        ApiKeyListed(
            row.id,
            row.name,
            row.site_id,
            row.created_at // 1000,
            None if row.last_used_at is None else row.last_used_at // 1000,
            None if row.revoked_at is None else row.revoked_at // 1000,
        )
        for row in found
    ]
    return keyset.page(listed, counted, lambda key: (key.id,), more=more)
