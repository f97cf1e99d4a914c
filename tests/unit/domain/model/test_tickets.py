"""Ticket labels, and the start and end of a business day in every kind of time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model.tickets import business_day, label, next_turn
from tests.support.extent import examples
from tests.support.worlds import HOUR, World, a_site

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kolkata",
    "America/St_Johns",
    "Africa/Casablanca",  # winter time during Ramadan
    "Asia/Gaza",  # changes at midnight
    "America/Santiago",  # changes at midnight, both ways
    "America/Havana",
    "Europe/Dublin",
    "Pacific/Apia",
    "Antarctica/Troll",  # two hours of summer time
    "UTC",
)
SKIPPED = {("Pacific/Apia", "2011-12-30"), ("Pacific/Kiritimati", "1994-12-31")}  # days that these zones skipped


@cache
def change_days(zone: str, first: int = 2000, last: int = 2035) -> list[date]:
    """Return the days on which the clock of a zone changes, and the days after."""
    found, before = [], None
    day = date(first, 1, 1)
    while day.year < last:
        offset = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).utcoffset()
        if before is not None and offset != before:
            found.append(day)
        before = offset
        day += timedelta(days=1)
    return found


@st.composite
def turns(draw: st.DrawFn) -> tuple[str, str, int]:
    """Draw a zone, a day (mostly one on which the clock changes) and the time at which days turn."""
    zone = draw(st.sampled_from(ZONES))
    changes = change_days(zone)
    if changes and draw(st.integers(0, 3)) > 0:
        changed: date = draw(st.sampled_from(changes))
        day = changed + timedelta(days=draw(st.integers(-3, 2)))
    else:
        day = draw(st.dates(date(1971, 1, 1), date(2099, 12, 31)))
    minutes = draw(st.one_of(st.integers(0, 240), st.integers(0, 1439)))
    return zone, day.isoformat(), minutes


def micros(text: str) -> int:
    """Return an instant from ISO text with an offset."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@examples(1500)
@given(turns())
def test_day_lasts_until_its_turn(turn: tuple[str, str, int]) -> None:
    zone, day, minutes = turn
    if (zone, day) in SKIPPED:
        return
    ends = next_turn(day, zone, minutes)
    assert business_day(ends - 1, zone, minutes) == day
    assert business_day(ends, zone, minutes) > day


@examples(600)
@given(turns(), st.integers(0, 86_400_000_000 - 1))
def test_present_day_ends_in_the_future_and_the_next_day_later(turn: tuple[str, str, int], into: int) -> None:
    """The turn of a day is after each of its instants, and each day ends after the day before."""
    zone, day, minutes = turn
    ends = next_turn(day, zone, minutes)
    following = business_day(ends, zone, minutes)
    assert next_turn(following, zone, minutes) > ends
    now = ends - 1 - into
    assert next_turn(business_day(now, zone, minutes), zone, minutes) > now or clock_went_back(now, zone)


def clock_went_back(now: int, zone: str) -> bool:
    """Return whether ``now`` is in the second pass of a repeated hour: the day turned in the first pass."""
    moment = datetime.fromtimestamp(now / 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return moment.fold == 1


@examples(600)
@given(turns())
def test_turn_is_at_the_wall_time_or_at_the_end_of_a_gap(turn: tuple[str, str, int]) -> None:
    zone, day, minutes = turn
    ends = next_turn(day, zone, minutes)
    clock = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ends)).astimezone(ZoneInfo(zone))
    midnight = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time())
    wanted = midnight + timedelta(minutes=minutes)
    shown = clock.replace(tzinfo=None, fold=0)
    assert clock.fold == 0  # the first pass of a repeated hour
    if shown != wanted:
        assert shown > wanted
        just_before = clock.astimezone(UTC) - timedelta(microseconds=1)
        assert (
            just_before.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wanted
        )  # so a gap with the wanted time ends here


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "ends"),
    [
        ("UTC", "2024-06-01", 240, "2024-06-02T04:00:00+00:00"),
        ("UTC", "2024-12-31", 0, "2025-01-01T00:00:00+00:00"),
        ("UTC", "2024-02-28", 1439, "2024-02-29T23:59:00+00:00"),
        ("Asia/Kolkata", "2024-06-01", 240, "2024-06-02T04:00:00+05:30"),
        ("Pacific/Kiritimati", "2024-06-01", 240, "2024-06-02T04:00:00+14:00"),
        ("Pacific/Pago_Pago", "2024-06-01", 240, "2024-06-02T04:00:00-11:00"),
        ("Europe/Berlin", "2024-03-30", 240, "2024-03-31T04:00:00+02:00"),  # a night of 23 hours
        ("Europe/Berlin", "2024-10-26", 240, "2024-10-27T04:00:00+01:00"),  # a night of 25 hours
        ("Europe/Berlin", "2024-03-30", 150, "2024-03-31T03:00:00+02:00"),  # 02:30 is in the gap, so the turn is at its end
        ("Europe/Berlin", "2024-03-30", 120, "2024-03-31T03:00:00+02:00"),  # the first minute of the gap
        ("Europe/Berlin", "2024-03-30", 179, "2024-03-31T03:00:00+02:00"),  # the last minute of the gap
        ("Europe/Berlin", "2024-03-30", 180, "2024-03-31T03:00:00+02:00"),  # the first minute after the gap
        ("Europe/Berlin", "2024-03-30", 119, "2024-03-31T01:59:00+01:00"),  # the last minute before the gap
        ("Europe/Berlin", "2024-10-26", 150, "2024-10-27T02:30:00+02:00"),  # 02:30 comes twice; the first one counts
        ("Europe/Berlin", "2024-10-26", 120, "2024-10-27T02:00:00+02:00"),
        ("Europe/Berlin", "2024-10-26", 180, "2024-10-27T03:00:00+01:00"),
        ("America/New_York", "2024-03-09", 150, "2024-03-10T03:00:00-04:00"),
        ("America/New_York", "2024-11-02", 90, "2024-11-03T01:30:00-04:00"),
        ("America/St_Johns", "2024-03-09", 150, "2024-03-10T03:00:00-02:30"),
        ("Australia/Lord_Howe", "2024-10-05", 135, "2024-10-06T02:30:00+11:00"),  # a gap of half an hour
        ("Australia/Lord_Howe", "2024-04-06", 105, "2024-04-07T01:45:00+11:00"),
        ("America/Santiago", "2024-09-07", 0, "2024-09-08T01:00:00-03:00"),  # midnight itself is in the gap
        ("America/Santiago", "2024-09-07", 59, "2024-09-08T01:00:00-03:00"),
        ("America/Santiago", "2024-04-05", 1410, "2024-04-06T23:30:00-03:00"),  # 23:30 comes twice
        ("America/Santiago", "2024-04-06", 0, "2024-04-07T00:00:00-04:00"),
        ("Pacific/Apia", "2011-12-29", 240, "2011-12-31T00:00:00+14:00"),  # the 30th was skipped: a gap of a day
        ("Pacific/Apia", "2011-12-29", 0, "2011-12-31T00:00:00+14:00"),
        ("Pacific/Apia", "2011-12-29", 1439, "2011-12-31T00:00:00+14:00"),
        ("Pacific/Apia", "2011-12-30", 240, "2011-12-31T04:00:00+14:00"),
    ],
)
def test_instant_of_the_turn(zone: str, day: str, minutes: int, ends: str) -> None:
    assert next_turn(day, zone, minutes) == micros(ends)
    assert business_day(micros(ends) - 1, zone, minutes) == day
    assert business_day(micros(ends), zone, minutes) > day


@pytest.mark.parametrize(
    ("instant", "zone", "minutes", "day"),
    [
        ("2024-06-01T23:59:59.999999+00:00", "UTC", 0, "2024-06-01"),
        ("2024-06-02T00:00:00+00:00", "UTC", 0, "2024-06-02"),
        ("2024-06-02T03:59:59.999999+00:00", "UTC", 240, "2024-06-01"),
        ("2024-06-02T04:00:00+00:00", "UTC", 240, "2024-06-02"),
        ("2024-06-02T00:30:00+00:00", "Europe/Berlin", 240, "2024-06-01"),  # 02:30 on the wall
        ("2024-06-02T02:00:00+00:00", "Europe/Berlin", 240, "2024-06-02"),
        ("2024-06-01T14:30:00+00:00", "Pacific/Kiritimati", 240, "2024-06-02"),
        ("2024-06-02T14:30:00+00:00", "Pacific/Pago_Pago", 240, "2024-06-01"),
        ("2024-03-31T01:30:00+00:00", "Europe/Berlin", 240, "2024-03-30"),  # 03:30, summer time
        ("2024-10-27T02:30:00+00:00", "Europe/Berlin", 240, "2024-10-26"),  # 03:30, winter time
        ("2024-01-01T03:59:00+00:00", "UTC", 240, "2023-12-31"),
        ("1970-01-01T00:00:00+00:00", "UTC", 0, "1970-01-01"),
        ("2024-06-02T12:00:00+00:00", "UTC", 1439, "2024-06-01"),
        ("2024-06-02T23:59:00+00:00", "UTC", 1439, "2024-06-02"),
    ],
)
def test_business_day_of_an_instant(instant: str, zone: str, minutes: int, day: str) -> None:
    assert business_day(micros(instant), zone, minutes) == day


def test_day_turns_once_in_a_gap() -> None:
    """02:30 does not exist in this night: the day ends at 03:00."""
    ends = micros("2024-03-31T03:00:00+02:00")
    assert [business_day(ends + shift, "Europe/Berlin", 150) for shift in (-1, 0, 1)] == [
        "2024-03-30",
        "2024-03-31",
        "2024-03-31",
    ]
    assert next_turn("2024-03-31", "Europe/Berlin", 150) == micros("2024-04-01T02:30:00+02:00")


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "A001"), (12, "A012"), (999, "A999"), (1000, "A1000"), (12345, "A12345")]
)
def test_label_has_at_least_three_digits(number: int, expected: str) -> None:
    assert label("A", number) == expected


@examples(100)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_labels_are_unique(one: int, other: int) -> None:
    assert (label("A", one) == label("A", other)) == (one == other)
    assert label("A", one) != label("B", one)


@examples(300)
@given(turns(), st.lists(st.integers(0, 9 * HOUR), min_size=1, max_size=14))
def test_numbers_restart_with_each_business_day_in_every_zone(turn: tuple[str, str, int], pauses: list[int]) -> None:
    """Around nights in which the clock changes, on both sides of the date line, each day has its own 1, 2, 3."""
    zone, day, minutes = turn
    if (zone, day) in SKIPPED:
        return
    begin = next_turn(day, zone, minutes) - 20 * HOUR
    today = business_day(begin, zone, minutes)
    ends = next_turn(today, zone, minutes)
    world = World(
        a_site(
            time_zone=zone,
            day_turns_at_minutes=minutes,
            business_day=today,
            turns_at=ends,
            next_tick_at=ends,
            quoted_at=begin,
            last_event_at=begin,
        )
    )
    world.now = begin
    queue_id = world.queue()
    given_labels: dict[str, list[str]] = {}
    for pause in pauses:
        visit = world.board.visits[world.ticket(queue_id, after=pause).visit_id]
        today = max(today, business_day(world.now, zone, minutes))  # a site's day never goes back
        assert visit.business_day == today
        given_labels.setdefault(today, []).append(visit.label)
    for labels in given_labels.values():
        assert labels == [label("A", number + 1) for number in range(len(labels))]
