"""The newest verified backup, as the checks, the metrics and the nightly loop see it."""

from __future__ import annotations

from sqlalchemy.exc import ProgrammingError

from server.queries.reader import Reader
from server.store import backups
from server.store.backups import VerifiedBackup


async def newest(database: Reader) -> VerifiedBackup | None:
    """Return the record of the newest verified backup, or None, also on tables of an older version.

    Raises `Unavailable`.
    """
    async with database.read() as connection:
        try:
            return await backups.newest(connection)
        except ProgrammingError:  # MySQL has no such table yet
            return None


class LastBackup:
    """The newest verified backup as this process last read it: a scrape of the metrics asks the database nothing."""

    def __init__(self) -> None:
        self.found: VerifiedBackup | None = None

    async def update(self, database: Reader) -> None:
        """Read the record. Raises `Unavailable`."""
        self.found = await newest(database)

    def age(self, now: int) -> float | str:
        """Return the seconds since the newest backup (``now`` is in microseconds), or why there is no such figure."""
        return "no verified backup is known" if self.found is None else max(0, now - self.found.made_at) / 1_000_000
