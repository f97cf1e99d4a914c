"""Tickets issued, and visits corrected."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import Need, Personal, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketIssued(Event):
    """``personal`` is sealed into ``sealed`` before the event is stored: the log has no personal data in clear text."""

    visit_id: int
    entry_id: int
    queue_id: int
    label: str
    prefix: str
    number: int
    priority: Priority
    party_size: int
    language: str
    display_name: str | None
    band: int
    place: int
    due_at: int
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    token_hash: str
    personal: Personal | None = None
    sealed: str | None = None
    needs: tuple[Need, ...] = ()
    provider_id: int | None = None
    quoted_ahead: int | None = None
    quoted_points: int | None = None
    joined_from: str | None = None
    trial: bool = False
    appointment_id: int | None = None
    booked_for: int | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` belongs to."""
        return f"visit:{self.visit_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitAmended(Event):
    """The visit's new values.

    ``personal`` holds all personal data of the visit, corrected. It is sealed into ``sealed``. If both are None, the sealed
    data and the name for displays stay.
    """

    visit_id: int
    entry_id: int
    label: str
    party_size: int
    language: str
    needs: tuple[Need, ...]
    display_name: str | None = None
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` belongs to."""
        return f"visit:{self.visit_id}"
