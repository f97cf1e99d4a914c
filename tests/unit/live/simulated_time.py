"""An event loop whose time passes only while nothing is ready: a test of seconds is as exact on a busy machine."""

from __future__ import annotations

import asyncio
import selectors
import time


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """An event loop for tests without other processes and networks.

    While it runs, `time.monotonic` returns its time too. When nothing is ready, the time is at once that of the next timer.
    """

    def __init__(self) -> None:
        self._now = 1_000.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, as if the caller worked for so long."""
        self._now += seconds

    def run_forever(self) -> None:
        real = time.monotonic
        time.monotonic = self.time
        try:
            super().run_forever()
        finally:
            time.monotonic = real


class _Selector(selectors.DefaultSelector):
    """A selector that waits for no timer."""

    def __init__(self, loop: SimulatedTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop.pass_seconds(timeout)
        return ready
