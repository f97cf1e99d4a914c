"""Patients sent to another queue or another provider."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTransferred(Event):
    entry_id: int
    new_entry_id: int
    queue_id: int
    label: str
    band: int
    place: int
    due_at: int
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    provider_id: int | None = None
    moved: bool = False
    quoted_ahead: int | None = None
    quoted_points: int | None = None
    absent_until: int | None = None
    away: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReassigned(Event):
    """All patients who waited for one provider now wait for another one, or for any provider."""

    provider_id: int
    to_provider_id: int | None
    entry_ids: tuple[int, ...]
    labels: tuple[str, ...]
    reason: str
