"""After an outage of all servers, staff are asked about the calls from before it: by facts in the database."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, delete, select

from loadtests.hospital import Part
from server.clock import boot_id, steady_microseconds, wall_microseconds
from server.domain.commands import CallNext, ChangeSite, Confirm, IssueTicket
from server.domain.model import LEAST_OUTAGE
from server.domain.model.local_time import MINUTE
from server.execute import Executor
from server.notifying.channels.recording import RecordingChannel
from server.notifying.context import Context
from server.notifying.sweep import Sweep
from server.outages import OutageWatch
from server.seeding import Seed, Seeder
from server.store import clock_anchors, processes
from server.store.database import Database
from server.store.tables import clock_anchors as table_of_anchors
from server.store.tables import entries, events, notifications
from server.vault import Vault
from tests.support import databases
from tests.support.message_provider import Everywhere
from tests.support.processes import Process, free_port
from tests.support.screens import Screen, sse
from tests.support.server import Server, environment, seed, serving
from tests.support.set_clock import SettableClock, note_this_boot

HEARTBEAT_SECONDS = 15.0
AGO = 30 * MINUTE
OFF_SECONDS = 600


class Before:
    """A site with a patient who was called half an hour ago, when a server process last was alive."""

    def __init__(self, setup: Seeder, database: Database) -> None:
        self.setup, self.database = setup, database
        self.offset = wall_microseconds() - steady_microseconds()
        self.entry_id = 0

    async def call(self, heard: int = AGO, phone: str | None = None) -> None:
        """Call a patient half an hour ago. The last sign of life is ``heard`` microseconds old.

        With a ``phone``, the patient has it, and the site sends messages. Its calls stand for hours.
        """
        await self._keep(self.offset - AGO)
        self.seeded = await self.setup.seed(points=1, tickets=0 if phone else 2, displays=0)
        if phone:
            site_id, queue_id = self.seeded["site_id"], self.seeded["queue_ids"][0]
            await self.setup.do(ChangeSite(site_id=site_id, message_ways=("sms",), minutes_call_stands=240))
            await self.setup.do(IssueTicket(queue_id=queue_id, phone=phone))
        made = await self.setup.do(CallNext(point_id=self.seeded["point_ids"][0]))
        self.entry_id = made["entry"]["id"]
        await self._keep(self.offset)
        async with self.database.write() as connection:
            await processes.live(connection, "before", await self.database.now() - heard)

    async def _keep(self, offset: int) -> None:
        """Let every process of this boot have the time of this offset."""
        boot, clock = boot_id(), self.database.clock
        assert boot is not None
        clock.learn(offset)
        async with self.database.write() as connection:
            await clock_anchors.keep(connection, boot, clock)

    def process(self) -> OutageWatch:
        """Return the watch of a process that starts."""
        return OutageWatch(self.database, self.setup.executor, HEARTBEAT_SECONDS)

    async def live(self, name: str) -> None:
        async with self.database.write() as connection:
            await processes.live(connection, name, await self.database.now())

    async def asked(self) -> list[tuple[str, str]]:
        """Return the type and the actor of each event about a doubt."""
        about = events.c.type.in_(("entry-doubted", "entry-confirmed"))
        statement = select(events.c.type, events.c.actor).where(about).order_by(events.c.seq)
        async with self.database.read() as connection:
            return [(str(kind), str(actor)) for kind, actor in await connection.execute(statement)]

    async def doubt(self) -> list[int | None] | None:
        async with self.database.read() as connection:
            found: list[int | None] | None = await connection.scalar(
                select(entries.c.doubt).where(entries.c.id == self.entry_id)
            )
            return found


@pytest.fixture
async def before(setup: Seeder, database: Database) -> Before:
    return Before(setup, database)


ASKED = ("entry-doubted", "clock")


async def test_start_after_an_outage_asks_once(before: Before) -> None:
    """Two processes start together; the slower one still sees the old sign of life."""
    await before.call()
    one, other = before.process(), before.process()
    await one.begin()
    await other.begin()
    assert await before.asked() == [ASKED]
    doubt = await before.doubt()
    assert doubt is not None
    assert doubt[1] is not None
    assert doubt[0] is not None
    assert abs(doubt[1] - doubt[0] - AGO) < MINUTE
    await before.setup.do(Confirm(entry_id=before.entry_id))
    await other.look()
    await before.process().begin()  # a third one, whose look came first
    assert [kind for kind, _ in await before.asked()] == ["entry-doubted", "entry-confirmed"]
    await before.live("one")
    await before.process().begin()
    assert len(await before.asked()) == 2


async def test_two_processes_at_once_ask_once(before: Before) -> None:
    await before.call()
    await asyncio.gather(*(before.process().begin() for _ in range(4)))
    assert await before.asked() == [ASKED]


@pytest.mark.parametrize("heard", [0, LEAST_OUTAGE, LEAST_OUTAGE + 10_000_000])
async def test_short_restart_asks_nobody(before: Before, heard: int) -> None:
    """The last sign of life may be a heartbeat older than the last command."""
    await before.call(heard)
    await before.process().begin()
    assert await before.asked() == []


async def test_killed_process_beside_another_one_asks_nobody(before: Before) -> None:
    await before.call()
    await before.live("another")
    await before.process().begin()
    assert await before.asked() == []


async def test_first_start_asks_nobody(before: Before) -> None:
    await before.call()
    async with before.database.write() as connection:
        await processes.forget(connection, "before")
    await before.process().begin()
    assert await before.asked() == []


async def test_clock_that_is_set_is_no_outage(before: Before) -> None:
    """The operator accepts a step of two hours, while the process is alive."""
    await before.call(0)
    alive = before.process()
    await alive.begin()
    await before.live("alive")
    before.database.clock.learn(before.offset + 120 * MINUTE)
    await alive.look()
    assert await before.asked() == []


async def test_process_that_slept_asks(before: Before) -> None:
    """The lid of a laptop was closed: no process has ended, and nobody could press a button."""
    await before.call(0)
    alive = before.process()
    await alive.begin()
    await before.live("alive")
    before.database.clock.steady = lambda: steady_microseconds() + AGO
    await alive.look()
    assert await before.asked() == [ASKED]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a database server has a clock of its own
async def test_outage_shows_when_ntp_has_set_the_clock(
    database: Database, setup: Seeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without a battery clock goes on from the time of the power loss, until NTP sets its clock."""
    before = Before(setup, database)
    await before.call(MINUTE)
    clock, boot = database.clock, steady_microseconds() - MINUTE
    clock.steady = lambda: steady_microseconds() - boot
    clock.learn(None)
    async with database.write() as connection:
        await connection.execute(delete(table_of_anchors))
    started = before.process()
    await started.begin()
    assert await before.asked() == []
    await before.live("started")
    for module in ("server.store.database", "server.store.sites"):
        monkeypatch.setattr(f"{module}.wall_microseconds", lambda: wall_microseconds() + AGO)
    await started.look()
    assert await before.asked() == [ASKED]


async def test_database_that_is_away_postpones_the_question(before: Before) -> None:
    await before.call()
    closed = Database(before.database.url.set(database="/nowhere/at/all").render_as_string(hide_password=False))
    watch = OutageWatch(closed, Executor(closed, before.setup.executor.vault, lambda *_: None), HEARTBEAT_SECONDS)
    await watch.begin()
    await closed.close()
    assert await before.asked() == []


async def test_message_about_an_old_call_is_withdrawn(
    before: Before, database: Database, vault: Vault, tmp_path: Path
) -> None:
    """The power failed between the call and its message."""
    await before.call(phone="+49 170 0000001")
    await before.process().begin()
    channel = RecordingChannel(tmp_path / "sent.jsonl")
    await Sweep(Context(database, vault, Everywhere(channel), "https://clinic.example")).run()
    async with database.read() as connection:
        found = await connection.execute(select(notifications.c.kind, notifications.c.state).order_by(notifications.c.id))
        assert ("called", "withdrawn") in [tuple(row) for row in found]
    assert not (tmp_path / "sent.jsonl").exists()


# Real processes


@dataclass
class Clinic:
    """A server and its database, which lose their power together."""

    clock: SettableClock
    url: str
    env: dict[str, str]
    seeded: Seed
    server: Part
    port: int
    database: Part | None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lose_power(self) -> None:
        """Kill every process without a goodbye."""
        parts = [self.server, *([self.database] if self.database else [])]
        for part in parts:
            part.cut()
        for part in parts:
            part.kill()

    def start(self, *, boots: bool = True) -> None:
        """Start all again. A machine that ``boots`` has no kept offset of its clock."""
        if self.database:
            self.database.start()
        if boots:
            asyncio.run(self._forget_boot())
        self.server.start()

    async def _forget_boot(self) -> None:
        database = Database(self.url)
        try:
            async with database.write() as connection:
                await connection.execute(delete(table_of_anchors))
        finally:
            await database.close()

    def desk(self, stack: ExitStack) -> tuple[httpx.Client, Screen]:
        """Return a client of reception, and its live desk."""
        running = Server(self.port, None, Path())  # type: ignore[arg-type]
        token = running.sign_in(self.seeded, "receptionist")
        client = stack.enter_context(running.client(token))
        screen = stack.enter_context(sse(f"{self.address}/live/sites/{self.seeded['site_id']}/desk", token))
        screen.wait(lambda each: each.cells)
        return client, screen


@contextmanager
def _server(env: dict[str, str], folder: Path, port: int) -> Iterator[Process]:
    with serving(env, folder, port=port) as server:
        yield server.process


@pytest.fixture(params=["sqlite", "mysql"])
def clinic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    with ExitStack() as stack:
        clock, database = SettableClock(tmp_path), None
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{tmp_path / 'clinic.db'}"
        else:
            folder, port = tmp_path / "mariadb", free_port()
            folder.mkdir()
            databases.install_mariadb(folder)
            options = ("--innodb-flush-log-at-trx-commit=1",)
            database = Part(partial(databases.mariadb_process, folder, port, *options, variables=clock.variables))
            stack.callback(database.stop)
            database.start()
            root = URL.create("mysql+aiomysql", "root", "", "127.0.0.1", port)
            with databases.connect(root) as connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE clinic")
            url = root.set(database="clinic").render_as_string(hide_password=False)
        env = environment(url, NOWSERVING_HEARTBEAT_SECONDS="1")
        seeded = seed(env, points=2, tickets=4, displays=1)
        env |= clock.variables
        port = free_port()
        server = Part(partial(_server, env, tmp_path, port))
        stack.callback(server.stop)
        asyncio.run(_note_boot(url))
        server.start()
        yield Clinic(clock, url, env, seeded, server, port, database)


async def _note_boot(url: str) -> None:
    database = Database(url)
    try:
        await note_this_boot(database)
    finally:
        await database.close()


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, f"not seen: {what}"
        time.sleep(0.1)


def do(client: httpx.Client, name: str, **body: Any) -> dict[str, Any]:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    end = time.monotonic() + 60
    while (answer := client.post(f"/api/v1/commands/{name}", json=body, headers=key)).status_code == 503:  # a busy machine
        assert time.monotonic() < end, answer.text
        time.sleep(0.5)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.long
def test_power_loss_asks_staff_over_the_live_stream(clinic: Clinic) -> None:
    first, second = clinic.seeded["point_ids"]
    display = clinic.seeded["displays"][0]
    with ExitStack() as stack:
        client, _ = clinic.desk(stack)
        called = do(client, "call-next", point_id=first)["entry"]["id"]
        serving_ = do(client, "call-next", point_id=second)["entry"]["id"]
        do(client, "start", entry_id=serving_)
        until(lambda: _heard(clinic.url), "a sign of life")
        clinic.lose_power()
    clinic.clock.set(OFF_SECONDS)
    clinic.start()
    with ExitStack() as stack:
        client, desk = clinic.desk(stack)
        board = stack.enter_context(sse(f"{clinic.address}/live/displays/{display['id']}", display["token"]))
        board.wait(lambda each: each.cells)
        # The first snapshot has the question already: no screen shows the old call as a present one.
        kind, _, snapshot = board.messages[0]
        assert kind == "snapshot"
        cell = snapshot["cells"][f"entry:{called}"]
        assert cell["in_doubt"]
        assert cell["stands_until"] < time.time() * 1000 + OFF_SECONDS * 1000 - LEAST_OUTAGE // 1000
        for entry_id in (called, serving_):
            doubt = desk.cells[f"entry:{entry_id}"]["doubt"]
            assert 550_000 < doubt["offline_until"] - doubt["offline_from"] < 700_000
        do(client, "recall", entry_id=called)
        do(client, "confirm", entry_id=serving_)
        desk.wait(lambda each: not any(cell.get("doubt") for key, cell in each.cells.items() if key.startswith("entry:")))
        board.wait(lambda each: not each.cells[f"entry:{called}"]["in_doubt"])
        assert client.post("/api/v1/commands/confirm", json={"entry_id": serving_}).status_code == 409
        clinic.server.kill()  # a short restart
    clinic.server.start()
    with ExitStack() as stack:
        _, desk = clinic.desk(stack)
        assert not any(cell.get("doubt") for key, cell in desk.cells.items() if key.startswith("entry:"))


@pytest.mark.long
def test_restart_with_a_clock_that_was_set_asks_nobody(clinic: Clinic) -> None:
    with ExitStack() as stack:
        client, _ = clinic.desk(stack)
        do(client, "call-next", point_id=clinic.seeded["point_ids"][0])
        until(lambda: _heard(clinic.url), "a sign of life")
        clinic.lose_power()
    clinic.clock.set(3 * 3600)
    clinic.start(boots=False)
    with ExitStack() as stack:
        _, desk = clinic.desk(stack)
        assert not any(cell.get("doubt") for key, cell in desk.cells.items() if key.startswith("entry:"))


def _heard(url: str) -> bool:
    async def look() -> bool:
        database = Database(url)
        try:
            async with database.read() as connection:
                return await processes.has_any(connection)
        finally:
            await database.close()

    return asyncio.run(look())
