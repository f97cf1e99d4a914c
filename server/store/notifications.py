"""Notification rows. The row decides whether something is sent, never the broker.

``due`` -> ``claimed`` (nothing sent; a stale claim is freely taken over) -> ``sending`` (committed just before the
provider is called) -> ``sent``, ``failed`` or, when a worker died in between and nobody can know, ``unknown``. A row whose
subject has moved on before it was sent becomes ``withdrawn``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.model.ids import site_of
from server.domain.rules.reminders import Notice
from server.store.tables import entries, notifications

STALE_MICROSECONDS = 60_000_000
Outcome = Literal["sent", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker alone may send now."""

    id: int
    visit_id: int
    kind: str
    ahead: int
    channel: str


async def plan(connection: AsyncConnection, notices: Iterable[Notice], channel: str, now: int) -> int:
    """Make a row for each notice that has none yet; return how many were new."""
    rows = [
        {
            "site_id": site_of(notice.entry_id),
            "subject": f"entry:{notice.entry_id}",
            "subject_version": notice.version,
            "kind": notice.kind,
            "ahead": notice.ahead,
            "channel": channel,
            "visit_id": notice.visit_id,
            "entry_id": notice.entry_id,
            "state": "due",
            "due_at": now,
            "changed_at": now,
        }
        for notice in notices
    ]
    new = 0
    for row in rows:
        new += (await connection.execute(_INSERT_ONCE, row)).rowcount
    return new


async def due(connection: AsyncConnection, now: int, limit: int = 500) -> list[int]:
    """Return the rows to be sent at ``now``, the longest due first: those that are due, then those whose claim is stale."""
    found: list[int] = []
    for takeable in (_DUE, _stale(now)):  # apart, each is read in the order of its key
        statement = select(notifications.c.id).where(takeable, notifications.c.due_at <= now)
        found += await connection.scalars(statement.order_by(notifications.c.due_at).limit(limit - len(found)))
    return found


async def claim(connection: AsyncConnection, notification_id: int, claimer: str, now: int) -> Claimed | None:
    """Claim a row for ``claimer``; return None if somebody else has it or it needs nothing."""
    result = await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification_id, _takeable(now))
        .values(state="claimed", claim=claimer, changed_at=now)
    )
    if result.rowcount != 1:
        return None
    columns = [notifications.c[name] for name in ("id", "visit_id", "kind", "ahead", "channel")]
    row = (await connection.execute(select(*columns).where(notifications.c.id == notification_id))).one()
    return Claimed(*row)


async def begin_sending(connection: AsyncConnection, notification_id: int, claimer: str, now: int) -> bool:
    """Commit to sending, if the claim still holds and its subject is still what it was; else withdraw the row.

    After this has been committed the message counts as perhaps accepted, until `finish` says more.
    """
    still = exists().where(
        entries.c.id == notifications.c.entry_id,
        entries.c.state == "waiting",
        entries.c.calls == notifications.c.subject_version,
    )
    mine = (
        notifications.c.id == notification_id,
        notifications.c.claim == claimer,
        notifications.c.state == "claimed",
    )
    sending = await connection.execute(update(notifications).where(*mine, still).values(state="sending", changed_at=now))
    if sending.rowcount == 1:
        return True
    await connection.execute(update(notifications).where(*mine).values(state="withdrawn", changed_at=now))
    return False


async def finish(connection: AsyncConnection, notification_id: int, claimer: str, outcome: Outcome, now: int) -> None:
    """Record how the sending ended."""
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification_id, notifications.c.claim == claimer, notifications.c.state == "sending")
        .values(state=outcome, changed_at=now)
    )


async def give_up_stale(connection: AsyncConnection, now: int) -> int:
    """Mark as ``unknown`` what a worker began to send and never finished; return how many. Nothing is sent twice."""
    result = await connection.execute(
        update(notifications)
        .where(notifications.c.state == "sending", notifications.c.changed_at < now - STALE_MICROSECONDS)
        .values(state="unknown", changed_at=now)
    )
    return result.rowcount


_DUE = notifications.c.state == "due"


def _stale(now: int) -> ColumnElement[bool]:
    return (notifications.c.state == "claimed") & (notifications.c.changed_at < now - STALE_MICROSECONDS)


def _takeable(now: int) -> ColumnElement[bool]:
    return or_(_DUE, _stale(now))


_INSERT_ONCE = insert(notifications).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
