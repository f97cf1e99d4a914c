"""Displays and kiosks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from server.domain.commands.bounds import NAME, SHOWN
from server.domain.commands.command import Command, OnDevice
from server.domain.model.ids import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDisplay(Command):
    """Add a waiting-room display. The answer contains its token, which is shown only once."""

    site_id: int
    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddKiosk(Command):
    """Add a kiosk at the door. The answer contains its token, which is shown only once."""

    site_id: int
    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameDevice(OnDevice):
    """Rename a display or a kiosk."""

    device_id: int
    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDisplay(Command):
    """Choose the queues and points whose calls a display shows and speaks. Omitted fields stay; an empty list means all."""

    display_id: int
    queue_ids: tuple[int, ...] | None = field(default=None, metadata=SHOWN)
    point_ids: tuple[int, ...] | None = field(default=None, metadata=SHOWN)

    @property
    def site_id(self) -> int:
        return site_of(self.display_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken(OnDevice):
    """Give a display or a kiosk a new token, which is shown only once. The old token ends."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken(OnDevice):
    """End the token of a display or a kiosk. The device is signed out until it gets a new token."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDisplay(Command):
    """Report the health of a display, as the server process ``heard_by`` knows it.

    ``connected`` None leaves the connection as it is. A display becomes disconnected only by a report of the process that
    last reported it as connected.
    """

    internal: ClassVar[bool] = True

    display_id: int
    heard_by: str
    connected: bool | None = None
    muted: bool | None = None
    version: str | None = None
    lag: int | None = None

    @property
    def site_id(self) -> int:
        return site_of(self.display_id)
