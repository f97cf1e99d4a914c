"""The view of one patient's ticket."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddProvider,
    AmendVisit,
    BreakPoint,
    CallNext,
    ChangePoint,
    ClosePoint,
    Command,
    NoShow,
    OpenPoint,
    RunningLate,
    StaffPoint,
    Tick,
    Transfer,
)
from server.domain.events import Recorded, WaitsExplained
from server.domain.model import Entry, Told, Visit
from server.domain.views import TicketView, draw
from server.domain.views.ticket import surroundings
from tests.support.extent import examples
from tests.support.mornings import a_morning
from tests.support.one_entry import three_waiting
from tests.support.worlds import HOUR, MINUTE, OFFSETS, SITE_ID, START, Step, World, perform, row_key, scripts, small_clinic


@examples(60)
@given(scripts(30))
def test_ticket_reveals_nothing_about_other_patients(script: list[Step]) -> None:
    """The ticket stays the same if all other patients have another label, language and party."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    for visit_id in list(world.board.visits)[:4]:
        view = TicketView(visit_id)
        records = [
            replace(record, label="Z999", language="xx", party_size=19, display_name="Other O.", sealed=None)
            if isinstance(record, Visit) and record.id != visit_id
            else record
            for record in world.board.records()
        ]
        assert draw(view, Board(world.board.site, records)) == draw(view, world.board)


def test_cell_of_a_ticket_through_the_day() -> None:
    world, first, _, point = a_morning()
    view = TicketView(first.visit_id)
    cell = view.cell(world.board, "ticket")
    assert cell == {
        "entry": first.id,
        "label": "A001",
        "state": "waiting",
        "queue": "Service 1",
        "queue_names": {},
        "service": None,
        "service_names": {},
        "provider": None,
        "point": None,
        "point_names": {},
        "since": first.since // 1000,
        "calls": 0,
        "doubt": None,
        "absent_until": None,
        "expect_from": 1711695600000,
        "expect_until": 1711695660000,
        "estimating": True,
        "moved": None,
        "leave_until": None,
        "leave_said": None,
        "counts_from": None,
        "served": True,
        "party": 2,
        "language": "en",
        "site": "Clinic",
        "time_zone": "Europe/Berlin",
        "offsets": OFFSETS,
        "clock": "24",
        "site_language": "de",
    }
    assert view.cell(world.board, "ahead") == {"count": 1}
    world.do(NoShow(entry_id=world.call(point).id))
    cells = draw(view, world.board)
    assert (cells["ticket"]["state"], cells["ahead"]) == ("waiting", {"count": 0})
    world.do(CallNext(point_id=point))
    cells = draw(view, world.board)
    assert (cells["ticket"]["state"], cells["ticket"]["point"], cells["ticket"]["calls"]) == ("called", "Room 1", 1)
    assert "ahead" not in cells
    world.do(Tick(site_id=SITE_ID), after=20 * HOUR)
    assert draw(view, world.board) == {"ticket": {"state": "expired"}}


def test_ticket_follows_its_visit_to_the_next_queue() -> None:
    world, first, _, _ = a_morning()
    world.do(Transfer(entry_id=first.id, queue_id=sorted(world.board.queues)[1]))
    cell = TicketView(first.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert (cell["label"], cell["queue"], cell["state"]) == ("A001", "Service 2", "waiting")


def test_ticket_without_a_visit_is_expired() -> None:
    assert draw(TicketView(1), small_clinic().board) == {"ticket": {"state": "expired"}}


def test_ticket_says_whether_an_open_point_may_call_the_patient() -> None:
    """The cell changes when a point opens, closes, takes a break, is staffed, or serves other queues and needs."""
    world, second = three_waiting()
    view, point = TicketView(second.visit_id), min(world.board.points)
    queue, other = sorted(world.board.queues)
    changes: list[tuple[Command, bool]] = [
        (BreakPoint(point_id=point), False),
        (OpenPoint(point_id=point), True),
        (ClosePoint(point_id=point), False),
        (OpenPoint(point_id=point), True),
        (ChangePoint(point_id=point, queue_ids=(other,)), False),
        (ChangePoint(point_id=point, queue_ids=(queue,)), True),
        (ChangePoint(point_id=point, unmet_needs=("step_free",)), True),
        (AmendVisit(entry_id=second.id, needs=("step_free",)), False),
        (ChangePoint(point_id=point, unmet_needs=()), True),
    ]
    for command, served in changes:
        before, was = surroundings(world.board), view.cell(world.board, "ticket")
        world.do(command)
        cell = view.cell(world.board, "ticket")
        assert cell is not None
        assert was is not None
        assert cell["served"] == served, command
        if cell["served"] != was["served"] and not isinstance(command, AmendVisit):
            assert surroundings(world.board) != before
    world.do(AddProvider(site_id=SITE_ID, name="Dr. Ada"))
    named = world.ticket(queue, provider_id=min(world.board.providers))
    cell = TicketView(named.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert not cell["served"], "the provider is at no point"
    world.do(StaffPoint(point_id=point, provider_id=min(world.board.providers)))
    cell = TicketView(named.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert cell["served"]


def test_cause_of_a_moved_range_names_no_other_patient() -> None:
    """The cell says whether the break goes on. It names the point, and of an emergency nothing at all."""
    world, first, second, point = three_and_a_point()
    world.do(BreakPoint(point_id=point))
    tell(world, second, Told("break", point, world.now, START, START + HOUR, 1, 1))
    view = TicketView(second.visit_id)

    def moved() -> Any:
        cell = view.cell(world.board, "ticket")
        assert cell is not None
        return cell["moved"]

    assert moved() == {
        "cause": "break",
        "point": "Room 1",
        "point_names": {},
        "doctor": False,
        "going_on": True,
        "minutes": 0,
    }
    world.do(OpenPoint(point_id=point))
    assert moved()["going_on"] is False
    tell(world, second, Told("emergency", None, world.now, START, START + HOUR, 1, 1))
    assert moved() == {
        "cause": "emergency",
        "point": None,
        "point_names": {},
        "doctor": False,
        "going_on": False,
        "minutes": 0,
    }
    world.do(CallNext(point_id=point))
    world.do(CallNext(point_id=world.point(first.queue_id)))
    assert world.entry(second).state == "called"
    assert moved() is None


def test_time_to_leave_comes_with_the_first_one_and_not_to_absent_patients() -> None:
    world, _, second, _ = three_and_a_point()
    for minutes in (50, 40):
        at = START + minutes * MINUTE
        _happen(world, WaitsExplained(leaves=((second.id, at),)))
    cell = TicketView(second.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert (cell["leave_until"], cell["leave_said"]) == ((START + 40 * MINUTE) // 1000, (START + 50 * MINUTE) // 1000)
    world.do(RunningLate(entry_id=second.id, minutes=10))
    cell = TicketView(second.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert (cell["leave_until"], cell["leave_said"]) == (None, None)


def three_and_a_point() -> tuple[World, Entry, Entry, int]:
    """Return a clinic with one point, and two waiting patients."""
    world = World()
    queue = world.queue()
    point = world.point(queue)
    return world, world.ticket(queue), world.ticket(queue), point


def tell(world: World, entry: Entry, told: Told) -> None:
    """Let the clock say why the range of an entry moved."""
    _happen(world, WaitsExplained(told=((entry.id, told.mark()),)))


def _happen(world: World, event: WaitsExplained) -> None:
    apply(world.board, Recorded(world.board.site.seq + 1, world.now, "clock", event), changes := Changes())
    for _, after in changes.records.values():
        world.rows[row_key(after)] = after
