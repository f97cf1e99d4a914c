"""Messages about an entry that did not reach the patient."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Informed, Problem, UnreachedKind, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryUnreached(Event):
    """A message about the entry did not reach the patient. ``message_at`` is the instant at which that was known."""

    entry_id: int
    label: str
    kind: UnreachedKind
    way: Way
    problem: Problem
    message_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInformed(Event):
    """The patient knows now, although a message did not arrive; or staff took that back."""

    entry_id: int
    label: str
    how: Informed
