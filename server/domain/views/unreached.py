"""The mark of a patient who has not received a message, as cells for staff have it."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.model import Mark, Problem, UnreachedKind, Way
from server.domain.views.fields import Described


class UnreachedMessage(TypedDict):
    """A message that did not reach the patient."""

    kind: Annotated[UnreachedKind, Described("The kind of the message.")]
    way: Annotated[Way, Described("How it was to reach the patient.")]
    problem: Annotated[Problem, Described("Why it did not arrive; `perhaps` if nobody knows whether it did.")]
    told: Annotated[bool, Described("Staff have told the patient.")]


MessageUnreached = Annotated[
    UnreachedMessage | None,
    Described("A message about the present state that did not reach the patient. Null without one, and for another system."),
]


def unreached(mark: Mark | None) -> UnreachedMessage | None:
    """Return a mark as cells have it."""
    if mark is None:
        return None
    kind, way, problem, _, told = mark
    return {"kind": kind, "way": way, "problem": problem, "told": told}
