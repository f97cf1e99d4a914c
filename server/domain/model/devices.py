"""The devices of a site: displays in the waiting room and kiosks at the door."""

from __future__ import annotations

from dataclasses import dataclass

LAGS = (0, 10, 60)  # seconds; coarse steps, so that small variations cause no event


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
    """A tablet at the door that issues tickets. ``token_hash`` is the keyed hash of its token, None while not paired."""

    id: int
    site_id: int
    name: str
    token_hash: str | None
    seq: int
    removed_at: int = 0
