"""The tally of messages for the metrics: how many rows have ended in which state, and how late the oldest due row is."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, null, select

from server.queries import messages
from server.queries.messages import Health
from server.queries.reader import Reader
from server.store.tables import notifications

ENDED = ("sent", "failed", "unknown", "withdrawn", "expired", "suppressed", "skipped")
LAG_MICROSECONDS = 10_000_000  # a transaction with an earlier instant may commit so much later


class MessageTally:
    """Counts the rows of all processes since this one began. ``health`` is None until the first `update`."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()  # by state and way
        self.health: Health | None = None
        self._until: int | None = None

    async def update(self, database: Reader) -> None:
        """Add the rows that have ended since the last call, some seconds ago. Raises `Unavailable`."""
        until = await database.now() - LAG_MICROSECONDS
        self.health = await messages.health(database)
        if self._until is not None and until > self._until:
            table = notifications.c
            counted = (
                select(table.state, table.channel, func.count())
                .where(table.state.in_(ENDED), table.changed_at >= self._until, table.changed_at < until)
                .group_by(table.state, table.channel)
                .order_by(null())  # else MariaDB sorts the groups
            )
            async with database.read() as connection:
                for state, way, count in await connection.execute(counted):
                    self.ended[state, way] += count
        self._until = until if self._until is None else max(until, self._until)
