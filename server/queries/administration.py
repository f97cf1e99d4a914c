"""An administrator's lists, page by page: staff, invitations, open sessions, API keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.queries import keyset
from server.queries.identity import SessionTerms, open_sessions
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store import account_links as links
from server.store import second_factors as factors
from server.store.tables import account_links, api_keys, second_factors, sessions, staff

BY_NUMBER: tuple[type, ...] = (int,)  # id
BY_NAME: tuple[type, ...] = (str,)  # a session's id


@dataclass(frozen=True, slots=True)
class StaffListed:
    """A member of staff as an administrator sees them. Instants in milliseconds."""

    id: int
    username: str
    role: str
    active: bool
    second_factor: bool = False
    signed_in_at: int | None = None


@dataclass(frozen=True, slots=True)
class AccountNamed:
    """The account with a user name, of any organisation."""

    id: int
    organisation_id: int
    username: str
    active: bool


@dataclass(frozen=True, slots=True)
class SessionListed:
    """A session that has not ended. Instants in milliseconds."""

    id: str
    staff_id: int
    created_at: int
    used_at: int
    current: bool
    browser: str | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class InvitationListed:
    """An open invitation, without its secret. Instants in milliseconds."""

    id: int
    username: str | None
    role: str
    made_by: str
    made_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class SecondFactorShown:
    """The state of a member's second factor. ``since`` in milliseconds."""

    on: bool
    since: int | None
    recovery_codes_left: int


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
    columns = (staff.c.id, staff.c.username, staff.c.role, staff.c.active, staff.c.signed_in_at)
    factor = second_factors.c.sealed.is_not(None).label("second_factor")
    statement = select(*columns, factor).outerjoin(second_factors, second_factors.c.id == staff.c.id).where(own)
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement, (staff.c.id,), size, after)
        counted = await keyset.total(connection, select(staff.c.id).where(own))
    listed = [
        StaffListed(row.id, row.username, row.role, row.active, bool(row.second_factor), _milliseconds(row.signed_in_at))
        for row in found
    ]
    return keyset.page(listed, counted, lambda member: (member.id,), more=more)


async def account_named(database: Reader, username: str) -> AccountNamed | None:
    """Return the account with a user name in its normal form, active or not, or None. Raises `Unavailable`."""
    columns = (staff.c.id, staff.c.organisation_id, staff.c.username, staff.c.active)
    async with database.read() as connection:
        row = (await connection.execute(select(*columns).where(staff.c.username == username))).one_or_none()
    return AccountNamed(*row) if row else None


async def member_listed(database: Reader, organisation_id: int, staff_id: int) -> StaffListed | None:
    """Return a member of an organisation's staff as the list shows them, or None. Raises `Unavailable`."""
    page = await staff_page(database, organisation_id, 1, (staff_id - 1,))
    return next((each for each in page.rows if each.id == staff_id), None)


async def invitations_page(
    database: Reader, organisation_id: int, now: int, size: int, after: Key | None
) -> Page[InvitationListed]:
    """Return a page of an organisation's invitations that are open at ``now`` (microseconds), by id.

    Raises `Unavailable`.
    """
    own = (
        account_links.c.organisation_id == organisation_id,
        account_links.c.kind == links.INVITATION,
        *links.is_open(now),
    )
    names = ("id", "username", "role", "made_by", "made_at", "expires_at")
    statement = select(*(account_links.c[name] for name in names)).where(*own)
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement, (account_links.c.id,), size, after)
        counted = await keyset.total(connection, select(account_links.c.id).where(*own))
    listed = [
        InvitationListed(row.id, row.username, row.role, row.made_by, row.made_at // 1000, row.expires_at // 1000)
        for row in found
    ]
    return keyset.page(listed, counted, lambda invitation: (invitation.id,), more=more)


async def second_factor(database: Reader, staff_id: int) -> SecondFactorShown:
    """Return the state of a member's second factor. Raises `Unavailable`."""
    async with database.read() as connection:
        factor = await factors.find(connection, staff_id)
        if factor is None or factor.sealed is None:
            return SecondFactorShown(False, None, 0)
        left = await factors.codes_left(connection, staff_id)
        return SecondFactorShown(True, _milliseconds(factor.confirmed_at), left)


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
    names = ("id", "staff_id", "created_at", "used_at", "browser", "platform")
    statement = select(*(sessions.c[name] for name in names)).where(*lives)
    async with database.read() as connection:
        found, more = await keyset.rows(connection, statement, (sessions.c.id,), size, after)
        counted = await keyset.total(connection, select(sessions.c.id).where(*lives))
    listed = [
        SessionListed(
            row.id,
            row.staff_id,
            row.created_at // 1000,
            row.used_at // 1000,
            row.id == current,
            row.browser,
            row.platform,
        )
        for row in found
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


def _milliseconds(instant: int | None) -> int | None:
    return None if instant is None else instant // 1000
