"""The audit for administrators: the changes of a site, from its log, and the access that changed nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, select

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


@dataclass(frozen=True, slots=True)
class Filter:
    """The records that a reader wants: all whose values are equal, from ``since`` to before ``until`` (milliseconds)."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: int | None = None
    until: int | None = None

    def conditions(
        self, at: Column[Any], actor: Column[Any], action: Column[Any], subject: ColumnElement[bool] | None
    ) -> list[ColumnElement[bool]]:
        """Return the conditions on the columns of a table. ``subject`` is the condition for the wanted subject."""
        found: list[ColumnElement[bool]] = []
        if self.actor is not None:
            found.append(actor == self.actor)
        if self.action is not None:
            found.append(action == self.action)
        if self.subject is not None and subject is not None:
            found.append(subject)
        if self.since is not None:
            found.append(at >= self.since * 1000)
        if self.until is not None:
            found.append(at < self.until * 1000)
        return found


EVERYTHING = Filter()


async def changes(
    database: Reader, site_id: int, size: int, after: Key | None, wanted: Filter = EVERYTHING
) -> Page[Audited]:
    """Return a page of the changes of a site, the latest first. Raises `Unavailable`."""
    names = ("seq", "at", "type", "actor", "command_id", "entry_id")
    entry_id = (wanted.subject or "").removeprefix("entry:")
    about = events.c.entry_id == (int(entry_id) if entry_id.isdecimal() and len(entry_id) <= 18 else 0)
    own = [events.c.site_id == site_id, *wanted.conditions(events.c.at, events.c.actor, events.c.type, about)]
    async with database.read() as connection:
        statement = select(*(events.c[name] for name in names)).where(*own)
        rows, more = await keyset.rows(connection, statement, (events.c.seq,), size, after, descending=True)
        counted = await keyset.total(connection, select(events.c.seq).where(*own))
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


async def access(
    database: Reader,
    organisation_id: int,
    site_id: int | None,
    size: int,
    after: Key | None,
    wanted: Filter = EVERYTHING,
) -> Page[Audited]:
    """Return a page of an organisation's access records, the latest first; only those of ``site_id``, if given.

    Raises `Unavailable`.
    """
    own = [audit.c.organisation_id == organisation_id]
    if site_id is not None:
        own.append(audit.c.site_id == site_id)
    own += wanted.conditions(audit.c.at, audit.c.actor, audit.c.action, audit.c.subject == wanted.subject)
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
