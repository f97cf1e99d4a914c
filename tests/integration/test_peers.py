"""The clock explains waits only once every running server knows the event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.housekeeping import Peers
from server.queries.system import Report
from server.store import processes
from server.store.database import Database
from tests.support.migrated import bring_up

HEARTBEAT_SECONDS = 2.0


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await bring_up(database)
    yield database
    await database.close()


async def heard(database: Database, process_id: str, report: dict[str, Any] | None, seconds_ago: int = 0) -> None:
    now = await database.now() - seconds_ago * 1_000_000
    async with database.write() as connection:
        await processes.live(connection, process_id, now, report)


async def test_no_words_while_a_server_of_an_earlier_version_runs(database: Database) -> None:
    """A dead one does not count. The answer "all know it" is kept: no earlier server starts again."""
    old = {name: value for name, value in Report().row().items() if name != "explains"}
    peers = Peers(database, HEARTBEAT_SECONDS)
    await heard(database, "new", Report(explains=True).row())
    for report in (old, None):
        await heard(database, "old", report)
        assert not await peers.explain()
    await heard(database, "old", old, seconds_ago=60)
    assert await peers.explain()
    await heard(database, "old", old)
    assert await peers.explain()
    assert not await Peers(database, HEARTBEAT_SECONDS).explain()
