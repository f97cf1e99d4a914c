"""Steps undone."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndone(Event):
    """The last step of an entry was undone.

    ``announcement_id`` is set when a call had been announced, ``appointment_id`` when the step was the check-in for it.
    """

    entry_id: int
    label: str
    step: str
    point_id: int | None
    announcement_id: int | None
    appointment_id: int | None = None
