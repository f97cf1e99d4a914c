"""`nowserving move`: a clinic in use goes from the embedded database to MariaDB, and between two databases of MariaDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, make_url, select

from server import moving
from server.audit import Audit
from server.domain.commands import CallNext, IssueTicket
from server.execute import Executor
from server.moving import (
    CopyDiffers,
    MoveFailed,
    SourceInUse,
    SourceIsOld,
    TargetNotEmpty,
    TargetUnavailable,
    UnknownTables,
    move,
)
from server.queries.verification import verify
from server.seeding import Seed, Seeder
from server.store import copying, processes, webhooks
from server.store.database import Database
from server.store.migrate import UnfinishedMove, migrate
from server.store.tables import events, metadata, queues
from server.store.tables import webhooks as hooks
from server.vault import Vault
from tests.support import databases
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.processes import free_port
from tests.support.server import command_line, environment, vault

SILENT = 45.0
PATIENT: dict[str, Any] = {"name": "Ümit Ottersbach", "phone": "+491705550123", "notes": "Bringt die \U0001f9d1 Mutter mit"}


async def used(database: Database, keys: Vault) -> Seed:
    """Fill a database as a clinic in use does; return the seed."""
    await bring_up(database)
    executor = Executor(database, keys, publish=lambda *_: None)
    with quick_passwords():
        seeded = await Seeder(database, executor).seed(points=3, tickets=9, displays=2, providers=2)
    await executor.execute(IssueTicket(queue_id=seeded["queue_ids"][0], **PATIENT), actor="staff:1", command_id="issue")
    await executor.execute(CallNext(point_id=seeded["point_ids"][0]), actor="staff:1", command_id="call")
    audit = Audit(database, keys, "test:1")
    audit.start()
    audit.note("sign-in", "staff:1", detail="naïve")
    await audit.stop()
    return seeded


@pytest.fixture
async def source(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    await used(database, vault())
    yield database
    await database.close()


@pytest.fixture
async def target(mysql_url: str) -> AsyncIterator[Database]:
    database = Database(mysql_url)
    yield database
    await database.close()


@pytest.fixture
def quick_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a move copy the tables of an earlier migrated database, where the test is not about the migrations."""

    async def bring_up_marked(target: Database) -> None:
        await copying.clear(target)
        await bring_up(target)
        await copying.mark(target)

    monkeypatch.setattr(moving, "migrate", bring_up_marked)


async def contents(database: Database) -> dict[str, list[str]]:
    async with database.read() as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in await connection.execute(select(table)))
            for table in metadata.sorted_tables
            if table.name not in copying.LEFT
        }


@pytest.mark.usefixtures("quick_tables")
async def test_clinic_moves_whole_in_batches(source: Database, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BATCH", 4)
    said: list[str] = []
    before = await contents(source)
    moved = await move(source, target, vault(), said.append, silent_seconds=SILENT)
    assert await contents(target) == before == await contents(source)
    assert moved.rows == sum(map(len, before.values()))
    assert moved.chains == len([each async for each in verify(source, vault()) if each.broken is None])
    assert f"events: {len(before['events'])} rows" in said
    executor = Executor(target, vault(), publish=lambda *_: None)
    async with target.read() as connection:
        queue_id = await connection.scalar(select(func.min(queues.c.id)))
    answer = await executor.execute(IssueTicket(queue_id=queue_id or 0), actor="staff:1", command_id="after")
    assert answer.body["events"], "the clinic goes on"


async def test_command_moves_and_names_the_next_step(source: Database, target: Database) -> None:
    env = environment(source.url.render_as_string(hide_password=False))
    to = target.url.render_as_string(hide_password=False)
    done = command_line(env, "move", "--to", to)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "set NOWSERVING_DATABASE_URL" in done.stdout
    assert "chains are whole" in done.stdout
    moved = environment(to)
    verified = command_line(moved, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert ", 0 are broken" in verified.stdout
    again = command_line(env, "move", "--to", to)
    assert again.returncode == 1
    assert "The target has tables already" in again.stderr


class Stopped(Exception):
    """Somebody stopped the move."""


@pytest.mark.usefixtures("quick_tables")
async def test_interrupted_move_leaves_nothing_to_use_and_starts_again(source: Database, target: Database) -> None:
    env = environment(target.url.render_as_string(hide_password=False))
    before = await contents(source)

    def stop(at: str) -> moving.Progress:
        def say(line: str) -> None:
            if line.startswith(at):
                raise Stopped

        return say

    for at in ("events:", "Every table is copied"):
        with pytest.raises(Stopped):
            await move(source, target, vault(), stop(at), silent_seconds=SILENT)
        with pytest.raises(UnfinishedMove):
            await migrate(target)
    for command in ("serve", "migrate"):
        refused = command_line(env, command)
        assert refused.returncode == 1
        assert "has not finished" in refused.stderr + refused.stdout
    checked = command_line(env, "check")
    assert checked.returncode == 1
    assert "the target of a move" in checked.stderr
    said: list[str] = []
    await move(source, target, vault(), said.append, silent_seconds=SILENT)
    assert said[0] == "The target has an unfinished move: the copy begins again."
    assert await contents(target) == before == await contents(source)


@pytest.mark.usefixtures("quick_tables")
async def test_copy_with_a_difference_stays_unusable(source: Database, target: Database, mysql_url: str) -> None:
    def change(line: str) -> None:
        if line.startswith("Every table is copied"):
            with databases.connect(make_url(mysql_url)) as connection, connection.cursor() as cursor:
                cursor.execute("UPDATE events SET actor = 'staff:2' WHERE seq = 2")

    with pytest.raises(CopyDiffers, match="events has other contents"):
        await move(source, target, vault(), change, silent_seconds=SILENT)
    with pytest.raises(UnfinishedMove):
        await migrate(target)


@pytest.mark.usefixtures("quick_tables")
async def test_chain_that_was_broken_before_moves_as_it_is(source: Database, target: Database) -> None:
    async with source.write() as connection:
        last = select(func.max(events.c.seq)).scalar_subquery()
        await connection.execute(delete(events).where(events.c.seq == last))
    await move(source, target, vault(), lambda _: None, silent_seconds=SILENT)
    assert [each.broken is None for each in [each async for each in verify(target, vault())]].count(False) == 1


async def test_refusals_change_nothing(source: Database, target: Database) -> None:
    async def refused(error: type[MoveFailed], **more: bool) -> None:
        with pytest.raises(error):
            await move(source, target, vault(), lambda _: None, silent_seconds=SILENT, **more)

    async with source.write() as connection:
        await processes.live(connection, "a-server", await source.now())
    await refused(SourceInUse)
    assert await copying.names(target) == set()
    async with target.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    await refused(TargetNotEmpty, forced=True)
    assert await copying.names(target) == {"theirs"}
    async with source.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    await refused(UnknownTables)


@pytest.mark.usefixtures("quick_tables")
async def test_running_processes_are_no_hindrance_with_force(source: Database, target: Database) -> None:
    async with source.write() as connection:
        await processes.live(connection, "a-server", await source.now())
    await move(source, target, vault(), lambda _: None, silent_seconds=SILENT, forced=True)
    async with target.read() as connection:
        assert not await processes.has_any(connection), "the processes of the old database are not there"


async def test_target_that_is_away_is_named(source: Database) -> None:
    away = Database(f"mysql+aiomysql://u:p@127.0.0.1:{free_port()}/x")
    with pytest.raises(TargetUnavailable):
        await move(source, away, vault(), lambda _: None, silent_seconds=SILENT)
    await away.close()


async def test_old_tables_are_refused(tmp_path: Path, target: Database) -> None:
    old = Database(f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    with pytest.raises(SourceIsOld):
        await move(old, target, vault(), lambda _: None, silent_seconds=SILENT)
    await old.close()


@pytest.mark.parametrize("to", ["sqlite+aiosqlite:////tmp/other.db", "postgresql://h/x", "nonsense"])
def test_target_of_another_kind_is_refused(tmp_path: Path, to: str) -> None:
    done = command_line(environment(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"), "move", "--to", to)
    assert done.returncode == 2


@pytest.mark.usefixtures("quick_tables")
async def test_move_between_servers_keeps_the_numbers_of_deleted_rows(database_server: Any, target: Database) -> None:
    with databases.fresh_database(database_server) as url:
        first = Database(url)
        seeded = await used(first, vault())
        async with first.write() as connection:
            made = [await webhooks.create(connection, 1, "https://x.example/", seeded["site_id"]) for _ in range(2)]
            await connection.execute(delete(hooks).where(hooks.c.id == made[-1]))
        before = await contents(first)
        await move(first, target, vault(), lambda _: None, silent_seconds=SILENT)
        assert await contents(target) == before
        async with target.write() as connection:
            assert await webhooks.create(connection, 1, "https://x.example/", 0) > made[-1]
        await first.close()
