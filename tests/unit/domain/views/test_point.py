"""The view of a room's console."""

from __future__ import annotations

import json

from server.domain.commands import Complete, NoShow, Remove, StaffPoint, Start, Tick, Transfer
from server.domain.views import PointView, draw
from tests.support.bookings import a_clinic
from tests.support.worlds import HOUR, SITE_ID, open_sealed, small_clinic
from tests.unit.domain.rules.test_booking import FRIDAY, MONDAY


def test_console_shows_its_patient_its_next_patients_and_its_day() -> None:
    world = small_clinic()
    blood, x_ray, forms = sorted(world.board.queues)
    mine, other = sorted(world.board.points)  # blood and X-ray; X-ray and forms
    console = PointView(mine, open_sealed)
    first = world.ticket(blood, name="Ada Lovelace", date_of_birth="1985-12-10", needs=("interpreter",), language="el")
    shared = world.ticket(x_ray, name="Grace Hopper")
    world.ticket(forms, name="Nobody of Ours")
    cells = draw(console, world.board)
    assert set(cells) == {"site", "point", "next", "day"}, "the point is free"
    assert [each["entry"] for each in cells["next"]["first"]] == [first.id, shared.id]
    assert cells["next"]["waiting"] == 2
    assert cells["next"]["first"][0] | {"joined": 0} == {
        "entry": first.id, "label": world.label(first), "name": "Ada Lovelace", "born": 1985, "queue": "Service 1",
        "queue_names": {},
        "priority": "standard", "needs": ["interpreter"], "language": "el", "party": 1, "joined": 0, "away": 0, "delay": 0,
        "trial": False,
    }  # fmt: skip
    assert "Nobody of Ours" not in json.dumps(cells)
    world.call(mine)
    world.do(Start(entry_id=first.id))
    cells = draw(console, world.board)
    assert (cells["guest"]["entry"], cells["guest"]["state"]) == (first.id, "serving")
    assert cells["day"] == {"served": 0, "no_shows": 0}
    world.do(Complete(entry_id=first.id))
    world.call(mine)
    world.do(NoShow(entry_id=shared.id))
    sent_on = world.ticket(blood)
    world.call(mine)
    world.do(Start(entry_id=sent_on.id))
    world.do(Transfer(entry_id=sent_on.id, queue_id=forms))
    moved = world.ticket(blood)
    world.call(mine)
    world.do(Transfer(entry_id=moved.id, queue_id=forms))  # called, and not served
    cells = draw(console, world.board)
    assert cells["day"] == {"served": 2, "no_shows": 1}
    assert draw(PointView(other, open_sealed), world.board)["day"] == {"served": 0, "no_shows": 0}
    world.do(Tick(site_id=SITE_ID), 24 * HOUR)
    assert draw(console, world.board)["day"] == {"served": 0, "no_shows": 0}


def test_console_agrees_with_call_next() -> None:
    world = small_clinic()
    mine = min(world.board.points)
    for queue_id in sorted(world.board.queues) * 3:
        world.ticket(queue_id)
    while first := draw(PointView(mine, open_sealed), world.board)["next"]["first"]:
        called = world.call(mine)
        assert called.id == first[0]["entry"]
        world.do(NoShow(entry_id=called.id))


def test_removed_point_has_no_console() -> None:
    world = small_clinic()
    point_id = max(world.board.points)
    world.do(Remove(record_id=point_id))
    assert set(draw(PointView(point_id, open_sealed), world.board)) == {"site"}


def test_console_shows_the_appointments_of_its_clinician_today() -> None:
    clinic = a_clinic()
    one, two = clinic.providers
    booked = clinic.book(f"{FRIDAY}T12:00", name="Ada Lovelace")
    clinic.book(f"{MONDAY}T12:00", name="Another Day")
    other = clinic.book(f"{FRIDAY}T12:00", provider_id=two, name="Grace Hopper")
    console = PointView(clinic.point_id, open_sealed)

    def names() -> dict[str, str | None]:
        cells = draw(console, clinic.board)
        return {key: cell["name"] for key, cell in cells.items() if key.startswith("appointment:")}

    assert names() == {}, "nobody is at the point"
    clinic.do(StaffPoint(point_id=clinic.point_id, provider_id=one))
    assert names() == {f"appointment:{booked.id}": "Ada Lovelace"}
    touched = set(console.touched(clinic.board, {f"point:{clinic.point_id}"}))
    assert {f"appointment:{booked.id}", f"appointment:{other.id}"} <= touched
    clinic.do(StaffPoint(point_id=clinic.point_id, provider_id=two))
    assert names() == {f"appointment:{other.id}": "Grace Hopper"}
    assert f"appointment:{other.id}" in set(console.touched(clinic.board, {f"appointment:{other.id}"}))
