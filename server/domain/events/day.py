"""The business day, and the message of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBroadcast(Event):
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosed(Event):
    """Staff closed the day. Other events of the same command ended the open entries."""

    reason: str
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryExpired(Event):
    """The business day turned while this entry was still open."""

    entry_id: int
    label: str
    was: Literal["waiting", "called", "serving", "held"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTurned(Event):
    """A new business day began. Ticket numbers start again, and the entries of the day before leave the screens.

    At a site that never closes, the ``carried`` entries stay open in the new day.
    """

    business_day: str
    next_turn_at: int
    carried: tuple[int, ...] = ()
