"""Pages of a list: each page begins after the last row of the previous one, in the order of the list's key.

There is no OFFSET, which reads every skipped row, and no count beyond `COUNTED_AT_MOST` rows. The last page of a million
rows costs as much as the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

COUNTED_AT_MOST = 10_000

T = TypeVar("T")
Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list. ``last`` is the key of the last row if more follow; ``total`` is counted up to a cap."""

    rows: Sequence[T]
    last: Key | None
    total: int
    total_is_capped: bool


def beyond(columns: Sequence[ColumnElement[Any]], key: Key, *, descending: bool = False) -> ColumnElement[bool]:
    """Return the condition for rows after ``key`` in the order of ``columns``.

    The form is ``a >= x AND (a > x OR (a = x AND b > y))``: MariaDB reads this as a range of an index, but compares whole
    rows from the beginning of the table. The outer bound is redundant and only helps the optimiser.
    """
    first, value = columns[0], key[0]
    past = first < value if descending else first > value
    if len(columns) == 1:
        return past
    upto = first <= value if descending else first >= value
    rest = beyond(columns[1:], key[1:], descending=descending)
    return and_(upto, or_(past, and_(first == value, rest)))


async def rows(
    connection: AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    key: Sequence[ColumnElement[Any]],
    size: int,
    after: Key | None,
    *,
    descending: bool = False,
) -> tuple[Sequence[Row[*tuple[Any, ...]]], bool]:
    """Return up to ``size`` rows of ``statement`` after a key, in the key's order, and whether more follow."""
    if after is not None:
        statement = statement.where(beyond(key, after, descending=descending))
    order = [column.desc() if descending else column for column in key]
    found = (await connection.execute(statement.order_by(*order).limit(size + 1))).all()
    return found[:size], len(found) > size


async def total(connection: AsyncConnection, statement: Select[*tuple[Any, ...]]) -> tuple[int, bool]:
    """Return the number of rows of ``statement``, at most `COUNTED_AT_MOST`, and whether there are more."""
    counted = statement.limit(COUNTED_AT_MOST + 1).subquery()
    found = int(await connection.scalar(select(func.count()).select_from(counted)) or 0)
    return min(found, COUNTED_AT_MOST), found > COUNTED_AT_MOST


def page(found: Sequence[T], counted: tuple[int, bool], key_of: Callable[[T], Key], *, more: bool) -> Page[T]:
    """Return a page of the rows ``found``; ``counted`` is the result of `total`, and ``more`` says whether rows follow."""
    return Page(found, key_of(found[-1]) if more else None, *counted)
