"""The cells of appointments on the desk, and who sees which data of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from server.domain.board import Board
from server.domain.commands import (
    AppointmentNoShow,
    CallNext,
    CancelAppointment,
    ChangeSite,
    Complete,
    HoldSlot,
    ReleaseSlot,
    Start,
    Tick,
    Transfer,
)
from server.domain.model import Appointment
from server.domain.roles import Onlooker
from server.domain.views import (
    CalendarView,
    Cell,
    ConfigurationView,
    DeskView,
    DisplayView,
    KioskView,
    TicketView,
    View,
    draw,
)
from server.domain.views.appointments import offset_minutes
from tests.support.bookings import a_clinic, next_date
from tests.support.worlds import HOUR, SITE_ID, open_sealed
from tests.unit.domain.rules.test_booking import FRIDAY, Clinic

DESK = DeskView(open_sealed)
PERSON: dict[str, Any] = {
    "name": "Wilhelmina Xanthopoulou",
    "phone": "+49 171 5550199",
    "email": "xanthopoulou@example.org",
    "date_of_birth": "1951-07-30",
    "note": "afraid of needles",
    "needs": ("chaperone",),
}
SECRETS = ("Wilhelmina", "Xanthopoulou", "5550199", "example.org", "needles", '"born": 1951', "chaperone")
ONLOOKERS: tuple[Onlooker, ...] = ("floor", "staff", "system")


def cell_of(clinic: Clinic, appointment: Appointment, onlooker: Onlooker = "floor") -> Cell | None:
    """Return an appointment's cell on the desk, or None."""
    return draw(DeskView(open_sealed, onlooker), clinic.board).get(f"appointment:{appointment.id}")


def shown(clinic: Clinic, appointment: Appointment) -> Cell:
    found = cell_of(clinic, appointment)
    assert found is not None
    return found


def test_cell_of_an_appointment_of_today() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T12:00", **PERSON)
    assert shown(clinic, booked) == {
        "state": "booked",
        "version": 1,
        "service": clinic.service,
        "provider": clinic.providers[0],
        "point": None,
        "local_start": "2024-03-29T12:00",
        "offset_minutes": 60,
        "starts": 1711710000000,
        "ends": 1711710900000,
        "minutes": 15,
        "check_in_from": 1711710000000 - 120 * 60_000,
        "late_from": 1711710000000,
        "too_late_from": 1711710000000 + 15 * 60_000,
        "held_until": None,
        "name": "Wilhelmina Xanthopoulou",
        "born": 1951,
        "language": "de",
        "needs": ["chaperone"],
        "overbooked": None,
        "wants_earlier": False,
        "collides": False,
        "series": None,
        "entry": None,
        "label": None,
        "unreached": None,
    }


def test_floor_sees_names_and_staff_see_needs() -> None:
    clinic = a_clinic()
    clinic.book(f"{FRIDAY}T12:00", **PERSON)
    booked = clinic.book(f"{FRIDAY}T12:00", **PERSON | {"phone": None}, overbook="an emergency of a chaperone")
    floor = shown(clinic, booked)
    assert cell_of(clinic, booked, "staff") == {**floor, "name": None, "born": None}
    assert cell_of(clinic, booked, "system") == {**floor, "name": None, "born": None, "needs": None, "overbooked": None}


@pytest.mark.parametrize("stage", ["booked", "checked in", "serving"])
def test_no_view_shows_more_than_its_onlooker_may_see(stage: str) -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T09:00", **PERSON)
    if stage != "booked":
        entry = clinic.check_in(booked)
        if stage == "serving":
            clinic.do(CallNext(point_id=clinic.point_id))
            clinic.do(Start(entry_id=entry.id))
    visible = {"floor": {"Wilhelmina", "Xanthopoulou", '"born": 1951', "chaperone"}, "staff": {"chaperone"}, "system": set()}
    for onlooker in ONLOOKERS:
        for view in (DeskView(open_sealed, onlooker), CalendarView(FRIDAY, 7, open_sealed, onlooker)):
            text = json.dumps(draw(view, clinic.board))
            assert {secret for secret in SECRETS if secret in text} == visible[onlooker], view
    public: list[View] = [ConfigurationView(open_sealed), DisplayView(), KioskView(1), TicketView(1)]
    for each in public:
        text = json.dumps(draw(each, clinic.board))
        assert not any(secret in text for secret in SECRETS), each
        assert "appointment:" not in text


def test_hold_shows_that_the_time_is_taken_and_nothing_else() -> None:
    clinic = a_clinic()
    clinic.do(HoldSlot(site_id=SITE_ID, service_id=clinic.service, local_start=f"{FRIDAY}T12:00"))
    (hold,) = (each for each in clinic.calendar.all() if each.state == "held")
    cell = shown(clinic, hold)
    assert cell["state"] == "held"
    assert cell["held_until"] == clinic.now // 1000 + 600_000
    assert (cell["name"], cell["born"], cell["language"], cell["needs"]) == (None, None, None, [])
    clinic.do(ReleaseSlot(site_id=SITE_ID, hold_token=hold.token_hash))
    assert cell_of(clinic, hold) is None


def test_hold_of_a_known_patient_shows_no_name() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T12:00", **PERSON)
    held = replace(booked, state="held", held_until=clinic.now)
    board = Board(clinic.board.site, [*clinic.board.records(), held])
    text = json.dumps(draw(DESK, board)[f"appointment:{held.id}"])
    assert not any(secret in text for secret in SECRETS)


def test_cancelled_appointment_has_no_cell_and_a_missed_one_has() -> None:
    clinic = a_clinic()
    one, two = clinic.book(f"{FRIDAY}T09:00"), clinic.book(f"{FRIDAY}T10:00")
    clinic.do(CancelAppointment(appointment_id=two.id, version=1))
    assert cell_of(clinic, two) is None
    clinic.at(f"{FRIDAY}T09:30")
    clinic.do(AppointmentNoShow(appointment_id=one.id))
    assert shown(clinic, one)["state"] == "no_show"


def test_cell_follows_the_entry_after_the_check_in() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T09:00")
    entry = clinic.check_in(booked)
    cell = shown(clinic, booked)
    assert (cell["state"], cell["entry"], cell["label"]) == ("checked_in", entry.id, "A001")
    clinic.do(Transfer(entry_id=entry.id, queue_id=max(clinic.board.queues)))
    stage = max(clinic.board.entries)
    assert shown(clinic, booked)["entry"] == stage != entry.id
    point = clinic.point(max(clinic.board.queues))
    clinic.do(CallNext(point_id=point))
    clinic.do(Start(entry_id=stage))
    clinic.do(Complete(entry_id=stage))
    assert shown(clinic, booked)["state"] == "fulfilled"


def test_desk_shows_the_appointments_of_the_business_day() -> None:
    clinic = a_clinic()
    today, tomorrow = clinic.book(f"{FRIDAY}T12:00"), clinic.calendar.all()[-1]
    assert tomorrow.local_start == f"{next_date(FRIDAY)}T10:00"
    assert cell_of(clinic, today) is not None
    clinic.board.lend(tomorrow)  # as for a screen of the calendar
    assert cell_of(clinic, tomorrow) is None
    clinic.board.take_back([tomorrow])
    clinic.do(Tick(site_id=SITE_ID), after=20 * HOUR)
    assert shown(clinic, tomorrow)["name"] == "First Patient"
    assert cell_of(clinic, today) is None


def test_rules_of_the_site_touch_every_appointment() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T12:00")
    before = shown(clinic, booked)["too_late_from"]
    clinic.do(ChangeSite(site_id=SITE_ID, check_in_until=30))
    assert shown(clinic, booked)["too_late_from"] == before + 15 * 60_000
    assert f"appointment:{booked.id}" in set(DESK.touched(clinic.board, {"site"}))


@pytest.mark.parametrize(
    ("local_start", "starts_at", "expected"),
    [
        ("2026-10-31T09:00", 1793451600, -240),  # New York, before and after the clocks go back
        ("2026-11-01T09:00", 1793541600, -300),
        ("2026-11-01T01:30", 1793511000, -240),
        ("2026-11-01T01:30", 1793514600, -300),
        ("2027-01-15T09:00", 1799982900, 345),  # Nepal
    ],
)
def test_offset_needs_no_zone_data(local_start: str, starts_at: int, expected: int) -> None:
    booked = a_clinic().book(f"{FRIDAY}T12:00")
    assert offset_minutes(replace(booked, local_start=local_start, starts_at=starts_at * 1_000_000)) == expected
