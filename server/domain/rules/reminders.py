"""The notices that patients should get now. Pure: a board in, notices out."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.board import Board
from server.domain.messages import ALMOST_YOUR_TURN, Kind
from server.domain.ranking import ahead

ALMOST_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to one patient about one version of one entry. The version grows with each call."""

    kind: Kind
    entry_id: int
    version: int
    visit_id: int
    ahead: int


def almost_your_turn(board: Board) -> list[Notice]:
    """Return a notice for each waiting patient with at most two patients ahead. Test patients get none."""
    return [
        Notice(ALMOST_YOUR_TURN, entry.id, entry.calls, entry.visit_id, ALMOST_AHEAD)
        for queue_id in board.queues
        for each in board.waiting(queue_id)[: ALMOST_AHEAD + 1]
        if not board.visits[(entry := board.entries[each.entry_id]).visit_id].trial and ahead(board, entry) <= ALMOST_AHEAD
    ]
