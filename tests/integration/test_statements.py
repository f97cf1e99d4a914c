"""A query sends as many statements to the database for 1,000 rows as for 10."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import URL, event, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.routing import Route

from server.app import build_app
from server.domain.events import AppointmentAmended
from server.domain.events.encoding import body_of
from server.domain.model import Appointment, Personal, Site, local_time, tickets
from server.domain.model.ids import IDS_PER_SITE
from server.live import feeds
from server.seeding import Seed, Seeder
from server.settings import Settings
from server.store import audit, patients, tables
from server.store import sites as site_store
from server.store.chain import START
from server.store.database import Database
from server.store.migrate import migrate
from server.transport.context import Context
from server.transport.http import paths
from server.vault import new_token
from tests.support import databases, past_visits
from tests.support.server import KEYS

FEW, MANY = 10, 1_000
HOUR = 3_600_000_000
pytestmark = pytest.mark.asyncio(loop_scope="module")

# The request that sends a statement; None for the clock and the feeds of the same process.
current_request: ContextVar[str | None] = ContextVar("current_request", default=None)


@dataclass
class World:
    """A site with ``size`` records of each kind, and a client of its administrator."""

    size: int
    seed: Seed
    day: str
    client: httpx.AsyncClient
    secret: str  # of a pending pairing
    service_id: int
    provider_id: int
    appointment_id: int
    token: str  # of the appointment
    ticket: str  # the token of a visit
    feed: str  # the secret of a calendar

    def address(self, path: str) -> str:
        """Return the address of a route, with the ids of this site."""
        entry_id = self.seed["site_id"] * IDS_PER_SITE + past_visits.FIRST_ID + 1
        ids = {"site_id": self.seed["site_id"], "entry_id": entry_id, "visit_id": entry_id - 1}
        ids["display_id"] = ids["device_id"] = self.seed["displays"][0]["id"]
        ids |= {"appointment_id": self.appointment_id, "provider_id": self.provider_id}
        filled = re.sub(r"\{(\w+):id\}", lambda found: str(ids[found[1]]), path)
        if "/tickets/" in path:
            filled = filled.replace("{token}", self.ticket)
        filled = filled.replace("{pairing}", self.secret).replace("{token}", self.token).replace("{secret}", self.feed)
        return filled + QUERIES.get(path, "").format(day=self.day, service_id=self.service_id, site_id=self.seed["site_id"])


# The query parameters that the addresses need.
QUERIES = {
    "/api/v1/sites": "?page_size=200",
    "/api/v1/staff": "?page_size=200",
    "/api/v1/invitations": "?page_size=200",
    "/api/v1/sessions": "?page_size=200",
    "/api/v1/api-keys": "?page_size=200",
    "/api/v1/sites/{site_id:id}/entries": "?page_size=200",
    "/api/v1/sites/{site_id:id}/messages": "?page_size=200",
    "/api/v1/sites/{site_id:id}/patients": "?page_size=200&name=Grace+Hopper",
    "/api/v1/sites/{site_id:id}/slots": "?service_id={service_id}&from={day}&until={day}",
    "/api/v1/sites/{site_id:id}/booking/slots": "?service_id={service_id}&from={day}&until={day}",
    "/api/v1/appointments/{token}/slots": "?from={day}&until={day}",
    "/api/v1/sites/{site_id:id}/appointments": "?date={day}",
    "/api/v1/sites/{site_id:id}/slots/why": "?service_id={service_id}&at={day}T09:00",
    "/api/v1/audit": "?page_size=200",
    "/api/v1/sites/{site_id:id}/messages/statistics": "?from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/feedback": "?from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/statistics": "?from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/statistics.csv": "?from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/insights": "?from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/insights.zip": "?view=days&from={day}&to={day}",
    "/api/v1/insights": "?sites={site_id}&from={day}&to={day}",
    "/api/v1/insights.zip": "?sites={site_id}&from={day}&to={day}",
    "/api/v1/sites/{site_id:id}/day": "?business_day={day}",
    "/api/v1/sites/{site_id:id}/past": "?number=1&following=3",
}


@dataclass
class Counting:
    """An application, its sites, and the number of statements of each request."""

    app: Starlette
    worlds: list[World]
    statements: Counter[str]

    async def sent(self, world: World, path: str, more: str = "") -> tuple[int, httpx.Response]:
        """Return the number of statements that a request sends, and its answer."""
        token = current_request.set(f"{world.size} {path} {more}")
        try:
            before = self.statements[f"{world.size} {path} {more}"]
            of_device = path in (paths.SPEECH, paths.JOIN_CODE)
            own = {"Authorization": f"Bearer {world.seed['displays'][0]['token']}"} if of_device else {}
            answer = await world.client.get(world.address(path) + more, headers=own)
            return self.statements[f"{world.size} {path} {more}"] - before, answer
        finally:
            current_request.reset(token)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "mysql"])
async def counting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counting]:
    if request.param == "sqlite":
        async for made in _counting(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('statements') / 'x.db'}"):
            yield made
        return
    server: URL = request.getfixturevalue("database_server")
    with databases.fresh_database(server) as url:
        async for made in _counting(url):
            yield made


async def _counting(url: str) -> AsyncIterator[Counting]:
    app = build_app(Settings(database_url=SecretStr(url)), KEYS)
    context: Context = app.state.context
    database = context.database
    assert isinstance(database, Database)
    await migrate(database)
    statements: Counter[str] = Counter()

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        touch = statement.startswith("UPDATE sessions")  # once a minute, whichever request comes first
        if (name := current_request.get()) is not None and not touch:
            statements[name] += 1

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    with pytest.MonkeyPatch.context() as patch:
        # Some routes follow a site for half a minute, and then other routes need fewer statements: 3 instead of 19. The
        # speed of the machine would decide which of the two sites is followed. Both are, and each request loads its board.
        patch.setattr(feeds, "LINGER_SECONDS", float("inf"))
        patch.setattr(feeds.Feeds, "board", lambda *_: None)
        async with app.router.lifespan_context(app):
            worlds = [await _world(app, context, database, size) for size in (FEW, MANY)]
            for world in worlds:
                await context.hub.followed_board(world.seed["site_id"])
            yield Counting(app, worlds, statements)
            for world in worlds:
                await world.client.aclose()


async def _world(app: Starlette, context: Context, database: Database, size: int) -> World:
    setup = Seeder(database, context.executor)
    seed = await setup.seed(points=3, tickets=0, displays=1)
    async with database.write() as connection:
        site = await connection.run_sync(site_store.load, seed["site_id"])
        await _fill(connection, context, site, seed, size)
        await _add_sites(connection, context, site.organisation_id, size, await database.now())
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://clinic.example", timeout=60)
    admin = next(each for each in seed["staff"] if each["role"] == "admin")
    answer = await client.post("/api/v1/session", json={"username": admin["username"], "password": admin["password"]})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    client.cookies.clear()
    (await client.get(f"/api/v1/sites/{site.id}")).raise_for_status()  # fills the cache of the site's organisation
    secret = (await client.post("/api/v1/pairings")).json()["secret"]
    own = (await client.get("/api/v1/session")).json()["user"]["id"]
    async with database.write() as connection:
        await _add_staff(connection, site.organisation_id, own, size, await database.now())
    base = site.id * IDS_PER_SITE + 10_000_000
    appointment_id, token, ticket = base + 60_000, new_token(site.id, "a"), new_token(site.id)
    async with database.write() as connection:
        own_hash = {"token_hash": context.vault.keyed_hash(token)}
        mine = tables.appointments.c.id == appointment_id
        await connection.execute(update(tables.appointments).where(mine).values(own_hash))
        visit = tables.visits.c.id == site.id * IDS_PER_SITE + past_visits.FIRST_ID
        values = {"token_hash": context.vault.keyed_hash(ticket), "opened_at": await database.now()}
        await connection.execute(update(tables.visits).where(visit).values(values))
    made = await client.post(f"/api/v1/providers/{base + 50_001}/calendar-feeds")
    feed = made.json()["address"].split("/")[-2]
    return World(
        size, seed, site.business_day, client, secret, base + 40_001, base + 50_001, appointment_id, token, ticket, feed
    )


async def _add_sites(connection: AsyncConnection, context: Context, organisation_id: int, size: int, now: int) -> None:
    """Add ``size`` sites to the organisation: copies of one, since only lists show them. No clock ever has to tick them."""
    made = await site_store.create(
        connection, context.vault, organisation_id=organisation_id, name="Site", time_zone="UTC", language="en", now=now
    )
    columns = [each for each in tables.sites.c if each is not tables.sites.c.id]
    row = (await connection.execute(select(*columns).where(tables.sites.c.id == made.id))).one()
    never = {"next_tick_at": now + 10**15}
    copies = [dict(row._mapping) | never | {"name": f"Site {each}"} for each in range(size - 1)]
    await connection.execute(insert(tables.sites), copies)


async def _add_staff(connection: AsyncConnection, organisation_id: int, staff_id: int, size: int, now: int) -> None:
    """Add ``size`` members of staff, invitations and API keys to the organisation, and ``size`` sessions to its member."""
    member = {"organisation_id": organisation_id, "password_hash": "x", "role": "clinician", "active": True}
    session = {"staff_id": staff_id, "refresh_hash": "x", "created_at": now, "used_at": now}
    key = {"organisation_id": organisation_id, "name": "Key", "created_at": now}
    invitation = {"organisation_id": organisation_id, "kind": "invitation", "role": "manager", "made_by": "x"}
    invitation |= {"made_at": now, "expires_at": now + 10**12}
    for table, rows in (
        (tables.staff, [member | {"username": f"{organisation_id}-{n}"} for n in range(size)]),
        (tables.sessions, [session | {"id": f"{organisation_id}-{n}"} for n in range(size)]),
        (tables.account_links, [invitation | {"secret_hash": f"{organisation_id}-{n}"} for n in range(size)]),
        (tables.api_keys, [key | {"key_hash": f"{organisation_id}-{n}"} for n in range(size)]),
    ):
        await connection.execute(insert(table), rows)


async def _fill(connection: AsyncConnection, context: Context, site: Site, seed: Seed, size: int) -> None:
    """Add ``size`` records of each listed kind to the site, all of today."""
    site_id, numbers = seed["site_id"], range(size)
    base = site_id * IDS_PER_SITE + 10_000_000
    made = await past_visits.fill(connection, site_id, seed["queue_ids"], seed["point_ids"][0], [site.business_day], size)
    for each in made:
        found_by = patients.rows(context.vault, site, each.visit_id, Personal(name="Grace Hopper"))
        await connection.run_sync(patients.remember, found_by)
    # The poster has been printed: the first print is a command, and the log of these rows takes none.
    await connection.execute(update(tables.sites).where(tables.sites.c.id == site_id).values(milestones=["poster-printed"]))
    first = made[0].visit_id  # the endpoint of slips needs the token
    sealed = context.vault.seal_personal(Personal(token=f"{site_id}-token"), f"visit:{first}")
    await connection.execute(update(tables.visits).where(tables.visits.c.id == first).values(sealed=sealed))
    chain = audit.Chain(size, 0, START)
    await connection.execute(insert(tables.audit_chains), {"id": size, "process": "clinic:1", "n": 0, "hash": START})
    noted = audit.Noted(10**15, "staff:1", "x", "", site_id, site.organisation_id, None, True, "x")
    await audit.append(connection, context.vault, chain, [noted] * size)
    common = {"site_id": site_id, "seq": 0}
    await connection.execute(
        insert(tables.queues),
        [common | {"id": base + n, "name": f"Q{n}", "prefix": "Q", "position": n, "paused": False, "durations": [],
                   "names": []}
         for n in numbers],
    )  # fmt: skip
    await connection.execute(
        insert(tables.points),
        [common | {"id": base + 10_000 + n, "name": f"P{n}", "queue_ids": [base + n], "position": n, "state": "open",
                   "unmet_needs": [], "names": []}
         for n in numbers],
    )  # fmt: skip
    choices: dict[str, Any] = {"queue_ids": [], "point_ids": []}
    offers: dict[str, Any] = {"queue_ids": []}
    for at, devices, own in ((20_000, tables.displays, choices), (30_000, tables.kiosks, offers)):
        device = common | own
        devices_made = [device | {"id": base + at + n, "name": f"D{n}", "token_hash": f"{site_id} {n}"} for n in numbers]
        await connection.execute(insert(devices), devices_made)
    await connection.execute(
        insert(tables.services),
        [common | {"id": base + 40_000 + n, "public_name": f"S{n}", "position": n, "names": []} for n in numbers],
    )
    await connection.execute(
        insert(tables.providers), [common | {"id": base + 50_000 + n, "name": f"P{n}", "position": n} for n in numbers]
    )
    rules = {**orjson.loads(orjson.dumps(asdict(site.rules))), "booking": "on"}
    await connection.execute(update(tables.sites).where(tables.sites.c.id == site_id).values(rules=rules))
    begin = tickets.begin_of(site.business_day, site.time_zone, site.day_turns_at_minutes)
    booked = [
        Appointment(
            id=base + 60_000 + n, site_id=site_id, business_day=None, service_id=base + 40_001, provider_id=base + 50_001,
            resource_id=base + 50_001, point_id=None, state="booked", local_start=f"{site.business_day}T09:00", fold=0,
            zone=site.time_zone, minutes=15, buffer_minutes=0, starts_at=begin + 30 * HOUR + n, ends_at=begin + 31 * HOUR,
            tz_version=local_time.tz_version(), lane=n, version=1, token_hash=f"{site_id} {n}", sealed=None, language="en",
            booked_at=10**15, seq=0,
        )
        for n in numbers
    ]  # fmt: skip
    await connection.execute(insert(tables.appointments), [asdict(each) for each in booked])
    # Messages that perhaps can be sent again, half of them about appointments and half about entries.
    told: dict[str, Any] = {"site_id": site_id, "subject_version": 1, "ahead": 0, "channel": "sms", "state": "failed"}
    told |= {"due_at": 10**15, "not_after": 10**15, "changed_at": 10**15}
    told |= dict.fromkeys(("appointment_id", "visit_id", "entry_id"))
    about: list[dict[str, Any]] = []
    for booked_one, entry in list(zip(booked, made, strict=True))[::2]:
        about.append({"kind": "booked", "subject": f"appointment:{booked_one.id}", "appointment_id": booked_one.id})
        about.append({"kind": "called", "subject": f"entry:{entry.id}", "visit_id": entry.visit_id, "entry_id": entry.id})
    await connection.execute(insert(tables.notifications), [told | each for each in about])
    window = {"from_minute": 540, "until_minute": 1020, "slot_minutes": 15, "capacity": 1, "every_n_weeks": 1}
    window |= {"buffer_minutes": 0, "notice_minutes": 0, "days_ahead": 0, "opens_before": 0}
    await connection.execute(
        insert(tables.schedules),
        common | window | {"id": base + 70_000, "provider_id": base + 50_001, "service_ids": [base + 40_001], "weekday": 0,
                           "anchor_date": "2026-01-05", "valid_from": "2026-01-05", "valid_until": None},
    )  # fmt: skip
    # Amendments of one appointment, each by another member of staff.
    amended = orjson.dumps(body_of(AppointmentAmended(appointment=booked[0]))).decode()
    await connection.execute(
        insert(tables.events),
        [{"site_id": site_id, "seq": 20_000_000 + n, "at": 10**15, "type": "appointment-amended", "actor": f"staff:{n + 1}",
          "command_id": "x", "entry_id": None, "sealed": None, "hash": "", "body": amended} for n in numbers],
    )  # fmt: skip
    await connection.execute(
        insert(tables.event_entries), [{"entry_id": booked[0].id, "seq": 20_000_000 + n} for n in numbers]
    )
    # Recalls of one entry, each by another member of staff.
    await connection.execute(
        insert(tables.events),
        [{"site_id": site_id, "seq": 10_000_000 + n, "at": 10**15, "type": "ticket-recalled", "actor": f"staff:{n + 1}",
          "command_id": "x", "entry_id": made[0].id, "sealed": None, "hash": "",
          "body": f'{{"entry_id":{made[0].id},"point_id":1,"announcement_id":{n + 1},"label":"A001"}}'} for n in numbers],
    )  # fmt: skip
    await connection.execute(
        insert(tables.intervals),
        [{"entry_id": made[0].id, "ended_by": 10_000_000 + n, "site_id": site_id, "state": "held", "started_at": 10**15,
          "ended_at": 10**15, "point_id": None, "actor": "x"} for n in numbers],
    )  # fmt: skip


def query_paths() -> list[str]:
    """Return the path of every query of the API.

    The QR code, the feedback and the contact of a ticket are left out: they read rows by the token, and have no list.
    """
    app = build_app(Settings(database_url=SecretStr("sqlite+aiosqlite:////nowhere/x.db")), KEYS)
    found = []
    for route in app.routes:
        if (
            isinstance(route, Route)
            and route.path.startswith("/api/v1")
            and "GET" in (route.methods or ())
            and route.path not in (paths.QR, paths.TICKET_CONTACT, paths.UNSUBSCRIBE)
            # No query at all, one until there is an administrator, and a report of a provider, which writes.
            and route.path not in (paths.TICKET_FEEDBACK, paths.SETUP, paths.RECEIPTS)
            and route.path != paths.WHAT_IF  # applies the whole log of a day, which the rows of these sites are not
        ):
            found.append(route.path)
    return found


@pytest.mark.parametrize("path", query_paths())
async def test_number_of_statements_is_independent_of_the_number_of_rows(counting: Counting, path: str) -> None:
    few, many = counting.worlds
    if path in (paths.JOINING, paths.JOIN_CODE):  # the first look loads the board, and the process then follows the site
        for world in counting.worlds:
            await counting.sent(world, path)
    sent, answer = await counting.sent(few, path)
    assert answer.status_code == 200, answer.text
    assert sent, "no statement was counted"
    more, longer = await counting.sent(many, path)
    assert longer.status_code == 200, longer.text
    assert (more, path) == (sent, path)


PATIENTS = "/api/v1/sites/{site_id:id}/patients"
LISTS = (
    "/api/v1/sites",
    "/api/v1/staff",
    "/api/v1/invitations",
    "/api/v1/sessions",
    "/api/v1/api-keys",
    "/api/v1/sites/{site_id:id}/entries",
    "/api/v1/sites/{site_id:id}/messages",
    "/api/v1/entries/{entry_id:id}/history",
    PATIENTS,
)


@pytest.mark.parametrize("path", LISTS)
async def test_lists_contain_the_added_rows(counting: Counting, path: str) -> None:
    few, many = [(await counting.sent(world, path))[1].json() for world in counting.worlds]
    name = "steps" if path.endswith("history") else "data"
    assert len(few[name]) in range(FEW, FEW + 5)
    assert len(many[name]) >= 200
    assert "pagination" not in many or many["pagination"]["total"] in range(MANY, MANY + 5)


async def test_later_pages_and_filters_send_no_more_statements_for_more_rows(counting: Counting) -> None:
    path = "/api/v1/sites/{site_id:id}/entries"
    for more in ("&state=completed", "&label=A002", "&business_day={day}", "&queue_id={queue}", "&after={after}"):
        found: list[int] = []
        for world in counting.worlds:
            _, first = await counting.sent(world, path, "&page_size=5")
            values: dict[str, Any] = {"day": world.day, "queue": world.seed["queue_ids"][0]}
            values["after"] = first.json()["pagination"]["next"]
            sent, answer = await counting.sent(world, path, more.format(**values))
            assert answer.status_code == 200
            assert answer.json()["data"]
            found.append(sent)
        assert found[0] == found[1], more
