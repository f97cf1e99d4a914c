"""Rules for opening, pausing and staffing queues and points during the day."""

from __future__ import annotations

import pytest

from server.domain.commands import (
    BreakPoint,
    Call,
    CallNext,
    ClosePoint,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    StaffPoint,
    SwapPoints,
)
from server.domain.errors import PointAlready, PointBusy, PointNotOpen, QueueAlready, QueueIsPaused
from tests.support.one_entry import three_waiting
from tests.support.whole_clinic import ADA, BLOOD, ONE, TWO, refusal, whole_clinic


def test_point_calls_only_while_it_is_open() -> None:
    world, entry = three_waiting()
    point = min(world.board.points)
    for stop, again in ((BreakPoint, "on_break"), (ClosePoint, "closed")):
        world.do(stop(point_id=point))
        assert world.board.points[point].state == again
        for call in (CallNext(point_id=point), Call(entry_id=entry.id, point_id=point)):
            with pytest.raises(PointNotOpen):
                world.do(call)
        with pytest.raises(PointAlready):
            world.do(stop(point_id=point))
    world.do(OpenPoint(point_id=point))
    world.call(point)
    world.do(BreakPoint(point_id=point))  # after the present patient
    with pytest.raises(PointBusy):
        world.do(ClosePoint(point_id=point))


def test_paused_queue_issues_no_tickets_and_is_still_called() -> None:
    world, entry = three_waiting()
    world.do(PauseQueue(queue_id=entry.queue_id))
    with pytest.raises(QueueIsPaused):
        world.ticket(entry.queue_id)
    with pytest.raises(QueueAlready):
        world.do(PauseQueue(queue_id=entry.queue_id))
    world.call(min(world.board.points))
    world.do(OpenQueue(queue_id=entry.queue_id))
    world.ticket(entry.queue_id)


def test_swap_points_swaps_team_and_keeps_the_room() -> None:
    world = whole_clinic()
    world.do(StaffPoint(point_id=ONE, provider_id=ADA))
    one, two = world.board.points[ONE], world.board.points[TWO]
    world.do(SwapPoints(point_id=ONE, with_point_id=TWO))
    after = world.board.points
    assert (after[ONE].provider_id, after[ONE].queue_ids, after[ONE].state) == (None, two.queue_ids, two.state)
    assert (after[TWO].provider_id, after[TWO].queue_ids, after[TWO].state) == (ADA, one.queue_ids, one.state)
    # The room keeps its name and its unmet needs.
    assert [(after[key].name, after[key].unmet_needs) for key in (ONE, TWO)] == [("Room 1", ()), ("Room 2", ("step_free",))]
    world.ticket(BLOOD)
    world.call(TWO)
    assert refusal(world, SwapPoints(point_id=ONE, with_point_id=TWO)).code == "point_busy"
    assert refusal(world, SwapPoints(point_id=TWO, with_point_id=ONE)).code == "point_busy"
