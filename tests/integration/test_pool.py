"""The settings of the pool of database connections: each takes effect on a real database server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import BigInteger, literal_column, make_url, select
from sqlalchemy.exc import TimeoutError as PoolTimeout

from server.domain.errors import Unavailable
from server.settings import Settings, database_of
from server.store.database import Database
from tests.support.databases import connect

PATIENCE_SECONDS = 60.0
_CONNECTION = select(literal_column("CONNECTION_ID()", BigInteger).label("id"))
_OPEN = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"


@asynccontextmanager
async def opened(url: str, **limits: float) -> AsyncIterator[Database]:
    """Open the database with these settings of the pool."""
    database = database_of(Settings.model_validate({"database_url": url} | limits))
    try:
        yield database
    finally:
        await database.close()


def open_connections(url: str) -> int:
    """Return how many connections the database server has for this database."""
    with connect(make_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute(_OPEN, (make_url(url).database,))
        (count,) = cursor.fetchone()
        return int(count)


async def until_open(url: str, count: int) -> None:
    """Wait until the database server has so many connections: it ends a closed one a moment later."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await asyncio.to_thread(open_connections, url) != count:  # noqa: ASYNC110 - the database server has no event to wait for
            await asyncio.sleep(0.05)


async def connection_id(database: Database) -> int:
    """Return the database server's name of a connection of the pool."""
    row = await database.look_up(_CONNECTION)
    assert row is not None
    return int(row.id)


async def test_size_stays_open_and_overflow_opens_while_all_are_in_use(mysql_url: str) -> None:
    async with opened(mysql_url, database_pool_size=2, database_pool_overflow=3) as database:
        done, inside = asyncio.Event(), asyncio.Semaphore(0)

        async def hold() -> None:
            async with database.read():
                inside.release()
                await done.wait()

        assert (database.pool.size, database.pool.overflow, database.pool.in_use) == (2, 3, 0)
        held = [asyncio.create_task(hold()) for _ in range(7)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(5):
                await inside.acquire()
            while database.pool.waited < 2:  # noqa: ASYNC110 - the pool has no event to wait for
                await asyncio.sleep(0.01)
        assert database.pool.in_use == 5
        assert inside.locked(), "the other two wait"
        await until_open(mysql_url, 5)
        done.set()
        await asyncio.gather(*held)
        assert (database.pool.in_use, database.pool.waited) == (0, 2)
        await until_open(mysql_url, 2)


async def test_work_without_a_connection_is_refused_after_the_wait(mysql_url: str) -> None:
    async with opened(mysql_url, database_pool_size=1, database_pool_wait_seconds=0.2) as database:
        async with database.read():
            with pytest.raises(Unavailable) as caught:
                await database.look_up(_CONNECTION)
        assert isinstance(caught.value.__cause__, PoolTimeout)
        assert "timeout 0.20" in str(caught.value.__cause__)
        assert database.pool.waited == 1
        assert await connection_id(database), "the pool goes on"


@pytest.mark.parametrize(("seconds", "same"), [(0.1, False), (3600.0, True)])
async def test_connection_is_replaced_after_its_time(mysql_url: str, seconds: float, *, same: bool) -> None:
    async with opened(mysql_url, database_pool_size=1, database_pool_recycle_seconds=seconds) as database:
        first = await connection_id(database)
        await asyncio.sleep(0.3)
        assert (await connection_id(database) == first) is same
        await until_open(mysql_url, 1)
