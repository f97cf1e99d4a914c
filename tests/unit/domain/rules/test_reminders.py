"""Notices for patients who are almost next."""

from __future__ import annotations

from hypothesis import given

from server.domain.commands import Transfer
from server.domain.messages import ALMOST_YOUR_TURN
from server.domain.ranking import ahead
from server.domain.rules.reminders import ALMOST_AHEAD, Notice, almost_your_turn
from tests.support.extent import examples
from tests.support.worlds import Step, World, perform, scripts, small_clinic


@examples(150)
@given(scripts(50))
def test_patients_with_at_most_two_ahead_get_a_notice(script: list[Step]) -> None:
    world = small_clinic()
    for step in script:
        perform(world, step)
    near = {
        entry.id
        for entry in world.board.entries.values()
        if entry.state == "waiting"
        and entry.absent_until is None
        and ahead(world.board, entry) <= ALMOST_AHEAD
        and not world.board.visits[entry.visit_id].trial
    }
    notices = almost_your_turn(world.board)
    assert {notice.entry_id for notice in notices} == near
    assert len(notices) == len(near)
    for notice in notices:
        entry = world.board.entries[notice.entry_id]
        assert notice == Notice(ALMOST_YOUR_TURN, entry.id, entry.calls, entry.visit_id, ALMOST_AHEAD)


def test_empty_site_has_no_notices() -> None:
    assert almost_your_turn(World().board) == []
    assert almost_your_turn(small_clinic().board) == []


def test_fourth_patient_gets_a_notice_when_the_first_is_called() -> None:
    world = World()
    queue_id = world.queue()
    point = world.point(queue_id)
    tickets = [world.ticket(queue_id) for _ in range(5)]
    assert [notice.entry_id for notice in almost_your_turn(world.board)] == [entry.id for entry in tickets[:3]]
    world.call(point)
    assert [notice.entry_id for notice in almost_your_turn(world.board)] == [entry.id for entry in tickets[1:4]]


def test_patients_of_other_queues_of_the_point_count_as_ahead() -> None:
    world = World()
    one, two = world.queue("A"), world.queue("B")
    world.point(one, two)
    for _ in range(3):
        world.ticket(one)
    last = world.ticket(two)  # the first of its own queue, with three ahead
    assert last.id not in {notice.entry_id for notice in almost_your_turn(world.board)}


def test_same_state_gives_the_same_notice_and_a_new_stage_gives_a_new_one() -> None:
    world = World()
    one, two = world.queue("A"), world.queue("B")
    entry = world.ticket(one)
    before = almost_your_turn(world.board)
    assert almost_your_turn(world.board) == before
    world.do(Transfer(entry_id=entry.id, queue_id=two))
    [after] = almost_your_turn(world.board)
    assert (after.visit_id, after.kind) == (before[0].visit_id, before[0].kind)
    assert after != before[0]
