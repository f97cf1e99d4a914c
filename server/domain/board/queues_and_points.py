"""Apply events of queues and points during the day: opened, paused and staffed."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.events import (
    PointBreakBegan,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    QueueOpened,
    QueuePaused,
    Recorded,
)


def point_opened(board: Board, event: PointOpened, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.points[event.point_id], state="open", seq=recorded.seq), changes)
    habits.break_ended(board, event.point_id, recorded, changes)


def point_break_began(board: Board, event: PointBreakBegan, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.points[event.point_id], state="on_break", seq=recorded.seq), changes)
    habits.break_began(board, event.point_id, recorded, changes)


def point_closed(board: Board, event: PointClosed, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.points[event.point_id], state="closed", seq=recorded.seq), changes)
    habits.break_began(board, event.point_id, recorded, changes)


def point_staffed(board: Board, event: PointStaffed, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.points[event.point_id], provider_id=event.provider_id, seq=recorded.seq), changes)


def points_swapped(board: Board, event: PointsSwapped, recorded: Recorded, changes: Changes) -> None:
    one, other = board.points[event.point_id], board.points[event.with_point_id]
    for room, team in ((one, other), (other, one)):
        room = replace(room, provider_id=team.provider_id, queue_ids=team.queue_ids, state=team.state, seq=recorded.seq)
        board.put(room, changes)


def queue_opened(board: Board, event: QueueOpened, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.queues[event.queue_id], paused=False, seq=recorded.seq), changes)


def queue_paused(board: Board, event: QueuePaused, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(board.queues[event.queue_id], paused=True, seq=recorded.seq), changes)
