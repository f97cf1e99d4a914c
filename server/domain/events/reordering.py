"""Changes in the order of a queue."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReprioritised(Event):
    entry_id: int
    label: str
    priority: Priority
    band: int
    place: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryMoved(Event):
    """``pushed`` are the entries that made room, as (entry, place), so that no two ranks are equal."""

    entry_id: int
    label: str
    place: int
    reason: str
    pushed: tuple[tuple[int, int], ...]
