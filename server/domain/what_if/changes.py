"""What a replay changes on a real day: points, times and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The rules of a site that decide who is called next, or who is in the line at all. All are in minutes.
RULES = ("head_start_urgent", "head_start_assisted", "booking_lead", "booking_grace", "return_lead", "check_in_from")


@dataclass(frozen=True, slots=True)
class Extra:
    """One point more, with the queues of the point ``like``, from an instant until another (microseconds)."""

    like: int
    begins_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class PointChange:
    """The changes of one point. It begins and ends so many microseconds later; negative: earlier."""

    closed: bool = False
    begins_later: int = 0
    ends_later: int = 0
    queue_ids: tuple[int, ...] | None = None


AS_IT_WAS = PointChange()


@dataclass(frozen=True, slots=True)
class Intake:
    """When patients without an appointment get tickets: from an instant until another (microseconds); None: as it was."""

    begins_at: int | None = None
    ends_at: int | None = None


ALWAYS = Intake()


@dataclass(frozen=True, slots=True)
class Changed:
    """The changes of a replay. ``points`` are by id; ``every`` is for each point that is not among them.

    ``rules`` are other values of the site's rules by name, see `RULES`.
    """

    extra: Extra | None = None
    rules: Mapping[str, int] = field(default_factory=dict)
    points: Mapping[int, PointChange] = field(default_factory=dict)
    every: PointChange = AS_IT_WAS
    intake: Intake = ALWAYS

    def of(self, point_id: int) -> PointChange:
        """Return the changes of a point."""
        return self.points.get(point_id, self.every)


NO_CHANGE = Changed()
