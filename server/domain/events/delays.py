"""The delay of a clinic: announced and withdrawn."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayAnnounced(Event):
    """The site is late by so many minutes.

    ``reached`` is the number of messages to patients, ``without_address`` the number of the others.
    """

    minutes: int
    reached: int
    without_address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayWithdrawn(Event):
    """The site is not late any more, or the announcement was a mistake."""
