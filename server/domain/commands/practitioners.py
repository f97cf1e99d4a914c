"""The people behind providers: several sites of an organisation may book one person."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.commands.command import Command
from server.domain.model.ids import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPractitioner(Command):
    """Say which practitioner of the organisation a provider is: no two sites can book the same hour of a practitioner.

    Without ``practitioner_id``, no other site books the provider. Coming appointments move along; if their
    time collides with another site's, nothing changes.
    """

    provider_id: int
    practitioner_id: int | None = None

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)
