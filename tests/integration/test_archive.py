"""The archive of an embedded database leads to each second, also after a kill, and says where it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import pytest

from server.backups.archive import section_of, sections_of
from server.backups.errors import BackupFailed
from server.domain.commands import IssueTicket
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store.database import Database
from server.vault import Vault
from tests.support.backups import archived_until, problems_of, restore_backup
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.processes import Process, wait_until
from tests.support.server import command_line, environment, nowserving, seed, serving, vault


@pytest.fixture
async def setup(sqlite_url: str) -> AsyncIterator[Seeder]:
    database = Database(sqlite_url)
    await bring_up(database)
    with quick_passwords():
        yield Seeder(database, Executor(database, vault(), publish=lambda *_: None))
    await database.close()


@asynccontextmanager
async def restored(folder: Path, instant: int, into: Path) -> AsyncIterator[Database]:
    """Restore the instant into a new database."""
    section = section_of(folder, vault(), instant)
    database = Database(f"sqlite+aiosqlite:///{into}")
    try:
        await restore_backup(database, section.base, vault(), replace=False, until=instant, section=section)
        yield database
    finally:
        await database.close()


def wait_for_record(folder: Path, at: int, process: Process | None = None) -> None:
    wait_until(lambda: archived_until(folder, vault()) > at, "the record", process)


def salt_of(database: Database) -> bytes:
    """Return the mark of the present log: it changes when the log begins again."""
    with Path(f"{database.url.database}-wal").open("rb") as log:
        return log.read(24)[16:]


async def test_each_archived_instant_comes_back_after_a_kill(setup: Seeder, sqlite_url: str, tmp_path: Path) -> None:
    """One site pauses at each instant, and another one never does, until the archive is killed. The log begins again."""
    env, folder, database = environment(sqlite_url), tmp_path / "archive", setup.database
    pausing, other = [await setup.seed(points=1, tickets=2, displays=0) for _ in range(2)]
    stop = asyncio.Event()
    instants: list[tuple[int, int]] = []

    async def flow() -> None:
        while not stop.is_set():
            await setup.do(IssueTicket(queue_id=other["queue_ids"][0]))

    async def pause_at_instants(process: Process) -> None:
        salt, enough = salt_of(database), 2
        while len(instants) < enough:
            await setup.do(IssueTicket(queue_id=pausing["queue_ids"][0]))
            board = await Boards(database).board(pausing["site_id"])
            await asyncio.to_thread(wait_for_record, folder, await database.now(), process)
            at = archived_until(folder, vault())  # the site pauses: this record and the next one have its last commit
            await asyncio.to_thread(wait_for_record, folder, at, process)
            instants.append((at, board.site.seq))
            if len(instants) == enough and salt_of(database) == salt:
                enough += 1

    with nowserving(["archive", "--to", str(folder)], tmp_path / "archive.log", env) as process:
        await asyncio.to_thread(wait_for_record, folder, 0, process)
        flowing = asyncio.create_task(flow())
        await pause_at_instants(process)
        process.send_signal(SIGKILL)
        stop.set()
        await flowing
    for number in sorted({0, len(instants) // 2, len(instants) - 1}):
        at, seq = instants[number]
        async with restored(folder, at, tmp_path / f"again-{number}.db") as again:
            assert (await Boards(again).board(pausing["site_id"])).site.seq == seq
            assert await problems_of(again, vault()) == []
    await refused(folder, await database.now(), tmp_path / "later.db", "before --until")
    await refuses_what_is_damaged(folder, instants[-1][0], tmp_path)


async def refused(folder: Path, at: int, into: Path, why: str) -> None:
    with pytest.raises(BackupFailed, match=why):
        async with restored(folder, at, into):
            pass


async def refuses_what_is_damaged(folder: Path, at: int, scratch: Path) -> None:
    (section,) = sections_of(folder, vault())
    whole = section.changes.read_bytes()
    section.changes.write_bytes(whole[:-7])  # a kill while the last record was written
    await refused(folder, at + 3_600_000_000, scratch / "cut.db", "before --until")
    section.changes.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    await refused(folder, at, scratch / "flipped.db", "damaged|before --until")  # a changed length looks like an end
    with pytest.raises(BackupFailed, match="archive begins at"):
        section_of(folder, vault(), section.made_at - 1)
    with pytest.raises(BackupFailed, match="no archive of this installation"):
        section_of(folder, Vault([b"o" * 32], "another secret key"), at)


def test_server_archives_and_the_command_line_restores(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    env = environment(sqlite_url, NOWSERVING_ARCHIVE_FOLDER=str(folder), NOWSERVING_HEARTBEAT_SECONDS="0.5")
    seed(env, points=1, tickets=2, displays=0)
    with serving(env, tmp_path):
        wait_for_record(folder, 0)
        second = command_line(env, "archive")
        assert second.returncode == 1
        assert "Another process writes the archive" in second.stderr
        at = time.time()
        wait_for_record(folder, round(at * 1_000_000))
    instant = datetime.fromtimestamp(at, UTC).isoformat()
    without = command_line(env, "restore", str(folder), "--replace", "nowserving.db")
    assert without.returncode == 2
    done = command_line(env, "restore", str(folder), "--until", instant, "--replace", "nowserving.db")
    assert done.returncode == 0, done.stdout + done.stderr
    assert command_line(env, "audit", "verify").returncode == 0
