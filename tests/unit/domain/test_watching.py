"""The watches of appointments: which they cover, and in which time these start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.model.local_time import instant_of
from server.domain.watching import Dates, Single, dates_from
from tests.support.bookings import a_clinic
from tests.unit.domain.rules.test_booking import FRIDAY


def test_dates_cover_the_local_dates_alone() -> None:
    booked = a_clinic().book(f"{FRIDAY}T12:00")
    for local_start, covered in (
        ("2024-03-28T23:59", False),
        ("2024-03-29T00:00", True),
        ("2024-03-30T23:59", True),
        ("2024-03-31T00:00", False),
    ):
        assert dates_from("2024-03-29", 2).covers(replace(booked, local_start=local_start)) is covered


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "UTC"])
def test_instants_contain_every_start_of_the_dates(zone: str) -> None:
    begin, until = Dates("2027-01-15", "2027-01-16").instants()
    assert begin <= instant_of("2027-01-15T00:00", zone)
    assert instant_of("2027-01-16T23:59", zone) < until


def test_single_covers_its_appointment_and_the_offers_to_its_patient() -> None:
    clinic = a_clinic()
    one, two = clinic.book(f"{FRIDAY}T12:00"), clinic.book(f"{FRIDAY}T13:00")
    assert Single(one.id).covers(one)
    assert not Single(one.id).covers(two)
    assert Single(one.id).covers(replace(two, offered_to=one.id))
