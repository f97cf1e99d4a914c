"""Opening hours, by the wall clock of the site's time zone."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import Rules
from server.domain.model.hours import is_open, next_opening
from tests.support.extent import examples
from tests.support.worlds import HOUR, SECOND, START

# The kiosk's page computes the same: `tests/web/opening.test.mjs` has the same cases.
CASES = json.loads((Path(__file__).parents[3] / "support" / "hours_cases.json").read_text())
OPEN_ON_FRIDAY = Rules(hours=((4, 540, 720), (4, 780, 1020)), closed_on=("2024-04-05",))


@pytest.mark.parametrize(
    ("hours_later", "is_it"),
    [(0, False), (1, True), (3.99, True), (4, False), (5, True), (8.99, True), (9, False), (24, False), (7 * 24 + 1, False)],
)
def test_opening_hours_are_wall_clock_hours(hours_later: float, is_it: bool) -> None:
    assert is_open(START + int(hours_later * HOUR), "Europe/Berlin", OPEN_ON_FRIDAY) is is_it


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases_that_the_kiosk_shares(case: dict[str, Any]) -> None:
    rules = Rules(hours=tuple(map(tuple, case["hours"])), closed_on=tuple(case["closed_on"]))
    assert is_open(case["now_ms"] * 1000, case["time_zone"], rules) is case["open"]
    if case["opens_at_ms"] is not None:
        assert is_open(case["opens_at_ms"] * 1000, case["time_zone"], rules)
        assert not is_open(case["opens_at_ms"] * 1000 - SECOND, case["time_zone"], rules)


def test_hours_follow_the_clock_across_daylight_saving() -> None:
    sundays = Rules(hours=((6, 120, 240),))  # 2 to 4 in the night in which 2 o'clock becomes 3
    begin = 1_711_846_800_000_000  # 2024-03-31 02:00 CET, which is 03:00 CEST
    assert not is_open(begin - SECOND, "Europe/Berlin", sundays)
    assert is_open(begin, "Europe/Berlin", sundays)
    assert is_open(begin + HOUR - SECOND, "Europe/Berlin", sundays)
    assert not is_open(begin + HOUR, "Europe/Berlin", sundays)


@examples(60)
@given(st.integers(0, 2**41), st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Adak"]))
def test_site_without_hours_is_always_open(seconds: int, zone: str) -> None:
    assert is_open(seconds % 4_000_000_000 * SECOND, zone, Rules())


@pytest.mark.parametrize(
    ("hours_later", "opens_after"),
    [(0, 1), (4, 5), (9, 14 * 24 + 1), (7 * 24, 14 * 24 + 1)],
    ids=["before", "at-noon", "in-the-evening", "on-a-closed-day"],
)
def test_next_opening_passes_over_closed_days(hours_later: int, opens_after: int) -> None:
    # START is a Friday; 5 April is closed, and summer time begins in between.
    opening = next_opening(START + hours_later * HOUR, "Europe/Berlin", OPEN_ON_FRIDAY)
    assert opening is not None
    assert opening == START + opens_after * HOUR - (HOUR if opens_after > 24 else 0)
    assert is_open(opening, "Europe/Berlin", OPEN_ON_FRIDAY)
    assert not is_open(opening - SECOND, "Europe/Berlin", OPEN_ON_FRIDAY)


def test_site_that_never_opens_has_no_next_opening() -> None:
    never = Rules(hours=((4, 540, 720),), closed_on=("2024-03-29", "2024-04-05", "2024-04-12"))
    assert next_opening(START, "Europe/Berlin", never) is None


def test_site_without_hours_opens_after_its_closed_day() -> None:
    closed_today = Rules(closed_on=("2024-03-29",))
    opening = next_opening(START, "Europe/Berlin", closed_today)
    assert opening == START + 16 * HOUR


@pytest.mark.parametrize(
    ("zone", "hours", "now", "opens"),
    [
        ("Europe/Berlin", ((6, 150, 240),), "2024-03-31T00:00Z", "2024-03-31T01:00Z"),  # 02:30 is 03:00 in this night
        ("Europe/Berlin", ((6, 130, 160),), "2024-03-31T00:00Z", "2024-04-07T00:10Z"),  # these hours do not exist
        ("Europe/Berlin", ((6, 150, 240),), "2024-10-27T00:00Z", "2024-10-27T00:30Z"),  # the first of two 02:30
        ("Europe/Berlin", ((6, 150, 240),), "2024-10-27T01:10Z", "2024-10-27T01:30Z"),  # the second
        ("America/Santiago", ((6, 0, 540),), "2024-09-08T03:00Z", "2024-09-08T04:00Z"),  # the day starts at 01:00
    ],
)
def test_next_opening_in_a_night_in_which_the_clocks_change(
    zone: str, hours: tuple[tuple[int, int, int], ...], now: str, opens: str
) -> None:
    begin, opening = (int(datetime.fromisoformat(each).timestamp()) * SECOND for each in (now, opens))
    assert not is_open(begin, zone, Rules(hours=hours))
    assert next_opening(begin, zone, Rules(hours=hours)) == opening
