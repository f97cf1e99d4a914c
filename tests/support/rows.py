"""Direct access to the rows of a running server's database, for example to make an hour pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from server.store.database import Database


def change(env: Mapping[str, str], statement: str, **values: object) -> int:
    """Run one statement that changes rows; return the number of changed rows."""

    async def run(database: Database) -> int:
        async with database.write() as connection:
            return (await connection.execute(text(statement), values)).rowcount

    return int(_run(env, run))


def rows(env: Mapping[str, str], statement: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of one query."""

    async def run(database: Database) -> list[tuple[Any, ...]]:
        async with database.read() as connection:
            return [tuple(row) for row in await connection.execute(text(statement), values)]

    found: list[tuple[Any, ...]] = _run(env, run)
    return found


def _run(env: Mapping[str, str], work: Any) -> Any:
    async def opened() -> Any:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            return await work(database)
        finally:
            await database.close()

    # In its own thread, since the test may already run an event loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(opened())).result()
