"""The view of a waiting-room display."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import Changes, apply
from server.domain.commands import AddDisplay, ChangeDisplay, ChangePoint, Complete, Recall, Remove, RunningLate, Start, Tick
from server.domain.events import DelayAnnounced, DelayWithdrawn, Recorded
from server.domain.views import NEXT_UP, DisplayView, draw
from tests.support.mornings import DISPLAY, a_morning
from tests.support.worlds import OFFSETS, SECOND, SITE_ID, World, small_clinic


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
        "offsets": OFFSETS,
        "language": "de",
        "clock": "24",
        "business_day": "2024-03-29",
        "message": None,
        "joining": True,
    }
    assert cells[f"point:{point}"] == {"name": "Room 1", "names": {}}
    assert cells[f"queue:{first.queue_id}"] == {
        "name": "Service 1",
        "names": {},
        "prefix": "A",
        "position": 0,
        "waiting": 0,
        "next": [],
        "expect_from": None,
        "expect_until": None,
        "estimating": False,
        "late": 0,
    }
    assert cells[f"entry:{first.id}"] == {
        "label": "A001",
        "point": point,
        "at": world.now // 1000,
        "calls": 1,
        "name": "Ada L.",
        "language": "en",
        "stands_until": world.now // 1000 + 600_000,
        "in_doubt": False,
        "trial": False,
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


def two_rooms() -> tuple[World, list[int], list[int], DisplayView, DisplayView]:
    """Return a clinic with a call at each of two points, its queues and points, and the views of two displays."""
    world = World()
    queues = [world.queue("A"), world.queue("B")]
    points = [world.point(queue_id) for queue_id in queues]
    for name in ("East", "West"):
        world.do(AddDisplay(site_id=SITE_ID, name=name))
    for queue_id, point_id in zip(queues, points, strict=True):
        world.ticket(queue_id)
        world.ticket(queue_id)
        world.call(point_id)
    east, west = map(DisplayView, world.board.displays)
    return world, queues, points, east, west


def kinds_of(world: World, view: DisplayView) -> dict[str, set[str]]:
    """Return the labels of the calls and announcements of a display, and the names of its queues and points."""
    found: dict[str, set[str]] = {"entry": set(), "announcement": set(), "queue": set(), "point": set()}
    for key, cell in draw(view, world.board).items():
        if key != "site":
            found[key.partition(":")[0]].add(cell.get("label") or cell["name"])
    return found


EVERYTHING = {
    "entry": {"A001", "B001"},
    "announcement": {"A001", "B001"},
    "queue": {"Service 1", "Service 2"},
    "point": {"Room 1", "Room 2"},
}
FIRST_ROOM = {"entry": {"A001"}, "announcement": {"A001"}, "queue": {"Service 1"}, "point": {"Room 1"}}


def test_display_shows_the_calls_of_its_own_points_and_their_queues() -> None:
    world, _, points, east, west = two_rooms()
    assert kinds_of(world, east) == kinds_of(world, west) == kinds_of(world, DISPLAY) == EVERYTHING
    assert east.display_id is not None
    world.do(ChangeDisplay(display_id=east.display_id, point_ids=(points[0],)))
    assert kinds_of(world, east) == FIRST_ROOM
    assert kinds_of(world, west) == EVERYTHING


def test_display_shows_the_calls_of_its_own_queues_at_every_point() -> None:
    world, queues, points, east, _ = two_rooms()
    assert east.display_id is not None
    world.do(ChangeDisplay(display_id=east.display_id, queue_ids=(queues[0],)))
    assert kinds_of(world, east) == FIRST_ROOM | {"point": {"Room 1", "Room 2"}}
    world.do(ChangeDisplay(display_id=east.display_id, point_ids=(points[1],)))
    nothing = {"entry": set(), "announcement": set(), "queue": set(), "point": {"Room 2"}}
    assert kinds_of(world, east) == nothing, "a call must be of a chosen queue and to a chosen point"
    world.do(ChangeDisplay(display_id=east.display_id, queue_ids=(), point_ids=()))
    assert kinds_of(world, east) == EVERYTHING


def test_removed_point_leaves_the_choice_of_a_display() -> None:
    """When none of its points is left, the display shows all: a waiting room must not miss its calls."""
    world, queues, points, east, _ = two_rooms()
    assert east.display_id is not None
    spare = world.point(*queues)
    world.do(ChangeDisplay(display_id=east.display_id, point_ids=(points[0], spare)))
    assert kinds_of(world, east)["queue"] == {"Service 1", "Service 2"}
    world.do(Remove(record_id=spare))
    assert kinds_of(world, east) == FIRST_ROOM
    guest = world.board.entry_at(points[0])
    assert guest is not None
    world.do(Start(entry_id=guest.id))
    world.do(Complete(entry_id=guest.id))
    world.do(Remove(record_id=points[0]))
    assert kinds_of(world, east)["entry"] == {"B001"}


def test_next_up_follows_the_queues_of_a_chosen_point() -> None:
    world, queues, points, east, _ = two_rooms()
    assert east.display_id is not None
    world.do(ChangeDisplay(display_id=east.display_id, point_ids=(points[0],)))
    world.do(ChangePoint(point_id=points[0], queue_ids=tuple(queues)))
    assert kinds_of(world, east)["queue"] == {"Service 1", "Service 2"}


def test_announced_delay_is_the_one_that_displays_show() -> None:
    """Each queue shows it at once. Without it they show their own."""
    world = small_clinic()
    queue = next(iter(world.board.queues))
    key = f"queue:{queue}"
    world.board.queues[queue] = replace(world.board.queues[queue], late_minutes=15)
    assert draw(DISPLAY, world.board)[key]["late"] == 15
    changes = Changes()
    for event, shown in ((DelayAnnounced(minutes=40, reached=0, without_address=0), 40), (DelayWithdrawn(), 15)):
        apply(world.board, Recorded(world.board.site.seq + 1, world.now, "staff:1", event), changes)
        assert key in set(DISPLAY.shared(world.board).touched(world.board, changes.keys))
        assert draw(DISPLAY, world.board)[key]["late"] == shown
