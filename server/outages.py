"""Notices an outage of the whole installation, and asks staff about the calls and services from before it.

The fact is in the database: the last sign of life of any server process (`server.store.processes`). A rolling restart, a
killed process beside another one, and a short restart leave no gap of `LEAST_OUTAGE`. A clock that was set is no outage: a
process that was alive itself measures with the steady clock, and one that starts has the trusted time.
"""

from __future__ import annotations

from contextlib import suppress

import structlog

from server.clock import BOOT_MICROSECONDS, TOLERANCE_MICROSECONDS
from server.domain.commands import NoteOutage
from server.domain.errors import CommandIdReused, NothingDue, NowServingError
from server.domain.model import LEAST_OUTAGE
from server.execute import Executor
from server.store import processes, sites
from server.store.database import Database
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)


class OutageWatch:
    """Looks for an outage, in one server process. Call `look` before each sign of life that the process records."""

    def __init__(self, database: Database, executor: Executor, heartbeat_seconds: float) -> None:
        self._database = database
        self._executor = executor
        # The last sign of life is up to one heartbeat older than the end of the work.
        self._least = LEAST_OUTAGE + round(heartbeat_seconds * 1_000_000)
        self._alive_at: int | None = None  # the last look, by the steady clock
        self._started_at = 0  # the first one
        self._heard_before: int | None = None  # the last sign of life before it
        self._offset = 0  # of the trusted time, at the last look
        self._noted: int | None = None  # the begin of the last outage that is noted
        self._pending: tuple[int, int] | None = None  # an outage that a site could not note
        self._fault = Outage(logger, "staff of a site cannot be asked about calls from before an outage")

    async def begin(self) -> None:
        """Look before the first request, so that no screen shows an old call as a present one.

        Without the database no screen shows anything yet, and the next `look` finds the outage.
        """
        with suppress(NowServingError):
            await self.look()

    async def look(self) -> None:
        """Look for an outage until now; if there was one, ask the staff of every site. Raises `Unavailable`."""
        now = await self._database.now()
        async with self._database.read() as connection:
            heard_at = await processes.last_heard(connection)
        steady = self._database.clock.steady()
        found = self._pending or (None if heard_at is None else self._outage(heard_at, now, steady))
        if found is not None:
            self._pending = None if await self._note(*found) else found
            self._noted = found[0]
        if self._alive_at is None:
            self._started_at, self._heard_before = steady, heard_at
        self._alive_at, self._offset = steady, self._database.clock.offset

    def _outage(self, heard_at: int, now: int, steady: int) -> tuple[int, int] | None:
        """Return the begin and the end of an outage (trusted time), or None."""
        if self._alive_at is not None and steady - self._alive_at < self._least:  # this process itself was alive
            if not self._is_put_right(steady) or self._heard_before is None:
                return None
            heard_at, now = self._heard_before, self._started_at + self._database.clock.offset
        return (heard_at, now) if now - heard_at >= self._least and heard_at != self._noted else None

    def _is_put_right(self, steady: int) -> bool:
        """Return whether NTP has just set the clock of a machine that started with a wrong time.

        The process then knows only now for how long nobody was alive before its start.
        """
        moved = self._database.clock.offset - self._offset
        return abs(moved) > TOLERANCE_MICROSECONDS and steady < BOOT_MICROSECONDS + self._least

    async def _note(self, offline_from: int, offline_until: int) -> bool:
        """Ask the staff of every site that has a patient at a point; return whether every site could be asked.

        Of several processes, one succeeds for each site.
        """
        async with self._database.read() as connection:
            busy = await sites.with_guests(connection)
        asked, complete = 0, True
        for site_id in busy:
            command = NoteOutage(site_id=site_id, offline_from=offline_from, offline_until=offline_until)
            try:
                answer = await self._executor.execute(command, actor="clock", command_id=f"outage:{offline_from}")
                asked += 0 if answer.repeated else len(answer.body["events"])
            except (NothingDue, CommandIdReused):
                pass  # only newer calls, or another process was first
            except NowServingError:
                raise
            except Exception as error:  # one site must not keep the others back
                complete = False
                self._fault.failed(site_id=site_id, exc_info=error)
        if complete:
            self._fault.ended()
        seconds = (offline_until - offline_from) // 1_000_000
        logger.warning("no server worked for a while: staff are asked about old calls", seconds=seconds, calls=asked)
        return complete
