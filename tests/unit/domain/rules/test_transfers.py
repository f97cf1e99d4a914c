"""Rules for sending patients to another queue or another provider."""

from __future__ import annotations

import pytest

from server.domain.board import Changes, apply
from server.domain.commands import ChangeQueue, Hold, ReassignProvider, RunningLate, StaffPoint, Transfer
from server.domain.errors import Refused
from server.domain.events import Recorded, TicketTransferred
from server.domain.model import OPEN_STATES, State
from server.domain.rules import decide
from server.domain.views import TicketView, draw
from tests.support.one_entry import ENTRY, OTHER_QUEUE, QUEUE, VISIT, board_with, unchanged_by
from tests.support.whole_clinic import ADA, BLOOD, BOSE, ONE, X_RAY, whole_clinic
from tests.support.worlds import HOUR, MINUTE, START, an_id, facts, small_clinic


@pytest.mark.parametrize("state", ["waiting", "called", "serving"])
def test_transfer_keeps_ticket_rank_and_label(state: State) -> None:
    board = board_with(state)
    before = board.entries[ENTRY]
    [event] = decide(board, Transfer(entry_id=ENTRY, queue_id=OTHER_QUEUE), START + HOUR)
    assert event == TicketTransferred(
        entry_id=ENTRY,
        new_entry_id=an_id(11),
        queue_id=OTHER_QUEUE,
        label="A001",
        band=before.band,
        place=before.place,
        due_at=before.due_at,
        expect_from=None,
        expect_until=None,
        estimating=True,
        quoted_ahead=0,
        quoted_points=0,
    )
    apply(board, Recorded(6, START + HOUR, "x", event), Changes())
    after = board.latest_entry(VISIT)
    assert after is not None
    assert (after.band, after.place, after.due_at, after.visit_id) == (before.band, before.place, before.due_at, VISIT)
    assert (after.queue_id, after.state, after.since) == (OTHER_QUEUE, "waiting", START + HOUR)
    assert board.visits[after.visit_id].label == "A001"


def test_transfer_to_the_same_queue_is_refused() -> None:
    outcome = unchanged_by(board_with("called"), Transfer(entry_id=ENTRY, queue_id=QUEUE))
    assert isinstance(outcome, Refused)
    assert outcome.code == "same_queue"


def test_visit_has_at_most_one_open_entry() -> None:
    world = small_clinic()
    first, second, third = sorted(world.board.queues)
    entry = world.ticket(first)
    for queue_id in (second, third, first, second):
        latest = world.board.latest_entry(entry.visit_id)
        assert latest is not None
        world.do(Transfer(entry_id=latest.id, queue_id=queue_id))
        states = [each.state for each in world.board.entries.values() if each.visit_id == entry.visit_id]
        assert sum(state in OPEN_STATES for state in states) == 1


def test_transfer_to_a_queue_that_joins_anew_restarts_the_wait() -> None:
    world = whole_clinic()
    world.do(ChangeQueue(queue_id=X_RAY, joins_anew=True))
    entry = world.ticket(BLOOD, "assisted")
    world.do(Transfer(entry_id=entry.id, queue_id=X_RAY, provider_id=ADA), after=HOUR)
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    assert (stage.due_at, stage.place, stage.provider_id) == (world.now, world.now - 20 * MINUTE, ADA)
    back = world.do(Transfer(entry_id=stage.id, queue_id=BLOOD), after=HOUR)
    assert back[0].event.due_at == stage.due_at  # type: ignore[attr-defined]


def test_reassign_moves_a_providers_waiting_patients_and_their_tickets_show_it() -> None:
    world = whole_clinic()
    waiting, held, late = (world.ticket(BLOOD, provider_id=ADA) for _ in range(3))
    world.do(Hold(entry_id=held.id))
    world.do(RunningLate(entry_id=late.id, minutes=20))
    world.do(StaffPoint(point_id=ONE, provider_id=ADA))
    called = world.call(ONE)
    other = world.ticket(BLOOD, provider_id=BOSE)
    (recorded,) = world.do(ReassignProvider(provider_id=ADA, to_provider_id=BOSE, reason="ill today"))
    assert called.id == waiting.id, "a patient with the provider stays"
    assert recorded.event.entry_ids == (held.id, late.id)  # type: ignore[attr-defined]
    providers = [world.entry(each).provider_id for each in (waiting, held, late, other)]
    assert providers == [ADA, BOSE, BOSE, BOSE]
    assert draw(TicketView(late.visit_id), world.board)["ticket"]["provider"] == "Dr. Bose"
    world.do(ReassignProvider(provider_id=BOSE, to_provider_id=None, reason="ill as well"))
    assert draw(TicketView(late.visit_id), world.board)["ticket"]["provider"] is None
    assert facts(world.loaded()) == facts(world.board)
