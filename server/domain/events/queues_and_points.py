"""Queues and points opened, paused and staffed during the day."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOpened(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointBreakBegan(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointClosed(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointStaffed(Event):
    point_id: int
    provider_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSwapped(Event):
    point_id: int
    with_point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOpened(Event):
    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    queue_id: int
