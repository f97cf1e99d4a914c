"""The checks of the database for readiness: at most one at a time, and one a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypedDict

from pydantic import Field

from server.queries import messages as message_health
from server.queries.migrations import pending
from server.queries.reader import Reader

KEPT_SECONDS = 1.0


class Check(TypedDict):
    """The result of one check."""

    status: str
    milliseconds: Annotated[float, Field(ge=0)]


class DatabaseChecks:
    """Checks a database for all callers together, however many ask: anybody may ask for readiness."""

    def __init__(self, database: Reader) -> None:
        self._database = database
        self._began = 0.0
        self._running: asyncio.Task[dict[str, Check]] | None = None

    async def results(self) -> dict[str, Check]:
        """Return the results by name. They are at most a second old, or the caller waits for new ones."""
        now = time.monotonic()
        if self._running is None or (self._running.done() and now - self._began >= KEPT_SECONDS):
            self._began = now
            self._running = asyncio.create_task(self._check())
        return await asyncio.shield(self._running)

    async def _check(self) -> dict[str, Check]:
        async def database() -> str:
            await self._database.now()
            return "ok"

        async def migrations() -> str:
            lacking = await pending(self._database)
            return f"behind by {len(lacking)}" if lacking else "ok"

        async def messages() -> str:
            return (await message_health.health(self._database)).trouble or "ok"

        return {each.__name__: await timed(each) for each in (database, migrations, messages)}


async def timed(check: Callable[[], Awaitable[str]]) -> Check:
    """Return the status that a check gives, or its failure, and its time."""
    began = time.perf_counter()
    try:
        status = await check()
    except Exception as error:  # a dependency may raise anything: the answer is that it failed
        status = f"failed: {type(error).__name__}"
    return {"status": status, "milliseconds": round((time.perf_counter() - began) * 1000, 1)}
