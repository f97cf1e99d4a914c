"""Calls and services from before an outage: staff are asked whether they are still valid, and answer."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDoubted(Event):
    """No server worked for a while (microseconds), and the entry was called or in service before that.

    Displays show the call no longer, and staff are asked.
    """

    entry_id: int
    label: str
    offline_from: int
    offline_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryConfirmed(Event):
    """The patient is still here: the call or the service from before the outage is valid."""

    entry_id: int
    label: str
