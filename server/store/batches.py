"""Read a table in batches, in the order of its key. Nothing is locked between batches, and no row is read twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_

from server.store.database import Database

AnyRow = Row[*tuple[Any, ...]]
AnyColumn = ColumnElement[Any]


async def batches(
    database: Database, statement: Select[*tuple[Any, ...]], key: Sequence[AnyColumn], size: int
) -> AsyncIterator[Sequence[AnyRow]]:
    """Yield batches of the rows of ``statement`` in the order of its first columns, ``key``. Raises `Unavailable`."""
    after: Sequence[Any] | None = None
    while True:
        page = statement if after is None else statement.where(beyond(key, after))
        async with database.read() as connection:
            rows = (await connection.execute(page.order_by(*key).limit(size))).all()
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1][: len(key)]


def beyond(key: Sequence[AnyColumn], after: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition for rows after ``after`` in the order of ``key``, in a form that every engine can index."""
    first, rest = key[0] > after[0], key[1:]
    return or_(first, and_(key[0] == after[0], beyond(rest, after[1:]))) if rest else first
