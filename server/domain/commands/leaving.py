"""Leaving the queue, for a while or for good, and coming back."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.bounds import REASON
from server.domain.commands.command import OnEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(OnEntry):
    """Put an entry on hold. The entry is not called until it returns."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(OnEntry):
    """Put a patient who was on hold or did not come back into the queue. The absence costs its own length.

    The call of a called patient ends, and the point is free. A late patient who waits is here again, and keeps the place.
    """

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLate(OnEntry):
    """Pass over a patient who is late by this many minutes, and keep the place. 0 means the patient is here again.

    A called patient goes on hold instead, and returns by itself after these minutes. The point is free.
    """

    entry_id: int
    minutes: int = field(metadata={"ge": 0, "le": 240})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(OnEntry):
    """Give up the patient's place in the queue, also after a call."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(OnEntry):
    """End an entry that will not be served. Staff give a reason."""

    entry_id: int
    reason: str = field(metadata=REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(OnEntry):
    """Reopen an entry that ended today by mistake. The entry waits again in its old place."""

    entry_id: int
