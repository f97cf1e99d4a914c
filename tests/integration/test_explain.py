"""The plans of the statements that the product sends: each uses a key, without full table scans and sorts.

The tests capture every statement of every query below and let the MySQL-family server explain it. The tables are so large
that the optimiser prefers a key to a scan.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL, Connection, Table, event, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import BOOT_MICROSECONDS, SteadyClock
from server.domain.board import Changes
from server.domain.commands import CallNext, Cancel, Complete, Hold, IssueTicket, Move, Return, Start, Tick, Transfer, Undo
from server.domain.errors import DayTooLarge, NothingDue, ReplayTooLong
from server.domain.model import Appointment, Personal, Site, State
from server.domain.model.ids import IDS_PER_SITE
from server.domain.watching import Single, dates_from
from server.domain.what_if import Changed
from server.execute import Executor
from server.identity.hashing import Hashing
from server.identity.lockout import after_failure
from server.identity.staff import StaffAccounts
from server.queries import (
    administration,
    appointments,
    audit,
    calendar_feeds,
    contacts,
    day_sums,
    entries,
    feedback,
    flags,
    history,
    insights,
    message_figures,
    message_news,
    message_sums,
    past,
    patients,
    practitioners,
    sent_messages,
    sites,
    slots,
    statistics,
    system,
    third_next,
)
from server.queries import backups as backups_queries
from server.queries import channels as channels_queries
from server.queries import circuits as circuit_queries
from server.queries import message_texts as message_texts_queries
from server.queries import messages as message_queries
from server.queries import push as push_queries
from server.queries import webhooks as webhooks_queries
from server.queries.boards import Boards
from server.queries.clinic_tally import ClinicTally
from server.queries.entries import Filters
from server.queries.identity import Identities, SessionTerms
from server.queries.message_tally import MessageTally
from server.queries.past import Past, Screen, prepare
from server.queries.replaying import verify_time
from server.queries.verification import verify
from server.seeding import Seed, Seeder
from server.store import (
    account_links,
    answers,
    api_keys,
    busy_cells,
    circuits,
    clock_anchors,
    daily_sums,
    event_log,
    findings,
    leases,
    lockouts,
    message_texts,
    notifications,
    opt_outs,
    pairings,
    planned_messages,
    processes,
    push_subscriptions,
    second_factors,
    setup_codes,
    tables,
)
from server.store import audit as audit_store
from server.store import calendar_feeds as feeds_store
from server.store import channels as channels_store
from server.store import feedback as feedback_store
from server.store import flags as flags_store
from server.store import patients as found_by
from server.store import practitioners as practitioners_store
from server.store import sites as site_store
from server.store import staff as staff_store
from server.store import webhooks as webhooks_store
from server.store.audit import Noted
from server.store.calendar import SiteCalendar
from server.store.database import Database
from server.store.migrate import migrate
from server.store.notifications import Claimed, Outcome
from server.store.opt_outs import HashedAddress
from server.vault import Vault
from tests.support import databases, past_visits
from tests.support.passwords import quick_passwords
from tests.support.past_visits import PastEntry
from tests.support.vaults import VAULT

DAYS, PER_DAY = 24, 150
OTHERS = 2_000  # rows in each other table
NOW = 1_700_000_000_000_000
STATES = (*("due",) * 12, *("claimed",) * 3, *("sending",) * 3)  # of the first notifications; the others are sent
BY_KEY = {
    "system",
    "const",
    "eq_ref",
    "ref",
    "ref|filter",
    "ref_or_null",
    "range",
    "index_merge",
    "unique_subquery",
    "index_subquery",
}
OF_ONE_ROW = "alembic_version"  # Alembic's own table, with the database's revision alone

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Installation:
    """A filled database, its first site, and the past entries of that site."""

    database: Database
    executor: Executor
    seed: Seed
    site: Site
    past: list[PastEntry]

    @property
    def days(self) -> list[str]:
        return sorted({each.business_day for each in self.past})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(database_server: URL) -> AsyncIterator[Installation]:
    with databases.fresh_database(database_server) as url:
        database = Database(url)
        try:
            await migrate(database)
            yield await _fill(database)
        finally:
            await database.close()


async def _fill(database: Database) -> Installation:
    vault = Vault([b"k" * 32], "the tests' secret key")
    found = []
    async with database.write() as connection:
        await _fill_other_rows(connection)
    for _ in range(2):  # each query must find the rows of one site among others
        seed = await Seeder(database, Executor(database, vault, publish=lambda *_: None)).seed(
            points=4, tickets=0, displays=1
        )
        async with database.write() as connection:
            site = await connection.run_sync(site_store.load, seed["site_id"])
            days = past_visits.days_before(site.business_day, DAYS)
            filled = await past_visits.fill(connection, site.id, seed["queue_ids"], seed["point_ids"][0], days, PER_DAY)
        # A new executor, because the board of the first one does not have the past entries.
        executor = Executor(database, vault, publish=lambda *_: None)
        for index in range(9):
            await Seeder(database, executor).ticket(seed["queue_ids"][index % 3])
        known = Personal(name="Grace Hopper", phone="+49 30 901820", date_of_birth="1906-12-09")
        async with database.write() as connection:
            for each in filled[:30]:
                await connection.run_sync(found_by.remember, found_by.rows(vault, site, each.visit_id, known))
        found.append(Installation(database, executor, seed, site, filled))
    async with database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            await connection.execute(text(f"ANALYZE TABLE {table.name}"))
    return found[0]


async def _fill_other_rows(connection: AsyncConnection) -> None:
    """Fill the tables that the past of two sites leaves small, such as organisations, sites, staff, messages, answers."""
    base = 500 * IDS_PER_SITE
    site = {
        "time_zone": "UTC", "language": "en", "day_turns_at_minutes": 240, "business_day": "2024-01-01", "message": None,
        "turns_at": 2 * NOW, "next_tick_at": 2 * NOW, "quoted_at": 0, "epoch": "e", "last_id": 9, "last_event_at": 0,
        "seq": 0, "rules": {}, "milestones": [], "chain": "",
    }  # fmt: skip
    thing = {"position": 0, "seq": 0}
    named: dict[str, Any] = thing | {"names": []}
    staff = {"password_hash": "x", "role": "clinician", "active": True}
    session = {"refresh_hash": "x", "created_at": NOW, "used_at": NOW, "revoked_at": None}
    answered = {"body_hash": "x", "answer": "x"}
    audited = {"actor": "staff:1", "action": "x", "subject": "", "allowed": True, "request_id": "x", "hash": ""}
    announced = {"label": "A001", "kind": "call", "at": NOW, "seq": 0}
    notice = {
        "site_id": 1,
        "subject_version": 0,
        "kind": "x",
        "ahead": 2,
        "channel": "sms",
        "claim": None,
        "changed_at": NOW,
        "not_after": 3 * NOW,
    }
    booked: dict[str, Any] = {
        "service_id": 1, "resource_id": 1, "state": "booked", "local_start": "2024-01-01T09:00", "fold": 0, "zone": "UTC",
        "minutes": 15, "buffer_minutes": 0, "tz_version": "2026b", "lane": 0, "version": 1, "language": "en",
        "booked_at": NOW, "seq": 0, "needs": [],
    }  # fmt: skip
    rows: dict[Table, list[dict[str, Any]]] = {}
    for n in range(1, OTHERS + 1):
        own: dict[str, Any] = {"id": base + n, "site_id": n // 3 + 1}
        day = f"2024-01-{n % 28 + 1:02d}"
        for table, row in (
            (tables.organisations, {"id": n, "name": f"Organisation {n}"}),
            (tables.setup_codes, {"id": 100 + n, "code_hash": "x", "expires_at": NOW, "wrong_tries": 0}),
            (tables.sites, site | {"id": n, "organisation_id": n % 40 + 1, "name": f"Site {n}"}),
            (tables.queues, named | own | {"name": f"Queue {n}", "prefix": "A", "paused": False, "durations": []}),
            (tables.habits, {"id": n, "site_id": n, "begins_at": NOW,
                             "points": [], "arrivals": [], "bookings": [], "past": [],
                             "seq": 0}),
            (tables.points, named | own | {"name": f"Point {n}", "queue_ids": [1], "unmet_needs": [], "state": "open"}),
            (tables.services, named | own | {"public_name": f"Service {n}"}),
            (tables.providers, thing | own | {"name": f"Provider {n}"}),
            (tables.kiosks, own | {"name": f"Kiosk {n}", "token_hash": f"kiosk-{n}", "seq": 0, "connected": n % 50 > 0,
                             "heard_by": f"process-{n % 99}", "queue_ids": []}),
            (tables.appointments, booked | own | {"token_hash": f"appointment-{n}", "starts_at": NOW + n * 900_000_000,
                                                  "ends_at": NOW + (n + 1) * 900_000_000, "provider_id": n % 40,
                                                  "business_day": day if n % 9 == 0 else None,
                                                  "offered_to": base + n - 1 if n % 50 == 0 else None}),
            (tables.busy_cells, {"resource_id": n % 20, "cell": 5_000_000 + n, "lane": 0, "site_id": 1,
                                 "appointment_id": n // 3, "held_until": None}),
            (tables.practitioners, {"id": n, "organisation_id": n % 40 + 1, "name": f"Person {n}"}),
            (tables.feedback, {"visit_hash": f"visit-{n}", "site_id": n // 3 + 1, "day": day, "score": 1, "sealed": None}),
            (tables.daily_sums, {"site_id": n // 30 + 600, "part": ("visits", "messages")[n % 2], "version": 0, "about": "x",
                                 "business_day": f"2023-{n % 30}", "until_seq": n, "body": "x"}),
            (tables.message_plans, {"site_id": n, "mark": 1, "after_id": 0}),
            (tables.message_texts, {"site_id": n // 9, "template": f"template-{n % 9}", "language": "en", "text": "x",
                                    "changed_at": NOW}),
            (tables.calendar_feeds, {"id": n, "provider_id": n % 40, "key_hash": f"feed-{n}", "made_by": "staff:1",
                                     "made_at": NOW}),
            (tables.schedules, own | {"provider_id": n % 40, "service_ids": [1], "weekday": n % 7, "from_minute": 540,
                                      "until_minute": 1020, "slot_minutes": 15, "capacity": 1, "every_n_weeks": 1,
                                      "anchor_date": day, "valid_from": day, "valid_until": None, "seq": 0,
                                      "buffer_minutes": 0, "notice_minutes": 0, "days_ahead": 0, "opens_before": 0}),
            (tables.exceptions, own | {"provider_id": None, "date": day, "kind": "closed", "from_minute": 0,
                                       "until_minute": 1440, "reason": "x", "seq": 0, "service_ids": [],
                                       "slot_minutes": 15, "capacity": 1, "buffer_minutes": 0}),
            (tables.event_entries, {"entry_id": base + n, "seq": n}),
            (tables.displays, own | {"name": f"Display {n}", "token_hash": f"{n}", "seq": 0, "connected": n % 50 > 0,
                               "heard_by": f"process-{n % 99}", "queue_ids": [], "point_ids": []}),
            (tables.announcements, announced | own | {"business_day": day, "entry_id": n, "point_id": n}),
            (tables.counters, {"site_id": n // 3, "prefix": "ABC"[n % 3], "business_day": day, "last": 9, "seq": 0}),
            (tables.staff, staff | {"id": n, "organisation_id": n % 40 + 1, "username": f"user-{n}"}),
            (tables.sessions, session | {"id": f"session-{n}", "staff_id": n}),
            (tables.second_factors, {"id": n, "sealed": "x", "last_step": 1}),
            (tables.recovery_codes, {"staff_id": n, "code_hash": f"code-{n}"}),
            (tables.account_links, {"organisation_id": n % 40 + 1, "kind": ("reset", "invitation")[n % 2],
                                    "staff_id": n, "username": f"user-{n}", "role": "manager", "made_by": "staff:1",
                                    "secret_hash": f"secret-{n}", "made_at": NOW, "expires_at": NOW + n}),
            (tables.visit_search, {"site_id": n // 40 + 1, "kind": "name", "hash": f"{n % 9}", "visit_id": base + n,
                                   "business_day": day}),
            (tables.census, {"name": f"table-{n}", "added": n}),
            (tables.audit_chains, {"id": n, "process": "clinic:1", "n": 1, "hash": ""}),
            (tables.audit, audited | {"chain_id": n, "n": 1, "at": NOW + n, "site_id": n % 50, "organisation_id": n % 40}),
            (tables.lockouts, {"subject": f"subject-{n}", "origin": f"origin-{n}", "failures": 5, "failed_at": NOW + n,
                               "locked_until": NOW + n}),
            (tables.channels, {"id": n, "organisation_id": n % 40 + 1, "way": "sms", "kind": "smsapi", "enabled": n < 40,
                               "receipts_hash": f"channel-{n}", "changed_at": NOW}),
            (tables.webhooks, {"id": n, "organisation_id": n % 40 + 1, "url": "https://clinic.example/", "sealed": "x",
                               "state": "on", "changed_at": NOW}),
            (tables.webhook_sites, {"webhook_id": n, "site_id": n % 49 + 1, "number": 0,
                                    "next_at": 0 if n < 40 else NOW + n, "failing_since": NOW if n < 9 else None}),
            (tables.opt_outs, {"organisation_id": n % 40 + 1, "way": "sms", "address_hash": f"opted-out-{n}", "at": NOW,
                               "source": "patient"}),
            (tables.push_subscriptions, {"subject_id": n, "organisation_id": n % 400 + 1, "sealed": "x",
                                         "created_at": NOW + n}),
            (tables.api_keys, {"id": n, "organisation_id": n % 40 + 1, "name": f"Key {n}", "key_hash": f"key-{n}",
                               "created_at": NOW}),
            (tables.pairings, {"id": n, "code_hash": f"code-{n}", "secret_hash": f"secret-{n}", "expires_at": NOW + n}),
            (tables.processes, {"id": f"process-{n}", "heard_at": NOW + n}),
            (tables.clock_anchors, {"boot_id": f"boot-{n}", "host": f"host-{n}", "booted_at": NOW, "step": 0, "behind": 0,
                                    "noted_at": NOW + n}),
            (tables.commands, answered | {"site_id": n // 9, "command_id": f"command-{n}", "at": NOW + n}),
            (tables.notifications, notice | {"subject": f"entry:{n}", "visit_id": n, "entry_id": n, "due_at": NOW + n,
                                             "appointment_id": n, "provider_id": f"provider-{n}",
                                             "news_at": NOW + n if n % 40 == 0 else None,
                                             "state": STATES[n] if n < len(STATES) else "sent"}),
            (tables.leases, {"name": f"lease-{n}", "holder": "x", "until": NOW + n}),
            (tables.findings, {"name": f"part-{n}", "code": "x", "state": "ok", "since": NOW, "state_since": NOW,
                               "told": "ok"}),
            (tables.flags, {"flag_key": f"flag-{n}", "rule": '{"variant": "on"}', "default_variant": "on", "author": "x",
                            "reason": "x", "set_at": NOW, "expires_at": NOW}),
            (tables.checkpoints, {"site_id": n // 9 + 10_000, "seq": n, "at": NOW + n, "business_day": day, "layout": 1,
                                  "hash": "x", "sealed": "x"}),
            (tables.backups, {"name": f"backup-{n}", "made_at": NOW + n, "verified_at": NOW, "bytes": 1, "rows_kept": 1,
                              "milliseconds": 1, "heads": "{}"}),
        ):  # fmt: skip
            rows.setdefault(table, []).append(row)
    for table, several in rows.items():
        await connection.execute(insert(table), several)


Query = Callable[[Installation], Awaitable[object]]
QUERIES: dict[str, Query] = {}


def query(function: Query) -> Query:
    """Register a function as a query, under its name."""
    QUERIES[function.__name__.replace("_", " ")] = function
    return function


@query
async def the_board(installation: Installation) -> object:
    return await Boards(installation.database).board(installation.site.id)


@query
async def the_taken_time_of_two_people(installation: Installation) -> object:
    async with installation.database.read() as connection:
        return await connection.run_sync(slots.taken, [3, 4], 5_000_000, 5_000_300, NOW, [7])


@query
async def watched_appointments(installation: Installation) -> object:
    base = 500 * IDS_PER_SITE
    dates, single = dates_from(installation.site.business_day, 7), [Single(base + n) for n in (12, 49, 50)]
    boards = Boards(installation.database)
    return [await boards.appointments(site_id, [dates, *single]) for site_id in (installation.site.id, 17)]


@query
async def an_appointment_by_its_token(installation: Installation) -> object:
    return await Identities(installation.database).appointment("appointment-12")


@query
async def the_calendar_of_a_site(installation: Installation) -> object:
    def asked(connection: Connection) -> object:
        calendar = SiteCalendar(connection, 17, VAULT)
        one = 500 * IDS_PER_SITE + 12
        return [
            calendar.busy([3, 4], 5_000_000, 5_000_300),
            calendar.between(NOW, NOW + 86_400_000_000),
            calendar.between(NOW, NOW + 86_400_000_000, [3, 4]),
            calendar.appointment(one),
            calendar.with_token("appointment-12"),
            calendar.of_phone("phone", NOW, NOW + 86_400_000_000),
            calendar.holds("visitor", "address", NOW),
            calendar.wanting_earlier(3, NOW),
            calendar.offers_to(one),
            calendar.offers_of(3, NOW),
            calendar.outdated("Europe/Berlin", "2026a", NOW, 200),
            calendar.outdated("Europe/Berlin", "2026a", NOW, 200, latest_first=True),
            calendar.of_foreign_ids(["T-1", "T-2"]),
            calendar.has_practitioner(3),
        ]

    async with installation.database.read() as connection:
        return await connection.run_sync(asked)


@query
async def appointments_of_a_date_an_id_a_provider_a_visitor_and_the_clock(installation: Installation) -> object:
    database, site = installation.database, installation.site
    return [
        await appointments.of_date(database, site, "2024-01-05"),
        await appointments.find(database, site.id * IDS_PER_SITE + 12),
        await appointments.of_provider(database, 3, NOW, NOW + 86_400_000_000, 50),
        await appointments.lapsed_offers(database),
        await slots.own_holds(database, VAULT, 17, "visitor", "address"),
        await verify_time(database, 17),
    ]


@query
async def practitioners_and_calendar_feeds(installation: Installation) -> object:
    database = installation.database
    async with database.write() as connection:
        await practitioners_store.add(connection, 17, "New person")
        made = await feeds_store.create(connection, provider_id=3, key_hash="new feed", made_by="staff:1", now=NOW)
        await feeds_store.revoke(connection, 3, made, NOW)
    return [
        await practitioners.listed(database, 17),
        await calendar_feeds.listed(database, 3),
        await calendar_feeds.provider_of(database, "feed-12"),
    ]


@query
async def taken_time_from_booked_to_past(installation: Installation) -> object:
    booked = Appointment(
        id=501 * IDS_PER_SITE, site_id=17, business_day=None, service_id=1, provider_id=3, resource_id=3, point_id=4,
        state="booked", local_start="2027-01-15T09:00", fold=0, zone="UTC", minutes=15, buffer_minutes=0,
        starts_at=1_800_003_600_000_000, ends_at=1_800_004_500_000_000, tz_version="2026a", lane=0, version=1,
        token_hash="explained", sealed=None, language="en", booked_at=NOW, seq=1,
    )  # fmt: skip
    moved = replace(booked, starts_at=booked.ends_at, ends_at=booked.ends_at + 900_000_000)
    held = replace(booked, id=booked.id + 1, lane=1, state="held", held_until=NOW)
    over = replace(booked, id=booked.id + 2, lane=1)

    def change(connection: Connection) -> None:
        changed: list[tuple[Appointment | None, Appointment]] = [(None, booked), (booked, moved), (None, held), (None, over)]
        for before, after in changed:
            changes = Changes()
            changes.records[Appointment, after.id] = (before, after)
            busy_cells.save(connection, changes, NOW + 1)
        busy_cells.forget_past(connection, 17, NOW)

    async with installation.database.write() as connection:
        await connection.run_sync(change)
    return True


@query
async def the_heads_of_many_logs(installation: Installation) -> object:
    return await Boards(installation.database).heads([installation.site.id, 3, 7, 12])


@query
async def sites_due(installation: Installation) -> object:
    return await Boards(installation.database).due()


@query
async def the_log_since(installation: Installation) -> object:
    return await Boards(installation.database).since(installation.site.id, past_visits.FIRST_ID + 5_000)


@query
async def a_session_and_its_member(installation: Installation) -> object:
    return await Identities(installation.database).session("session-12")


@query
async def a_member_by_name(installation: Installation) -> object:
    return await Identities(installation.database).member("user-12")


@query
async def a_display_a_kiosk_a_ticket_a_visit_an_organisation(installation: Installation) -> object:
    identities = Identities(installation.database)
    return [
        await identities.display("12"),
        await identities.kiosk("kiosk-12"),
        await identities.device("12"),
        await identities.device("kiosk-12"),
        await identities.ticket(f"past {installation.past[7].visit_id}", 0),
        await identities.visit_of(installation.past[7].id),
        await identities.organisation_of(12),
        await message_queries.subjects(installation.database, [_claimed(installation)]),
    ]


@query
async def the_sites_of_an_organisation(installation: Installation) -> object:
    return await Identities(installation.database).sites(12)


@query
async def a_page_of_sites(installation: Installation) -> object:
    first = await sites.page(installation.database, 12, 20, None)
    return await sites.page(installation.database, 12, 20, first.last)


def _filters(installation: Installation) -> Iterator[Filters]:
    states: tuple[State | None, ...] = (None, "completed", "expired")
    queue_ids = (None, installation.seed["queue_ids"][0])
    for day, queue_id, state, label in product((None, installation.days[11]), queue_ids, states, (None, "A012")):
        yield Filters(day, queue_id, state, label)


@query
async def a_page_of_entries_by_any_filters(installation: Installation) -> object:
    found = 0
    for filters in _filters(installation):
        for after in (None, (installation.past[len(installation.past) // 2].id,), (installation.past[20].id,)):
            page = await entries.page(installation.database, installation.site.id, filters, 50, after)
            found += len(page.rows)
    return found


@query
async def a_visit_and_its_history(installation: Installation) -> object:
    visit_id = await entries.visit_of(installation.database, installation.past[900].id)
    assert visit_id is not None
    found = await history.of_visit(installation.database, visit_id, with_names=True)
    assert len(found.steps) >= 1
    return [found, await entries.visit(installation.database, visit_id)]


@query
async def past_patients(installation: Installation) -> object:
    vault, site_id = installation.executor._vault, installation.site.id
    for about in ({"name": "Grace Hopper"}, {"phone": "+49 30 901820"}, {"name": "Hopper", "date_of_birth": "1906-12-09"}):
        for after in (None, (2 * site_id * IDS_PER_SITE,)):
            page = await patients.page(installation.database, vault, site_id, [Personal(**about)], 50, after)
    assert page.total == 30
    return page


@query
async def the_audit_of_a_site_and_of_an_organisation(installation: Installation) -> object:
    found = [
        await audit.changes(installation.database, installation.site.id, 50, after)
        for after in (None, (past_visits.FIRST_ID + 99,))
    ]
    for site_id in (None, 12):
        first = await audit.access(installation.database, 12, site_id, 3, None)
        assert first.rows
        found.append(await audit.access(installation.database, 12, site_id, 3, first.last))
        wanted = audit.Filter(actor="staff:1", action="x", subject="", since=1, until=10**12)
        found.append(await audit.access(installation.database, 12, site_id, 3, first.last, wanted))
    wanted = audit.Filter(action="ticket-called", subject="entry:12", since=1)
    return [*found, await audit.changes(installation.database, installation.site.id, 50, None, wanted)]


@query
async def the_state_of_the_installation(installation: Installation) -> object:
    async def connected() -> None:
        return None

    facts = system.Facts(bus_problem=connected, encrypted=True, exposed=True, limited=True, watched=True)
    found = await system.checks(installation.database, facts)
    async with installation.database.write() as connection:
        await findings.note(connection, "bus", "bus_ok", "ok", NOW, NOW)
        await findings.tell(connection, {"bus": "ok"}, NOW)
    return [found, await system.noted(installation.database)]


@query
async def the_flags(installation: Installation) -> object:
    found = await flags.every(installation.database)
    async with installation.database.write() as connection:
        await flags_store.put(connection, found[0].row)
        assert await flags_store.clear(connection, found[1].row.flag_key)
        await flags_store.put(connection, found[1].row)
    return found


@query
async def the_links_of_a_chain_and_the_heads(installation: Installation) -> object:
    chains = [each async for each in verify(installation.database, VAULT, installation.site.id)]
    async with installation.database.write() as connection:
        chain = await audit_store.begin(connection, VAULT, "clinic:9")
        noted = Noted(NOW, "staff:1", "x", "", None, None, None, True, "x")
        await audit_store.append(connection, VAULT, chain, [noted])
        return [chains, await audit_store.head(connection, chain.id)]


@query
async def figures_of_messages(installation: Installation) -> object:
    site_id = installation.site.id
    return await message_figures.between(installation.database, site_id, NOW, NOW + 86_400_000_000)


@query
async def feedback_of_a_visit_and_of_a_site(installation: Installation) -> object:
    visit_id = installation.site.id * IDS_PER_SITE + 1
    await feedback.visit(installation.database, visit_id)
    await feedback.was_given(installation.database, "visit-7")
    async with installation.database.write() as connection:
        await feedback_store.give(connection, "visit-7", site_id=3, day="2024-01-08", score=2, sealed=None)
    return await feedback.weeks(installation.database, VAULT, installation.site.id, "2024-01-01", "2024-01-28")


@query
async def tally_of_messages(installation: Installation) -> object:
    tally = MessageTally()
    for _ in range(2):
        await tally.update(installation.database)
    return tally.health


@query
async def tally_of_clinics(installation: Installation) -> object:
    tally = ClinicTally()
    await tally.update(installation.database, [installation.site.id, installation.site.id + 1])
    return tally.waiting


@query
async def statistics_of_a_day_a_week_and_all_days(installation: Installation) -> object:
    for first in (installation.days[-1], installation.days[-7], installation.days[0]):
        found = await statistics.between(installation.database, installation.site.id, first, installation.days[-1])
        assert found.report.whole.total.entries >= PER_DAY
    return await statistics.between(installation.database, installation.site.id, installation.days[9], installation.days[10])


@query
async def a_past_screen(installation: Installation) -> object:
    machine, site_id = Past(installation.database, VAULT), installation.site.id
    await prepare(installation.database, VAULT, site_id)
    last = await machine.moment(site_id, Screen("desk"), number=8, with_names=True)
    return await Past(installation.database, VAULT).moment(site_id, Screen("desk"), at=last.site.last_event_at)


@query
async def a_past_calendar(installation: Installation) -> object:
    machine, site_id = Past(installation.database, VAULT), installation.site.id
    last = await machine.moment(site_id, Screen("desk"), number=8)
    await machine.moment(site_id, Screen("desk"), number=8, before_change=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "MOST_SCANNED", 10**9)  # the log of this test has more events than days
        return await machine.moment(site_id, Screen("calendar"), at=last.site.last_event_at, with_names=True)


@query
async def a_replay_with_changes(installation: Installation) -> object:
    machine, site_id = Past(installation.database, VAULT), installation.site.id
    last = await machine.moment(site_id, Screen("desk"), number=8)
    with suppress(DayTooLarge, ReplayTooLong, RuntimeError):  # no call of this log has a ticket
        await machine.what_if(site_id, last.site.business_day, Changed())
    return last


@query
async def sums_of_past_days_and_the_figures_of_periods(installation: Installation) -> object:
    database, site_id = installation.database, installation.site.id
    assert {each.site_id for each in await day_sums.clinics(database)} >= {site_id}
    await insights.between(database, site_id, installation.days[0], installation.site.business_day)
    for find in (day_sums.next_kept, message_sums.next_kept):
        for _ in range(3):
            kept = await find(database, site_id)
            assert kept is not None
            async with database.write() as connection:
                await daily_sums.save(connection, kept)
    await insights.between(database, site_id, None, None)
    board = await Boards(database).board(site_id)
    return await third_next.find(database, board), await insights.between(database, site_id, installation.days[0], None)


@query
async def the_report_of_a_day(installation: Installation) -> object:
    await statistics.of_day(installation.database, installation.site.id, installation.days[9])
    found = await statistics.of_day(installation.database, installation.site.id, None)
    assert found[2]
    return found


def _claimed(installation: Installation) -> Claimed:
    """Return a row about a past visit and an appointment."""
    one = 500 * IDS_PER_SITE + 12
    return Claimed(
        1, installation.site.id, "appointment:12", "reminder", 24, "sms", installation.past[7].visit_id, one, NOW, 0
    )


@query
async def messages_of_a_site_by_every_filter(installation: Installation) -> object:
    database, found = installation.database, []
    one, times = {"appointment_id": 300}, {"since": NOW + 100, "until": NOW + 1_500}
    for wanted in ({}, {"state": "sent"}, one, one | {"state": "sent"}, times, times | {"state": "sent", "way": "sms"}):
        for after in (None, (NOW + 900, 900)):
            filters = sent_messages.Filters(**wanted)
            found.append(await sent_messages.page(database, VAULT, 1, filters, 50, after))
    return [*found, await sent_messages.find(database, VAULT, 12)]


@query
async def notifications_from_due_to_sent(installation: Installation) -> object:
    database = installation.database
    assert await message_queries.is_due(database)
    await message_queries.health(database)
    async with database.write() as connection:
        claimed = [each.id for each in await notifications.claim(connection, "worker", 2 * NOW, NOW + 1, 10)]
        assert claimed
        address = HashedAddress(1, "sms", "opted-out-9")
        begun = [notifications.Begun(each, address, f"name-{each}") for each in claimed]
        await notifications.begin(connection, "worker", begun, NOW)
        await notifications.record(connection, "worker", [Outcome(each, "sent") for each in claimed], NOW)
        stale = [row.id for row, _ in await notifications.stale(connection, 2 * NOW, 10)]
        taken = [notifications.Begun(each, address) for each in stale[:2]]
        await notifications.take_over(connection, "worker", taken, 2 * NOW, NOW)
        await notifications.give_up(connection, stale, 2 * NOW, NOW)
        await notifications.resend(connection, stale[0], NOW, 2 * NOW)
        assert await notifications.receive(connection, "provider-99", "sms", "delivered", NOW)
        assert await leases.take(connection, "lease-12", "y", 2 * NOW, 40)
        await leases.finish(connection, "lease-12", "y", 2 * NOW)
        await leases.note(connection, "lease-13", "y", 2 * NOW)
        await notifications.leave_stale(connection, stale, 2 * NOW, NOW)
        await notifications.wake(connection, NOW, NOW + 60)
        return claimed


@query
async def circuits_from_open_to_closed(installation: Installation) -> object:
    async with installation.database.write() as connection:
        for name in ("smtp:1", "smtp:2"):
            await circuits.keep_open(connection, name, NOW, NOW)
        assert await circuits.take_trial(connection, "smtp:1", "x", NOW, NOW + 60, NOW + 60)
        assert await circuits.close(connection, "smtp:1")
        await webhooks_queries.unreachable(connection, 7)
    found = await circuit_queries.listed(installation.database)
    async with installation.database.write() as connection:
        return [found, await circuits.forget(connection, 2 * NOW)]


@query
async def newest_backup(installation: Installation) -> object:
    return await backups_queries.newest(installation.database)


@query
async def answers_found_and_deleted(installation: Installation) -> object:
    async with installation.database.write() as connection:
        assert await connection.run_sync(answers.find, 6, "command-60") is not None
        return await answers.forget(connection, NOW + 40)


@query
async def a_session_from_start_to_end(installation: Installation) -> object:
    async with installation.database.write() as connection:
        await staff_store.open_session(connection, "session-x", 7, "x", NOW)
        state = await staff_store.refresh_state(connection, "session-x")
        assert state is not None
        await staff_store.rotate_session(connection, "session-x", state, NOW)
        await staff_store.touch_session(connection, "session-x", NOW + 1)
        await staff_store.revoke_session(connection, "session-x", NOW)
        await staff_store.revoke_sessions(connection, 7, NOW, but="session-7")
    return await Identities(installation.database).living_sessions({"session-7", "session-12", "session-x"}, SessionTerms())


@query
async def devices_of_dead_processes(installation: Installation) -> object:
    async with installation.database.write() as connection:
        await processes.live(connection, "process-new", NOW + 10**6)
        await processes.live(connection, "process-7", NOW)
        dead = await processes.dead(connection, NOW + 3, NOW + 10**7)
        assert "process-7" in dead
        await processes.devices_of(connection, "process-12")
        assert await processes.last_heard(connection) is not None
        await site_store.with_guests(connection)
        await processes.forget(connection, "process-new")
    return dead


@query
async def clock_anchors_kept(installation: Installation) -> object:
    clock = SteadyClock(lambda: BOOT_MICROSECONDS)
    clock.learn(NOW)
    async with installation.database.write() as connection:
        await clock_anchors.keep(connection, "boot-12", clock)
        await clock_anchors.keep(connection, "boot-new", clock)
    installation.database.clock = SteadyClock()
    return await installation.database.now()  # asks for the kept offset


@query
async def staff_added_changed_and_listed(installation: Installation) -> object:
    async with installation.database.write() as connection:
        made = await staff_store.create(connection, organisation_id=12, username="somebody", password_hash="x", role="admin")
        second = await staff_store.create(connection, organisation_id=12, username="other", password_hash="x", role="admin")
        await staff_store.change_password(connection, second, "z")
    with quick_passwords():
        accounts = StaffAccounts(installation.database, VAULT, Hashing())
        await accounts.change(12, made, actor=f"staff:{second}", role="manager", password="quite another one")
    assert await Identities(installation.database).colleague(12, made) is not None
    first = await administration.staff_page(installation.database, 12, 20, None)
    return await administration.staff_page(installation.database, 12, 20, first.last)


@query
async def the_first_run_with_a_code(installation: Installation) -> object:
    database = installation.database
    async with database.write() as connection:
        await setup_codes.replace(connection, "hash", NOW)
        await setup_codes.replace(connection, "another", NOW)
        kept = await setup_codes.lock(connection)
        assert kept is not None
        await setup_codes.count_wrong_try(connection)
        assert await setup_codes.has_admin(connection)
        assert await site_store.first_organisation(connection)
        unnamed = await site_store.unnamed(connection)
        await site_store.name_after_site(connection, unnamed, "Named after its site")
        await setup_codes.end(connection)
    return kept


@query
async def a_second_factor_from_set_up_to_removal(installation: Installation) -> object:
    database = installation.database
    async with database.write() as connection:
        await staff_store.lock_for_sign_in(connection, 12)
        await second_factors.begin(connection, VAULT, 12, "pending")
        assert await second_factors.confirm(connection, VAULT, 12, "pending", 7, NOW)
        await second_factors.replace_codes(connection, 12, ["a", "b"])
        assert await second_factors.spend_step(connection, 12, 8)
        assert await second_factors.spend_code(connection, 12, "a", NOW)
    shown = await administration.second_factor(database, 12)
    assert (shown.on, shown.recovery_codes_left) == (True, 1)
    async with database.write() as connection:
        await lockouts.clear_all(connection, "subject-12")
        return await second_factors.remove(connection, VAULT, 12)


@query
async def links_of_accounts_from_start_to_end(installation: Installation) -> object:
    database, now = installation.database, NOW + 10
    async with database.write() as connection:
        assert await account_links.find(connection, "secret-12", now) is not None
        assert await account_links.is_reserved(connection, "user-31", 32, now)
        values = {"organisation_id": 12, "made_by": "x", "made_at": NOW, "expires_at": NOW + 99}
        made = await account_links.create(connection, VAULT, kind="invitation", role="manager", secret_hash="new", **values)
        assert await account_links.take(connection, VAULT, made, now)
        other = await account_links.create(connection, VAULT, kind="reset", staff_id=12, secret_hash="newer", **values)
        assert await account_links.revoke_resets(connection, VAULT, 12, now)
        assert await account_links.revoke_made_by(connection, VAULT, 13, "staff:1", now)
        await account_links.revoke_invitation(connection, VAULT, 12, other, now)
    await administration.account_named(database, "user-12")
    await administration.member_listed(database, 13, 12)
    first = await administration.invitations_page(database, 12, now, 20, None)
    return await administration.invitations_page(database, 12, now, 20, first.last)


@query
async def news_of_messages(installation: Installation) -> object:
    database = installation.database
    assert await message_news.is_news(database)
    found = await message_news.news(database, 50)
    async with database.write() as connection:
        await notifications.noted(connection, found[0].id, found[0].news_at)
    return found


@query
async def open_sessions(installation: Installation) -> object:
    found = await administration.sessions_page(installation.database, 12, SessionTerms(), NOW, "session-12", 20, None)
    assert [each.current for each in found.rows] == [True]
    return await administration.sessions_page(installation.database, 12, SessionTerms(), NOW, "session-12", 20, ("a",))


@query
async def messages_of_a_site_with_other_settings(installation: Installation) -> object:
    async with installation.database.write() as connection:
        first, *_ = plans = await planned_messages.plans(connection)
        plan = replace(first, site_id=500)  # with the appointments of the other rows
        assert await connection.run_sync(planned_messages.plan_again, plan, VAULT, NOW, 40) == 40
        return plans


@query
async def messages_of_moved_appointments(installation: Installation) -> object:
    def withdraw(connection: Connection) -> None:
        planned_messages.withdraw(connection, [f"appointment:{n}" for n in (12, 49)], NOW)
        planned_messages.withdraw_delay(connection, 12, NOW)

    async with installation.database.write() as connection:
        await connection.run_sync(withdraw)
    return withdraw


@query
async def phones_from_their_subscription_to_its_end(installation: Installation) -> object:
    visit_id = installation.site.id * IDS_PER_SITE + past_visits.FIRST_ID
    async with installation.database.write() as connection:
        await connection.run_sync(push_subscriptions.put, visit_id, 12, "x", NOW)
        known = await connection.execute(
            planned_messages._KNOWN, {"subscribers": [12, visit_id], "subjects": ["entry:12", "entry:13"]}
        )
        assert len(known.all()) == 4
    found = await push_queries.patient(installation.database, "ticket", visit_id)
    async with installation.database.write() as connection:
        assert await push_subscriptions.remove(connection, 12, NOW + 12)
        assert await push_subscriptions.remove(connection, visit_id)
        assert await push_subscriptions.forget(connection, NOW + push_subscriptions.KEPT_MICROSECONDS + 9) > 0
        assert await push_subscriptions.remove_all(connection, 12) > 0
        await notifications.go_otherwise(connection, "worker", {12: "sms"}, NOW)
        await notifications.repeat_otherwise(connection, 12, "sms", NOW)
    return found


@query
async def channels_from_set_up_to_removal(installation: Installation) -> object:
    database = installation.database
    async with database.write() as connection:
        await channels_store.disable(connection, 12, "sms", NOW)
        made = await channels_store.create(
            connection, organisation_id=12, way="sms", kind="smsapi", sealed="x", receipts_hash="new receipts", now=NOW
        )
        await channels_store.change(connection, made, "y", NOW)
        await channels_store.note_outcome(connection, made, "accepted", NOW)
        await channels_store.note_arrival(connection, made, "delivered", NOW)
        await channels_queries.enabled_by(connection, 12, "sms")
    return [
        await channels_queries.enabled(database, 12),
        await channels_queries.of_receipts(database, "new receipts"),
    ]


@query
async def a_webhook_from_its_creation_to_its_end(installation: Installation) -> object:
    database = installation.database
    async with database.write() as connection:
        made = await webhooks_store.create(connection, 12, "https://clinic.example/", NOW)
        await webhooks_store.follow_site(connection, 12, 900)
        await webhooks_store.change(connection, made, NOW + 1, sealed="y")
        assert await webhooks_queries.count(connection, 12) > 1
        assert await webhooks_queries.locked_changed_at(connection, made) == NOW + 1
        assert await webhooks_store.advance(connection, made, 900, 0, 1)
        await webhooks_store.fail(
            connection, made, 900, 1, error="busy", failures=1, since=NOW, next_at=NOW + 40, off_at=None
        )
        assert await webhooks_store.go_to(connection, made, 900, 0)
        await webhooks_store.switch_on(connection, made)
        found = await webhooks_queries.find(connection, made), await webhooks_queries.place(connection, 12, 13)
        assert await webhooks_store.end(connection, made, NOW + 1, NOW + 2)
        assert await webhooks_store.remove(connection, 12, made)
    return [
        found,
        await webhooks_queries.of_organisation(database, 12),
        await webhooks_queries.behind(database, NOW),
        await webhooks_queries.events_after(database, installation.seed["site_id"], 1, 10),
    ]


@query
async def texts_from_the_first_to_the_last(installation: Installation) -> object:
    async with installation.database.write() as connection:
        for text in ("first", "second"):
            await message_texts.put(connection, 1, "called", "es", text, NOW)
        assert await message_texts.remove(connection, 1, "called", "es")
        of_sites = await message_texts_queries.of_sites(connection, {1, 2})
    return [of_sites, await message_texts_queries.of_site(installation.database, 1)]


@query
async def opt_outs_from_start_to_end(installation: Installation) -> object:
    async with installation.database.write() as connection:
        address = HashedAddress(10, "sms", "new")
        assert await opt_outs.add(connection, [address], "patient", NOW) == 1
        found = await opt_outs.sources(connection, [address, HashedAddress(10, "sms", "opted-out-9")])
        assert await opt_outs.remove(connection, address)
    await contacts.of_visit(installation.database, 12)
    return found


@query
async def api_keys_from_creation_to_revocation(installation: Installation) -> object:
    async with installation.database.write() as connection:
        made = await api_keys.create(connection, organisation_id=12, site_id=None, name="x", key_hash="new", now=NOW)
        await api_keys.touch(connection, made, NOW)
    found = await Identities(installation.database).api_key("new")
    assert found is not None
    async with installation.database.write() as connection:
        assert await api_keys.revoke(connection, 12, made, NOW)
    first = await administration.api_keys_page(installation.database, 12, 20, None)
    return await administration.api_keys_page(installation.database, 12, 20, first.last)


@query
async def wrong_passwords(installation: Installation) -> object:
    async with installation.database.write() as connection:
        for _ in range(2):
            before = await lockouts.find(connection, "subject-new", "origin-12")
            write = lockouts.add if before is None else lockouts.change
            await write(connection, "subject-new", "origin-12", after_failure(before, NOW))
        await lockouts.locked_until(connection, "subject-12", "origin-12", lock=True)
        await lockouts.clear(connection, "subject-new", "origin-12")
        assert await lockouts.forget(connection, NOW + 40) > 0
        return await lockouts.locked_until(connection, "subject-12", "origin-12")


@query
async def a_pairing_from_start_to_end(installation: Installation) -> object:
    async with installation.database.write() as connection:
        made = await pairings.create(connection, "code-new", "secret-new", NOW + 40)
        claimed = await pairings.claim(connection, "code-new", 12, NOW)
        assert claimed == (made, "secret-new")
        await pairings.release(connection, made)
        await pairings.fill(connection, made, "sealed")
    assert await Identities(installation.database).pairing("secret-12") is None  # expired by the real clock
    async with installation.database.write() as connection:
        return await pairings.take(connection, "secret-new", NOW)


@query
async def commands(installation: Installation) -> object:
    """Execute commands on a board loaded from the rows, on a kept board, and on a board that reads new events."""
    queue, other = installation.seed["queue_ids"][:2]
    point = installation.seed["point_ids"][0]
    made = 0

    async def do(executor: Executor, command: Any) -> Any:
        nonlocal made
        made += 1
        return (await executor.execute(command, actor="staff:1", command_id=f"explained {made}")).body.get("entry")

    first, second = installation.executor, Executor(installation.database, Vault([b"k" * 32], "x"), publish=lambda *_: None)
    for executor in (first, second, first):
        entry = await do(executor, IssueTicket(queue_id=queue))
        last = await do(executor, IssueTicket(queue_id=queue))
        await do(executor, Move(entry_id=last["id"], behind_entry_id=entry["id"], reason="a test"))
        await do(executor, Hold(entry_id=last["id"]))
        await do(executor, Return(entry_id=last["id"]))
        await do(executor, Cancel(entry_id=last["id"], reason="a test"))
        called = await do(executor, CallNext(point_id=point))
        await do(executor, Start(entry_id=called["id"]))
        await do(executor, Undo(entry_id=called["id"]))
        await do(executor, Start(entry_id=called["id"]))
        if called["queue_id"] == other:
            await do(executor, Complete(entry_id=called["id"]))
        else:
            await do(executor, Transfer(entry_id=called["id"], queue_id=other))
    with suppress(NothingDue):  # on a slow machine the waiting entries may need new quotes by now
        await do(first, Tick(site_id=installation.site.id))
    with pytest.raises(NothingDue):
        await do(first, Tick(site_id=installation.site.id))
    async with installation.database.read() as connection:
        return await connection.run_sync(event_log.since, installation.site.id, past_visits.FIRST_ID + 10_000)


@contextmanager
def captured(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect the SELECT, UPDATE and DELETE statements sent meanwhile, with their parameters."""
    found: list[tuple[str, Any]] = []

    def take(_: Connection, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
            found.append((statement, parameters[0] if many else parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", take)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", take)


async def explained(database: Database, statement: str, parameters: Any) -> list[dict[str, Any]]:
    """Return the plan of a statement, one row for each table."""
    async with database.engine.connect() as connection:
        return [dict(row._mapping) for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]


def faults(plan: list[dict[str, Any]]) -> list[str]:
    """Return the faults of a plan: tables read without a key, and sorted rows."""
    found = []
    for row in plan:
        # A derived table, whose own tables have their own rows in the plan, or the list in the statement itself.
        made_here = str(row["table"]).startswith("<") or "Table function" in str(row["Extra"])
        if row["table"] and not made_here and row["table"] != OF_ONE_ROW and row["type"] not in BY_KEY:
            found.append(f"{row['table']} is read by {row['type']} over {row['key']}, some {row['rows']} rows")
        if "filesort" in str(row["Extra"]):
            found.append(f"{row['table']} is sorted")
    return found


@pytest.mark.parametrize("name", QUERIES)
async def test_every_statement_uses_a_key_and_sorts_no_rows(installation: Installation, name: str) -> None:
    with captured(installation.database) as statements:
        await QUERIES[name](installation)
    assert statements
    wrong = []
    for statement, parameters in {(each, str(values)): (each, values) for each, values in statements}.values():
        for fault in faults(await explained(installation.database, statement, parameters)):
            wrong.append(f"{fault}\n    {' '.join(statement.split())}\n    {parameters}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("SELECT * FROM entries WHERE place = 5", "read by ALL"),
        ("SELECT id FROM visits ORDER BY opened_at", "sorted"),
        ("SELECT id FROM entries WHERE queue_id > 5 AND state = 'held' ORDER BY since LIMIT 3", "sorted"),
        ("SELECT DISTINCT business_day FROM entries WHERE state = 'waiting'", "read by"),
    ],
)
async def test_slow_statement_is_found(installation: Installation, statement: str, fault: str) -> None:
    assert fault in " ".join(faults(await explained(installation.database, statement, ())))


async def test_every_table_is_large_enough_for_the_optimiser(installation: Installation) -> None:
    """Every table has enough rows that a full scan costs more than a key."""
    async with installation.database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            count = await connection.scalar(text(f"SELECT COUNT(*) FROM {table.name}"))
            assert count >= OTHERS - 50, table.name
