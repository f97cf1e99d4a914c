"""The figures of a site's messages: what became of them, and whether reminders go with fewer missed appointments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import exists, func, null, select

from server.domain.messages import Kind, Way
from server.queries.reader import Reader
from server.store.tables import appointments, notifications

_TOOK_PLACE = ("checked_in", "fulfilled")
_AT_THEIR_TIME = (*_TOOK_PLACE, "no_show")
_REMINDED = exists().where(
    notifications.c.appointment_id == appointments.c.id,
    notifications.c.kind == "reminder",
    notifications.c.state == "sent",
)


@dataclass(frozen=True, slots=True)
class MessageFigures:
    """The messages of one kind on one way, by what became of them.

    ``sent`` are those that a provider accepted; receipts split a part of them into ``delivered`` and ``undelivered``.
    """

    kind: Kind
    way: Way
    open: int
    sent: int
    delivered: int
    undelivered: int
    unknown: int
    failed: int
    suppressed: int
    expired: int
    withdrawn: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Attendance:
    """Appointments whose time came, and how many of them the patient missed."""

    appointments: int
    missed: int


@dataclass(frozen=True, slots=True)
class MessageReport:
    """The figures of a span of time. ``reminded`` are the appointments whose patient was sent a reminder."""

    messages: list[MessageFigures]
    reminded: Attendance
    not_reminded: Attendance


async def between(database: Reader, site_id: int, since: int, until: int) -> MessageReport:
    """Return the figures of messages that were due, and of appointments that began, in a span (microseconds).

    Raises `Unavailable`.
    """
    table = notifications.c
    of_messages = (
        select(table.kind, table.channel, table.state, table.receipt, func.count())
        .where(table.site_id == site_id, table.due_at >= since, table.due_at < until)
        .group_by(table.kind, table.channel, table.state, table.receipt)
        .order_by(null())  # else MariaDB sorts the groups
    )
    begun = (
        select(_REMINDED.label("reminded"), appointments.c.state)
        .where(appointments.c.site_id == site_id, appointments.c.starts_at >= since, appointments.c.starts_at < until)
        .where(appointments.c.state.in_(_AT_THEIR_TIME))
        .subquery()
    )
    by_outcome = begun.c.reminded, begun.c.state
    of_appointments = select(*by_outcome, func.count()).group_by(*by_outcome).order_by(null())
    async with database.read() as connection:
        messages = [tuple(row) for row in await connection.execute(of_messages)]
        attended = {(bool(row[0]), row[1]): int(row[2]) for row in await connection.execute(of_appointments)}
    return MessageReport(_figures(messages), _attendance(attended, reminded=True), _attendance(attended, reminded=False))


def _figures(rows: list[tuple[Any, ...]]) -> list[MessageFigures]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for kind, way, state, receipt, count in rows:
        of_kind = counts.setdefault((kind, way), Counter())
        of_kind["open" if state in ("due", "claimed", "sending") else state] += count
        if receipt is not None:
            of_kind["delivered" if receipt == "delivered" else "undelivered"] += count
    return [
        MessageFigures(
            kind=cast(Kind, kind),
            way=cast(Way, way),
            open=found["open"],
            sent=found["sent"],
            delivered=found["delivered"],
            undelivered=found["undelivered"],
            unknown=found["unknown"],
            failed=found["failed"],
            suppressed=found["suppressed"],
            expired=found["expired"],
            withdrawn=found["withdrawn"],
            skipped=found["skipped"],
        )
        for (kind, way), found in sorted(counts.items())
    ]


def _attendance(attended: dict[tuple[bool, str], int], *, reminded: bool) -> Attendance:
    missed = attended.get((reminded, "no_show"), 0)
    return Attendance(missed + sum(attended.get((reminded, state), 0) for state in _TOOK_PLACE), missed)
