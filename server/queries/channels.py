"""The channels of organisations, read from rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, func, select
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


# The outcomes that are about the channel itself. Others are about one message, or one address.
FAILING = (
    *("no-connection", "no-encryption", "certificate", "credentials", "sender", "forbidden", "credit", "service"),
    *("no-answer", "busy"),
)
_WAYS = ("sms", "email", "push", "chat")


@dataclass(frozen=True, slots=True)
class ChannelTally:
    """The number of enabled channels of an installation, and of those whose last message failed by the channel itself."""

    enabled: int
    failing: int


async def tally(database: Reader) -> ChannelTally:
    """Count the channels of all organisations. Raises `Unavailable`."""
    on = channels.c.enabled_way.in_(_WAYS)
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).where(on))
        failing = await connection.scalar(select(func.count()).where(on, channels.c.outcome.in_(FAILING)))
    return ChannelTally(count or 0, failing or 0)


async def first_organisation(database: Reader, way: str) -> int | None:
    """Return the first organisation with an enabled channel for a way, or None. Raises `Unavailable`."""
    async with database.read() as connection:
        found = await connection.scalar(select(func.min(channels.c.organisation_id)).where(channels.c.enabled_way == way))
    return None if found is None else int(found)


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
