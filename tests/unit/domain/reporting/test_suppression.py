"""Small groups are hidden, and so is what would give their size away."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.reporting.suppression import LEAST, Hidden, is_few, protect
from tests.support.extent import examples

SIZES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]), min_size=1, max_size=5)


def hide(*sizes: int) -> dict[int, Hidden]:
    return protect({key: (size,) for key, size in enumerate(sizes)}, [range(len(sizes))])


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ((20, 30), {}),
        ((0, 30), {}),
        ((3, 20, 30), {0: "few", 1: "beside"}),  # else 3 is the total without the others
        ((3, 2, 30), {0: "few", 1: "few"}),  # 1 and 4, or 2 and 3
        ((1, 1, 30), {0: "few", 1: "few", 2: "beside"}),  # a sum of 2 is 1 and 1
        ((4, 4, 30), {0: "few", 1: "few", 2: "beside"}),
        ((3, 5, 9), {0: "few", 1: "beside"}),
        ((1, 5, 9), {0: "few", 1: "beside", 2: "beside"}),  # 6 is 1 and 5: nothing else
        ((1, 5), {0: "beside", 1: "beside"}),  # nothing is left to hide, so neither is told to be the small one
        ((3,), {0: "beside"}),
    ],
)
def test_groups_are_hidden_beside_small_ones(sizes: tuple[int, ...], hidden: dict[int, Hidden]) -> None:
    assert hide(*sizes) == hidden


def test_groups_without_a_shown_sum_need_no_company() -> None:
    assert protect({"a": (3,), "b": (20,)}) == {"a": "few"}


def test_a_group_is_small_in_any_of_its_counts() -> None:
    assert protect({"a": (9, 4), "b": (9, 9), "c": (9, 9)}, [("a", "b", "c")]) == {"a": "few", "b": "beside"}
    assert is_few(9, 4)
    assert not is_few(0, 9)


def test_further_groups_are_hidden_on_request() -> None:
    assert protect({"a": (30,), "b": (0,)}, (), ("a", "b")) == {"a": "beside"}


def possible(sizes: list[int], hidden: Mapping[int, Hidden], told: bool) -> list[set[int]]:
    """Return the sizes that each hidden group can have, for a reader of the others, of their sum, and of the marks."""
    keys = sorted(hidden)
    total = sum(sizes[key] for key in keys)
    ranges = [range(1, LEAST) if hidden[key] == "few" else range(LEAST if told else 1, total + 1) for key in keys]
    found: list[set[int]] = [set() for _ in keys]
    for drawn in product(*ranges):
        if sum(drawn) == total:
            for each, value in zip(found, drawn, strict=True):
                each.add(value)
    return found


@given(SIZES)
@examples(300)
def test_no_small_size_follows_from_the_others(sizes: list[int]) -> None:
    hidden = hide(*sizes)
    assert all(key in hidden for key, size in enumerate(sizes) if is_few(size))
    few = [key for key, how in hidden.items() if how == "few"]
    if few:
        found = dict(zip(sorted(hidden), possible(sizes, hidden, told=True), strict=True))
        assert all(len(found[key]) >= 2 for key in few)


@given(st.lists(st.lists(st.sampled_from([0, 1, 3, 4, 6, 9, 20]), min_size=3, max_size=3), min_size=3, max_size=3))
@examples(200)
def test_each_row_and_each_column_is_protected(table: list[list[int]]) -> None:
    sizes = {(row, column): (table[row][column],) for row, column in product(range(3), range(3))}
    lines = [[(row, column) for column in range(3)] for row in range(3)]
    lines += [[(row, column) for row in range(3)] for column in range(3)]
    hidden = protect(sizes, lines)
    for line in lines:
        mine = {index: hidden[key] for index, key in enumerate(line) if key in hidden}
        small = [index for index, how in mine.items() if how == "few"]
        found = dict(zip(sorted(mine), possible([sizes[key][0] for key in line], mine, told=False), strict=True))
        assert all(len(found[index]) >= 2 for index in small)
