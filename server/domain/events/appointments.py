"""Appointments: held, booked, moved, ended.

Each event has the whole appointment after it, so a board needs no earlier state of it: it may have been of a day that the
board does not know. The personal data is sealed into ``sealed`` before the event is stored. Without new data, ``sealed`` is
that of the appointment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.domain.events.event import Event
from server.domain.model import Appointment, Informed, Personal, Problem, UnreachedKind, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAppointment(Event):
    """What happened to one appointment, and its new values."""

    appointment: Appointment
    personal: Personal | None = None
    sealed: str | None = None

    def __post_init__(self) -> None:
        # The log and the bus carry the sealed data beside the other values.
        if self.appointment.sealed is not None:
            object.__setattr__(self, "sealed", self.sealed or self.appointment.sealed)
            object.__setattr__(self, "appointment", replace(self.appointment, sealed=None))

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` belongs to."""
        return f"appointment:{self.appointment.id}"

    @property
    def appointment_id(self) -> int:
        """The id of the appointment."""
        return self.appointment.id

    @property
    def token_hash(self) -> str:
        """The hash of the token with which the patient manages the appointment."""
        return self.appointment.token_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentHeld(OfAppointment):
    """A visitor keeps a time while typing, or keeps it longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased(OfAppointment):
    """The visitor gave the time back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentBooked(OfAppointment):
    """The time is promised to a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentMoved(OfAppointment):
    """The appointment has another time, or another provider. The old ones are named."""

    was_local_start: str
    was_starts_at: int
    was_provider_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentAmended(OfAppointment):
    """The data of the patient were corrected. Time and provider stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentCancelled(OfAppointment):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentMissed(OfAppointment):
    """The patient did not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentDue(OfAppointment):
    """The day of the appointment began: it is on the board now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentRezoned(OfAppointment):
    """New zone data, or another zone of the site, gave the same local time another instant.

    A local time that lies in a gap now became the next one: ``was_local_start`` has the old one, None in old logs.
    """

    was_starts_at: int
    was_local_start: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentUnreached(OfAppointment):
    """A message about the appointment did not reach the patient."""

    kind: UnreachedKind
    way: Way
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentInformed(OfAppointment):
    """The patient knows now, although a message did not arrive; or staff took that back."""

    how: Informed


APPOINTMENT_EVENTS: tuple[type[OfAppointment], ...] = (
    AppointmentHeld,
    HoldReleased,
    AppointmentBooked,
    AppointmentMoved,
    AppointmentAmended,
    AppointmentCancelled,
    AppointmentMissed,
    AppointmentDue,
    AppointmentRezoned,
    AppointmentUnreached,
    AppointmentInformed,
)
