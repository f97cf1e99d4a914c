"""First steps of a new clinic."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReached(Event):
    """A first step that no other event of the log tells, or the end of the list of first steps."""

    milestone: Milestone
