"""Sites beside each other: merged figures, and sites that are hidden so that the total reveals no small one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.domain.reporting.day_sums import NUMBERS, OUTCOMES, SPANS
from server.domain.reporting.insights import Comparison, Leaves, Totals, compare
from server.domain.reporting.suppression import LEAST
from tests.support.extent import examples


def a_day(entries: int, waits: bytes = b"", booked: int = 0, opened: int = 0, told: int = 0) -> Any:
    """Return the sums of a day with served entries, their waits, and appointments that were kept.

    ``told`` patients had read until when they may leave; half of them were called before.
    """
    numbers = [0] * len(NUMBERS)
    numbers[NUMBERS.index("tickets")] = numbers[NUMBERS.index("served")] = entries
    numbers[NUMBERS.index("leaves")], numbers[NUMBERS.index("before_leave")] = told, told // 2
    outcomes = [0] * len(OUTCOMES)
    outcomes[OUTCOMES.index("booked")] = outcomes[OUTCOMES.index("kept")] = booked
    spans = ["" for _ in SPANS]
    spans[SPANS.index("wait")] = bytes(sorted(waits)).hex()
    return {
        "cells": [[1, 0, 8, numbers, *spans]] if entries else [],
        "appointments": [[1, 0, 8, outcomes, bytes(booked).hex()]] if booked else [],
        "opened": [[8, opened]],
        "points": [],
        "calls": [],
    }


def compared(days: Mapping[int, list[Any]]) -> Comparison:
    found = {}
    for site_id, of_site in days.items():
        totals = Totals()
        for each in of_site:
            totals.add_day(each)
        found[site_id] = totals.tally()
    return compare(found)


def test_total_merges_the_durations_of_the_sites() -> None:
    made = compared({1: [a_day(5, bytes([1] * 5))], 2: [a_day(4, bytes([9] * 4)), a_day(5, bytes([9] * 5))]})
    assert (made.total.entries.count, made.total.wait.count) == (14, 14)
    assert made.total.wait.median_seconds == 90  # the middle of all fourteen, not of two medians
    assert [made.sites[key].wait.median_seconds for key in (1, 2)] == [10, 90]


def test_open_time_of_the_sites_is_added() -> None:
    made = compared({1: [a_day(9, opened=3_000_000)], 2: [a_day(9, opened=4_000_000)]})
    assert (made.total.open_seconds, made.sites[1].open_seconds) == (7, 3)


def test_site_beside_a_small_one_is_hidden() -> None:
    made = compared({1: [a_day(100)], 2: [a_day(3)], 3: [a_day(50)]})
    assert made.total.entries.count == 153
    assert {key: each.entries.hidden for key, each in made.sites.items()} == {1: None, 2: "few", 3: "beside"}
    assert made.sites[3].entries.count is None


def test_small_total_is_hidden_with_its_sites() -> None:
    made = compared({1: [a_day(1)], 2: [a_day(2)]})
    assert made.total.entries.hidden == "few"
    assert made.sites[1].entries.hidden
    assert made.sites[2].entries.hidden


def test_families_are_hidden_one_by_one() -> None:
    made = compared({1: [a_day(100, booked=3)], 2: [a_day(100, booked=30)]})
    assert (made.sites[1].appointments.hidden, made.sites[1].entries.hidden) == ("few", None)
    assert made.sites[2].appointments.hidden == "beside"


def test_few_promises_to_leave_are_hidden_beside_many_waits() -> None:
    made = compared({1: [a_day(100, told=4)], 2: [a_day(100, told=30)]})
    assert made.total.leaves == Leaves(None, 34, 17)
    assert made.sites[1].leaves == Leaves("few", None, None)
    assert made.sites[2].leaves == Leaves("beside", None, None)
    assert made.sites[1].entries.hidden is None


@given(st.lists(st.integers(0, 12), min_size=2, max_size=5))
@examples(100)
def test_no_small_site_follows_from_the_total(sizes: list[int]) -> None:
    made = compared({key: [a_day(size)] for key, size in enumerate(sizes)})
    shown = {key: each.entries.count for key, each in made.sites.items() if each.entries.hidden is None}
    assert shown == {key: sizes[key] for key in shown}
    assert not [size for key, size in enumerate(sizes) if key in shown and 0 < size < LEAST]
    if made.total.entries.hidden is None and len(shown) < len(sizes):
        hidden = [key for key in range(len(sizes)) if key not in shown]
        assert made.total.entries.count == sum(sizes)
        assert len([key for key in hidden if sizes[key]]) > 1 or sum(map(bool, sizes)) == 1
