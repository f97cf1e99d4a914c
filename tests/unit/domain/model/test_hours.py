"""Opening hours, by the wall clock of the site's time zone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import Rules
from server.domain.model.hours import is_open
from tests.support.extent import examples
from tests.support.worlds import HOUR, SECOND, START

OPEN_ON_FRIDAY = Rules(hours=((4, 540, 720), (4, 780, 1020)), closed_on=("2024-04-05",))


@pytest.mark.parametrize(
    ("hours_later", "is_it"),
    [(0, False), (1, True), (3.99, True), (4, False), (5, True), (8.99, True), (9, False), (24, False), (7 * 24 + 1, False)],
)
def test_opening_hours_are_wall_clock_hours(hours_later: float, is_it: bool) -> None:
    assert is_open(START + int(hours_later * HOUR), "Europe/Berlin", OPEN_ON_FRIDAY) is is_it


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
