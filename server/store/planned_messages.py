"""The rows of messages. Those that a command plans are written in its transaction: none is lost or planned twice.

After other settings of a site, the sweep plans the messages of its future appointments again, in batches without the site's
lock. A command that changes an appointment meanwhile makes a new version of it, for which these rows do not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.board import Board, Changes
from server.domain.events import AppointmentRezoned, DelayAnnounced, DelayWithdrawn, Event, SiteChanged
from server.domain.messages import OPEN, REVIVABLE, Way, subscriber_of, way_to
from server.domain.model import Appointment, Personal, Site, Visit
from server.domain.model.ids import IDS_PER_SITE
from server.domain.rules.messages import DELAY_LASTS, PlannedMessage, PlannedRow, calls, planned, replanned, waiting
from server.store import notifications, sites
from server.store import push_subscriptions as subscriptions
from server.store.calendar import SiteCalendar
from server.store.notifications import Planned
from server.store.records import columns_of, record_of
from server.store.tables import appointments, message_plans, push_subscriptions
from server.store.tables import notifications as table
from server.vault import Vault

Told = frozenset[tuple[str, int]]  # the waiting entries, each with its version, whose patients have been told

_OPEN = table.c.state.in_(sorted(OPEN))
_WITHDRAW = (
    update(table)
    .where(table.c.subject.in_(bindparam("subjects", expanding=True)), _OPEN)
    .values(state="withdrawn", changed_at=bindparam("at"))
)
# Messages about a delay are never due later than they end, so the index leads past the reminders of months.
_WITHDRAW_DELAY = (
    update(table)
    .where(table.c.site_id == bindparam("of_site"), _OPEN, table.c.due_at < bindparam("below"))
    .where(table.c.kind == "running-late")
    .values(state="withdrawn", changed_at=bindparam("at"))
)
# A row that was skipped or withdrawn while its appointment stayed the same is wanted again after other settings.
_MOVE = (
    update(table)
    .where(table.c.id == bindparam("row"), table.c.state.in_(sorted(OPEN | REVIVABLE)))
    .values(state="due", claim=None, due_at=bindparam("due"), not_after=bindparam("until"), changed_at=bindparam("at"))
)
_FUTURE = (
    select(*columns_of(Appointment))
    .where(
        appointments.c.id > bindparam("after_id"),
        appointments.c.id < bindparam("below_id"),
        appointments.c.state == "booked",
        appointments.c.starts_at > bindparam("now"),
    )
    .order_by(appointments.c.id)
    .limit(bindparam("most"))
)
_ROWS = select(table).where(table.c.subject.in_(bindparam("subjects", expanding=True)), table.c.resend_of == 0)
# Of each row, one part is None: the subscriptions of phones, and the messages about entries that are planned.
_KNOWN = union_all(
    select(push_subscriptions.c.subject_id, null().label("subject"), null().label("version"), null().label("kind")).where(
        push_subscriptions.c.subject_id.in_(bindparam("subscribers", expanding=True))
    ),
    select(null(), table.c.subject, table.c.subject_version, table.c.kind).where(
        table.c.subject.in_(bindparam("subjects", expanding=True))
    ),
)
_FORGET = delete(message_plans).where(message_plans.c.site_id == bindparam("of_site"))


def save(
    connection: Connection,
    before: Site,
    board: Board,
    events: Sequence[Event],
    changes: Changes,
    calendar: SiteCalendar,
    vault: Vault,
    now: int,
    told: Told,
) -> Told:
    """Write the rows of a command's messages, and withdraw the open ones about former versions of appointments.

    ``before`` is the site before the command, and ``board`` the board after it. ``told`` are the waiting entries whose
    patients have their message "almost your turn"; the result has those of now. ``now`` is in microseconds.
    """
    if _plans_again(before, board.site, events):
        connection.execute(_FORGET, {"of_site": board.site.id})
        connection.execute(insert(message_plans), {"site_id": board.site.id, "mark": board.site.seq, "after_id": 0})
    if any(isinstance(each, DelayAnnounced | DelayWithdrawn) for each in events):
        withdraw_delay(connection, board.site.id, now)
    ways = board.site.rules.message_ways
    if not ways:
        return frozenset()
    if subjects := [f"appointment:{each}" for each in _moved_on(changes)]:
        withdraw(connection, subjects, now)
    almost = waiting(board, now)
    fresh = [each for each in almost if (each.subject, each.version) not in told]
    found = [(each, _record_of(each, board, changes, calendar)) for each in [*planned(board, events, now), *fresh]]
    _plan(connection, board.site, found, vault, now)
    return frozenset((each.subject, each.version) for each in almost)


def catch_up(connection: Connection, board: Board, visit_id: int, vault: Vault, now: int) -> None:
    """Plan the message that the patient of an open visit would have by now, if an address had been known.

    A message that has a row stays as it is. The caller holds the lock of the site. ``now`` is in microseconds.
    """
    found = [each for each in [*waiting(board, now), *calls(board, now)] if each.visit_id == visit_id]
    _plan(connection, board.site, [(each, board.visits[visit_id]) for each in found], vault, now)


def _plan(
    connection: Connection, site: Site, found: Sequence[tuple[PlannedMessage, Visit | Appointment]], vault: Vault, now: int
) -> None:
    """Write the rows of messages, each with the record of its patient."""
    ways = site.rules.message_ways
    subscribed: set[int] = set()
    known: set[tuple[str, int, str]] = set()
    if found and "push" in ways:
        subscribed, known = _known(connection, found)
    rows = []
    for message, record in found:
        if (message.subject, message.version, message.kind) in known:
            continue
        patient = vault.open_personal(record)
        row = row_of(message, site.id, patient, ways, subscribed=subscriber_of(record) in subscribed)
        if row is not None:
            rows.append(row)
    notifications.plan(connection, rows, now)


def _known(
    connection: Connection, found: Sequence[tuple[PlannedMessage, Visit | Appointment]]
) -> tuple[set[int], set[tuple[str, int, str]]]:
    """Return who of these patients has a push subscription, and which messages about entries have a row, in one statement.

    A subscription changes the way of a patient, and a row of another way would be a second message.
    """
    subscribers = {subscriber_of(record) for _, record in found}
    subjects = {message.subject for message, _ in found if message.entry_id is not None}
    rows = connection.execute(_KNOWN, {"subscribers": sorted(subscribers), "subjects": sorted(subjects)})
    subscribed: set[int] = set()
    known: set[tuple[str, int, str]] = set()
    for subject_id, subject, version, kind in rows:
        if subject is None:
            subscribed.add(subject_id)
        else:
            known.add((subject, version, kind))
    return subscribed, known


def row_of(
    message: PlannedMessage, site_id: int, patient: Personal, ways: Sequence[Way], *, subscribed: bool = False
) -> Planned | None:
    """Return the row of a message, for the first of the site's ``ways`` for which the patient has an address.

    Without any address, a message about an entry has no row: an address would come too late. One about an appointment has
    a row, and is sent if there is an address at its due time. ``subscribed`` is as for `way_to`.
    """
    way = way_to(patient, ways, subscribed=subscribed)
    if way is None and message.appointment_id is None:
        return None
    spread = message.spread()
    return Planned(
        site_id=site_id,
        subject=spread.subject,
        subject_version=spread.version,
        kind=spread.kind,
        ahead=spread.ahead,
        channel=way or ways[0],
        due_at=spread.due_at,
        not_after=spread.not_after,
        visit_id=spread.visit_id,
        entry_id=spread.entry_id,
        appointment_id=spread.appointment_id,
        state=spread.state,
        minutes=spread.minutes,
    )


def _record_of(message: PlannedMessage, board: Board, changes: Changes, calendar: SiteCalendar) -> Visit | Appointment:
    """Return the record with the patient's data: for a freed time, the appointment that may move to it."""
    if message.visit_id is not None:
        return board.visits[message.visit_id]
    assert message.appointment_id is not None, "a message is about an entry or an appointment"
    _, changed = changes.records.get((Appointment, message.appointment_id), (None, None))
    record = changed if isinstance(changed, Appointment) else board.appointments[message.appointment_id]
    if record.offered_to is None:
        return record
    asking = calendar.appointment(record.offered_to)
    assert asking is not None, "the offer names an appointment"
    return asking


def withdraw(connection: Connection, subjects: Sequence[str], now: int) -> None:
    """Withdraw the open messages about these subjects. ``now`` is in microseconds."""
    connection.execute(_WITHDRAW, {"subjects": subjects, "at": now})


def withdraw_delay(connection: Connection, site_id: int, now: int) -> None:
    """Withdraw the open messages about the delay of a site. ``now`` is in microseconds."""
    connection.execute(_WITHDRAW_DELAY, {"of_site": site_id, "below": now + DELAY_LASTS, "at": now})


@dataclass(frozen=True, slots=True)
class Plan:
    """A site whose future is planned again. The appointments up to the id ``after_id`` are done."""

    site_id: int
    mark: int
    after_id: int


async def plans(connection: AsyncConnection, after: int = 0, limit: int = 20) -> list[Plan]:
    """Return up to ``limit`` sites whose future has to be planned again, from those with an id above ``after``."""
    columns = message_plans.c.site_id, message_plans.c.mark, message_plans.c.after_id
    statement = select(*columns).where(message_plans.c.site_id > after).order_by(message_plans.c.site_id).limit(limit)
    return [Plan(*row) for row in await connection.execute(statement)]


def plan_again(connection: Connection, plan: Plan, vault: Vault, now: int, most: int) -> int:
    """Plan the messages of up to ``most`` future appointments of a site again; return the number of these appointments."""
    site = sites.load(connection, plan.site_id)
    limits = {"after_id": max(plan.after_id, site.id * IDS_PER_SITE), "below_id": (site.id + 1) * IDS_PER_SITE}
    found = connection.execute(_FUTURE, limits | {"now": now, "most": most})
    booked = [record_of(Appointment, row._mapping) for row in found]
    known: dict[tuple[str, int], list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_ROWS, {"subjects": [f"appointment:{each.id}" for each in booked]}):
        known[row.subject, row.subject_version].append(row)
    subscribed: set[int] = set()
    if "push" in site.rules.message_ways:
        subscribed = subscriptions.among(connection, [each.id for each in booked])
    rewriting = _Rewriting(subscribed)
    for appointment in booked:
        rows = known[f"appointment:{appointment.id}", appointment.version]
        rewriting.add_for(site, appointment, rows, vault.open_personal(appointment), now)
    rewriting.save(connection, now)
    same = message_plans.c.site_id == plan.site_id, message_plans.c.mark == plan.mark
    if len(booked) < most:
        connection.execute(delete(message_plans).where(*same))
    else:
        connection.execute(update(message_plans).where(*same).values(after_id=booked[-1].id))
    return len(booked)


@dataclass(frozen=True, slots=True)
class _Rewriting:
    """What changes in the rows of several appointments: new rows, new times by their ids, and rows to withdraw.

    ``subscribed`` are the appointments with a push subscription.
    """

    subscribed: set[int]
    added: list[Planned] = field(default_factory=list)
    moved: list[dict[str, int]] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)

    def add_for(self, site: Site, appointment: Appointment, rows: Sequence[Row[Any]], patient: Personal, now: int) -> None:
        """Add what changes for one appointment. ``rows`` are those of its present version."""
        ways = site.rules.message_ways
        ids: dict[tuple[str, int], int] = {}
        stay: dict[tuple[str, int], PlannedRow] = {}
        for row in sorted(rows, key=lambda each: each.state in REVIVABLE, reverse=True):  # the others count more
            if row.channel not in ways and row.state in OPEN | REVIVABLE:
                self.withdrawn.append(row.id)
                continue
            key = row.kind, row.ahead
            ids[key] = row.id
            stay[key] = PlannedRow(
                kind=row.kind, ahead=row.ahead, state=row.state, due_at=row.due_at, not_after=row.not_after
            )
        changes = replanned(stay.values(), appointment, site, now)
        for message in changes.add:
            new = row_of(message, site.id, patient, ways, subscribed=appointment.id in self.subscribed)
            if new is not None:
                self.added.append(new)
        for to in changes.move:
            self.moved.append({"row": ids[to.kind, to.ahead], "due": to.due_at, "until": to.not_after, "at": now})
        self.withdrawn.extend(ids[each.kind, each.ahead] for each in changes.withdraw)

    def save(self, connection: Connection, now: int) -> None:
        """Write the rows. One that a worker has begun to send meanwhile stays as it is."""
        notifications.plan(connection, self.added, now)
        if self.moved:
            connection.execute(_MOVE, self.moved)
        if self.withdrawn:
            ended = update(table).where(table.c.id.in_(self.withdrawn), _OPEN)
            connection.execute(ended.values(state="withdrawn", changed_at=now))


def _plans_again(before: Site, after: Site, events: Iterable[Event]) -> bool:
    """Return whether the site's future messages are other ones now: by its settings, or by other instants of starts."""
    if any(isinstance(each, AppointmentRezoned) for each in events):
        return bool(after.rules.message_ways)
    return any(isinstance(each, SiteChanged) for each in events) and _settings(before) != _settings(after)


def _settings(site: Site) -> tuple[object, ...]:
    rules = site.rules
    return rules.message_ways, rules.reminders, rules.quiet_from, rules.quiet_until, site.time_zone


def _moved_on(changes: Changes) -> list[int]:
    """Return the appointments whose version or state has changed."""
    return sorted(
        after.id
        for before, after in changes.records.values()
        if isinstance(before, Appointment)
        and isinstance(after, Appointment)
        and (before.version, before.state) != (after.version, after.state)
    )
