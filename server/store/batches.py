"""Going through a table by its key, some rows at a time: nothing is locked between, and nothing is read twice."""

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
    """Yield the rows of ``statement``, which begin with the columns of ``key``, in its order. Raises `Unavailable`."""
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
    """Return the condition of coming after a row in the order of its key, in the form that every engine has an index for."""
    first, rest = key[0] > after[0], key[1:]
    return or_(first, and_(key[0] == after[0], beyond(rest, after[1:]))) if rest else first
