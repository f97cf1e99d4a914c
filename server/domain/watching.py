"""The appointments that a screen watches besides those of the present day: of some dates, or a single one.

The board of a process that follows a site keeps them, as long as a screen shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from server.domain.model import Appointment

_FARTHEST_OFFSET = timedelta(hours=26)  # a bound for how far any zone is from UTC


@dataclass(frozen=True, slots=True)
class Dates:
    """The appointments that start on the local dates from ``first`` to ``last``, both included."""

    first: str
    last: str

    def covers(self, appointment: Appointment) -> bool:
        """Return whether an appointment is one of them."""
        return self.first <= appointment.local_start[:10] <= self.last

    def instants(self) -> tuple[int, int]:
        """Return a time in which they all start, in any zone: its begin, and the instant after it (microseconds)."""
        begin, until = _midnight(self.first) - _FARTHEST_OFFSET, _midnight(self.last) + timedelta(days=1) + _FARTHEST_OFFSET
        return int(begin.timestamp()) * 1_000_000, int(until.timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True)
class Single:
    """One appointment, whatever becomes of it, and the earlier times that are offered to its patient."""

    appointment_id: int

    def covers(self, appointment: Appointment) -> bool:
        """Return whether an appointment is this one, or an offer to its patient."""
        return self.appointment_id in (appointment.id, appointment.offered_to)


Watch = Dates | Single


def dates_from(first: str, days: int) -> Dates:
    """Return the watch of so many days from ``first`` on (an ISO date)."""
    return Dates(first, (date.fromisoformat(first) + timedelta(days=days - 1)).isoformat())


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
