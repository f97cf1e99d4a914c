"""Appointments: promises of a person's time; and the schedules that say which times can be promised.

The truth of an appointment is local: ``local_start`` with ``fold`` in ``zone``, and ``minutes``. ``starts_at`` and
``ends_at`` are derived from it with the zone data ``tz_version``. They are stored, so no reader needs zone data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from server.domain.model.local_time import MINUTE
from server.domain.model.unreached import Mark
from server.domain.model.visits import Need

STEP_MINUTES = 5  # starts, lengths and buffers are multiples of it
CELL = STEP_MINUTES * MINUTE  # the length of a busy cell (microseconds)
FIRST_EXTRA_LANE = 100  # the lanes of deliberate overbookings begin here

AppointmentState = Literal["held", "booked", "checked_in", "fulfilled", "cancelled", "no_show", "expired"]
EndedBy = Literal["patient", "staff", "clock"]
ExceptionKind = Literal["closed", "extra"]
# An appointment in one of these states takes the time of its people and rooms.
TAKING: frozenset[AppointmentState] = frozenset({"held", "booked", "checked_in"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """A weekly window in which a provider sees patients with appointments.

    ``weekday`` 0 is Monday. ``from_minute`` and ``until_minute`` are minutes after local midnight. Appointments start every
    ``slot_minutes`` from the begin of the window, and last as long unless the booking says otherwise. Up to ``capacity``
    appointments take place at once. The window is open every ``every_n_weeks`` weeks, counted from the week of
    ``anchor_date``, on the dates ``valid_from`` to ``valid_until`` (both included; None: without end).

    ``point_id`` is the room that each appointment takes, too. ``buffer_minutes`` after each appointment stay free. Patients
    book at least ``notice_minutes`` and at most ``days_ahead`` days before (0: no limit). Nobody books a time earlier than
    ``opens_before`` minutes before it (0: no limit): that part of the day is kept for callers of that morning.
    """

    id: int
    site_id: int
    provider_id: int
    service_ids: tuple[int, ...]
    weekday: int
    from_minute: int
    until_minute: int
    slot_minutes: int
    capacity: int
    every_n_weeks: int
    anchor_date: str
    valid_from: str
    valid_until: str | None
    seq: int
    point_id: int | None = None
    buffer_minutes: int = 0
    notice_minutes: int = 0
    days_ahead: int = 0
    opens_before: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleException:
    """A part of one date on which a provider, or the whole site (None), is ``closed`` or sees patients in an ``extra`` time.

    An extra window belongs to one provider and has the services and the rhythm of a schedule.
    """

    id: int
    site_id: int
    provider_id: int | None
    date: str
    kind: ExceptionKind
    from_minute: int
    until_minute: int
    reason: str
    seq: int
    service_ids: tuple[int, ...] = ()
    slot_minutes: int = 15
    capacity: int = 1
    point_id: int | None = None
    buffer_minutes: int = 0
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booked contact of a patient with a provider, or a hold of its time.

    ``business_day`` is the day on whose board the appointment is; None until its day comes. ``resource_id`` is the person
    whose time it takes, across all sites: the practitioner, or the provider without one. ``point_id`` is the room it takes.
    ``lane`` is its place among the appointments at one time.

    A hold lapses at ``held_until``, without an event; ``held_by`` and ``held_from`` are keyed hashes of the visitor and
    the address. ``offered_to`` is the appointment whose patient may take the time: see
    `server.domain.rules.waiting_list`; patients ask for an earlier time since ``earlier_since``. ``version`` counts the
    changes that a patient could be told about. ``overbooked`` is the reason of a deliberate overbooking. From
    ``freed_from`` on (microseconds) its time is free again. After the check-in ``visit_id`` names the visit, and the
    state follows the visit's entry. ``collides`` marks a time that new zone data moved onto another appointment: a
    person decides. ``unreached`` is set while a message about this version has not reached the patient.
    """

    id: int
    site_id: int
    business_day: str | None
    service_id: int
    provider_id: int
    resource_id: int
    point_id: int | None
    state: AppointmentState
    local_start: str
    fold: int
    zone: str
    minutes: int
    buffer_minutes: int
    starts_at: int
    ends_at: int
    tz_version: str
    lane: int
    version: int
    token_hash: str
    sealed: str | None
    language: str
    booked_at: int
    seq: int
    needs: tuple[Need, ...] = ()
    phone_hash: str | None = None
    held_until: int | None = None
    held_by: str | None = None
    held_from: str | None = None
    extended: bool = False
    overbooked: str | None = None
    freed_from: int | None = None
    visit_id: int | None = None
    series_id: int | None = None
    foreign_id: str | None = None
    ended_by: EndedBy | None = None
    late: bool = False
    earlier_since: int | None = None
    offered_to: int | None = None
    collides: bool = False
    unreached: Mark | None = None

    @property
    def wants_earlier(self) -> bool:
        """Whether the patient would come earlier."""
        return self.earlier_since is not None

    def takes_time(self, now: int) -> bool:
        """Return whether the appointment takes its time: it is open, and no lapsed hold at ``now`` (microseconds)."""
        return self.state in TAKING and not (self.state == "held" and (self.held_until or 0) <= now)

    def without_time(self, now: int, state: AppointmentState) -> Appointment:
        """Return the appointment in a state that takes no time from ``now`` on (microseconds).

        Time that was freed once is never taken again: others may have booked it.
        """
        freed_from = now if self.freed_from is None else min(now, self.freed_from)
        return replace(self, state=state, freed_from=freed_from)


class BusyCell(NamedTuple):
    """Five minutes of a person or a room that an appointment takes. ``cell`` counts them from 1970 in UTC."""

    resource_id: int
    cell: int
    lane: int
    site_id: int
    appointment_id: int
    held_until: int | None


def cells_of(appointment: Appointment) -> list[BusyCell]:
    """Return the busy cells of an appointment: of the person and of the room, with the buffer, until its time was freed."""
    until = appointment.ends_at + appointment.buffer_minutes * MINUTE
    if appointment.freed_from is not None:
        until = min(until, appointment.freed_from)
    resources = [appointment.resource_id, *([appointment.point_id] if appointment.point_id is not None else [])]
    held_until = appointment.held_until if appointment.state == "held" else None
    return [
        BusyCell(resource_id, cell, appointment.lane, appointment.site_id, appointment.id, held_until)
        for resource_id in resources
        for cell in range(appointment.starts_at // CELL, -(-until // CELL))
    ]
