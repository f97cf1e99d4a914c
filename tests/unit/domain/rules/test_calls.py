"""Rules for calling and serving patients."""

from __future__ import annotations

import pytest

from server.domain.commands import COMMANDS, Call, CallNext, Command, Complete, NoShow, Recall, Start, Transfer
from server.domain.errors import QueueNotServed, Refused
from server.domain.events import NoShowRecorded, ServiceCompleted, ServiceStarted, TicketCalled, TicketRecalled
from server.domain.model import BUSY_STATES, State
from server.domain.rules import decide
from tests.support.one_entry import ENTRY, POINT, STATES, board_with, on_entry, three_waiting, unchanged_by
from tests.support.worlds import START, World, an_id, small_clinic


@pytest.mark.parametrize("state", STATES)
def test_call_next_calls_a_waiting_entry_only(state: State) -> None:
    outcome = unchanged_by(board_with(state), CallNext(point_id=POINT))
    if state == "waiting":
        assert outcome == [
            TicketCalled(
                entry_id=ENTRY,
                point_id=POINT,
                announcement_id=an_id(11),
                label="A001",
                reason="A001: the only one waiting",
            )
        ]
    else:
        assert isinstance(outcome, Refused)
        assert outcome.code == ("point_busy" if state in BUSY_STATES else "nobody_waiting")
        assert outcome.details["point_name"] == "Room 1"
        if state in BUSY_STATES:
            assert outcome.details == {
                "point_id": POINT,
                "point_name": "Room 1",
                "entry_id": ENTRY,
                "label": "A001",
                "state": state,
            }


def test_recall_announces_again_at_the_same_point() -> None:
    assert decide(board_with("called"), Recall(entry_id=ENTRY), START) == [
        TicketRecalled(entry_id=ENTRY, point_id=POINT, announcement_id=an_id(11), label="A001")
    ]


@pytest.mark.parametrize(
    ("state", "command", "event"),
    [
        ("called", Start(entry_id=ENTRY), ServiceStarted(entry_id=ENTRY, point_id=POINT, label="A001")),
        ("serving", Complete(entry_id=ENTRY), ServiceCompleted(entry_id=ENTRY, point_id=POINT, label="A001")),
        ("called", NoShow(entry_id=ENTRY), NoShowRecorded(entry_id=ENTRY, point_id=POINT, label="A001")),
    ],
)
def test_service_events_name_entry_point_and_label(state: State, command: Command, event: object) -> None:
    assert decide(board_with(state), command, START) == [event]


def test_point_is_free_after_each_way_to_finish() -> None:
    for finish in (("start", "complete"), ("no-show",), ("transfer",), ("start", "transfer")):
        world = small_clinic()
        first, second, _ = sorted(world.board.queues)
        one, two = world.ticket(first), world.ticket(first)
        point = min(world.board.points)
        assert world.call(point).id == one.id
        with pytest.raises(Refused) as refusal:
            world.do(CallNext(point_id=point))
        assert refusal.value.code == "point_busy"
        for step in finish:
            kind = COMMANDS[step]
            world.do(Transfer(entry_id=one.id, queue_id=second) if kind is Transfer else on_entry(kind, one.id))
        if finish[-1] == "transfer":  # it keeps its place and would be called again, so another point takes it
            world.call(max(world.board.points))
        assert world.call(point).id == two.id


def test_two_points_never_call_the_same_entry() -> None:
    world = World()
    queue_id = world.queue()
    points = [world.point(queue_id) for _ in range(5)]
    for _ in range(5):
        world.ticket(queue_id)
    called = [world.call(point).id for point in points]
    assert called == sorted(set(called))


def test_call_refuses_an_entry_of_a_queue_that_the_point_does_not_serve() -> None:
    world, _ = three_waiting()
    elsewhere = world.ticket(max(world.board.queues))
    with pytest.raises(QueueNotServed):
        world.do(Call(entry_id=elsewhere.id, point_id=min(world.board.points)))
