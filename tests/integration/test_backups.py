"""Backups on each database engine: each is verified before it counts, and a restore begins a new history."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, func, insert, select, update

from server.backups.errors import BackupFailed
from server.backups.framing import mark_of
from server.backups.making import LEASE, make
from server.backups.tools import Stop
from server.domain.commands import CallNext, Complete, HoldSlot, IssueTicket, Start
from server.domain.errors import Refused
from server.queries.backups import newest
from server.queries.boards import Boards
from server.queries.replaying import verify_time
from server.seeding import Seed, Seeder
from server.store import leases, notifications, processes, proofs
from server.store.database import Database
from server.store.scratch import create_schema, forgotten_schemas
from server.store.tables import events, sessions, sites
from server.store.tables import notifications as messages
from server.vault import Vault
from tests.support import due_rows, extent
from tests.support.backups import make_backup, problems_of, restore_backup, sealed_again
from tests.support.vaults import VAULT

PERSON: dict[str, Any] = {"name": "Zoë \\ 'Ångström' \"\n(1),(2)", "phone": "+49 30 901820"}


async def filled(setup: Seeder) -> Seed:
    """Seed a site with a called patient and names that a dump must escape."""
    seeded = await setup.seed(points=2, tickets=3, displays=1, providers=1)
    await setup.do(IssueTicket(queue_id=seeded["queue_ids"][0], **PERSON))
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    return seeded


async def heads_of(database: Database) -> dict[int, int]:
    async with database.read() as connection:
        return {row.id: row.seq for row in await connection.execute(select(sites.c.id, sites.c.seq))}


async def test_restore_gives_the_state_of_the_backup(setup: Seeder, database: Database, tmp_path: Path) -> None:
    seeded = await filled(setup)
    site_id = seeded["site_id"]
    heads, before = await heads_of(database), await Boards(database).board(site_id)
    made = await make_backup(database, tmp_path / "b")
    assert [each.name for each in (tmp_path / "b").iterdir()] == [made.file.name]
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.record.bytes == made.file.stat().st_size
    assert await newest(database) == made.record
    await setup.do(CallNext(point_id=seeded["point_ids"][1]))
    lost = await Boards(database).board(site_id)
    done = await restore_backup(database, made.file)
    after = await Boards(database).board(site_id)
    assert (await heads_of(database), done.rows) == (heads, made.record.rows_kept)
    assert after.entries == before.entries != lost.entries
    assert len({each.site.epoch for each in (before, lost, after)}) == 2
    assert after.site.epoch != before.site.epoch
    assert await problems_of(database) == []
    found = await newest(database)
    assert found is not None
    assert (found.name, found.made_at) == (made.record.name, made.record.made_at)
    await Seeder(database, type(setup.executor)(database, VAULT, lambda *_: None)).do(
        CallNext(point_id=seeded["point_ids"][1])
    )
    assert await problems_of(database) == []


async def test_restore_ends_what_may_have_happened_meanwhile(setup: Seeder, database: Database, tmp_path: Path) -> None:
    """No message is sent twice, no time stays kept, no session stays open, and the log agrees with the rows."""
    seeded = await filled(setup)
    site_id, now = seeded["site_id"], await database.now()
    where = {"service_id": seeded["service_ids"][0], "provider_id": seeded["provider_ids"][0]}
    offered = [f"2030-01-{day:02}T{hour:02}:00" for day in range(7, 12) for hour in (9, 10, 14)]
    for start in offered:
        with suppress(Refused):
            await setup.do(HoldSlot(site_id=site_id, local_start=start, **where))  # type: ignore[arg-type]
            break
    ids = itertools.count(site_id * 10**9 + 500_000)
    states = ("claimed", "sending", "due", "later", "sent")
    rows = [
        due_rows.message(next(ids), now, due_at=now + (3_600_000_000 if state == "later" else 0), not_after=now * 2)
        for state in states
    ]
    session = {"staff_id": 1, "refresh_hash": "x" * 64, "created_at": now, "used_at": now}
    async with database.write() as connection:
        await connection.run_sync(notifications.plan, rows, now)
        for row, state in zip(rows, states, strict=True):
            if state != "later":
                mine = update(messages).where(messages.c.subject == row.subject)
                await connection.execute(mine.values(state=state))
        await connection.execute(insert(sessions).values(id="s" * 32, **session))
        await proofs.add(connection, VAULT, sessions, "s" * 32)
    made = await make_backup(database, tmp_path / "b")
    done = await restore_backup(database, made.file)
    async with database.read() as connection:
        statement = select(messages.c.subject, messages.c.state, messages.c.reason)
        found = {row.subject: (row.state, row.reason) for row in await connection.execute(statement)}
        opened = await connection.scalar(select(func.count()).select_from(sessions).where(sessions.c.revoked_at.is_(None)))
    unknown = ("unknown", "restored")
    expected = [unknown, unknown, unknown, ("due", None), ("sent", None)]
    assert [found[row.subject] for row in rows] == expected
    assert (done.renewed.messages, opened) == (3, 0)
    assert done.holds == 1
    board = await Boards(database).board(site_id)
    assert board.site.seq == (await heads_of(database))[site_id]
    assert (await verify_time(database, site_id)).problems == []
    assert await problems_of(database) == []


@pytest.mark.parametrize("number", extent.sample(range(10), 1, "backups under load"))
async def test_backup_under_load_is_one_consistent_state(
    setup: Seeder, database: Database, tmp_path: Path, number: int
) -> None:
    """Commands flow at two sites while the backup is made: each log ends at one number, and all rows agree with it."""
    seeds = [await filled(setup), await filled(setup)]
    stop, before = asyncio.Event(), await heads_of(database)

    async def flow(seeded: Seed) -> None:
        while not stop.is_set():
            await setup.do(IssueTicket(queue_id=seeded["queue_ids"][0]))
            with suppress(Refused):
                called = (await setup.do(CallNext(point_id=seeded["point_ids"][1])))["entry"]["id"]
                await setup.do(Start(entry_id=called))
                await setup.do(Complete(entry_id=called))

    flowing = [asyncio.create_task(flow(each)) for each in seeds]
    made = await make_backup(database, tmp_path / "b")
    stop.set()
    await asyncio.gather(*flowing)
    after = await heads_of(database)
    boards = {each: await Boards(database).board(each) for each in after}
    await restore_backup(database, made.file)
    restored = await heads_of(database)
    assert all(before[each] <= restored[each] < after[each] for each in after)
    assert await problems_of(database) == []
    for site_id, seq in restored.items():
        async with database.read() as connection:
            last = await connection.scalar(select(func.max(events.c.seq)).where(events.c.site_id == site_id))
        assert last == seq
        board = await Boards(database).board(site_id)
        assert board.entries.keys() <= boards[site_id].entries.keys()
        assert max(each.seq for each in board.entries.values()) <= seq


# What must be noticed


@pytest.fixture
async def backup(setup: Seeder, database: Database, tmp_path: Path) -> Path:
    """Return a backup of a database with a site."""
    await filled(setup)
    return (await make_backup(database, tmp_path / "b")).file


async def refused(database: Database, file: Path, vault: Vault = VAULT) -> str:
    """Try to restore a file that must not be restored; return why. The database stays as it was."""
    heads, last = await heads_of(database), await newest(database)
    with pytest.raises(BackupFailed) as caught:
        await restore_backup(database, file, vault)
    assert (await heads_of(database), await newest(database)) == (heads, last)
    return str(caught.value)


async def test_damaged_file_changes_nothing(database: Database, backup: Path) -> None:
    for file in damaged(backup):
        assert "damaged" in await refused(database, file)


def damaged(backup: Path) -> Iterator[Path]:
    """Yield a backup with a flipped bit, cut off, and with more behind its end, each in turn."""
    whole = backup.read_bytes()
    begin = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for place in (begin, begin + 5_000, len(whole) - 1):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        backup.write_bytes(flipped)
        yield backup
    for content in (*(whole[:length] for length in (begin - 2, begin, len(whole) // 2, len(whole) - 1)), whole + b"x"):
        backup.write_bytes(content)
        yield backup


async def test_file_of_other_keys_changes_nothing(database: Database, backup: Path) -> None:
    other = Vault([b"o" * 32], "the tests' secret key")
    assert f"sealed with the key {VAULT.first_key}" in await refused(database, backup, other)
    assert "another secret key" in await refused(database, backup, Vault([b"k" * 32], "another key"))
    later = Vault([b"n" * 32, b"k" * 32], "the tests' secret key")  # keys rotate: the older key still opens
    await restore_backup(database, backup, later)
    assert await problems_of(database) == []


async def test_row_changed_in_a_file_is_noticed(database: Database, backup: Path) -> None:
    def change(content: bytes) -> bytes:
        assert b"ticket-issued" in content
        return content.replace(b"ticket-issued", b"ticket-issuex")

    assert "broken after" in await refused(database, sealed_again(backup, change))


async def test_row_lost_from_a_file_is_noticed(database: Database, backup: Path) -> None:
    cut = without_pages_of_counters if database.embedded else without_statement_of_counters
    assert "counters: 0 of " in await refused(database, sealed_again(backup, cut))


def without_statement_of_counters(content: bytes) -> bytes:
    table = content.index(b"INSERT INTO `counters`")
    return content[:table] + content[content.index(b";\n", table) + 2 :]


def without_pages_of_counters(content: bytes) -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(content)
        connection.execute("DELETE FROM counters")
        return connection.serialize()


async def test_database_changed_behind_the_server_gives_no_backup(
    setup: Seeder, database: Database, tmp_path: Path, backup: Path
) -> None:
    last = await newest(database)
    async with database.write() as connection:
        await connection.execute(update(events).where(events.c.seq == 3).values(actor="staff:9"))
    with pytest.raises(BackupFailed, match="broken after 2 links"):
        await make_backup(database, backup.parent)
    assert await newest(database) == last
    assert list(backup.parent.iterdir()) == [backup]


async def test_used_database_is_replaced_only_by_its_name(database: Database, backup: Path) -> None:
    with pytest.raises(BackupFailed, match="--replace"):
        await restore_backup(database, backup, replace=False)


async def test_restore_waits_for_the_end_of_servers(database: Database, backup: Path) -> None:
    """A process that was just killed is waited for; one that goes on refuses the restore, unless it is forced."""
    stop = asyncio.Event()

    async def live() -> None:
        while not stop.is_set():
            async with database.write() as connection:
                await processes.live(connection, "p" * 32, await database.now())
            await asyncio.sleep(0.1)

    async with database.write() as connection:
        await processes.live(connection, "p" * 32, await database.now())
    living = asyncio.create_task(live())
    try:
        assert "Stop them first" in await refused(database, backup)
    finally:
        stop.set()
        await living
    await restore_backup(database, backup)
    async with database.write() as connection:
        await leases.take(connection, "messages", "worker", await database.now(), 3_600_000_000)
    await restore_backup(database, backup, force=True)


async def test_two_backups_are_not_made_at_once(database: Database, backup: Path) -> None:
    async with database.write() as connection:
        assert await leases.take(connection, LEASE, "other", await database.now(), 60_000_000)
    with pytest.raises(BackupFailed, match="Another process"):
        await make_backup(database, backup.parent)
    assert list(backup.parent.iterdir()) == [backup]


async def test_stopped_backup_leaves_nothing(setup: Seeder, database: Database, tmp_path: Path) -> None:
    await filled(setup)
    stop = Stop()
    stop.set()
    with pytest.raises(BackupFailed, match="stopped"):
        await make(database, VAULT, tmp_path / "b", "test", stop)
    assert left_in(tmp_path) == []
    assert await newest(database) is None
    await make_backup(database, tmp_path / "b")  # the lease has ended


def left_in(folder: Path) -> list[Path]:
    return [*(folder / "b").iterdir(), *folder.glob(".*")]


async def test_leftovers_of_a_killed_backup_go_away(setup: Seeder, database: Database, tmp_path: Path) -> None:
    await filled(setup)
    url = await leave(database, tmp_path)
    await make_backup(database, tmp_path / "b")
    assert len(left_in(tmp_path)) == 1
    if url is not None:
        assert url.database not in await forgotten_schemas(database)


async def leave(database: Database, folder: Path) -> URL | None:
    """Leave what a killed backup leaves: a part of a file, and a scratch database."""
    (folder / "b").mkdir()
    (folder / "b" / f".nowserving-{mark_of(VAULT)[:8]}-part-1").write_bytes(b"x")
    if not database.embedded:
        return await create_schema(database)
    scratch = folder / ".nowserving.db-scratch-1"
    scratch.mkdir()
    (scratch / "scratch.db").write_bytes(b"x")
    return None
