"""Displays and kiosks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from server.domain.commands.bounds import NAME, SHOWN
from server.domain.commands.command import Command, OnDevice, OnKiosk
from server.domain.model import CheckIn, Printer, Printing
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
class ChangeKiosk(OnKiosk):
    """Change the settings of a kiosk. Omitted fields stay.

    ``queue_ids`` are the queues that it offers; an empty list means all. ``printing`` is how it prints its slips: not at
    all, by the browser without a dialog, or by commands to a receipt printer. ``low`` keeps everything that people touch in
    the lower third of the screen. ``check_in`` opens the check-in of patients with an appointment: by code, or also by date
    of birth and initials. Staff see the ``place`` with each request for help; an empty place removes it.
    """

    kiosk_id: int
    queue_ids: tuple[int, ...] | None = field(default=None, metadata=SHOWN)
    printing: Printing | None = None
    low: bool | None = None
    check_in: CheckIn | None = None
    place: str | None = field(default=None, metadata={"max_length": 80})


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken(OnDevice):
    """Give a display or a kiosk a new token, which is shown only once. The old token ends."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken(OnDevice):
    """End the token of a display or a kiosk. The device is signed out until it gets a new token."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskHelp(OnKiosk):
    """Ask reception for help at a kiosk. A person in front of the kiosk does it; an administrator may test it."""

    kiosk_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHelp(OnKiosk):
    """Tell the person at a kiosk who has seen the request for help. The kiosk shows the ``name``."""

    kiosk_id: int
    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDevice(OnDevice):
    """Report the health of a display or a kiosk, as the server process ``heard_by`` knows it.

    ``connected`` None leaves the connection as it is. A device becomes disconnected only by a report of the process that
    last reported it as connected. A display has sound, a kiosk has a printer: the other value does not count.
    """

    internal: ClassVar[bool] = True

    device_id: int
    heard_by: str
    connected: bool | None = None
    muted: bool | None = None
    version: str | None = None
    lag: int | None = None
    printer: Printer | None = None
