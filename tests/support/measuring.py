"""What coverage is measured on: what each test does first.

Measured, it takes three times as long, and what comes later, a property's hundredth example, reaches nothing more.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from coverage import Coverage

MEASURED_SECONDS = 0.2  # of this process's own work


@contextmanager
def measured_for_a_while() -> Iterator[None]:
    """Leave off measuring once this process has worked for a while; go on at the end."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
    measuring = True

    def leave_off(*_: object) -> None:
        nonlocal measuring
        measuring = False
        coverage.stop()

    before = signal.signal(signal.SIGVTALRM, leave_off)
    signal.setitimer(signal.ITIMER_VIRTUAL, MEASURED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        if not measuring:
            coverage.start()
