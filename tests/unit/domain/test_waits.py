"""Quotes are accurate in simulated clinics, consistent in every case, and cheap."""

from __future__ import annotations

import ast
import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from heapq import heapify, heappop, heappush, heapreplace
from itertools import pairwise
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import waits
from server.domain.waits import (
    ENOUGH,
    FUTURES,
    MEMORY,
    PART,
    PLAIN,
    PRIOR,
    STAY_STEP,
    Coming,
    Coverage,
    Futures,
    History,
    OpenPoint,
    Outcome,
    Quote,
    Ranks,
    coverage,
    held,
    missed_by,
    order_of,
    quote,
    quote_of_last,
    quotes,
    remaining_durations,
)
from tests.support.counting import calls_of
from tests.support.extent import examples, sample
from tests.support.worlds import HOUR, MINUTE, SECOND, START

Law = Callable[[random.Random], int]


def exponential(mean_minutes: float) -> Law:
    return lambda chance: round(chance.expovariate(1 / mean_minutes) * MINUTE)


def lognormal(median_minutes: float, sigma: float) -> Law:
    return lambda chance: round(median_minutes * exp(chance.gauss(0, sigma)) * MINUTE)


def bimodal(short_minutes: float, long_minutes: float, share_long: float) -> Law:
    """Return the law of a service of two kinds, each within a fifth of its usual duration."""

    def law(chance: random.Random) -> int:
        usual = long_minutes if chance.random() < share_long else short_minutes
        return round(usual * chance.uniform(0.8, 1.2) * MINUTE)

    return law


LAWS: dict[str, Law] = {"exponential": exponential(8), "lognormal": lognormal(7, 0.7), "bimodal": bimodal(4, 20, 0.25)}
POINTS = range(1, 7)
LONGEST_LINE = 40
BLOOD, X_RAY, FORMS = 11, 12, 13


def mean_of(law: Law) -> int:
    chance = random.Random(0)
    return sum(law(chance) for _ in range(2000)) // 2000


class Clinic:
    """A simulated clinic: patients come at random, in rushes and lulls, and free points call the first they may serve.

    A patient who has to wait gets a quote on joining. ``outcomes`` has the result, with the number of patients ahead.
    """

    def __init__(self, points: Sequence[tuple[int, ...]], laws: dict[int, Law], seed: int, warm: int = 50) -> None:
        self.chance = random.Random(seed)
        self.points = [OpenPoint(queue_ids) for queue_ids in points]
        self.laws = laws
        self.histories = {key: History(tuple(law(self.chance) for _ in range(warm))) for key, law in laws.items()}
        self.now = START
        self.line: list[tuple[int, int]] = []  # queue and number of the visit
        self.ends: list[tuple[int, int]] = []  # instant and point
        self.given: dict[int, tuple[int, Outcome]] = {}
        self.outcomes: list[tuple[int, Outcome]] = []
        self.pause = sum(mean_of(law) for law in laws.values()) // len(laws) // len(points)

    def run(self, count: int) -> list[tuple[int, Outcome]]:
        """Play until the outcome of ``count`` quotes is known."""
        visit, arrival = 0, self.now
        while len(self.outcomes) < count:
            while self.ends and self.ends[0][0] <= arrival:
                self.now, point = heappop(self.ends)
                self.free(point)
            self.now, visit = arrival, visit + 1
            if len(self.line) < LONGEST_LINE:
                self.join(visit)
            load = 1.6 if visit // 60 % 2 == 0 else 0.55
            arrival += round(self.chance.expovariate(1) * self.pause / load)
        return self.outcomes[:count]

    def join(self, visit: int) -> None:
        queue_id = self.chance.choice(sorted(self.laws))
        self.line.append((queue_id, visit))
        for index, point in enumerate(self.points):
            if point.serving is None:
                self.call(index)
        if self.line and self.line[-1][1] == visit:
            found = quotes(self.now, [each for each, _ in self.line], self.points, self.histories)[-1]
            assert found is not None
            self.given[visit] = (len(self.line) - 1, Outcome(found, 0))

    def call(self, index: int) -> None:
        for place, (queue_id, visit) in enumerate(self.line):
            if queue_id in self.points[index].queue_ids:
                del self.line[place]
                self.points[index] = OpenPoint(self.points[index].queue_ids, queue_id, self.now)
                heappush(self.ends, (self.now + self.laws[queue_id](self.chance), index))
                if visit in self.given:
                    ahead, outcome = self.given.pop(visit)
                    self.outcomes.append((ahead, Outcome(outcome.quote, self.now)))
                return

    def free(self, index: int) -> None:
        point = self.points[index]
        assert point.serving is not None
        self.histories[point.serving] = self.histories[point.serving].record(self.now - point.since)
        self.points[index] = OpenPoint(point.queue_ids)
        self.call(index)


def share_of(part: int, whole: int) -> float:
    return 100 * part / whole


@cache
def played(law: str, points: int) -> tuple[Outcome, ...]:
    """Return the outcomes of the first quotes on a day of a clinic with one queue."""
    return tuple(outcome for _, outcome in Clinic([(BLOOD,)] * points, {BLOOD: LAWS[law]}, seed=points).run(300))


@pytest.mark.parametrize("law", sample(list(LAWS), 1, "nine in ten"))
def test_nine_in_ten_are_called_by_the_end_and_half_before_the_start(law: str) -> None:
    found = coverage([outcome for points in POINTS for outcome in played(law, points)])
    assert found.count == 1800
    assert 84 <= share_of(found.held, found.count) <= 94
    assert 43 <= share_of(found.early, found.count) <= 59


@pytest.mark.parametrize(
    "points",
    [
        [(BLOOD, X_RAY), (BLOOD, X_RAY), (BLOOD, X_RAY)],
        [(BLOOD,), (BLOOD, X_RAY), (X_RAY,)],
        [(BLOOD,), (BLOOD, X_RAY)],
    ],
)
def test_quotes_hold_where_points_serve_several_queues(points: list[tuple[int, ...]]) -> None:
    clinic = Clinic(points, {BLOOD: LAWS["lognormal"], X_RAY: LAWS["bimodal"]}, seed=3)
    found = coverage([outcome for _, outcome in clinic.run(600)])
    assert 82 <= share_of(found.held, found.count) <= 96
    assert 40 <= share_of(found.early, found.count) <= 62


@cache
def watched(law: str, points: int, known: int, rounds: int = 100) -> tuple[tuple[int, int], ...]:
    """Return, for 0 to 40 ahead, how many of ``rounds`` quotes held, and how many calls came before their range.

    Each round is another clinic, with other known durations and all points busy, as at a random time of the day.
    """
    chance, draw = random.Random(points), LAWS[law]
    found = [(0, 0)] * (LONGEST_LINE + 1)
    for _ in range(rounds):
        now = START + chance.randrange(HOUR)
        history = History(tuple(draw(chance) for _ in range(known)))
        guests, free = [], []
        for _ in range(points):
            since, lasts = now - chance.randrange(4 * HOUR, 8 * HOUR), draw(chance)
            while since + lasts <= now:
                since, lasts = since + lasts, draw(chance)
            guests.append(OpenPoint((BLOOD,), BLOOD, since))
            free.append(since + lasts)
        heapify(free)
        for ahead, given_quote in enumerate(quotes(now, [BLOOD] * len(found), guests, {BLOOD: history})):
            assert given_quote is not None
            called_at = heapreplace(free, free[0] + draw(chance))
            kept, early = found[ahead]
            found[ahead] = kept + held(given_quote, called_at), early + (called_at < given_quote.expect_from)
    return tuple(found)


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("law", LAWS)
def test_quotes_hold_in_each_kind_of_clinic(law: str, points: int) -> None:
    found = watched(law, points, MEMORY)
    whole = 100 * len(found)
    assert 82 <= share_of(sum(kept for kept, _ in found), whole) <= 97
    assert 40 <= share_of(sum(early for _, early in found), whole) <= 62


@pytest.mark.parametrize("ahead", [range(3), range(3, 10), range(10, 20), range(20, 30), range(30, 41)], ids=str)
def test_quotes_hold_for_the_first_and_the_last_in_the_line(ahead: range) -> None:
    found = [watched(law, points, MEMORY)[each] for law in LAWS for points in POINTS for each in ahead]
    whole = 100 * len(found)
    assert 85 <= share_of(sum(kept for kept, _ in found), whole) <= 95
    assert 44 <= share_of(sum(early for _, early in found), whole) <= 57


@pytest.mark.parametrize("law", LAWS)
def test_quotes_are_useful_from_eight_durations_on(law: str) -> None:
    found = [each for points in (1, 3) for each in watched(law, points, ENOUGH)]
    whole = 100 * len(found)
    assert 76 <= share_of(sum(kept for kept, _ in found), whole) <= 95
    assert 38 <= share_of(sum(early for _, early in found), whole) <= 62


# In every case

minutes = st.integers(0, 90).map(lambda count: count * MINUTE)
durations = st.one_of(minutes, st.integers(0, 3 * HOUR))
histories = st.lists(durations, max_size=MEMORY + 3).map(lambda each: History(tuple(each[-MEMORY:])))
instants = st.one_of(st.integers(0, 10**16), st.integers(0, 10**8).map(lambda count: count * MINUTE))
QUEUES = (BLOOD, X_RAY, FORMS)
lines = st.lists(st.sampled_from(QUEUES), max_size=12)
drawing = st.lists(st.sampled_from(QUEUES), max_size=3, unique=True).map(tuple)
guests = st.one_of(st.none(), st.sampled_from(QUEUES))
# A point and the time since its patient's call, which is negative if the clock was set back.
open_points = st.tuples(drawing, guests, st.one_of(minutes, st.integers(-HOUR, 30 * HOUR)))
rooms = st.lists(open_points, max_size=5)
Room = list[tuple[tuple[int, ...], int | None, int]]


def points_of(room: Room, now: int) -> list[OpenPoint]:
    return [OpenPoint(queue_ids, serving, now - elapsed) for queue_ids, serving, elapsed in room]


def not_earlier(later: Quote | None, sooner: Quote | None) -> bool:
    assert later is not None
    assert sooner is not None
    return later.expect_from >= sooner.expect_from and later.expect_until >= sooner.expect_until


@examples(150)
@given(instants, lines, rooms, st.dictionaries(st.sampled_from(QUEUES), histories))
def test_range_is_whole_minutes_and_not_past_for_every_served_patient(
    now: int, line: list[int], room: Room, known: dict[int, History]
) -> None:
    found = quotes(now, line, points_of(room, now), known)
    assert len(found) == len(line)
    for queue_id, each in zip(line, found, strict=True):
        assert (each is None) == (not any(queue_id in queue_ids for queue_ids, _, _ in room))
        if each is not None:
            assert now - MINUTE < each.expect_from <= each.expect_until - MINUTE, "not before this minute"
            assert each.expect_from % MINUTE == each.expect_until % MINUTE == 0
            assert type(each.expect_from) is type(each.expect_until) is int


@examples(100)
@given(instants, lines, rooms, st.dictionaries(st.sampled_from(QUEUES), histories), st.integers(0, 12))
def test_later_patient_is_not_quoted_earlier_and_patients_behind_do_not_matter(
    now: int, line: list[int], room: Room, known: dict[int, History], kept: int
) -> None:
    points = points_of(room, now)
    found = quotes(now, line, points, known)
    assert quotes(now, line[:kept], points, known) == found[:kept]
    for queue_id in set(line):
        mine = [each for each, other in zip(found, line, strict=True) if other == queue_id and each is not None]
        assert all(not_earlier(later, sooner) for sooner, later in pairwise(mine))


@examples(150)
@given(instants, lines, rooms, st.dictionaries(st.sampled_from(QUEUES), histories), st.booleans())
def test_quote_of_last_equals_the_last_quote(
    now: int, line: list[int], room: Room, known: dict[int, History], special: bool
) -> None:
    """One of the queues is a lane that only some points may serve. It uses the history of the other one."""
    points, queue_of = points_of(room, now), {FORMS: BLOOD} if special else {}
    for end in range(1, len(line) + 1):
        assert (
            quote_of_last(now, line[:end], points, known, queue_of) == quotes(now, line[:end], points, known, queue_of)[-1]
        )


@examples(60)
@given(instants, lines, rooms, rooms, st.dictionaries(st.sampled_from(QUEUES), histories))
def test_queues_without_a_common_point_are_independent(
    now: int, line: list[int], here: Room, there: Room, known: dict[int, History]
) -> None:
    moved = {queue_id: queue_id + 100 for queue_id in QUEUES}
    elsewhere = [(tuple(moved[key] for key in keys), serving and moved[serving], since) for keys, serving, since in there]
    points = points_of(here, now)
    mixed = [queue_id for mine in line for queue_id in (moved[BLOOD], mine)]
    both = quotes(now, mixed, [*points_of(elsewhere, now), *points], known)
    assert both[1::2] == quotes(now, line, points, known)


@examples(100)
@given(
    instants,
    st.integers(0, 20),
    st.lists(st.one_of(st.none(), durations), min_size=1, max_size=5),
    histories,
    st.one_of(st.none(), durations),
)
def test_one_more_ahead_is_not_earlier_and_one_more_point_is_not_later(
    now: int, ahead: int, elapsed: list[int | None], history: History, another: int | None
) -> None:
    mine = quote(now, ahead, elapsed, history)
    assert not_earlier(quote(now, ahead + 1, elapsed, history), mine)
    assert not_earlier(mine, quote(now, ahead, [*elapsed, another], history))


@examples(150)
@given(instants, st.integers(0, 20), st.lists(st.tuples(durations, durations), max_size=MEMORY), st.data())
def test_longer_services_never_make_a_range_earlier(
    now: int, ahead: int, pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    history = History(tuple(one for one, _ in pairs))
    longer = History(tuple(one + more for one, more in pairs))
    elapsed = data.draw(st.lists(st.one_of(st.none(), st.integers(0, min(history.sample()))), min_size=1, max_size=4))
    elapsed = [each if each is None or each < min(history.sample()) else None for each in elapsed]
    assert not_earlier(quote(now, ahead, elapsed, longer), quote(now, ahead, elapsed, history))


@examples(150)
@given(instants, st.integers(0, 20), st.lists(durations, max_size=MEMORY), durations, st.integers(1, 4))
def test_one_more_service_longer_than_all_never_makes_a_range_earlier(
    now: int, ahead: int, known: list[int], more: int, points: int
) -> None:
    history = History(tuple(known))
    longer = history.record(max(history.sample()) + more)
    free: list[int | None] = [None] * points
    assert not_earlier(quote(now, ahead, free, longer), quote(now, ahead, free, history))


@examples(200)
@given(st.lists(durations, min_size=1, max_size=MEMORY).map(sorted), st.one_of(durations, st.integers(0, 100 * HOUR)))
def test_remaining_durations_are_not_negative_and_fall_evenly_into_the_gaps(sample: list[int], elapsed: int) -> None:
    remaining = remaining_durations(sample, elapsed)
    assert len(remaining) == FUTURES
    assert remaining == sorted(remaining)
    assert remaining[0] >= 0
    lasted = [each for each in sample if each > elapsed]
    for rank_, each in enumerate(lasted, 1):
        within = sum(elapsed + one <= each for one in remaining)
        assert within >= rank_ * FUTURES // (len(lasted) + 1)


# Cases computed by hand


def test_free_point_calls_at_once() -> None:
    history = History((10 * MINUTE,) * MEMORY)
    assert quote(START, 0, [None], history) == Quote(START, START + MINUTE, False)
    assert quote(START + 1, 0, [None], history) == Quote(START, START + MINUTE, False)
    assert quote(START + MINUTE - 1, 1, [None, 5 * MINUTE, None], history) == Quote(
        START + MINUTE, START + 2 * MINUTE, False
    )


def test_quotes_for_services_of_exactly_ten_minutes() -> None:
    history = History((10 * MINUTE,) * MEMORY)
    for ahead in range(20):
        assert quote(START, ahead + 1, [None], history) == Quote(
            START + 10 * (ahead + 1) * MINUTE, START + (10 * (ahead + 1) + 1) * MINUTE, False
        )
        pair = quote(START, ahead + 2, [None, None], history)
        assert pair is not None
        assert pair.expect_from == START + 10 * (ahead // 2 + 1) * MINUTE


def test_elapsed_time_of_a_patient_at_a_point_counts() -> None:
    """A service that has outlasted the short ones is one of the long ones."""
    history = History((4 * MINUTE, 4 * MINUTE, 20 * MINUTE) * 16)
    fresh, old = quote(START, 0, [0], history), quote(START, 0, [5 * MINUTE], history)
    assert fresh is not None
    assert old is not None
    assert fresh.expect_from <= START + 4 * MINUTE
    assert fresh.expect_until == START + 20 * MINUTE
    assert old == Quote(START + 15 * MINUTE, START + 16 * MINUTE, False)


def test_patient_who_outlasts_all_known_durations_is_expected_to_stay_longer() -> None:
    sample = [10 * MINUTE] * MEMORY
    middle = FUTURES // 2
    medians = [remaining_durations(sample, elapsed)[middle] for elapsed in (10 * MINUTE, 30 * MINUTE, 5 * HOUR)]
    # The median of Lomax's law of shape 2 is (sqrt 2 - 1) scales. The scale is the mean plus the excess over the longest.
    for median, scale in zip(medians, (10 * MINUTE, 30 * MINUTE, 300 * MINUTE), strict=True):
        assert abs(median - 0.41421356 * scale) < SECOND


def test_remaining_durations_among_three_known() -> None:
    remaining = remaining_durations([2 * MINUTE, 6 * MINUTE, 10 * MINUTE], 4 * MINUTE)
    assert sum(each < 2 * MINUTE for each in remaining) == 33  # one of three gaps: 4 to 6, 6 to 10, beyond
    assert sum(2 * MINUTE <= each < 6 * MINUTE for each in remaining) == 33
    assert remaining[16] == MINUTE  # the middle of the first gap


def test_points_that_cannot_serve_a_patient_do_not_help() -> None:
    history = {BLOOD: History((10 * MINUTE,) * MEMORY), X_RAY: History((30 * MINUTE,) * MEMORY)}
    line = [X_RAY, BLOOD, X_RAY, BLOOD]
    points = [OpenPoint((X_RAY,)), OpenPoint((BLOOD, X_RAY))]
    found = quotes(START, line, points, history)
    begins = [each and (each.expect_from - START) // MINUTE for each in found]
    assert begins == [0, 0, 10, 40]  # the second X-ray is before the second blood test at the point that does both


def test_one_more_ahead_in_another_queue_can_make_a_quote_earlier() -> None:
    """The real system does the same: a patient at the shared point sends a competitor to the other one."""
    history = {BLOOD: History((10 * MINUTE,) * MEMORY), FORMS: History((2 * MINUTE,) * MEMORY)}
    points = [OpenPoint((BLOOD, FORMS), BLOOD, START - 9 * MINUTE), OpenPoint((BLOOD,), BLOOD, START - 8 * MINUTE)]
    without = quotes(START, [BLOOD, FORMS], points, history)[-1]
    behind_one_more = quotes(START, [FORMS, BLOOD, FORMS], points, history)[-1]
    assert without == Quote(START + 11 * MINUTE, START + 12 * MINUTE, False)
    assert behind_one_more == Quote(START + 3 * MINUTE, START + 4 * MINUTE, False)


def test_patient_without_an_able_point_has_no_quote() -> None:
    assert quote(START, 3, [], History()) is None
    assert quotes(START, [BLOOD, X_RAY], [OpenPoint((X_RAY,))], {})[0] is None
    assert quotes(START, [], [OpenPoint((X_RAY,)), OpenPoint(())], {}) == []


# Pauses, breaks, and patients who come later

TEN = {BLOOD: History((10 * MINUTE,) * MEMORY)}


def begins_of(found: Sequence[Quote | None], now: int = START) -> list[int | None]:
    return [None if each is None else (each.expect_from - now) // MINUTE for each in found]


def test_point_pauses_after_each_patient() -> None:
    known = {BLOOD: History((10 * MINUTE,) * MEMORY, (2 * MINUTE,) * 20)}
    line = [BLOOD] * 3
    free, busy = OpenPoint((BLOOD,)), OpenPoint((BLOOD,), BLOOD, START - 4 * MINUTE)
    assert begins_of(quotes(START, line, [free], known)) == [0, 12, 24]
    assert begins_of(quotes(START, line, [busy], known)) == [8, 20, 32]
    pausing = OpenPoint((BLOOD,), idle=MINUTE, awaited=True)
    assert begins_of(quotes(START, line, [pausing], known)) == [1, 13, 25]
    assert begins_of(quotes(START, line, [replace(pausing, awaited=False, idle=5 * MINUTE)], known)) == [0, 12, 24]


def test_few_long_pauses_do_not_lengthen_the_others() -> None:
    known = {BLOOD: History((10 * MINUTE,) * MEMORY, (0,) * 63 + (6 * MINUTE,))}
    assert begins_of(quotes(START, [BLOOD] * 3, [OpenPoint((BLOOD,), idle=0, awaited=True)], known)) == [0, 10, 20]


def test_free_point_that_lets_patients_wait_is_not_expected_now() -> None:
    """The longer it has not called, the later it is expected."""
    found = [
        quote_of_last(START, [BLOOD], [OpenPoint((BLOOD,), idle=each * MINUTE, awaited=True)], TEN) for each in (0, 5, 60)
    ]
    assert begins_of(found)[0] == 0
    assert begins_of(found)[1] == 2
    assert begins_of(found)[2] == 25


def test_point_that_begins_later_takes_nobody_before() -> None:
    late = OpenPoint((BLOOD,), begins=(25 * MINUTE,) * FUTURES)
    assert begins_of(quotes(START, [BLOOD] * 3, [late], TEN)) == [25, 35, 45]
    assert begins_of(quotes(START, [BLOOD] * 4, [late, OpenPoint((BLOOD,))], TEN)) == [0, 10, 20, 25]


def test_break_begins_when_its_time_has_come_and_the_point_is_free() -> None:
    resting = OpenPoint((BLOOD,), breaks=(((15 * MINUTE, 30 * MINUTE),),) * FUTURES)
    assert begins_of(quotes(START, [BLOOD] * 4, [resting], TEN)) == [0, 10, 50, 60]
    both = [resting, OpenPoint((BLOOD,), BLOOD, START - 5 * MINUTE)]
    assert begins_of(quotes(START, [BLOOD] * 6, both, TEN)) == [0, 5, 10, 15, 25, 35]


def test_patients_who_come_later_pass_those_of_a_lower_rank() -> None:
    point = OpenPoint((BLOOD,), BLOOD, START)
    urgent = Coming(5 * MINUTE, BLOOD, 50)
    found = quotes(START, [BLOOD] * 3, [point], TEN, orders=[10, 60, 70], coming=[[urgent]] * FUTURES)
    assert begins_of(found) == [10, 30, 40], "the urgent patient takes the turn of the second one"
    late = urgent._replace(after=25 * MINUTE)
    found = quotes(START, [BLOOD] * 3, [point], TEN, orders=[10, 60, 70], coming=[[late]] * FUTURES)
    assert begins_of(found) == [10, 20, 40], "not of those who are called before"
    elsewhere = urgent._replace(kind=X_RAY)
    found = quotes(START, [BLOOD] * 3, [point], TEN, orders=[10, 60, 70], coming=[[elsewhere]] * FUTURES)
    assert begins_of(found) == [10, 20, 30]


comings = st.lists(
    st.lists(st.builds(Coming, st.integers(1, 3 * HOUR), st.sampled_from(QUEUES), st.integers(0, 20)), max_size=4).map(
        sorted
    ),
    min_size=1,
    max_size=5,
).map(lambda few: [few[future % len(few)] for future in range(FUTURES)])
rests = st.lists(
    st.lists(st.tuples(st.integers(1, 3 * HOUR), st.integers(1, HOUR)), max_size=2).map(lambda each: tuple(sorted(each))),
    min_size=1,
    max_size=3,
).map(lambda few: tuple(few[future % len(few)] for future in range(FUTURES)))
orders = st.lists(st.integers(0, 20), min_size=12, max_size=12).map(sorted)


@examples(60)
@given(instants, lines, rooms, st.dictionaries(st.sampled_from(QUEUES), histories), comings, rests, orders)
def test_with_breaks_and_arrivals_too_later_patients_are_not_quoted_earlier(
    now: int,
    line: list[int],
    room: Room,
    known: dict[int, History],
    coming: list[list[Coming]],
    breaks: tuple[tuple[tuple[int, int], ...], ...],
    ranks: list[int],
) -> None:
    """Nor do patients behind matter; and `quote_of_last` is the last quote, and leaves the line as it was."""
    points = [replace(each, breaks=breaks) for each in points_of(room, now)]
    found = quotes(now, line, points, known, orders=ranks[: len(line)], coming=coming)
    for queue_id in set(line):
        mine = [each for each, other in zip(found, line, strict=True) if other == queue_id and each is not None]
        assert all(not_earlier(later, sooner) for sooner, later in pairwise(mine))
    for end in range(1, len(line) + 1):
        assert quote_of_last(now, line[:end], points, known, orders=ranks[:end], coming=coming) == found[end - 1]


# Determinism


def test_every_process_gives_the_same_quotes() -> None:
    """These values change only with the method. Then the quotes of two versions of the server differ."""
    history = {BLOOD: History(tuple(k * k % 17 * MINUTE + k for k in range(MEMORY))), X_RAY: History((MINUTE,))}
    points = [OpenPoint((BLOOD,), BLOOD, START - 3 * MINUTE), OpenPoint((BLOOD, X_RAY), X_RAY, START - MINUTE)]
    found = quotes(START, [BLOOD, X_RAY, BLOOD] * 4, points, history)
    ranges = [((each.expect_from - START) // MINUTE, (each.expect_until - START) // MINUTE) for each in found if each]
    assert ranges == [
        (5, 12),
        (12, 24),
        (12, 20),
        (16, 28),
        (26, 41),
        (24, 35),
        (29, 42),
        (38, 57),
        (35, 50),
        (41, 57),
        (51, 70),
        (47, 61),
    ]
    waits._order.cache_clear()
    waits._reweighted.cache_clear()
    assert quotes(START, [BLOOD, X_RAY, BLOOD] * 4, points, dict(reversed(history.items()))) == found


def test_module_uses_no_floats_and_no_randomness() -> None:
    tree = ast.parse(inspect.getsource(waits))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not isinstance(node, ast.Div)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"random", "time", "statistics"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


# Histories


def test_quotes_are_estimates_until_eight_services_are_known() -> None:
    history = History()
    for count in range(ENOUGH + 2):
        found = quote(START, 2, [None, 3 * MINUTE], history)
        assert found is not None
        assert found.estimating == history.estimating == (count < ENOUGH)
        history = history.record(9 * MINUTE)


def test_quote_that_depends_on_an_unknown_service_is_an_estimate() -> None:
    known = {BLOOD: History((5 * MINUTE,) * 20)}
    shared = [OpenPoint((BLOOD, X_RAY), BLOOD, START)]
    flags = [each and each.estimating for each in quotes(START, [BLOOD, X_RAY, BLOOD], shared, known)]
    assert flags == [False, True, True]
    busy = [OpenPoint((BLOOD, X_RAY), X_RAY, START)]
    assert [each and each.estimating for each in quotes(START, [BLOOD], busy, known)] == [True]
    apart = [OpenPoint((BLOOD,)), OpenPoint((X_RAY,))]
    flags = [each and each.estimating for each in quotes(START, [X_RAY, BLOOD], apart, known)]
    assert flags == [True, False]


def test_known_durations_replace_the_prior() -> None:
    assert History().sample() == sorted(PRIOR)
    assert sum(PRIOR) / len(PRIOR) == 9.75 * MINUTE
    history = History()
    for count in range(ENOUGH):
        assert len(history.sample()) == ENOUGH
        assert history.sample().count(HOUR) == count
        history = history.record(HOUR)
    assert history.sample() == [HOUR] * ENOUGH


def test_history_keeps_the_newest_durations_up_to_its_limit() -> None:
    history = History()
    for count in range(3 * MEMORY):
        history = history.record(count)
    assert history.durations == tuple(range(2 * MEMORY, 3 * MEMORY))
    with pytest.raises(ValueError, match="-1"):
        history.record(-1)
    assert history.record(0).durations[-1] == 0


# The cost


def steps(line: Sequence[int], points: Sequence[OpenPoint]) -> int:
    """Return the number of calls of Python and C functions for the quotes of a line."""
    known = {queue_id: History((7 * MINUTE, 9 * MINUTE) * 25) for queue_id in QUEUES}
    return calls_of(lambda: quotes(START, line, points, known))


SAME = [OpenPoint((BLOOD,), BLOOD, START - place * MINUTE) for place in range(6)]
MIXED = [OpenPoint(QUEUES[place % 3 : place % 3 + 2], BLOOD, START - place * MINUTE) for place in range(6)]


@pytest.mark.parametrize("points", [SAME, MIXED], ids=["one queue", "points that overlap"])
def test_quotes_for_five_hundred_cost_a_few_steps_for_each_patient_and_future(points: list[OpenPoint]) -> None:
    line = [BLOOD] * 500 if points is SAME else [QUEUES[place % 3] for place in range(500)]
    whole, half = steps(line, points), steps(line[:250], points)
    assert whole <= 5 * FUTURES * len(line)
    assert whole <= 2.1 * half


def test_line_longer_than_the_streams_has_quotes() -> None:
    found = quotes(START, [BLOOD] * 1100, SAME, {})
    assert all(not_earlier(later, sooner) for sooner, later in pairwise(found))


# The share of quotes that hold


def test_quote_holds_if_the_call_is_not_after_the_end() -> None:
    given_quote = Quote(START, START + 5 * MINUTE, False)
    assert held(given_quote, START - MINUTE)
    assert held(given_quote, START + 5 * MINUTE)
    assert not held(given_quote, START + 5 * MINUTE + 1)
    assert missed_by(given_quote, START + 5 * MINUTE) == missed_by(given_quote, START) == 0
    assert missed_by(given_quote, START + 7 * MINUTE) == 2 * MINUTE


def test_coverage_counts_held_quotes_and_the_delays_of_the_others() -> None:
    given_quote = Quote(START, START + 5 * MINUTE, False)
    found = coverage([Outcome(given_quote, START + after * MINUTE) for after in (-1, 0, 3, 5, 6, 8, 25)])
    assert found == Coverage(count=7, held=4, early=1, missed_by_median=3 * MINUTE, missed_by_most=20 * MINUTE)
    assert (found.held_percent, found.early_percent) == (57, 14)


def test_coverage_without_quotes_and_without_misses() -> None:
    assert coverage([]) == Coverage(0, 0, 0, 0, 0)
    assert coverage([]).held_percent is coverage([]).early_percent is None
    found = coverage([Outcome(Quote(START, START + MINUTE, True), START)] * 3)
    assert found == Coverage(3, 3, 0, 0, 0)
    assert found.held_percent == 100


# Paces, patients who leave, free points that notice, and other ranks


def test_point_of_half_the_pace_takes_twice_as_long() -> None:
    known = {0: History((10 * MINUTE,) * MEMORY)}
    for part, lasts in ((PLAIN, 10), (2 * PLAIN, 20), (PLAIN // 2, 5)):
        point = OpenPoint((0,), paces=(part,) * FUTURES)
        found = quotes(START, [0] * 4, [point], known)
        assert [each and each.expect_from for each in found] == [START + number * lasts * MINUTE for number in range(4)]
        busy = replace(point, serving=0, since=START)
        [first] = quotes(START, [0], [busy], known)
        assert first is not None
        assert abs(first.expect_from - (START + lasts * MINUTE)) <= MINUTE


def test_quicker_point_takes_more_patients() -> None:
    known = {0: History((10 * MINUTE,) * MEMORY)}
    quick, slow = OpenPoint((0,), paces=(PLAIN // 2,) * FUTURES), OpenPoint((0,))
    found = quotes(START, [0] * 7, [slow, quick], known)
    assert [each and (each.expect_from - START) // MINUTE for each in found] == [0, 0, 5, 10, 10, 15, 20]


@examples(100)
@given(instants, lines, rooms, st.dictionaries(st.sampled_from(QUEUES), histories), st.data())
def test_later_patients_of_a_queue_never_get_earlier_quotes_with_any_paces_and_leaves(
    now: int, line: list[int], room: Room, known: dict[int, History], data: st.DataObject
) -> None:
    chosen = st.lists(st.integers(PLAIN // 8, 8 * PLAIN), min_size=FUTURES, max_size=FUTURES).map(tuple)
    points = [replace(each, paces=data.draw(chosen)) for each in points_of(room, now)]
    stays = [sorted(data.draw(st.lists(durations, min_size=FUTURES, max_size=FUTURES))) for _ in range(2)]
    ranks = data.draw(st.sampled_from((Ranks(), Ranks(35 * PART + 1, 98 * PART), Ranks(64_999, 82 * PART))))
    for futures in Futures.of_rooms(now, points, known, leaving=stays, ranks=ranks):
        mine = [each for each in line if each in futures.kinds]
        found = futures.quotes(mine, [order_of(1, now - 2 * STAY_STEP + place) for place in range(len(mine))])
        for queue_id in QUEUES:
            own = [each for kind, each in zip(mine, found, strict=True) if kind == queue_id]
            assert [each.expect_from for each in own] == sorted(each.expect_from for each in own)
            assert [each.expect_until for each in own] == sorted(each.expect_until for each in own)


def test_patients_who_leave_take_no_time() -> None:
    """Half of the patients leave after 15 minutes. Those who have waited for longer leave at once."""
    known = {0: History((10 * MINUTE,) * MEMORY)}
    stays = [[15 * MINUTE] * 50 + [HOUR] * 49, [0] * FUTURES]

    def found(waited: int) -> list[tuple[int, int]]:
        point, quarters = OpenPoint((0,), 0, START), Ranks(25 * PART, 75 * PART)
        [futures] = Futures.of_rooms(START, [point], known, leaving=stays, ranks=quarters)
        line = futures.quotes([0] * 3, [order_of(1, START - waited)] * 3)
        return [((each.expect_from - START) // MINUTE, (each.expect_until - START) // MINUTE) for each in line]

    assert found(0) == [(10, 11), (20, 21), (20, 30)], "the second patient is gone in half of the futures"
    assert found(2 * STAY_STEP) == [(10, 11)] * 3, "nobody else is left in line"


def test_free_point_calls_after_it_has_noticed_the_patient_and_all_free_points_notice_together() -> None:
    known = {0: History((10 * MINUTE,) * MEMORY, reactions=(2 * MINUTE,) * 8)}
    point = OpenPoint((0,), idle=HOUR, noticing=0)
    for points in ([point], [point, point]):
        assert quotes(START, [0], points, known) == [Quote(START + 2 * MINUTE, START + 3 * MINUTE, False)]
    pausing = {0: replace(known[0], pauses=(5 * MINUTE,) * 8)}
    assert quotes(START, [0], [replace(point, idle=MINUTE)], pausing) == [
        Quote(START + 4 * MINUTE, START + 5 * MINUTE, False)
    ], "the pause is longer"


def test_certain_mean_scales_the_durations_and_makes_long_ranges_narrower() -> None:
    durations_ = tuple(round(each * MINUTE) for each in (2, 4, 6, 8, 10, 12, 14, 16)) * 32
    plain, certain = History(durations_), History(durations_, mean=9 * MINUTE)
    assert quote(START, 200, [None], plain) != quote(START, 200, [None], certain)
    widths = []
    for history in (plain, certain):
        found = quote(START, 200, [None], history)
        assert found is not None
        assert abs(found.expect_from - START - 1800 * MINUTE) < 60 * MINUTE
        widths.append(found.expect_until - found.expect_from)
    assert widths[1] < 0.9 * widths[0]
    twice = quote(START, 200, [None], replace(certain, mean=18 * MINUTE))
    assert twice is not None
    assert abs(twice.expect_from - START - 3600 * MINUTE) < 120 * MINUTE


def test_ranks_between_two_futures_lie_between_their_instants() -> None:
    known = {0: History(tuple(each * MINUTE for each in range(1, 200)))}
    ends = []
    for shift in range(0, 8 * PART, PART // 4):
        [futures] = Futures.of_rooms(START, [OpenPoint((0,), 0, START)], known, ranks=Ranks(50 * PART, 90 * PART + shift))
        ends.append(futures.quote_of_next(0).expect_until)
    assert ends == sorted(ends)
    assert len(set(ends)) > 12


@pytest.mark.parametrize(("begins", "minutes"), [((0,) * FUTURES, 4), ((), 3)])
def test_kept_futures_say_now_only_while_a_point_calls(begins: tuple[int, ...], minutes: int) -> None:
    """At minute 3, futures of minute 0 say minute 3 at the earliest; the next one, if each point begins later."""
    (futures,) = Futures.of_rooms(0, [OpenPoint((1,), begins=begins)], {})
    assert futures.quote_of_next(1, 0, 3 * MINUTE + 1).expect_from == minutes * MINUTE
