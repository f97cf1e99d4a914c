"""Notification rows. The row decides whether a message is sent, never the broker.

    due --claim--> claimed --begin--> sending --record--> sent | failed | due again | unknown

- ``claimed``: nothing is sent yet; another worker may take over a stale claim.
- ``sending``: committed just before the call to the provider, so nobody else calls for this row.
- ``unknown``: the provider may have accepted the message. Only the answer that its worker still gets changes this.
- ``withdrawn``: the subject moved on before the sending. ``expired``: too late. ``suppressed``: no address.

Each row is in one state, and each step is one conditional update that names the state before it. The provider accepts a
row's message at most once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, Arrival, Kind, Way
from server.store.bulk_update import as_table
from server.store.tables import appointments, entries, notifications, sites

Ended = Literal["sent", "failed", "unknown", "suppressed", "expired", "due"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to send between two instants (microseconds), about one version of its subject.

    ``subject`` is ``appointment:{id}`` or ``entry:{id}``. ``state`` is ``skipped`` for an offset that is already past.
    """

    site_id: int
    subject: str
    subject_version: int
    kind: Kind
    ahead: int
    channel: Way
    due_at: int
    not_after: int
    visit_id: int | None = None
    entry_id: int | None = None
    appointment_id: int | None = None
    state: Literal["due", "skipped"] = "due"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that only its claimer may send now. ``attempts`` counts the calls to the provider so far."""

    id: int
    site_id: int
    subject: str
    kind: Kind
    ahead: int
    channel: Way
    visit_id: int | None
    appointment_id: int | None
    not_after: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed row. A row that is ``due`` again has a new ``due_at`` (microseconds)."""

    id: int
    state: Ended
    reason: str | None = None
    provider_id: str | None = None
    due_at: int | None = None


NO_CHANNEL = "no-channel"  # the reason of a row that waits for a channel
NO_ADDRESS = "no-address"  # the reason of a row that is suppressed because the patient has no address

_CLAIMED = [notifications.c[name] for name in Claimed.__dataclass_fields__]
_INSERT_ONCE = insert(notifications).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
_UPDATE_ONCE = update(notifications).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
_OF_SUBJECT = (
    "site_id", "subject", "subject_version", "kind", "ahead", "channel", "visit_id", "entry_id", "appointment_id",
)  # fmt: skip


def plan(connection: Connection, planned: Iterable[Planned], now: int) -> int:
    """Add a row for each message without one; return the number of new rows. ``now`` is in microseconds."""
    rows = [asdict(each) | {"changed_at": now} for each in planned]
    return connection.execute(_INSERT_ONCE, rows).rowcount if rows else 0


async def claim(connection: AsyncConnection, claimer: str, now: int, stale: int, limit: int) -> list[Claimed]:
    """Claim up to ``limit`` rows that are due at ``now``, oldest first. Instants are in microseconds.

    Claims from before ``stale`` are taken over: their workers died before they sent anything.
    """
    takeable = or_(notifications.c.state == "due", notifications.c.changed_at < stale)
    statement = select(*_CLAIMED).where(notifications.c.open_due_at <= now, takeable)
    ordered = statement.order_by(notifications.c.open_due_at, notifications.c.id).limit(limit)
    # Two workers that claim at the same time get different rows, and neither waits.
    found = [Claimed(*row) for row in await connection.execute(ordered.with_for_update(skip_locked=True))]
    if found:
        rows = notifications.c.id.in_([each.id for each in found])
        await connection.execute(update(notifications).where(rows).values(state="claimed", claim=claimer, changed_at=now))
    return found


async def begin(connection: AsyncConnection, claimer: str, ids: Collection[int], now: int) -> set[int]:
    """Mark claimed rows as ``sending``; return the ids of the rows to send after the commit.

    The one update demands that the claim holds, that the subject is in the planned version and a right state, and that it is
    not too late. The other claimed rows become ``withdrawn`` or ``expired``.
    """
    mine = [notifications.c.id.in_(ids), notifications.c.claim == claimer]
    in_time = notifications.c.not_after > now
    begun = await connection.execute(
        update(notifications)
        .where(*mine, notifications.c.state == "claimed", in_time, _subject_is_as_planned())
        .values(state="sending", attempts=notifications.c.attempts + 1, changed_at=now)
    )
    if begun.rowcount == len(ids):
        return set(ids)
    closed = case((in_time, "withdrawn"), else_="expired")
    await connection.execute(
        update(notifications).where(*mine, notifications.c.state == "claimed").values(state=closed, changed_at=now)
    )
    return set(await connection.scalars(select(notifications.c.id).where(*mine, notifications.c.state == "sending")))


async def record(connection: AsyncConnection, claimer: str, outcomes: Sequence[Outcome], now: int) -> None:
    """Record what became of rows of this claimer, in one statement.

    A row that is ``unknown`` meanwhile, because its worker seemed dead, still takes a late ``sent`` or ``failed``.
    """
    rows = orjson.dumps([{name: value for name, value in asdict(each).items() if value is not None} for each in outcomes])
    statement = _record(connection.dialect)
    await connection.execute(statement, {"rows": rows.decode(), "claimer": claimer, "at": now})


async def stale(connection: AsyncConnection, before: int, limit: int) -> list[tuple[Claimed, int]]:
    """Return rows whose sending began before an instant (microseconds) and never ended, with their organisations."""
    statement = select(*_CLAIMED, sites.c.organisation_id).join(sites, sites.c.id == notifications.c.site_id)
    found = statement.where(notifications.c.state == "sending", notifications.c.changed_at < before)
    rows = await connection.execute(found.order_by(notifications.c.changed_at).limit(limit))
    return [(Claimed(*row[:-1]), row[-1]) for row in rows]


async def take_over(connection: AsyncConnection, claimer: str, ids: Collection[int], before: int, now: int) -> set[int]:
    """Take over stale rows of a channel whose provider accepts a key only once; return the ids of the rows to send again.

    The same conditions hold as for `begin`. The other rows stay, for `give_up`.
    """
    taken = (
        update(notifications)
        .where(notifications.c.id.in_(ids), *_stale(before), notifications.c.not_after > now, _subject_is_as_planned())
        .values(claim=claimer, attempts=notifications.c.attempts + 1, changed_at=now)
    )
    await connection.execute(taken)
    mine = [notifications.c.id.in_(ids), notifications.c.claim == claimer, notifications.c.state == "sending"]
    return set(await connection.scalars(select(notifications.c.id).where(*mine)))


async def give_up(connection: AsyncConnection, ids: Collection[int], before: int, now: int) -> int:
    """Mark stale rows as ``unknown``; return their number. Nothing is sent twice."""
    unknown = update(notifications).where(notifications.c.id.in_(ids), *_stale(before))
    return (await connection.execute(unknown.values(state="unknown", reason="worker-lost", changed_at=now))).rowcount


async def resend(connection: AsyncConnection, notification_id: int, now: int, not_after: int) -> bool:
    """Add a row that repeats an ``unknown`` or ``failed`` one, due at once; return whether it was added.

    A row is repeated once; its repeat can be repeated again.
    """
    new = {"resend_of": notifications.c.id, "state": literal("due")}
    new |= {"due_at": literal(now), "changed_at": literal(now), "not_after": literal(not_after)}
    source = select(*(notifications.c[name] for name in _OF_SUBJECT), *new.values()).where(
        notifications.c.id == notification_id, notifications.c.state.in_(("unknown", "failed"))
    )
    return (await connection.execute(_INSERT_ONCE.from_select([*_OF_SUBJECT, *new], source))).rowcount == 1


async def go_otherwise(connection: AsyncConnection, claimer: str, ways: Mapping[int, Way], now: int) -> None:
    """Let claimed rows go out on another way, by the rows' ids: their patients have no address on the planned one.

    They are ``due`` again. A row whose message goes out on that way already becomes ``suppressed``.
    """
    mine = notifications.c.claim == claimer, notifications.c.state == "claimed"
    for way in set(ways.values()):
        ids = [each for each in ways if ways[each] == way]
        moved = _UPDATE_ONCE.where(notifications.c.id.in_(ids), *mine)
        await connection.execute(moved.values(channel=way, state="due", claim=None, changed_at=now))
    left = update(notifications).where(notifications.c.id.in_(list(ways)), *mine)
    await connection.execute(left.values(state="suppressed", reason=NO_ADDRESS, changed_at=now))


async def repeat_otherwise(connection: AsyncConnection, notification_id: int, way: Way, now: int) -> bool:
    """Add a row that repeats a failed one on another way at once, while it is useful; return whether it was added.

    Only for a message that was certainly not sent: see `resend`.
    """
    new: dict[str, Any] = {"resend_of": notifications.c.id, "state": literal("due"), "channel": literal(way)}
    new |= {"due_at": literal(now), "changed_at": literal(now), "not_after": notifications.c.not_after}
    same = tuple(name for name in _OF_SUBJECT if name != "channel")
    source = select(*(notifications.c[name] for name in same), *new.values()).where(
        notifications.c.id == notification_id, notifications.c.state == "failed", notifications.c.not_after > now
    )
    return (await connection.execute(_INSERT_ONCE.from_select([*same, *new], source))).rowcount == 1


async def receive(connection: AsyncConnection, provider_id: str, channel: str, receipt: Arrival, now: int) -> bool:
    """Note a provider's receipt for the message that it calls ``provider_id``; return whether there is such a row.

    Receipts can come in any order: ``delivered`` stays, and ``undelivered-for-now`` replaces no final receipt.
    """
    row = notifications.c.provider_id == provider_id, notifications.c.channel == channel
    known = await connection.scalar(select(notifications.c.id).where(*row).limit(1))
    if known is None:
        return False
    weaker = ("undelivered-for-now",) if receipt == "undelivered-for-now" else ("undelivered-for-now", "undelivered")
    replaced = or_(notifications.c.receipt.is_(None), notifications.c.receipt.in_(weaker))
    noted = update(notifications).where(notifications.c.id == known, replaced).values(receipt=receipt, receipt_at=now)
    await connection.execute(noted)
    return True


def _stale(before: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return notifications.c.state == "sending", notifications.c.changed_at < before


@cache
def _subject_is_as_planned() -> ColumnElement[bool]:
    """The subject has the version that the message is about, and a state that allows its kind."""
    entry = exists().where(
        entries.c.id == notifications.c.entry_id,
        entries.c.calls == notifications.c.subject_version,
        or_(*(and_(notifications.c.kind == kind, entries.c.state.in_(states)) for kind, states in OF_ENTRIES.items())),
    )
    appointment = exists().where(
        appointments.c.id == notifications.c.appointment_id,
        appointments.c.version == notifications.c.subject_version,
        or_(
            *(
                and_(notifications.c.kind == kind, appointments.c.state.in_(states))
                for kind, states in OF_APPOINTMENTS.items()
            )
        ),
    )
    return or_(entry, appointment)


@cache
def _record(dialect: Dialect) -> Update:
    new = as_table(notifications, ("id", "state", "reason", "provider_id", "due_at"), dialect)
    late_answer = and_(notifications.c.state == "unknown", new["state"].in_(("sent", "failed")))
    before_sending = and_(notifications.c.state == "claimed", new["state"].in_(("due", "failed", "suppressed", "expired")))
    values: dict[str, Any] = {name: new[name] for name in ("state", "reason", "provider_id")}
    return (
        update(notifications)
        .where(notifications.c.id == new["id"], notifications.c.claim == bindparam("claimer"))
        .where(or_(notifications.c.state == "sending", late_answer, before_sending))
        .values(**values, due_at=func.coalesce(new["due_at"], notifications.c.due_at), changed_at=bindparam("at"))
    )
