"""The archive of an embedded database leads to each second, also after a kill, and says where it ends."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
import pytest

from server.backups.archive import archive_of, section_of, sections_of
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


def test_archive_that_is_not_written_is_on_the_list_and_in_the_metrics(sqlite_url: str, tmp_path: Path) -> None:
    """The folder of the running archive gets another name, and a file takes its own: nothing can be written any more."""
    folder = tmp_path / "archive"
    env = environment(sqlite_url, NOWSERVING_ARCHIVE_FOLDER=str(folder))
    seeded = seed(env, points=1, tickets=1, displays=0)

    def age(client: httpx.Client) -> float | None:
        found = re.search(r"^nowserving_archive_age_seconds (\S+)$", client.get("/metrics").text, re.MULTILINE)
        return None if found is None else float(found[1])

    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "admin")) as client:

        def listed() -> dict[str, Any]:
            checks = client.get("/api/v1/system").raise_for_status().json()["checks"]
            (found,) = (each for each in checks if each["name"] == "archive")
            return dict(found)

        wait_for_record(folder, 0)
        assert (listed()["code"], listed()["state"]) == ("archive_ok", "ok")
        assert "The newest record of the archive is" in command_line(env, "check").stdout
        wait_until(lambda: (age(client) or math.inf) < 45, "the age of the archive")
        assert client.get("/health/metrics").json()["archive_age_seconds"] < 60
        folder.rename(tmp_path / "away")
        folder.write_text("")
        assert (listed()["code"], listed()["state"]) == ("archive_unread", "warning")
        assert "Not a directory" in listed()["text"]
        assert "NOWSERVING_ARCHIVE_FOLDER" in listed()["remedy"]
        assert "The folder of the archive cannot be read: Not a directory" in command_line(env, "check").stderr
        wait_until(lambda: age(client) == math.inf, "the metric")
        assert client.get("/health/metrics").json()["unknown"]["archive_age_seconds"] == "Not a directory"
        issue = client.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0]})
        assert issue.status_code == 200
        wait_until(lambda: "was removed while it was written" in server.log.read_text(), "the reason in the log")


async def test_archive_begins_again_after_its_file_was_removed(sqlite_url: str, tmp_path: Path) -> None:
    """Writes to an open file without a name succeed, and are lost at its close."""
    database, folder = Database(sqlite_url), tmp_path / "archive"
    await bring_up(database)
    archive = await archive_of(database, vault(), folder)
    await database.close()

    def stopped(_: float) -> bool:
        for each in folder.glob("*.changes"):
            each.unlink()
        return True

    with archive.alone(), pytest.raises(BackupFailed, match="was removed while it was written"):
        archive.write_section(0.1, stopped, lambda: None)
    with archive.alone():
        assert not archive.write_section(0.1, lambda _: True, lambda: None)
    assert len(list(folder.glob("*.changes"))) == 1
