"""Notification rows. The row decides whether a message is sent, never the broker.

    due --claim--> claimed --begin--> sending --record--> sent | failed | due again | unknown

- ``claimed``: nothing is sent yet; another worker may take over a stale claim.
- ``sending``: committed just before the call to the provider, so nobody else calls for this row.
- ``unknown``: the provider may have accepted the message. Only a receipt, or the answer that its worker still gets, changes
  this.
- ``withdrawn``: the subject moved on before the sending. ``expired``: too late. ``suppressed``: no address, or opted out.

Each row is in one state, and each step is one conditional update that names the state before it. The provider accepts a
row's message at most once.

A step that ends a row also sets ``news_at``, and so does a final receipt: the desk has to note what became of the message.
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

from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, OPTED_OUT, Arrival, Kind, Way
from server.store.bulk_update import as_table
from server.store.opt_outs import HashedAddress
from server.store.tables import appointments, entries, notifications, opt_outs, sites

Ended = Literal["sent", "failed", "unknown", "suppressed", "expired", "due"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to send between two instants (microseconds), about one version of its subject.

    ``subject`` is ``appointment:{id}``, ``entry:{id}`` or ``visit:{id}``. ``state`` is ``skipped`` for a time that is past.
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
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that only its claimer may send now. ``attempts`` counts the calls to the provider so far, except those that
    failed by the provider alone."""

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
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed row. A row that is ``due`` again has a new ``due_at`` (microseconds).

    ``attempts`` replaces the number of calls that count: the failure of a provider takes no try from a message.
    """

    id: int
    state: Ended
    reason: str | None = None
    provider_id: str | None = None
    due_at: int | None = None
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A claimed row whose message goes to an address now. ``provider_id`` is the provider's name for it, if it is known."""

    id: int
    address: HashedAddress
    provider_id: str | None = None


UNSUBSCRIBED = "unsubscribed"  # the reason of a refusal by a provider that knows an opt-out
NO_CHANNEL = "no-channel"  # the reason of a row that waits for a channel
PROVIDER_AWAY = "provider-away"  # the reason of a row that waits for a provider whose circuit is open
NO_ADDRESS = "no-address"  # the reason of a row that is suppressed because the patient has no address

_CLAIMED = [notifications.c[name] for name in Claimed.__dataclass_fields__]
_INSERT_ONCE = insert(notifications).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
_UPDATE_ONCE = update(notifications).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
# What a repeat of a row has of the row.
_OF_SUBJECT = (
    "site_id", "subject", "subject_version", "kind", "ahead", "channel", "visit_id", "entry_id", "appointment_id",
    "minutes",
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


async def begin(connection: AsyncConnection, claimer: str, rows: Sequence[Begun], now: int) -> tuple[set[int], set[int]]:
    """Mark claimed rows as ``sending``; return the ids of the rows to send after the commit, and of the opted-out ones.

    The one update demands that the claim holds, that the subject is in the planned version and a right state, that its
    address takes messages, and that it is not too late. The other claimed rows become ``suppressed``, ``withdrawn`` or
    ``expired``.
    """
    ids = {each.id for each in rows}
    values = {"rows": _as_rows(rows), "claimer": claimer, "at": now}
    begun = await connection.execute(_begin(connection.dialect), values)
    if begun.rowcount == len(ids):
        return ids, set()
    await connection.execute(_close(connection.dialect), values)
    mine = [notifications.c.id.in_(ids), notifications.c.claim == claimer]
    ended = select(notifications.c.id, notifications.c.state).where(
        *mine, notifications.c.state.in_(("sending", "suppressed"))
    )
    found = {row.id: row.state for row in await connection.execute(ended)}
    sending = {each for each, state in found.items() if state == "sending"}
    return sending, set(found) - sending


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


async def take_over(connection: AsyncConnection, claimer: str, rows: Sequence[Begun], before: int, now: int) -> set[int]:
    """Take over stale rows of a channel whose provider accepts a key only once; return the ids of the rows to send again.

    The same conditions hold as for `begin`. The other rows stay, for `give_up`.
    """
    values = {"rows": _as_rows(rows), "claimer": claimer, "before": before, "at": now}
    await connection.execute(_take_over(connection.dialect), values)
    mine = [
        notifications.c.id.in_([each.id for each in rows]),
        notifications.c.claim == claimer,
        notifications.c.state == "sending",
    ]
    return set(await connection.scalars(select(notifications.c.id).where(*mine)))


async def leave_stale(connection: AsyncConnection, ids: Collection[int], before: int, now: int) -> None:
    """Look at stale rows again later, since their provider is left alone at present. Their outcome stays open."""
    later = update(notifications).where(notifications.c.id.in_(ids), *_stale(before)).values(changed_at=now)
    await connection.execute(later)


async def wake(connection: AsyncConnection, now: int, until: int) -> None:
    """Let the rows that wait for a provider be sent at ``now``, where their time is before ``until`` (microseconds)."""
    soon = notifications.c.open_due_at.between(now + 1, until)
    waiting = notifications.c.state == "due", notifications.c.reason == PROVIDER_AWAY
    await connection.execute(update(notifications).where(soon, *waiting).values(due_at=now))


async def give_up(connection: AsyncConnection, ids: Collection[int], before: int, now: int) -> int:
    """Mark stale rows as ``unknown``; return their number. Nothing is sent twice.

    A row with a receipt becomes ``sent``: its provider accepted the message.
    """
    lost = update(notifications).where(notifications.c.id.in_(ids), *_stale(before)).values(changed_at=now, news_at=now)
    received = notifications.c.receipt.is_not(None)
    await connection.execute(lost.where(received).values(state="sent"))
    return (await connection.execute(lost.where(~received).values(state="unknown", reason="worker-lost"))).rowcount


async def give_up_all(connection: AsyncConnection, now: int) -> int:
    """Mark as ``unknown`` each row that may have been sent by ``now``, in a restored database; return their number.

    These are the claimed and sending rows, and the due rows whose time came between the backup and its restore.
    """
    begun = notifications.c.state.in_(("claimed", "sending"))
    passed = and_(notifications.c.state == "due", notifications.c.due_at <= now)
    values = {"state": "unknown", "reason": "restored", "changed_at": now, "news_at": now}
    return (await connection.execute(update(notifications).where(or_(begun, passed)).values(**values))).rowcount


async def withdraw_all(connection: AsyncConnection, organisation_id: int, now: int) -> int:
    """Withdraw the messages of an organisation that are still due; return their number."""
    mine = notifications.c.site_id.in_(select(sites.c.id).where(sites.c.organisation_id == organisation_id))
    due = update(notifications).where(mine, notifications.c.state == "due")
    return (await connection.execute(due.values(state="withdrawn", changed_at=now))).rowcount


async def resend(connection: AsyncConnection, notification_id: int, now: int, not_after: int) -> bool:
    """Add a row that repeats an ``unknown`` or ``failed`` one, due at once; return whether it was added.

    A row is repeated once; its repeat can be repeated again.
    """
    new = {"resend_of": notifications.c.id, "not_after": literal(not_after)}
    return await _add_like(connection, notification_id, now, new, notifications.c.state.in_(("unknown", "failed")))


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
    await connection.execute(left.values(state="suppressed", reason=NO_ADDRESS, news_at=now, changed_at=now))


async def repeat_otherwise(connection: AsyncConnection, notification_id: int, way: Way, now: int) -> bool:
    """Add a row that repeats a failed one on another way at once, while it is useful; return whether it was added.

    Only for a message that was certainly not sent: see `resend`.
    """
    new = {"resend_of": notifications.c.id, "channel": literal(way), "not_after": notifications.c.not_after}
    useful = notifications.c.state == "failed", notifications.c.not_after > now
    return await _add_like(connection, notification_id, now, new, *useful)


async def reroute(connection: AsyncConnection, ways: Mapping[int, Way], now: int) -> None:
    """Add a row, due at once, for each message to an opted-out address: the same message on another way, by the row's id."""
    opted_out = (
        notifications.c.state.in_(("suppressed", "failed")),
        notifications.c.reason.in_((OPTED_OUT, UNSUBSCRIBED)),
        notifications.c.resend_of == 0,
    )
    for notification_id, way in ways.items():
        new = {"channel": literal(way), "not_after": notifications.c.not_after}
        await _add_like(connection, notification_id, now, new, *opted_out)


async def _add_like(
    connection: AsyncConnection,
    notification_id: int,
    now: int,
    new: Mapping[str, ColumnElement[Any]],
    *conditions: ColumnElement[bool],
) -> bool:
    """Add a row, due at ``now``, about the subject of another one that meets the conditions; return whether it was added."""
    values = {"state": literal("due"), "due_at": literal(now), "changed_at": literal(now), **new}
    same = [name for name in _OF_SUBJECT if name not in new]
    source = select(*(notifications.c[name] for name in same), *values.values())
    source = source.where(notifications.c.id == notification_id, *conditions)
    return (await connection.execute(_INSERT_ONCE.from_select([*same, *values], source))).rowcount == 1


async def receive(connection: AsyncConnection, provider_id: str, channel: str, receipt: Arrival, now: int) -> bool:
    """Note a provider's receipt for the message that it calls ``provider_id``; return whether there is such a row.

    Every receipt shows that the provider accepted the message: a row of ``unknown`` outcome becomes ``sent``. Receipts can
    come in any order: ``delivered`` stays, and ``undelivered-for-now`` replaces no final receipt.
    """
    row = notifications.c.provider_id == provider_id, notifications.c.channel == channel
    known = await connection.scalar(select(notifications.c.id).where(*row).limit(1))
    if known is None:
        return False
    weaker = ("undelivered-for-now",) if receipt == "undelivered-for-now" else ("undelivered-for-now", "undelivered")
    replaced = or_(notifications.c.receipt.is_(None), notifications.c.receipt.in_(weaker))
    values = {"receipt": receipt, "receipt_at": now} | ({} if receipt == "undelivered-for-now" else {"news_at": now})
    await connection.execute(update(notifications).where(notifications.c.id == known, replaced).values(**values))
    lost = notifications.c.id == known, notifications.c.state == "unknown"
    await connection.execute(
        update(notifications).where(*lost).values(state="sent", reason=None, news_at=now, changed_at=now)
    )
    return True


async def noted(connection: AsyncConnection, notification_id: int, news_at: int) -> None:
    """Forget the news of a row, unless there is later news of it."""
    same = notifications.c.id == notification_id, notifications.c.news_at == news_at
    await connection.execute(update(notifications).where(*same).values(news_at=None))


def _stale(before: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return notifications.c.state == "sending", notifications.c.changed_at < before


@cache
def _subject_is_as_planned() -> ColumnElement[bool]:
    """The subject has the version that the message is about, and a state that allows its kind.

    No message repeats a call from before an outage. A question about a whole visit is about no version.
    """
    entry = exists().where(
        entries.c.id == notifications.c.entry_id,
        or_(entries.c.calls == notifications.c.subject_version, notifications.c.kind == "feedback"),
        or_(*(and_(notifications.c.kind == kind, entries.c.state.in_(states)) for kind, states in OF_ENTRIES.items())),
        or_(notifications.c.kind != "called", entries.c.doubt.is_(None)),
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


def _as_rows(rows: Sequence[Begun]) -> str:
    return orjson.dumps([{"id": each.id, "provider_id": each.provider_id, **asdict(each.address)} for each in rows]).decode()


class _Addressed:
    """The conditions of rows that a statement gets as ``rows``, each with its address, at the instant ``at``."""

    def __init__(self, dialect: Dialect) -> None:
        of_address = (opt_outs.c.organisation_id, opt_outs.c.way, opt_outs.c.address_hash)
        given = as_table(notifications, ("id", "provider_id"), dialect, of_address)
        self.same_row = notifications.c.id == given["id"]
        self.provider_id = given["provider_id"]
        stopped = select(literal(1)).select_from(opt_outs).where(*(each == given[each.name] for each in of_address))
        self.opted_out = stopped.correlate_except(opt_outs).exists()
        self.in_time = notifications.c.not_after > bindparam("at")
        self.right = and_(self.in_time, _subject_is_as_planned(), ~self.opted_out)


_MINE = notifications.c.claim == bindparam("claimer")
_TRIED = {"attempts": notifications.c.attempts + 1, "changed_at": bindparam("at")}


@cache
def _begin(dialect: Dialect) -> Update:
    rows = _Addressed(dialect)
    begun = update(notifications).where(rows.same_row, _MINE, notifications.c.state == "claimed", rows.right)
    return begun.values(state="sending", provider_id=rows.provider_id, **_TRIED)


@cache
def _close(dialect: Dialect) -> Update:
    rows = _Addressed(dialect)
    opted_out = and_(rows.in_time, _subject_is_as_planned(), rows.opted_out)
    state = case((~rows.in_time, "expired"), (opted_out, "suppressed"), else_="withdrawn")
    withdrawn = and_(rows.in_time, ~opted_out)  # no news for the desk
    closed = update(notifications).where(rows.same_row, _MINE, notifications.c.state == "claimed")
    return closed.values(
        state=state,
        reason=case((opted_out, OPTED_OUT)),
        news_at=case((withdrawn, None), else_=bindparam("at")),
        changed_at=bindparam("at"),
    )


@cache
def _take_over(dialect: Dialect) -> Update:
    rows = _Addressed(dialect)
    stale = notifications.c.state == "sending", notifications.c.changed_at < bindparam("before")
    taken = update(notifications).where(rows.same_row, *stale, rows.right)
    return taken.values(claim=bindparam("claimer"), provider_id=rows.provider_id, **_TRIED)


@cache
def _record(dialect: Dialect) -> Update:
    new = as_table(notifications, ("id", "state", "reason", "provider_id", "due_at", "attempts"), dialect)
    late_answer = and_(notifications.c.state == "unknown", new["state"].in_(("sent", "failed")))
    before_sending = and_(notifications.c.state == "claimed", new["state"].in_(("due", "failed", "suppressed", "expired")))
    values: dict[str, Any] = {name: new[name] for name in ("state", "reason")}
    values["provider_id"] = func.coalesce(new["provider_id"], notifications.c.provider_id)
    values["due_at"] = func.coalesce(new["due_at"], notifications.c.due_at)
    values["attempts"] = func.coalesce(new["attempts"], notifications.c.attempts)
    values["news_at"] = case((new["state"] == "due", None), else_=bindparam("at"))
    return (
        update(notifications)
        .where(notifications.c.id == new["id"], notifications.c.claim == bindparam("claimer"))
        .where(or_(notifications.c.state == "sending", late_answer, before_sending))
        .values(**values, changed_at=bindparam("at"))
    )
