"""Schedules: what they need, what a change does from a date on, and the appointments that it would strand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.domain import free_time
from server.domain.commands import (
    AddException,
    AddProvider,
    AddSchedule,
    AddService,
    Book,
    ChangeSchedule,
    ChangeSite,
    EndSchedule,
    Remove,
    RemoveException,
)
from server.domain.errors import (
    ExceptionNotFound,
    InUse,
    InvalidField,
    NothingChanged,
    NowServingError,
    PointNotFound,
    ProviderNotFound,
    ScheduleNotFound,
    ServiceNotFound,
)
from server.domain.events import AppointmentCancelled, ExceptionAdded, ScheduleAdded, ScheduleEnded
from server.domain.free_time import Wanted
from server.domain.model import Appointment, Schedule
from tests.support.worlds import DAY, SITE_ID, World, an_id

# The clinic's clock is at Friday, 2024-03-29, 08:00.
FRIDAY, NEXT_FRIDAY, LATER_FRIDAY = "2024-04-05", "2024-04-12", "2024-04-19"


class Clinic(World):
    """A clinic with two services, a provider and a room."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("Check-up", "Vaccination"):
            self.do(AddService(site_id=SITE_ID, name=name, public_name=name))
        for name in ("Ada", "Ben"):
            self.do(AddProvider(site_id=SITE_ID, name=name))
        self.check_up, self.vaccination = self.board.services
        self.ada, self.ben = self.board.providers
        self.room = self.point(self.queue())

    def command(self, **changes: Any) -> AddSchedule:
        """Return the command for Ada's Fridays, 09:00 to 12:00, with ``changes``."""
        command = AddSchedule(
            site_id=SITE_ID,
            provider_id=self.ada,
            service_ids=(self.check_up,),
            weekday=4,
            from_="09:00",
            until="12:00",
            slot_minutes=30,
            valid_from="2024-04-01",
        )
        return replace(command, **changes)

    def schedule(self, **changes: Any) -> Schedule:
        self.do(self.command(**changes))
        return self.board.schedules[max(self.board.schedules)]

    def exception(self, kind: Any = "closed", day: str = FRIDAY, **changes: Any) -> AddException:
        command = AddException(site_id=SITE_ID, provider_id=self.ada, date=day, kind=kind, reason="Training")
        extra: dict[str, Any] = {"service_ids": (self.check_up,), "slot_minutes": 30} if kind == "extra" else {}
        return replace(command, **{**extra, **changes})

    def book(self, local_start: str, **about: Any) -> Appointment:
        events = self.do(
            Book(
                site_id=SITE_ID,
                service_id=self.check_up,
                provider_id=self.ada,
                local_start=local_start,
                name="Nora",
                **about,
            )
        )
        return self.appointment(events[0].event.appointment_id)  # type: ignore[attr-defined]

    def appointment(self, identifier: int) -> Appointment:
        found = self.calendar.appointment(identifier)
        assert found is not None
        return found

    def starts(self, day: str, **wanted: Any) -> list[str]:
        wished = Wanted(service_id=self.check_up, **wanted)
        return [each.local_start[11:] for each in free_time.slots(self.board, self.calendar, wished, day, day, self.now)]


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def refused(clinic: World, command: Any, error: type[NowServingError], **details: object) -> None:
    with pytest.raises(error) as caught:
        clinic.do(command)
    assert details.items() <= caught.value.details.items(), caught.value.details


def test_a_schedule_offers_its_times_from_its_first_date_on(clinic: Clinic) -> None:
    schedule = clinic.schedule()
    assert (schedule.from_minute, schedule.until_minute, schedule.anchor_date) == (540, 720, "2024-04-01")
    assert clinic.starts(FRIDAY) == ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]
    assert clinic.starts(DAY) == []


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("until", {"until": "09:00"}),
        ("until", {"until": "08:30"}),
        ("from", {"from_": "09:01"}),
        ("until", {"until": "12:03"}),
        ("valid_from", {"valid_from": "2024-02-30"}),
        ("valid_until", {"valid_until": "2024-13-01"}),
        ("valid_until", {"valid_until": "2024-03-31"}),
        ("anchor_date", {"anchor_date": "2023-02-29"}),
        ("slot_minutes", {"slot_minutes": 12}),
        ("slot_minutes", {"slot_minutes": 185}),
        ("buffer_minutes", {"buffer_minutes": 4}),
    ],
)
def test_a_schedule_has_values_that_fit_together(clinic: Clinic, field: str, changes: dict[str, Any]) -> None:
    refused(clinic, clinic.command(**changes), InvalidField, field=field)


def test_a_schedule_needs_records_in_use(clinic: Clinic) -> None:
    refused(clinic, clinic.command(provider_id=an_id(99)), ProviderNotFound, provider_id=an_id(99))
    refused(clinic, clinic.command(service_ids=(an_id(99),)), ServiceNotFound, service_id=an_id(99))
    refused(clinic, clinic.command(point_id=an_id(99)), PointNotFound, point_id=an_id(99))
    assert clinic.schedule(service_ids=(clinic.check_up, clinic.check_up)).service_ids == (clinic.check_up,)


def test_a_room_takes_one_appointment_at_a_time(clinic: Clinic) -> None:
    refused(clinic, clinic.command(point_id=clinic.room, capacity=2), InvalidField, field="capacity")
    assert clinic.schedule(point_id=clinic.room).point_id == clinic.room


@pytest.mark.parametrize(
    ("overlaps", "changes"),
    [
        (True, {}),
        (True, {"from_": "11:55", "until": "13:00"}),
        (False, {"from_": "12:00", "until": "13:00"}),
        (False, {"weekday": 3}),
        (True, {"valid_until": "2024-04-08"}),
        (False, {"valid_from": "2024-03-01", "valid_until": "2024-03-31"}),
        (True, {"every_n_weeks": 2}),
    ],
)
def test_a_provider_has_one_schedule_at_a_time(clinic: Clinic, overlaps: bool, changes: dict[str, Any]) -> None:
    clinic.schedule()
    if overlaps:
        refused(clinic, clinic.command(**changes), InvalidField, field="from")
    else:
        clinic.schedule(**changes)


def test_schedules_of_other_weeks_and_providers_do_not_overlap(clinic: Clinic) -> None:
    clinic.schedule(every_n_weeks=2, anchor_date="2024-04-01")
    refused(clinic, clinic.command(every_n_weeks=2, anchor_date="2024-04-15"), InvalidField, field="from")
    refused(clinic, clinic.command(every_n_weeks=3, anchor_date="2024-04-08"), InvalidField, field="from")
    clinic.schedule(every_n_weeks=4, anchor_date="2024-04-08")
    clinic.schedule(provider_id=clinic.ben)


def test_a_change_ends_the_schedule_the_day_before_and_adds_a_new_one(clinic: Clinic) -> None:
    before = clinic.schedule()
    events = clinic.do(ChangeSchedule(schedule_id=before.id, from_date=NEXT_FRIDAY, from_="10:00", until="11:00"))
    assert [type(each.event) for each in events] == [ScheduleEnded, ScheduleAdded]
    assert clinic.board.schedules[before.id].valid_until == "2024-04-11"
    assert clinic.starts(FRIDAY)[0] == "09:00"
    assert clinic.starts(NEXT_FRIDAY) == ["10:00", "10:30"]
    after = clinic.board.schedules[max(clinic.board.schedules)]
    assert (after.anchor_date, after.valid_from, after.valid_until) == ("2024-04-01", NEXT_FRIDAY, None)


def test_a_change_removes_the_last_date_and_the_room(clinic: Clinic) -> None:
    before = clinic.schedule(valid_until=FRIDAY, point_id=clinic.room)
    booked = clinic.book(f"{FRIDAY}T09:00")
    clinic.do(ChangeSchedule(schedule_id=before.id, from_date=FRIDAY, valid_until="", point_id=0))
    after = clinic.board.schedules[max(clinic.board.schedules)]
    assert (after.valid_from, after.valid_until, after.point_id) == (FRIDAY, None, None)
    assert clinic.starts(LATER_FRIDAY)
    assert clinic.appointment(booked.id) == booked, "a booked appointment keeps its room"
    again = ChangeSchedule(schedule_id=after.id, from_date=FRIDAY, valid_until="", point_id=0)
    refused(clinic, again, NothingChanged, schedule_id=after.id)


def test_a_removed_room_allows_several_appointments_at_once(clinic: Clinic) -> None:
    schedule = clinic.schedule(point_id=clinic.room)
    change = ChangeSchedule(schedule_id=schedule.id, from_date=FRIDAY, capacity=2)
    refused(clinic, change, InvalidField, field="capacity")
    clinic.do(replace(change, point_id=0))
    clinic.do(Remove(record_id=clinic.room), after=8 * 24 * 3_600_000_000)  # the old schedule is over


def test_a_removed_last_date_overlaps_no_later_schedule(clinic: Clinic) -> None:
    schedule = clinic.schedule(valid_until=FRIDAY)
    clinic.schedule(valid_from=LATER_FRIDAY)
    change = ChangeSchedule(schedule_id=schedule.id, from_date=FRIDAY, valid_until="")
    refused(clinic, change, InvalidField, field="from")
    clinic.do(replace(change, valid_until=NEXT_FRIDAY))


def test_a_change_that_removes_values_lists_the_appointments_that_it_strands(clinic: Clinic) -> None:
    schedule = clinic.schedule(valid_until=LATER_FRIDAY, point_id=clinic.room)
    booked = clinic.book(f"{NEXT_FRIDAY}T09:00")
    change = ChangeSchedule(schedule_id=schedule.id, from_date=FRIDAY, valid_until="", point_id=0, from_="10:00")
    refused(clinic, change, InUse, name="Ada", first=[{"id": booked.id, "local_start": booked.local_start}])


def test_a_change_before_the_first_date_replaces_the_schedule(clinic: Clinic) -> None:
    before = clinic.schedule()
    clinic.do(ChangeSchedule(schedule_id=before.id, from_date=DAY, slot_minutes=60))
    assert clinic.starts(FRIDAY) == ["09:00", "10:00", "11:00"]


def test_a_change_touches_no_past_and_changes_something(clinic: Clinic) -> None:
    schedule = clinic.schedule(valid_until="2024-04-30")
    yesterday = ChangeSchedule(schedule_id=schedule.id, from_date="2024-03-28", from_="10:00")
    refused(clinic, yesterday, InvalidField, field="from_date")
    refused(clinic, replace(yesterday, from_date="2024-05-01"), InvalidField, field="from_date")
    refused(clinic, replace(yesterday, from_date="2024-04-31"), InvalidField, field="from_date")
    refused(clinic, replace(yesterday, from_date=DAY, from_="09:00"), NothingChanged)
    refused(clinic, replace(yesterday, schedule_id=an_id(99)), ScheduleNotFound, schedule_id=an_id(99))
    refused(clinic, EndSchedule(schedule_id=schedule.id, last_date="2024-03-27"), InvalidField, field="last_date")
    refused(clinic, EndSchedule(schedule_id=schedule.id, last_date="2024-04-30"), NothingChanged)
    refused(clinic, clinic.exception(day="2024-03-28"), InvalidField, field="date")


def test_a_schedule_can_end_yesterday(clinic: Clinic) -> None:
    schedule = clinic.schedule(valid_from="2024-03-01")
    assert clinic.starts(DAY)
    clinic.do(EndSchedule(schedule_id=schedule.id, last_date="2024-03-28"))
    assert clinic.starts(DAY) == []


def test_a_change_lists_the_appointments_that_it_strands(clinic: Clinic) -> None:
    schedule = clinic.schedule()
    kept, first, second = (
        clinic.book(f"{day}T{clock}") for day, clock in ((FRIDAY, "09:00"), (NEXT_FRIDAY, "09:30"), (LATER_FRIDAY, "09:00"))
    )
    clinic.book(f"{LATER_FRIDAY}T11:00")
    change = ChangeSchedule(schedule_id=schedule.id, from_date="2024-04-06", from_="10:00")
    listed = [{"id": each.id, "local_start": each.local_start} for each in (first, second)]
    refused(clinic, change, InUse, name="Ada", count=2, first=listed)
    assert clinic.board.schedules[schedule.id] == schedule

    events = clinic.do(replace(change, stranded="cancel"))
    assert [type(each.event) for each in events[2:]] == [AppointmentCancelled] * 2
    after = clinic.appointment(first.id)
    assert (after.state, after.ended_by, after.version, after.freed_from) == ("cancelled", "staff", 2, clinic.now)
    assert clinic.appointment(kept.id).state == "booked"
    assert clinic.calendar.busy([clinic.ada], first.starts_at // 300_000_000, first.ends_at // 300_000_000) == []


def test_stranded_appointments_can_stay(clinic: Clinic) -> None:
    schedule = clinic.schedule()
    booked = clinic.book(f"{FRIDAY}T09:00")
    end = EndSchedule(schedule_id=schedule.id, last_date=DAY)
    refused(clinic, end, InUse, count=1)
    assert [type(each.event) for each in clinic.do(replace(end, stranded="keep"))] == [ScheduleEnded]
    assert clinic.appointment(booked.id) == booked


def test_another_length_of_the_steps_strands_nobody(clinic: Clinic) -> None:
    schedule = clinic.schedule()
    clinic.book(f"{FRIDAY}T09:30")
    clinic.do(ChangeSchedule(schedule_id=schedule.id, from_date=DAY, slot_minutes=20))
    assert clinic.starts(FRIDAY)[:3] == ["09:00", "10:00", "10:20"]


def test_a_closed_time_lists_and_frees_its_appointments(clinic: Clinic) -> None:
    clinic.schedule()
    booked = clinic.book(f"{FRIDAY}T09:30")
    refused(clinic, clinic.exception(), InUse, name="Ada", first=[{"id": booked.id, "local_start": f"{FRIDAY}T09:30"}])
    everybody = clinic.exception(provider_id=None)
    refused(clinic, everybody, InUse, name="Clinic", count=1)
    assert clinic.do(clinic.exception(from_="10:00"))  # the appointment ends at 10:00
    events = clinic.do(replace(everybody, stranded="cancel"))
    assert [type(each.event) for each in events] == [ExceptionAdded, AppointmentCancelled]
    assert clinic.starts(FRIDAY) == []


def test_a_closed_day_of_the_site_lists_and_frees_its_appointments(clinic: Clinic) -> None:
    clinic.schedule()
    booked = clinic.book(f"{FRIDAY}T09:30")
    close = ChangeSite(site_id=SITE_ID, closed_on=(FRIDAY,))
    refused(clinic, close, InUse, name="Clinic", first=[{"id": booked.id, "local_start": f"{FRIDAY}T09:30"}])
    clinic.do(ChangeSite(site_id=SITE_ID, closed_on=(NEXT_FRIDAY, "2024-03-01")))
    clinic.do(replace(close, stranded="cancel"))
    assert clinic.starts(FRIDAY) == []
    assert clinic.appointment(booked.id).state == "cancelled"


def test_an_extra_time_comes_and_goes(clinic: Clinic) -> None:
    saturday = "2024-04-06"
    clinic.do(clinic.exception("extra", saturday, from_="09:00", until="10:00"))
    (identifier,) = clinic.board.exceptions
    assert clinic.starts(saturday) == ["09:00", "09:30"]
    clinic.book(f"{saturday}T09:00")
    refused(clinic, RemoveException(exception_id=identifier), InUse, count=1)
    clinic.do(RemoveException(exception_id=identifier, stranded="cancel"))
    assert clinic.starts(saturday) == []
    refused(clinic, RemoveException(exception_id=identifier), ExceptionNotFound, exception_id=identifier)


def test_a_removed_closed_time_is_free_again(clinic: Clinic) -> None:
    clinic.schedule()
    clinic.do(clinic.exception())
    assert clinic.starts(FRIDAY) == []
    clinic.do(RemoveException(exception_id=max(clinic.board.exceptions)))
    assert len(clinic.starts(FRIDAY)) == 6


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("provider_id", {"provider_id": None}),
        ("service_ids", {"service_ids": None}),
        ("slot_minutes", {"slot_minutes": None}),
        ("slot_minutes", {"slot_minutes": 7}),
        ("until", {"from_": "10:00", "until": "10:00"}),
        ("date", {"date": "2024-04-31"}),
    ],
)
def test_an_extra_time_is_complete(clinic: Clinic, field: str, changes: dict[str, Any]) -> None:
    refused(clinic, clinic.exception("extra", **changes), InvalidField, field=field)


def test_a_record_of_a_schedule_cannot_be_removed(clinic: Clinic) -> None:
    schedule = clinic.schedule(point_id=clinic.room)
    for record in (clinic.ada, clinic.check_up, clinic.room):
        refused(clinic, Remove(record_id=record), InUse, record_id=record, by="Ada 09:00-12:00", count=1)
    clinic.do(Remove(record_id=clinic.vaccination))
    booked = clinic.book(f"{FRIDAY}T09:30")
    clinic.do(EndSchedule(schedule_id=schedule.id, last_date="2024-03-28", stranded="keep"))
    clinic.do(EndSchedule(schedule_id=clinic.schedule(from_="08:00", until="08:30").id, last_date="2024-03-28"))
    # The ended schedules leave the board when the day turns.
    clinic.do(clinic.exception(provider_id=clinic.ben), after=24 * 3_600_000_000)
    for record in (clinic.ada, clinic.check_up, clinic.room):
        refused(clinic, Remove(record_id=record), InUse, first=[{"id": booked.id, "local_start": booked.local_start}])
    clinic.do(Remove(record_id=clinic.ben))
