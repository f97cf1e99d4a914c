"""Booking, moving, ending and checking in appointments.

``local_start`` is the wall clock of the site (``2027-01-15T09:00``); ``fold`` is 1 for the second of two equal local times.
``version`` is the one that the caller saw: a change in between is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from server.domain.commands.bounds import (
    DATE,
    DATE_OF_BIRTH,
    EMAIL,
    FROM,
    LANGUAGE,
    NAME,
    NEEDS,
    NOTES,
    PHONE,
    REASON,
    TOKEN,
    UNTIL,
    or_empty,
)
from server.domain.commands.command import Command
from server.domain.model import Need
from server.domain.model.ids import site_of

LOCAL_START = {"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$"}
FOLD = {"ge": 0, "le": 1}
LENGTH = {"ge": 5, "le": 720}
VERSION = {"ge": 1, "le": 1_000_000}
Unplaced = Literal["refuse", "keep", "cancel"]


class OnAppointment(Command):
    """A command on one appointment."""

    __slots__ = ()
    appointment_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.appointment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSlot(Command):
    """Keep a time for ten minutes, while the patient's data is typed. The answer contains the token of the hold.

    Without ``provider_id``, any provider who is free. With ``hold_token``, the hold is kept for ten more minutes, once.
    """

    site_id: int
    service_id: int
    provider_id: int | None = None
    local_start: str = field(metadata=LOCAL_START)
    fold: int = field(default=0, metadata=FOLD)
    minutes: int | None = field(default=None, metadata=LENGTH)
    hold_token: str | None = field(default=None, metadata=TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldForVisitor(HoldSlot):
    """Keep a time for a visitor of the booking page. ``held_by`` and ``held_from`` are the hashes that limits count."""

    internal: ClassVar[bool] = True

    held_by: str
    held_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSlot(Command):
    """Give back the time of a hold."""

    site_id: int
    hold_token: str = field(metadata=TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book(Command):
    """Book an appointment. The answer contains its token, with which the patient manages it.

    Without ``provider_id``, the provider who is free, with the fewest appointments that day. With ``hold_token``, the hold
    becomes the appointment. ``overbook`` is the reason why the time is booked although it is not free; it needs a provider.
    With ``anyway``, the phone number may already have an appointment at this time.
    """

    site_id: int
    service_id: int
    provider_id: int | None = None
    local_start: str = field(metadata=LOCAL_START)
    fold: int = field(default=0, metadata=FOLD)
    minutes: int | None = field(default=None, metadata=LENGTH)
    hold_token: str | None = field(default=None, metadata=TOKEN)
    name: str = field(metadata=NAME)
    phone: str | None = field(default=None, metadata=PHONE)
    email: str | None = field(default=None, metadata=EMAIL)
    date_of_birth: str | None = field(default=None, metadata=DATE_OF_BIRTH)
    language: str | None = field(default=None, metadata=LANGUAGE)
    needs: tuple[Need, ...] = field(default=(), metadata=NEEDS)
    note: str | None = field(default=None, metadata=NOTES)
    overbook: str | None = field(default=None, metadata=REASON)
    anyway: bool = False
    wants_earlier: bool = False
    foreign_id: str | None = field(default=None, metadata={"min_length": 1, "max_length": 80})


@dataclass(frozen=True, slots=True, kw_only=True)
class BookForVisitor(Book):
    """Book an appointment for a visitor of the booking page, by the rules for patients."""

    internal: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSeries(Command):
    """Book ``count`` appointments at one local time, ``every_days`` days apart. The answer contains their tokens.

    If a time is taken, nothing is booked; with ``skip_taken``, the others are, and the answer lists the skipped times.
    """

    site_id: int
    service_id: int
    provider_id: int
    local_start: str = field(metadata=LOCAL_START)
    minutes: int | None = field(default=None, metadata=LENGTH)
    every_days: int = field(metadata={"ge": 1, "le": 92})
    count: int = field(metadata={"ge": 2, "le": 60})
    skip_taken: bool = False
    name: str = field(metadata=NAME)
    phone: str | None = field(default=None, metadata=PHONE)
    email: str | None = field(default=None, metadata=EMAIL)
    date_of_birth: str | None = field(default=None, metadata=DATE_OF_BIRTH)
    language: str | None = field(default=None, metadata=LANGUAGE)
    needs: tuple[Need, ...] = field(default=(), metadata=NEEDS)
    note: str | None = field(default=None, metadata=NOTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule(OnAppointment):
    """Move an appointment to another time or provider. Omitted fields stay. Its token stays."""

    appointment_id: int
    version: int = field(metadata=VERSION)
    local_start: str = field(metadata=LOCAL_START)
    fold: int = field(default=0, metadata=FOLD)
    minutes: int | None = field(default=None, metadata=LENGTH)
    provider_id: int | None = None
    overbook: str | None = field(default=None, metadata=REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendAppointment(OnAppointment):
    """Correct the data of a patient with an appointment. Omitted fields stay; an empty text removes the field."""

    appointment_id: int
    name: str | None = field(default=None, metadata=NAME)
    phone: str | None = field(default=None, metadata=or_empty(PHONE))
    email: str | None = field(default=None, metadata=or_empty(EMAIL))
    date_of_birth: str | None = field(default=None, metadata=or_empty(DATE_OF_BIRTH))
    language: str | None = field(default=None, metadata=LANGUAGE)
    needs: tuple[Need, ...] | None = field(default=None, metadata=NEEDS)
    note: str | None = field(default=None, metadata={"max_length": 500})
    wants_earlier: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantEarlier(OnAppointment):
    """Say that the patient would come earlier if a time becomes free, or no longer (``wants`` is false)."""

    appointment_id: int
    wants: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAppointment(OnAppointment):
    """Cancel an appointment. The time is free at once."""

    appointment_id: int
    version: int = field(metadata=VERSION)
    reason: str | None = field(default=None, metadata=REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn(OnAppointment):
    """Give a patient who has come for an appointment a ticket. The answer contains the ticket's token.

    Without ``queue_id``, the first queue of the appointment's service. With ``anyway``, also too early, too late, or after
    the patient counted as missing. After ``valid_until`` (milliseconds since 1970) nobody is checked in: a kiosk promises
    nothing to people who have gone.
    """

    appointment_id: int
    queue_id: int | None = None
    anyway: bool = False
    valid_until: int | None = field(default=None, metadata={"ge": 0, "le": 2**53 - 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentNoShow(OnAppointment):
    """Record that the patient did not come. The rest of the time is free at once."""

    appointment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAppointments(Command):
    """Move the appointments of a provider on one date to the same times of another provider: the provider is ill.

    Without ``to_provider_id``, each goes to the provider who is free then, with the fewest appointments that day. ``from``
    and ``until`` limit the times of day. ``unplaced`` is the rule for times without a free provider: nothing is moved
    (``refuse``), those appointments stay (``keep``), or they are cancelled (``cancel``).
    """

    provider_id: int
    date: str = field(metadata=DATE)
    reason: str = field(metadata=REASON)
    to_provider_id: int | None = None
    from_: str = field(default="00:00", metadata=FROM)
    until: str = field(default="24:00", metadata=UNTIL)
    unplaced: Unplaced = "refuse"

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOffer(OnAppointment):
    """Move an appointment to the earlier time that is offered to its patient. The old time is free at once."""

    appointment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineOffer(OnAppointment):
    """Decline the earlier time that is offered to a patient. The next one who asked gets the offer."""

    appointment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOffer(OnAppointment):
    """End an offer that nobody answered within its time, and offer the time to the next one who asked."""

    internal: ClassVar[bool] = True

    appointment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropHold(OnAppointment):
    """End a hold or an offer of a time in a restored database: its patient may have another time since."""

    internal: ClassVar[bool] = True

    appointment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rezone(Command):
    """Derive the instants of future appointments again, with the present zone data and the site's zone."""

    internal: ClassVar[bool] = True

    site_id: int
