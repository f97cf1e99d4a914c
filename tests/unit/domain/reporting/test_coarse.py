"""Durations in one byte."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.reporting.coarse import LONGEST_SECONDS, SECOND, SECONDS, Middle, code, counted, middle
from tests.support.extent import examples

DURATIONS = st.integers(0, 30 * 3600 * SECOND)


def test_every_code_fits_a_byte() -> None:
    assert len(SECONDS) <= 256
    assert list(SECONDS) == sorted(set(SECONDS))
    assert code(0) == 0
    assert code(10**18) == len(SECONDS) - 1


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *[(9, 0), (10, 10), (599, 590), (600, 600), (629, 600), (3_599, 3_570), (3_600, 3_600), (3_659, 3_600)],
        *[(7_199, 7_140), (7_200, 7_200), (7_799, 7_200), (21_599, 21_000), (21_600, 21_600), (61_199, 57_600)],
        (61_200, 61_200),
    ],
)
def test_a_duration_is_rounded_down_to_its_step(seconds: int, shown: int) -> None:
    assert SECONDS[code(seconds * SECOND)] == shown


@given(DURATIONS, DURATIONS)
@examples(200)
def test_codes_keep_the_order(one: int, other: int) -> None:
    assert (code(one) <= code(other)) or one > other
    assert min(one // SECOND, LONGEST_SECONDS) - SECONDS[code(one)] < 3_600


@given(st.lists(DURATIONS, min_size=1, max_size=50))
@examples(200)
def test_the_rounded_median_is_the_median_of_the_rounded(durations: list[int]) -> None:
    ordered = sorted(durations)
    count = len(ordered)
    exact = ordered[(count + 1) // 2 - 1], ordered[(9 * count + 9) // 10 - 1]
    found = middle(counted([bytes(map(code, durations)).hex()]))
    assert found == Middle(count, *(SECONDS[code(each)] for each in exact))


def test_no_durations_have_no_middle() -> None:
    assert middle(Counter()) == Middle(0, None, None)


def test_values_may_be_the_codes_themselves() -> None:
    assert middle(counted(["0305", "07"]), range(256)) == Middle(3, 5, 7)
