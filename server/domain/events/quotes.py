"""Waits quoted again by the clock."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsQuoted(Event):
    """New quotes for the entries whose quote has changed: (entry, from, until, estimating).

    ``more`` is set if the line goes on behind the quoted entries.
    """

    quotes: tuple[tuple[int, int | None, int | None, bool], ...]
    more: bool = False
