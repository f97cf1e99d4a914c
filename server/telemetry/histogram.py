"""A histogram for the hot paths: an observation costs a search among a few bounds, and no lock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """Counts values by the bounds that they do not exceed. ``bounds`` ascend."""

    __slots__ = ("_bounds", "_counts", "_names", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._names = [*(str(float(each)) for each in self._bounds), "+Inf"]
        self.total = 0.0  # the sum of all values

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound and how many values do not exceed it, as Prometheus has them: the last bound is ``+Inf``."""
        return list(zip(self._names, accumulate(self._counts), strict=True))
