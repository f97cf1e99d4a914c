"""The archive of the database, or its binary logs: whether a restore can reach the present second."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path

from server.installation.archive_folder import last_written
from server.queries.reader import Reader
from server.store import binary_logs
from server.store.binary_logs import BinaryLogs


@dataclass(frozen=True, slots=True)
class Archived:
    """The archive as one look found it.

    ``age_seconds`` is the age of the newest record in the folder of an embedded database, infinite without one; ``problem``
    says why the folder cannot be read. A database server has ``logs`` instead. Everything is None without an archive.
    """

    age_seconds: float | None = None
    problem: str | None = None
    logs: BinaryLogs | None = None


async def look(database: Reader, folder: Path | None) -> Archived:
    """Look at the archive in ``folder``, or at the binary logs of a database server. Raises `Unavailable`."""
    async with database.read() as connection:
        embedded = connection.dialect.name == "sqlite"
        logs = None if embedded else await binary_logs.look(connection)
    if folder is None or not embedded:
        return Archived(logs=logs)
    try:
        written = await asyncio.to_thread(last_written, folder)
    except OSError as error:
        return Archived(math.inf, error.strerror or str(error))
    # A clock that was set back makes no negative age: the next record has the new time.
    return Archived(math.inf if written is None else max(0.0, time.time() - written))


class LastArchived:
    """The archive as this process last looked at it: a scrape of the metrics asks neither the database nor the disk."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._found: Archived | None = None
        self._looked_at = 0.0

    async def update(self, database: Reader) -> None:
        """Look again. Raises `Unavailable`."""
        found = await look(database, self._folder)
        self._found, self._looked_at = found, time.monotonic()

    @property
    def seconds(self) -> float | None:
        """The seconds since the newest record: infinite without one, None without an archive or a look."""
        if self._found is None or self._found.age_seconds is None:
            return None
        return self._found.age_seconds + time.monotonic() - self._looked_at

    def age(self) -> float | str:
        """Return the same for people: why there is no such figure in place of an infinite or missing one."""
        if self._found is None:
            return "not looked for yet"
        seconds = self.seconds
        if seconds is None:
            return "the database has no archive"
        return seconds if math.isfinite(seconds) else self._found.problem or "the archive has no record"

    @property
    def logs(self) -> BinaryLogs | None:
        """The binary logs of the database server, if it was started with them."""
        logs = None if self._found is None else self._found.logs
        return logs if logs is not None and logs.on else None
