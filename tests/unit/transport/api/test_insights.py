"""The answer with the figures for managers. `tests/integration/test_insights.py` asks a real server."""

from __future__ import annotations

import pytest

from server.domain.model.tickets import begin_of, next_turn
from server.transport.api.insights import _in_order, clock_changes, offset_text

TURN = 240


@pytest.mark.parametrize(
    ("zone", "first", "last", "changes"),
    [
        ("Europe/Berlin", "2024-10-01", "2024-10-31", [("2024-10-26", "doubled", 2)]),  # the night belongs to the day before
        ("Europe/Berlin", "2024-03-30", "2024-03-30", [("2024-03-30", "skipped", 2)]),
        ("Europe/Berlin", "2024-03-31", "2024-10-25", []),
        ("Europe/London", "2024-01-01", "2024-12-31", [("2024-03-30", "skipped", 1), ("2024-10-26", "doubled", 1)]),
        ("Australia/Lord_Howe", "2024-04-01", "2024-04-30", [("2024-04-06", "doubled", 1)]),
        ("Asia/Kathmandu", "2024-01-01", "2024-12-31", []),
    ],
)
def test_changes_of_the_clock_have_their_business_day(
    zone: str, first: str, last: str, changes: list[tuple[str, str, int]]
) -> None:
    found = clock_changes(zone, begin_of(first, zone, TURN), next_turn(last, zone, TURN), TURN, first)
    assert [(each["business_day"], each["kind"], each["hour"]) for each in found] == changes


def test_hours_are_in_the_order_of_the_business_day() -> None:
    hours = [0, 2, 2 + 24, 3, 4, 12, 23]
    assert sorted(hours, key=lambda hour: _in_order(hour, TURN)) == [4, 12, 23, 0, 2, 26, 3]


@pytest.mark.parametrize(("minutes", "text"), [(0, "+00:00"), (345, "+05:45"), (-210, "-03:30"), (780, "+13:00")])
def test_offsets_are_written_as_people_do(minutes: int, text: str) -> None:
    assert offset_text(minutes) == text
