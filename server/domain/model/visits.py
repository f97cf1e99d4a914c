"""A patient's visit, and the personal data that belongs to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

Priority = Literal["standard", "assisted", "urgent", "emergency"]
Need = Literal["fetch_in_person", "interpreter", "step_free", "chaperone"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One attendance with all its stages. ``sealed`` is the ciphertext of the data that only staff may read."""

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

    def corrected(self, correction: Personal) -> Personal:
        """Return this data with the fields of ``correction``. None keeps a field, an empty text removes it."""
        changes = {name: value or None for name, value in asdict(correction).items() if value is not None}
        return replace(self, **changes)
