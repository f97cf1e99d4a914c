"""The sender of a request, after its credential is verified: a member of staff, another system, a device or a ticket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain import roles


@dataclass(frozen=True, slots=True)
class Staff:
    """A signed-in member of staff."""

    id: int
    organisation_id: int
    username: str
    role: str
    session_id: str

    @property
    def actor(self) -> str:
        """The name of this member of staff in logs: ``staff:3``."""
        return f"staff:{self.id}"


@dataclass(frozen=True, slots=True)
class Integration:
    """Another system with an API key. ``site_id`` is the only site that the key opens; None opens the whole organisation."""

    id: int
    organisation_id: int
    site_id: int | None

    @property
    def actor(self) -> str:
        """The name of this system in logs: ``key:3``."""
        return f"key:{self.id}"

    @property
    def role(self) -> str:
        """The role of every other system in `server.domain.roles`."""
        return roles.INTEGRATION


@dataclass(frozen=True, slots=True)
class Bearer:
    """A display, a kiosk, a ticket or an appointment with its own token."""

    kind: Literal["display", "kiosk", "ticket", "appointment"]
    id: int
    token_hash: str = ""

    @property
    def actor(self) -> str:
        """The name of this holder in logs: ``kiosk:7000000003``."""
        return f"{self.kind}:{self.id}"

    @property
    def role(self) -> str:
        """The role in `server.domain.roles`: a ticket or an appointment acts as the patient."""
        return roles.PATIENT if self.kind in ("ticket", "appointment") else self.kind
