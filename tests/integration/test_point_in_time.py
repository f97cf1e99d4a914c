"""A backup of MariaDB and its binary logs lead to any instant after the backup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.backups.errors import BackupFailed
from server.domain.commands import CallNext, IssueTicket
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store.database import Database
from tests.support import databases
from tests.support.backups import make_backup, problems_of, restore_backup
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.vaults import VAULT


@pytest.fixture(scope="module")
def logging_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Yield the URL of a database on a server with binary logs, and their folder."""
    folder = tmp_path_factory.mktemp("logging")
    options = ("--log-bin=log", "--server-id=1", "--sync-binlog=0")
    with databases.mariadb(folder, *options) as server, databases.fresh_database(server) as url:
        yield url, folder / "data"


@pytest.fixture
async def setup(logging_server: tuple[str, Path]) -> AsyncIterator[Seeder]:
    database = Database(logging_server[0])
    await bring_up(database)
    with quick_passwords():
        yield Seeder(database, Executor(database, VAULT, publish=lambda *_: None))
    await database.close()


async def test_restore_goes_on_to_an_instant(setup: Seeder, logging_server: tuple[str, Path], tmp_path: Path) -> None:
    database, logs = setup.database, logging_server[1]
    seeded = await setup.seed(points=2, tickets=4, displays=1)
    made = await make_backup(database, tmp_path / "b")
    await setup.do(IssueTicket(queue_id=seeded["queue_ids"][0], name="Zoë 'Ångström'"))
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    wanted = await Boards(database).board(seeded["site_id"])
    until = int(time.time()) + 1  # a log has whole seconds: what follows has a later one
    await asyncio.sleep(until - time.time() + 0.01)
    await setup.do(CallNext(point_id=seeded["point_ids"][1]))  # the mistake
    with pytest.raises(BackupFailed, match="lacks the binary log"):
        await restore_backup(database, made.file, until=until * 1_000_000, binlogs=tmp_path)
    with pytest.raises(BackupFailed, match="an earlier backup"):
        await restore_backup(database, made.file, until=made.record.made_at - 1, binlogs=logs)
    await restore_backup(database, made.file, until=until * 1_000_000, binlogs=logs)
    found = await Boards(database).board(seeded["site_id"])
    assert (found.site.seq, found.entries) == (wanted.site.seq, wanted.entries)
    assert found.site.epoch != wanted.site.epoch
    assert await problems_of(database) == []
    later = (int(time.time()) + 3600) * 1_000_000
    with pytest.raises(BackupFailed, match="an earlier restore"):
        await restore_backup(database, made.file, until=later, binlogs=logs)
    assert await problems_of(database) == []
