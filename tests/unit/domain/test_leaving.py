"""Patients who give up waiting: how often, by the time that they have waited."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.domain.leaving import LONG_STAY, NEVER, SECOND, STEPS, counted, stays
from server.domain.waits import FUTURES, MINUTE

waits = st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), max_size=30)


def test_waits_count_at_each_age() -> None:
    assert counted([]) == (0, 0, 0, 0, 0, 0)
    assert counted([(600, True), (1500, False), (3000, True)]) == (1, 600 + 1200 + 1200, 0, 300 + 1500, 1, 300)


def test_where_hardly_anybody_leaves_nobody_does() -> None:
    assert stays([]) == ()
    assert stays([counted([(1000, False)] * 50)]) == ()
    assert stays([counted([(LONG_STAY, True)])]) == ()
    assert stays([counted([(0, True)])]) == ()


def test_as_many_leave_as_on_the_past_days() -> None:
    """One in five of those who wait for 20 minutes leaves, after 10 minutes on average. Nobody leaves later."""
    day = counted([(600, True)] * 20 + [(1200, False)] * 80 + [(7200, False)] * 20)
    fresh, *_, long = stays([day] * 20)
    within = sum(each <= 1200 * SECOND for each in fresh)
    assert 13 <= within <= 22
    assert sum(each <= 1200 * SECOND for each in long) < 2


@given(st.lists(waits.map(counted), max_size=20))
def test_stays_are_in_order_for_every_age(days: list[tuple[int, ...]]) -> None:
    found = stays(days)
    assert len(found) in (0, STEPS)
    for each in found:
        assert len(each) == FUTURES
        assert list(each) == sorted(each)
        assert 0 <= each[0] <= each[-1] <= NEVER
    for age, later in pairwise(found):  # a patient who stays for five minutes more has outlived these
        assert all(one + 5 * MINUTE >= other or one >= 5 * MINUTE for one, other in zip(later, age, strict=True))
