"""Which percentiles to promise, learnt from the promises of the last days.

If fewer than nine in ten promises held, the upper end moves to a higher rank among the possible futures, a small step for
each day. If too many calls came before the lower end, that moves to a lower one. There is one such shift for all promises of
a site, one more for each hour of the day, and one for the promises before the first call. All are bounded.

Pure; integers throughout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from server.domain.waits import FROM_RANK, PART, UNTIL_RANK, Ranks

# A row for each group of promises: the group, the shifts of both ranks in 1 / `PART` ranks, and the usual promises of a day,
# in 1 / `PART`, too.
Shifts = tuple[tuple[int, int, int, int], ...]

ALL = -1  # the group of all promises
BEFORE = -2  # the group of those before the first call; each other promise belongs to its hour
DAYS = {True: 24, False: 96}  # of all promises, and of a group: a shift follows about so many days
FEW = 10  # a group with so few promises a day moves half as fast
MOST_FROM, MOST_UNTIL = 15 * PART, 8 * PART


class Kept(NamedTuple):
    """A promise of a past day: its group, and whether the call came before its range, or by its end."""

    group: int
    early: bool
    held: bool


def after_day(shifts: Shifts, kept: Iterable[Kept]) -> Shifts:
    """Return the shifts after a day with these promises."""
    known = {row[0]: row[1:] for row in shifts}
    found: dict[int, list[Kept]] = {}
    for each in kept:
        found.setdefault(ALL, []).append(each)
        found.setdefault(each.group, []).append(each)
    for group, promises in found.items():
        count, days = len(promises), DAYS[group == ALL]
        start, end, usual = known.get(group, (0, 0, count * PART))
        usual += (count * PART - usual) // days
        weight = days * (usual + FEW * PART)
        start += (FROM_RANK * count - 100 * sum(each.early for each in promises)) * PART * PART // weight
        end += (UNTIL_RANK * count - 100 * sum(each.held for each in promises)) * PART * PART // weight
        known[group] = (_within(start, MOST_FROM), _within(end, MOST_UNTIL), usual)
    return tuple((group, *known[group]) for group in sorted(known))


def ranks(shifts: Shifts, group: int) -> Ranks:
    """Return the ranks for a promise of a group."""
    chosen = [row for row in shifts if row[0] in (ALL, group)]
    start, end = sum(row[1] for row in chosen), sum(row[2] for row in chosen)
    return Ranks(FROM_RANK * PART + _within(start, MOST_FROM), UNTIL_RANK * PART + _within(end, MOST_UNTIL))


def _within(shift: int, most: int) -> int:
    return max(-most, min(most, shift))
