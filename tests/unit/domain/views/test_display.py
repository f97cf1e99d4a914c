"""The view of a waiting-room display."""

from __future__ import annotations

from server.domain.commands import Complete, Recall, RunningLate, Start, Tick
from server.domain.views import NEXT_UP, draw
from tests.support.mornings import DISPLAY, a_morning
from tests.support.worlds import SECOND, SITE_ID, small_clinic


def test_cells_of_the_display() -> None:
    world, first, second, point = a_morning()
    called = world.call(point)
    assert called.id == second.id
    world.do(Start(entry_id=second.id))
    world.do(Complete(entry_id=second.id))
    called = world.call(point)
    cells = draw(DISPLAY, world.board)
    assert cells["site"] == {
        "name": "Clinic",
        "time_zone": "Europe/Berlin",
        "language": "de",
        "business_day": "2024-03-29",
        "message": None,
    }
    assert cells[f"point:{point}"] == {"name": "Room 1"}
    assert cells[f"queue:{first.queue_id}"] == {
        "name": "Service 1",
        "prefix": "A",
        "position": 0,
        "waiting": 0,
        "next": [],
        "expect_from": None,
        "expect_until": None,
        "estimating": False,
    }
    assert cells[f"entry:{first.id}"] == {
        "label": "A001",
        "point": point,
        "at": world.now // 1000,
        "calls": 1,
        "name": "Ada L.",
        "language": "en",
    }
    announcements = [cell for key, cell in cells.items() if key.startswith("announcement:")]
    assert [(cell["label"], cell["kind"]) for cell in announcements] == [("A002", "call"), ("A001", "call")]
    assert announcements[-1] == {
        "entry": first.id,
        "label": "A001",
        "point": point,
        "kind": "call",
        "at": world.now // 1000,
    }
    world.do(Recall(entry_id=first.id))
    cells = draw(DISPLAY, world.board)
    assert cells[f"entry:{first.id}"]["calls"] == 2
    assert [cell["kind"] for key, cell in cells.items() if key.startswith("announcement:")] == ["call", "call", "recall"]
    assert f"entry:{second.id}" not in cells


def test_display_shows_the_next_few_tickets() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    for _ in range(NEXT_UP + 3):
        world.ticket(queue_id)
    urgent = world.ticket(queue_id, "urgent")
    cell = DISPLAY.cell(world.board, f"queue:{queue_id}")
    assert cell is not None
    assert cell["waiting"] == NEXT_UP + 4
    assert cell["next"] == [world.label(urgent), "A001", "A002", "A003", "A004"]


def test_display_shows_the_quote_of_the_last_patient_who_is_not_late() -> None:
    """A newcomer stands behind the last patient. A late patient is passed over and does not count."""
    world = small_clinic()
    queue_id = min(world.board.queues)
    entries = [world.ticket(queue_id) for _ in range(3)]
    world.do(RunningLate(entry_id=entries[2].id, minutes=60))
    world.do(Tick(site_id=SITE_ID), after=40 * SECOND)
    cell, last = DISPLAY.cell(world.board, f"queue:{queue_id}"), world.board.entries[entries[1].id]
    assert cell is not None
    assert last.expect_from is not None
    assert last.expect_until is not None
    assert (cell["expect_from"], cell["expect_until"]) == (last.expect_from // 1000, last.expect_until // 1000)
    assert cell["estimating"] is True
    assert cell["waiting"] == 2
