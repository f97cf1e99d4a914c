"""Steps undone."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndone(Event):
    """The last step of an entry was undone. ``announcement_id`` is set when a call had been announced."""

    entry_id: int
    label: str
    step: str
    point_id: int | None
    announcement_id: int | None
