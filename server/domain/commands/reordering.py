"""Changing the order of a queue."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.bounds import REASON
from server.domain.commands.command import OnEntry
from server.domain.model import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprioritise(OnEntry):
    """Change the priority of a visit. The place follows, and the reason is kept with the change."""

    entry_id: int
    priority: Priority
    reason: str | None = field(default=None, metadata=REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(OnEntry):
    """Place a waiting entry directly behind another one of the same queue and band, or first in its band."""

    entry_id: int
    behind_entry_id: int | None
    reason: str = field(metadata=REASON)
