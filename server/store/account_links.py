"""Links with which people set a password: invitations of new staff, and reset links of members.

Only the keyed hash of a link's secret is stored. An ended link stays for the record; `server.store.retention` deletes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import proofs
from server.store.database import new_id
from server.store.tables import account_links, organisations, staff
from server.vault import Vault

Kind = Literal["invitation", "reset"]
INVITATION: Kind = "invitation"
RESET: Kind = "reset"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is open. ``username`` and ``role`` are those of the account; an invitation may leave the name open."""

    id: int
    organisation_id: int
    kind: Kind
    staff_id: int | None
    username: str | None
    role: str
    organisation: str
    made_by: str
    expires_at: int


async def create(connection: AsyncConnection, vault: Vault, **values: Any) -> int:
    """Add a link with these columns; return its id."""
    link_id = new_id(await connection.execute(insert(account_links).values(**values)))
    await proofs.add(connection, vault, account_links, link_id)
    return link_id


async def find(connection: AsyncConnection, secret_hash: str, now: int) -> Link | None:
    """Return the open link with this secret at ``now`` (microseconds), or None. Its member, if any, is active."""
    columns = (
        *(account_links.c.id, account_links.c.organisation_id, account_links.c.kind, account_links.c.staff_id),
        func.coalesce(staff.c.username, account_links.c.username),
        func.coalesce(staff.c.role, account_links.c.role),
        *(organisations.c.name, account_links.c.made_by, account_links.c.expires_at, staff.c.active),
    )
    statement = (
        select(*columns)
        .join(organisations, organisations.c.id == account_links.c.organisation_id)
        .outerjoin(staff, staff.c.id == account_links.c.staff_id)
        .where(account_links.c.secret_hash == secret_hash, *is_open(now))
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    *found, active = row
    link = Link(*found)
    return link if link.kind == INVITATION or active else None


async def take(connection: AsyncConnection, vault: Vault, link_id: int, now: int) -> bool:
    """Use a link up; return False if it has ended, or if its row is not what this installation wrote."""
    if not await proofs.holds(connection, vault, account_links, link_id):
        return False
    mine = update(account_links).where(account_links.c.id == link_id, *is_open(now))
    if (await connection.execute(mine.values(used_at=now))).rowcount != 1:
        return False
    await proofs.prove(connection, vault, account_links, link_id)
    return True


async def revoke_invitation(connection: AsyncConnection, vault: Vault, organisation_id: int, link_id: int, now: int) -> bool:
    """End an open invitation of an organisation; return False if there is none."""
    mine = (account_links.c.id == link_id, account_links.c.organisation_id == organisation_id)
    return await _revoke(connection, vault, now, *mine, account_links.c.kind == INVITATION) == 1


async def revoke_resets(connection: AsyncConnection, vault: Vault, staff_id: int, now: int) -> int:
    """End every open reset link of a member; return the number of them."""
    return await _revoke(connection, vault, now, account_links.c.staff_id == staff_id, account_links.c.kind == RESET)


async def revoke_made_by(connection: AsyncConnection, vault: Vault, organisation_id: int, actor: str, now: int) -> int:
    """End every open link of an organisation that ``actor`` made; return the number of them."""
    mine = (account_links.c.organisation_id == organisation_id, account_links.c.made_by == actor)
    return await _revoke(connection, vault, now, *mine)


async def revoke_all(connection: AsyncConnection, vault: Vault, now: int) -> int:
    """End every open link of the installation; return the number of them."""
    return await _revoke(connection, vault, now)


async def _revoke(connection: AsyncConnection, vault: Vault, now: int, *which: ColumnElement[bool]) -> int:
    found = list(await connection.scalars(select(account_links.c.id).where(*which, *is_open(now)).with_for_update()))
    for link_id in found:
        whole = await proofs.holds(connection, vault, account_links, link_id)
        await connection.execute(update(account_links).where(account_links.c.id == link_id).values(revoked_at=now))
        if whole:
            await proofs.prove(connection, vault, account_links, link_id)
    return len(found)


async def is_reserved(connection: AsyncConnection, username: str, organisation_id: int, now: int) -> bool:
    """Return whether a member, or an open invitation of the organisation, has this user name."""
    member = select(staff.c.id).where(staff.c.username == username)
    if await connection.scalar(member) is not None:
        return True
    here = (account_links.c.organisation_id == organisation_id, account_links.c.kind == INVITATION)
    invited = select(account_links.c.id).where(*here, account_links.c.username == username, *is_open(now))
    return await connection.scalar(invited.limit(1)) is not None


def is_open(now: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a link has not ended at ``now`` (microseconds)."""
    columns = account_links.c
    return (columns.used_at.is_(None), columns.revoked_at.is_(None), columns.expires_at > now)
