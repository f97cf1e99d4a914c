"""The business day, and the message of the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from server.domain.commands.bounds import REASON
from server.domain.commands.command import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastMessage(Command):
    """Show a message on every display of the site. Null removes the message."""

    site_id: int
    message: str | None = field(metadata={"min_length": 1, "max_length": 200})


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDay(Command):
    """End all open entries of the site, with a reason."""

    site_id: int
    reason: str = field(metadata=REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Command):
    """Do the work of the clock: end absences, turn the day, update quotes. Any process may send it, at any time.

    Without ``explain`` there are no words about the waits: servers of a version before `WaitsExplained` still run.
    Without ``leave`` no further patient gets a time to leave: the operator has switched it off for the site.
    """

    internal: ClassVar[bool] = True

    site_id: int
    explain: bool = True
    leave: bool = True
