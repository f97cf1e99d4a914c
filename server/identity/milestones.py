"""First steps of a new clinic that happen outside its log: a new colleague, a printed poster."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from server.domain.commands import ReachMilestone
from server.domain.errors import NothingChanged
from server.domain.model import Milestone
from server.execute import Executor
from server.queries.identity import Identities


@dataclass(frozen=True, slots=True)
class Milestones:
    """Ticks first steps in the logs of sites."""

    _identities: Identities
    _executor: Executor

    async def reach(self, organisation_id: int, milestone: Milestone, *, actor: str) -> None:
        """Tick a step at every site of an organisation. Raises `Unavailable`."""
        for site in await self._identities.sites(organisation_id):
            await self.reach_at(site.id, milestone, actor=actor)

    async def reach_at(self, site_id: int, milestone: Milestone, *, actor: str) -> None:
        """Tick a step at one site. A step that is done stays as it is. Raises `SiteNotFound`, `Unavailable`."""
        command = ReachMilestone(site_id=site_id, milestone=milestone)
        with suppress(NothingChanged):
            await self._executor.execute(command, actor=actor, command_id=f"milestone:{uuid.uuid4().hex}")
