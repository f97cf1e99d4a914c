"""The messages of a site for staff: planned, sent and ended ones, and which of them may be sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from server.domain.errors import MessageNotRepeatable, MessageOutdated, MessageRepeated, MessageUnwanted, Refused
from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, Arrival, Kind, MessageState, Way, masked
from server.domain.model import Appointment, State
from server.domain.rules.messages import repeat_until
from server.queries import keyset, messages
from server.queries.keyset import Key, Page
from server.queries.messages import Subject
from server.queries.reader import Reader
from server.store import opt_outs
from server.store.opt_outs import HashedAddress
from server.store.tables import entries, notifications
from server.vault import Vault

KEY: tuple[type, ...] = (int, int)  # due_at (microseconds), id
REPEATABLE = ("failed", "unknown")
_ENDED_ADDRESS = ("unsubscribed", "gone")  # reasons after which no message goes to the same address


@dataclass(frozen=True, slots=True)
class Filters:
    """The wanted messages; None means any. Their due times are from ``since`` to before ``until`` (microseconds)."""

    state: MessageState | None = None
    kind: Kind | None = None
    way: Way | None = None
    appointment_id: int | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class MessageListed:
    """A message as lists show it. ``recipient`` is the masked address that the record has now. Instants in milliseconds."""

    id: int
    site_id: int
    kind: Kind
    ahead: int
    way: Way
    state: MessageState
    reason: str | None
    receipt: Arrival | None
    due_at: int
    not_after: int
    changed_at: int
    appointment_id: int | None
    local_start: str | None
    entry_id: int | None
    label: str | None
    recipient: str | None
    attempts: int
    resend_of: int | None
    may_resend: bool
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A message ``at`` an instant, and why it may not be sent again; ``refusal`` is None if it may.

    Its repeat is useful before ``until``. Instants are in microseconds.
    """

    site_id: int
    organisation_id: int
    at: int
    until: int
    refusal: Refused | None


@dataclass(frozen=True, slots=True)
class _Message:
    """A row, with instants in microseconds."""

    id: int
    site_id: int
    subject: str
    subject_version: int
    kind: Kind
    ahead: int
    channel: Way
    visit_id: int | None
    entry_id: int | None
    appointment_id: int | None
    state: MessageState
    due_at: int
    not_after: int
    changed_at: int
    attempts: int
    reason: str | None
    receipt: Arrival | None
    resend_of: int
    minutes: int | None


_MESSAGES: Select[*tuple[Any, ...]] = select(*(notifications.c[each.name] for each in fields(_Message)))


async def page(
    database: Reader, vault: Vault, site_id: int, filters: Filters, size: int, after: Key | None
) -> Page[MessageListed]:
    """Return a page of a site's messages, the latest due time first. Raises `Unavailable`."""
    now = await database.now()
    index, conditions = _chosen(site_id, filters)
    by_key = f"FORCE INDEX (ix_notifications_{index})"  # in the order of the list: an optimiser may choose to sort
    async with database.read() as connection:
        wanted = _MESSAGES.where(*conditions).with_hint(notifications, by_key, "mysql")
        key = (notifications.c.due_at, notifications.c.id)
        rows, more = await keyset.rows(connection, wanted, key, size, after, descending=True)
        every = select(notifications.c.id).where(*conditions).with_hint(notifications, by_key, "mysql")
        counted = await keyset.total(connection, every)
    found = [_Message(*row) for row in rows]
    subjects = await messages.subjects(database, found) if found else {}
    refusals = await _refusals(database, vault, found, subjects, now)
    listed = [_listed(row, subjects[row.id], vault, refusals[row.id] is None) for row in found]
    last = found[-1] if found else None
    return keyset.page(listed, counted, lambda _: (last.due_at, last.id) if last else (), more=more)


async def find(database: Reader, vault: Vault, message_id: int) -> Repeatable | None:
    """Return a message and whether it may be sent again, or None if there is none. Raises `Unavailable`."""
    now = await database.now()
    async with database.read() as connection:
        found = (await connection.execute(_MESSAGES.where(notifications.c.id == message_id))).one_or_none()
    if found is None:
        return None
    row = _Message(*found)
    subjects = await messages.subjects(database, [row])
    refusals = await _refusals(database, vault, [row], subjects, now)
    subject = subjects[row.id]
    until = repeat_until(row.kind, subject.appointment, now)
    return Repeatable(row.site_id, subject.site.organisation_id, now, until, refusals[row.id])


def _chosen(site_id: int, filters: Filters) -> tuple[str, list[ColumnElement[bool]]]:
    """Return the end of the name of the index to read by, and the conditions."""
    table = notifications.c
    found = [table.site_id == site_id]
    if filters.state is not None:
        found.append(table.state == filters.state)
    if filters.kind is not None:
        found.append(table.kind == filters.kind)
    if filters.way is not None:
        found.append(table.channel == filters.way)
    if filters.since is not None:
        found.append(table.due_at >= filters.since)
    if filters.until is not None:
        found.append(table.due_at < filters.until)
    if filters.appointment_id is not None:
        return "appointment_id_due_at_id", [*found, table.appointment_id == filters.appointment_id]
    return "site_id_due_at_id" if filters.state is None else "site_id_state_due_at_id", found


async def _refusals(
    database: Reader, vault: Vault, found: Sequence[_Message], subjects: dict[int, Subject], now: int
) -> dict[int, Refused | None]:
    """Return by id why each message may not be sent again, or None."""
    candidates = [row for row in found if row.state in REPEATABLE]
    repeated: set[int] = set()
    calls: dict[int, tuple[int, State, bool]] = {}
    addresses: dict[int, HashedAddress] = {}
    stopped: Collection[HashedAddress] = ()
    if candidates:
        table = notifications.c
        same = table.subject.in_({row.subject for row in candidates}), table.resend_of.in_([row.id for row in candidates])
        async with database.read() as connection:
            addresses = _addresses(candidates, subjects, vault)
            stopped = await opt_outs.sources(connection, set(addresses.values()))
            repeated = set(await connection.scalars(select(table.resend_of).where(*same)))
            if entry_ids := {row.entry_id for row in candidates if row.entry_id is not None}:
                columns = entries.c.id, entries.c.calls, entries.c.state, entries.c.doubt
                of_entries = await connection.execute(select(*columns).where(entries.c.id.in_(entry_ids)))
                calls = {entry_id: (count, state, doubt is None) for entry_id, count, state, doubt in of_entries}
    refusals: dict[int, Refused | None] = {}
    for row in found:
        appointment, site = subjects[row.id].appointment, subjects[row.id].site
        replaced = row.kind == "running-late" and row.ahead != site.late_number  # by another delay, or withdrawn
        if row.state not in REPEATABLE:
            refusals[row.id] = MessageNotRepeatable(state=row.state)
        elif row.id in repeated:
            refusals[row.id] = MessageRepeated()
        elif row.reason in _ENDED_ADDRESS or addresses.get(row.id) in stopped:
            refusals[row.id] = MessageUnwanted()
        elif replaced:
            refusals[row.id] = MessageOutdated()
        elif _is_right(row, appointment, calls.get(row.entry_id or 0)) and repeat_until(row.kind, appointment, now) > now:
            refusals[row.id] = None
        else:
            refusals[row.id] = MessageOutdated()
    return refusals


def _addresses(rows: Sequence[_Message], subjects: dict[int, Subject], vault: Vault) -> dict[int, HashedAddress]:
    """Return by id the present address of each message, if there is one."""
    found: dict[int, HashedAddress] = {}
    for row in rows:
        subject = subjects[row.id]
        address = subject.addresses((row.channel,), vault).get(row.channel)
        if address is not None:
            found[row.id] = opt_outs.hashed(vault, subject.site.organisation_id, row.channel, address)
    return found


def _is_right(row: _Message, appointment: Appointment | None, entry: tuple[int, State, bool] | None) -> bool:
    """Return whether the subject still has the version of the message, and a state that allows its kind.

    ``entry`` is its number of calls, its state, and whether no outage has made its call doubtful.
    """
    if appointment is not None:
        return appointment.version == row.subject_version and appointment.state in OF_APPOINTMENTS.get(row.kind, ())
    current = entry is not None and (row.kind == "feedback" or entry[0] == row.subject_version)
    if entry is None or not current or (row.kind == "called" and not entry[2]):
        return False
    return entry[1] in OF_ENTRIES.get(row.kind, ())


def _listed(row: _Message, subject: Subject, vault: Vault, may_resend: bool) -> MessageListed:
    address = subject.addresses((row.channel,), vault).get(row.channel)
    return MessageListed(
        id=row.id,
        site_id=row.site_id,
        kind=row.kind,
        ahead=row.ahead,
        way=row.channel,
        state=row.state,
        reason=row.reason,
        receipt=row.receipt,
        due_at=row.due_at // 1000,
        not_after=row.not_after // 1000,
        changed_at=row.changed_at // 1000,
        appointment_id=row.appointment_id,
        local_start=None if subject.appointment is None else subject.appointment.local_start,
        entry_id=row.entry_id,
        label=None if subject.visit is None else subject.visit.label,
        recipient=None if address is None else masked(address, row.channel),
        attempts=row.attempts,
        resend_of=row.resend_of or None,
        may_resend=may_resend,
        minutes=row.minutes,
    )
