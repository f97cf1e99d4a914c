"""What a point may do in the rest of the day: each possible future replays one of the last days.

All points replay the same day in one future, as far as that day agrees with the present one. A point that has not called
although patients wait begins later than now; so a day on which it began earlier does not agree. Nor does a day with more
or fewer breaks by this time, or one whose break was shorter than the present one already is. In place of such a day a future
replays another day of this point. If no day agrees, the present state lasts longer than ever: see the tail of `levels`.

Pure; integers throughout. Arguments are seconds after the begin of the business day, results microseconds after ``now``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from server.domain.model.habits import GOING_ON, NO_MORE, SECOND, Day, Habits, PointDay
from server.domain.waits import FUTURES, Breaks, levels

USUAL_BREAKS = (300, 600, 900, 1200, 1800, 2700, 3600)  # of a point without a known break, in seconds
LEAST_SCALE = 60  # of a tail, in seconds
WORK_DAY = 86_400  # no point that has gone home comes back
NEAR = 2700  # breaks so near to each other are the same one, in seconds
FEW = 4  # fewer days that agree tell too little
SITES = 64  # whose last days a process remembers, see `_Memory`
_FIRST_BREAK = 3  # the place of the first break in the day of a point


@dataclass(frozen=True, slots=True)
class Prospect:
    """In each future, the time from which a point may call, and its breaks after that, in order.

    Without ``begins`` it may call from now on, without ``breaks`` it takes none.
    """

    begins: tuple[int, ...] = ()
    breaks: tuple[Breaks, ...] = ()


def usual_begin(point_id: int, past: Sequence[Day]) -> int | None:
    """Return the usual time of a point's first call of a day: the median. None if too few days have one."""
    known = sorted(day[1] for day in _of_point(point_id, past) if day)
    return known[(len(known) - 1) // 2] if len(known) >= FEW and 2 * len(known) >= len(past) else None


def begun_late(habits: Habits, day: PointDay) -> int:
    """Return how much later than usual a point began a day (microseconds); 0 if it did not."""
    usual = usual_begin(day[0], habits.past)
    return 0 if usual is None else max(0, day[1] - usual) * SECOND


def beginning(point_id: int, past: Sequence[Day], now: int, waiting_since: int | None) -> Prospect:
    """Return the prospect of an open point that has not called today. Patients wait for it since ``waiting_since``."""
    days = [day if day and day[2] else None for day in _of_point(point_id, past)]  # else it began then, or before
    known = sorted(day[1] for day in days if day)
    if waiting_since is not None:
        days = [day if day and day[1] > now else None for day in days]
    spread = max(LEAST_SCALE, sum(known) // len(known) - known[0]) if known else LEAST_SCALE
    if any(days):
        replayed = _replayed(days)
        floor = known[0] - spread // len(known)
        begins = _smooth([day[1] for day in replayed], floor if waiting_since is None else max(now, floor), spread)
        begins = [max(0, each - now * SECOND) for each in begins]
        return Prospect(tuple(begins), _coming(replayed, now))
    if waiting_since is None:
        return Prospect()
    # It begins later than ever: the longer the patients have waited, the longer they will.
    overdue = now - max(waiting_since, known[-1] if known else waiting_since)
    return Prospect(tuple(levels([0], (spread + max(0, overdue)) * SECOND)))


def opening(point_id: int, past: Sequence[Day], now: int) -> Prospect | None:
    """Return the prospect of a closed point that has not called today. None unless it usually begins at a later time."""
    days = [day for day in _of_point(point_id, past) if day]
    later = [day for day in days if day[1] > now]
    if len(later) < FEW or 2 * len(days) < len(past):
        return None
    return beginning(point_id, [((day,), ()) for day in later], now, now)


def closed(day: PointDay, past: Sequence[Day], now: int) -> Prospect | None:
    """Return the prospect of a closed point that has called today. None unless it usually opens again after such a break."""
    days = [known for known in _of_point(day[0], past) if known]
    same = [
        known for known in days if _breaks(known) and _near(known, day[-2]) and _length_near(known, day[-2]) > now - day[-2]
    ]
    if day[-1] != GOING_ON or len(same) < FEW or 2 * len(same) < len(days):
        return None
    return resting(day, past, now, occupied=False)


def resting(day: PointDay, past: Sequence[Day], now: int, *, occupied: bool) -> Prospect:
    """Return the prospect of a point on a break, which begins only when its patient leaves if it is ``occupied``.

    The break of another day that was nearest to it in the day tells how long it lasts.
    """
    began = day[-2]
    elapsed = 0 if occupied else max(0, now - began)
    days = [known if known and _breaks(known) else None for known in _of_point(day[0], past)]
    lengths = sorted(end - begin for known in days if known for begin, end in _breaks(known)) or list(USUAL_BREAKS)
    scale = max(LEAST_SCALE, sum(lengths) // len(lengths) // 2) + max(0, elapsed - lengths[-1])
    same = [known if known and _length_near(known, began) > elapsed else None for known in days]
    if sum(map(bool, same)) >= FEW:
        replayed = _replayed(same)
        left = _smooth([_length_near(each, began) for each in replayed], elapsed, scale)
    else:
        replayed = _replayed(days) if any(days) else []
        longer = [each * SECOND for each in lengths if each > elapsed]
        found = levels([elapsed * SECOND, *longer], scale * SECOND)
        left = [found[(future * 61) % FUTURES] for future in range(FUTURES)]  # in another order than the days
    return Prospect(tuple(each - elapsed * SECOND for each in left), _coming(replayed, now) if replayed else ())


def working(day: PointDay, past: Sequence[Day], now: int) -> Prospect:
    """Return the prospect of an open point that has called today: its breaks to come.

    A day agrees if the point had taken as many breaks by this time. Without enough such days, nearly as many will do.
    """
    taken = len(_breaks(day))
    days = _of_point(day[0], past)
    if not any(known and len(known) > _FIRST_BREAK for known in days):
        return Prospect()
    # Between two breaks of the last days the same days agree.
    memory = _memory(past)
    begins = memory.begins.get(day[0])
    if begins is None:
        begins = memory.begins[day[0]] = sorted({begin for known in days if known for begin, _ in _breaks(known)})
    key = day[0], taken, bisect_right(begins, now)
    if key not in memory.agree:
        memory.agree[key] = _agree(days, taken, now)
    return Prospect(breaks=_coming(memory.agree[key], now))


def _agree(days: Sequence[PointDay | None], taken: int, now: int) -> list[PointDay]:
    """Return the day that each future replays, of those with about as many breaks ``taken`` by now."""
    distances = [None if known is None else abs(sum(begin <= now for begin, _ in _breaks(known)) - taken) for known in days]
    near = sorted(each for each in distances if each is not None)
    most = near[min(len(near), max(FEW, len(near) // 4)) - 1]
    agree = [
        known if distance is not None and distance <= most else None for known, distance in zip(days, distances, strict=True)
    ]
    return _replayed(agree)


class _Memory:
    """What has been found out about the last days of a site: they change once a day.

    It is a memory of work that was done: without it, the same is found out again.
    """

    __slots__ = ("agree", "begins", "days", "past")

    def __init__(self, past: Sequence[Day]) -> None:
        self.past = past
        self.days: dict[int, list[PointDay | None]] = {}
        self.begins: dict[int, list[int]] = {}
        self.agree: dict[tuple[int, int, int], list[PointDay]] = {}


_MEMORIES: dict[int, _Memory] = {}


def _memory(past: Sequence[Day]) -> _Memory:
    """Return the memory of some days: of this very object, because to compare all of them would cost more."""
    found = _MEMORIES.get(id(past))
    if found is None or found.past is not past:
        found = _Memory(past)
        if isinstance(past, tuple):  # else it may change
            if len(_MEMORIES) >= SITES:
                _MEMORIES.clear()
            _MEMORIES[id(past)] = found
    return found


def _of_point(point_id: int, past: Sequence[Day]) -> list[PointDay | None]:
    """Return the last days of a point; None for a day on which it did not call. Do not change the list."""
    memory = _memory(past)
    if point_id not in memory.days:
        memory.days[point_id] = _ended([next((day for day in points if day[0] == point_id), None) for points, _ in past])
    return memory.days[point_id]


def _ended(days: Sequence[PointDay | None]) -> list[PointDay | None]:
    """Return the days of a point that closes for the day while patients wait: it also does so when nobody waits.

    A point that otherwise goes on would do so on a day with patients.
    """
    known = [day[-1] for day in days if day]
    leaves = 4 * known.count(GOING_ON) >= len(known)
    return [day if day is None or day[-1] != NO_MORE else (*day[:-1], GOING_ON) if leaves else day[:-2] for day in days]


@lru_cache(maxsize=8192)
def _breaks(day: PointDay) -> tuple[tuple[int, int], ...]:
    """Return the begin and the end of each break of a day that ended on that day."""
    pairs = zip(day[_FIRST_BREAK::2], day[_FIRST_BREAK + 1 :: 2], strict=True)
    return tuple(each for each in pairs if each[1] != GOING_ON)


def _near(day: PointDay, time: int) -> bool:
    """Return whether a day has a break that began about a time of the day."""
    return any(abs(begin - time) <= NEAR for begin, _ in _breaks(day))


def _length_near(day: PointDay, time: int) -> int:
    """Return the length of the break that began nearest to a time of the day. The day has one."""
    begin, end = min(_breaks(day), key=lambda each: abs(each[0] - time))
    return end - begin


def _replayed(days: Sequence[PointDay | None]) -> list[PointDay]:
    """Return the day that each future replays: its own, or in place of None one of the others in turn."""
    agree = [day for day in days if day]
    if len(agree) == len(days):
        return (agree * (FUTURES // len(agree) + 1))[:FUTURES]
    found, others = [], 0
    for future in range(FUTURES):
        day = days[future % len(days)]
        if not day:
            day = agree[others % len(agree)]
            others += 1
        found.append(day)
    return found


def _coming(days: Sequence[PointDay], now: int) -> tuple[Breaks, ...]:
    """Return the breaks of each future's day that are still to come. Empty if there is none."""
    known: dict[PointDay, Breaks] = {}
    for day in dict.fromkeys(days):
        breaks = (*_breaks(day), (day[-2], day[-2] + WORK_DAY)) if day[-1] == GOING_ON else _breaks(day)
        known[day] = tuple([((begin - now) * SECOND, (end - begin) * SECOND) for begin, end in breaks if begin > now])
    return tuple(map(known.__getitem__, days)) if any(known.values()) else ()


def _smooth(values: Sequence[int], floor: int, scale: int) -> list[int]:
    """Return values between and beyond those of the days, so that few days do not look like a few certain times.

    The order of the futures stays: the future with the earliest day has the earliest value. Seconds to microseconds.
    """
    spread = levels([each * SECOND for each in (floor, *sorted(set(values)))], scale * SECOND)
    found = [0] * FUTURES
    for level, future in enumerate(sorted(range(FUTURES), key=values.__getitem__)):
        found[future] = spread[level]
    return found
