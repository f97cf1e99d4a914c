"""Opening, pausing and staffing queues and points during the day."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.commands.command import OnPoint, OnQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPoint(OnPoint):
    """Open a point for calls, or end its break."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakPoint(OnPoint):
    """Pause a point. The point calls nobody until it opens again."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePoint(OnPoint):
    """Close a point for the day."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffPoint(OnPoint):
    """Set the provider at a point. Null means none."""

    point_id: int
    provider_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapPoints(OnPoint):
    """Swap the rooms of two free points: provider, queues and state."""

    point_id: int
    with_point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQueue(OnQueue):
    """Issue tickets of a paused queue again."""

    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseQueue(OnQueue):
    """Stop issuing tickets of a queue. Points still call the waiting patients."""

    queue_id: int
