"""The mark of a patient who has not received a message. Staff see it at the desk, and can phone."""

from __future__ import annotations

from typing import Literal, NamedTuple

from server.domain.model.site import Way

# The kinds of messages about which staff can still do something.
UnreachedKind = Literal[
    "booked",
    "moved",
    "cancelled",
    "reminder",
    "freed-time",
    "called",
    "almost-your-turn",
    "running-late",
]
# Why the message did not arrive, as far as the installation knows.
Problem = Literal["address", "no-address", "opted-out", "undelivered", "too-late", "perhaps", "not-sent"]
# How a patient came to know: by a later message, from staff, or not at all (staff took it back). An offer can also end.
Informed = Literal["message", "staff", "nobody", "offer-over"]

Mark = tuple[UnreachedKind, Way, Problem, int, bool]  # the values of an `Unreached`, as records and events have them


class Unreached(NamedTuple):
    """The message that did not arrive, and the instant at which that was known (microseconds).

    ``told`` is set when staff have told the patient themselves.
    """

    kind: UnreachedKind
    way: Way
    problem: Problem
    at: int
    told: bool = False


def after_informing(mark: Mark | None, how: Informed) -> Mark | None:
    """Return the mark of a patient who was informed in this way."""
    if mark is None or how in ("message", "offer-over"):
        return None
    kind, way, problem, at, _ = mark
    return (kind, way, problem, at, how == "staff")
