"""Undoing the last step of an entry."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.commands.command import OnEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(OnEntry):
    """Undo the last step of an entry within a minute, as long as no later step depends on it."""

    entry_id: int
