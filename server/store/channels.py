"""The channels of organisations: by each way (``sms``, ``email``, ``push``, ``chat``) one enabled row at most."""

from __future__ import annotations

from sqlalchemy import insert, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import channels


def seals_for(organisation_id: int, way: str) -> str:
    """Return the name of the record to which the settings of a channel are bound."""
    return f"channel:{organisation_id}:{way}"


async def create(
    connection: AsyncConnection, *, organisation_id: int, way: str, kind: str, sealed: str, receipts_hash: str, now: int
) -> int:
    """Add an enabled channel, after `disable`; return its id. ``now`` in microseconds."""
    values = {"organisation_id": organisation_id, "way": way, "kind": kind, "sealed": sealed, "enabled": True}
    result = await connection.execute(insert(channels).values(**values, receipts_hash=receipts_hash, changed_at=now))
    return new_id(result)


async def change(connection: AsyncConnection, channel_id: int, sealed: str, now: int) -> None:
    """Replace the settings of a channel. Its last outcome belonged to the old ones."""
    nothing = dict.fromkeys(("outcome", "outcome_at", "arrival", "arrival_at"))
    values = {"sealed": sealed, "changed_at": now, **nothing}
    await connection.execute(update(channels).where(channels.c.id == channel_id).values(values))


async def disable(connection: AsyncConnection, organisation_id: int, way: str, now: int) -> bool:
    """Disable the channel of a way, and forget its settings; return False if none is enabled."""
    mine = (channels.c.organisation_id == organisation_id, channels.c.enabled_way == way)
    statement = update(channels).where(*mine).values(enabled=False, sealed=None, changed_at=now)
    return (await connection.execute(statement)).rowcount == 1


async def note_outcome(connection: AsyncConnection, channel_id: int, outcome: str, now: int) -> None:
    """Keep the outcome of a message, unless a later one is known."""
    earlier = or_(channels.c.outcome_at.is_(None), channels.c.outcome_at < now)
    statement = update(channels).where(channels.c.id == channel_id, earlier).values(outcome=outcome, outcome_at=now)
    await connection.execute(statement)


async def note_arrival(connection: AsyncConnection, channel_id: int, arrival: str, now: int) -> None:
    """Keep what the last receipt of a channel said."""
    statement = update(channels).where(channels.c.id == channel_id).values(arrival=arrival, arrival_at=now)
    await connection.execute(statement)
