"""The database: one engine, two kinds of transaction, single look-ups, one clock.

Work of many statements is a plain function that receives a connection (`Database.transact`): one switch to a greenlet
serves the whole transaction.

A *write* locks first and sees committed rows (READ COMMITTED; on SQLite ``BEGIN IMMEDIATE`` behind one lock). A *read*
is one consistent view of several statements (REPEATABLE READ; on SQLite an explicit ``BEGIN``, without which the
driver gives torn snapshots).
"""

from __future__ import annotations

import asyncio
import math
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pymysql.err import Error as DriverError
from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    CursorResult,
    Executable,
    Row,
    bindparam,
    event,
    literal_column,
    make_url,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from server.clock import SteadyClock, boot_id, wall_microseconds
from server.domain.errors import Unavailable
from server.store.pool import CountingPool, PoolFigures
from server.store.slow import SlowQueries
from server.store.tables import clock_anchors

# The database's present instant in microseconds. SYSDATE is the time of reading the row, not the start of the statement.
# A statement that waited for a lock gets the time after the wait. Every connection's time zone is UTC.
CLOCK = literal_column("CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)", BigInteger)

Result = TypeVar("Result")
Transaction: TypeAlias = Connection  # the argument of a transaction's work
Writing: TypeAlias = AsyncConnection  # an open transaction of `Database.write`, for modules without SQL of their own
_NOW = select(CLOCK.label("now"))
_KEPT_OFFSET = select(clock_anchors.c.booted_at).where(clock_anchors.c.boot_id == bindparam("boot_id"))
IDLE_SECONDS = 1.0  # a connection that rested so long is pinged before its next use


class Conflict(Exception):
    """A row was not in the state that the write expected, or a unique key forbids the change."""


class Database:
    """A database of the MySQL family, or one SQLite file.

    ``url`` is an SQLAlchemy URL: ``sqlite+aiosqlite:///...`` or ``mysql+aiomysql://...``. Call `close` when done.

    ``pool_size`` connections stay open, and ``pool_overflow`` more open while all of these are in use. Work that finds no
    free connection for ``pool_wait_seconds`` ends with `Unavailable`. A connection to a database server is replaced when
    it is older than ``pool_recycle_seconds``. Statements that take longer than ``slow_query_seconds`` are logged.

    ``clock`` is the trusted time of the database. `now` reads the database's clock, and ``clock.now()`` reads nothing.
    """

    def __init__(
        self,
        url: str,
        pool_size: int = 10,
        *,
        pool_overflow: int = 0,
        pool_wait_seconds: float = 10.0,
        pool_recycle_seconds: float = 3600.0,
        slow_query_seconds: float = math.inf,
    ) -> None:
        self.url = database_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        self.clock = SteadyClock()
        self._write_lock = asyncio.Lock() if self.embedded else None
        options: dict[str, Any] = {
            "hide_parameters": True,  # error texts are logged, and values can be personal
            "poolclass": CountingPool,
            "pool_size": pool_size,
            "max_overflow": pool_overflow,
            "pool_timeout": pool_wait_seconds,
        }
        if self.embedded:
            options["connect_args"] = {"timeout": 15.0}
        else:
            options["pool_recycle"] = pool_recycle_seconds
            options["pool_reset_on_return"] = None  # each transaction ends where it began: no second ROLLBACK
            options["isolation_level"] = "READ COMMITTED"
            options["connect_args"] = {
                "connect_timeout": 5,
                "charset": "utf8mb4",
                "init_command": "SET time_zone = '+00:00'",
            }
        self.engine = create_async_engine(self.url, **options)
        if self.embedded:
            _keep_private(self.engine)
            _teach_sqlite_transactions(self.engine)
        else:
            _ask_idle_connections(self.engine)
        self._slow = SlowQueries(self.engine.sync_engine, slow_query_seconds)

    @property
    def pool(self) -> PoolFigures:
        """The limits of the pool of connections, and its state."""
        pool = self.engine.pool
        assert isinstance(pool, CountingPool)
        return pool.figures

    @property
    def slow_queries(self) -> int:
        """How many statements of this process took long."""
        return self._slow.count

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Do ``work`` in a writing transaction, and return its result. Any error rolls the transaction back.

        For many statements; `write` is for a few. Raises `Unavailable` when the database cannot be reached or aborted the
        transaction.
        """

        def transaction() -> Result:
            with self.engine.sync_engine.connect() as connection:
                if self.embedded:
                    connection = connection.execution_options(begin="BEGIN IMMEDIATE")
                with connection.begin():
                    return work(connection)

        if self.clock.must_ask:
            await self._ask_for_kept_offset()
        async with self._write_lock or nullcontext():
            with translated():
                return await greenlet_spawn(transaction)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a writing transaction. It commits at the end of the block, and rolls back on any error.

        Raises `Unavailable` when the database cannot be reached or aborted the transaction.
        """
        async with self._write_lock or nullcontext():
            with translated():
                async with self.engine.connect() as connection:
                    if self.embedded:
                        connection = await connection.execution_options(begin="BEGIN IMMEDIATE")
                    async with connection.begin():
                        yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open one consistent view of the database for several statements. Raises `Unavailable`."""
        with translated():
            async with self.engine.connect() as connection, connection.begin():
                if not self.embedded:  # for this transaction, which begins at its first read of a table
                    await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield connection

    async def look_up(self, statement: Executable, **values: Any) -> Row[*tuple[Any, ...]] | None:
        """Return the row that one statement finds, or None. Cheaper than `read`: it opens no transaction of its own.

        Raises `Unavailable`.
        """

        def look() -> Row[*tuple[Any, ...]] | None:
            with self.engine.sync_engine.connect() as connection:
                return connection.execute(statement, values).one_or_none()

        with translated():
            return await greenlet_spawn(look)

    async def now(self) -> int:
        """Return the database's present instant in microseconds. A step of its clock does not change it.

        Raises `Unavailable`.
        """
        if self.clock.must_ask:
            await self._ask_for_kept_offset()
        if self.embedded:  # one machine: its clock is the database's; SQLite's has only milliseconds
            return self.clock.read(wall_microseconds())
        asked = self.clock.steady()
        row = await self.look_up(_NOW)
        assert row is not None
        return self.clock.read(int(row.now), asked)

    async def _ask_for_kept_offset(self) -> None:
        """Tell the clock the offset that a server of this boot has kept. Without an answer it asks again later."""
        self.clock.asks()
        boot = boot_id()
        if boot is None:
            if not self.clock.step:  # nobody can accept a step here, except by a restart
                self.clock.learn(None)
            return
        with suppress(Unavailable, DBAPIError):  # unreachable, or without tables: the caller's statement tells
            row = await self.look_up(_KEPT_OFFSET, boot_id=boot)
            self.clock.learn(None if row is None else row.booted_at)


def database_url(url: str) -> URL:
    """Return the parsed URL with the drivers of this product.

    Raises `ValueError` for another kind of database, and for SQLite without a file.
    """
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "mysql": "mysql+aiomysql", "mariadb": "mysql+aiomysql"}
    backend = parsed.get_backend_name()
    if backend not in drivers:
        raise ValueError(f"databases are sqlite, mysql or mariadb, not {backend}")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("the embedded database needs a file: sqlite+aiosqlite:///path")
    return parsed.set(drivername=drivers[backend])


def new_id(result: CursorResult[Any]) -> int:
    """Return the id of the row that ``result`` inserted."""
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _keep_private(engine: AsyncEngine) -> None:
    """Let only the user of this process open the database file. SQLite itself would follow the umask."""
    file = Path(engine.url.database or "")

    @event.listens_for(engine.sync_engine, "do_connect")
    def prepare(*_: object) -> None:
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        for suffix in ("", "-wal", "-shm"):  # SQLite gives the other two the mode of the first
            each = Path(f"{file}{suffix}")
            with suppress(FileNotFoundError, PermissionError):  # the file of another user keeps its mode
                if each.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    each.chmod(0o600)


def _teach_sqlite_transactions(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver begins no transactions itself
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # a power cut loses no answered command
        cursor.execute("PRAGMA busy_timeout = 15000")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    @event.listens_for(engine.sync_engine, "invalidate")
    def end(connection: Any, _: object, __: object) -> None:
        """End the transaction of a connection that is given up, for example when a command is cancelled.

        Closing the connection is not enough. SQLite keeps it, with its lock on the whole database, until the garbage
        collector frees every cursor that was not read to its end.
        """
        # The caller gets the first error, a cancellation or a missing file, not an error of this rollback.
        with suppress(asyncio.CancelledError, engine.dialect.loaded_dbapi.Error):
            connection.rollback()


def _ask_idle_connections(engine: AsyncEngine) -> None:
    """Ping each connection that has rested, so that a restart of the database fails no command.

    A recently used connection is not pinged: that would cost every command one more round trip.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        since = record.info.get("rests_since")
        if since is None or time.monotonic() - since < IDLE_SECONDS:
            return
        try:
            connection.ping()
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError() from None  # the other connections are as old: the pool replaces them all


class translated:
    """Turn a driver's connection errors into `Unavailable` and integrity errors into `Conflict`; let the rest through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, IntegrityError):
            raise Conflict(str(error.orig)) from error
        if isinstance(error, OperationalError | InterfaceError | PoolTimeout | ConnectionError | OSError):
            raise Unavailable() from error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise Unavailable() from error
        # SQLAlchemy cannot invalidate the first connection of an engine while it still examines the server.
        if isinstance(error, NotImplementedError) and isinstance(error.__context__, DriverError | DBAPIError):
            raise Unavailable() from error
