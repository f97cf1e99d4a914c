"""The rules of an operator for feature flags. A row for a flag that no version declares is kept until it is cleared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import flags


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A row. ``rule`` is JSON, ``default_variant`` the default of the version that set it. Instants are microseconds."""

    flag_key: str
    rule: str
    default_variant: str
    author: str
    reason: str
    set_at: int
    expires_at: int


MOST = 200  # rows that are read; a version declares far fewer flags

_COLUMNS = [flags.c[each.name] for each in fields(FlagRow)]
_EVERY = select(*_COLUMNS).where(flags.c.flag_key > "").order_by(flags.c.flag_key).limit(MOST)


async def every(connection: AsyncConnection) -> list[FlagRow]:
    """Return the rows in the order of their flags."""
    return [FlagRow(*row) for row in await connection.execute(_EVERY)]


async def put(connection: AsyncConnection, row: FlagRow) -> None:
    """Set the row of a flag, in place of a former one."""
    await clear(connection, row.flag_key)
    await connection.execute(insert(flags).values(**asdict(row)))


async def clear(connection: AsyncConnection, flag_key: str) -> bool:
    """Delete the row of a flag; return whether there was one."""
    return bool((await connection.execute(delete(flags).where(flags.c.flag_key == flag_key))).rowcount)
