"""The watchdog: with real mail servers and databases, and a clock that the test sets."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url, select, text, update

from server.audit import Audit
from server.domain.commands import ChangeSite
from server.domain.model import local_time
from server.execute import Executor
from server.notifying.channels.directory import Directory
from server.notifying.set_up import ChannelSetUp
from server.notifying.watchdog import Pace, Watchdog
from server.queries import system
from server.queries.system import Facts, Watch
from server.seeding import Seeder
from server.store import backups
from server.store.backups import VerifiedBackup
from server.store.database import Database
from server.store.tables import channels, displays, findings, sites, webhook_sites, webhooks
from server.vault import Vault
from tests.support import databases
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.processes import free_port, wait_until
from tests.support.providers import MailServer
from tests.support.server import command_line, environment, seed, serving

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
READERS = ("it@clinic.example", "ada@clinic.example")
URL_OF_CLINIC = "https://clinic.example"


class Installation:
    """An installation whose Redis answers or not, as the test says. ``at`` is its time."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault
        self.at = database.clock.now()
        self.bus: str | None = None
        self.asked = 0
        self.site_id = self.organisation_id = 0

        async def bus_problem() -> str | None:
            self.asked += 1
            return self.bus

        self.facts = Facts(bus_problem=bus_problem, encrypted=True, exposed=True, limited=True, watched=True)

    async def seed(self, language: str = "en") -> None:
        """Create a clinic without screens, with a backup."""
        executor = Executor(self.database, self.vault, publish=lambda *_: None)
        seeded = await Seeder(self.database, executor).seed(points=1, tickets=0, displays=0)
        self.site_id = seeded["site_id"]
        if language != "en":
            change = ChangeSite(site_id=self.site_id, language=language)
            await executor.execute(change, actor="staff:1", command_id="language")
        async with self.database.read() as connection:
            found = select(sites.c.organisation_id).where(sites.c.id == self.site_id)
            self.organisation_id = await connection.scalar(found) or 0
        now = self.database.clock.now()
        async with self.database.write() as connection:
            await backups.add(connection, VerifiedBackup("tonight", now, now, 1, 1, 1, "{}"))

    async def connect(self, port: int) -> None:
        """Connect a mail server as an administrator does."""
        audit = Audit(self.database, self.vault, "test:1")
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "desk@clinic.example",
            "sender_name": "",
            "username": "",
            "password": "",
        }
        set_up = ChannelSetUp(self.database, self.vault, audit, URL_OF_CLINIC, 2.0)
        await set_up.put(self.organisation_id, "email", "smtp", settings, actor="staff:1")

    def watchdog(self) -> Watchdog:
        """Return the watchdog of another process."""
        directory = Directory(self.database, self.vault, URL_OF_CLINIC, kept_seconds=0, limit_seconds=5)
        return Watchdog(self.database, directory, self.facts, READERS, URL_OF_CLINIC, Pace(), now=lambda: self.at)

    async def look(self, watchdog: Watchdog, *, minutes: float = 0) -> bool:
        """Let time pass, and let a watchdog look."""
        self.at += round(minutes * MINUTE)
        return await watchdog.look()


@pytest.fixture
async def everywhere(database: Database, vault: Vault) -> Installation:
    """Return an installation on each engine in turn."""
    made = Installation(database, vault)
    with quick_passwords():
        await made.seed()
    return made


@pytest.fixture
async def clinic(sqlite_url: str, vault: Vault) -> AsyncIterator[Installation]:
    """Yield an installation on the embedded database."""
    database = Database(sqlite_url)
    await bring_up(database)
    made = Installation(database, vault)
    with quick_passwords():
        await made.seed()
    yield made
    await database.close()


def subjects(server: MailServer) -> list[tuple[str, str]]:
    return [(str(each["To"]), str(each["Subject"])) for each in server.accepted]


def text_of(server: MailServer) -> str:
    return str(server.accepted[-1].get_content())


async def test_lasting_trouble_is_mailed_once_a_day_and_then_its_end(everywhere: Installation) -> None:
    clinic = everywhere
    with MailServer() as server:
        await clinic.connect(server.port)
        watchdog = clinic.watchdog()
        assert await clinic.look(watchdog)
        await clinic.look(watchdog, minutes=4)
        assert server.accepted == [], "nothing is in trouble"

        clinic.bus = "connection refused"
        await clinic.look(watchdog, minutes=1)
        await clinic.look(watchdog, minutes=2)
        assert server.accepted == [], "it has not lasted"
        await clinic.look(watchdog, minutes=2)
        assert [each for each, _ in subjects(server)] == list(READERS)
        assert subjects(server)[0][1].endswith("needs attention")
        assert "connection refused" in text_of(server)
        assert "Check NOWSERVING_REDIS_URL" in text_of(server)
        assert f"{URL_OF_CLINIC}/admin/system" in text_of(server)

        await clinic.look(watchdog, minutes=600)
        assert len(server.accepted) == 2, "told already"
        await clinic.look(watchdog, minutes=900)
        assert len(server.accepted) == 4
        assert "still needs attention" in subjects(server)[-1][1]

        clinic.bus = None
        await clinic.look(watchdog, minutes=1)
        assert len(server.accepted) == 4, "its end has not lasted"
        await clinic.look(watchdog, minutes=4)
        assert len(server.accepted) == 6
        assert "in order again" in subjects(server)[-1][1]
        await clinic.look(watchdog, minutes=3000)
        assert len(server.accepted) == 6


async def test_short_or_flapping_trouble_is_not_mailed(clinic: Installation) -> None:
    with MailServer() as server:
        await clinic.connect(server.port)
        watchdog = clinic.watchdog()
        for turn in range(12):
            clinic.bus = "no answer" if turn % 2 else None
            await clinic.look(watchdog, minutes=2)
        assert server.accepted == []


async def test_one_of_two_processes_mails_and_the_other_takes_over(everywhere: Installation) -> None:
    clinic = everywhere
    with MailServer() as server:
        await clinic.connect(server.port)
        first, second = clinic.watchdog(), clinic.watchdog()
        clinic.bus = "no answer"
        assert await clinic.look(first)
        assert not await clinic.look(second, minutes=1)
        assert await clinic.look(first, minutes=1)
        assert await clinic.look(second, minutes=3), "the first one is dead"
        assert len(server.accepted) == len(READERS)
        assert not await clinic.look(first)
        await clinic.look(second, minutes=1)
        assert len(server.accepted) == len(READERS)


async def test_list_is_made_by_the_holder_alone(everywhere: Installation) -> None:
    clinic = everywhere
    first, second = clinic.watchdog(), clinic.watchdog()
    assert await clinic.look(first)
    assert clinic.asked == 1
    assert not await clinic.look(second)
    assert clinic.asked == 1
    assert await clinic.look(first)
    assert clinic.asked == 2


async def test_watch_passes_on_where_the_tables_are_of_another_version(everywhere: Installation) -> None:
    """In an upgrade a server may look at tables that it does not know. It must not keep the lease from the others."""
    clinic = everywhere
    old, new = clinic.watchdog(), clinic.watchdog()
    async with clinic.database.write() as connection:
        version = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0030'"))
    assert not await clinic.look(old)
    async with clinic.database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": version})
    assert await clinic.look(new), "the lease is free at once"
    assert not await clinic.look(old)


async def test_stopped_process_gives_the_watch_to_another_at_once(clinic: Installation) -> None:
    first, second = clinic.watchdog(), clinic.watchdog()
    assert await clinic.look(first)
    first.stop()
    await first.run()
    assert await clinic.look(second)


async def test_mail_that_was_not_accepted_is_tried_again_later(clinic: Installation) -> None:
    with MailServer() as server:
        server.mood = "refuses"
        await clinic.connect(server.port)
        watchdog = clinic.watchdog()
        clinic.bus = "no answer"
        await clinic.look(watchdog)
        await clinic.look(watchdog, minutes=4)
        server.mood = "accepts"
        await clinic.look(watchdog, minutes=1)
        assert server.accepted == [], "it waits"
        await clinic.look(watchdog, minutes=5)
        assert len(server.accepted) == len(READERS)


@pytest.mark.parametrize(
    ("language", "subject", "state"),
    [("fr", "demande votre attention", "En panne"), ("ar", "يحتاج إلى انتباه", "معطل"), ("de", "needs attention", "Broken")],
)
async def test_mail_is_in_the_language_of_the_clinic(
    sqlite_url: str, vault: Vault, language: str, subject: str, state: str
) -> None:
    database = Database(sqlite_url)
    await bring_up(database)
    clinic = Installation(database, vault)
    with quick_passwords():
        await clinic.seed(language)
    with MailServer() as server:
        await clinic.connect(server.port)
        watchdog = clinic.watchdog()
        clinic.bus = "no answer"
        await clinic.look(watchdog)
        await clinic.look(watchdog, minutes=4)
        assert subject in subjects(server)[0][1]
        assert state in text_of(server)
        assert server.accepted[0]["Content-Language"] == (language if language != "de" else "en")
    await database.close()


async def test_list_says_that_the_watchdog_has_no_way(clinic: Installation) -> None:
    found = {each.name: each for each in await system.checks(clinic.database, clinic.facts)}
    assert (found["watchdog"].code, found["watchdog"].state) == ("watchdog_channelless", "warning")
    watchdog = clinic.watchdog()
    await clinic.look(watchdog)
    await clinic.look(watchdog, minutes=4)
    await clinic.connect(free_port())
    found = {each.name: each for each in await system.checks(clinic.database, clinic.facts)}
    assert found["watchdog"].code == "watchdog_ok"


async def test_start_of_a_state_is_the_same_for_all_processes_and_survives_them(clinic: Installation) -> None:
    clinic.at -= 5 * MINUTE
    clinic.bus = "no answer"
    await clinic.look(clinic.watchdog())
    starts = []
    for _ in range(2):
        watch = Watch(clinic.database, clinic.facts)
        found = {check.name: since for check, since in await watch.checks(encrypted=False)}
        starts.append(found["bus"])
    assert starts == [clinic.at, clinic.at]
    clinic.bus = None
    began = clinic.database.clock.now()
    found = {check.name: since for check, since in await watch.checks(encrypted=False)}
    assert found["bus"] >= began, "another result has another start"


def test_restarted_server_and_the_command_line_tell_the_start_of_before(tmp_path: Path) -> None:
    env = environment(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    starts: list[int] = []
    told = ""
    for _ in range(2):
        with serving(env, tmp_path) as server:
            if not starts:
                seeded = seed(env, points=1, tickets=0, displays=0)
            with server.client(server.sign_in(seeded, "admin")) as client:
                found = {each["name"]: each for each in client.get("/api/v1/system").json()["checks"]}
                starts.append(found["database"]["since"])

            def is_noted() -> bool:
                nonlocal told
                told = command_line(env, "check").stdout
                return "database: The database answers. (since 20" in told

            wait_until(is_noted, "the note of the watchdog", server.process)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        ((since,),) = connection.execute("SELECT since FROM findings WHERE name = 'database'")
    assert starts[1] == since // 1000
    assert datetime.fromtimestamp(since // 1_000_000, UTC).strftime("(since %Y-%m-%d %H:%M:%S UTC)") in told


async def test_rows_in_trouble_are_on_the_list(everywhere: Installation) -> None:
    clinic = everywhere
    database, now = clinic.database, clinic.database.clock.now()
    await clinic.connect(free_port())
    async with database.write() as connection:
        await connection.execute(update(channels).values(outcome="credentials", outcome_at=now))
        for webhook_id, off_at in ((1, None), (2, now)):
            hook = {"id": webhook_id, "organisation_id": clinic.organisation_id, "url": "https://x.example/", "sealed": "x"}
            await connection.execute(webhooks.insert().values(**hook, state="on", changed_at=now))
            place = {"webhook_id": webhook_id, "site_id": clinic.site_id, "number": 0, "failing_since": now - 5 * MINUTE}
            await connection.execute(webhook_sites.insert().values(**place, off_at=off_at))
        screen = {"site_id": clinic.site_id, "seq": 0, "queue_ids": [], "point_ids": [], "since": now - 5 * MINUTE}
        paired: list[dict[str, object]] = [{"token_hash": "a"}, {"token_hash": None}, {"token_hash": "c", "connected": True}]
        for number, more in enumerate(paired):
            row = screen | {"connected": False, "name": f"Hall {number}", "id": 900 + number} | more
            await connection.execute(displays.insert().values(**row))
    found = {each.name: each for each in await system.checks(database, clinic.facts)}
    assert (found["channels"].code, found["channels"].values) == ("channels_failing", {"count": "1"})
    assert (found["webhooks"].code, found["webhooks"].values) == ("webhooks_off", {"count": "1"})
    assert (found["screens"].code, found["screens"].values) == ("screens_dark", {"count": "1"})
    executor = Executor(database, clinic.vault, publish=lambda *_: None)
    today = local_time.wall_clock(now, "UTC").date()
    closed = tuple(str(today.fromordinal(today.toordinal() + days)) for days in (-1, 0, 1))
    change = ChangeSite(site_id=clinic.site_id, closed_on=closed)
    await executor.execute(change, actor="staff:1", command_id="closed")
    async with database.write() as connection:
        await connection.execute(update(webhook_sites).values(off_at=None))
        await connection.execute(update(channels).values(outcome="address"))
    found = {each.name: each for each in await system.checks(database, clinic.facts)}
    assert found["screens"].code == "screens_ok", "the clinic is closed"
    assert (found["webhooks"].code, found["webhooks"].values) == ("webhooks_failing", {"count": "2"})
    assert found["channels"].code == "channels_ok", "one patient's address is no trouble of the channel"


async def test_database_that_is_away_is_mailed_by_the_last_one_that_looked(
    database_server: URL, mysql_url: str, vault: Vault
) -> None:
    name = make_url(mysql_url).database or ""
    admin = databases.connect(database_server)
    account = f"'watched_{name[-6:]}'@'%'"

    def do(*statements: str) -> None:
        with admin.cursor() as cursor:
            for each in statements:
                cursor.execute(each)

    do(f"CREATE USER {account} IDENTIFIED BY 'x'", f"GRANT ALL ON {name}.* TO {account}")
    database = Database(make_url(mysql_url).set(username=f"watched_{name[-6:]}", password="x").render_as_string(False))
    try:
        await bring_up(database)
        clinic = Installation(database, vault)
        with quick_passwords():
            await clinic.seed()
        with MailServer() as server:
            await clinic.connect(server.port)
            first, second = clinic.watchdog(), clinic.watchdog()
            await clinic.look(first)
            await clinic.look(second)
            await database.engine.dispose()
            do(f"ALTER USER {account} ACCOUNT LOCK")
            for each in (first, second, first, second):
                await clinic.look(each, minutes=2)
            assert len(server.accepted) == len(READERS), "the last one that looked, once"
            assert "database" in text_of(server).lower()
            do(f"ALTER USER {account} ACCOUNT UNLOCK")
            await clinic.look(first, minutes=1)
            async with database.read() as connection:
                row = (await connection.execute(select(findings).where(findings.c.name == "database"))).one()
            assert (row.since, row.told) == (clinic.at, "broken")
            await clinic.look(first, minutes=4)
            assert "in order again" in subjects(server)[-1][1]
            assert len(server.accepted) == 2 * len(READERS)
    finally:
        await database.close()
        do(f"DROP USER {account}")
        admin.close()
