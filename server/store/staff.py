"""Staff and their sessions: the rows that sign-in and an administrator write."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.errors import LastAdmin, NameTaken, StaffNotFound
from server.store.database import new_id
from server.store.tables import organisations, sessions, staff


async def create(connection: AsyncConnection, *, organisation_id: int, username: str, password_hash: str, role: str) -> int:
    """Add a member of staff; return the id. Raises `NameTaken`."""
    if await connection.scalar(select(staff.c.id).where(staff.c.username == username)) is not None:
        raise NameTaken(name=username)
    result = await connection.execute(
        insert(staff).values(
            organisation_id=organisation_id, username=username, password_hash=password_hash, role=role, active=True
        )
    )
    return new_id(result)


async def change(
    connection: AsyncConnection,
    organisation_id: int,
    staff_id: int,
    now: int,
    *,
    role: str | None = None,
    active: bool | None = None,
    password_hash: str | None = None,
) -> tuple[str, str, bool]:
    """Change what is given of a member of an organisation's staff, and end their sessions.

    Returns their user name and, as they are now, their role and whether they may sign in. Raises `StaffNotFound`, and
    `LastAdmin` when nobody could administer the organisation any more.
    """
    # Under the organisation's lock: two administrators who demote each other must not both succeed.
    await connection.execute(select(organisations.c.id).where(organisations.c.id == organisation_id).with_for_update())
    colleagues = staff.c.organisation_id == organisation_id
    before = (
        await connection.execute(
            select(staff.c.username, staff.c.role, staff.c.active).where(staff.c.id == staff_id, colleagues)
        )
    ).one_or_none()
    if before is None:
        raise StaffNotFound(staff_id=staff_id)
    given = {"role": role, "active": active, "password_hash": password_hash}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    after = {"role": before.role, "active": before.active} | values
    if (before.role, before.active) == ("admin", True) and (after["role"], after["active"]) != ("admin", True):
        others = select(staff.c.id).where(colleagues, staff.c.role == "admin", staff.c.active, staff.c.id != staff_id)
        if await connection.scalar(others.limit(1)) is None:
            raise LastAdmin()
    if values:
        await connection.execute(update(staff).where(staff.c.id == staff_id).values(**values))
        await revoke_sessions(connection, staff_id, now)
    return before.username, after["role"], after["active"]


async def change_password(connection: AsyncConnection, staff_id: int, password_hash: str) -> None:
    """Give a member of staff another password."""
    await connection.execute(update(staff).where(staff.c.id == staff_id).values(password_hash=password_hash))


async def open_session(connection: AsyncConnection, session_id: str, staff_id: int, refresh_hash: str, now: int) -> None:
    """Open a session at ``now`` (microseconds)."""
    await connection.execute(
        insert(sessions).values(id=session_id, staff_id=staff_id, refresh_hash=refresh_hash, created_at=now, used_at=now)
    )


async def rotate_session(connection: AsyncConnection, session_id: str, old_hash: str, new_hash: str, now: int) -> bool:
    """Exchange a session's refresh token; return False if the old one is no longer the session's."""
    result = await connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.refresh_hash == old_hash, sessions.c.revoked_at.is_(None))
        .values(refresh_hash=new_hash, used_at=now, rotated_at=now)
    )
    return result.rowcount == 1


async def revoke_reused(connection: AsyncConnection, session_id: str, now: int, before: int) -> bool:
    """End a session whose refresh token was exchanged before an instant (microseconds); return whether it was."""
    result = await connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None), sessions.c.rotated_at < before)
        .values(revoked_at=now)
    )
    return result.rowcount == 1


async def touch_session(connection: AsyncConnection, session_id: str, now: int) -> None:
    """Remember that a session is in use."""
    await connection.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.used_at < now).values(used_at=now)
    )


async def revoke_session(connection: AsyncConnection, session_id: str, now: int) -> None:
    """End a session."""
    await connection.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )


async def revoke_sessions(connection: AsyncConnection, staff_id: int, now: int, *, but: str | None = None) -> None:
    """End every session of a member of staff, but one if it is named."""
    statement = update(sessions).where(sessions.c.staff_id == staff_id, sessions.c.revoked_at.is_(None))
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    await connection.execute(statement.values(revoked_at=now))
