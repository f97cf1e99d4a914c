"""The figures of one process for people: `/health/metrics` and `/health/streams`."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias, TypedDict

from pydantic import Field

from server.installation.places import disk_space
from server.live.hub import Hub
from server.live.redis_bus import RedisBus
from server.queries.message_tally import MessageTally
from server.queries.reader import Pooled
from server.transport.http.fields import Count
from server.transport.http.metrics import Metrics

# A figure of another part: the number, or the reason for which it is unknown.
Figure: TypeAlias = Callable[[], float | str]
Seconds = Annotated[float, Field(ge=0)]


class _Requests(TypedDict):
    answered: Annotated[Count, Field(description="Requests since the start, without streams.")]
    failed: Annotated[Count, Field(description="Requests with a status of 500 or more.")]
    success_rate: Annotated[float | None, Field(ge=0, le=1, description="The share of the others.")]
    p50_seconds: Annotated[Seconds | None, Field(description="Half of the requests took at most so long.")]
    p99_seconds: Annotated[Seconds | None, Field(description="99 of 100 requests took at most so long.")]


class _Pool(TypedDict):
    size: Annotated[Count, Field(description="Connections that stay open.")]
    overflow: Annotated[Count, Field(description="Further connections that may open.")]
    in_use: Count
    waited: Annotated[Count, Field(description="Times that work waited for a connection.")]


class _Bus(TypedDict):
    kind: Annotated[str, Field(description="`redis`, or `memory` in a single process.")]
    healthy: bool
    dropped: Annotated[Count, Field(description="Messages that the bus did not take.")]
    gaps: Annotated[Count, Field(description="Times that the bus connected again.")]


class _Streams(TypedDict):
    open: Count
    paused: Count
    lag_seconds: Annotated[float, Field(description="Seconds by which the check of the feeds is overdue.")]


class ProcessFigures(TypedDict):
    """The figures of one process. An unknown figure is null."""

    uptime_seconds: Seconds
    requests: _Requests
    pool: _Pool
    bus: _Bus
    streams: _Streams
    cache_hit_rate: Annotated[
        float | None, Field(ge=0, le=1, description="The share of past days whose sums the cache had, since the start.")
    ]
    sweep_age_seconds: Annotated[Seconds | None, Field(description="Since the last finished sweep of the messages.")]
    beat_age_seconds: Annotated[Seconds | None, Field(description="Since beat last woke a worker.")]
    messages_late: Annotated[int | None, Field(ge=0, description="Messages due for more than five minutes.")]
    disk_free_bytes: Annotated[int | None, Field(ge=0, description="Free bytes where the data lie.")]
    disk_total_bytes: Annotated[int | None, Field(ge=0)]
    memory_bytes: Annotated[int | None, Field(ge=0, description="The resident memory of this process.")]
    memory_available_bytes: Annotated[int | None, Field(ge=0, description="The memory that the machine has left.")]
    backup_age_seconds: Annotated[Seconds | None, Field(description="Since the last verified backup.")]
    archive_age_seconds: Annotated[Seconds | None, Field(description="Since the newest record of the archive.")]
    certificate_seconds: Annotated[float | None, Field(description="Until the certificate ends; negative after its end.")]
    unknown: Annotated[dict[str, str], Field(description="By the name of each figure that is null: the reason.")]


class _Open(TypedDict):
    view: str
    transport: str
    streams: Annotated[int, Field(ge=1)]


class _Closed(TypedDict):
    view: str
    reason: Annotated[str, Field(description="`left`, `slow`, or the reason of the last message.")]
    streams: Annotated[int, Field(ge=1)]


class StreamFigures(TypedDict):
    """The streams of one process."""

    open: Annotated[list[_Open], Field(description="The open streams, by view and transport.")]
    paused: Annotated[Count, Field(description="Open streams whose reader takes nothing.")]
    closed: Annotated[list[_Closed], Field(description="The streams that ended since the start, by view and reason.")]
    lag_seconds: Annotated[float, Field(description="Seconds by which the check of the feeds is overdue.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Puts the figures together. They are read from memory: no request asks the database.

    ``folder`` is the folder of an embedded database, if there is one. Other parts give their own figures as functions.
    """

    metrics: Metrics
    hub: Hub
    database: Pooled
    tally: MessageTally
    folder: Path | None
    backup_age: Figure
    archive_age: Figure
    certificate: Figure
    cache_hit_rate: Figure
    _began: float = field(default_factory=time.monotonic)

    def of_process(self) -> ProcessFigures:
        """Return the figures for `/health/metrics`."""
        unknown: dict[str, str] = {}

        def known(name: str, found: float | str) -> float | None:
            if isinstance(found, str):
                unknown[name] = found
                return None
            return round(found, 3)

        def whole(name: str, found: int | str) -> int | None:
            number = known(name, found)
            return None if number is None else int(number)

        pool, bus, streams = self.database.pool, self.hub.bus, self.hub.streams()
        answered, failed = self.metrics.answered()
        health = self.tally.health
        not_counted = "not counted yet"
        free, total = self._disk()
        resident, available = _memory()
        no_beat = "beat is not needed without Redis" if not isinstance(bus, RedisBus) else "beat has not been seen"
        swept = not_counted if health is None else _seconds(health.swept, "no sweep has finished yet")
        woken = not_counted if health is None else _seconds(health.beat, no_beat)
        none = "no request has been answered yet"
        return {
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "requests": {
                "answered": answered,
                "failed": failed,
                "success_rate": known("requests.success_rate", 1 - failed / answered if answered else none),
                "p50_seconds": known("requests.p50_seconds", self.metrics.quantile(0.5) or none),
                "p99_seconds": known("requests.p99_seconds", self.metrics.quantile(0.99) or none),
            },
            "pool": {"size": pool.size, "overflow": pool.overflow, "in_use": pool.in_use, "waited": pool.waited},
            "bus": {
                "kind": "redis" if isinstance(bus, RedisBus) else "memory",
                "healthy": bus.healthy,
                "dropped": bus.dropped if isinstance(bus, RedisBus) else 0,
                "gaps": bus.gaps if isinstance(bus, RedisBus) else 0,
            },
            "streams": {
                "open": len(streams),
                "paused": sum(each.paused for each in streams),
                "lag_seconds": round(self.hub.lag_seconds, 3),
            },
            "cache_hit_rate": known("cache_hit_rate", self.cache_hit_rate()),
            "sweep_age_seconds": known("sweep_age_seconds", swept),
            "beat_age_seconds": known("beat_age_seconds", woken),
            "messages_late": whole("messages_late", not_counted if health is None else health.late),
            "disk_free_bytes": whole("disk_free_bytes", free),
            "disk_total_bytes": whole("disk_total_bytes", total),
            "memory_bytes": whole("memory_bytes", resident),
            "memory_available_bytes": whole("memory_available_bytes", available),
            "backup_age_seconds": known("backup_age_seconds", self.backup_age()),
            "archive_age_seconds": known("archive_age_seconds", self.archive_age()),
            "certificate_seconds": known("certificate_seconds", self.certificate()),
            "unknown": unknown,
        }

    def of_streams(self) -> StreamFigures:
        """Return the figures for `/health/streams`."""
        streams = self.hub.streams()
        opened = Counter((each.view_kind, each.transport) for each in streams)
        return {
            "open": [
                {"view": view, "transport": transport, "streams": count}
                for (view, transport), count in sorted(opened.items())
            ],
            "paused": sum(each.paused for each in streams),
            "closed": [
                {"view": view, "reason": reason, "streams": count}
                for (view, reason), count in sorted(self.hub.closed.items())
            ],
            "lag_seconds": round(self.hub.lag_seconds, 3),
        }

    def _disk(self) -> tuple[int | str, int | str]:
        if self.folder is None:
            reason = "the data lie on the database server"
            return reason, reason
        return disk_space(self.folder) or ("the disk cannot be read",) * 2


def _seconds(microseconds: int | None, otherwise: str) -> float | str:
    return otherwise if microseconds is None else microseconds / 1_000_000


def _memory() -> tuple[int | str, int | str]:
    """Return the resident memory of this process, and the available memory of the machine, as Linux tells them."""
    resident: int | str = "this system does not tell"
    available: int | str = "this system does not tell"
    with suppress(OSError, ValueError, IndexError):
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        (line,) = (each for each in lines if each.startswith("MemAvailable:"))
        available = int(line.split()[1]) * 1024
    return resident, available
