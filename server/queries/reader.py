"""The database as queries and endpoints see it: they read, and cannot write."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import SteadyClock
from server.store.pool import PoolFigures


class Reader(Protocol):
    """Opens views of a database, and none of its writing transactions. `server.store.database.Database` is one."""

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open one consistent view of the database for several statements. Raises `Unavailable`."""

    @property
    def clock(self) -> SteadyClock:
        """The trusted time of the database, without a round trip."""

    async def now(self) -> int:
        """Return the database's present instant in microseconds. Raises `Unavailable`."""


class LookUp(Reader, Protocol):
    """A `Reader` that also answers single statements, without the cost of a transaction."""

    async def look_up(self, statement: Executable, **values: Any) -> Row[*tuple[Any, ...]] | None:
        """Return the row that one statement finds, or None. Raises `Unavailable`."""


class Pooled(Protocol):
    """A database that shows how busy it is."""

    @property
    def pool(self) -> PoolFigures:
        """The limits of the pool of connections, and its state."""

    @property
    def slow_queries(self) -> int:
        """How many statements of this process took long."""
