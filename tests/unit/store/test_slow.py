"""Slow statements: the lines of the log, which show no parameter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, text

from server.store import slow
from server.store.database import Conflict, Database
from server.store.slow import MOST_CHARACTERS, shown


class Lines:
    """The logger of the module: keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **about: Any) -> None:
        assert event == "slow query"
        self.lines.append(about)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    logger = Lines()
    monkeypatch.setattr(slow, "logger", logger)
    return logger.lines


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in which every statement is slow."""
    found = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", slow_query_seconds=1e-9)
    async with found.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (name TEXT PRIMARY KEY)")
    yield found
    await found.close()


async def test_line_has_the_statement_and_no_parameter(lines: list[dict[str, Any]], database: Database) -> None:
    insert = text("INSERT INTO t\n  VALUES (:name)")
    async with database.write() as connection:
        await connection.execute(insert, {"name": "Wilhelmina"})
    found = [each for each in lines if each["statement"] == "INSERT INTO t VALUES (?)"]
    assert [each["failed"] for each in found] == [False]
    assert found[0]["seconds"] >= 0
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await connection.execute(insert, {"name": "Wilhelmina"})
    assert [each["failed"] for each in lines if each["statement"] == "INSERT INTO t VALUES (?)"] == [False, True]
    assert "Wilhelmina" not in str(lines)
    assert database.slow_queries == len(lines)


async def test_quick_statement_has_no_line(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'y.db'}", slow_query_seconds=300.0)
    await database.look_up(text("SELECT 1"))
    await database.close()
    assert (lines, database.slow_queries) == ([], 0)


async def test_long_list_of_places_is_cut_short(lines: list[dict[str, Any]], database: Database) -> None:
    wanted = text("SELECT name FROM t WHERE name IN :names").bindparams(bindparam("names", expanding=True))
    async with database.read() as connection:
        await connection.execute(wanted, {"names": [str(each) for each in range(500)]})
    assert lines[-1]["statement"] == "SELECT name FROM t WHERE name IN (?, ...)"


def test_long_statement_is_cut_short() -> None:
    assert shown(f"SELECT {'x' * 5000}") == f"SELECT {'x' * (MOST_CHARACTERS - 7)}..."
    assert shown("VALUES (%s, %s, %s, %s, %s)") == "VALUES (%s, ...)"
    assert shown("VALUES (%s, %s)") == "VALUES (%s, %s)"
