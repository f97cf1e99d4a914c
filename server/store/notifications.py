"""Notification rows. The row decides whether a message is sent, never the broker.

The states are ``due``, ``claimed``, ``sending`` and an outcome:

- ``claimed``: nothing is sent yet; another worker may take over a stale claim.
- ``sending``: committed just before the call to the provider.
- ``sent``, ``failed``, or ``unknown`` when a worker died in between.
- ``withdrawn``: the entry moved on before the sending.
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
    """A row that only this worker may send now."""

    id: int
    visit_id: int
    kind: str
    ahead: int
    channel: str


async def plan(connection: AsyncConnection, notices: Iterable[Notice], channel: str, now: int) -> int:
    """Add a row for each notice without one; return the number of new rows."""
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
    """Return the ids of the rows to send at ``now`` (microseconds), oldest first: ``due`` rows, then stale claims."""
    found: list[int] = []
    for takeable in (_DUE, _stale(now)):  # two statements: each reads in the order of its key
        statement = select(notifications.c.id).where(takeable, notifications.c.due_at <= now)
        found += await connection.scalars(statement.order_by(notifications.c.due_at).limit(limit - len(found)))
    return found


async def claim(connection: AsyncConnection, notification_id: int, claimer: str, now: int) -> Claimed | None:
    """Claim a row for ``claimer``; return None if another worker has it or there is nothing to send."""
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
    """Mark a row as ``sending``, if the claim still holds and its entry still waits; else withdraw the row.

    After the commit, the provider may have accepted the message, until `finish` records the outcome.
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
    """Record the outcome of the sending."""
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification_id, notifications.c.claim == claimer, notifications.c.state == "sending")
        .values(state=outcome, changed_at=now)
    )


async def give_up_stale(connection: AsyncConnection, now: int) -> int:
    """Mark rows as ``unknown`` whose sending began and never finished; return their number. Nothing is sent twice."""
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
