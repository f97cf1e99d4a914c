"""Paces: who works how fast is learnt from services, and a certain pace needs many of them."""

from __future__ import annotations

import random
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import paces
from server.domain.paces import (
    KEPT,
    MEMORY,
    ONE,
    Paces,
    factors,
    learn,
    logarithm,
    mean_of,
    pace_of,
    times,
    touched,
    unlearn,
)
from server.domain.waits import FUTURES, MINUTE, PLAIN

ADA, BO = 1, 2


def served(known: Paces, who: int, day: int, minutes: list[float]) -> Paces:
    for each in minutes:
        known, _ = learn(known, who, day, round(each * MINUTE))
    return known


def lognormal(chance: random.Random, median: float, count: int) -> list[float]:
    return [median * chance.lognormvariate(0, 0.5) for _ in range(count)]


@given(st.integers(1, 1 << 45))
def test_logarithm_and_power_agree_within_a_third_of_a_per_cent(number: int) -> None:
    assert -0.005 <= logarithm(number) / ONE - log2(number) <= 0.001
    assert abs(times(1 << 30, logarithm(number) - 20 * ONE) / (number << 10) - 1) < 0.0035 or number < 1 << 12


@given(st.integers(0, 1 << 45), st.integers(-3 * ONE, 3 * ONE), st.integers(0, ONE))
def test_a_slower_pace_never_shortens_a_duration(value: int, log: int, more: int) -> None:
    assert times(value, log) <= times(value, log + more)
    assert times(value, 0) == value


def test_first_service_of_a_queue_is_usual() -> None:
    known, normal = learn((), ADA, 0, 9 * MINUTE)
    assert normal == 9 * MINUTE
    assert pace_of(known, ADA, 0) == pace_of(known, BO, 0) == pace_of((), BO, 0) == (0, 0)


def test_doctors_of_different_pace_are_told_apart_and_the_durations_become_alike() -> None:
    chance = random.Random(1)
    known: Paces = ()
    normals: dict[int, list[int]] = {ADA: [], BO: []}
    for number in range(400):
        who = (ADA, BO)[number % 2]
        known, normal = learn(known, who, number // 40, round(lognormal(chance, (6, 12)[number % 2], 1)[0] * MINUTE))
        normals[who].append(normal)
    (ada, doubt), (bo, _) = pace_of(known, ADA, 10), pace_of(known, BO, 10)
    assert 0.75 < (bo - ada) / ONE < 1.25, "twice as slow is one doubling"
    assert 0 < doubt < ONE // 8
    late = [sum(each[-100:]) / 100 for each in normals.values()]
    assert 0.8 < late[0] / late[1] < 1.25


def test_doctors_of_equal_pace_have_the_usual_one() -> None:
    chance = random.Random(2)
    known: Paces = ()
    for number in range(400):
        known = served(known, (ADA, BO)[number % 2], number // 40, lognormal(chance, 8, 1))
    assert pace_of(known, ADA, 10) == (0, 0)


def test_pace_of_today_is_followed_within_a_few_services_and_forgotten_over_night() -> None:
    chance = random.Random(3)
    known: Paces = ()
    for day in range(30):
        known = served(known, ADA, day, lognormal(chance, 8 * (0.5, 1, 2)[day % 3], 20))
    slow_day = served(known, ADA, 30, [16.0] * 8)
    assert pace_of(slow_day, ADA, 30)[0] > ONE // 2
    assert abs(pace_of(slow_day, ADA, 31)[0]) < ONE // 4


def test_forgotten_patient_hardly_changes_a_pace() -> None:
    chance = random.Random(4)
    known: Paces = ()
    for number in range(200):
        known = served(known, (ADA, BO)[number % 2], number // 40, lognormal(chance, (5, 12)[number % 2], 1))
    before = pace_of(known, ADA, 5)[0]
    assert pace_of(served(known, ADA, 5, [600.0]), ADA, 5)[0] - before < ONE // 8


def test_mean_is_known_from_many_services_only() -> None:
    known = served((), ADA, 0, [7.0, 9.0] * (MEMORY // 2))
    assert abs(mean_of(known) - 8 * MINUTE) < MINUTE // 100
    assert mean_of(served((), ADA, 0, [8.0] * (MEMORY - 1))) == mean_of(()) == 0


def test_a_queue_remembers_its_last_clinicians() -> None:
    known: Paces = ()
    for who in range(1, KEPT + 5):
        known = served(known, who, 0, [8.0])
    assert [row[0] for row in known[1:]] == list(range(5, KEPT + 5))
    known = served(known, 5, 0, [8.0])
    assert known[-1][0] == 5


@pytest.mark.parametrize("pace", [-ONE, 0, ONE // 2])
def test_factors_surround_the_pace_as_widely_as_it_is_in_doubt(pace: int) -> None:
    assert set(factors(pace, 0, 3)) == {times(PLAIN, pace)}
    found = sorted(factors(pace, ONE // 8, 3))
    assert len(found) == FUTURES
    assert abs(found[FUTURES // 2] / times(PLAIN, pace) - 1) < 0.03
    assert 1.15 < found[FUTURES * 9 // 10] / found[FUTURES // 10] < 1.4, "2.56 deviations of an eighth of a doubling"


@given(st.lists(st.tuples(st.sampled_from((ADA, BO, -7)), st.integers(0, 3), st.integers(0, 1 << 40)), max_size=40))
def test_any_services_keep_bounded_integers(services: list[tuple[int, int, int]]) -> None:
    known: Paces = ()
    for who, day, duration in services:
        known, normal = learn(known, who, day, duration)
        assert normal >= 0
        assert all(type(each) is int for row in known for each in row)
        assert all(abs(each) <= 64 * ONE for row in known[1:] for each in row[3:])
        assert all(0 <= each <= paces.MOST**2 for each in known[0][paces.FIRST :])


SERVICES = st.lists(st.tuples(st.sampled_from([ADA, BO]), st.integers(1, 3), st.integers(1, 1 << 40)), max_size=20)


@given(SERVICES, st.booleans())
def test_undone_service_leaves_no_trace(services: list[tuple[int, int, int]], bo_serves: bool) -> None:
    known: Paces = ()
    for who, day, duration in services:
        known, _ = learn(known, who, day, duration)
    before = touched(known, ADA)
    after, _ = learn(known, ADA, 3, 7 * MINUTE)
    assert sorted(unlearn(after, before, ADA, 3, 7 * MINUTE)) == sorted(known)
    if bo_serves:  # his pace stays, hers comes back
        later, _ = learn(after, BO, 3, 9 * MINUTE)
        undone = unlearn(later, before, ADA, 3, 7 * MINUTE)
        assert touched(undone, ADA)[1:] == before[1:]
        assert touched(undone, BO) == touched(later, BO)


def test_pace_of_a_clinician_who_takes_no_time_is_not_zero() -> None:
    assert set(factors(-40 * ONE, 0, 0)) == {1}


def test_pace_has_bounds() -> None:
    known: Paces = ()
    for _ in range(300):
        known, _ = learn(known, ADA, 1, 30 * MINUTE)
        known, normal = learn(known, BO, 1, 1)
        assert normal < 1 << 40
    assert all(abs(pace) <= 6 * ONE for row in known[1:] for pace in row[3:])
