"""Schedules: the weekly windows in which providers see patients with appointments, and the exceptions of single dates.

``from`` and ``until`` are the wall clock of the site, dates are its local dates. ``stranded`` says what happens to booked
appointments that a change would leave outside the hours: without it, the command is refused and lists them; with ``keep``
they stay, with ``cancel`` they are cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from server.domain.commands.bounds import DATE, FROM, ID_OR_ZERO, REASON, SERVICES, UNTIL, or_empty
from server.domain.commands.command import Command
from server.domain.model import ExceptionKind
from server.domain.model.ids import site_of

Stranded = Literal["keep", "cancel"]
_WEEKDAY = {"ge": 0, "le": 6}
_SLOT = {"ge": 5, "le": 720}
_PLACES = {"ge": 1, "le": 50}
_WEEKS = {"ge": 1, "le": 52}
_BUFFER = {"ge": 0, "le": 240}
_NOTICE = {"ge": 0, "le": 43_200}  # minutes of 30 days
_DAYS_AHEAD = {"ge": 0, "le": 730}


class OnSchedule(Command):
    """A command on one schedule."""

    __slots__ = ()
    schedule_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.schedule_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSchedule(Command):
    """Add a weekly window in which a provider sees patients with appointments.

    ``weekday`` 0 is Monday. Up to ``capacity`` appointments take place at once. With ``every_n_weeks``, the weeks count from
    the week of ``anchor_date``, or else of ``valid_from``. ``point_id`` is the room that each appointment takes, too.
    Patients book at least ``notice_minutes`` and at most ``days_ahead`` days before (0: no limit). Nobody books earlier than
    ``opens_before`` minutes before (0: no limit).
    """

    site_id: int
    provider_id: int
    service_ids: tuple[int, ...] = field(metadata=SERVICES)
    weekday: int = field(metadata=_WEEKDAY)
    from_: str = field(metadata=FROM)
    until: str = field(metadata=UNTIL)
    slot_minutes: int = field(metadata=_SLOT)
    valid_from: str = field(metadata=DATE)
    valid_until: str | None = field(default=None, metadata=DATE)
    capacity: int = field(default=1, metadata=_PLACES)
    every_n_weeks: int = field(default=1, metadata=_WEEKS)
    anchor_date: str | None = field(default=None, metadata=DATE)
    point_id: int | None = None
    buffer_minutes: int = field(default=0, metadata=_BUFFER)
    notice_minutes: int = field(default=0, metadata=_NOTICE)
    days_ahead: int = field(default=0, metadata=_DAYS_AHEAD)
    opens_before: int = field(default=0, metadata=_NOTICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSchedule(OnSchedule):
    """Change a schedule from a date on, and on all later dates: it ends the day before, and a new one begins.

    Omitted fields stay. An empty ``valid_until`` removes the last date, and a ``point_id`` of 0 the room: booked
    appointments keep theirs. An exception changes one date alone.
    """

    schedule_id: int
    from_date: str = field(metadata=DATE)
    service_ids: tuple[int, ...] | None = field(default=None, metadata=SERVICES)
    weekday: int | None = field(default=None, metadata=_WEEKDAY)
    from_: str | None = field(default=None, metadata=FROM)
    until: str | None = field(default=None, metadata=UNTIL)
    slot_minutes: int | None = field(default=None, metadata=_SLOT)
    valid_until: str | None = field(default=None, metadata=or_empty(DATE))
    capacity: int | None = field(default=None, metadata=_PLACES)
    every_n_weeks: int | None = field(default=None, metadata=_WEEKS)
    anchor_date: str | None = field(default=None, metadata=DATE)
    point_id: int | None = field(default=None, metadata=ID_OR_ZERO)
    buffer_minutes: int | None = field(default=None, metadata=_BUFFER)
    notice_minutes: int | None = field(default=None, metadata=_NOTICE)
    days_ahead: int | None = field(default=None, metadata=_DAYS_AHEAD)
    opens_before: int | None = field(default=None, metadata=_NOTICE)
    stranded: Stranded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSchedule(OnSchedule):
    """End a schedule after a date. The date may be yesterday: then there are no appointments from today on."""

    schedule_id: int
    last_date: str = field(metadata=DATE)
    stranded: Stranded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddException(Command):
    """Close a part of one date, or see patients in an extra time of it.

    Without ``provider_id``, the whole site is closed. An extra time needs a provider, ``service_ids`` and ``slot_minutes``.
    """

    site_id: int
    provider_id: int | None = None
    date: str = field(metadata=DATE)
    kind: ExceptionKind
    from_: str = field(default="00:00", metadata=FROM)
    until: str = field(default="24:00", metadata=UNTIL)
    reason: str = field(metadata=REASON)
    service_ids: tuple[int, ...] | None = field(default=None, metadata=SERVICES)
    slot_minutes: int | None = field(default=None, metadata=_SLOT)
    capacity: int = field(default=1, metadata=_PLACES)
    point_id: int | None = None
    buffer_minutes: int = field(default=0, metadata=_BUFFER)
    stranded: Stranded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveException(Command):
    """Remove a closed or extra time: the date is like every other one again."""

    exception_id: int
    stranded: Stranded | None = None

    @property
    def site_id(self) -> int:
        return site_of(self.exception_id)
