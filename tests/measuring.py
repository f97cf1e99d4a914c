"""What coverage is measured on: of a property's many examples the first ones. Measured, each takes three times as long."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from coverage import Coverage

P = ParamSpec("P")
T = TypeVar("T")

_paused: list[Coverage] = []


def measured_at_first(test: Callable[P, T], times: int) -> Callable[P, T]:
    """Return a test that is called again and again, and measured ``times`` times; `resume` is for whoever runs tests."""
    calls = 0

    @wraps(test)
    def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal calls
        calls += 1
        if calls > times:
            _pause()
        return test(*args, **kwargs)

    return counted


def _pause() -> None:
    current = Coverage.current()
    if current is not None and not _paused:
        current.stop()
        _paused.append(current)


def resume() -> None:
    """Go on measuring, if it was left off."""
    while _paused:
        _paused.pop().start()
