"""Local times and their instants, in every zone and around every change of the clocks.

The properties hold for the years from 1973: before, the offset of Liberia was no whole number of minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tzdata import IANA_VERSION

from server.domain.errors import InvalidField, NoSuchLocalTime
from server.domain.model.local_time import (
    date_of,
    first_instant,
    instant_of,
    is_ambiguous,
    last_instant,
    local_of,
    parse,
    tz_version,
)
from tests.support.extent import examples, sample

ROOT = Path(__file__).resolve().parents[4]
ZONES = (files("tzdata") / "zones").read_text().split()
MINUTE, HOUR = 60_000_000, 3_600_000_000
NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
FIRST, LAST = datetime(1973, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    """Return an instant from ISO text with an offset."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(moment: datetime) -> int:
    return micros(moment.isoformat())


@cache
def changes(zone: str) -> list[int]:
    """Return the instants at which the offset of a zone changes. Changes less than a week apart may be missed."""
    data, found, step = ZoneInfo(zone), [], timedelta(days=7)
    before, moment = FIRST.astimezone(data).utcoffset(), FIRST
    while moment < LAST:
        after = (moment + step).astimezone(data).utcoffset()
        if before != after:
            low, high = 0, 7 * 24 * 60  # minutes
            while high - low > 1:
                middle = (low + high) // 2
                same = (moment + timedelta(minutes=middle)).astimezone(data).utcoffset() == before
                low, high = (middle, high) if same else (low, middle)
            found.append(instant(moment + timedelta(minutes=high)))
        before, moment = after, moment + step
    return found


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a zone and a whole minute, mostly within hours of a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    if changes(zone) and draw(st.integers(0, 3)) > 0:
        return zone, draw(st.sampled_from(changes(zone))) + draw(st.integers(-300, 300)) * MINUTE
    return zone, draw(st.integers(instant(FIRST) // MINUTE + 1440, instant(LAST) // MINUTE)) * MINUTE


def test_local_time_of_an_instant_leads_back_on_both_sides_of_every_change() -> None:
    wrong = []
    for zone in sample(ZONES, 60, "zones"):
        for change in changes(zone):
            for shift in (-60, -30, -1, 0, 1, 29, 30, 59, 60, 61, 120):
                at = change + shift * MINUTE
                local, fold, offset = local_of(at, zone)
                if instant_of(local, zone, fold) != at or micros(f"{local}+00:00") - offset * MINUTE != at:
                    wrong.append((zone, at))
    assert wrong == []


@examples(1000)
@given(moments(), st.integers(0, MINUTE - 1))
def test_local_time_of_an_instant_leads_back_to_its_minute(moment: tuple[str, int], into: int) -> None:
    zone, at = moment
    local, fold, _ = local_of(at + into, zone)
    assert instant_of(local, zone, fold) == at
    assert is_ambiguous(local, zone) == (instant_of(local, zone, 0) != instant_of(local, zone, 1))
    assert not fold or is_ambiguous(local, zone)


@examples(1000)
@given(moments())
def test_local_time_exists_or_the_end_of_the_gap_is_offered(moment: tuple[str, int]) -> None:
    """Read as if it were local, the UTC time of an instant near a change is often a time in a gap, or a repeated one."""
    zone, at = moment
    local = local_of(at + local_of(at, zone).offset_minutes * MINUTE, "UTC").local
    found: list[str] = []
    gap: dict[str, Any] = {}
    for fold in (0, 1):
        try:
            found.append(local_of(instant_of(local, zone, fold), zone).local)
        except NoSuchLocalTime as refused:
            gap = refused.details
    if gap:
        end = gap["offered_at"] * 1000
        assert found == []
        assert end in changes(zone)
        assert local_of(end - 1, zone).local < local < local_of(end, zone).local == gap["offered"]
    else:
        assert found == [local, local]


@examples(1000)
@given(moments(), st.integers(0, 1440))
def test_first_and_last_instant_bound_what_the_clock_shows(moment: tuple[str, int], minutes: int) -> None:
    zone, at = moment
    day = local_of(at, zone).local[:10]
    wanted = (datetime.fromisoformat(day) + timedelta(minutes=minutes)).isoformat(timespec="minutes")
    first, last = first_instant(day, zone, minutes), last_instant(day, zone, minutes)
    around = range(first - 4 * HOUR, last + 4 * HOUR, MINUTE)
    shown = {each: local_of(each, zone).local for each in around}
    assert first == min(each for each in around if shown[each] >= wanted)
    assert last == max(each for each in around if shown[each] < wanted) + MINUTE


@pytest.mark.parametrize(
    ("local", "fold", "zone", "at"),
    [
        ("2026-10-31T09:00", 0, NEW_YORK, "2026-10-31T13:00Z"),
        ("2026-11-01T09:00", 0, NEW_YORK, "2026-11-01T14:00Z"),
        ("2026-10-20T13:00", 0, BERLIN, "2026-10-20T11:00Z"),
        ("2026-10-27T13:00", 0, BERLIN, "2026-10-27T12:00Z"),
        ("2026-11-01T01:30", 0, NEW_YORK, "2026-11-01T05:30Z"),
        ("2026-11-01T01:30", 1, NEW_YORK, "2026-11-01T06:30Z"),
        ("2026-03-08T01:30", 0, NEW_YORK, "2026-03-08T06:30Z"),
        ("2026-03-08T03:30", 0, NEW_YORK, "2026-03-08T07:30Z"),  # 60 minutes after 01:30
        ("2027-01-15T09:00", 0, "America/Vancouver", "2027-01-15T16:00Z"),  # zone data before 2026b say 17:00
        ("2025-01-15T21:00", 0, NEW_YORK, "2025-01-16T02:00Z"),
        ("2026-04-05T01:45", 0, "Australia/Lord_Howe", "2026-04-04T14:45Z"),  # the clocks go back by half an hour
        ("2026-04-05T01:45", 1, "Australia/Lord_Howe", "2026-04-04T15:15Z"),
    ],
)
def test_instant_of_a_local_time(local: str, fold: int, zone: str, at: str) -> None:
    assert instant_of(local, zone, fold) == micros(at)
    assert local_of(micros(at), zone)[:2] == (local, fold)


def test_fold_of_a_local_time_that_comes_once_changes_nothing() -> None:
    assert instant_of("2026-06-01T09:00", BERLIN, 1) == instant_of("2026-06-01T09:00", BERLIN, 0)


def test_offset_tells_repeated_times_apart() -> None:
    assert [local_of(micros(at), NEW_YORK) for at in ("2026-11-01T05:30Z", "2026-11-01T06:30Z")] == [
        ("2026-11-01T01:30", 0, -240),
        ("2026-11-01T01:30", 1, -300),
    ]
    assert is_ambiguous("2026-11-01T01:30", NEW_YORK)
    assert is_ambiguous("2026-11-01T01:00", NEW_YORK)
    for once in ("2026-11-01T00:59", "2026-11-01T02:00", "2026-03-08T02:30", "2026-07-01T09:00"):
        assert not is_ambiguous(once, NEW_YORK)


@pytest.mark.parametrize(
    ("local", "zone", "offered", "offered_at"),
    [
        ("2026-03-08T02:30", NEW_YORK, "2026-03-08T03:00", "2026-03-08T07:00Z"),
        ("2026-03-08T02:00", NEW_YORK, "2026-03-08T03:00", "2026-03-08T07:00Z"),
        ("2026-03-08T02:59", NEW_YORK, "2026-03-08T03:00", "2026-03-08T07:00Z"),
        ("2024-09-08T00:00", "America/Santiago", "2024-09-08T01:00", "2024-09-08T04:00Z"),
        ("2011-12-30T12:00", "Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00Z"),  # the whole day was skipped
    ],
)
def test_local_time_in_a_gap_is_refused_with_the_time_after_it(local: str, zone: str, offered: str, offered_at: str) -> None:
    for fold in (0, 1):
        with pytest.raises(NoSuchLocalTime) as refused:
            instant_of(local, zone, fold)
        assert refused.value.code == "no_such_local_time"
        assert refused.value.details == {
            "field": "local_start",
            "local": local,
            "zone": zone,
            "offered": offered,
            "offered_at": micros(offered_at) // 1000,
        }


@pytest.mark.parametrize(
    "text",
    [
        *("", "2027-01-15", "2027-01-15T09", "2027-01-15 09:00", "2027-01-15T09:00:00", "2027-01-15T09:00Z"),
        *("2027-01-15T24:00", "2027-02-29T09:00", "2027-01-15T09:00\n", "20270115T0900"),
        *("2027-01-15T09:0\N{ARABIC-INDIC DIGIT TWO}", "1972-12-31T23:59", "9999-01-01T00:00", "0001-01-01T00:00"),
    ],
)
def test_other_text_is_no_local_time(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse(text)
    assert refused.value.details["field"] == "local_start"
    with pytest.raises(InvalidField):
        instant_of(text, "UTC")


@pytest.mark.parametrize("text", ["", "2027-02-29", "20270115", "2027-W02-5", "1972-12-31", "9999-12-31", "0001-01-01"])
def test_other_text_is_no_date(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        date_of(text, "valid_from")
    assert refused.value.details["field"] == "valid_from"


@pytest.mark.parametrize("iso", ["1973-01-01", "2028-02-29", "9998-12-31"])
def test_date_is_read(iso: str) -> None:
    assert date_of(iso, "date").isoformat() == iso


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("local", ["1973-01-01T00:00", "9998-12-31T23:59"])
def test_first_and_last_local_time_have_instants(local: str, zone: str) -> None:
    assert local_of(instant_of(local, zone), zone).local == local


@pytest.mark.parametrize(
    ("zone", "day", "window", "begins", "ends"),
    [
        (NEW_YORK, "2026-03-08", (780, 1080), "2026-03-08T17:00Z", "2026-03-08T22:00Z"),
        (NEW_YORK, "2026-03-08", (0, 1440), "2026-03-08T05:00Z", "2026-03-09T04:00Z"),  # 23 hours
        (NEW_YORK, "2026-11-01", (0, 1440), "2026-11-01T04:00Z", "2026-11-02T05:00Z"),  # 25 hours
        (NEW_YORK, "2026-03-08", (150, 240), "2026-03-08T07:00Z", "2026-03-08T08:00Z"),  # 02:30 to 04:00
        (NEW_YORK, "2026-03-08", (60, 150), "2026-03-08T06:00Z", "2026-03-08T07:00Z"),  # 01:00 to 02:30
        (NEW_YORK, "2026-03-08", (135, 165), "2026-03-08T07:00Z", "2026-03-08T07:00Z"),  # within the gap: empty
        (NEW_YORK, "2026-11-01", (90, 120), "2026-11-01T05:30Z", "2026-11-01T07:00Z"),  # 01:30 to 02:00
        (NEW_YORK, "2026-11-01", (0, 90), "2026-11-01T04:00Z", "2026-11-01T06:30Z"),  # 00:00 to 01:30
        (NEW_YORK, "2026-11-01", (0, 60), "2026-11-01T04:00Z", "2026-11-01T05:00Z"),  # the clocks go back to 01:00
        ("America/Santiago", "2024-09-08", (0, 540), "2024-09-08T04:00Z", "2024-09-08T12:00Z"),  # the day starts at 01:00
        ("America/Havana", "2025-11-01", (0, 1440), "2025-11-01T04:00Z", "2025-11-02T04:00Z"),  # back from 01:00 to 00:00
        ("America/Havana", "2025-11-02", (0, 1440), "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
        ("Pacific/Apia", "2011-12-30", (0, 1440), "2011-12-30T10:00Z", "2011-12-30T10:00Z"),  # a day that did not exist
    ],
)
def test_window_of_the_wall_clock(zone: str, day: str, window: tuple[int, int], begins: str, ends: str) -> None:
    assert first_instant(day, zone, window[0]) == micros(begins)
    assert last_instant(day, zone, window[1]) == micros(ends)


def test_version_is_that_of_the_package() -> None:
    assert tz_version() == IANA_VERSION


# Zones whose rules changed lately, and the local time at 2026-11-28T16:30Z.
CHANGED_LATELY = {
    "America/Vancouver": "2026-11-28T09:30",
    "America/Edmonton": "2026-11-28T10:30",
    "America/Winnipeg": "2026-11-28T11:30",
    "America/Havana": "2026-11-28T12:30",
    "Africa/Casablanca": "2026-11-28T16:30",
}
IN_ANOTHER_PROCESS = """
import sys
from datetime import datetime
from zoneinfo import ZoneInfo
early = ZoneInfo("America/Vancouver")  # a library that comes first may have read the data of the system
from server.domain.model import Rules, hours, local_time
every_day = Rules(hours=tuple((day, 540, 1020) for day in range(7)))
at = 1_795_883_400_000_000
for zone in sys.argv[1:]:
    print(zone, local_time.local_of(at, zone).local, hours.is_open(at, zone, every_day))
print(early.utcoffset(datetime(2026, 11, 28)))
"""


@pytest.mark.parametrize("path", ["of the system", "of a stranger"])
def test_zone_data_are_those_of_the_package_whatever_the_environment_says(path: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONTZPATH"}
    if path == "of a stranger":
        environment["PYTHONTZPATH"] = str(tmp_path)
        for zone in CHANGED_LATELY:
            target = tmp_path / zone
            target.parent.mkdir(exist_ok=True)
            target.write_bytes((files("tzdata") / "zoneinfo" / "Asia" / "Tokyo").read_bytes())
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, *CHANGED_LATELY]
    answer = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    *shown, early = answer.stdout.splitlines()
    assert shown == [f"{zone} {local} True" for zone, local in CHANGED_LATELY.items()]
    assert path == "of the system" or early == "9:00:00"  # the stranger's data were in use before
