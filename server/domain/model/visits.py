"""A patient's visit, and the personal data that belongs to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from server.domain.model.folding import words

Priority = Literal["standard", "assisted", "urgent", "emergency"]
Need = Literal["fetch_in_person", "interpreter", "step_free", "chaperone"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One attendance with all its stages. ``sealed`` is the ciphertext of the data that only staff may read.

    ``joined_from`` is set for a patient who joined with a phone: the keyed hash of its browser, another one each day.
    ``appointment_id`` is set for a patient who came by appointment, ``booked_for`` is its start (microseconds).
    A ``trial`` is a test patient: no figure and no estimate counts the visit, and nobody gets a message.
    """

    id: int
    site_id: int
    business_day: str
    label: str
    priority: Priority
    party_size: int
    language: str
    display_name: str | None
    token_hash: str
    sealed: str | None
    opened_at: int
    seq: int
    needs: tuple[Need, ...] = ()
    joined_from: str | None = None
    trial: bool = False
    appointment_id: int | None = None
    booked_for: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """Sealed data in clear text. It exists only between the edge and the vault.

    For a patient it holds all personal data, and ``token``, the key to the patient's page, for the links in messages and a
    reprinted slip. For a service it holds the true name.
    """

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    date_of_birth: str | None = None
    notes: str | None = None
    token: str | None = None

    @property
    def born(self) -> int | None:
        """The year of birth, if it is known."""
        return int(self.date_of_birth[:4]) if self.date_of_birth else None

    def is_probably(self, other: Personal) -> bool:
        """Return whether both are probably one person: the same name, and the same date of birth or else the same phone.

        Two different dates of birth are two people: a parent and a child can share name and phone.
        """
        if not (self.name and other.name) or sorted(words(self.name)) != sorted(words(other.name)):
            return False
        if self.date_of_birth and other.date_of_birth:
            return self.date_of_birth == other.date_of_birth
        return self.phone is not None and self.phone == other.phone

    def corrected(self, correction: Personal) -> Personal:
        """Return this data with the fields of ``correction``. None keeps a field, an empty text removes it."""
        changes = {name: value or None for name, value in asdict(correction).items() if value is not None}
        return replace(self, **changes)
