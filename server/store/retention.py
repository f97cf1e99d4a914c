"""Retention: deletes personal data from visits, appointments, messages and the log after a number of days.

The rest stays, for counting.

The secret of a second factor stays as long as the factor is on: without it, the member could not sign in.

Works in batches, each in a transaction of its own: servers can run meanwhile, and a stopped run can start again. The hash
chains stay whole, because they do not include the deleted columns. Each cleared event gets a new proof.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Delete, Table, Update, and_, bindparam, delete, or_, select, true, update

from server.domain.events import EVENTS, OfAppointment
from server.store import proofs, push_subscriptions
from server.store.batches import batches, beyond
from server.store.database import Database
from server.store.report_mails import ENDED as MAILS_ENDED
from server.store.tables import (
    account_links,
    appointments,
    commands,
    events,
    feedback,
    notifications,
    report_mails,
    sessions,
    sites,
    visit_search,
    visits,
)
from server.store.tables import push_subscriptions as subscriptions
from server.vault import Vault

BATCH = 500
DAY_MICROSECONDS = 86_400_000_000

# The events about a patient. Other sealed data, a service's true name, is not personal.
OF_PATIENTS = tuple(
    name
    for name, kind in EVENTS.items()
    if issubclass(kind, OfAppointment) or {"visit_id", "sealed"} <= {item.name for item in fields(kind)}  # type: ignore[arg-type]
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The numbers of rows that were cleared or deleted, by kind."""

    visits: int
    appointments: int
    events: int
    searches: int
    answers: int
    sessions: int
    links: int
    messages: int
    opinions: int
    subscriptions: int
    report_addresses: int


async def forget(database: Database, vault: Vault, days: int) -> Forgotten:
    """Delete personal data that is more than ``days`` old; at least 1. Raises `Unavailable`.

    A visit or an appointment of its site's present business day stays, even if that day began long ago: screens still show
    it. So does every appointment that is to come, but not the visitor's trace in a hold that ended long ago.
    """
    if days < 1:
        raise ValueError("days must be at least 1: the data of today stays")
    before = await database.now() - days * DAY_MICROSECONDS
    past = visits.c.business_day != select(sites.c.business_day).where(sites.c.id == visits.c.site_id).scalar_subquery()
    old_visit = and_(visits.c.opened_at < before, past)
    told = or_(visits.c.sealed.is_not(None), visits.c.display_name.is_not(None))
    shown = or_(events.c.sealed.is_not(None), events.c.display_name.is_not(None))
    nothing: dict[str, Any] = {"sealed": None, "display_name": None}
    searched = select(visits.c.id).where(visits.c.id == visit_search.c.visit_id, old_visit).exists()
    today = select(sites.c.business_day).where(sites.c.id == appointments.c.site_id).scalar_subquery()
    over_long_ago = or_(
        and_(appointments.c.state.in_(("held", "expired")), appointments.c.held_until < before),
        and_(
            appointments.c.ends_at < before,
            or_(appointments.c.business_day.is_(None), appointments.c.business_day != today),
        ),
    )
    traces = ("sealed", "phone_hash", "held_by", "held_from")
    traced = or_(*(appointments.c[name].is_not(None) for name in traces))
    no_traces = update(appointments).values(dict.fromkeys(traces))
    ended = or_(sessions.c.used_at < before, sessions.c.revoked_at < before)
    over = or_(*(account_links.c[name] < before for name in ("used_at", "revoked_at", "expires_at")))
    # The provider's own records still have the patient's number or address under this name.
    named = and_(notifications.c.changed_at < before, notifications.c.provider_id.is_not(None))
    oldest_day = datetime.fromtimestamp(before / 1_000_000, UTC).date() - timedelta(days=1)  # in every zone
    said = and_(feedback.c.day < oldest_day.isoformat(), feedback.c.sealed.is_not(None))
    # Of mails that have ended. An address that gets the report of each month stays until somebody ends that.
    mailed = and_(
        report_mails.c.changed_at < before, report_mails.c.sealed.is_not(None), report_mails.c.state.in_(MAILS_ENDED)
    )
    return Forgotten(
        searches=await _each(database, visit_search, searched, delete(visit_search)),
        visits=await _each(database, visits, and_(old_visit, told), update(visits).values(nothing)),
        appointments=await _each(database, appointments, and_(over_long_ago, traced), no_traces),
        events=await _clear_events(
            database, vault, and_(events.c.at < before, events.c.type.in_(OF_PATIENTS), shown), nothing
        ),
        answers=await _each(database, commands, commands.c.at < before, delete(commands)),
        sessions=await _each(database, sessions, ended, delete(sessions)),
        links=await _each(database, account_links, over, delete(account_links)),
        messages=await _each(database, notifications, named, update(notifications).values(provider_id=None)),
        opinions=await _each(database, feedback, said, update(feedback).values(sealed=None)),
        subscriptions=await _each(database, subscriptions, push_subscriptions.useless(before), delete(subscriptions)),
        report_addresses=await _each(database, report_mails, mailed, update(report_mails).values(sealed=None)),
    )


async def _clear_events(database: Database, vault: Vault, old: ColumnElement[bool], nothing: dict[str, Any]) -> int:
    key, columns = list(events.primary_key), [events.c[name] for name in (*proofs.PROVEN[events], "proof")]
    mine = and_(*(column == bindparam(f"key_{column.name}") for column in key), old)
    cleared = 0
    async for rows in batches(database, select(*columns).where(old), key, BATCH):
        async with database.write() as connection:
            for row in rows:
                keys = {f"key_{column.name}": row._mapping[column.name] for column in key}
                values = nothing | {"proof": proofs.renewed(vault, events, row._mapping, nothing)}
                cleared += (await connection.execute(update(events).where(mine).values(values), keys)).rowcount
    return cleared


async def _each(database: Database, table: Table, old: ColumnElement[bool], forgetting: Update | Delete) -> int:
    key = list(table.primary_key)
    forgotten = 0
    among: ColumnElement[bool] = true()
    async for rows in batches(database, select(*key).where(old), key, BATCH):
        async with database.write() as connection:
            upto_here = forgetting.where(old, among, ~beyond(key, rows[-1]))
            forgotten += (await connection.execute(upto_here)).rowcount
        among = beyond(key, rows[-1])
    return forgotten
