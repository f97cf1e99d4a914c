"""Displays and kiosks."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayAdded(Event):
    display_id: int
    name: str
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskAdded(Event):
    kiosk_id: int
    name: str
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRenamed(Event):
    device_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayChanged(Event):
    """The queues and the points whose calls a display shows. Empty means all."""

    display_id: int
    queue_ids: tuple[int, ...]
    point_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(Event):
    device_id: int
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayReported(Event):
    """The present health of a display. ``heard_by`` is the server process that has its stream."""

    display_id: int
    connected: bool
    heard_by: str | None
    muted: bool
    version: str | None
    lag: int | None
