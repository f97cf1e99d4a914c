"""Rules of a new clinic's first steps, and of the trial."""

from __future__ import annotations

from server.domain.board import Board, open_entries
from server.domain.commands import EndTrial, HideChecklist, ReachMilestone
from server.domain.errors import NothingChanged
from server.domain.events import EntryCancelled, Event, MilestoneReached
from server.domain.rules.lookups import label_of

END_OF_TRIAL = "The trial has ended."


def reach(board: Board, command: ReachMilestone | HideChecklist) -> list[Event]:
    milestone = command.milestone if isinstance(command, ReachMilestone) else "checklist-hidden"
    if milestone in board.site.milestones:
        raise NothingChanged(site_id=board.site.id)
    return [MilestoneReached(milestone=milestone)]


def end_trial(board: Board, command: EndTrial) -> list[Event]:
    ending = [entry for entry in open_entries(board) if board.visits[entry.visit_id].trial]
    if not ending:
        raise NothingChanged(site_id=board.site.id)
    return [EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=END_OF_TRIAL) for entry in ending]
