"""Displays and kiosks."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import CheckIn, Printer, Printing


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayAdded(Event):
    """``token_hash`` is None for a display that is not paired yet."""

    display_id: int
    name: str
    token_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskAdded(Event):
    """``token_hash`` is None for a kiosk that is not paired yet."""

    kiosk_id: int
    name: str
    token_hash: str | None


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
class KioskChanged(Event):
    """The settings of a kiosk. ``queue_ids`` is empty for all queues."""

    kiosk_id: int
    queue_ids: tuple[int, ...]
    printing: Printing
    low: bool
    check_in: CheckIn
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpAsked(Event):
    """Somebody at a kiosk asks reception for help."""

    kiosk_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpAnswered(Event):
    """A member of staff has seen the request for help. ``by`` is the name that the kiosk shows."""

    kiosk_id: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReported(Event):
    """The present health of a display or a kiosk. ``heard_by`` is the server process that has its stream.

    A kiosk is never ``muted``, and a display has no ``printer``.
    """

    device_id: int
    connected: bool
    heard_by: str | None
    muted: bool
    version: str | None
    lag: int | None
    printer: Printer | None = None
