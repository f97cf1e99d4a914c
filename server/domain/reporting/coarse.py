"""Durations in one byte each, so that the durations of a million patients are read, merged and counted in a moment.

A duration is rounded down to a step, and steps keep their order. So the rounded median of some durations is the median of
the rounded ones: no figure depends on when it was rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

SECOND = 1_000_000
MOST_DAYS = 255
# From this many seconds on, durations are rounded down to a multiple of the second number.
STEPS = ((0, 10), (600, 30), (3_600, 60), (7_200, 600), (21_600, 3_600))
LONGEST_SECONDS = 61_200  # this long, or longer


def _values() -> tuple[int, ...]:
    found: list[int] = []
    for (begin, step), end in zip(STEPS, [*(each for each, _ in STEPS[1:]), LONGEST_SECONDS], strict=True):
        found += range(begin, end, step)
    return (*found, LONGEST_SECONDS)


SECONDS = _values()  # by code
_BASES = tuple((begin, step, SECONDS.index(begin)) for begin, step in reversed(STEPS))


def code(microseconds: int) -> int:
    """Return the byte for a duration. A longer duration never has a smaller one."""
    seconds = max(0, microseconds) // SECOND
    if seconds >= LONGEST_SECONDS:
        return len(SECONDS) - 1
    for begin, step, base in _BASES:
        if seconds >= begin:
            return base + (seconds - begin) // step
    raise AssertionError("the steps begin at 0")


@dataclass(frozen=True, slots=True)
class Middle:
    """How many durations there are, their median, and the least one that nine in ten do not exceed; None without any."""

    count: int
    median: int | None
    p90: int | None


def middle(counts: Counter[int], values: tuple[int, ...] | range = SECONDS) -> Middle:
    """Return the figures of counted codes. ``values`` has the value of each code."""
    total = counts.total()
    if not total:
        return Middle(0, None, None)
    ranks = (total + 1) // 2, (9 * total + 9) // 10
    found: list[int] = []
    upto = 0
    for each in sorted(counts):
        upto += counts[each]
        while len(found) < len(ranks) and upto >= ranks[len(found)]:
            found.append(values[each])
    return Middle(total, found[0], found[1])


def counted(parts: Iterable[str]) -> Counter[int]:
    """Return how often each code occurs in some parts, which are bytes in hexadecimal digits."""
    return Counter(bytes.fromhex("".join(parts)))
