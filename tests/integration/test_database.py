"""Connections and transactions: each transaction ends, dead connections are replaced, bulk updates check each row."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, literal, make_url, select, update

from server.domain.board import Changes
from server.domain.errors import Unavailable
from server.domain.model import Entry
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store import boards, bulk_update, database
from server.store.database import Conflict, Database, Transaction
from server.store.sites import Link
from server.store.tables import entries
from tests.support.databases import connect
from tests.support.processes import wait_until

_ONE = select(literal(1).label("one"))
_ENTRY = select(entries).where(entries.c.id == 0)


@pytest.fixture
async def mysql(mysql_url: str) -> AsyncIterator[Database]:
    """A database of the MySQL family, not migrated."""
    found = Database(mysql_url)
    yield found
    await found.close()


def _modes(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}


@pytest.mark.parametrize("existing", [False, True])
async def test_file_of_the_embedded_database_is_for_its_user_alone(tmp_path: Path, *, existing: bool) -> None:
    """The files of an installation that an earlier version made lose the permissions of others."""
    names = [f"x.db{suffix}" for suffix in ("", "-wal", "-shm")]
    before = os.umask(0)
    try:
        if existing:
            (tmp_path / "x.db").touch(0o666)
        embedded = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
        async with embedded.write() as connection:
            await connection.exec_driver_sql("CREATE TABLE x (y INTEGER)")
            assert _modes(tmp_path) == dict.fromkeys(names, 0o600)
        await embedded.close()
    finally:
        os.umask(before)


_CONNECTIONS = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"
_IN_TRANSACTION = f"{_CONNECTIONS} AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"


def _first_column(url: str, statement: str, *values: object) -> list[int]:
    with connect(make_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]


def _kill_connections(url: str) -> None:
    """Kill the connections to a database, and wait until the server has ended them."""
    for identifier in _first_column(url, _CONNECTIONS, make_url(url).database):
        _first_column(url, f"KILL {identifier}")
    wait_until(lambda: not _first_column(url, _CONNECTIONS, make_url(url).database), "the end of the connections")


async def test_dead_idle_connections_are_replaced_without_an_error(
    mysql: Database, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
    await asyncio.gather(*(mysql.look_up(_ONE) for _ in range(5)))
    _kill_connections(mysql_url)
    found = [await mysql.look_up(_ONE) for _ in range(5)]
    assert all(row is not None and row.one == 1 for row in found)


async def test_recently_used_connection_is_not_pinged_and_raises_unavailable_if_dead(
    mysql: Database, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_SECONDS", 3600.0)
    await asyncio.gather(*(mysql.look_up(_ONE) for _ in range(5)))
    _kill_connections(mysql_url)
    with pytest.raises(Unavailable):
        await mysql.look_up(_ONE)
    assert [await mysql.look_up(_ONE) for _ in range(5)], "the pool drops the other connections of the same age with it"


async def test_first_connection_that_dies_while_the_server_is_examined_is_unavailable(
    mysql: Database, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy raises no driver error here."""
    dialect: Any = mysql.engine.sync_engine.dialect
    examine = dialect._detect_sql_mode

    def kill_and_examine(connection: Connection) -> None:
        monkeypatch.undo()
        _kill_connections(mysql_url)
        examine(connection)

    monkeypatch.setattr(dialect, "_detect_sql_mode", kill_and_examine)
    with pytest.raises(Unavailable):
        await mysql.look_up(_ONE)
    assert await mysql.look_up(_ONE) is not None


async def test_pool_never_opens_more_connections_than_its_size(database_url: str) -> None:
    pool = Database(database_url, pool_size=3)
    inside = 0
    done = asyncio.Event()

    async def hold() -> None:
        nonlocal inside
        async with pool.read():
            inside += 1
            await done.wait()

    held = [asyncio.create_task(hold()) for _ in range(8)]
    try:
        async with asyncio.timeout(30):
            while inside < 3:  # noqa: ASYNC110 - the pool has no event to wait for
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert inside == 3
        done.set()
        await asyncio.gather(*held)  # each waiting one gets a connection in turn
    finally:
        await pool.close()


async def test_no_transaction_is_left_open(setup: Seeder, database: Database, database_url: str) -> None:
    """Each transaction ends with its work, also after an error: an open transaction would block migrations."""

    def fail(connection: Transaction) -> None:
        connection.execute(update(entries).values(calls=9))
        raise LookupError

    def last(connection: Transaction) -> None:
        connection.execute(_ENTRY)

    seeded = await setup.seed(points=1, tickets=1, displays=0)
    await database.look_up(_ENTRY)
    await database.transact(last)
    with pytest.raises(LookupError):
        await database.transact(fail)
    with pytest.raises(LookupError):
        async with database.write() as connection:
            await connection.run_sync(fail)
    await database.now()
    if not database.embedded:
        name = make_url(database_url).database
        assert _first_column(database_url, _CONNECTIONS, name), "the connections stay in the pool"
        assert _first_column(database_url, _IN_TRANSACTION, name) == []
    board = await Boards(database).board(seeded["site_id"])
    assert [entry.calls for entry in board.entries.values()] == [0], "the failed transactions are rolled back"


async def test_cancelled_transaction_is_rolled_back(mysql: Database, mysql_url: str) -> None:
    def wait(connection: Transaction) -> None:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (n INT) ENGINE=InnoDB")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        connection.exec_driver_sql("SELECT SLEEP(600)")

    task = asyncio.create_task(mysql.transact(wait))
    for _ in range(300):
        await asyncio.sleep(0.2)  # innodb_trx is a cache, which stays old while queries follow each other within 0.1 s
        if _first_column(mysql_url, _IN_TRANSACTION, make_url(mysql_url).database):
            break
    else:
        pytest.fail("the transaction did not begin")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _kill_connections(mysql_url)  # the statement sleeps on at the server, without a client
    row = await mysql.look_up(select(literal(1).label("one")))
    assert row is not None
    assert _first_column(mysql_url, "SELECT COUNT(*) FROM t") == [0]


async def test_bulk_update_writes_values_unchanged_and_skips_changed_rows(setup: Seeder, database: Database) -> None:
    """Numbers, booleans and NULL arrive as sent. A row with another ``seq`` than expected stays as it is."""
    seeded = await setup.seed(points=1, tickets=6, displays=0)
    before = sorted((await Boards(database).board(seeded["site_id"])).entries.values(), key=lambda entry: entry.id)
    wanted = [
        replace(entry, expect_from=None if index % 2 else 2**53 + index, estimating=bool(index % 3), seq=99)
        for index, entry in enumerate(before)
    ]
    names = frozenset({"expect_from", "estimating", "seq"})
    assert bulk_update.fits(entries, names)
    assert not bulk_update.fits(entries, names | {"undo"})
    rows = [
        {"id": new.id, "was_seq": old.seq, "expect_from": new.expect_from, "estimating": new.estimating, "seq": 99}
        for old, new in zip(before, wanted, strict=True)
    ]
    rows[0]["was_seq"] = 77
    assert await database.transact(lambda connection: bulk_update.update(connection, entries, names, rows)) == 5
    async with database.read() as connection:
        found = (await connection.execute(select(entries).order_by(entries.c.id))).all()
    assert [row.expect_from for row in found] == [before[0].expect_from, *(new.expect_from for new in wanted[1:])]
    assert [row.estimating for row in found] == [before[0].estimating, *(new.estimating for new in wanted[1:])]
    assert [row.seq for row in found] == [before[0].seq, 99, 99, 99, 99, 99]


async def test_bulk_update_of_a_changed_row_is_a_conflict(setup: Seeder, database: Database) -> None:
    seeded = await setup.seed(points=1, tickets=6, displays=0)
    board = await Boards(database).board(seeded["site_id"])
    changes, before = Changes(), board.site
    for entry in list(board.entries.values()):
        changes.records[Entry, entry.id] = (entry, replace(entry, expect_until=5, seq=entry.seq + 50))
    board.site = replace(before, seq=before.seq + 1)
    async with database.write() as connection:
        await connection.execute(update(entries).where(entries.c.id == min(board.entries)).values(seq=7000))
    with pytest.raises(Conflict, match="1 of 6 entries"):
        await database.transact(lambda connection: boards.save(connection, before, board, changes, "x", Link("", None)))
    after = await Boards(database).board(seeded["site_id"])
    assert after.site == before
    assert not any(entry.expect_until == 5 for entry in after.entries.values()), "no entry was changed"
