"""The rivals: rolling averages of the waits of other patients, as screens in many clinics show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

KEPT = 50
DAYS = 20
Range = tuple[float, float]


class Rolling:
    """The waits of the patients called so far, by line and by hour of joining."""

    def __init__(self) -> None:
        self.recent: dict[int, list[float]] = defaultdict(list)
        self._by_hour: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)

    def called(self, day: int, line: int, joined_at: float, wait: float) -> None:
        """Note the wait of a patient who was called."""
        waits = self.recent[line]
        waits.append(wait)
        del waits[:-KEPT]
        self._by_hour[line, int(joined_at) // 60].append((day, wait))

    def ranges(self, day: int, line: int, now: float) -> dict[str, Range]:
        """Return the range by each average: its middle and its 90th percentile, of at least ten waits."""
        waits = self.recent[line]
        found = {f"last {count}": _range(waits[-count:], waits[-max(10, count) :], now) for count in (5, 10, 20, 50)}
        hour = [wait for each, wait in self._by_hour[line, int(now) // 60] if day - DAYS <= each < day]
        found["hour"] = _range(hour or waits, hour or waits, now)
        return found


def _range(middle: Sequence[float], most: Sequence[float], now: float) -> Range:
    if not middle:
        return now + 10, now + 25
    ordered = sorted(most)
    average = sum(middle) / len(middle)
    return now + average, now + max(average, ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)])
