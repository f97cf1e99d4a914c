"""The word about a wait: why its range moved, and the range that the patient saw then."""

from __future__ import annotations

from typing import Literal, NamedTuple

Cause = Literal[
    "late_start",
    "emergency",
    "priority",
    "booked",
    "break",
    "fewer_points",
    "slower",
    "more_points",
    "left",
    "quicker",
    "later",
    "earlier",
]
# The causes that name a point.
AT_POINT: frozenset[Cause] = frozenset({"late_start", "break"})

# The values of a `Told`, as records have them. It is empty after a step of the patient's own, until the next quote.
ToldMark = tuple[Cause | None, int | None, int, int, int, int, int] | tuple[()]


class Told(NamedTuple):
    """The cause of the last meaningful move of a range, and the state with which later ranges are compared.

    ``cause`` is None if the patient has seen no move: then the rest is the first range since the patient's own last step.
    ``later`` and ``earlier`` are moves without a certain cause. ``at`` is the instant of the quote from ``expect_from`` to
    ``expect_until``, in microseconds. Then ``ahead`` entries were ahead, and ``points`` open points served the patient.
    """

    cause: Cause | None
    point_id: int | None
    at: int
    expect_from: int
    expect_until: int
    ahead: int
    points: int

    def mark(self) -> ToldMark:
        """Return the values, as records have them."""
        return (self.cause, self.point_id, self.at, self.expect_from, self.expect_until, self.ahead, self.points)
