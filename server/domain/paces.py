"""How fast each clinician works now, beside the usual pace of a queue.

A duration becomes its binary logarithm, so a doctor who takes half as long again has the same pace for short and for long
services. Each of `PACES` ways to follow a pace predicts every service before it ends:

- none: everybody has the usual pace;
- slow: a clinician has a pace of the own, the same on all days;
- medium and fast: the pace moves within a day, and starts from the slow one on each day.

Their errors say which way suits the queue; a quicker way must be clearly better, since it is less sure of each pace. The
known durations of a queue are divided by the pace that was predicted. So they have the spread that predictions really have.

Pure; integers throughout. Logarithms count 1 / `ONE` of a doubling.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from math import isqrt

from server.domain.waits import FUTURES, PLAIN, level_of

# The first row of a queue: the level of its durations, their count, their mean when divided by the predicted pace, and the
# mean square error of each way. Each other row:
# a clinician (or a point, as a negative number), the day and the count of services, and the pace by each way but the first.
Paces = tuple[tuple[int, ...], ...]

ONE = 1 << 16
MOST = 3 * ONE // 2  # a longer way from the prediction counts as so much: no-shows, and forgotten patients
FURTHEST = 6 * ONE  # a pace is at most 64 times the usual one: a faster one is no service
KEPT = 32  # clinicians of a queue
MEMORY = 1024  # services that tell the errors of the ways
MEAN_MEMORY = 4096  # and those of the mean
DOUBT = 8  # a clinician's first services count as if so many usual ones came before
GAINS = (128, 16, 6)  # the last so many services weigh most, by each way but the first
BETTER = 20  # a quicker way is better by 1 / 20 at least
_NONE = (0,) * 7
FIRST = 3  # the place of the first error
_STEP = 256  # the steps of the table of powers within a doubling


def _root(number: int) -> int:
    for _ in range(_STEP.bit_length() - 1):
        number = isqrt(number)
    return number


_POWERS = tuple(_root(1 << (24 * _STEP + step)) for step in range(_STEP))  # 2 ** (24 + step / _STEP)


def logarithm(duration: int) -> int:
    """Return the binary logarithm of a positive number."""
    whole = duration.bit_length() - 1
    part = bisect_right(_POWERS, (duration << 24) >> whole) - 1
    return (whole * _STEP + part) * (ONE // _STEP)


def times(value: int, log: int) -> int:
    """Return a value multiplied by two to the power of ``log``."""
    whole, part = divmod(log * _STEP // ONE, _STEP)
    found = value * _POWERS[part]
    return found >> (24 - whole) if whole <= 24 else found << (whole - 24)


def learn(paces: Paces, who: int, day: int, duration: int) -> tuple[Paces, int]:
    """Return the paces after one more service by ``who``, and its duration divided by the predicted pace."""
    first, *rows = paces or (_NONE,)
    level, count, mean, *errors = first
    row = next((each for each in rows if each[0] == who), (who, day, *_NONE[:4]))
    found = logarithm(max(1, duration))
    level = level if count else found
    before = _of_day(row, day)
    way = _best(first)
    misses = [max(-MOST, min(MOST, found - level - pace)) for pace in (0, *before)]
    weight = min(count, MEMORY - 1) + 1
    errors = [error + (miss * miss - error) // weight for error, miss in zip(errors, misses, strict=True)]
    level += misses[0] // weight
    served = min(row[2] + 1, GAINS[0])
    gains = (served + DOUBT, *GAINS[1:])
    moved = [pace + miss // gain for pace, miss, gain in zip(before, misses[1:], gains, strict=True)]
    after = [max(-FURTHEST, min(FURTHEST, pace)) for pace in moved]
    others = [each for each in rows if each[0] != who]
    mine = (who, day, served, *after)
    normal = duration if way == 0 else times(duration, -before[way - 1])
    mean += (normal - mean) // (count + 1)
    return ((level, min(count + 1, MEAN_MEMORY), mean, *errors), *(*others, mine)[-KEPT:]), normal


def touched(paces: Paces, who: int) -> Paces:
    """Return the rows that a service by ``who`` changes, as they are before it."""
    return paces[:1] + tuple(row for row in paces[1:] if row[0] == who)


def unlearn(paces: Paces, before: Paces, who: int, day: int, duration: int) -> Paces:
    """Return the paces without a service, of which `touched` gave ``before``. A row that later services changed stays."""
    after, _ = learn(before, who, day, duration)
    former = dict(zip((after[0], after[-1]), (*before, (), ())[:2], strict=True))
    return tuple(row for row in (former.get(each, each) for each in paces) if row)


def mean_of(paces: Paces) -> int:
    """Return the mean of the durations divided by the pace; 0 while it is not known better than from the last ones."""
    return paces[0][2] if paces and paces[0][1] >= MEMORY else 0


def pace_of(paces: Paces, who: int, day: int) -> tuple[int, int]:
    """Return the present pace of ``who``, and its standard error."""
    if not paces:
        return 0, 0
    way = _best(paces[0])
    if way == 0:
        return 0, 0
    row = next((each for each in paces[1:] if each[0] == who), (who, day, *_NONE[:4]))
    gain = row[2] + DOUBT if way == 1 else GAINS[way - 1]
    return _of_day(row, day)[way - 1], isqrt(paces[0][FIRST + way] // gain)


@lru_cache(maxsize=256)
def factors(pace: int, doubt: int, stream: int) -> tuple[int, ...]:
    """Return in each future how long a point takes, in `PLAIN` parts of the usual duration."""
    found = []
    for future in range(FUTURES):
        chance = sum(level_of(f"pace {part}", stream, future) for part in range(4)) - 2 * (FUTURES - 1)
        found.append(max(1, times(PLAIN, pace + doubt * chance // 57)))  # the sum of four levels has the deviation 57
    return tuple(found)


def _of_day(row: tuple[int, ...], day: int) -> tuple[int, ...]:
    """Return the pace of a clinician by each way but the first. What was true of another day alone is forgotten."""
    return row[3:] if row[1] == day else (row[3],) * len(GAINS)


def _best(first: tuple[int, ...]) -> int:
    way = 0
    for other in range(1, len(GAINS) + 1):
        if first[FIRST + other] < first[FIRST + way] - first[FIRST + way] // BETTER:
            way = other
    return way
