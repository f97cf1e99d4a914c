"""The figures of past days."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from math import ceil
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import State
from server.domain.reporting.statistics import (
    SECOND,
    Durations,
    Figures,
    Hour,
    PointUse,
    Report,
    Spread,
    Stage,
    Statistics,
    Sums,
    local_hour,
)
from server.domain.reporting.timeline import Interval
from server.domain.waits import Outcome, Quote, coverage
from tests.support.extent import examples
from tests.support.worlds import DAY, HOUR, MINUTE, START

BERLIN = "Europe/Berlin"
NEXT_DAY = "2024-03-30"


def stage(
    number: int,
    *steps: tuple[State, int],
    queue_id: int = 1,
    opened: int = 0,
    quote: tuple[int, int] | None = None,
    day: str = DAY,
    point_id: int = 5,
) -> Stage:
    """Return an entry that joined at the start, with the seconds in each state. The last state is the present one.

    The visit began this many seconds earlier.
    """
    at, found = START, []
    for seq, (state, seconds) in enumerate(steps[:-1], 1):
        found.append(Interval(seq, state, at, at + seconds * SECOND, point_id if state != "waiting" else None))
        at += seconds * SECOND
    first = None if quote is None else Quote(START + quote[0] * SECOND, START + quote[1] * SECOND, False)
    called = [each.started_at for each in found if each.state == "called"]
    called += [at] if steps[-1][0] == "called" else []
    return Stage(
        entry_id=number,
        business_day=day,
        queue_id=queue_id,
        state=steps[-1][0],
        since=at,
        opened_at=START - opened * SECOND,
        quote=first,
        first_called_at=called[0] if called else None,
        intervals=tuple(found),
    )


SERVED: tuple[tuple[State, int], ...] = (("waiting", 600), ("called", 30), ("serving", 900), ("completed", 0))


def statistics(
    time_zone: str, stages: Iterable[Stage], service_of: Mapping[int, int | None] = MappingProxyType({})
) -> Report:
    made = Statistics(time_zone, service_of)
    for each in stages:
        made.add(each)
    return made.report()


def total(*stages: Stage) -> Figures:
    return statistics(BERLIN, stages).whole.total


@given(st.lists(st.integers(0, 3 * HOUR)), st.lists(st.integers(0, 3 * HOUR)))
@examples(200)
def test_merged_durations_have_the_spread_of_all(some: list[int], others: list[int]) -> None:
    made, more = Durations(), Durations()
    for each in some:
        made.add(each)
    for each in others:
        more.add(each)
    made.merge(more)
    every = sorted([*some, *others])
    count = len(every)
    if not every:
        assert made.spread() == Spread(0, None, None, None, None)
        return
    assert made.spread() == Spread(
        count=count,
        mean_seconds=sum(every) // count // SECOND,
        median_seconds=every[ceil(count / 2) - 1] // SECOND,
        p90_seconds=every[ceil(count * 9 / 10) - 1] // SECOND,
        longest_seconds=every[-1] // SECOND,
    )


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 200)), max_size=40))
@examples(200)
def test_promises_equal_the_coverage_of_quotes(drawn: list[tuple[int, int, int]]) -> None:
    """`server.domain.waits.coverage` gives the same for the same quotes and calls."""
    made = [
        stage(number, ("waiting", 60 * called), ("called", 0), quote=(60 * begin, 60 * (begin + length)))
        for number, (begin, length, called) in enumerate(drawn, 1)
    ]
    outcomes = [Outcome(each.quote, each.since) for each in made if each.quote is not None]
    truth, found = coverage(outcomes), total(*made).promises
    assert (found.count, found.held_percent, found.early_percent) == (
        truth.count,
        truth.held_percent,
        truth.early_percent,
    )
    assert found.missed_by_median_seconds == truth.missed_by_median // SECOND
    assert found.missed_by_most_seconds == truth.missed_by_most // SECOND


def test_first_call_decides_whether_a_quote_held() -> None:
    late: tuple[tuple[State, int], ...] = (("waiting", 60), ("called", 60), ("no_show", 600), ("waiting", 60), ("called", 0))
    assert total(stage(1, *late, quote=(0, 120))).promises.held_percent == 100
    assert total(stage(1, *late, quote=(0, 30))).promises.held_percent == 0


def test_entry_without_quote_or_call_does_not_count() -> None:
    found = total(stage(1, *SERVED), stage(2, ("waiting", 0), quote=(0, 60)), stage(3, ("waiting", 60), ("left", 0)))
    assert found.promises.count == 0
    assert found.promises.held_percent is None
    assert found.promises.early_percent is None


def test_entry_is_open_or_has_one_ending() -> None:
    states: list[State] = ["waiting", "called", "serving", "held", "completed", "no_show", "transferred", "left"]
    states += ["cancelled", "expired", "expired"]
    found = total(*(stage(number, (state, 0)) for number, state in enumerate(states, 1)))
    ended = (found.served, found.no_shows, found.transferred, found.left, found.cancelled, found.expired)
    assert (found.open, ended) == (4, (1, 1, 1, 1, 1, 2))
    assert found.open + sum(ended) == found.entries == len(states)


def test_visit_with_two_stages_is_one_ticket() -> None:
    report = statistics(
        BERLIN,
        [
            stage(1, ("waiting", 60), ("called", 10), ("serving", 60), ("transferred", 0)),
            stage(2, *SERVED, queue_id=2, opened=130),
            stage(3, *SERVED, queue_id=2),
        ],
    )
    assert (report.whole.total.tickets, report.whole.total.entries) == (2, 3)
    assert {queue: (each.tickets, each.entries) for queue, each in report.whole.queues.items()} == {1: (1, 1), 2: (1, 2)}
    assert report.whole.queues[1].transferred == 1


def test_spreads_of_waits_walks_and_services() -> None:
    found = total(
        stage(1, *SERVED),
        stage(2, ("waiting", 300), ("called", 60), ("no_show", 0)),
        stage(3, ("waiting", 3_000), ("left", 0)),
    )
    assert found.wait == Spread(2, 450, 300, 600, 600), "who left before any call has not waited for one"
    assert found.walk == Spread(1, 30, 30, 30, 30), "who did not come has not walked"
    assert found.service == Spread(1, 900, 900, 900, 900)


def test_figures_of_a_service_are_those_of_its_queues() -> None:
    stages = [stage(1, *SERVED), stage(2, *SERVED, queue_id=2), stage(3, *SERVED, queue_id=3), stage(4, *SERVED, queue_id=4)]
    report = statistics(BERLIN, stages, {1: 70, 2: 70, 3: 80, 4: None})
    for group in (report.whole, report.days[DAY]):
        assert {service: each.entries for service, each in group.services.items()} == {70: 2, 80: 1}
    assert report.whole.services[70] == total(stages[0], stages[1])


def test_report_has_each_day_and_the_whole_range() -> None:
    report = statistics(BERLIN, [stage(1, *SERVED), stage(2, *SERVED, day=NEXT_DAY), stage(3, *SERVED, day=NEXT_DAY)])
    assert {day: group.total.entries for day, group in report.days.items()} == {DAY: 1, NEXT_DAY: 2}
    assert report.whole.total.entries == report.whole.total.wait.count == 3
    assert report.whole.points == (PointUse(5, 3, 3 * 930),)


def test_report_without_entries_is_empty() -> None:
    report = statistics(BERLIN, [])
    assert (report.days, report.whole.queues, report.whole.hours, report.whole.points) == ({}, {}, (), ())
    assert report.whole.total.entries == 0


def test_entry_of_an_earlier_day_is_refused() -> None:
    made = Statistics(BERLIN, {})
    made.add(stage(1, *SERVED, day=NEXT_DAY))
    with pytest.raises(ValueError, match="cannot follow"):
        made.add(stage(2, *SERVED))


def test_hours_are_those_of_the_site_s_clock() -> None:
    """`START` is 08:00 in Berlin; two hours later it is 10."""
    report = statistics(BERLIN, [stage(1, ("waiting", 7_200), ("called", 0)), stage(2, ("waiting", 60), ("called", 0))])
    assert report.whole.hours == (Hour(8, 2, 1), Hour(10, 0, 1))
    assert statistics("UTC", [stage(1, ("waiting", 0))]).whole.hours == (Hour(7, 1, 0),)


def test_hour_skipped_by_a_clock_change_has_no_arrivals() -> None:
    before = START + 41 * HOUR + 59 * MINUTE  # 2024-03-31 01:59
    assert [local_hour(before + minutes * MINUTE, BERLIN) for minutes in (0, 1, 60, 61)] == [1, 3, 3, 4]
    assert local_hour(START + 14 * MINUTE, "Asia/Kathmandu") == local_hour(START, "Asia/Kathmandu") == 12
    assert local_hour(START + 15 * MINUTE, "Asia/Kathmandu") == 13


def test_point_is_busy_while_it_has_a_patient() -> None:
    report = statistics(
        BERLIN,
        [
            stage(1, *SERVED, point_id=5),
            stage(2, ("waiting", 1), ("called", 45), ("held", 500), ("waiting", 1), ("called", 0), point_id=6),
        ],
    )
    assert report.whole.points == (PointUse(5, 1, 930), PointUse(6, 1, 45))


def test_memory_grows_with_different_durations_only() -> None:
    made = Statistics(BERLIN, {})
    dice = random.Random(5)
    for number in range(20_000):
        wait = dice.randrange(600)
        made.add(stage(number, ("waiting", wait), ("called", 0)))
    sums = made._of_day.queues[1]._wait
    assert len(sums._by_seconds) <= 600
    assert sums.spread().count == 20_000


def test_days_of_kept_sums_give_the_same_report() -> None:
    """Each day's sums go through JSON, as a cache keeps them. A day without entries is in no report."""
    dice = random.Random(11)
    days = ("2024-03-26", "2024-03-27", DAY, NEXT_DAY)
    stages = []
    for number in range(200):
        steps: tuple[tuple[State, int], ...] = (
            ("waiting", dice.randrange(900)),
            ("called", dice.randrange(60)),
            ("serving", dice.randrange(600)),
            ("completed", 0),
        )
        quote = (dice.randrange(300), dice.randrange(300, 900)) if dice.random() < 0.7 else None
        cut = dice.randrange(1, 5)
        about = {"queue_id": dice.randrange(1, 4), "point_id": dice.randrange(5, 8)}
        stages.append(stage(number, *steps[:cut], quote=quote, day=days[number // 50], **about))
    service_of = {1: 10, 2: 10, 3: None}
    made = Statistics(BERLIN, service_of)
    for day in days:
        sums = Sums()
        for each in stages:
            if each.business_day == day:
                sums.add(each, BERLIN)
        made.add_day(day, Sums.from_plain(json.loads(json.dumps(sums.plain()))))
    made.add_day("2024-03-31", Sums())
    assert made.report() == statistics(BERLIN, stages, service_of)


@pytest.mark.parametrize("plain", [[], [[]], [1, 2, 3, 4, 5], [[[1, []]], [[], []], [[], []], [[], []], [[], []]]])
def test_another_form_of_sums_is_refused(plain: list[object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Sums.from_plain(plain)


def test_days_of_sums_come_in_order() -> None:
    made = Statistics(BERLIN, {})
    made.add_day(NEXT_DAY, Sums())
    for day in (DAY, NEXT_DAY):
        with pytest.raises(ValueError, match="cannot follow"):
            made.add_day(day, Sums())
