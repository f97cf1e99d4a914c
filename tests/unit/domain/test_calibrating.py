"""Shifts of the promised ranks: they follow the promises of the last days, slowly and within bounds."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from server.domain.calibrating import ALL, BEFORE, MOST_FROM, MOST_UNTIL, Kept, Shifts, after_day, ranks
from server.domain.waits import FROM_RANK, PART, UNTIL_RANK, Ranks


def test_without_promises_the_ranks_are_the_usual_ones() -> None:
    assert after_day((), []) == ()
    assert ranks((), 9) == Ranks() == (FROM_RANK * PART, UNTIL_RANK * PART)


def test_promises_that_keep_their_percentiles_change_nothing() -> None:
    day = [Kept(9, number % 10 < 5, number % 10 < 9) for number in range(40)]
    assert ranks(after_day((), day), 9) == Ranks()


def test_ends_move_until_as_many_hold_as_promised() -> None:
    """The true distribution is a tenth wider at both ends of the ranks: the 80th of ours is the 90th of the truth."""
    chance, shifts = random.Random(1), ()
    known: Shifts = shifts
    for _ in range(200):
        now = ranks(known, 10)
        truth = [chance.random() for _ in range(60)]
        # P(call <= ours at rank r) is r - 5 % at the upper end, and r - 8 % at the lower one
        day = [Kept(10, each < now.start / PART / 100 - 0.08, each < now.end / PART / 100 - 0.05) for each in truth]
        known = after_day(known, day)
    found = ranks(known, 10)
    assert 55 * PART < found.start < 61 * PART
    assert 93 * PART < found.end < 97 * PART


def test_an_hour_and_the_time_before_the_first_call_have_shifts_of_their_own() -> None:
    known: Shifts = ()
    for _ in range(8):
        day = [Kept(9, number % 2 == 0, number % 10 != 0) for number in range(30)]
        known = after_day(known, [*day, *(Kept(BEFORE, False, number % 2 == 0) for number in range(10))])
    assert ranks(known, BEFORE).end > ranks(known, 9).end
    assert ranks(known, BEFORE).start > ranks(known, 9).start
    assert [row[0] for row in known] == [BEFORE, ALL, 9]


def test_one_bad_day_moves_an_end_by_a_few_ranks_at_most() -> None:
    found = ranks(after_day((), [Kept(9, False, False)] * 200), 9)
    assert UNTIL_RANK * PART < found.end <= (UNTIL_RANK + 5) * PART


groups = st.sampled_from((BEFORE, 4, 9, 10))


@given(st.lists(st.lists(st.builds(Kept, groups, st.booleans(), st.booleans()), max_size=30), max_size=60), groups)
def test_shifts_are_bounded_and_the_ranges_stay_ranges(days: list[list[Kept]], group: int) -> None:
    known: Shifts = ()
    for day in days * 3:
        known = after_day(known, day)
    found = ranks(known, group)
    assert abs(found.start - FROM_RANK * PART) <= MOST_FROM
    assert abs(found.end - UNTIL_RANK * PART) <= MOST_UNTIL
    assert found.start < found.end < 99 * PART
    assert len(known) <= 5
