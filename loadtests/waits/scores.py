"""Scores of promises: pinball loss, the share that held, and the share called early, with errors by days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import floor, sqrt

Range = tuple[float, float]
AT_ONCE = 0.01  # minutes: a free point called the patient, who needed no promise


@dataclass(slots=True)
class Promise:
    """The first quote of a patient, those of the rivals for the same patient, and the call. Minutes of the day.

    ``leave_until`` is the first instant until which the patient may leave, None if the patient was told none.
    """

    day: int
    at: float
    called_at: float
    before_opening: bool
    ranges: dict[str, Range | None] = field(default_factory=dict)
    leave_until: float | None = None


def loss(promised: Range, called_at: float) -> float:
    """Return the pinball loss of the two percentiles, in minutes: 0 is perfect."""
    middle, most = called_at - promised[0], called_at - promised[1]
    return max(0.5 * middle, -0.5 * middle) + max(0.9 * most, -0.1 * most)


def in_minutes(promised: Range, now: float) -> Range:
    """Return a range in whole minutes, as a page shows it: to the nearest, not in the past, and at least one long."""
    begin = max(floor(promised[0] + 0.5), floor(now))
    return float(begin), float(max(floor(promised[1] + 0.5), begin + 1))


@dataclass(frozen=True)
class Score:
    """The score of some promises. Shares are per cent; each error is the standard error by days."""

    count: int
    held: float
    held_error: float
    early: float
    early_error: float
    loss: float


def score(promises: Iterable[Promise], name: str) -> Score:
    """Return the score of a contender."""
    found = [(each.day, each.ranges[name], each.called_at) for each in promises if each.ranges.get(name) is not None]
    held = [(day, 100.0 * (called_at <= promised[1] + 1e-6)) for day, promised, called_at in found if promised]
    early = [(day, 100.0 * (called_at < promised[0] - 1e-6)) for day, promised, called_at in found if promised]
    losses = [loss(promised, called_at) for _, promised, called_at in found if promised]
    count = len(found)
    mean = sum(losses) / count if count else float("nan")
    return Score(count, *_share(held), *_share(early), mean)


def called_before_leave(promises: Iterable[Promise]) -> tuple[int, float, float]:
    """Return how many patients were told until when they may leave, and the share called before, with its error."""
    found = [
        (each.day, 100.0 * (each.called_at < each.leave_until - 1e-6)) for each in promises if each.leave_until is not None
    ]
    return len(found), *_share(found)


def _share(values: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Return a share, and its standard error: the promises of one day are one observation."""
    if not values:
        return float("nan"), float("nan")
    mean = sum(value for _, value in values) / len(values)
    by_day: dict[int, float] = {}
    for day, value in values:
        by_day[day] = by_day.get(day, 0.0) + value - mean
    days = len(by_day)
    return mean, sqrt(sum(each * each for each in by_day.values()) * days / max(1, days - 1)) / len(values)


def ratio(promises: Sequence[Promise], name: str, beside: str) -> tuple[float, float]:
    """Return the loss of one contender divided by that of another, and its standard error, on the promises of both."""
    by_day: dict[int, tuple[float, float]] = {}
    for each in promises:
        mine, theirs = each.ranges.get(name), each.ranges.get(beside)
        if mine is not None and theirs is not None:
            before = by_day.get(each.day, (0.0, 0.0))
            by_day[each.day] = before[0] + loss(mine, each.called_at), before[1] + loss(theirs, each.called_at)
    all_mine, all_theirs = sum(each for each, _ in by_day.values()), sum(each for _, each in by_day.values())
    if not all_theirs:
        return float("nan"), float("nan")
    found, days = all_mine / all_theirs, len(by_day)
    errors = sum((mine - found * theirs) ** 2 for mine, theirs in by_day.values())
    return found, sqrt(errors * days / max(1, days - 1)) / all_theirs
