"""The findings: what the watchdog last found about each part of the installation, and what it has told by mail.

They let the start of a state survive a restart, and let all processes tell the same start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import findings

_INSERT_ONCE = insert(findings).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")


@dataclass(frozen=True, slots=True)
class Finding:
    """A row. ``since`` is the start of ``code`` and ``state_since`` that of ``state`` (microseconds).

    ``told`` is the state that the last mail about the part told, and ``told_at`` its instant.
    """

    name: str
    code: str
    state: str
    since: int
    state_since: int
    told: str
    told_at: int | None


_COLUMNS = [findings.c[each.name] for each in fields(Finding)]


async def of_parts(connection: AsyncConnection, names: Collection[str]) -> dict[str, Finding]:
    """Return the findings about these parts, by name. A part that nobody has looked at has none."""
    rows = await connection.execute(select(*_COLUMNS).where(findings.c.name.in_(names)))
    return {row.name: Finding(*row) for row in rows}


async def note(connection: AsyncConnection, name: str, code: str, state: str, since: int, state_since: int) -> None:
    """Note what is found about a part now."""
    values = {"code": code, "state": state, "since": since, "state_since": state_since}
    changed = await connection.execute(update(findings).where(findings.c.name == name).values(**values))
    if not changed.rowcount:
        await connection.execute(_INSERT_ONCE, {"name": name, "told": "ok", **values})


async def tell(connection: AsyncConnection, told: Mapping[str, str], now: int) -> None:
    """Note the states that a mail has told at ``now``, by the names of their parts."""
    for name, state in told.items():
        await connection.execute(update(findings).where(findings.c.name == name).values(told=state, told_at=now))
