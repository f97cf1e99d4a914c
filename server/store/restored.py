"""What a restored database no longer has: the epochs, claims, sessions and open links of the time of its backup."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from server.store import account_links, notifications, processes
from server.store import backups as records
from server.store.backups import VerifiedBackup
from server.store.circuits import PREFIX
from server.store.database import Database
from server.store.tables import backups, clock_anchors, pairings, sessions, setup_codes, sites
from server.store.tables import leases as lease_table
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Renewed:
    """How much of a restored database was renewed: its sites, messages with an unknown fate, sessions and links."""

    sites: int
    messages: int
    sessions: int
    links: int


async def renew(database: Database, vault: Vault, backup: VerifiedBackup, now: int) -> Renewed:
    """Begin a new history for a restored database that no server uses yet. ``now`` is the instant of the restore.

    Every site gets a new epoch, so that no screen resumes from the lost history. What may have happened meanwhile is not
    repeated, and nobody keeps a right that may have ended meanwhile: see ``docs/decisions/0037-backups.md``.
    """
    async with database.write() as connection:
        found = list(await connection.scalars(select(sites.c.id)))
        for site_id in found:
            await connection.execute(update(sites).where(sites.c.id == site_id).values(epoch=secrets.token_hex(4)))
        messages = await notifications.give_up_all(connection, now)
        ended = await connection.execute(update(sessions).where(sessions.c.revoked_at.is_(None)).values(revoked_at=now))
        links = await account_links.revoke_all(connection, vault, now)
        for table in (pairings, setup_codes, lease_table, clock_anchors, backups):
            await connection.execute(delete(table))
        await records.add(connection, backup)
    return Renewed(len(found), messages, ended.rowcount, links)


async def signs_of_life(database: Database, now: int, patience: int) -> set[tuple[str, int]]:
    """Return the signs of life of servers and workers that are at most ``patience`` old. All values are microseconds.

    These are the last sign of each server, and each lease in force.
    """
    held = select(lease_table.c.name, lease_table.c.until).where(
        lease_table.c.until > now,
        ~lease_table.c.name.startswith(PREFIX),  # an open circuit needs no process
    )
    async with database.read() as connection:
        servers = await processes.running(connection, now - patience, now + patience)
        return set(servers.items()) | {(str(name), int(until)) for name, until in await connection.execute(held)}
