"""How the database finds what the product asks of it: by a key, never by reading a table through, never by sorting.

Every statement of every question is captured as it is sent, and explained by the server of the MySQL family, over tables
large enough that its optimiser has a reason to choose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL, Connection, Table, event, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.commands import CallNext, Cancel, Complete, Hold, IssueTicket, Move, Return, Start, Tick, Transfer, Undo
from server.domain.errors import NothingDue
from server.domain.model import Personal, Site, State
from server.domain.model.ids import IDS_PER_SITE
from server.execute import Executor
from server.identity.lockout import after_failure
from server.identity.staff import StaffAccounts
from server.queries import administration, audit, entries, history, patients, sites, statistics, waiting
from server.queries.boards import Boards
from server.queries.entries import Filters
from server.queries.identity import Identities
from server.queries.verification import verify
from server.seeding import Seed, Seeder
from server.store import answers, api_keys, event_log, lockouts, notifications, pairings, processes, tables
from server.store import audit as audit_store
from server.store import patients as found_by
from server.store import sites as site_store
from server.store import staff as staff_store
from server.store.audit import Noted
from server.store.database import Database
from server.store.migrate import migrate
from server.vault import Vault
from tests.support import databases, past_visits
from tests.support.passwords import quick_passwords
from tests.support.past_visits import PastEntry

DAYS, PER_DAY = 24, 150
OTHERS = 2_000  # rows of everything else
NOW = 1_700_000_000_000_000
STATES = (*("due",) * 12, *("claimed",) * 3, *("sending",) * 3)  # of the first notifications; the others have been sent
BY_KEY = {"system", "const", "eq_ref", "ref", "ref_or_null", "range", "index_merge", "unique_subquery", "index_subquery"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    """A filled installation, and what its questions are about."""

    database: Database
    executor: Executor
    seed: Seed
    site: Site
    past: list[PastEntry]

    @property
    def days(self) -> list[str]:
        return sorted({each.business_day for each in self.past})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(database_server: URL) -> AsyncIterator[World]:
    with databases.fresh_database(database_server) as url:
        database = Database(url)
        try:
            await migrate(database)
            yield await _filled(database)
        finally:
            await database.close()


async def _filled(database: Database) -> World:
    vault = Vault([b"k" * 32], "the tests' secret key")
    found = []
    async with database.write() as connection:
        await _crowd(connection)
    for _ in range(2):  # a site is never all that there is
        seed = await Seeder(database, Executor(database, vault, publish=lambda *_: None)).seed(
            points=4, tickets=0, displays=1
        )
        async with database.write() as connection:
            site = await connection.run_sync(site_store.load, seed["site_id"])
            days = past_visits.days_before(site.business_day, DAYS)
            filled = await past_visits.fill(connection, site.id, seed["queue_ids"], seed["point_ids"][0], days, PER_DAY)
        executor = Executor(database, vault, publish=lambda *_: None)  # the first one's board knows nothing of that past
        for index in range(9):
            await Seeder(database, executor).ticket(seed["queue_ids"][index % 3])
        known = Personal(name="Grace Hopper", phone="+49 30 901820", date_of_birth="1906-12-09")
        async with database.write() as connection:
            for each in filled[:30]:
                await connection.run_sync(found_by.remember, found_by.rows(vault, site, each.visit_id, known))
        found.append(World(database, executor, seed, site, filled))
    async with database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            await connection.execute(text(f"ANALYZE TABLE {table.name}"))
    return found[0]


async def _crowd(connection: AsyncConnection) -> None:
    """Fill the tables that the past of two sites leaves small: other organisations and sites, staff, messages, answers."""
    base = 500 * IDS_PER_SITE
    site = {
        "time_zone": "UTC", "language": "en", "day_turns_at_minutes": 240, "business_day": "2024-01-01", "message": None,
        "turns_at": 2 * NOW, "next_tick_at": 2 * NOW, "quoted_at": 0, "epoch": "e", "last_id": 9, "last_event_at": 0,
        "seq": 0, "rules": {}, "chain": "",
    }  # fmt: skip
    thing = {"position": 0, "seq": 0}
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
    }
    rows: dict[Table, list[dict[str, Any]]] = {}
    for n in range(1, OTHERS + 1):
        own: dict[str, Any] = {"id": base + n, "site_id": n // 3 + 1}
        day = f"2024-01-{n % 28 + 1:02d}"
        for table, row in (
            (tables.organisations, {"id": n, "name": f"Organisation {n}"}),
            (tables.sites, site | {"id": n, "organisation_id": n % 40 + 1, "name": f"Site {n}"}),
            (tables.queues, thing | own | {"name": f"Queue {n}", "prefix": "A", "paused": False, "durations": []}),
            (tables.points, thing | own | {"name": f"Point {n}", "queue_ids": [1], "unmet_needs": [], "state": "open"}),
            (tables.services, thing | own | {"public_name": f"Service {n}"}),
            (tables.providers, thing | own | {"name": f"Provider {n}"}),
            (tables.kiosks, own | {"name": f"Kiosk {n}", "token_hash": f"kiosk-{n}", "seq": 0}),
            (tables.event_entries, {"entry_id": base + n, "seq": n}),
            (tables.displays, own | {"name": f"Display {n}", "token_hash": f"{n}", "seq": 0,
                               "heard_by": f"process-{n % 99}"}),
            (tables.announcements, announced | own | {"business_day": day, "entry_id": n, "point_id": n}),
            (tables.counters, {"site_id": n // 3, "prefix": "ABC"[n % 3], "business_day": day, "last": 9, "seq": 0}),
            (tables.staff, staff | {"id": n, "organisation_id": n % 40 + 1, "username": f"user-{n}"}),
            (tables.sessions, session | {"id": f"session-{n}", "staff_id": n}),
            (tables.visit_search, {"site_id": n // 40 + 1, "kind": "name", "hash": f"{n % 9}", "visit_id": base + n,
                                   "business_day": day}),
            (tables.audit_chains, {"id": n, "process": "clinic:1", "n": 1, "hash": ""}),
            (tables.audit, audited | {"chain_id": n, "n": 1, "at": NOW + n, "site_id": n % 50, "organisation_id": n % 40}),
            (tables.lockouts, {"subject": f"subject-{n}", "origin": f"origin-{n}", "failures": 5, "failed_at": NOW + n,
                               "locked_until": NOW + n}),
            (tables.api_keys, {"id": n, "organisation_id": n % 40 + 1, "name": f"Key {n}", "key_hash": f"key-{n}",
                               "created_at": NOW}),
            (tables.pairings, {"id": n, "code_hash": f"code-{n}", "secret_hash": f"secret-{n}", "expires_at": NOW + n}),
            (tables.processes, {"id": f"process-{n}", "heard_at": NOW + n}),
            (tables.commands, answered | {"site_id": n // 9, "command_id": f"command-{n}", "at": NOW + n}),
            (tables.notifications, notice | {"subject": f"entry:{n}", "visit_id": n, "entry_id": n, "due_at": NOW + n,
                                             "state": STATES[n] if n < len(STATES) else "sent"}),
        ):  # fmt: skip
            rows.setdefault(table, []).append(row)
    for table, several in rows.items():
        await connection.execute(insert(table), several)


Question = Callable[[World], Awaitable[object]]
QUESTIONS: dict[str, Question] = {}


def question(asked: Question) -> Question:
    """Add a question under its function's name."""
    QUESTIONS[asked.__name__.replace("_", " ")] = asked
    return asked


@question
async def the_board(world: World) -> object:
    return await Boards(world.database).board(world.site.id)


@question
async def the_heads_of_many_logs(world: World) -> object:
    return await Boards(world.database).heads([world.site.id, 3, 7, 12])


@question
async def sites_due(world: World) -> object:
    return await Boards(world.database).due()


@question
async def the_log_since(world: World) -> object:
    return await Boards(world.database).since(world.site.id, past_visits.FIRST_ID + 5_000)


@question
async def a_session_and_its_member(world: World) -> object:
    return await Identities(world.database).session("session-12")


@question
async def a_member_by_name(world: World) -> object:
    return await Identities(world.database).member("user-12")


@question
async def a_display_a_kiosk_a_ticket_a_visit_an_organisation(world: World) -> object:
    identities = Identities(world.database)
    return [
        await identities.display("12"),
        await identities.device("12"),
        await identities.device("kiosk-12"),
        await identities.ticket(f"past {world.past[7].visit_id}", 0),
        await identities.visit_of(world.past[7].id),
        await identities.organisation_of(12),
        await waiting.visit(world.database, world.past[7].visit_id),
    ]


@question
async def the_sites_of_an_organisation(world: World) -> object:
    return await Identities(world.database).sites(12)


@question
async def sites_with_anybody_waiting(world: World) -> object:
    found = await waiting.sites_with_waiting(world.database)
    assert world.site.id in found
    return found


@question
async def a_page_of_sites(world: World) -> object:
    first = await sites.page(world.database, 12, 20, None)
    return await sites.page(world.database, 12, 20, first.last)


def _filters(world: World) -> Iterator[Filters]:
    states: tuple[State | None, ...] = (None, "completed", "expired")
    queue_ids = (None, world.seed["queue_ids"][0])
    for day, queue_id, state, label in product((None, world.days[11]), queue_ids, states, (None, "A012")):
        yield Filters(day, queue_id, state, label)


@question
async def a_page_of_entries_by_any_filters(world: World) -> object:
    found = 0
    for filters in _filters(world):
        for after in (None, (world.past[len(world.past) // 2].id,), (world.past[20].id,)):
            page = await entries.page(world.database, world.site.id, filters, 50, after)
            found += len(page.rows)
    return found


@question
async def a_visit_and_its_history(world: World) -> object:
    visit_id = await entries.visit_of(world.database, world.past[900].id)
    assert visit_id is not None
    found = await history.of_visit(world.database, visit_id, with_names=True)
    assert len(found.steps) >= 1
    return [found, await entries.visit(world.database, visit_id)]


@question
async def past_patients(world: World) -> object:
    vault, site_id = world.executor._vault, world.site.id
    for about in ({"name": "Grace Hopper"}, {"phone": "+49 30 901820"}, {"name": "Hopper", "date_of_birth": "1906-12-09"}):
        for after in (None, (2 * site_id * IDS_PER_SITE,)):
            page = await patients.page(world.database, vault, site_id, Personal(**about), 50, after)
    assert page.total == 30
    return page


@question
async def the_audit_of_a_site_and_of_an_organisation(world: World) -> object:
    found = [await audit.changes(world.database, world.site.id, 50, after) for after in (None, (past_visits.FIRST_ID + 99,))]
    for site_id in (None, 12):
        first = await audit.access(world.database, 12, site_id, 3, None)
        assert first.rows
        found.append(await audit.access(world.database, 12, site_id, 3, first.last))
    return found


@question
async def the_links_of_a_chain_and_the_heads(world: World) -> object:
    chains = [each async for each in verify(world.database, world.site.id)]
    async with world.database.write() as connection:
        chain = await audit_store.begin(connection, "clinic:9")
        noted = Noted(NOW, "staff:1", "x", "", None, None, None, True, "x")
        await audit_store.append(connection, chain, [noted])
        return [chains, await audit_store.head(connection, chain.id)]


@question
async def statistics_of_a_day_of_a_week_of_all(world: World) -> object:
    for first in (world.days[-1], world.days[-7], world.days[0]):
        found = await statistics.between(world.database, world.site.id, first, world.days[-1])
        assert found.report.whole.total.entries >= PER_DAY
    return await statistics.between(world.database, world.site.id, world.days[9], world.days[10])


@question
async def the_report_of_a_day(world: World) -> object:
    await statistics.of_day(world.database, world.site.id, world.days[9])
    found = await statistics.of_day(world.database, world.site.id, None)
    assert found[2]
    return found


@question
async def notifications_from_due_to_sent(world: World) -> object:
    async with world.database.write() as connection:
        due = await notifications.due(connection, 2 * NOW)
        assert due
        await notifications.claim(connection, due[0], "worker", NOW)
        await notifications.begin_sending(connection, due[0], "worker", NOW)
        await notifications.finish(connection, due[0], "worker", "sent", NOW)
        return await notifications.give_up_stale(connection, 2 * NOW)


@question
async def answers_found_and_forgotten(world: World) -> object:
    async with world.database.write() as connection:
        assert await connection.run_sync(answers.find, 6, "command-60") is not None
        return await answers.forget(connection, NOW + 40)


@question
async def a_session_from_its_beginning_to_its_end(world: World) -> object:
    async with world.database.write() as connection:
        await staff_store.open_session(connection, "session-x", 7, "x", NOW)
        await staff_store.rotate_session(connection, "session-x", "x", "y", NOW)
        await staff_store.touch_session(connection, "session-x", NOW + 1)
        await staff_store.revoke_reused(connection, "session-x", NOW, NOW)
        await staff_store.revoke_session(connection, "session-x", NOW)
        await staff_store.revoke_sessions(connection, 7, NOW, but="session-7")
    return await Identities(world.database).living_sessions({"session-7", "session-12", "session-x"}, NOW)


@question
async def displays_of_processes_that_died(world: World) -> object:
    async with world.database.write() as connection:
        await processes.live(connection, "process-new", NOW + 10**6)
        await processes.live(connection, "process-7", NOW)
        dead = await processes.dead(connection, NOW + 3)
        assert "process-7" in dead
        await processes.displays_of(connection, "process-12")
        await processes.forget(connection, "process-new")
    return dead


@question
async def staff_added_changed_and_listed(world: World) -> object:
    async with world.database.write() as connection:
        made = await staff_store.create(connection, organisation_id=12, username="somebody", password_hash="x", role="admin")
        second = await staff_store.create(connection, organisation_id=12, username="other", password_hash="x", role="admin")
        await staff_store.change_password(connection, second, "z")
    with quick_passwords():
        await StaffAccounts(world.database).change(12, made, role="manager", password="y")
    assert await Identities(world.database).colleague(12, made) is not None
    first = await administration.staff_page(world.database, 12, 20, None)
    return await administration.staff_page(world.database, 12, 20, first.last)


@question
async def open_sessions(world: World) -> object:
    found = await administration.sessions_page(world.database, 12, 0, "session-12", 20, None)
    assert [each.current for each in found.rows] == [True]
    return await administration.sessions_page(world.database, 12, 0, "session-12", 20, ("a",))


@question
async def api_keys_from_their_beginning_to_their_end(world: World) -> object:
    async with world.database.write() as connection:
        made = await api_keys.create(connection, organisation_id=12, site_id=None, name="x", key_hash="new", now=NOW)
        await api_keys.touch(connection, made, NOW)
    found = await Identities(world.database).api_key("new")
    assert found is not None
    async with world.database.write() as connection:
        assert await api_keys.revoke(connection, 12, made, NOW)
    first = await administration.api_keys_page(world.database, 12, 20, None)
    return await administration.api_keys_page(world.database, 12, 20, first.last)


@question
async def wrong_passwords(world: World) -> object:
    async with world.database.write() as connection:
        for _ in range(2):
            before = await lockouts.find(connection, "subject-new", "origin-12")
            write = lockouts.add if before is None else lockouts.change
            await write(connection, "subject-new", "origin-12", after_failure(before, NOW))
        await lockouts.locked_until(connection, "subject-12", "origin-12", lock=True)
        await lockouts.clear(connection, "subject-new", "origin-12")
        assert await lockouts.forget(connection, NOW + 40) > 0
        return await lockouts.locked_until(connection, "subject-12", "origin-12")


@question
async def a_pairing_from_its_beginning_to_its_end(world: World) -> object:
    async with world.database.write() as connection:
        made = await pairings.create(connection, "code-new", "secret-new", NOW + 40)
        claimed = await pairings.claim(connection, "code-new", 12, NOW)
        assert claimed == (made, "secret-new")
        await pairings.release(connection, made)
        await pairings.fill(connection, made, "sealed")
    assert await Identities(world.database).pairing("secret-12") is None  # over, by today's clock
    async with world.database.write() as connection:
        return await pairings.take(connection, "secret-new", NOW)


@question
async def commands(world: World) -> object:
    """From a board that has to be loaded, from one that is kept, and from one that follows the log."""
    queue, other = world.seed["queue_ids"][:2]
    point = world.seed["point_ids"][0]
    made = 0

    async def do(executor: Executor, command: Any) -> Any:
        nonlocal made
        made += 1
        return (await executor.execute(command, actor="staff:1", command_id=f"explained {made}")).body.get("entry")

    first, second = world.executor, Executor(world.database, Vault([b"k" * 32], "x"), publish=lambda *_: None)
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
    with suppress(NothingDue):  # on a slow machine those who wait are to be quoted anew by now
        await do(first, Tick(site_id=world.site.id))
    with pytest.raises(NothingDue):
        await do(first, Tick(site_id=world.site.id))
    async with world.database.read() as connection:
        return await connection.run_sync(event_log.since, world.site.id, past_visits.FIRST_ID + 10_000)


@contextmanager
def captured(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are sent, with their parameters."""
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
    """Return how the server would do a statement, one row for each table."""
    async with database.engine.connect() as connection:
        return [dict(row._mapping) for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]


def faults(plan: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with a plan: tables read through, and rows sorted."""
    found = []
    for row in plan:
        made_here = str(row["table"]).startswith("<")  # the rows of a part of the statement, which has a row of its own
        if row["table"] and not made_here and row["type"] not in BY_KEY:
            found.append(f"{row['table']} is read by {row['type']} over {row['key']}, some {row['rows']} rows")
        if "filesort" in str(row["Extra"]):
            found.append(f"{row['table']} is sorted")
    return found


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_statement_goes_by_a_key_and_sorts_nothing(world: World, name: str) -> None:
    with captured(world.database) as statements:
        await QUESTIONS[name](world)
    assert statements
    wrong = []
    for statement, parameters in {(each, str(values)): (each, values) for each, values in statements}.values():
        for fault in faults(await explained(world.database, statement, parameters)):
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
async def test_a_slow_statement_would_be_found(world: World, statement: str, fault: str) -> None:
    assert fault in " ".join(faults(await explained(world.database, statement, ())))


async def test_the_optimiser_has_a_reason_to_choose(world: World) -> None:
    """Every table has rows enough that reading it through costs more than a key."""
    async with world.database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            count = await connection.scalar(text(f"SELECT COUNT(*) FROM {table.name}"))
            assert count >= OTHERS - 50, table.name
