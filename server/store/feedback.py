"""The answers of patients after their visits: one for each visit, without its name."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import feedback

_ONCE = insert(feedback).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")


def seals_for(visit_hash: str) -> str:
    """Return the name of the record to which the text of an answer is bound."""
    return f"feedback:{visit_hash}"


async def give(
    connection: AsyncConnection, visit_hash: str, *, site_id: int, day: str, score: int, sealed: str | None
) -> bool:
    """Store the answer about a visit of a business day; return whether it is the first one."""
    row = {"visit_hash": visit_hash, "site_id": site_id, "day": day, "score": score, "sealed": sealed}
    return (await connection.execute(_ONCE, row)).rowcount == 1
