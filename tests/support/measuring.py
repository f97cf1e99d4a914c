"""Limits the measurement of coverage to the first moments of each test.

Measured code takes three times as long, and a property's hundredth example reaches no new code.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from coverage import Coverage

MEASURED_SECONDS = 0.2  # of CPU time of this process


@contextmanager
def measured_at_first() -> Iterator[None]:
    """Stop measuring after `MEASURED_SECONDS` of CPU time; resume at the end of the context."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
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
            spare_database_threads()  # the start traces all threads again


def spare_database_threads() -> None:
    """Do not trace the threads of aiosqlite: they run nothing of ours, and a database ends several at once.

    A traced thread has a greenlet. When several such threads end at once, CPython 3.11 can loop for ever: greenlet frees
    the first one in a pending call of the traced main thread, and the next pending call cannot begin before this one ends.
    """
    trace: Any = threading.gettrace()
    if trace is None or getattr(trace, "spares_databases", False):
        return

    def begin(frame: FrameType, event: str, argument: Any) -> Any:
        thread: Any = threading.current_thread()
        target = getattr(thread, "_target", None)
        if "aiosqlite" in f"{type(thread).__module__} {getattr(target, '__module__', '')}":
            sys.settrace(None)
            return None
        return trace(frame, event, argument)

    begin.spares_databases = True  # type: ignore[attr-defined]
    threading.settrace(begin)
