"""The habits of a site's staff: when points begin, pause and rest, and which patients come who pass others in line.

Quotes replay the last days, see `server.domain.staffing`. Times are whole seconds after the begin of the business day.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS_KEPT = 20
ARRIVALS_KEPT = 256  # of one day; later ones are not kept
BREAKS_KEPT = 16  # of one point on one day
BOOKINGS_KEPT = 128
GOING_ON = -1  # the end of a break that has not ended
NO_MORE = -2  # that of a point that closed for the rest of the day, while nobody waited
MISSED = -1_000_000  # stands for an appointment without a check-in
SECOND = 1_000_000

PointDay = tuple[int, ...]
Arrival = tuple[int, int, int, int]
Day = tuple[tuple[PointDay, ...], tuple[Arrival, ...]]


@dataclass(frozen=True, slots=True)
class Habits:
    """The present day of a site's staff so far, which began at ``begins_at``, and its last `DAYS_KEPT` days with calls.

    ``points`` has for each point that has called: the point, its first call, 1 if that patient had waited (else 0), and the
    begin and the end of each break. A point that was closed for a while took a break, too. A break begins when the point
    is free. ``arrivals`` has for each patient who came with a head start, in the order of the log: the time, the queue, the
    band, and the head start: how much earlier the place is than the arrival. ``past`` has (points, arrivals) of each day.

    Patients with an appointment are not among the arrivals. ``bookings`` has the last appointments: the seconds from the
    start to the check-in, or `MISSED`. ``leaves`` has the `server.domain.leaving.Leaves`
    of the last days. ``shifts`` are those of `server.domain.calibrating`.
    """

    id: int
    site_id: int
    begins_at: int
    points: tuple[PointDay, ...]
    arrivals: tuple[Arrival, ...]
    bookings: tuple[int, ...]
    past: tuple[Day, ...]
    seq: int
    leaves: tuple[tuple[int, ...], ...] | None = None
    shifts: tuple[tuple[int, int, int, int], ...] | None = None

    def second_of(self, instant: int) -> int:
        """Return an instant as a second of the present day."""
        return (instant - self.begins_at) // SECOND

    def of_point(self, point_id: int) -> PointDay | None:
        """Return the present day of a point, or None before its first call."""
        return next((each for each in self.points if each[0] == point_id), None)
