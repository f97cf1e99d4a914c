"""Rules for changing the order of a queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.commands import ChangeSite, Move
from server.domain.errors import EntryNotFound, NoNeighbour
from tests.support.extent import examples
from tests.support.one_entry import NOBODY, three_waiting
from tests.support.whole_clinic import BLOOD, whole_clinic
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, facts


@examples(200)
@given(st.data())
def test_move_places_directly_behind_and_keeps_the_order_of_others(data: st.DataObject) -> None:
    world = World()
    queue = world.queue("A")
    for _ in range(data.draw(st.integers(2, 7))):
        world.ticket(queue, after=data.draw(st.sampled_from([0, 0, 1, SECOND])))
    for _ in range(6):
        order = [each.entry_id for each in world.board.waiting(queue)]
        moved = data.draw(st.sampled_from(order))
        behind = data.draw(st.sampled_from([None, *(each for each in order if each != moved)]))
        world.do(Move(entry_id=moved, behind_entry_id=behind, reason="frail"), after=0)
        rest = [each for each in order if each != moved]
        index = 0 if behind is None else rest.index(behind) + 1
        assert [each.entry_id for each in world.board.waiting(queue)] == [*rest[:index], moved, *rest[index:]]
        assert facts(world.loaded()) == facts(world.board)


def test_move_stays_within_one_queue_and_band() -> None:
    world, entry = three_waiting()
    emergency = world.ticket(entry.queue_id, "emergency")
    elsewhere = world.ticket(max(world.board.queues))
    for behind in (emergency, elsewhere, entry):
        with pytest.raises(NoNeighbour):
            world.do(Move(entry_id=entry.id, behind_entry_id=behind.id, reason="frail"))
    with pytest.raises(EntryNotFound):
        world.do(Move(entry_id=entry.id, behind_entry_id=NOBODY, reason="frail"))


def test_new_head_start_applies_to_new_tickets_only() -> None:
    world = whole_clinic()
    before = world.ticket(BLOOD, "urgent")
    world.do(ChangeSite(site_id=SITE_ID, head_start_urgent=10, return_lead=0))
    after = world.ticket(BLOOD, "urgent")
    assert [world.entry(each).due_at - world.entry(each).place for each in (before, after)] == [45 * MINUTE, 10 * MINUTE]
