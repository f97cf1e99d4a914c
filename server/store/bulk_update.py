"""Update many rows of one table in one statement: new quotes for a long queue cost one round trip, not hundreds.

The rows travel as one JSON text, which the database reads as a table and joins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Column, ColumnElement, Connection, Dialect, Table, Text, Update, bindparam, func, literal_column
from sqlalchemy import update as update_of


def fits(table: Table, names: frozenset[str]) -> bool:
    """Return whether `update` supports these columns: a column of JSON cannot be read from within JSON."""
    return len(table.primary_key) == 1 and not any(isinstance(table.c[name].type, JSON) for name in names)


def update(connection: Connection, table: Table, names: frozenset[str], rows: Sequence[Mapping[str, Any]]) -> int:
    """Set the columns ``names`` to their values in ``rows``; return the number of updated rows.

    Each row also has its ``id``, and in ``was_seq`` the ``seq`` of its last change. A row that has changed since is left.
    """
    statement = _statement(table, tuple(sorted(names)), connection.dialect)
    return connection.execute(statement, {"rows": orjson.dumps(rows).decode()}).rowcount


@cache
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> Update:
    new = as_table(table, ("id", "was_seq", *names), dialect)
    unchanged = table.c.id == new["id"], table.c.seq == new["was_seq"]
    return update_of(table).where(*unchanged).values({table.c[name]: new[name] for name in names})


def as_table(
    table: Table, names: tuple[str, ...], dialect: Dialect, more: tuple[Column[Any], ...] = ()
) -> dict[str, ColumnElement[Any]]:
    """Return columns of the JSON text that a statement gets as ``rows``, read as a table with the columns of ``table``.

    ``more`` are columns of other tables that the rows have too.
    """
    rows = bindparam("rows", type_=Text())
    if dialect.name == "sqlite":
        each = func.json_each(rows).table_valued("value", name="new")
        return {name: func.json_extract(each.c.value, f"$.{name}") for name in (*names, *(other.name for other in more))}
    kinds = {name: table.c.seq.type if name == "was_seq" else table.c[name].type for name in names}
    kinds |= {other.name: other.type for other in more}
    columns = ", ".join(f"{name} {kind.compile(dialect)} PATH '$.{name}'" for name, kind in kinds.items())
    table_of = func.json_table(rows, literal_column(f"'$[*]' COLUMNS ({columns})")).table_valued(*kinds, name="new")
    return {name: table_of.c[name] for name in kinds}
