"""The calendar: what a rule asks about appointments and their time, beyond the board.

The board has today's appointments only. A rule reads everything else through this protocol, under the site's lock, so that
it stays a function of what it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from server.domain.model import TAKING, Appointment, BusyCell, cells_of


class Times(Protocol):
    """The taken time of people and rooms."""

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        """Return the busy cells of people and rooms from ``from_cell`` on, before ``until_cell``, lapsed holds included."""

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        """Return the open appointments that start at ``from_`` or later, before ``until`` (microseconds), in order.

        ``provider_ids`` limits them to these providers. Holds are included.
        """


class Calendar(Times, Protocol):
    """A site's appointments on all days, and the busy cells of its people and rooms at all sites."""

    def appointment(self, appointment_id: int) -> Appointment | None:
        """Return an appointment of the site, or None."""

    def with_token(self, token_hash: str) -> Appointment | None:
        """Return the appointment or hold whose token has this hash, or None."""

    def of_phone(self, phone_hash: str, from_: int, until: int) -> Sequence[Appointment]:
        """Return the booked appointments of a phone number that start in a time."""

    def holds(self, held_by: str, held_from: str, now: int) -> Sequence[Appointment]:
        """Return the holds in force at ``now`` of a visitor or of an address."""

    def wanting_earlier(self, provider_id: int, after: int) -> Sequence[Appointment]:
        """Return a provider's booked appointments after an instant whose patients want to come earlier, by their asking."""

    def of_foreign_ids(self, foreign_ids: Collection[str]) -> Sequence[Appointment]:
        """Return the site's appointments in any state that have one of these ids of another system."""

    def offers_to(self, appointment_id: int) -> Sequence[Appointment]:
        """Return the holds that were ever offered to the patient of an appointment."""

    def offers_of(self, provider_id: int, starts_at: int) -> Sequence[Appointment]:
        """Return the holds of a provider's time that were ever offered to somebody."""

    def outdated(
        self, zone: str, tz_version: str, now: int, limit: int, *, latest_first: bool = False
    ) -> Sequence[Appointment]:
        """Return the first appointments that start after ``now`` and were derived with another zone or other zone data.

        With ``latest_first``, the last ones. A lapsed hold is none of them.
        """

    def token_hash(self, token: str) -> str:
        """Return the keyed hash of a token."""

    def phone_hash(self, phone: str) -> str:
        """Return the keyed hash of a phone number at this site."""

    def new_token_hash(self) -> str:
        """Make a token for one more appointment, and return its hash. The answer of the command has the token."""

    def has_practitioner(self, practitioner_id: int) -> bool:
        """Return whether the organisation of the site has this practitioner."""

    def tz_version(self) -> str:
        """Return the version of the zone data in use."""


class After:
    """The taken time after the changes of one command so far, so that its next change sees them."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._changed: dict[int, Appointment] = {}

    def add(self, after: Appointment) -> None:
        """Add a changed appointment."""
        self._changed[after.id] = after

    def latest(self, appointment: Appointment) -> Appointment:
        """Return an appointment as the changes so far left it."""
        return self._changed.get(appointment.id, appointment)

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        """As `Times.busy`."""
        before = self._times.busy(resource_ids, from_cell, until_cell)
        now_taken = [
            cell
            for each in self._changed.values()
            for cell in cells_of(each)
            if cell.resource_id in resource_ids and from_cell <= cell.cell < until_cell
        ]
        return [*(cell for cell in before if cell.appointment_id not in self._changed), *now_taken]

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        """As `Times.between`."""
        wanted = None if provider_ids is None else set(provider_ids)
        before = self._times.between(from_, until, wanted)
        changed = [
            each
            for each in self._changed.values()
            if from_ <= each.starts_at < until and each.state in TAKING and (wanted is None or each.provider_id in wanted)
        ]
        kept = [each for each in before if each.id not in self._changed]
        return sorted([*kept, *changed], key=lambda each: (each.starts_at, each.id))


class NoCalendar:
    """The calendar of a site without appointments, and without tokens for any."""

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        """As `Times.busy`."""
        return ()

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        """As `Times.between`."""
        return ()

    def appointment(self, appointment_id: int) -> Appointment | None:
        """As `Calendar.appointment`."""
        return None

    def with_token(self, token_hash: str) -> Appointment | None:
        """As `Calendar.with_token`."""
        return None

    def of_phone(self, phone_hash: str, from_: int, until: int) -> Sequence[Appointment]:
        """As `Calendar.of_phone`."""
        return ()

    def holds(self, held_by: str, held_from: str, now: int) -> Sequence[Appointment]:
        """As `Calendar.holds`."""
        return ()

    def wanting_earlier(self, provider_id: int, after: int) -> Sequence[Appointment]:
        """As `Calendar.wanting_earlier`."""
        return ()

    def of_foreign_ids(self, foreign_ids: Collection[str]) -> Sequence[Appointment]:
        """As `Calendar.of_foreign_ids`."""
        return ()

    def offers_to(self, appointment_id: int) -> Sequence[Appointment]:
        """As `Calendar.offers_to`."""
        return ()

    def offers_of(self, provider_id: int, starts_at: int) -> Sequence[Appointment]:
        """As `Calendar.offers_of`."""
        return ()

    def outdated(
        self, zone: str, tz_version: str, now: int, limit: int, *, latest_first: bool = False
    ) -> Sequence[Appointment]:
        """As `Calendar.outdated`."""
        return ()

    def token_hash(self, token: str) -> str:
        """As `Calendar.token_hash`."""
        return ""

    def phone_hash(self, phone: str) -> str:
        """As `Calendar.phone_hash`."""
        return ""

    def new_token_hash(self) -> str:
        """As `Calendar.new_token_hash`."""
        return ""

    def has_practitioner(self, practitioner_id: int) -> bool:
        """As `Calendar.has_practitioner`."""
        return False

    def tz_version(self) -> str:
        """As `Calendar.tz_version`."""
        return ""


NO_CALENDAR: Calendar = NoCalendar()
