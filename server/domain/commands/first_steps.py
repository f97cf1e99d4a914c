"""The first steps of a new clinic, and the trial that shows a day without patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from server.domain.commands.command import Command
from server.domain.model import Milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachMilestone(Command):
    """Tick a first step that happens outside the site's log: a new colleague, a printed poster."""

    internal: ClassVar[bool] = True

    site_id: int
    milestone: Milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class HideChecklist(Command):
    """Hide the list of first steps on the administrator's page."""

    site_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTrial(Command):
    """Cancel all open tickets of test patients."""

    site_id: int
