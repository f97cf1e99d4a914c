"""Waits quoted again by the clock, and the words about them."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event
from server.domain.model import ToldMark


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsQuoted(Event):
    """New quotes for the entries whose quote has changed: (entry, from, until, estimating).

    ``more`` is set if the line goes on behind the quoted entries.
    """

    quotes: tuple[tuple[int, int | None, int | None, bool], ...]
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsExplained(Event):
    """The words of the clock about waits; only what has changed.

    ``told`` has why the range of an entry moved: (entry, `server.domain.model.Told`). ``leaves`` has until when a patient
    may leave: (entry, instant or None). ``late`` has how late a queue with appointments runs: (queue, minutes or 0).
    """

    told: tuple[tuple[int, ToldMark], ...] = ()
    leaves: tuple[tuple[int, int | None], ...] = ()
    late: tuple[tuple[int, int], ...] = ()
