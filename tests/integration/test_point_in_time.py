"""A backup of MySQL or MariaDB and the binary logs of its server lead to any instant after the backup.

The server is a private MariaDB. `make test-mysql` runs the same tests on MySQL.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, update

from server.backups import places
from server.backups.errors import BackupFailed
from server.backups.framing import Opener
from server.domain.commands import CallNext, IssueTicket
from server.execute import Executor
from server.queries import system
from server.queries.boards import Boards
from server.queries.system import Facts
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.tables import sites
from tests.support import databases
from tests.support.backups import make_backup, problems_of, restore_backup
from tests.support.migrated import bring_up
from tests.support.mysql import UNPACKED, mysql
from tests.support.passwords import quick_passwords
from tests.support.vaults import VAULT

OPTIONS = ("--log-bin=log", "--server-id=1", "--sync-binlog=0", "--binlog-format=ROW")
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)
NAME = "Zoë 'Ångström'"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[URL, Path]]:
    """Yield the URL of a server with binary logs, and their folder."""
    folder, unpacked = tmp_path_factory.mktemp("logging"), os.environ.get(UNPACKED)
    running: AbstractContextManager[URL] = databases.mariadb(folder, *OPTIONS)
    if unpacked is not None:
        running = mysql(Path(unpacked), folder, *OPTIONS)
    with running as url:
        yield url, folder / "data"


@pytest.fixture
def logs(server: tuple[URL, Path]) -> Path:
    return server[1]


@pytest.fixture
async def setup(server: tuple[URL, Path]) -> AsyncIterator[Seeder]:
    with databases.fresh_database(server[0]) as url:
        database = Database(url)
        await bring_up(database)
        with quick_passwords():
            yield Seeder(database, Executor(database, VAULT, publish=lambda *_: None))
        await database.close()


async def seeded(setup: Seeder) -> Seed:
    return await setup.seed(points=2, tickets=4, displays=1)


async def next_second() -> int:
    """Return the next whole second (microseconds) when it has begun. A log of MariaDB has whole seconds."""
    second = int(time.time()) + 1
    await asyncio.sleep(second - time.time() + 0.01)
    return second * 1_000_000


def done(server: URL, *statements: str) -> None:
    with databases.connect(server) as connection, connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


def place_of(backup: Path) -> tuple[str, int]:
    with backup.open("rb") as file:
        opened = Opener(file, VAULT, backup.name)
        for _ in opened.content():
            pass
    name, _, place = str(opened.binlog).rpartition(":")
    return name, int(place)


async def test_restore_goes_on_to_an_instant(setup: Seeder, server: tuple[URL, Path], tmp_path: Path) -> None:
    """The changes of several logs are repeated, also one of the tables, and no later one."""
    database, (url, logs) = setup.database, server
    seeds = await seeded(setup)
    made = await make_backup(database, tmp_path / "b")
    assert made.obstacle is None
    await setup.do(IssueTicket(queue_id=seeds["queue_ids"][0], name=NAME))
    done(url.set(database=database.url.database), "CREATE TABLE added (a INT)", "INSERT INTO added VALUES (7), (8)")
    done(url, "FLUSH BINARY LOGS")
    await setup.do(CallNext(point_id=seeds["point_ids"][0]))
    wanted = await Boards(database).board(seeds["site_id"])
    until = await next_second()
    await setup.do(CallNext(point_id=seeds["point_ids"][1]))  # the mistake
    done(url, f"UPDATE `{database.url.database}`.added SET a = 9 WHERE a = 8")
    with pytest.raises(BackupFailed, match="lacks the binary log"):
        await restore_backup(database, made.file, until=until, binlogs=tmp_path)
    with pytest.raises(BackupFailed, match="an earlier backup"):
        await restore_backup(database, made.file, until=made.record.made_at - 1, binlogs=logs)
    with pytest.raises(BackupFailed, match=r"logs end at .*before the wanted instant"):
        await restore_backup(database, made.file, until=until + 3_600_000_000, binlogs=logs)
    assert len((await Boards(database).board(seeds["site_id"])).entries) == len(wanted.entries)
    await restore_backup(database, made.file, until=until, binlogs=logs)
    found = await Boards(database).board(seeds["site_id"])
    assert (found.site.seq, found.entries) == (wanted.site.seq, wanted.entries)
    assert found.site.epoch != wanted.site.epoch
    async with database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT a FROM added ORDER BY a")
        assert [each.a for each in rows] == [7, 8]
    assert await problems_of(database) == []
    later = await next_second()
    done(url, "FLUSH BINARY LOGS")
    with pytest.raises(BackupFailed, match="an earlier restore"):
        await restore_backup(database, made.file, until=later, binlogs=logs)
    assert await problems_of(database) == []


async def test_each_instant_of_a_busy_time_is_one_consistent_state(setup: Seeder, logs: Path, tmp_path: Path) -> None:
    """Commands flow before, during and after the backup: neither one of them is lost nor done twice."""
    database = setup.database
    seeds = [await seeded(setup), await seeded(setup)]
    stop = asyncio.Event()

    async def flow(each: Seed) -> None:
        while not stop.is_set():
            await setup.do(IssueTicket(queue_id=each["queue_ids"][0], name=NAME))

    flowing = [asyncio.create_task(flow(each)) for each in seeds]
    made = await make_backup(database, tmp_path / "b")
    assert made.obstacle is None
    await next_second()
    stop.set()
    await asyncio.gather(*flowing)
    until = await next_second()
    wanted = {each["site_id"]: await Boards(database).board(each["site_id"]) for each in seeds}
    await setup.do(CallNext(point_id=seeds[0]["point_ids"][0]))
    await restore_backup(database, made.file, until=until, binlogs=logs)
    for site_id, board in wanted.items():
        found = await Boards(database).board(site_id)
        assert (found.site.seq, found.entries) == (board.site.seq, board.entries)
    assert await problems_of(database) == []


async def test_tables_stand_still_until_the_place_is_certain(setup: Seeder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands wait for the end. A place that is not certain is not told: after an open transaction, or too late."""
    database, seeds = setup.database, await seeded(setup)
    command = IssueTicket(queue_id=seeds["queue_ids"][0])
    async with places.still(database) as held:
        waiting = asyncio.create_task(setup.do(command))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        assert held.end() is not None
        await waiting
    monkeypatch.setattr(places, "HOLD_SECONDS", 0.01)
    async with places.still(database) as held:
        await setup.do(command)
        assert held.end() is None
    monkeypatch.setattr(places, "LOCK_SECONDS", 1)
    async with database.write() as connection:
        await connection.execute(update(sites).values(name="x"))
        async with places.still(database) as held:
            assert held.end() is None


async def test_copies_that_cannot_lead_there_are_refused(setup: Seeder, server: tuple[URL, Path], tmp_path: Path) -> None:
    """A log that is cut, damaged or missing, and statements instead of rows: the database stays as it is."""
    database, (url, logs) = setup.database, server
    seeds = await seeded(setup)
    made = await make_backup(database, tmp_path / "b")
    first, place = place_of(made.file)
    await setup.do(IssueTicket(queue_id=seeds["queue_ids"][0], name=NAME))
    done(url, "FLUSH BINARY LOGS")
    await setup.do(CallNext(point_id=seeds["point_ids"][0]))
    done(url, "FLUSH BINARY LOGS")
    await setup.do(CallNext(point_id=seeds["point_ids"][1]))
    until = await next_second()
    done(url, "FLUSH BINARY LOGS")
    before = await Boards(database).board(seeds["site_id"])

    async def refused(copies: Path) -> str:
        with pytest.raises(BackupFailed) as caught:
            await restore_backup(database, made.file, until=until, binlogs=copies)
        assert (await Boards(database).board(seeds["site_id"])).site.epoch == before.site.epoch
        return str(caught.value)

    stem, _, number = first.rpartition(".")
    names = [f"{stem}.{int(number) + more:0{len(number)}d}" for more in range(4)]
    copies = tmp_path / "copies"
    copies.mkdir()
    for name in names:
        shutil.copy(logs / name, copies)
    (copies / names[1]).rename(copies / "away")
    assert f"{names[1]} is missing" in await refused(copies)
    (copies / "away").rename(copies / names[1])
    whole = (copies / first).read_bytes()
    (copies / first).write_bytes(whole[: place - 50])
    assert "ends before the place" in await refused(copies)
    (copies / first).write_bytes(whole[:-3])
    assert "damaged" in await refused(copies)
    (copies / first).write_bytes(whole[: place + 300] + bytes([whole[place + 300] ^ 1]) + whole[place + 301 :])
    assert "damaged" in await refused(copies)
    (copies / first).write_bytes(whole)
    await restore_backup(database, made.file, until=until, binlogs=copies)
    assert (await Boards(database).board(seeds["site_id"])).entries == before.entries


async def test_statements_instead_of_rows_are_refused(setup: Seeder, server: tuple[URL, Path], tmp_path: Path) -> None:
    database, (url, logs) = setup.database, server
    await seeded(setup)
    made = await make_backup(database, tmp_path / "b")
    own = url.set(database=database.url.database)
    done(own, "SET SESSION binlog_format = STATEMENT", "UPDATE sites SET name = 'x'")
    until = await next_second()
    done(url, "FLUSH BINARY LOGS")
    with pytest.raises(BackupFailed, match="statements instead of rows"):
        await restore_backup(database, made.file, until=until, binlogs=logs)
    done(url, "SET GLOBAL binlog_format = MIXED")
    try:
        mixed = await make_backup(database, tmp_path / "b")
        assert mixed.obstacle is not None
        assert "set binlog_format=ROW" in mixed.obstacle
        listed = await system._archive(database, FACTS)
        assert (listed.code, listed.state) == ("binlogs_unusable", "warning")
        assert "set binlog_format=ROW" in listed.remedy
        with pytest.raises(BackupFailed, match="does not name its place"):
            await restore_backup(database, mixed.file, until=mixed.record.verified_at, binlogs=logs)
    finally:
        done(url, "SET GLOBAL binlog_format = ROW")
    assert (await system._archive(database, FACTS)).state == "ok"


async def test_account_is_told_which_rights_it_lacks(setup: Seeder, server: tuple[URL, Path], tmp_path: Path) -> None:
    """The remedies in both messages work."""
    url, logs = server
    seeds = await seeded(setup)
    name = setup.database.url.database
    done(
        url,
        "CREATE USER 'clinic'@'%' IDENTIFIED BY 'secret'",
        f"GRANT ALL ON `{name}`.* TO 'clinic'@'%'",
        f"GRANT ALL ON `{name}\\_scratch\\_%`.* TO 'clinic'@'%'",
    )
    account = setup.database.url.set(username="clinic", password="secret").render_as_string(hide_password=False)
    async with new(account) as database:
        obstacle = (await make_backup(database, tmp_path / "b")).obstacle
        listed = await system._archive(database, FACTS)
    assert obstacle is not None
    assert (listed.code, listed.state) == ("binlogs_hidden", "unknown")
    assert listed.remedy in obstacle
    done(url, f"GRANT{obstacle.partition('GRANT')[2]}")
    async with new(account) as database:
        made = await make_backup(database, tmp_path / "b")
        assert made.obstacle is None
        await setup.do(CallNext(point_id=seeds["point_ids"][0]))
        until = await next_second()
        done(url, "FLUSH BINARY LOGS")
        with pytest.raises(BackupFailed, match="may not repeat changes") as caught:
            await restore_backup(database, made.file, until=until, binlogs=logs)
    done(url, f"GRANT{str(caught.value).partition('GRANT')[2]}")
    async with new(account) as database:
        await restore_backup(database, made.file, until=until, binlogs=logs)
        assert await problems_of(database) == []
    done(url, "DROP USER 'clinic'@'%'")


@asynccontextmanager
async def new(url: str) -> AsyncIterator[Database]:
    """Open a database: a connection has the rights of its beginning."""
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
