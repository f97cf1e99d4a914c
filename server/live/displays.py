"""How the displays are that follow their streams in this process, and who is told of it.

A site's log is told only of transitions, and only of those that last: a screen that drops out and is back within two
seconds changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from server.domain.model import LAGS, Display
from server.live.stream import Stream

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
STEADY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a display is. ``connected`` is None in a process that it does not follow its stream in."""

    display_id: int
    connected: bool | None
    muted: bool | None
    version: str | None
    lag: int | None


Report = Callable[[Health], Awaitable[None]]


@dataclass(slots=True)
class _Known:
    """What this process knows of one display."""

    streams: dict[Stream, None] = field(default_factory=dict)
    followed: bool = False  # ever, here
    muted: bool | None = None
    version: str | None = None
    painted: int | None = None
    behind_since: float | None = None
    steady: tuple[Health, float] | None = None  # what is to be told, and since when it is so
    told: Health | None = None


class Displays:
    """Keeps the health of this process's displays, and has ``report`` tell the log of it. `run` it."""

    def __init__(self, report: Report, look_seconds: float = LOOK_SECONDS, steady_seconds: float = STEADY_SECONDS) -> None:
        self._report = report
        self._look_seconds = look_seconds
        self._steady_seconds = steady_seconds
        self._known: dict[int, _Known] = {}

    def joined(self, display_id: int, stream: Stream) -> None:
        """A display has opened a stream here."""
        known = self._known.setdefault(display_id, _Known())
        if not known.streams:
            known.told = None  # whoever had it before: now it is ours
            known.painted = known.behind_since = None
        known.streams[stream] = None
        known.followed = True

    def left(self, display_id: int, stream: Stream) -> None:
        """A display's stream here has ended."""
        self._known[display_id].streams.pop(stream, None)

    def painted(self, display_id: int, seq: int, muted: bool | None, version: str | None) -> None:
        """A display says that it shows everything up to ``seq``; and of its sound and its page, unless None."""
        known = self._known.setdefault(display_id, _Known())
        known.painted = max(seq, known.painted or 0)
        known.muted = known.muted if muted is None else muted
        known.version = known.version if version is None else version

    async def run(self) -> None:
        """Look after them until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            now = time.monotonic()
            for display_id, known in list(self._known.items()):
                health = self._health(display_id, known, now)
                if self._agrees(known, health):
                    known.steady = None
                    if not known.streams and known.told is not None:
                        del self._known[display_id]
                elif known.steady is None or known.steady[0] != health:
                    known.steady = (health, now)
                elif now - known.steady[1] >= self._steady_seconds:
                    await self._tell(known, health)

    def _health(self, display_id: int, known: _Known, now: float) -> Health:
        connected = bool(known.streams) if known.followed else None
        return Health(display_id, connected, known.muted, known.version, self._lag(known, now))

    def _lag(self, known: _Known, now: float) -> int | None:
        """Return for how long at least the display has not painted what it was sent, coarsely."""
        if known.painted is None or not known.streams:
            return None
        if all(stream.changed_at <= known.painted for stream in known.streams):
            known.behind_since = None
            return 0
        if known.behind_since is None:
            known.behind_since = now
        return max(lag for lag in LAGS if lag <= now - known.behind_since)

    def _agrees(self, known: _Known, health: Health) -> bool:
        """Return whether the log has it: what it was last told, and still says."""
        if known.told != health:
            return False
        for stream in known.streams:
            recorded: Display | None = stream.display
            return recorded is None or recorded.connected  # nobody else took it for gone
        return True

    async def _tell(self, known: _Known, health: Health) -> None:
        try:
            await self._report(health)
        except Exception as error:  # the next look tries again
            logger.warning("display not reported", display_id=health.display_id, error=repr(error))
            return
        known.told = health
        known.steady = None
