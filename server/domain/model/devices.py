"""The devices of a site: displays in the waiting room and kiosks at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LAGS = (0, 10, 60)  # seconds; coarse steps, so that small variations cause no event
Printing = Literal["none", "browser", "escpos"]  # how a kiosk prints
Printer = Literal["ready", "no_paper", "missing", "fault"]  # the state of its printer, as the kiosk reports it
CheckIn = Literal["off", "code", "birth"]  # `birth`: by code, or by date of birth and initials


@dataclass(frozen=True, slots=True)
class Display:
    """A waiting-room screen. ``token_hash`` is the keyed hash of its token, None while no device is paired.

    ``connected`` is whether the display follows its stream. ``since`` is the time at which ``connected`` last changed (None
    if the display never connected), and ``heard_by`` is the server process that has the stream. The display itself reports
    whether its sound is ``muted`` and the ``version`` of its page. ``lag`` is one of `LAGS`: for at least this many seconds
    the display has not painted the last message. None means that the display does not report it.

    The display shows the calls of ``queue_ids`` to ``point_ids``; either is empty for all.
    """

    id: int
    site_id: int
    name: str
    token_hash: str | None
    seq: int
    removed_at: int = 0
    connected: bool = False
    since: int | None = None
    muted: bool = False
    version: str | None = None
    lag: int | None = None
    heard_by: str | None = None
    queue_ids: tuple[int, ...] = ()
    point_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A tablet at the door that issues tickets. ``token_hash`` is the keyed hash of its token, None while not paired.

    ``connected``, ``since``, ``version``, ``lag`` and ``heard_by`` are as for a display. ``printer`` is the state of the
    printer that the kiosk last reported, None if it reports none.

    The kiosk offers the queues ``queue_ids``, empty for all. It stands at ``place``. ``low`` keeps everything that people
    touch in the lower third of the screen. ``check_in`` names the ways in which a patient with an appointment checks in.

    ``help_asked_at`` is the time of the last request for help, and ``help_by`` the name of the person who answered it. None
    while nobody has answered.
    """

    id: int
    site_id: int
    name: str
    token_hash: str | None
    seq: int
    removed_at: int = 0
    connected: bool = False
    since: int | None = None
    version: str | None = None
    lag: int | None = None
    heard_by: str | None = None
    printer: Printer | None = None
    queue_ids: tuple[int, ...] = ()
    printing: Printing = "none"
    low: bool = False
    check_in: CheckIn = "off"
    place: str = ""
    help_asked_at: int | None = None
    help_by: str | None = None

    @property
    def calls_for_help(self) -> bool:
        """Whether somebody at the kiosk waits for help."""
        return self.help_asked_at is not None and self.help_by is None
