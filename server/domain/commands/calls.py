"""Calling patients and serving them."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.commands.command import OnEntry, OnPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNext(OnPoint):
    """Call the next patient that a point may serve."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(OnEntry):
    """Call one chosen entry to a point, even if others are ahead of it."""

    entry_id: int
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(OnEntry):
    """Announce a called entry once more."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(OnEntry):
    """Begin the service: the called patient has come."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete(OnEntry):
    """Finish the service."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShow(OnEntry):
    """Record that the called patient did not come."""

    entry_id: int
