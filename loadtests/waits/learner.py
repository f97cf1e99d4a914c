"""A learner: gradient boosted trees for two percentiles of the wait, trained on the clinic's own past days.

It sees the same facts as the staff: the time of day, the patients ahead, the points, the recent waits and services. The
method is that of Friedman 2001 (Annals of Statistics 29(5): 1189-1232) with the loss of quantile regression.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from random import Random

from loadtests.waits.laws import chance_of

BINS = 24
TREES = 90
DEPTH = 3
RATE = 0.12
LEAST = 15  # patients in a leaf
ROWS = 900  # patients that each tree sees
KEPT = 3000  # patients that it learns from, the latest
EVERY = 20  # days between two trainings
Facts = tuple[float, ...]
Tree = tuple[int, int, "Tree", "Tree"] | float  # a feature, the last bin of the left side, both sides; or a value


class Learner:
    """Two percentiles of the wait, by the facts at the time of joining."""

    def __init__(self, name: str, first: int) -> None:
        """``first`` is the day of the first training."""
        self._name, self._first = name, first
        self._facts: list[Facts] = []
        self._waits: list[float] = []
        self._before: dict[int, int] = {}  # day -> the patients of the days before
        self._trained = -1
        self._edges: list[list[float]] = []
        self._models: list[tuple[float, list[Tree]]] = []

    def learn(self, day: int, facts: Facts, wait: float) -> None:
        """Keep the wait of a patient, for the trainings on later days."""
        self._before.setdefault(day, len(self._waits))
        self._facts.append(facts)
        self._waits.append(wait)

    def _train(self, day: int) -> None:
        """Train on the latest patients of the days before ``day``."""
        end = self._before.get(day, len(self._waits))
        facts, waits = self._facts[max(0, end - KEPT) : end], self._waits[max(0, end - KEPT) : end]
        self._edges = []
        for column in zip(*facts, strict=True):
            values = sorted(column)
            edges = [values[len(values) * part // BINS] for part in range(1, BINS)]
            self._edges.append(sorted(set(edges)))
        columns = [
            [bisect_right(edges, each) for each in column]
            for edges, column in zip(self._edges, zip(*facts, strict=True), strict=True)
        ]
        self._models = [_boosted(columns, waits, level, chance_of(self._name, day, level)) for level in (0.5, 0.9)]

    def range(self, day: int, facts: Facts, now: float) -> tuple[float, float]:
        """Return the range of a patient who joins now. Every `EVERY` days, it trains again."""
        latest = day - (day - self._first) % EVERY
        if latest != self._trained:
            self._trained = latest
            self._train(latest)
        bins = [bisect_right(edges, each) for edges, each in zip(self._edges, facts, strict=True)]
        middle, most = (first + sum(_value(tree, bins) for tree in trees) for first, trees in self._models)
        return now + max(0.0, middle), now + max(0.0, middle, most)


def _boosted(columns: list[list[int]], waits: list[float], level: float, chance: Random) -> tuple[float, list[Tree]]:
    first = _quantile(waits, level)
    found = [first] * len(waits)
    trees: list[Tree] = []
    everybody = range(len(waits))
    rows = list(zip(*columns, strict=True))
    for _ in range(TREES):
        some = list(everybody) if len(waits) <= ROWS else chance.sample(everybody, ROWS)
        slopes = {row: level if waits[row] > found[row] else level - 1 for row in some}
        tree = _grown(columns, some, slopes, {row: waits[row] - found[row] for row in some}, level, DEPTH)
        trees.append(tree)
        for row in everybody:
            found[row] += _value(tree, rows[row])
    return first, trees


def _grown(
    columns: list[list[int]], rows: list[int], slopes: dict[int, float], rest: dict[int, float], level: float, depth: int
) -> Tree:
    """Return a tree that splits the rows where the slopes differ most; each leaf moves by the percentile of the rest."""
    best: tuple[float, int, int] | None = None
    if depth and len(rows) >= 2 * LEAST:
        whole, total = len(rows), sum(slopes[row] for row in rows)
        for feature, column in enumerate(columns):
            counts, sums = [0] * (BINS + 1), [0.0] * (BINS + 1)
            for row in rows:
                at = column[row]
                counts[at] += 1
                sums[at] += slopes[row]
            count, left = 0, 0.0
            for at in range(BINS):
                count += counts[at]
                left += sums[at]
                if LEAST <= count <= whole - LEAST:
                    gain = left * left / count + (total - left) ** 2 / (whole - count)
                    if best is None or gain > best[0] + 1e-9:
                        best = gain, feature, at
    if best is None:
        return RATE * _quantile([rest[row] for row in rows], level)
    _, feature, last = best
    column = columns[feature]
    return (
        feature,
        last,
        _grown(columns, [row for row in rows if column[row] <= last], slopes, rest, level, depth - 1),
        _grown(columns, [row for row in rows if column[row] > last], slopes, rest, level, depth - 1),
    )


def _value(tree: Tree, bins: Sequence[int]) -> float:
    while not isinstance(tree, float):
        feature, last, left, right = tree
        tree = left if bins[feature] <= last else right
    return tree


def _quantile(values: Sequence[float], level: float) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(level * len(ordered)))]
