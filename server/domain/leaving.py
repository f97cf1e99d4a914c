"""When a waiting patient gives up and leaves the line: how many of the last days' patients did, by the time they had waited.

Pure; integers throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from server.domain.paces import ONE, logarithm
from server.domain.waits import FUTURES, STAY_STEP

SECOND = 1_000_000
AGES = (0, 1200, 2700)  # seconds of waiting: those who have waited long leave more seldom, or more often
STEPS = AGES[-1] * SECOND // STAY_STEP + 1
USUAL = 2  # each age counts as if so many patients had left as often as those of all ages
LONG_STAY = 40 * 3600  # seconds of waiting for each patient who leaves: with more, too few leave to matter
NEVER = 30 * 86_400 * SECOND
LN2 = 45_426  # the natural logarithm of 2, in parts of `ONE`

Leaves = tuple[int, ...]  # of a day, for each of `AGES`: how many left, and the seconds that all patients waited


def counted(waits: Iterable[tuple[int, bool]]) -> Leaves:
    """Return the leaves of a day with these waits in seconds, each with whether the patient left."""
    found = [0] * (2 * len(AGES))
    for waited, left in waits:
        for at, (begin, end) in enumerate(zip(AGES, (*AGES[1:], NEVER), strict=True)):
            found[2 * at] += left and begin <= waited < end
            found[2 * at + 1] += max(0, min(waited, end) - begin)
    return tuple(found)


def stays(days: Sequence[Leaves]) -> tuple[tuple[int, ...], ...]:
    """Return in how long a patient leaves, for each time already waited: `FUTURES` equally likely values, least first.

    Empty if hardly anybody leaves.
    """
    sums = tuple(map(sum, zip(*days, strict=True)))
    left, waited = sum(sums[::2]), sum(sums[1::2])
    return _stays(sums) if 0 < waited < left * LONG_STAY else ()


@lru_cache(maxsize=64)
def _stays(sums: Leaves) -> tuple[tuple[int, ...], ...]:
    left, waited = sum(sums[::2]), sum(sums[1::2])
    rates = [
        ((count + USUAL) * left, seconds * left + USUAL * waited)
        for count, seconds in zip(sums[::2], sums[1::2], strict=True)
    ]
    ages = [step * STAY_STEP // SECOND for step in range(STEPS)]
    whole = logarithm(2 * FUTURES)
    risks = [(whole - logarithm(2 * (FUTURES - level) - 1)) * LN2 >> 16 for level in range(FUTURES)]
    return tuple(tuple(_until(risk, age, rates) for risk in risks) for age in ages)


def _until(risk: int, age: int, rates: Sequence[tuple[int, int]]) -> int:
    """Return after which time (microseconds) a patient who has waited ``age`` seconds has had a risk, in parts of `ONE`."""
    at = age
    for (count, seconds), end in zip(rates, (*AGES[1:], NEVER), strict=True):
        if end <= at:
            continue
        most = (end - at) * ONE * count // seconds
        if risk <= most:
            return (at - age) * SECOND + risk * seconds * SECOND // (count * ONE)
        risk -= most
        at = end
    return NEVER
