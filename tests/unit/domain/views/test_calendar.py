"""The view of the calendar: the dates, the times in which clinicians see patients, and the appointments."""

from __future__ import annotations

from server.domain.commands import AddException, ChangeSite, Tick
from server.domain.views import CalendarView, draw
from server.domain.watching import Dates
from tests.support.bookings import a_clinic, next_date
from tests.support.worlds import HOUR, SITE_ID, open_sealed
from tests.unit.domain.rules.test_booking import FRIDAY, Clinic

SUNDAY = next_date(FRIDAY, 2)  # the clocks go forward in Berlin


def test_watch_covers_the_dates() -> None:
    assert CalendarView("2024-02-27", 7, open_sealed).watch == Dates("2024-02-27", "2024-03-04")
    assert CalendarView("2024-12-31", 1, open_sealed).watch == Dates("2024-12-31", "2024-12-31")


def test_calendar_has_the_records_and_the_appointments_of_its_dates() -> None:
    clinic = a_clinic()
    first, second = clinic.book(f"{FRIDAY}T12:00"), clinic.book(f"{SUNDAY}T12:00")
    clinic.board.lend(second)
    cells = draw(CalendarView(SUNDAY, 7, open_sealed), clinic.board)
    assert f"appointment:{first.id}" not in cells
    assert cells[f"appointment:{second.id}"]["local_start"] == f"{SUNDAY}T12:00"
    assert {key for key in cells if key.startswith("day:")} == {f"day:{next_date(SUNDAY, each)}" for each in range(7)}
    assert cells["site"]["business_day"] == FRIDAY
    assert cells[f"provider:{clinic.providers[0]}"]["name"] == "Dr 0"
    assert cells[f"point:{clinic.point_id}"] == {"name": "Room 1", "names": {}, "position": 0}


def open_times(clinic: Clinic, day: str) -> list[tuple[int, str, int, str, int]]:
    """Return the open times of a date: the provider, and the local time and the offset of begin and end."""
    cell = draw(CalendarView(day, 1, open_sealed), clinic.board)[f"day:{day}"]
    return [
        (
            each["provider"],
            each["begin"]["local"][11:],
            each["begin"]["offset_minutes"],
            each["end"]["local"][11:],
            each["end"]["offset_minutes"],
        )
        for each in cell["open_times"]
    ]


def test_open_times_are_without_their_closed_parts() -> None:
    clinic = a_clinic()
    one, two = clinic.providers
    assert open_times(clinic, FRIDAY) == [(one, "08:00", 60, "18:00", 60), (two, "08:00", 60, "18:00", 60)]
    clinic.do(
        AddException(
            site_id=SITE_ID, provider_id=one, date=FRIDAY, kind="closed", from_="12:00", until="13:00", reason="a meeting"
        )
    )
    clinic.do(
        AddException(
            site_id=SITE_ID,
            provider_id=two,
            date=FRIDAY,
            kind="extra",
            from_="19:00",
            until="20:00",
            reason="the evening",
            service_ids=(clinic.service,),
            slot_minutes=20,
        )
    )
    assert open_times(clinic, FRIDAY) == [
        (one, "08:00", 60, "12:00", 60),
        (two, "08:00", 60, "18:00", 60),
        (one, "13:00", 60, "18:00", 60),
        (two, "19:00", 60, "20:00", 60),
    ]
    clinic.do(AddException(site_id=SITE_ID, date=next_date(FRIDAY), kind="closed", reason="a fire", stranded="cancel"))
    assert open_times(clinic, next_date(FRIDAY)) == []


def test_day_of_a_clock_change_has_23_hours() -> None:
    clinic = a_clinic()
    day = draw(CalendarView(SUNDAY, 1, open_sealed), clinic.board)[f"day:{SUNDAY}"]
    assert day["begin"] == {"at": 1711839600000, "local": f"{SUNDAY}T00:00", "offset_minutes": 60}
    assert day["end"] == {"at": 1711922400000, "local": f"{next_date(SUNDAY)}T00:00", "offset_minutes": 120}
    assert day["turn"] == {"at": 1711846800000, "local": f"{SUNDAY}T03:00", "offset_minutes": 120}
    assert draw(CalendarView(FRIDAY, 1, open_sealed), clinic.board)[f"day:{FRIDAY}"]["turn"] is None
    assert open_times(clinic, SUNDAY)[0][1:] == ("08:00", 120, "18:00", 120)


def test_closed_date_and_past_date_have_no_open_times() -> None:
    clinic = a_clinic()
    clinic.do(ChangeSite(site_id=SITE_ID, closed_on=(SUNDAY,)))
    day = draw(CalendarView(SUNDAY, 1, open_sealed), clinic.board)[f"day:{SUNDAY}"]
    assert (day["closed"], day["open_times"]) == (True, [])
    clinic.do(Tick(site_id=SITE_ID), after=20 * HOUR)
    assert draw(CalendarView(FRIDAY, 1, open_sealed), clinic.board)[f"day:{FRIDAY}"]["open_times"] is None


def test_changes_of_hours_touch_the_dates() -> None:
    clinic = a_clinic()
    view = CalendarView(FRIDAY, 2, open_sealed)
    days = {f"day:{FRIDAY}", f"day:{next_date(FRIDAY)}"}
    for changed in ("site", "schedule:1", "exception:1", f"provider:{clinic.providers[0]}"):
        assert days <= set(view.touched(clinic.board, {changed}))
    assert not days & set(view.touched(clinic.board, {"entry:1", f"point:{clinic.point_id}"}))
