"""Accounts of staff and their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.errors import NameTaken
from server.store import setup_codes
from server.store.database import new_id
from server.store.tables import organisations, sessions, staff


async def create(connection: AsyncConnection, *, organisation_id: int, username: str, password_hash: str, role: str) -> int:
    """Add a member of staff; return the id. The first administrator ends the first run. Raises `NameTaken`."""
    if role == "admin":
        await setup_codes.end(connection)
    if await connection.scalar(select(staff.c.id).where(staff.c.username == username)) is not None:
        raise NameTaken(name=username)
    result = await connection.execute(
        insert(staff).values(
            organisation_id=organisation_id, username=username, password_hash=password_hash, role=role, active=True
        )
    )
    return new_id(result)


@dataclass(frozen=True, slots=True)
class Account:
    """A member of staff as an administrator sees them: the user name, the role, and whether they may sign in."""

    username: str
    role: str
    active: bool


async def lock_organisation(connection: AsyncConnection, organisation_id: int) -> None:
    """Hold an organisation until the end of the transaction."""
    await connection.execute(select(organisations.c.id).where(organisations.c.id == organisation_id).with_for_update())


async def account(connection: AsyncConnection, organisation_id: int, staff_id: int) -> Account | None:
    """Return the account of a member of an organisation's staff, or None."""
    columns = (staff.c.username, staff.c.role, staff.c.active)
    mine = (staff.c.id == staff_id, staff.c.organisation_id == organisation_id)
    row = (await connection.execute(select(*columns).where(*mine))).one_or_none()
    return Account(*row) if row else None


async def has_other_admin(connection: AsyncConnection, organisation_id: int, staff_id: int) -> bool:
    """Return whether an organisation has an active administrator other than ``staff_id``."""
    admins = (staff.c.organisation_id == organisation_id, staff.c.role == "admin", staff.c.active)
    others = select(staff.c.id).where(*admins, staff.c.id != staff_id)
    return await connection.scalar(others.limit(1)) is not None


async def change(
    connection: AsyncConnection, staff_id: int, *, role: str | None, active: bool | None, password_hash: str | None
) -> None:
    """Write the fields of an account that are not None; at least one is given."""
    given = {"role": role, "active": active, "password_hash": password_hash}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    await connection.execute(update(staff).where(staff.c.id == staff_id).values(**values))


async def change_password(connection: AsyncConnection, staff_id: int, password_hash: str) -> None:
    """Change the password hash of a member of staff."""
    await connection.execute(update(staff).where(staff.c.id == staff_id).values(password_hash=password_hash))


@dataclass(frozen=True, slots=True)
class SignInState:
    """What a sign-in reads again under the lock of the account: whether the member is active, and the password hash."""

    active: bool
    password_hash: str


async def lock_for_sign_in(connection: AsyncConnection, staff_id: int) -> SignInState | None:
    """Hold the account of a member until the end of the transaction; return its state, or None without an account."""
    statement = select(staff.c.active, staff.c.password_hash).where(staff.c.id == staff_id)
    row = (await connection.execute(statement.with_for_update())).one_or_none()
    return SignInState(*row) if row else None


async def open_session(
    connection: AsyncConnection,
    session_id: str,
    staff_id: int,
    refresh_hash: str,
    now: int,
    *,
    browser: str | None = None,
    platform: str | None = None,
) -> None:
    """Open a session at ``now`` (microseconds), with the names of its browser and operating system, if they are known."""
    values = {"refresh_hash": refresh_hash, "created_at": now, "used_at": now, "browser": browser, "platform": platform}
    await connection.execute(insert(sessions).values(id=session_id, staff_id=staff_id, **values))
    await connection.execute(update(staff).where(staff.c.id == staff_id).values(signed_in_at=now))


@dataclass(frozen=True, slots=True)
class RefreshState:
    """The hash of a session's refresh token, and the tokens that were exchanged lately, as `server.identity.sessions` writes
    them."""

    refresh_hash: str
    spent: str


async def refresh_state(connection: AsyncConnection, session_id: str) -> RefreshState | None:
    """Return the refresh tokens of a session that is not revoked, or None. Holds the row until the transaction ends."""
    columns = (sessions.c.refresh_hash, sessions.c.spent)
    here = (sessions.c.id == session_id, sessions.c.revoked_at.is_(None))
    row = (await connection.execute(select(*columns).where(*here).with_for_update())).one_or_none()
    return RefreshState(row.refresh_hash, row.spent or "") if row else None


async def rotate_session(connection: AsyncConnection, session_id: str, state: RefreshState, used_at: int) -> None:
    """Write the refresh tokens of a session, and the instant (microseconds) of its last use."""
    values = {"refresh_hash": state.refresh_hash, "spent": state.spent, "used_at": used_at}
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(values))


async def touch_session(connection: AsyncConnection, session_id: str, now: int) -> None:
    """Record that a session is in use at ``now`` (microseconds)."""
    await connection.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.used_at < now).values(used_at=now)
    )


async def revoke_session(connection: AsyncConnection, session_id: str, now: int) -> None:
    """End a session."""
    await connection.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )


async def revoke_sessions(connection: AsyncConnection, staff_id: int, now: int, *, but: str | None = None) -> int:
    """End every session of a member of staff, except the session ``but``; return the number of them."""
    statement = update(sessions).where(sessions.c.staff_id == staff_id, sessions.c.revoked_at.is_(None))
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    return (await connection.execute(statement.values(revoked_at=now))).rowcount
