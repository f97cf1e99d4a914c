"""Setting up a site: its rules, services, providers, queues and points.

``names`` are the public names in languages of the site; a body has them by tag. They replace all earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.bounds import (
    CANCEL,
    CAPACITY,
    CHECK_IN,
    JOINS_PER_HOUR,
    JOINS_PER_PHONE,
    LANGUAGE,
    LANGUAGES,
    MINUTE_OF_DAY,
    MINUTES,
    NAME,
    NAMES,
    NEEDS,
    POSITION,
    QUEUES,
    REMINDERS,
    WAYS,
)
from server.domain.commands.command import Command, OnPoint, OnQueue
from server.domain.commands.schedules import Stranded
from server.domain.model import Booking, Clock, Feedback, Joining, Names, Need, PhoneWhenJoining, Way
from server.domain.model.ids import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSite(Command):
    """Change a site's settings and rules. Omitted fields stay.

    A date that becomes closed may have booked appointments: without ``stranded``, they refuse the change.
    """

    site_id: int
    name: str | None = field(default=None, metadata=NAME)
    time_zone: str | None = field(default=None, metadata={"min_length": 1, "max_length": 64})
    language: str | None = field(default=None, metadata=LANGUAGE)
    day_turns_at_minutes: int | None = field(default=None, metadata=MINUTE_OF_DAY)
    head_start_urgent: int | None = field(default=None, metadata=MINUTES)
    head_start_assisted: int | None = field(default=None, metadata=MINUTES)
    booking_lead: int | None = field(default=None, metadata=MINUTES)
    booking_grace: int | None = field(default=None, metadata=MINUTES)
    return_lead: int | None = field(default=None, metadata=MINUTES)
    recalls_before_no_show: int | None = field(default=None, metadata={"ge": 0, "le": 10})
    minutes_before_no_show: int | None = field(default=None, metadata={"ge": 0, "le": 60})
    minutes_call_stands: int | None = field(default=None, metadata={"ge": 1, "le": 240})
    target_standard: int | None = field(default=None, metadata=MINUTES)
    target_assisted: int | None = field(default=None, metadata=MINUTES)
    target_urgent: int | None = field(default=None, metadata=MINUTES)
    names_on_display: bool | None = None
    region: str | None = field(default=None, metadata={"pattern": "^([A-Z]{2})?$"})
    clock: Clock | None = None
    languages: tuple[str, ...] | None = field(default=None, metadata=LANGUAGES)
    round_the_clock: bool | None = None
    joining: Joining | None = None
    joins_per_phone: int | None = field(default=None, metadata=JOINS_PER_PHONE)
    joins_per_hour: int | None = field(default=None, metadata=JOINS_PER_HOUR)
    phone_when_joining: PhoneWhenJoining | None = None
    booking: Booking | None = None
    check_in_from: int | None = field(default=None, metadata=CHECK_IN)
    check_in_until: int | None = field(default=None, metadata=MINUTES)
    cancel_until: int | None = field(default=None, metadata=CANCEL)
    message_ways: tuple[Way, ...] | None = field(default=None, metadata=WAYS)
    reminders: tuple[int, ...] | None = field(default=None, metadata=REMINDERS)
    quiet_from: int | None = field(default=None, metadata=MINUTE_OF_DAY)
    quiet_until: int | None = field(default=None, metadata=MINUTE_OF_DAY)
    feedback: Feedback | None = None
    hours: tuple[tuple[int, int, int], ...] | None = field(default=None, metadata={"max_length": 50})
    closed_on: tuple[str, ...] | None = field(default=None, metadata={"max_length": 100})
    stranded: Stranded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddService(Command):
    """Add a service. Only staff see its ``name``; displays and messages use ``public_name``."""

    site_id: int
    name: str = field(metadata=NAME)
    public_name: str = field(metadata=NAME)
    names: Names | None = field(default=None, metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(Command):
    """Change a service. Omitted fields stay."""

    service_id: int
    name: str | None = field(default=None, metadata=NAME)
    public_name: str | None = field(default=None, metadata=NAME)
    position: int | None = field(default=None, metadata=POSITION)
    names: Names | None = field(default=None, metadata=NAMES)

    @property
    def site_id(self) -> int:
        return site_of(self.service_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddProvider(Command):
    """Add a clinician. Patients may wait for this provider by name."""

    site_id: int
    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProvider(Command):
    """Change a provider. Omitted fields stay."""

    provider_id: int
    name: str | None = field(default=None, metadata=NAME)
    position: int | None = field(default=None, metadata=POSITION)

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddQueue(Command):
    """Add a queue to a site. Queues with the same prefix share their ticket numbers. Everybody sees the name."""

    site_id: int
    name: str = field(metadata=NAME)
    prefix: str = field(metadata={"pattern": r"^[A-Z]$"})
    service_id: int | None = None
    capacity: int = field(default=0, metadata=CAPACITY)
    joins_anew: bool = False
    names: Names | None = field(default=None, metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQueue(OnQueue):
    """Change a queue. Omitted fields stay. A capacity of 0 means no limit."""

    queue_id: int
    name: str | None = field(default=None, metadata=NAME)
    service_id: int | None = None
    capacity: int | None = field(default=None, metadata=CAPACITY)
    joins_anew: bool | None = None
    position: int | None = field(default=None, metadata=POSITION)
    names: Names | None = field(default=None, metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPoint(Command):
    """Add a service point that calls from the given queues. ``unmet_needs`` are the needs that the room cannot meet."""

    site_id: int
    name: str = field(metadata=NAME)
    queue_ids: tuple[int, ...] = field(metadata=QUEUES)
    unmet_needs: tuple[Need, ...] = field(default=(), metadata=NEEDS)
    names: Names | None = field(default=None, metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint(OnPoint):
    """Change a service point. Omitted fields stay."""

    point_id: int
    name: str | None = field(default=None, metadata=NAME)
    queue_ids: tuple[int, ...] | None = field(default=None, metadata=QUEUES)
    unmet_needs: tuple[Need, ...] | None = field(default=None, metadata=NEEDS)
    position: int | None = field(default=None, metadata=POSITION)
    names: Names | None = field(default=None, metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrange(Command):
    """Put services, providers, queues or points into this order on the screens. Other records of the kind follow."""

    site_id: int
    record_ids: tuple[int, ...] = field(metadata={"min_length": 1, "max_length": 200})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Command):
    """Remove a service, provider, queue, point, display or kiosk by its id. The record's history stays."""

    record_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.record_id)
