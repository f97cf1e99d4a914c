"""Changes of schedules: weekly windows, closed and extra times, and the practitioners behind providers."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Schedule, ScheduleException


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleAdded(Event):
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEnded(Event):
    """The schedule has no appointments after ``valid_until``; it never had any, if that is before its first date."""

    schedule_id: int
    valid_until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionAdded(Event):
    exception: ScheduleException


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRemoved(Event):
    exception_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerLinked(Event):
    """The provider is this practitioner of the organisation; None: no other site books the provider."""

    provider_id: int
    practitioner_id: int | None
