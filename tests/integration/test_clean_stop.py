"""A process that stops in order counts as running no more at once; one that was killed does for three heartbeats."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, select

from server.backups.making import LEASE
from server.backups.nightly import Nightly
from server.queries.system import Facts, checks
from server.store import leases, processes, tables
from server.store.activity import is_used
from server.store.database import Database
from server.store.restored import signs_of_life
from tests.support import databases
from tests.support.migrated import bring_up
from tests.support.processes import end, wait_until
from tests.support.rows import rows
from tests.support.server import command_line, environment, nowserving, seed, serving

SECOND = 1_000_000
PATIENCE = 45 * SECOND  # of the default heartbeat
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)


async def is_seen(url: str) -> tuple[bool, bool, str]:
    """Return what a move, a restore and the list of the state find out about running processes."""
    database = Database(url)
    try:
        used = await is_used(database, PATIENCE)
        signs = await signs_of_life(database, await database.now(), PATIENCE)
        (listed,) = [each for each in await checks(database, FACTS) if each.name == "servers"]
        return used, bool(signs), listed.code
    finally:
        await database.close()


async def test_stopped_server_does_not_run_and_a_killed_one_may(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    seed(env, points=1, tickets=1, displays=0)
    assert await is_seen(sqlite_url) == (False, False, "servers_unseen")
    with serving(env, tmp_path):
        wait_until(lambda: bool(rows(env, "SELECT id FROM processes WHERE report IS NOT NULL")), "the row of the server")
        wait_until(lambda: bool(rows(env, "SELECT name FROM leases WHERE name = 'messages' AND finished_at > 0")), "a sweep")
        assert await is_seen(sqlite_url) == (True, True, "servers_ok")
    assert await is_seen(sqlite_url) == (False, False, "servers_none")
    assert "No server process runs." in command_line(env, "check").stderr
    with serving(env, tmp_path) as server:
        wait_until(lambda: len(rows(env, "SELECT id FROM processes")) == 2, "the row of the second server")
        end(server.process, signal.SIGKILL)
    assert await is_seen(sqlite_url) == (True, True, "servers_ok")


async def test_stopped_worker_leaves_no_sign(database_server: URL, redis_url: str, tmp_path: Path) -> None:
    with databases.fresh_database(database_server) as url:
        env = environment(url, redis_url, NOWSERVING_RECORDING_PATH=str(tmp_path / "sent.jsonl"))
        seed(env, points=1, tickets=1, displays=0)
        log = tmp_path / "worker.log"
        with nowserving(["worker", "--concurrency", "1"], log, env) as process:
            swept = "SELECT name FROM leases WHERE name = 'messages' AND finished_at > 0"
            wait_until(lambda: bool(rows(env, swept)), "a sweep", process)
            assert (await is_seen(url))[0]
        assert await is_seen(url) == (False, False, "servers_unseen")


async def test_server_that_stops_after_the_begin_of_its_backup_leaves_no_sign(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    with serving(env, tmp_path) as server:
        taken = "SELECT name FROM leases WHERE name = 'backup'"
        wait_until(lambda: bool(rows(env, taken)), "the lease of backups", server.process)
    assert await is_seen(sqlite_url) == (False, False, "servers_none")


async def test_backup_by_hand_is_no_sign_of_a_process(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    assert command_line(env, "backup").returncode == 0
    assert await is_seen(sqlite_url) == (False, False, "servers_unseen")


async def test_cancelled_look_for_a_backup_gives_up_its_lease(database: Database) -> None:
    """The command of the backup would run for a minute; it ends first."""
    looking = asyncio.create_task(Nightly(database, hour=0, command=["sh", "-c", "exec sleep 60", "sh"]).run())
    while True:
        async with database.read() as connection:
            if await connection.scalar(select(tables.leases.c.until).where(tables.leases.c.name == LEASE)):
                break
        await asyncio.sleep(0.01)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert not await is_used(database, PATIENCE)


async def test_devices_of_a_stopped_process_have_the_time_to_return(database: Database) -> None:
    async with database.write() as connection:
        for name in ("stopped", "running"):
            await processes.live(connection, name, 20, {"size": 8})
        await processes.stop(connection, "stopped")
        assert await processes.heard(connection, 10, 30) == [{"size": 8}]
        assert await processes.running(connection, 10, 30) == {"running": 20}
        assert await processes.dead(connection, 10, 30) == []
        assert sorted(await processes.dead(connection, 25, 30)) == ["running", "stopped"]
        await processes.live(connection, "stopped", 21, {"size": 9})
        assert await processes.running(connection, 10) == {"running": 20, "stopped": 21}


async def test_left_lease_is_free_and_keeps_the_end_of_the_last_work(database: Database) -> None:
    async with database.write() as connection:
        for name, holder in (("work", "a"), ("more", "a"), ("other", "b")):
            assert await leases.take(connection, name, holder, 100 * SECOND, 30 * SECOND)
        await leases.finish(connection, "work", "a", 110 * SECOND)
        await leases.leave(connection, "a")
        assert await leases.finished(connection, ["work", "more"]) == {"work": 110 * SECOND, "more": None}
        assert await leases.take(connection, "more", "b", 111 * SECOND, 30 * SECOND)
        assert not await leases.take(connection, "other", "a", 111 * SECOND, 30 * SECOND)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    found = Database(sqlite_url)
    await bring_up(found)
    yield found
    await found.close()
