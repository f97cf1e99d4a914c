"""The view of one patient's appointment: the promises of the site, and after the check-in the ticket."""

from __future__ import annotations

import json

from hypothesis import given

from server.domain.commands import CancelAppointment, Tick, Undo
from server.domain.views import AppointmentView, TicketView, draw
from server.domain.watching import Single
from tests.support.bookings import a_clinic, booked_days, do_step
from tests.support.extent import examples
from tests.support.worlds import HOUR, SITE_ID, Step
from tests.unit.domain.rules.test_booking import FRIDAY
from tests.unit.domain.views.test_appointments import PERSON, SECRETS


def test_cell_of_an_appointment_for_its_patient() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T12:00", **PERSON)
    view = AppointmentView(booked.id)
    assert view.watch == Single(booked.id)
    cells = draw(view, clinic.board)
    assert list(cells) == ["appointment"]
    cell = cells["appointment"]
    assert (cell["appointment"], cell["state"], cell["version"]) == (booked.id, "booked", 1)
    assert (cell["local_start"], cell["offset_minutes"], cell["starts"]) == (f"{FRIDAY}T12:00", 60, 1711710000000)
    assert (cell["check_in_from"], cell["check_in_until"]) == (1711702800000, 1711710900000)
    assert cell["cancel_until"] == 1711710000000 - 120 * 60_000
    assert (cell["service"], cell["provider"], cell["site"]) == ("Blood", "Dr 0", "Clinic")
    text = json.dumps(cells)
    assert not any(secret in text for secret in SECRETS), "the link may be read by anybody"


def test_view_becomes_the_ticket_and_back() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T09:00")
    view = AppointmentView(booked.id)
    entry = clinic.check_in(booked)
    cells = draw(view, clinic.board)
    assert cells["appointment"]["state"] == "checked_in"
    ticket = draw(TicketView(entry.visit_id), clinic.board)
    assert {key: cell for key, cell in cells.items() if key != "appointment"} == ticket
    assert ticket["ticket"]["counts_from"] == booked.starts_at // 1000 - 15 * 60_000
    assert set(view.touched(clinic.board, {f"entry:{entry.id}"})) == {"appointment", "ticket", "ahead"}
    clinic.do(Undo(entry_id=entry.id))
    assert list(draw(view, clinic.board)) == ["appointment"]


def test_cancelled_appointment_names_who_cancelled_it() -> None:
    clinic = a_clinic()
    booked = clinic.book(f"{FRIDAY}T09:00")
    clinic.do(CancelAppointment(appointment_id=booked.id, version=1))
    cell = draw(AppointmentView(booked.id), clinic.board)["appointment"]
    assert (cell["state"], cell["ended_by"]) == ("cancelled", "staff")


def test_ticket_of_an_earlier_day_is_gone() -> None:
    clinic = a_clinic()
    clinic.board.watching = lambda _: True
    booked = clinic.book(f"{FRIDAY}T09:00")
    clinic.check_in(booked)
    clinic.do(Tick(site_id=SITE_ID), after=20 * HOUR)
    assert list(draw(AppointmentView(booked.id), clinic.board)) == ["appointment"]


@examples(40)
@given(booked_days(30))
def test_appointment_reveals_nothing_about_others(script: list[Step]) -> None:
    clinic = a_clinic()
    for step in script:
        do_step(clinic, step)
    for mine in list(clinic.board.appointments.values())[:4]:
        text = json.dumps(draw(AppointmentView(mine.id), clinic.board))
        others = [each for each in clinic.calendar.all() if mine.id not in (each.id, each.offered_to)]
        assert not any(str(each.id) in text for each in others)
        assert "Nora" not in text
