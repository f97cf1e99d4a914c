"""The checks behind readiness and start-up, on an embedded database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.queries.message_tally import MessageTally
from server.queries.messages import Health
from server.queries.migrations import known
from server.store.database import Database
from server.transport.http import checks
from server.transport.http.checks import Check, DependencyChecks, Floods


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database without tables."""
    found = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    yield found
    await found.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every question ask the database."""
    monkeypatch.setattr(checks, "KEPT_SECONDS", 0.0)


async def set_revision(database: Database, revision: str) -> None:
    async with database.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)")
        await connection.exec_driver_sql("DELETE FROM alembic_version")
        await connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (revision,))


def told(found: dict[str, Check]) -> dict[str, tuple[str, str | None]]:
    """Return the status and the detail of each check."""
    return {name: (each["status"], each["detail"]) for name, each in found.items()}


async def test_each_state_of_the_tables_has_a_status(database: Database) -> None:
    tally = MessageTally()
    found = DependencyChecks(database, tally)
    away = told(await found.results())
    assert away["database"] == ("failed", "no such table: alembic_version")
    assert away["migrations"] == ("failed", "not read")
    for revision, expected in (
        (known()[-1], ("ok", None)),
        (known()[-3], ("failed", "behind by 2")),
        ("9999", ("degraded", "at 9999, of a newer version")),
    ):
        await set_revision(database, revision)
        now = told(await found.results())
        assert now["database"] == ("ok", None)
        assert now["migrations"] == expected


async def test_start_is_done_with_the_tables_of_this_version_and_stays_done(database: Database) -> None:
    found = DependencyChecks(database, MessageTally())
    assert not await found.started()
    await set_revision(database, known()[-2])
    assert not await found.started()
    await set_revision(database, known()[-1])
    assert await found.started()
    await set_revision(database, known()[-2])
    await found.results()
    assert await found.started()


async def test_messages_are_judged_by_the_tally(database: Database) -> None:
    await set_revision(database, known()[-1])
    tally = MessageTally()
    found = DependencyChecks(database, tally)
    assert told(await found.results())["messages"] == ("degraded", "not counted yet")
    tally.health = Health(oldest=0, late=0, without_channel=0, swept=None, beat=None)
    assert told(await found.results())["messages"] == ("ok", None)
    tally.health = Health(oldest=0, late=0, without_channel=3, swept=None, beat=None)
    assert told(await found.results())["messages"] == ("degraded", "3 messages have no channel")


def test_flood_of_one_address_waits_for_the_next_minute_and_others_do_not() -> None:
    now = 100.0
    floods = Floods(2, lambda: now)
    assert [floods.wait("a") for _ in range(2)] == [0, 0]
    now = 130.0
    assert (floods.wait("a"), floods.wait("a"), floods.wait("b")) == (30, 30, 0)
    now = 160.0
    assert [floods.wait("a") for _ in range(3)] == [0, 0, 60]
