"""Booking an appointment with a patient's own browser: who the visitor is, the hold, and the appointment.

The visitor is a phone of `server.identity.phones`. The site knows it by a keyed hash of its own, so that no row follows a
person from site to site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.domain.board import Board
from server.domain.commands import BookForVisitor, HoldForVisitor, ReleaseSlot
from server.domain.model import Provider, Service
from server.execute import Executor
from server.identity.phones import Phone, new_phone
from server.store.database import Database
from server.vault import Vault

ACTOR_LENGTH = 8
KEY_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Time:
    """The time that a visitor chose. Without a provider, any provider who is free."""

    service_id: int
    provider_id: int | None
    local_start: str
    fold: int


@dataclass(frozen=True, slots=True)
class About:
    """What a visitor tells of the patient."""

    name: str
    phone: str | None
    email: str | None
    language: str | None
    wants_earlier: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor at one site. ``held_by`` and ``held_from`` are the hashes that the limits of holds count."""

    site_id: int
    phone: Phone
    held_by: str
    held_from: str

    @property
    def actor(self) -> str:
        """The name of the visitor in logs."""
        return f"phone:{self.held_by[:ACTOR_LENGTH]}"


@dataclass(frozen=True, slots=True)
class Bookings:
    """Books appointments for the visitors of one database."""

    _database: Database
    _vault: Vault
    _executor: Executor

    def visitor(self, phone: Phone | None, site_id: int, address: str) -> Visitor:
        """Return the visitor with this phone, or a new one. ``address`` is the name of the client's address."""
        phone = phone or new_phone(self._database.clock.seconds())
        held_by = self._vault.keyed_hash(f"visitor:{site_id}:{phone.id}")
        return Visitor(site_id, phone, held_by, self._vault.keyed_hash(f"held from:{site_id}:{address}"))

    async def hold(self, visitor: Visitor, time: Time, hold_token: str | None, key: str) -> dict[str, Any]:
        """Keep a time for a visitor, or with a ``hold_token`` keep it longer; return the command's answer.

        An earlier hold of the visitor ends. Raises `BookingIsOff`, `SlotTaken`, `SlotNotOffered`, `TooManyHolds`,
        `HoldExpired`, `HoldNotExtended`, `ServiceNotFound`, and the errors of `Executor.execute`.
        """
        command = HoldForVisitor(
            site_id=visitor.site_id,
            service_id=time.service_id,
            provider_id=time.provider_id,
            local_start=time.local_start,
            fold=time.fold,
            hold_token=hold_token,
            held_by=visitor.held_by,
            held_from=visitor.held_from,
        )
        return await self._do(command, visitor, key)

    async def release(self, visitor: Visitor, hold_token: str, key: str) -> None:
        """Give the time of a hold back. Raises `HoldExpired`, and the errors of `Executor.execute`."""
        await self._do(ReleaseSlot(site_id=visitor.site_id, hold_token=hold_token), visitor, key)

    async def book(self, visitor: Visitor, time: Time, about: About, hold_token: str | None, key: str) -> dict[str, Any]:
        """Book a time for a patient, once for each key; return the command's answer with the appointment's token.

        Raises as `hold` does, and `PhoneNumberNeeded` and `InvalidField`.
        """
        command = BookForVisitor(
            site_id=visitor.site_id,
            service_id=time.service_id,
            provider_id=time.provider_id,
            local_start=time.local_start,
            fold=time.fold,
            hold_token=hold_token,
            name=about.name,
            phone=about.phone,
            email=about.email,
            language=about.language,
            wants_earlier=about.wants_earlier,
        )
        return await self._do(command, visitor, key)

    async def _do(
        self, command: HoldForVisitor | ReleaseSlot | BookForVisitor, visitor: Visitor, key: str
    ) -> dict[str, Any]:
        # The key is the visitor's own: nobody else's repeat gets this answer, which has a token.
        own = f"{command.name_on_wire()}:{visitor.phone.id}:{key}"
        command_id = f"visitor:{self._vault.keyed_hash(own)[:KEY_LENGTH]}"
        answer = await self._executor.execute(command, actor=visitor.actor, command_id=command_id, may=lambda _: False)
        return answer.body


@dataclass(frozen=True, slots=True)
class Bookable:
    """A service that patients can book, and the providers who offer it, in the order of the screens."""

    service: Service
    providers: tuple[Provider, ...]


def bookable(board: Board) -> list[Bookable]:
    """Return the services that patients can book at a site: those in the hours of a provider, today or later."""
    today = board.site.business_day
    offered: dict[int, set[int]] = {}
    for schedule in board.schedules.values():
        if schedule.valid_until is None or schedule.valid_until >= today:
            for service_id in schedule.service_ids:
                offered.setdefault(service_id, set()).add(schedule.provider_id)
    for extra in board.exceptions.values():
        if extra.kind == "extra" and not extra.removed_at and extra.date >= today and extra.provider_id is not None:
            for service_id in extra.service_ids:
                offered.setdefault(service_id, set()).add(extra.provider_id)
    providers = sorted(
        (each for each in board.providers.values() if not each.removed_at), key=lambda each: (each.position, each.id)
    )
    found = []
    for service in sorted(board.services.values(), key=lambda each: (each.position, each.id)):
        by = tuple(each for each in providers if each.id in offered.get(service.id, ()))
        if by and not service.removed_at:
            found.append(Bookable(service, by))
    return found
