"""Changes in the set-up of a site: its rules, services, providers, queues and points."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Names, Need, Personal, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChanged(Event):
    """The site's new settings and rules."""

    name: str
    time_zone: str
    language: str
    day_turns_at_minutes: int
    next_turn_at: int
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAdded(Event):
    """``personal`` is the true name. It is sealed into ``sealed`` before the event is stored."""

    service_id: int
    public_name: str
    position: int
    names: Names = ()
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` belongs to."""
        return f"service:{self.service_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanged(Event):
    """The service's new values. ``sealed`` is None if the true name stays."""

    service_id: int
    public_name: str
    position: int
    names: Names = ()
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` belongs to."""
        return f"service:{self.service_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAdded(Event):
    provider_id: int
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChanged(Event):
    provider_id: int
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAdded(Event):
    queue_id: int
    name: str
    prefix: str
    position: int
    service_id: int | None = None
    capacity: int = 0
    joins_anew: bool = False
    names: Names = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged(Event):
    """The queue's new values."""

    queue_id: int
    name: str
    service_id: int | None
    capacity: int
    joins_anew: bool
    position: int
    names: Names = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAdded(Event):
    point_id: int
    name: str
    queue_ids: tuple[int, ...]
    position: int
    unmet_needs: tuple[Need, ...] = ()
    names: Names = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PointChanged(Event):
    """The point's new values."""

    point_id: int
    name: str
    queue_ids: tuple[int, ...]
    unmet_needs: tuple[Need, ...]
    position: int
    names: Names = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRemoved(Event):
    """A service, provider, queue, point, display or kiosk was removed."""

    record_id: int
    kind: str
