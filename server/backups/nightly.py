"""The nightly backup: which process makes it, and which older files stay.

The backup itself is a process of its own, ``nowserving backup``: its work would delay the commands and screens of a server.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from server.backups.child import status_of
from server.backups.errors import BackupFailed
from server.backups.framing import facts_of, mark_of
from server.backups.making import LEASE, LEASE_MICROSECONDS, SUFFIX
from server.domain.errors import NowServingError
from server.queries.backups import newest
from server.store import leases
from server.store.database import Database
from server.telemetry.outage import Outage
from server.vault import Vault

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0
AGAIN_SECONDS = 3600.0  # after a failure
END_SECONDS = 20.0
DAY_MICROSECONDS = 86_400_000_000
COMMAND = (sys.executable, "-m", "server.cli", "backup", "--nightly")


@dataclass(frozen=True, slots=True)
class Kept:
    """How many backups stay: the newest of each of so many days, and of each of so many weeks, that have one."""

    days: int
    weeks: int


def is_due(now: int, hour: int, made_at: int | None) -> bool:
    """Return whether the backup of the last ``hour`` (UTC) is missing. Instants are in microseconds."""
    at = datetime.fromtimestamp(now / 1_000_000, UTC)
    wanted = at.replace(hour=hour, minute=0, second=0, microsecond=0)
    if wanted > at:
        wanted -= timedelta(days=1)
    return made_at is None or made_at < wanted.timestamp() * 1_000_000


class Nightly:
    """Makes the backup of each night. Every process has one of these; of all, one makes the backup."""

    def __init__(self, database: Database, hour: int, command: Sequence[str] = COMMAND) -> None:
        self._database = database
        self._hour = hour
        self._command = command
        self._holder = uuid.uuid4().hex
        self._again_at = 0.0
        self._outage = Outage(logger, "the nightly backup failed")

    async def run(self) -> None:
        """Look once a minute whether a backup is missing, until cancelled. A failed one is tried again after an hour."""
        try:
            while True:
                try:
                    await self._look()
                except NowServingError as error:
                    self._outage.failed(error)
                await asyncio.sleep(LOOK_SECONDS)
        finally:  # a backup under way has been asked to end
            await leases.give_up(self._database, self._holder)

    async def _look(self) -> None:
        if asyncio.get_running_loop().time() < self._again_at or not await self._missing() or not await self._takes_turn():
            return
        if not await self._missing():  # another process made it between the two looks
            await leases.give_up(self._database, self._holder)
            return
        if status := await status_of((*self._command, "--holder", self._holder), END_SECONDS):
            self._again_at = asyncio.get_running_loop().time() + AGAIN_SECONDS
            await leases.give_up(self._database, self._holder)
            self._outage.failed(status=status)
            return
        self._outage.ended()

    async def _missing(self) -> bool:
        last = await newest(self._database)
        return is_due(await self._database.now(), self._hour, None if last is None else last.made_at)

    async def _takes_turn(self) -> bool:
        return await leases.hold(self._database, LEASE, self._holder, LEASE_MICROSECONDS)


def begin_quietly() -> None:
    """Let the servers on this machine go first: a nightly backup has time."""
    with suppress(OSError):
        os.nice(10)


def prune(folder: Path, vault: Vault, kept: Kept) -> list[Path]:
    """Delete the backups of this installation in ``folder`` that need not stay; return them. Raises `OSError`.

    The newest of each day and week stay, and every backup of the day before the newest one.
    """
    mine: dict[Path, int] = {}
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(BackupFailed), file.open("rb") as opened:
            facts = facts_of(opened, file.name)
            if facts.mark == mark_of(vault):
                mine[file] = facts.made_at
    gone = [each for each in mine if each not in staying(mine, kept)]
    for each in gone:
        each.unlink(missing_ok=True)
    return gone


def staying(made_at: dict[Path, int], kept: Kept) -> set[Path]:
    """Return the files that stay, of files with their instants (microseconds)."""
    newest_first = sorted(made_at, key=lambda each: (made_at[each], each.name), reverse=True)
    if not newest_first:
        return set()
    stay = {each for each in newest_first if made_at[each] > made_at[newest_first[0]] - DAY_MICROSECONDS}
    days: dict[str, Path] = {}
    weeks: dict[tuple[int, int], Path] = {}
    for each in newest_first:
        at = datetime.fromtimestamp(made_at[each] / 1_000_000, UTC)
        days.setdefault(f"{at:%Y-%m-%d}", each)
        weeks.setdefault(at.isocalendar()[:2], each)
    return stay | set(list(days.values())[: kept.days]) | set(list(weeks.values())[: kept.weeks])
