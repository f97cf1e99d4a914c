"""The mails of reports, and the addresses that get the report of each month.

    due --begin--> sending --end--> sent | failed | due again | unknown

A row decides whether its mail is sent, as with `server.store.notifications`: it is in ``sending`` before the mail server
gets the mail, so no process sends it twice. The key of a row has the site, the month, the address and the request, so an
address gets the monthly report of a month once. Addresses are sealed; their keyed hashes find them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import report_mails, report_readers
from server.vault import Vault

State = Literal["due", "sending", "sent", "failed", "unknown", "withdrawn", "expired"]
STATES: tuple[State, ...] = ("due", "sending", "sent", "failed", "unknown", "withdrawn", "expired")
ENDED: tuple[State, ...] = ("sent", "failed", "unknown", "withdrawn", "expired")
KEPT_MICROSECONDS = 400 * 86_400_000_000  # longer than any month is planned for


@dataclass(frozen=True, slots=True)
class ReportReader:
    """An address that gets the report of each month, at an ``hour`` of the site's wall clock. ``since`` in microseconds."""

    site_id: int
    address_hash: str
    sealed: str
    language: str
    hour: int
    asked_by: str
    since: int


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A mail with the report of a ``month`` (YYYY-MM). ``sealed`` is None once retention has cleared the address.

    Instants are in microseconds. ``monthly`` tells a subscription from a single request.
    """

    key: str
    site_id: int
    month: str
    address_hash: str
    sealed: str | None
    language: str
    asked_by: str
    monthly: bool
    state: State
    reason: str | None
    attempts: int
    due_at: int
    not_after: int
    changed_at: int


_MAIL = [report_mails.c[each.name] for each in fields(ReportMail)]
_READER = [report_readers.c[each.name] for each in fields(ReportReader)]
_PLAN = insert(report_mails).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")


def hash_of(vault: Vault, address: str) -> str:
    """Return the keyed hash of an address. Upper and lower case are the same."""
    return vault.keyed_hash(f"report-address:{address.casefold()}")


def key_of(vault: Vault, site_id: int, month: str, address_hash: str, request: str = "") -> str:
    """Return the key of a mail. Without a ``request`` it is the monthly one."""
    return vault.keyed_hash(f"report-mail:{site_id}:{month}:{address_hash}:{request}")


def reader_seals_for(site_id: int, address_hash: str) -> str:
    """Return the name of the record to which the address of a subscription is bound."""
    return f"report-reader:{site_id}:{address_hash}"


def mail_seals_for(key: str) -> str:
    """Return the name of the record to which the address of a mail is bound."""
    return f"report-mail:{key}"


async def plan(connection: AsyncConnection, mail: ReportMail) -> bool:
    """Add a mail unless there is one with its key; return whether it was added."""
    return (await connection.execute(_PLAN, asdict(mail))).rowcount == 1


async def find(connection: AsyncConnection, key: str) -> ReportMail | None:
    """Return the mail with a key, or None."""
    row = (await connection.execute(select(*_MAIL).where(report_mails.c.key == key))).one_or_none()
    return None if row is None else ReportMail(*row)


async def due(connection: AsyncConnection, now: int, limit: int) -> list[ReportMail]:
    """Return the mails that are due at ``now`` (microseconds), oldest first."""
    table = report_mails.c
    wanted = select(*_MAIL).where(table.state == "due", table.due_at <= now).order_by(table.due_at).limit(limit)
    return [ReportMail(*row) for row in await connection.execute(wanted)]


async def begin(connection: AsyncConnection, key: str, now: int) -> bool:
    """Take a due mail for sending; return False if another process was faster, or if it came too late."""
    table = report_mails.c
    mine = table.key == key, table.state == "due", table.not_after > now
    values = {"state": "sending", "reason": None, "attempts": table.attempts + 1, "changed_at": now}
    return (await connection.execute(update(report_mails).where(*mine).values(values))).rowcount == 1


async def end(
    connection: AsyncConnection,
    key: str,
    before: State,
    state: State,
    reason: str | None,
    now: int,
    due_at: int | None = None,
) -> bool:
    """Move a mail from a state to another one; return whether it was in the state ``before``."""
    values = {"state": state, "reason": reason, "changed_at": now} | ({} if due_at is None else {"due_at": due_at})
    mine = report_mails.c.key == key, report_mails.c.state == before
    return (await connection.execute(update(report_mails).where(*mine).values(values))).rowcount == 1


async def give_up(connection: AsyncConnection, before: int, now: int) -> int:
    """End the mails whose sending never ended: the mail server may have accepted them. Return their number."""
    table = report_mails.c
    stale = table.state == "sending", table.changed_at < before
    values = {"state": "unknown", "reason": "no-answer", "changed_at": now}
    return (await connection.execute(update(report_mails).where(*stale).values(values))).rowcount


async def of_site(connection: AsyncConnection, site_id: int, limit: int) -> list[ReportMail]:
    """Return the last mails of a site, the latest change first."""
    table = report_mails.c
    wanted = select(*_MAIL).where(table.site_id == site_id).order_by(table.changed_at.desc()).limit(limit)
    return [ReportMail(*row) for row in await connection.execute(wanted)]


async def asked_since(connection: AsyncConnection, site_id: int, since: int) -> int:
    """Return the number of a site's mails on request that changed after an instant (microseconds)."""
    table = report_mails.c
    mine = table.site_id == site_id, table.changed_at > since, table.monthly.is_(False)
    return await connection.scalar(select(func.count()).where(*mine)) or 0


async def forget(connection: AsyncConnection, now: int) -> int:
    """Delete the mails that ended long ago; return their number."""
    table = report_mails.c
    old = table.state.in_(ENDED), table.due_at < now - KEPT_MICROSECONDS
    return (await connection.execute(delete(report_mails).where(*old))).rowcount


async def readers_of(connection: AsyncConnection, site_id: int) -> list[ReportReader]:
    """Return the subscriptions of a site, the oldest first."""
    table = report_readers.c
    rows = await connection.execute(select(*_READER).where(table.site_id == site_id))
    return sorted((ReportReader(*row) for row in rows), key=lambda each: (each.since, each.address_hash))


async def readers_after(connection: AsyncConnection, site_id: int, address_hash: str, limit: int) -> Sequence[ReportReader]:
    """Return the next subscriptions of all sites after a key, in the order of their keys."""
    table = report_readers.c
    after = or_(table.site_id > site_id, (table.site_id == site_id) & (table.address_hash > address_hash))
    wanted = select(*_READER).where(after, table.site_id >= site_id).order_by(table.site_id, table.address_hash)
    return [ReportReader(*row) for row in await connection.execute(wanted.limit(limit))]


async def put_reader(connection: AsyncConnection, reader: ReportReader) -> None:
    """Keep a subscription, in place of the former one of the address."""
    await remove_reader(connection, reader.site_id, reader.address_hash)
    await connection.execute(insert(report_readers), asdict(reader))


async def remove_reader(connection: AsyncConnection, site_id: int, address_hash: str) -> bool:
    """End a subscription; return whether there was one."""
    mine = report_readers.c.site_id == site_id, report_readers.c.address_hash == address_hash
    return (await connection.execute(delete(report_readers).where(*mine))).rowcount == 1


async def withdraw(connection: AsyncConnection, site_id: int, address_hash: str, now: int) -> int:
    """Withdraw the monthly mails to an address that are still to go out; return their number."""
    table = report_mails.c
    open_ones = select(table.key).where(table.state == "due", table.site_id == site_id, table.address_hash == address_hash)
    keys = (await connection.scalars(open_ones.where(table.monthly.is_(True)))).all()
    withdrawn = [await end(connection, key, "due", "withdrawn", "ended", now) for key in keys]
    return sum(withdrawn)
