"""Free times: right around the changes of the clock, and exactly those that can be booked."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.domain import free_time
from server.domain.board import Board
from server.domain.calendar import After, NoCalendar
from server.domain.errors import InvalidField, NoSuchLocalTime, SlotNotOffered, SlotTaken
from server.domain.free_time import Slot, Wanted
from server.domain.model import (
    CELL,
    Appointment,
    BusyCell,
    Provider,
    Rules,
    Schedule,
    ScheduleException,
    Service,
    cells_of,
    local_time,
)
from tests.support.extent import scaled
from tests.support.worlds import MINUTE, SITE_ID, a_site, an_id

SERVICE, OTHER_SERVICE, ROOM = an_id(1), an_id(2), an_id(3)
ADA, BEN, CEM = an_id(11), an_id(12), an_id(13)
DAY = 24 * 60 * MINUTE


def instant(text: str) -> int:
    """Return the instant of a UTC time like ``2027-01-15T09:00``."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def a_schedule(identifier: int = an_id(100), provider_id: int = ADA, **changes: Any) -> Schedule:
    """Return a weekly window on Fridays, 09:00 to 12:00, with ``changes``."""
    schedule = Schedule(
        id=identifier,
        site_id=SITE_ID,
        provider_id=provider_id,
        service_ids=(SERVICE,),
        weekday=4,
        from_minute=540,
        until_minute=720,
        slot_minutes=30,
        capacity=1,
        every_n_weeks=1,
        anchor_date="2026-01-01",
        valid_from="2026-01-01",
        valid_until=None,
        seq=1,
    )
    return replace(schedule, **changes)


def an_exception(
    kind: Any, day: str, from_minute: int = 0, until_minute: int = 1440, identifier: int = an_id(200), **changes: Any
) -> ScheduleException:
    exception = ScheduleException(
        id=identifier,
        site_id=SITE_ID,
        provider_id=ADA,
        date=day,
        kind=kind,
        from_minute=from_minute,
        until_minute=until_minute,
        reason="Training",
        seq=1,
        service_ids=(SERVICE,),
        slot_minutes=30,
    )
    return replace(exception, **changes)


def an_appointment(local_start: str, minutes: int = 30, zone: str = "America/New_York", **changes: Any) -> Appointment:
    starts_at = local_time.instant_of(local_start, zone)
    appointment = Appointment(
        id=an_id(900),
        site_id=SITE_ID,
        business_day=None,
        service_id=SERVICE,
        provider_id=ADA,
        resource_id=ADA,
        point_id=None,
        state="booked",
        local_start=local_start,
        fold=0,
        zone=zone,
        minutes=minutes,
        buffer_minutes=0,
        starts_at=starts_at,
        ends_at=starts_at + minutes * MINUTE,
        tz_version="",
        lane=0,
        version=1,
        token_hash="",
        sealed=None,
        language="en",
        booked_at=0,
        seq=1,
    )
    return replace(appointment, **changes)


def a_board(*records: Schedule | ScheduleException | Provider, zone: str = "America/New_York", **rules: Any) -> Board:
    site = replace(a_site(), time_zone=zone, rules=Rules(**rules))
    services = [
        Service(id=each, site_id=SITE_ID, public_name=str(each), position=0, sealed=None, seq=1)
        for each in (SERVICE, OTHER_SERVICE)
    ]
    named = {each.id for each in records if isinstance(each, Provider)}
    providers = [
        Provider(id=each, site_id=SITE_ID, name=str(each), position=each - ADA, seq=1)
        for each in (ADA, BEN, CEM)
        if each not in named
    ]
    return Board(site, [*services, *providers, *records])


class Book:
    """The taken time of some appointments, and of other cells. It counts how often it is read."""

    def __init__(self, *appointments: Appointment, cells: Iterable[BusyCell] = ()) -> None:
        self.cells = [*cells, *(cell for each in appointments for cell in cells_of(each))]
        self.reads = 0

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        self.reads += 1
        return [each for each in self.cells if each.resource_id in resource_ids and from_cell <= each.cell < until_cell]

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        raise AssertionError("free time needs cells alone")


EMPTY = NoCalendar()
PAST = instant("2024-01-01T00:00")


def starts(board: Board, day: str, book: Any = EMPTY, now: int = PAST, **wanted: Any) -> list[str]:
    found = free_time.slots(board, book, Wanted(service_id=SERVICE, **wanted), day, day, now)
    return [each.local_start[11:] for each in found]


def rule(board: Board, local_start: str, book: Any = EMPTY, now: int = PAST, fold: int = 0, **wanted: Any) -> str | None:
    """Return why a start is not free. Assert that a booking has the same answer."""
    wished = Wanted(service_id=SERVICE, **wanted)
    found = free_time.why(board, book, wished, local_start, fold, now).rule
    if found is None:
        assert free_time.offers_at(board, book, wished, local_start, fold, now)
    else:
        with pytest.raises((SlotTaken, SlotNotOffered)) as refused:
            free_time.offers_at(board, book, wished, local_start, fold, now)
        assert refused.value.details == {"local_start": local_start, "reason": found}
        assert isinstance(refused.value, SlotTaken) == (found in ("booked", "held"))
    return found


@pytest.mark.parametrize(
    ("zone", "day", "from_minute", "first", "last_end"),
    [
        ("America/New_York", "2026-03-08", 13 * 60, "2026-03-08T17:00", "2026-03-08T22:00"),
        ("America/New_York", "2026-10-31", 9 * 60, "2026-10-31T13:00", "2026-10-31T18:00"),
        ("America/New_York", "2026-11-01", 9 * 60, "2026-11-01T14:00", "2026-11-01T19:00"),
        ("Europe/Berlin", "2026-10-20", 13 * 60, "2026-10-20T11:00", "2026-10-20T16:00"),
        ("Europe/Berlin", "2026-10-27", 13 * 60, "2026-10-27T12:00", "2026-10-27T17:00"),
        ("America/Vancouver", "2027-01-15", 9 * 60, "2027-01-15T16:00", "2027-01-15T21:00"),
    ],
)
def test_a_window_of_five_hours_has_the_instants_of_its_wall_clock(
    zone: str, day: str, from_minute: int, first: str, last_end: str
) -> None:
    weekday = date.fromisoformat(day).weekday()
    board = a_board(a_schedule(weekday=weekday, from_minute=from_minute, until_minute=from_minute + 300), zone=zone)
    found = free_time.slots(board, EMPTY, Wanted(service_id=SERVICE), day, day, PAST)
    assert len(found) == 10
    assert found[0].starts_at == instant(first)
    assert found[-1].starts_at + found[-1].minutes * MINUTE == instant(last_end)


def test_a_late_time_is_listed_under_its_local_date() -> None:
    board = a_board(
        a_schedule(weekday=2, from_minute=21 * 60, until_minute=22 * 60, slot_minutes=60, valid_from="2025-01-01")
    )
    found = free_time.slots(board, EMPTY, Wanted(service_id=SERVICE), "2025-01-15", "2025-01-15", PAST)
    assert found == [Slot("2025-01-15T21:00", 0, -300, instant("2025-01-16T02:00"), 60, ADA, 1)]


def test_a_start_in_the_gap_of_the_clock_does_not_exist() -> None:
    board = a_board(a_schedule(weekday=6, from_minute=60, until_minute=240))
    with pytest.raises(NoSuchLocalTime) as refused:
        free_time.offers_at(board, EMPTY, Wanted(service_id=SERVICE), "2026-03-08T02:30", 0, PAST)
    assert refused.value.details["offered"] == "2026-03-08T03:00"


def test_a_window_around_the_gap_goes_on_after_it() -> None:
    board = a_board(a_schedule(weekday=6, from_minute=60, until_minute=240))
    assert starts(board, "2026-03-08") == ["01:00", "01:30", "03:00", "03:30"]
    hour = free_time.offers_at(board, EMPTY, Wanted(service_id=SERVICE, minutes=60), "2026-03-08T01:30", 0, PAST)[0]
    assert (hour.starts_at, hour.ends_at) == (instant("2026-03-08T06:30"), instant("2026-03-08T07:30"))


def test_a_repeated_time_is_offered_twice_with_its_offset() -> None:
    board = a_board(a_schedule(weekday=6, from_minute=60, until_minute=120))
    found = free_time.slots(board, EMPTY, Wanted(service_id=SERVICE), "2026-11-01", "2026-11-01", PAST)
    assert [(each.local_start[11:], each.fold, each.offset_minutes, each.starts_at) for each in found] == [
        ("01:00", 0, -240, instant("2026-11-01T05:00")),
        ("01:30", 0, -240, instant("2026-11-01T05:30")),
        ("01:00", 1, -300, instant("2026-11-01T06:00")),
        ("01:30", 1, -300, instant("2026-11-01T06:30")),
    ]
    second = free_time.offers_at(board, EMPTY, Wanted(service_id=SERVICE), "2026-11-01T01:30", 1, PAST)[0]
    assert (second.fold, second.starts_at) == (1, instant("2026-11-01T06:30"))


def test_a_day_without_a_midnight_starts_at_its_first_instant() -> None:
    day = "2026-04-24"  # Cairo: the clocks go from 00:00 to 01:00
    board = a_board(a_schedule(from_minute=0, until_minute=120), zone="Africa/Cairo")
    assert starts(board, day) == ["01:00", "01:30"]


def test_an_interval_that_overlaps_is_taken() -> None:
    board = a_board(a_schedule(from_minute=13 * 60, until_minute=16 * 60))
    book = Book(an_appointment("2027-01-15T14:00"))
    assert starts(board, "2027-01-15", book, minutes=60) == ["13:00", "14:30", "15:00"]
    assert rule(board, "2027-01-15T13:30", book, minutes=60) == "booked"
    assert rule(board, "2027-01-15T14:00", book, minutes=60) == "booked"


def test_a_hold_takes_its_time_until_it_lapses() -> None:
    board = a_board(a_schedule(slot_minutes=5))
    lapses = instant("2027-01-15T13:00")
    hold = an_appointment("2027-01-15T10:00", 15, state="held", held_until=lapses)
    assert rule(board, "2027-01-15T10:10", Book(hold), lapses - 1, minutes=15) == "held"
    assert rule(board, "2027-01-15T10:10", Book(hold), lapses, minutes=15) is None
    assert rule(board, "2027-01-15T10:10", Book(hold), lapses - 1, minutes=15, own=frozenset({hold.id})) is None


def test_a_booked_time_under_a_hold_is_booked() -> None:
    board = a_board(a_schedule(capacity=2))
    hold = an_appointment("2027-01-15T10:00", state="held", held_until=instant("2027-01-16T00:00"), id=an_id(901), lane=1)
    booked = an_appointment("2027-01-15T10:00")
    assert rule(board, "2027-01-15T10:00", Book(hold, booked)) == "held"
    assert rule(board, "2027-01-15T10:00", Book(replace(hold, state="booked", held_until=None), booked)) == "booked"


def test_the_capacity_counts_lanes_that_are_free_for_the_whole_time() -> None:
    board = a_board(a_schedule(capacity=2))
    book = Book(an_appointment("2027-01-15T10:00"), an_appointment("2027-01-15T10:30", lane=1, id=an_id(901)))
    found = free_time.slots(board, book, Wanted(service_id=SERVICE), "2027-01-15", "2027-01-15", PAST)
    assert [(each.local_start[11:], each.left) for each in found[1:5]] == [
        ("09:30", 2),
        ("10:00", 1),
        ("10:30", 1),
        ("11:00", 2),
    ]
    assert rule(board, "2027-01-15T10:00", book, minutes=60) == "booked"  # no lane is free for the hour
    offer = free_time.offers_at(board, book, Wanted(service_id=SERVICE), "2027-01-15T10:00", 0, PAST)[0]
    assert offer.lane == 1


def test_an_overbooking_takes_no_usual_lane() -> None:
    book = Book(an_appointment("2027-01-15T10:00", lane=100, overbooked="Pain"))
    assert rule(a_board(a_schedule()), "2027-01-15T10:00", book) is None


def test_a_buffer_keeps_the_time_after_an_appointment_free() -> None:
    board = a_board(a_schedule(slot_minutes=15, buffer_minutes=15, from_minute=600, until_minute=690))
    book = Book(an_appointment("2027-01-15T10:30", 15, buffer_minutes=15))
    # 10:15 needs the buffer until 10:45; the last appointment ends with the window, and its buffer after it.
    assert starts(board, "2027-01-15", book) == ["10:00", "11:00", "11:15"]


def test_a_room_is_taken_for_everybody() -> None:
    board = a_board(a_schedule(point_id=ROOM), a_schedule(an_id(101), BEN, point_id=ROOM))
    book = Book(an_appointment("2027-01-15T10:00", point_id=ROOM))
    assert rule(board, "2027-01-15T10:00", book, provider_id=BEN) == "booked"
    assert rule(board, "2027-01-15T10:30", book, provider_id=BEN) is None


def test_a_person_at_two_sites_has_one_time() -> None:
    linked = Provider(id=ADA, site_id=SITE_ID, name="Ada", position=0, seq=1, practitioner_id=5)
    elsewhere = BusyCell(5, instant("2027-01-15T15:00") // CELL, 0, SITE_ID + 1, 77, None)
    assert rule(a_board(a_schedule(), linked), "2027-01-15T10:00", Book(cells=[elsewhere])) == "booked"


def test_any_provider_gives_an_offer_of_each_that_is_free() -> None:
    board = a_board(a_schedule(), a_schedule(an_id(101), BEN), a_schedule(an_id(102), CEM, from_minute=600))
    book = Book(an_appointment("2027-01-15T09:30", provider_id=BEN, resource_id=BEN))
    offers = [
        free_time.offers_at(board, book, Wanted(service_id=SERVICE), start, 0, PAST)
        for start in ("2027-01-15T09:00", "2027-01-15T09:30", "2027-01-15T10:00")
    ]
    assert [[each.provider_id for each in found] for found in offers] == [[ADA, BEN], [ADA], [ADA, BEN, CEM]]


@pytest.mark.parametrize(
    ("expected", "start", "changes"),
    [
        ("no_schedule", "2027-01-14T10:00", {}),
        ("no_schedule", "2027-01-15T12:00", {}),
        ("off_grid", "2027-01-15T10:10", {}),
        ("off_grid", "2027-01-15T10:03", {}),
        ("off_grid", "2027-01-15T11:40", {"slot_minutes": 40}),
        ("no_schedule", "2027-01-15T10:00", {"valid_until": "2027-01-14"}),
        ("no_schedule", "2027-01-15T10:00", {"valid_from": "2027-01-16"}),
        (None, "2027-01-15T10:00", {"valid_from": "2027-01-15", "valid_until": "2027-01-15"}),
        (
            "no_schedule",
            "2027-01-15T10:00",
            {"every_n_weeks": 2, "anchor_date": "2027-01-04"},
        ),  # the Monday of the week before
        (None, "2027-01-15T10:00", {"every_n_weeks": 2, "anchor_date": "2027-01-11"}),
        (None, "2027-01-15T10:00", {"every_n_weeks": 2, "anchor_date": "2027-01-17"}),  # the Sunday of this week
        (None, "2027-01-15T10:00", {"every_n_weeks": 3, "anchor_date": "2027-02-01"}),
    ],
)
def test_a_start_needs_a_window_and_a_step(expected: str | None, start: str, changes: dict[str, Any]) -> None:
    assert rule(a_board(a_schedule(**changes)), start) == expected


@pytest.mark.parametrize(
    ("expected", "utc", "for_patient", "changes"),
    [
        ("past", "2027-01-15T15:01", False, {}),
        (None, "2027-01-15T15:00", False, {}),
        ("too_soon", "2027-01-15T13:01", True, {"notice_minutes": 120}),
        (None, "2027-01-15T13:00", True, {"notice_minutes": 120}),
        (None, "2027-01-15T13:01", False, {"notice_minutes": 120}),
        ("too_far", "2027-01-13T04:59", True, {"days_ahead": 2}),  # 23:59 on the 12th in New York
        (None, "2027-01-13T05:00", True, {"days_ahead": 2}),
        (None, "2027-01-13T04:59", False, {"days_ahead": 2}),
        ("kept", "2027-01-15T12:59", False, {"opens_before": 120}),
        (None, "2027-01-15T13:00", False, {"opens_before": 120}),
    ],
)
def test_a_start_has_limits_of_time(expected: str | None, utc: str, for_patient: bool, changes: dict[str, Any]) -> None:
    board = a_board(a_schedule(**changes))
    assert rule(board, "2027-01-15T10:00", now=instant(utc), for_patient=for_patient) == expected


def test_closed_and_extra_times_change_one_date() -> None:
    closed = an_exception("closed", "2027-01-15", 570, 600)
    assert starts(a_board(a_schedule(), closed), "2027-01-15") == ["09:00", "10:00", "10:30", "11:00", "11:30"]
    assert starts(a_board(a_schedule(), closed), "2027-01-15", minutes=60) == ["10:00", "10:30", "11:00"]
    assert starts(a_board(a_schedule(), closed), "2027-01-22")[:2] == ["09:00", "09:30"]
    assert starts(a_board(an_exception("extra", "2027-01-16", 600, 660)), "2027-01-16") == ["10:00", "10:30"]
    assert starts(a_board(a_schedule(), replace(closed, provider_id=BEN)), "2027-01-15")[1] == "09:30"
    assert starts(a_board(a_schedule(), replace(closed, removed_at=1)), "2027-01-15")[1] == "09:30"


def test_a_closed_time_names_its_exception() -> None:
    closed = an_exception("closed", "2027-01-15", 570, 600)
    board = a_board(a_schedule(), closed)
    found = free_time.why(board, EMPTY, Wanted(service_id=SERVICE), "2027-01-15T09:30", 0, PAST)
    assert (found.rule, found.provider_id, found.schedule, found.closure) == ("closed", ADA, a_schedule(), closed)
    everybody = a_board(a_schedule(), replace(closed, provider_id=None))
    assert rule(everybody, "2027-01-15T09:30") == "closed_site"
    assert rule(a_board(a_schedule(), closed_on=("2027-01-15",)), "2027-01-15T09:30") == "closed_site"


def test_the_opening_hours_of_the_site_do_not_limit_schedules() -> None:
    assert starts(a_board(a_schedule(), hours=((0, 540, 600),)), "2027-01-15")[0] == "09:00"


def test_a_removed_provider_or_service_offers_nothing() -> None:
    removed = Provider(id=ADA, site_id=SITE_ID, name="Ada", position=0, seq=1, removed_at=5)
    assert starts(a_board(a_schedule(), removed), "2027-01-15") == []
    board = a_board(a_schedule())
    board.services[SERVICE] = replace(board.services[SERVICE], removed_at=5)
    assert starts(board, "2027-01-15") == []
    assert rule(board, "2027-01-15T10:00") == "no_schedule"


def test_another_service_has_no_schedule() -> None:
    assert starts(a_board(a_schedule(service_ids=(OTHER_SERVICE,))), "2027-01-15") == []


@pytest.mark.parametrize("minutes", [0, -5, 7, 12])
def test_a_length_is_a_multiple_of_five_minutes(minutes: int) -> None:
    with pytest.raises(InvalidField, match="minutes"):
        starts(a_board(a_schedule()), "2027-01-15", minutes=minutes)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2027-01-15", "2027-01-14"), ("2027-01-01", "2027-03-04"), ("2027-02-29", "2027-03-01"), ("x", "2027-03-01")],
)
def test_a_list_has_real_dates_and_62_days_at_most(first: str, last: str) -> None:
    with pytest.raises(InvalidField):
        free_time.slots(a_board(a_schedule()), EMPTY, Wanted(service_id=SERVICE), first, last, PAST)


def test_a_list_of_62_days_reads_the_calendar_once_and_ends_at_its_limit() -> None:
    board = a_board(a_schedule(), a_schedule(an_id(101), BEN))
    book = Book()
    wanted = Wanted(service_id=SERVICE)
    found = free_time.slots(board, book, wanted, "2027-01-01", "2027-03-03", PAST)
    assert (len(found), book.reads) == (2 * 9 * 6, 1)
    assert [each.provider_id for each in found[:3]] == [ADA, BEN, ADA]
    assert free_time.slots(board, book, wanted, "2027-01-01", "2027-03-03", PAST, limit=7) == found[:7]


def test_an_appointment_outside_the_hours_is_found() -> None:
    schedule, booked = a_schedule(), an_appointment("2027-01-15T10:10")
    site = a_board().site

    def within(schedules: list[Schedule], exceptions: list[ScheduleException], appointment: Appointment = booked) -> bool:
        return free_time.within_hours(site, schedules, exceptions, [appointment]) == {appointment.id}

    assert within([schedule], [])  # at no step of the window, but in it
    assert within([], [an_exception("extra", "2027-01-15", 600, 660)])
    assert not within([], [])
    assert not within([schedule], [an_exception("closed", "2027-01-15", 635, 650)])
    assert not within([replace(schedule, until_minute=635)], [])
    assert not within([replace(schedule, service_ids=(OTHER_SERVICE,))], [])
    assert not within([schedule], [], replace(booked, lane=1))
    assert within([schedule], [], replace(booked, lane=100, overbooked="Pain"))


def test_a_lane_is_free_for_the_person_and_the_room() -> None:
    booked = an_appointment("2027-01-15T10:00", buffer_minutes=10, point_id=ROOM)
    taken = After(EMPTY)
    taken.add(booked)
    later = replace(booked, id=an_id(901), starts_at=booked.ends_at, ends_at=booked.ends_at + 30 * MINUTE)
    assert free_time.free_lane(taken, later, PAST, range(3)) is None  # the room has one lane
    assert free_time.free_lane(taken, replace(later, point_id=None), PAST, range(3)) == 1
    assert free_time.free_lane(taken, later, PAST, range(100, 102)) == 100
    assert free_time.free_lane(taken, later, PAST, range(3), frozenset({booked.id})) == 0
    assert free_time.free_lane(taken, booked, PAST, range(3)) == 0
    assert free_time.free_lane(taken, replace(later, starts_at=later.starts_at + 10 * MINUTE), PAST, range(3)) == 0


def test_a_provider_has_a_usual_length_on_a_date() -> None:
    board = a_board(a_schedule(), a_schedule(an_id(101), from_minute=780, until_minute=900, slot_minutes=20))
    assert free_time.usual_minutes(board, ADA, "2027-01-15T13:00") == 20
    assert free_time.usual_minutes(board, ADA, "2027-01-15T18:00") == 30
    assert free_time.usual_minutes(board, BEN, "2027-01-15T13:00") is None
    assert free_time.usual_minutes(board, ADA, "2027-01-16T13:00") is None


# Random calendars, and a second opinion that walks through every five minutes.

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # half an hour
    "America/Havana",  # midnight comes twice
    "Africa/Cairo",  # a midnight that does not exist
    "America/Santiago",
    "Atlantic/Azores",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "UTC",
)


def changes_of_clock(zone: str) -> list[date]:
    """Return the dates of 2027 that are not 24 hours long."""
    days = [date(2027, 1, 1) + timedelta(days=each) for each in range(365)]
    starts_of = [datetime(each.year, each.month, each.day, 12, tzinfo=ZoneInfo(zone)).utcoffset() for each in days]
    return [day for day, before, after in zip(days[1:], starts_of, starts_of[1:], strict=False) if before != after]


CHANGES = {zone: changes_of_clock(zone) for zone in ZONES}


class Case:
    """A random clinic, its calendar, and somebody who looks for a time."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = random.Random(seed)
        zone = self.zone = dice.choice(ZONES)
        near = (
            dice.choice([*CHANGES[zone], date(2027, 5, 12)]) if dice.random() < 0.7 else date(2027, 5, dice.randint(1, 28))
        )
        self.first = near - timedelta(days=dice.randint(0, 1))
        self.days = [(self.first + timedelta(days=each)).isoformat() for each in range(dice.randint(1, 3))]
        people = [ADA, BEN, CEM][: dice.randint(1, 3)]
        self.schedules = [self.schedule(number, dice.choice(people)) for number in range(dice.randint(0, 8))]
        self.exceptions = [self.exception(number, dice.choice(people)) for number in range(dice.randint(0, 4))]
        closed_on = (dice.choice(self.days),) if dice.random() < 0.1 else ()
        providers = [
            Provider(
                id=each,
                site_id=SITE_ID,
                name=str(each),
                position=dice.randint(0, 2),
                seq=1,
                removed_at=int(dice.random() < 0.05),
                practitioner_id=dice.choice([None, None, 5, 6]),
            )
            for each in (ADA, BEN, CEM)
        ]
        self.board = a_board(*providers, *self.schedules, *self.exceptions, zone=zone, closed_on=closed_on)
        self.instants = list(self._instants())
        self.now = dice.choice(self.instants) if dice.random() < 0.5 else self.instants[0] - dice.randint(0, 6000) * MINUTE
        self.wanted = Wanted(
            service_id=dice.choice([SERVICE, SERVICE, SERVICE, OTHER_SERVICE]),
            provider_id=dice.choice([None, None, *people]),
            minutes=dice.choice([None, None, 5, 20, 60, 180]),
            for_patient=dice.random() < 0.5,
            own=frozenset({3} if dice.random() < 0.3 else ()),
        )
        self.book = Book(cells=self.cells([each.resource_id for each in providers]))

    def hours(self) -> tuple[int, int]:
        first, last = sorted(self.dice.sample(range(0, 289), 2))
        if self.dice.random() < 0.3:
            first = 0
        if self.dice.random() < 0.2:
            last = 288
        return first * 5, last * 5

    def schedule(self, number: int, provider_id: int) -> Schedule:
        dice = self.dice
        from_minute, until_minute = self.hours()
        room = dice.random() < 0.2
        return a_schedule(
            an_id(100 + number),
            provider_id,
            service_ids=dice.choice([(SERVICE,), (SERVICE, OTHER_SERVICE)]),
            weekday=date.fromisoformat(dice.choice(self.days)).weekday(),
            from_minute=from_minute,
            until_minute=until_minute,
            slot_minutes=dice.choice([5, 10, 15, 20, 30, 45]),
            capacity=1 if room else dice.choice([1, 1, 2, 3]),
            every_n_weeks=dice.choice([1, 1, 1, 2, 3]),
            anchor_date=(self.first + timedelta(days=dice.randint(-20, 20))).isoformat(),
            valid_from=(self.first + timedelta(days=dice.randint(-9, 1))).isoformat(),
            valid_until=dice.choice([None, (self.first + timedelta(days=dice.randint(0, 9))).isoformat()]),
            point_id=ROOM if room else None,
            buffer_minutes=dice.choice([0, 0, 5, 20]),
            notice_minutes=dice.choice([0, 0, 90, 1500]),
            days_ahead=dice.choice([0, 0, 1, 3]),
            opens_before=dice.choice([0, 0, 0, 300, 2000]),
        )

    def exception(self, number: int, provider_id: int) -> ScheduleException:
        dice = self.dice
        from_minute, until_minute = self.hours()
        kind = dice.choice(["closed", "extra"])
        if kind == "closed" and dice.random() < 0.7:
            until_minute = min(1440, from_minute + 60)
        return an_exception(
            kind,
            dice.choice(self.days),
            from_minute,
            until_minute,
            an_id(200 + number),
            provider_id=None if kind == "closed" and dice.random() < 0.4 else provider_id,
            slot_minutes=dice.choice([10, 30]),
            capacity=dice.choice([1, 2]),
            buffer_minutes=dice.choice([0, 10]),
            removed_at=int(dice.random() < 0.1),
        )

    def cells(self, people: list[int]) -> list[BusyCell]:
        dice = self.dice
        first = self.instants[0] // CELL
        found: dict[tuple[int, int, int], BusyCell] = {}
        for _ in range(dice.randint(0, 60)):
            begin = first + dice.randint(-5, len(self.instants) + 5)
            resource, lane = dice.choice([*people, ROOM]), dice.choice([0, 0, 0, 1, 2, 100])
            held_until = dice.choice([None, None, self.now, self.now + 1])
            booking = dice.randint(1, 9)
            for cell in range(begin, begin + dice.randint(1, 12)):
                found[resource, cell, lane] = BusyCell(resource, cell, lane, 1, booking, held_until)
        return list(found.values())

    def _instants(self) -> Iterator[int]:
        """Yield every five minutes of the dates."""
        begin = instant(f"{self.first}T00:00") - DAY
        for number in range(5 * 288 + 288):
            if self.wall(begin + number * CELL).date().isoformat() in self.days:
                yield begin + number * CELL

    def wall(self, at: int) -> datetime:
        return datetime.fromtimestamp(at // 1_000_000, ZoneInfo(self.zone))

    def expected(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Return the length and the number of free lanes by start and provider."""
        walls = {each: self.wall(each) for each in self.instants}
        taken = {
            (cell.resource_id, cell.lane, cell.cell)
            for cell in self.book.cells
            if not (cell.held_until is not None and cell.held_until <= self.now)
            and cell.appointment_id not in self.wanted.own
        }
        return {
            (begin, provider.id): found
            for provider in self.board.providers.values()
            for day in self.days
            for begin, found in self._of_day(provider, day, walls, taken).items()
        }

    def _of_day(
        self, provider: Provider, day: str, walls: dict[int, datetime], taken: set[tuple[int, int, int]]
    ) -> dict[int, tuple[int, int]]:
        free: dict[int, tuple[int, int]] = {}
        if (
            provider.removed_at
            or day in self.board.site.rules.closed_on
            or self.wanted.provider_id not in (None, provider.id)
        ):
            return free
        clock = [(at, wall.hour * 60 + wall.minute) for at, wall in walls.items() if wall.date().isoformat() == day]

        def span(source: Schedule | ScheduleException) -> list[int]:
            begins = [at for at, minute in clock if minute >= source.from_minute]
            ends = [at for at, minute in clock if minute < source.until_minute]
            return list(range(begins[0], ends[-1] + 1, CELL)) if begins and ends else []

        weekday = date.fromisoformat(day).weekday()
        monday = date.fromisoformat(day) - timedelta(days=weekday)
        sources: list[Schedule | ScheduleException] = []
        for each in self.schedules:
            anchor = date.fromisoformat(each.anchor_date)
            weeks = (monday - (anchor - timedelta(days=anchor.weekday()))).days // 7
            valid = each.valid_from <= day <= (each.valid_until or "9999")
            if each.weekday == weekday and valid and weeks % each.every_n_weeks == 0:
                sources.append(each)
        there = [each for each in self.exceptions if each.date == day and not each.removed_at]
        sources += [each for each in there if each.kind == "extra"]
        closed = {
            at for each in there if each.kind == "closed" and each.provider_id in (None, provider.id) for at in span(each)
        }
        today = self.wall(self.now).date()
        for source in sources:
            if source.provider_id != provider.id or self.wanted.service_id not in source.service_ids:
                continue
            window = span(source)
            minutes = self.wanted.minutes or source.slot_minutes
            for at in window[:: source.slot_minutes // 5]:
                if not {at, at + minutes * MINUTE - CELL} <= set(window) or at < self.now or at in free:
                    continue
                if closed & set(range(at, at + minutes * MINUTE, CELL)):
                    continue
                if isinstance(source, Schedule):
                    if source.opens_before and at - self.now > source.opens_before * MINUTE:
                        continue
                    if self.wanted.for_patient:
                        ahead = (date.fromisoformat(day) - today).days
                        if at - self.now < source.notice_minutes * MINUTE or 0 < source.days_ahead < ahead:
                            continue
                cells = range(at // CELL, at // CELL + (minutes + source.buffer_minutes) // 5)
                if source.point_id is not None and any((ROOM, n, cell) in taken for n in range(3) for cell in cells):
                    continue
                left = sum(
                    not any((provider.resource_id, lane, cell) in taken for cell in cells) for lane in range(source.capacity)
                )
                if left:
                    free[at] = (minutes, left)
        return free


@pytest.mark.parametrize("part", range(10))
def test_every_offered_slot_can_be_booked_and_every_other_start_is_refused(part: int) -> None:
    offered_somewhere = 0
    for seed in range(part * scaled(120, 12), (part + 1) * scaled(120, 12)):
        case = Case(seed)
        board, book, wanted, now = case.board, case.book, case.wanted, case.now
        found = free_time.slots(board, book, wanted, case.days[0], case.days[-1], now, limit=100_000)
        expected = case.expected()
        assert {(each.starts_at, each.provider_id): (each.minutes, each.left) for each in found} == expected, seed
        places = {each.id: (each.position, each.id) for each in board.providers.values()}
        assert [(each.starts_at, places[each.provider_id]) for each in found] == sorted(
            (starts_at, places[provider_id]) for starts_at, provider_id in expected
        )
        by_start: dict[int, list[Slot]] = {}
        for each in found:
            wall = case.wall(each.starts_at)
            assert wall.utcoffset() == timedelta(minutes=each.offset_minutes)
            assert (each.local_start, each.fold) == (f"{wall:%Y-%m-%dT%H:%M}", wall.fold)
            assert each.local_start[:10] in case.days
            by_start.setdefault(each.starts_at, []).append(each)
        offered_somewhere += bool(found)
        bookable: list[free_time.Offer] = []
        for at in {*case.dice.sample(sorted(by_start), min(15, len(by_start))), *case.dice.sample(case.instants, 15)}:
            local, fold, _ = local_time.local_of(at, case.zone)
            listed = by_start.get(at, [])
            try:
                offers = free_time.offers_at(board, book, wanted, local, fold, now)
            except (SlotTaken, SlotNotOffered):
                assert listed == [], (seed, local)
                assert free_time.why(board, book, wanted, local, fold, now).rule is not None
                continue
            assert [(each.starts_at, each.provider_id, each.minutes) for each in offers] == [
                (each.starts_at, each.provider_id, each.minutes) for each in listed
            ], (seed, local)
            bookable.append(offers[0])
        if bookable:
            book_one(case, case.dice.choice(bookable))
    assert offered_somewhere > scaled(40, 2)


def book_one(case: Case, offer: free_time.Offer) -> None:
    """Assert that the cells of an offer are free, and that the free times are right after its booking."""
    people = [offer.resource_id, *([offer.point_id] if offer.point_id is not None else [])]
    until = (offer.ends_at + offer.buffer_minutes * MINUTE) // CELL
    cells = [
        BusyCell(person, cell, offer.lane, SITE_ID, 99, None)
        for person in people
        for cell in range(offer.starts_at // CELL, until)
    ]
    in_force = {
        each[:3]
        for each in case.book.cells
        if (each.held_until is None or each.held_until > case.now) and each.appointment_id not in case.wanted.own
    }
    assert not in_force & {each[:3] for each in cells}
    case.book = Book(cells=[*case.book.cells, *cells])
    found = free_time.slots(case.board, case.book, case.wanted, case.days[0], case.days[-1], case.now, limit=100_000)
    assert {(each.starts_at, each.provider_id): (each.minutes, each.left) for each in found} == case.expected()
