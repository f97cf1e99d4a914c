"""What coverage is measured on: of a property's many examples the first ones, and of any test what it does first.

Measured, each takes three times as long, and what comes later reaches nothing more.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from coverage import Coverage

MEASURED_SECONDS = 0.2  # of this process's own work
P = ParamSpec("P")
T = TypeVar("T")

_paused: list[Coverage] = []


def measured_at_first(test: Callable[P, T], times: int) -> Callable[P, T]:
    """Return a test that is called again and again, and measured ``times`` times: see `measured_for_a_while`."""
    calls = 0

    @wraps(test)
    def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal calls
        calls += 1
        if calls > times:
            _pause()
        return test(*args, **kwargs)

    return counted


@contextmanager
def measured_for_a_while() -> Iterator[None]:
    """Leave off measuring once this process has worked for a while; go on at the end."""
    if Coverage.current() is None:
        yield
        return
    before = signal.signal(signal.SIGVTALRM, lambda *_: _pause())
    signal.setitimer(signal.ITIMER_VIRTUAL, MEASURED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        _resume()


def _pause() -> None:
    current = Coverage.current()
    if current is not None and not _paused:
        current.stop()
        _paused.append(current)


def _resume() -> None:
    while _paused:
        _paused.pop().start()
