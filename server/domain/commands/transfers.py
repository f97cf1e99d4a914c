"""Sending patients to another queue or another provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.bounds import REASON
from server.domain.commands.command import Command, OnEntry
from server.domain.model.ids import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(OnEntry):
    """End this stage and send the patient to another queue with the same ticket.

    With ``provider_id``, the patient waits for this provider.
    """

    entry_id: int
    queue_id: int
    provider_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignProvider(Command):
    """Give all patients who wait for one provider to another one. Null means any provider."""

    provider_id: int
    to_provider_id: int | None
    reason: str = field(metadata=REASON)

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)
