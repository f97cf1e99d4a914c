"""The health of the displays that follow their streams in this process, and its reports to their sites' logs.

Only lasting transitions are reported: a screen that drops out and is back within two seconds changes nothing. A display
whose health keeps changing is reported less often, with its last health: each report is an event of the site's log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from server.domain.model import LAGS, Display
from server.live.stream import Stream
from server.live.streams import StreamObserver

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
STEADY_SECONDS = 2.0
REPORT_SECONDS = 30.0
REPORTS_AT_ONCE = 3  # then one in `REPORT_SECONDS`


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one display. ``connected`` is None in a process that has never had a stream of it."""

    display_id: int
    connected: bool | None
    muted: bool | None
    version: str | None
    lag: int | None


Report = Callable[[Health], Awaitable[None]]


class Observable(Protocol):
    """Lets an observer see the streams of a process: `server.live.hub.Hub` is one."""

    def observe(self, observer: StreamObserver) -> None: ...


@dataclass(slots=True)
class _Known:
    """The facts that this process has about one display."""

    streams: dict[Stream, None] = field(default_factory=dict)
    followed: bool = False  # whether it has ever had a stream here
    muted: bool | None = None
    version: str | None = None
    painted: int | None = None
    behind_since: float | None = None
    unreported: tuple[Health, float] | None = None  # a health that differs from the log, and the time since when
    reported: Health | None = None
    reports_until: float = 0.0  # the time until which the reports use up the allowance


class Displays:
    """Keeps the health of the displays that have streams in ``hub``, and calls ``report`` for the log. `run` it."""

    def __init__(
        self,
        hub: Observable,
        report: Report,
        look_seconds: float = LOOK_SECONDS,
        steady_seconds: float = STEADY_SECONDS,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        self._report = report
        self._look_seconds = look_seconds
        self._steady_seconds = steady_seconds
        self._report_seconds = report_seconds
        self._known: dict[int, _Known] = {}
        hub.observe(self)

    def joined(self, stream: Stream) -> None:
        """A stream has opened; those of displays count."""
        display = stream.display
        if display is None:
            return
        known = self._known.setdefault(display.id, _Known())
        if not known.streams:
            known.reported = None  # the display may come from another process: from now on this one reports
            known.painted = known.behind_since = None
        known.streams[stream] = None
        known.followed = True

    def left(self, stream: Stream) -> None:
        """A stream has closed; those of displays count."""
        display = stream.display
        if display is not None:
            self._known[display.id].streams.pop(stream, None)

    def acknowledged(self, display_id: int, seq: int, muted: bool | None, version: str | None) -> None:
        """A display has painted everything up to ``seq``. None: it reports nothing about its sound, or its page.

        A number above the last one that its streams can have shown counts as that one.
        """
        known = self._known.setdefault(display_id, _Known())
        if known.streams:
            head = max(stream.projection.seq for stream in known.streams)
            known.painted = max(min(seq, head), known.painted or 0)
        known.muted = known.muted if muted is None else muted
        known.version = known.version if version is None else version

    async def run(self) -> None:
        """Report every health that differs from the log and lasts for the steady seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            now = time.monotonic()
            for display_id, known in list(self._known.items()):
                health = self._health(display_id, known, now)
                if self._is_in_log(known, health):
                    known.unreported = None
                    if not known.streams and known.reported is not None and now >= known.reports_until:
                        del self._known[display_id]
                elif known.unreported is None or known.unreported[0] != health:
                    known.unreported = (health, now)
                elif now - known.unreported[1] >= self._steady_seconds and self._may_report(known, now):
                    await self._report_health(known, health)

    def _health(self, display_id: int, known: _Known, now: float) -> Health:
        connected = bool(known.streams) if known.followed else None
        return Health(display_id, connected, known.muted, known.version, self._lag(known, now))

    def _lag(self, known: _Known, now: float) -> int | None:
        """Return for how many seconds the display has been behind, rounded down to one of `LAGS`; None if not known."""
        if known.painted is None or not known.streams:
            return None
        if all(stream.changed_at <= known.painted for stream in known.streams):
            known.behind_since = None
            return 0
        if known.behind_since is None:
            known.behind_since = now
        return max(lag for lag in LAGS if lag <= now - known.behind_since)

    def _is_in_log(self, known: _Known, health: Health) -> bool:
        """Return whether the log has this health: it is the last one reported, and no process has marked it dark since."""
        if known.reported != health:
            return False
        for stream in known.streams:
            recorded: Display | None = stream.display
            return recorded is None or recorded.connected
        return True

    def _may_report(self, known: _Known, now: float) -> bool:
        """Return whether the display has an allowance left: three reports at once, then one in `REPORT_SECONDS`."""
        return known.reports_until <= now + (REPORTS_AT_ONCE - 1) * self._report_seconds

    async def _report_health(self, known: _Known, health: Health) -> None:
        try:
            await self._report(health)
        except Exception as error:  # the next look tries again
            logger.warning("display not reported", display_id=health.display_id, error=repr(error))
            return
        known.reported = health
        known.unreported = None
        known.reports_until = max(known.reports_until, time.monotonic()) + self._report_seconds
