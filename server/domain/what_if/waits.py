"""The waits of a day, of its replay without a change, and of its replay with changes: in all, by queue and by hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from server.domain.model import local_time
from server.domain.model.local_time import MINUTE

_HOUR = 60 * MINUTE
_SHOWN_FROM = 5  # waits: fewer could be recognised


class Wait(NamedTuple):
    """The wait of one stage, from an instant (microseconds) until its first call. ``lasted`` None: it was not called."""

    queue_id: int
    joined_at: int
    lasted: int | None


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of a day until the first call of each stage, in seconds. Durations of fewer than five are None.

    ``waiting`` patients were not called in the end: they left, or the day ended before their call.
    """

    called: int
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The three rows of an answer: the real waits, those without a change, and those with the changes."""

    real: Waits
    control: Waits
    changed: Waits


@dataclass(frozen=True, slots=True)
class Compared:
    """The waits of a day and of its replays.

    ``queues`` are by id, ``hours`` by their begin (microseconds): a stage belongs to the hour in which its wait began.
    ``names`` are those of the queues, ``offsets`` the minutes by which the site's clock is ahead of UTC in each hour.
    ``left_out`` has the number of steps by type that no replay repeats, ``not_repeated`` those of the replay with changes
    whose time was over or that the board did not allow. ``turned_away`` patients got no ticket in it.
    """

    rows: Rows
    queues: Mapping[int, Rows] = field(default_factory=dict)
    hours: Mapping[int, Rows] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    offsets: Mapping[int, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=Counter)
    not_repeated: Mapping[str, int] = field(default_factory=Counter)
    turned_away: int = 0


def summed(waits: Sequence[Wait]) -> Waits:
    """Return the sums of some waits."""
    seconds = sorted(each.lasted // 1_000_000 for each in waits if each.lasted is not None)
    called = len(seconds)
    waiting = len(waits) - called
    if called < _SHOWN_FROM:
        return Waits(called, None, None, None, waiting)
    return Waits(called, seconds[(called + 1) // 2 - 1], seconds[(9 * called + 9) // 10 - 1], seconds[-1], waiting)


def grouped(key: Callable[[Wait], int], *rows: Sequence[Wait]) -> dict[int, Rows]:
    """Return three lists of waits, summed by a key, in the order of the keys."""
    parts: list[dict[int, list[Wait]]] = []
    for waits in rows:
        part: dict[int, list[Wait]] = {}
        for each in waits:
            part.setdefault(key(each), []).append(each)
        parts.append(part)
    keys = sorted({key for part in parts for key in part})
    return {each: Rows(*(summed(part.get(each, ())) for part in parts)) for each in keys}


def hour_of(at: int, zone: str) -> int:
    """Return the begin of the local hour of an instant (microseconds). The two hours of a doubled one differ."""
    offset = local_time.local_of(at, zone).offset_minutes * MINUTE
    return (at + offset) // _HOUR * _HOUR - offset
