"""The first steps of a new clinic tick by themselves, and test patients of a trial leave no trace in any figure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given

from server.domain.board import open_entries
from server.domain.commands import (
    CallNext,
    Complete,
    EndTrial,
    HideChecklist,
    IssueTicket,
    JoinQueue,
    ReachMilestone,
    RenewToken,
    ReportDevice,
    Start,
)
from server.domain.errors import NotAllowed, NothingChanged, NowServingError
from server.domain.model import Entry, Milestone
from server.domain.rules import decide
from server.domain.views import DeskView, DisplayView, PointView, draw
from tests.support.extent import examples
from tests.support.worlds import MINUTE, SITE_ID, Step, World, almost_next, command_of, open_sealed, scripts, small_clinic


def checklist(world: World) -> dict[str, Any]:
    return dict(draw(DeskView(open_sealed), world.board)["checklist"])


def issue(world: World, queue_id: int, *, trial: bool = False) -> Entry:
    world.do(IssueTicket(queue_id=queue_id, trial=trial))
    return max(world.board.entries.values(), key=lambda entry: entry.id)


def test_first_steps_tick_themselves_and_stay_done() -> None:
    world = small_clinic()
    blood, room = sorted(world.board.queues)[0], sorted(world.board.points)[0]
    display = next(iter(world.board.displays))
    assert set(checklist(world).values()) == {False}
    world.do(RenewToken(device_id=display))
    assert checklist(world)["screen_paired"]
    issue(world, blood)
    assert checklist(world)["ticket_issued"]
    world.do(CallNext(point_id=room))
    assert checklist(world)["ticket_called"]
    outside: tuple[tuple[Milestone, str], ...] = (
        ("poster-printed", "poster_printed"),
        ("colleague-added", "colleague_added"),
    )
    for milestone, step in outside:
        assert not checklist(world)[step]
        world.do(ReachMilestone(site_id=SITE_ID, milestone=milestone))
        assert checklist(world)[step]
        with pytest.raises(NothingChanged):
            world.do(ReachMilestone(site_id=SITE_ID, milestone=milestone))
    assert not checklist(world)["hidden"]
    world.do(HideChecklist(site_id=SITE_ID))
    assert set(checklist(world).values()) == {True}


def test_connected_screen_is_a_paired_one() -> None:
    world = small_clinic()
    display = next(iter(world.board.displays))
    assert not checklist(world)["screen_paired"], "a screen without a token is none"
    world.do(ReportDevice(device_id=display, heard_by="p", connected=True, muted=None, version=None, lag=None))
    assert checklist(world)["screen_paired"]


def test_trial_ticks_no_step_and_every_screen_marks_it() -> None:
    world = small_clinic()
    blood, room = sorted(world.board.queues)[0], sorted(world.board.points)[0]
    entry = issue(world, blood, trial=True)
    assert almost_next(world.board) == [], "a test patient gets no message"
    world.do(CallNext(point_id=room))
    assert set(checklist(world).values()) == {False}
    assert draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]["trial"]
    assert draw(DisplayView(), world.board)[f"entry:{entry.id}"]["trial"]
    console = PointView(room, open_sealed)
    assert draw(console, world.board)["guest"]["trial"]
    for command in (Start(entry_id=entry.id), Complete(entry_id=entry.id)):
        world.do(command, after=3 * MINUTE)
    assert draw(console, world.board)["day"] == {"served": 0, "no_shows": 0}
    assert world.board.queues[blood].durations == ()


def test_trial_begins_at_a_closed_site_and_only_for_staff_who_may_end_it() -> None:
    world = small_clinic()
    board, queue_id = world.board, sorted(world.board.queues)[0]
    board.site = replace(board.site, rules=replace(board.site.rules, hours=((0, 0, 1),)))
    trial = IssueTicket(queue_id=queue_id, trial=True)
    assert decide(board, trial, world.now, may=lambda action: action != "overrule-limits")
    with pytest.raises(NotAllowed):
        decide(board, trial, world.now, may=lambda action: action != "end-trial")


def test_end_of_the_trial_cancels_the_open_tickets_of_test_patients() -> None:
    world = small_clinic()
    blood, room = sorted(world.board.queues)[0], sorted(world.board.points)[0]
    with pytest.raises(NothingChanged):
        world.do(EndTrial(site_id=SITE_ID))
    true_one = issue(world, blood)
    tests = [issue(world, blood, trial=True) for _ in range(3)]
    world.do(CallNext(point_id=room))
    world.do(EndTrial(site_id=SITE_ID))
    assert [world.board.entries[each.id].state for each in tests] == ["cancelled"] * 3
    assert [each.id for each in open_entries(world.board)] == [true_one.id]


@examples(30)
@given(script=scripts(40))
def test_day_of_test_patients_alone_changes_no_figure(script: list[Step]) -> None:
    """No step of a test patient leads to an estimate, a count, a milestone or a message."""
    world = small_clinic()
    for action, about, pause in script:
        command = command_of(world, action, about)
        if isinstance(command, JoinQueue):  # a patient with a phone is no test
            continue
        if isinstance(command, IssueTicket):
            command = replace(command, trial=True)
        with suppress(NowServingError):
            world.do(command, after=pause)
    board = world.board
    assert {queue.durations for queue in board.queues.values()} <= {()}
    assert almost_next(board) == []
    assert not {"ticket-issued", "ticket-called"} & (set(board.site.milestones) - reached_by(script))
    for point_id, point in board.points.items():
        if not point.removed_at:
            assert draw(PointView(point_id, open_sealed), board)["day"] == {"served": 0, "no_shows": 0}


def reached_by(script: list[Step]) -> set[str]:
    """Return the steps that the script ticks by the command of the server."""
    return {get_args(Milestone)[about % len(get_args(Milestone))] for action, about, _ in script if action == "milestone"}
