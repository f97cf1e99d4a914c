"""The condition that goes on after a row, against the order itself."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy import ColumnElement, column
from sqlalchemy.dialects import sqlite

from server.queries.keyset import beyond

ROWS = [(a, b, c) for a in range(3) for b in range(3) for c in range(2)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_what_comes_after_each_row(width: int, *, descending: bool) -> None:
    """For every row of a small table: exactly those after it in the order."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (a, b, c)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", ROWS)
        columns: list[ColumnElement[Any]] = [column(name) for name in "abc"[:width]]
        for row in ROWS:
            key = row[:width]
            condition = beyond(columns, key, descending=descending).compile(
                dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
            )
            found = connection.execute(f"SELECT * FROM t WHERE {condition}").fetchall()
            after = [each for each in ROWS if (each[:width] < key if descending else each[:width] > key)]
            assert sorted(found) == after
    finally:
        connection.close()
