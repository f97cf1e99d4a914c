"""The audit for administrators: the changes of a site, from its log, and the access that changed nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from server.queries import keyset
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store.tables import audit, events

KEY_OF_CHANGES: tuple[type, ...] = (int,)  # seq
KEY_OF_ACCESS: tuple[type, ...] = (int, int, int)  # at (microseconds), chain_id, n


@dataclass(frozen=True, slots=True)
class Audited:
    """One action, done or refused.

    ``chain`` and ``number`` locate its record; ``at`` is in milliseconds. The ``request_id`` of a change is its command id.
    """

    at: int
    actor: str
    action: str
    subject: str
    site_id: int | None
    allowed: bool
    detail: str | None
    request_id: str
    chain: str
    number: int


async def changes(database: Reader, site_id: int, size: int, after: Key | None) -> Page[Audited]:
    """Return a page of the changes of a site, the latest first. Raises `Unavailable`."""
    names = ("seq", "at", "type", "actor", "command_id", "entry_id")
    async with database.read() as connection:
        statement = select(*(events.c[name] for name in names)).where(events.c.site_id == site_id)
        rows, more = await keyset.rows(connection, statement, (events.c.seq,), size, after, descending=True)
        counted = await keyset.total(connection, select(events.c.seq).where(events.c.site_id == site_id))
    told = [
        Audited(
            at=row.at // 1000,
            actor=row.actor,
            action=row.type,
            subject=f"entry:{row.entry_id}" if row.entry_id else "",
            site_id=site_id,
            allowed=True,
            detail=None,
            request_id=row.command_id,
            chain=f"site:{site_id}",
            number=row.seq,
        )
        for row in rows
    ]
    return keyset.page(told, counted, lambda each: (each.number,), more=more)


async def access(database: Reader, organisation_id: int, site_id: int | None, size: int, after: Key | None) -> Page[Audited]:
    """Return a page of an organisation's access records, the latest first; only those of ``site_id``, if given.

    Raises `Unavailable`.
    """
    own = [audit.c.organisation_id == organisation_id]
    if site_id is not None:
        own.append(audit.c.site_id == site_id)
    key = (audit.c.at, audit.c.chain_id, audit.c.n)
    by_key = f"FORCE INDEX ({'ix_audit_site_id' if site_id is not None else 'ix_audit_organisation_id'}_at_chain_id_n)"
    async with database.read() as connection:
        statement = select(audit).where(*own).with_hint(audit, by_key, "mysql")
        rows, more = await keyset.rows(connection, statement, key, size, after, descending=True)
        every = select(audit.c.n).where(*own).with_hint(audit, by_key, "mysql")
        counted = await keyset.total(connection, every)
    told = [
        Audited(
            at=row.at // 1000,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            site_id=row.site_id,
            allowed=row.allowed,
            detail=row.detail,
            request_id=row.request_id,
            chain=f"process:{row.chain_id}",
            number=row.n,
        )
        for row in rows
    ]
    last = rows[-1] if rows else None
    return keyset.page(told, counted, lambda _: (last.at, last.chain_id, last.n) if last else (), more=more)
