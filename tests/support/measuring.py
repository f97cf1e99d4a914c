"""Limits the measurement of coverage to the first moments of each test, in its main thread.

Measured code takes three times as long, and a property's hundredth example reaches no new code. A measured thread has a
greenlet. When several such threads end at once, CPython 3.11 can loop for ever: greenlet frees the first one in a pending
call of the traced main thread, and the next pending call cannot begin before this one ends.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from coverage import Coverage

MEASURED_SECONDS = 0.2  # of CPU time of this process


@contextmanager
def measured_at_first() -> Iterator[None]:
    """Stop measuring after `MEASURED_SECONDS` of CPU time; resume at the end of the context. Measure no new thread."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
    threading.settrace(None)
    measuring = True

    def stop_measuring(*_: object) -> None:
        nonlocal measuring
        measuring = False
        coverage.stop()

    before = signal.signal(signal.SIGVTALRM, stop_measuring)
    signal.setitimer(signal.ITIMER_VIRTUAL, MEASURED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        if not measuring:
            coverage.start()
