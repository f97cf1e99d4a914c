"""How a clinic reaches a patient, and the opt-outs: patients and staff stop the messages to one address, or undo this.

An opt-out holds for the address in the whole organisation: also in other records, and after the records are erased.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import AddressNotFound
from server.domain.messages import STOPPABLE, OptOutSource, Way, address_for, masked
from server.domain.model import Appointment
from server.queries.contacts import Contact
from server.store import opt_outs
from server.store.database import Database
from server.store.opt_outs import HashedAddress, hashed
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class WayTo:
    """A way to a patient. ``recipient`` is the masked address, or None. ``source`` says who has stopped its messages."""

    way: Way
    recipient: str | None
    opted_out: bool
    source: OptOutSource | None


@dataclass(frozen=True, slots=True)
class Contacts:
    """The ways to the patients of one database. The audit notes who stopped messages, and who undid it."""

    _database: Database
    _vault: Vault
    _audit: Audit

    async def ways_to(self, contact: Contact) -> list[WayTo]:
        """Return the ways that the site uses and that an address can stop, in the site's order. Raises `Unavailable`."""
        addresses = self._addresses(contact)
        keys = {way: self._hashed(contact, way, address) for way, address in addresses.items() if address is not None}
        sources: dict[HashedAddress, OptOutSource] = {}
        if keys:
            async with self._database.read() as connection:
                sources = await opt_outs.sources(connection, set(keys.values()))
        found = []
        for way, address in addresses.items():
            source = sources.get(keys[way]) if way in keys else None
            recipient = None if address is None else masked(address, way)
            found.append(WayTo(way, recipient, source is not None, source))
        return found

    async def set(self, contact: Contact, way: str, opted_out: bool, source: OptOutSource, *, actor: str) -> None:
        """Stop the messages to the patient's address on a way, or undo this. A repeat changes nothing.

        Raises `AddressNotFound` if the site does not use this way or the patient has no address for it, and `Unavailable`.
        """
        found = next(((each, at) for each, at in self._addresses(contact).items() if each == way), None)
        if found is None or found[1] is None:
            raise AddressNotFound(way=way)
        key = self._hashed(contact, found[0], found[1])
        now = await self._database.now()
        async with self._database.write() as connection:
            if opted_out:
                changed = await opt_outs.add(connection, [key], source, now) == 1
            else:
                changed = await opt_outs.remove(connection, key)
        if changed:
            record = contact.record
            self._audit.note(
                "change-contact",
                actor,
                subject=f"{'appointment' if isinstance(record, Appointment) else 'visit'}:{record.id}",
                site_id=contact.site.id,
                organisation_id=contact.site.organisation_id,
                detail=f"{way} {'off' if opted_out else 'on'}",
            )

    def _addresses(self, contact: Contact) -> dict[Way, str | None]:
        personal = self._vault.open_personal(contact.record)
        ways = [way for way in contact.site.rules.message_ways if way in STOPPABLE]
        return {way: address_for(personal, way) for way in ways}

    def _hashed(self, contact: Contact, way: Way, address: str) -> HashedAddress:
        return hashed(self._vault, contact.site.organisation_id, way, address)
