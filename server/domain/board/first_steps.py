"""Apply events of a new clinic's first steps."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.events import MilestoneReached, Recorded
from server.domain.model import Milestone


def milestone_reached(board: Board, event: MilestoneReached, recorded: Recorded, changes: Changes) -> None:
    reach(board, event.milestone, changes)


def reach(board: Board, milestone: Milestone, changes: Changes) -> None:
    """Note that the site has reached a milestone, unless it had before."""
    if milestone not in board.site.milestones:
        board.site = replace(board.site, milestones=(*board.site.milestones, milestone))
        changes.keys.add("checklist")
