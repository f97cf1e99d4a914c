"""The checks behind readiness and start-up: one at a time, and one a second, for all callers together."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from server.domain.errors import NowServingError
from server.queries.message_tally import MessageTally
from server.queries.migrations import known, lacking, revision
from server.queries.reader import LookUp

KEPT_SECONDS = 1.0
PATIENCE_SECONDS = 3.0  # a database that is silent for longer has failed
WINDOW_SECONDS = 60.0
PREFIX = "degraded: "  # of the troubles that other parts report

Status = Literal["ok", "degraded", "failed"]


class Check(TypedDict):
    """The result of one check."""

    status: Annotated[Status, Field(description="A `degraded` part does not fail the whole.")]
    milliseconds: Annotated[float, Field(ge=0, description="The time that the part took to answer.")]
    detail: Annotated[
        str | None, Field(description="The finding in words, for this machine and with the token of the metrics only.")
    ]


class DependencyChecks:
    """Checks the database for all callers together, however many ask: anybody may ask for readiness.

    The workers' messages are judged by the ``tally``, which the housekeeping keeps: they cost no statement here.
    """

    def __init__(self, database: LookUp, tally: MessageTally) -> None:
        self._database = database
        self._tally = tally
        self._began = 0.0
        self._running: asyncio.Task[dict[str, Check]] | None = None
        self._started = False

    def prepare(self) -> None:
        """Read the migrations of this version, once. It takes a tenth of a second, which no request should wait for."""
        known()

    async def started(self) -> bool:
        """Return whether the database has ever answered with the tables of this version since the process began."""
        if not self._started:
            await self.results()
        return self._started

    async def results(self) -> dict[str, Check]:
        """Return the results by name. They are at most a second old, or the caller waits for new ones."""
        now = time.monotonic()
        if self._running is None or (self._running.done() and now - self._began >= KEPT_SECONDS):
            self._began = now
            self._running = asyncio.create_task(self._check())
        return await asyncio.shield(self._running)

    async def _check(self) -> dict[str, Check]:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                at = await revision(self._database)
        except Exception as error:  # a database may raise anything: the answer is that it failed
            milliseconds = round((time.perf_counter() - began) * 1000, 1)
            return {
                "database": {"status": "failed", "milliseconds": milliseconds, "detail": _told(error)},
                "migrations": checked("failed", "not read"),
                "messages": checked("degraded", "not counted"),
            }
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        tables, messages = _tables(at), self._messages()
        self._started = self._started or tables["status"] == "ok"
        return {
            "database": {"status": "ok", "milliseconds": milliseconds, "detail": None},
            "migrations": tables,
            "messages": messages,
        }

    def _messages(self) -> Check:
        health = self._tally.health
        return checked("degraded", "not counted yet") if health is None else troubled(health.trouble)


class Floods:
    """Counts the requests of each address in a minute, in this process alone: Redis would cost more than the answer."""

    def __init__(self, most: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._counts: Counter[str] = Counter()
        self._ends = 0.0

    def wait(self, address: str) -> int:
        """Count a request, and return 0; or the seconds after which the address may ask again."""
        now = self._seconds()
        if now >= self._ends:
            self._counts.clear()
            self._ends = now + WINDOW_SECONDS
        self._counts[address] += 1
        return 0 if self._counts[address] <= self._most else max(1, round(self._ends - now))


def checked(status: Status, detail: str | None = None) -> Check:
    """Return the result of a check that asks nobody."""
    return {"status": status, "milliseconds": 0.0, "detail": detail}


def troubled(trouble: str | None) -> Check:
    """Return the result for a part that goes on in spite of its ``trouble``, if it has any."""
    return checked("ok") if trouble is None else checked("degraded", trouble.removeprefix(PREFIX))


def _tables(at: str | None) -> Check:
    behind = lacking(at)
    if behind is None:
        # An upgrade has begun: migrations first add, so this server goes on until it is replaced.
        return checked("degraded", f"at {at}, of a newer version")
    return checked("failed", f"behind by {len(behind)}") if behind else checked("ok")


def _told(error: Exception) -> str:
    """Return the driver's own words where there are any: the statement and its links are no finding."""
    cause = error.__cause__ if isinstance(error, NowServingError) else error
    return str(getattr(cause, "orig", None) or cause or type(error).__name__)
