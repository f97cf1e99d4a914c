"""Issuing tickets, and correcting the data of a visit."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.bounds import DATE_OF_BIRTH, EMAIL, LANGUAGE, NAME, NEEDS, NOTES, PARTY, PHONE, or_empty
from server.domain.commands.command import OnEntry, OnQueue
from server.domain.model import Need, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTicket(OnQueue):
    """Issue the next ticket of a queue to a visitor. The answer contains the ticket's token.

    With ``name_on_display``, the patient agrees that displays show the short name. A site that shows no names keeps none.
    With ``second_ticket``, the ticket is issued although a patient with the same data already has an open one.
    With ``overrule``, the ticket is issued although the site is closed or the queue is full.
    After ``valid_until`` (milliseconds since 1970) no ticket is issued: a kiosk promises nothing to people who have gone.
    A ``trial`` is a test patient: screens mark the ticket, and no figure counts it. It also comes in at a closed site.
    """

    queue_id: int
    priority: Priority = "standard"
    provider_id: int | None = None
    party_size: int = field(default=1, metadata=PARTY)
    language: str | None = field(default=None, metadata=LANGUAGE)
    needs: tuple[Need, ...] = field(default=(), metadata=NEEDS)
    name: str | None = field(default=None, metadata=NAME)
    phone: str | None = field(default=None, metadata=PHONE)
    email: str | None = field(default=None, metadata=EMAIL)
    date_of_birth: str | None = field(default=None, metadata=DATE_OF_BIRTH)
    notes: str | None = field(default=None, metadata=NOTES)
    name_on_display: bool = False
    overrule: bool = False
    second_ticket: bool = False
    valid_until: int | None = field(default=None, metadata={"ge": 0, "le": 2**53 - 1})
    trial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendVisit(OnEntry):
    """Correct the data of a patient's visit. Omitted fields stay; an empty name, phone or date of birth removes it.

    ``name_on_display`` says whether the patient now agrees that displays show the short name. With
    ``second_ticket``, the data may become the same as that of another patient with an open ticket.
    """

    entry_id: int
    name: str | None = field(default=None, metadata={"max_length": 80})
    phone: str | None = field(default=None, metadata=or_empty(PHONE))
    party_size: int | None = field(default=None, metadata=PARTY)
    language: str | None = field(default=None, metadata=LANGUAGE)
    needs: tuple[Need, ...] | None = field(default=None, metadata=NEEDS)
    date_of_birth: str | None = field(default=None, metadata=or_empty(DATE_OF_BIRTH))
    name_on_display: bool | None = None
    second_ticket: bool = False
