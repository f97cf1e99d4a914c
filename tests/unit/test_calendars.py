"""The calendar file of an appointment over its life, as a mail carries it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar import Calendar

from server import calendars
from server.domain.model import Appointment
from server.vault import Vault
from tests.unit.domain.rules.test_booking import MONDAY, Clinic

BOOKED = replace(Clinic().book(f"{MONDAY}T09:00"), sealed=None)
VAULT = Vault([bytes(32)], "a secret of this test")
ADDRESS = "https://clinic.example/a/a7-token"


def read(appointment: Appointment, now: int = 1_711_700_000_000_000) -> tuple[Any, Any]:
    """Return the calendar and its one event."""
    made = calendars.of_patient(appointment, VAULT, now, site="Riverside Clinic", provider="Dr. Ada", address=ADDRESS)
    calendar = Calendar.from_ical(made)
    [event] = calendar.events
    return calendar, event


def test_times_are_utc_and_the_link_manages_the_appointment() -> None:
    calendar, event = read(BOOKED)
    assert calendar["method"] == "PUBLISH"
    assert event["dtstart"].dt == datetime(2024, 4, 1, 7, 0, tzinfo=UTC)
    assert event["dtend"].dt == datetime(2024, 4, 1, 7, 15, tzinfo=UTC)
    assert b"DTSTART:20240401T070000Z" in calendar.to_ical()
    assert (event["location"], event["url"], event["status"]) == ("Riverside Clinic", ADDRESS, "CONFIRMED")
    assert "Blood" not in calendar.to_ical().decode(), "the service is nobody else's business"


def test_uid_stays_for_life_and_the_sequence_is_the_version() -> None:
    moved = replace(BOOKED, version=2, starts_at=BOOKED.starts_at + 3_600_000_000, ends_at=BOOKED.ends_at + 3_600_000_000)
    cancelled = replace(moved, version=3, state="cancelled")
    events = [read(each)[1] for each in (BOOKED, moved, cancelled)]
    assert len({str(event["uid"]) for event in events}) == 1
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert read(replace(BOOKED, id=BOOKED.id + 1))[1]["uid"] != events[0]["uid"]


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_end_without_a_visit_cancels_the_entry(state: Any) -> None:
    calendar, event = read(replace(BOOKED, state=state, version=2))
    assert (calendar["method"], event["status"]) == ("CANCEL", "CANCELLED")


@pytest.mark.parametrize("state", ["booked", "checked_in", "fulfilled", "no_show"])
def test_entry_of_another_appointment_stays(state: Any) -> None:
    calendar, event = read(replace(BOOKED, state=state))
    assert (calendar["method"], event["status"]) == ("PUBLISH", "CONFIRMED")
