"""Rules for patients who leave the queue, for a while or for good, and come back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from server.domain.board import Board
from server.domain.commands import (
    AddProvider,
    ChangeSite,
    Complete,
    Hold,
    Leave,
    NoShow,
    ReassignProvider,
    Reopen,
    Return,
    RunningLate,
    StaffPoint,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import (
    EntryNotLeaving,
    EntryNotWaiting,
    NobodyWaiting,
    NothingDue,
    NothingToUndo,
    VisitGoesOn,
)
from server.domain.events import EntryReturned, TicketCalled
from server.domain.model import Entry
from server.domain.ranking import ahead
from server.domain.views import DeskView, DisplayView, PointView, TicketView
from server.domain.views.gone import gone_from
from server.domain.views.view import milliseconds
from tests.support.one_entry import do_step, three_waiting, unchanged_by
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, almost_next, facts, open_sealed


def test_late_patient_is_passed_over_and_keeps_the_place() -> None:
    world, second = three_waiting()
    point = min(world.board.points)
    world.do(Complete(entry_id=_served(world, point)))
    world.do(RunningLate(entry_id=second.id, minutes=10))
    assert world.board.absent() == {second.id: world.now + 10 * MINUTE}
    third = world.call(point)
    assert third.id != second.id
    world.do(NoShow(entry_id=third.id))
    with pytest.raises(NobodyWaiting):
        world.call(point)
    world.do(Tick(site_id=SITE_ID), after=10 * MINUTE)
    assert world.log[-1].event.name_on_wire() == "absence-ended"
    assert world.entry(second).place == second.place
    assert world.call(point).id == second.id


def _served(world: World, point: int) -> int:
    entry = world.call(point)
    world.do(Start(entry_id=entry.id))
    return entry.id


def test_late_patient_can_be_here_early() -> None:
    world, second = three_waiting()
    world.do(RunningLate(entry_id=second.id, minutes=10))
    world.do(RunningLate(entry_id=second.id, minutes=0))
    assert world.entry(second).absent_until is None
    assert world.board.absent() == {}


# The steps after "late by 30 minutes", and whether the absence goes on.
ABSENCES: list[tuple[str, tuple[str, ...], bool]] = [
    ("nothing", (), True),
    ("transfer", ("transfer",), True),
    ("transfer and its undo", ("transfer", "undo"), True),
    ("hold and return", ("hold", "return"), True),
    ("hold and its undo", ("hold", "undo"), True),
    ("cancel and reopen", ("cancel", "reopen"), True),
    ("cancel and its undo", ("cancel", "undo"), True),
    ("leave and reopen", ("leave", "reopen"), True),
    ("reprioritise", ("reprioritise",), True),
    ("reprioritise and its undo", ("reprioritise", "undo"), True),
    ("move", ("move",), True),
    ("correction", ("amend-visit",), True),
    ("another provider", ("reassign-provider",), True),
    ("call by mistake, undone", ("call", "undo"), True),
    ("missed call by name", ("call", "no-show", "return"), True),
    ("missed call by name, reopened", ("call", "no-show", "reopen"), True),
    ("hold after a call by name", ("call", "hold", "return"), True),
    ("undo of the lateness", ("undo",), False),
    ("the patient is here", ("here",), False),
    ("staff see the patient", ("return",), False),
    ("the patient is here, while on hold", ("hold", "here", "return"), False),
    ("transfer, and the patient is here", ("transfer", "here"), False),
    ("transfer, here, undo of the transfer", ("transfer", "here", "undo"), False),
    ("service", ("call", "start", "complete", "reopen"), False),
    ("undone start", ("call", "start", "undo", "undo-call"), False),
    ("answered call, then transfer", ("call", "transfer"), False),
    ("time", ("31 minutes",), False),
    ("time during a hold", ("hold", "31 minutes", "return"), False),
    ("time while cancelled", ("cancel", "31 minutes", "reopen"), False),
    ("time during a call", ("call", "31 minutes", "no-show", "return"), False),
    ("time after a transfer", ("transfer", "31 minutes"), False),
]


@pytest.mark.parametrize(("steps", "absent"), [each[1:] for each in ABSENCES], ids=[each[0] for each in ABSENCES])
def test_absence_ends_by_time_by_service_or_by_the_patient(steps: tuple[str, ...], absent: bool) -> None:
    world, entry = three_waiting()
    world.do(AddProvider(site_id=SITE_ID, name="Dr. Ada"))
    (ada,) = world.board.providers
    world.do(Transfer(entry_id=entry.id, queue_id=max(world.board.queues), provider_id=ada))
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    world.do(Transfer(entry_id=stage.id, queue_id=min(world.board.queues), provider_id=ada))
    world.do(StaffPoint(point_id=min(world.board.points), provider_id=ada))
    others = world.point(min(world.board.queues), max(world.board.queues))
    world.do(RunningLate(entry_id=_stage(world, entry).id, minutes=30))
    until = world.now + 30 * MINUTE
    begun = _stage(world, entry)
    for step in steps:
        match step:
            case "31 minutes":
                with suppress(NothingDue):
                    world.do(Tick(site_id=SITE_ID), after=31 * MINUTE)
            case "here":
                world.do(RunningLate(entry_id=_stage(world, entry).id, minutes=0))
            case "undo":
                world.do(Undo(entry_id=begun.id))
            case "undo-call":  # the patient was at the point: staff end the call in another way
                world.do(Transfer(entry_id=begun.id, queue_id=max(world.board.queues)))
            case "reassign-provider":
                world.do(ReassignProvider(provider_id=ada, to_provider_id=None, reason="ill"))
            case _:
                do_step(world, _stage(world, entry), step)
    now = _stage(world, entry)
    assert now.state == "waiting"
    assert (now.id in world.board.absent()) == absent
    assert (now.absent_until == until) == absent
    assert facts(world.loaded()) == facts(world.board)
    if absent:
        world.do(ReassignProvider(provider_id=ada, to_provider_id=None, reason="ill")) if now.provider_id else None
        while True:
            try:
                assert world.call(others).visit_id != entry.visit_id, "an absent patient was called"
            except NobodyWaiting:
                break
            called = world.board.entry_at(others)
            assert called is not None
            world.do(NoShow(entry_id=called.id))
        world.do(Tick(site_id=SITE_ID), after=until - world.now)
        assert world.call(others).visit_id == entry.visit_id


def _stage(world: World, entry: Entry) -> Entry:
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    return stage


def test_absence_goes_on_into_the_next_day_of_a_24_hour_site() -> None:
    """It ends with the turn if its time has come by then."""
    world, second = three_waiting()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    turn = world.board.site.turns_at
    world.do(RunningLate(entry_id=second.id, minutes=30), after=turn - 20 * MINUTE - world.now)
    world.do(Tick(site_id=SITE_ID), after=20 * MINUTE)
    assert world.log[-1].event.name_on_wire() == "day-turned"
    assert world.entry(second).absent_until == turn + 10 * MINUTE
    world, second = three_waiting()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    world.do(RunningLate(entry_id=second.id, minutes=30), after=world.board.site.turns_at - 20 * MINUTE - world.now)
    world.do(Tick(site_id=SITE_ID), after=40 * MINUTE)
    assert [each.event.name_on_wire() for each in world.log[-2:]] == ["day-turned", "absence-ended"]


def test_quote_of_a_late_patient_after_a_transfer_is_not_before_the_return() -> None:
    world, second = three_waiting()
    world.do(RunningLate(entry_id=second.id, minutes=30))
    until = world.now + 30 * MINUTE
    world.point(max(world.board.queues))
    world.do(Transfer(entry_id=second.id, queue_id=max(world.board.queues)))
    assert (_stage(world, second).expect_from or 0) >= until


# The cost of an absence


def crowded() -> tuple[World, int, list[Entry]]:
    """Return a clinic with one point and 25 waiting patients, who came 20 s apart, a quarter of an hour ago."""
    world = World()
    queue_id = world.queue("A")
    point_id = world.point(queue_id)
    entries = [world.ticket(queue_id, after=20 * SECOND) for _ in range(25)]
    world.now += 14 * MINUTE
    return world, point_id, entries


def test_absence_of_a_minute_costs_a_minute() -> None:
    """Of 25 waiting patients, the first one is called, is away for a minute, and becomes the third, not the 22nd."""
    world, point_id, entries = crowded()
    first = world.call(point_id)
    called_at = world.now
    world.do(NoShow(entry_id=first.id), after=50 * SECOND)
    world.do(Return(entry_id=first.id), after=10 * SECOND)
    assert world.now - called_at == MINUTE
    after = world.entry(first)
    assert (after.away, after.delay) == (MINUTE, MINUTE)
    assert ahead(world.board, after) == 2
    event = world.log[-1].event
    assert isinstance(event, EntryReturned)
    assert event.reason == "A001 returned after 1 min away: 1 min later"
    second = world.call(point_id)
    assert second.id == entries[1].id
    called = world.log[-1].event
    assert isinstance(called, TicketCalled)
    assert called.reason == "A002 before A003: waiting longer"


def test_reason_names_the_absence_that_decided() -> None:
    world, point_id, entries = crowded()
    first = world.call(point_id)
    world.do(Hold(entry_id=first.id), after=5 * SECOND)
    world.do(Return(entry_id=first.id), after=15 * SECOND)
    assert world.entry(first).delay == 20 * SECOND, "away since the call, not since the hold"
    assert ahead(world.board, world.entry(first)) == 0, (
        "both came at the same time now, and the first has the earlier ticket"
    )
    world.do(Hold(entry_id=first.id))
    world.do(Return(entry_id=first.id), after=5 * SECOND)
    desk = DeskView(open_sealed)
    point = desk.cell(world.board, f"point:{point_id}")
    assert point is not None
    assert point["next"] == {"entry": entries[1].id, "why": "away", "before": "A001", "minutes": 1}
    row = desk.cell(world.board, f"entry:{first.id}")
    assert row is not None
    assert (row["away"], row["delay"]) == (1, 1)
    world.call(point_id)
    called = world.log[-1].event
    assert isinstance(called, TicketCalled)
    assert called.reason == "A002 before A001: A001 returned after 1 min away: 1 min later"


@pytest.mark.parametrize(
    ("waited", "away", "cost"),
    [
        (2, 1, 0),  # nobody is behind the newest patients
        (15, 1, 1),
        (40, 10, 10),
        (40, 25, 25),
        (40, 60, 60),
        (1, 60, 46),  # at most behind the patients who joined up to 15 min ago
    ],
)
def test_absence_costs_its_length_and_no_more_than_a_new_arrival(waited: int, away: int, cost: int) -> None:
    for steps in (("hold",), ("call", "no-show"), ("call", "hold")):
        world, second = three_waiting()
        wait = waited * MINUTE - (world.now + SECOND - second.due_at)
        for index, step in enumerate(steps):
            world.now += 0 if index else wait
            do_step(world, second, step)
            if index == 0:
                left_at = world.now
        world.do(Return(entry_id=second.id), after=left_at + away * MINUTE - world.now)
        after = world.entry(second)
        assert (after.delay, after.due_at - second.due_at, after.place - second.place) == (cost * MINUTE,) * 3
        assert after.away == away * MINUTE


def test_each_absence_counts_from_the_call_that_was_missed() -> None:
    world, second = three_waiting()
    for _ in range(2):
        do_step(world, second, "call")
        world.now += 20 * MINUTE
        do_step(world, second, "no-show")
        world.do(Return(entry_id=second.id), after=10 * MINUTE)
        world.now += 30 * MINUTE
    assert world.entry(second).away == 2 * (30 * MINUTE + SECOND)


def test_cost_of_an_absence_goes_along_with_a_transfer() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    world.now += 20 * MINUTE
    do_step(world, second, "hold")
    do_step(world, second, "return")
    before = world.entry(second)
    do_step(world, second, "transfer")
    stage = _stage(world, second)
    assert (stage.due_at, stage.away, stage.delay) == (before.due_at, before.away, before.delay)
    assert stage.delay > 0


def test_returned_patient_has_a_quote_at_once() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    world.do(NoShow(entry_id=second.id), after=50 * MINUTE)
    world.do(Return(entry_id=second.id))
    after = world.entry(second)
    assert (after.expect_until or 0) > world.now
    assert after.quoted_until == second.quoted_until, "the first quote stays"


# Called, and not ready


def test_called_patient_can_ask_for_some_minutes() -> None:
    """The point is free, the displays withdraw the call, and the patient returns by the clock."""
    world, point_id, entries = crowded()
    first = world.call(point_id)
    called_at = world.now
    world.do(RunningLate(entry_id=first.id, minutes=5), after=30 * SECOND, actor="patient")
    held = world.entry(first)
    assert held.held_until is not None
    assert (held.state, held.held_until, held.away_since) == ("held", world.now + 5 * MINUTE, called_at)
    assert [each.kind for each in world.board.announcements.values()] == ["call", "withdrawn"]
    assert DisplayView().cell(world.board, f"entry:{first.id}") is None
    until = milliseconds(held.held_until)
    room = PointView(point_id, open_sealed).cell(world.board, "point")
    desk = DeskView(open_sealed).cell(world.board, f"point:{point_id}")
    ticket = TicketView(first.visit_id).cell(world.board, "ticket")
    assert room is not None
    assert desk is not None
    assert ticket is not None
    assert room["gone"] == desk["gone"] == {"label": "A001", "state": "held", "absent_until": until}
    assert (ticket["state"], ticket["absent_until"]) == ("held", until)
    assert world.call(point_id).id == entries[1].id
    assert gone_from(world.board, world.board.points[point_id]) is None
    assert world.board.site.next_tick_at <= held.held_until
    world.do(Tick(site_id=SITE_ID), after=held.held_until - world.now)
    returned = world.entry(first)
    assert (returned.state, returned.held_until, returned.undo) == ("waiting", None, None)
    assert returned.due_at == first.due_at + held.held_until - called_at
    with pytest.raises(NothingToUndo):
        world.do(Undo(entry_id=first.id))
    assert facts(world.loaded()) == facts(world.board)


def test_late_clock_does_not_make_the_absence_longer() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    called_at = world.now
    world.do(RunningLate(entry_id=second.id, minutes=10))
    world.do(Tick(site_id=SITE_ID), after=40 * MINUTE)
    assert world.entry(second).away == 10 * MINUTE + SECOND
    assert world.entry(second).since == world.now > called_at


def test_patient_who_asked_for_minutes_can_change_or_end_them() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    world.do(RunningLate(entry_id=second.id, minutes=5))
    world.do(RunningLate(entry_id=second.id, minutes=20))
    assert world.board.returning() == {second.id: world.now + 20 * MINUTE}
    world.do(RunningLate(entry_id=second.id, minutes=0))
    assert world.entry(second).state == "waiting"
    assert world.board.returning() == {}
    assert world.entry(second).away == 3 * SECOND
    world.do(Undo(entry_id=second.id))
    assert world.board.returning(), "the undo restores the hold with its end"


@pytest.mark.parametrize("step", ["return", "leave", "cancel"])
def test_hold_after_a_call_ends_by_other_steps(step: str) -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    world.do(RunningLate(entry_id=second.id, minutes=10))
    until = world.now + 10 * MINUTE
    do_step(world, second, step)
    assert world.board.returning() == {}
    if step != "return":
        do_step(world, second, "reopen")
        assert world.board.absent() == {second.id: until}, "a patient who needs ten minutes is not called after two seconds"
    else:
        assert world.board.absent() == {}


def test_undo_of_the_hold_brings_the_patient_back_to_the_point() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    world.do(RunningLate(entry_id=second.id, minutes=10))
    world.do(Undo(entry_id=second.id))
    point = min(world.board.points)
    assert world.board.entry_at(point) == world.entry(second)
    assert gone_from(world.board, world.board.points[point]) is None


def test_called_patient_can_leave() -> None:
    world, point_id, entries = crowded()
    first = world.call(point_id)
    world.do(Leave(entry_id=first.id), after=30 * SECOND, actor="patient")
    assert world.entry(first).state == "left"
    assert [each.kind for each in world.board.announcements.values()] == ["call", "withdrawn"]
    cell = PointView(point_id, open_sealed).cell(world.board, "point")
    assert cell is not None
    assert cell["gone"] == {"label": "A001", "state": "left", "absent_until": None}
    assert world.call(point_id).id == entries[1].id
    world.do(Leave(entry_id=entries[5].id))
    assert len(world.board.announcements) == 3, "nobody had called this patient"


def test_patient_in_service_can_neither_leave_nor_ask_for_minutes() -> None:
    world, second = three_waiting()
    do_step(world, second, "call")
    do_step(world, second, "start")
    for command, error in (
        (RunningLate(entry_id=second.id, minutes=5), EntryNotWaiting),
        (Leave(entry_id=second.id), EntryNotLeaving),
    ):
        assert isinstance(unchanged_by(world.board, command, world.now), error)


def test_patient_on_hold_by_staff_cannot_end_the_hold() -> None:
    world, second = three_waiting()
    do_step(world, second, "hold")
    for minutes in (0, 5):
        outcome = unchanged_by(world.board, RunningLate(entry_id=second.id, minutes=minutes), world.now)
        assert isinstance(outcome, EntryNotWaiting)


def test_returned_patient_is_told_again_that_the_turn_is_near() -> None:
    world, point_id, _ = crowded()
    first = world.call(point_id)
    world.do(RunningLate(entry_id=first.id, minutes=1))
    world.call(point_id)
    world.do(Tick(site_id=SITE_ID), after=MINUTE)
    assert (first.id, 1) in {(each.entry_id, each.version) for each in almost_next(world.board)}


def test_reopen_is_refused_while_the_visit_goes_on_elsewhere() -> None:
    world, entry = three_waiting()
    do_step(world, entry, "call")
    do_step(world, entry, "no-show")
    world.do(Reopen(entry_id=entry.id))
    do_step(world, entry, "transfer")
    old = replace(world.entry(entry), state="cancelled")
    board = Board(world.board.site, [*(each for each in world.board.records() if each != world.entry(entry)), old])
    outcome = unchanged_by(board, Reopen(entry_id=entry.id), world.now)
    assert isinstance(outcome, VisitGoesOn)
