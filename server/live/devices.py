"""The health of the displays and kiosks that follow their streams in this process, and its reports to their sites' logs.

Only lasting transitions are reported: a screen that drops out and is back within two seconds changes nothing. A device
whose health keeps changing is reported less often, with its last health: each report is an event of the site's log.

A kiosk acknowledges every few seconds. A kiosk that falls silent counts as disconnected, long before its connection is cut:
reception learns of it within 25 seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from server.domain.model import LAGS, Printer
from server.live.stream import SESSION, Stream
from server.live.streams import Painted, StreamObserver

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
STEADY_SECONDS = 2.0
SILENT_SECONDS = 16.0  # of a kiosk; its page acknowledges every five seconds
REPORT_SECONDS = 30.0
REPORTS_AT_ONCE = 3  # then one in `REPORT_SECONDS`


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one device, ``subject``: ``display:812`` or ``kiosk:813``. None: this process does not know.

    ``connected`` is None in a process that has never had a stream of the device.
    """

    subject: str
    connected: bool | None = None
    muted: bool | None = None
    version: str | None = None
    lag: int | None = None
    printer: Printer | None = None

    @property
    def device_id(self) -> int:
        """The id of the device."""
        return int(self.subject.partition(":")[2])


Report = Callable[[Health], Awaitable[None]]


class Observable(Protocol):
    """Lets an observer see the streams of a process: `server.live.hub.Hub` is one."""

    def observe(self, observer: StreamObserver) -> None: ...


@dataclass(slots=True)
class _Known:
    """The facts that this process has about one device."""

    streams: dict[Stream, None] = field(default_factory=dict)
    followed: bool = False  # whether it has ever had a stream here
    muted: bool | None = None
    version: str | None = None
    printer: Printer | None = None
    painted: int | None = None
    heard_at: float = 0.0  # when it last opened a stream or acknowledged
    behind_since: float | None = None
    unreported: tuple[Health, float] | None = None  # a health that differs from the log, and the time since when
    reported: Health | None = None
    reports_until: float = 0.0  # the time until which the reports use up the allowance


class Devices:
    """Keeps the health of the devices that have streams in ``hub``, and calls ``report`` for the log. `run` it."""

    def __init__(
        self,
        hub: Observable,
        report: Report,
        look_seconds: float = LOOK_SECONDS,
        steady_seconds: float = STEADY_SECONDS,
        report_seconds: float = REPORT_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._report = report
        self._look_seconds = look_seconds
        self._steady_seconds = steady_seconds
        self._report_seconds = report_seconds
        self._silent_seconds = silent_seconds
        self._known: dict[str, _Known] = {}
        hub.observe(self)

    def joined(self, stream: Stream) -> None:
        """A stream has opened; those of devices count."""
        if not _is_own(stream) or stream.subject is None:
            return
        known = self._known.setdefault(stream.subject, _Known())
        known.heard_at = time.monotonic()
        if not known.streams:
            known.reported = None  # the device may come from another process: from now on this one reports
            known.painted = known.behind_since = None
        known.streams[stream] = None
        known.followed = True

    def left(self, stream: Stream) -> None:
        """A stream has closed; those of devices count."""
        if _is_own(stream) and stream.subject is not None:
            self._known[stream.subject].streams.pop(stream, None)

    def acknowledged(self, subject: str, painted: Painted) -> None:
        """A device has painted everything up to a number, and may report its health.

        A number above the last one that its streams can have shown counts as that one.
        """
        known = self._known.setdefault(subject, _Known())
        known.heard_at = time.monotonic()
        if known.streams:
            head = max(stream.projection.seq for stream in known.streams)
            known.painted = max(min(painted.seq, head), known.painted or 0)
        known.muted = known.muted if painted.muted is None else painted.muted
        known.version = known.version if painted.version is None else painted.version
        known.printer = known.printer if painted.printer is None else painted.printer

    async def run(self) -> None:
        """Report every health that differs from the log and lasts for the steady seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            now = time.monotonic()
            for subject, known in list(self._known.items()):
                health = self._health(subject, known, now)
                if self._is_in_log(known, health):
                    known.unreported = None
                    if not known.streams and known.reported is not None and now >= known.reports_until:
                        del self._known[subject]
                elif known.unreported is None or known.unreported[0] != health:
                    known.unreported = (health, now)
                elif now - known.unreported[1] >= self._steady_seconds and self._may_report(known, now):
                    await self._report_health(known, health)

    def _health(self, subject: str, known: _Known, now: float) -> Health:
        silent = subject.startswith("kiosk:") and now - known.heard_at >= self._silent_seconds
        connected = bool(known.streams) and not silent if known.followed else None
        return Health(subject, connected, known.muted, known.version, self._lag(known, now), known.printer)

    def _lag(self, known: _Known, now: float) -> int | None:
        """Return for how many seconds the device has been behind, rounded down to one of `LAGS`; None if not known."""
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
            recorded = stream.device
            return recorded is None or recorded.connected == bool(health.connected)
        return True

    def _may_report(self, known: _Known, now: float) -> bool:
        """Return whether the device has an allowance left: three reports at once, then one in `REPORT_SECONDS`."""
        return known.reports_until <= now + (REPORTS_AT_ONCE - 1) * self._report_seconds

    async def _report_health(self, known: _Known, health: Health) -> None:
        try:
            await self._report(health)
        except Exception as error:  # the next look tries again
            logger.warning("device not reported", device=health.subject, error=repr(error))
            return
        known.reported = health
        known.unreported = None
        known.reports_until = max(known.reports_until, time.monotonic()) + self._report_seconds


def _is_own(stream: Stream) -> bool:
    """Return whether a stream is that of a device itself. Staff who follow a display are no sign of its health."""
    return stream.device is not None and not stream.token.startswith(SESSION)
