"""The channels of organisations, read from rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.queries.reader import Reader
from server.store.tables import channels


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A row. ``sealed`` is None once the channel is removed. Instants in microseconds."""

    id: int
    organisation_id: int
    way: str
    kind: str
    sealed: str | None
    changed_at: int
    outcome: str | None
    outcome_at: int | None
    arrival: str | None
    arrival_at: int | None


_COLUMNS = [channels.c[each.name] for each in fields(ChannelRow)]


async def enabled(database: Reader, organisation_id: int) -> list[ChannelRow]:
    """Return the enabled channels of an organisation. Raises `Unavailable`."""
    async with database.read() as connection:
        mine = (channels.c.organisation_id == organisation_id, channels.c.enabled_way.is_not(None))
        return await _rows(connection, *mine)


async def enabled_by(connection: AsyncConnection, organisation_id: int, way: str) -> ChannelRow | None:
    """Return the channel that an organisation uses for a way, or None."""
    found = await _rows(connection, channels.c.organisation_id == organisation_id, channels.c.enabled_way == way)
    return found[0] if found else None


async def of_receipts(database: Reader, receipts_hash: str) -> ChannelRow | None:
    """Return the channel, enabled or not, whose receipts come with this hash, or None. Raises `Unavailable`."""
    async with database.read() as connection:
        found = await _rows(connection, channels.c.receipts_hash == receipts_hash)
    return found[0] if found else None


async def _rows(connection: AsyncConnection, *where: ColumnElement[Any]) -> list[ChannelRow]:
    return [ChannelRow(*row) for row in await connection.execute(select(*_COLUMNS).where(*where))]
