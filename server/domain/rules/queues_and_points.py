"""Rules for opening, pausing and staffing queues and points during the day."""

from __future__ import annotations

from server.domain.board import Board
from server.domain.commands import BreakPoint, ClosePoint, OpenPoint, OpenQueue, PauseQueue, StaffPoint, SwapPoints
from server.domain.errors import PointAlready, QueueAlready, SamePoint
from server.domain.events import (
    Event,
    PointBreakBegan,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    QueueOpened,
    QueuePaused,
)
from server.domain.model import Point, PointState
from server.domain.rules.lookups import find_point, find_queue, named_provider, refuse_busy, refuse_unchanged


def open_point(board: Board, command: OpenPoint) -> list[Event]:
    point = _point_not(board, command.point_id, "open")
    return [PointOpened(point_id=point.id)]


def break_point(board: Board, command: BreakPoint) -> list[Event]:
    point = _point_not(board, command.point_id, "on_break")
    return [PointBreakBegan(point_id=point.id)]


def close_point(board: Board, command: ClosePoint) -> list[Event]:
    point = _point_not(board, command.point_id, "closed")
    refuse_busy(board, point)
    return [PointClosed(point_id=point.id)]


def staff_point(board: Board, command: StaffPoint) -> list[Event]:
    point = find_point(board, command.point_id)
    provider_id = named_provider(board, command.provider_id)
    refuse_unchanged(point, provider_id=provider_id)
    return [PointStaffed(point_id=point.id, provider_id=provider_id)]


def swap_points(board: Board, command: SwapPoints) -> list[Event]:
    one, other = find_point(board, command.point_id), find_point(board, command.with_point_id)
    if one.id == other.id:
        raise SamePoint(point_id=one.id)
    refuse_busy(board, one)
    refuse_busy(board, other)
    return [PointsSwapped(point_id=one.id, with_point_id=other.id)]


def open_or_pause_queue(board: Board, command: OpenQueue | PauseQueue) -> list[Event]:
    queue = find_queue(board, command.queue_id)
    pause = isinstance(command, PauseQueue)
    if queue.paused == pause:
        raise QueueAlready(queue_id=queue.id, queue_name=queue.name, state="paused" if pause else "open")
    return [QueuePaused(queue_id=queue.id) if pause else QueueOpened(queue_id=queue.id)]


def _point_not(board: Board, point_id: int, state: PointState) -> Point:
    """Return a point that is not in ``state``. Raises `PointNotFound` and `PointAlready`."""
    point = find_point(board, point_id)
    if point.state == state:
        raise PointAlready(point_id=point.id, point_name=point.name, state=state)
    return point
