"""The prospects of points follow the last days that agree with the present one."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from server.domain.model.habits import GOING_ON, NO_MORE, SECOND, Day, PointDay
from server.domain.staffing import FEW, Prospect, beginning, closed, opening, resting, working
from server.domain.waits import FUTURES
from tests.support.extent import examples

POINT, OTHER = 7, 8
HOUR, MINUTE = 3600, 60
EIGHT = 4 * HOUR  # days begin at four


def past(*days: PointDay) -> tuple[Day, ...]:
    return tuple(((day,), ()) for day in days)


def begun(*seconds: int) -> tuple[Day, ...]:
    return past(*((POINT, each, 1) for each in seconds))


def minutes(values: Sequence[int]) -> list[int]:
    return sorted(each // SECOND // MINUTE for each in values)


LATE = begun(*(EIGHT + minute * MINUTE for minute in (20, 22, 24, 25, 25, 26, 28, 30, 33, 35)))


def test_point_begins_as_on_the_last_days() -> None:
    found = minutes(beginning(POINT, LATE, EIGHT - HOUR, None).begins)
    assert len(found) == FUTURES
    assert 84 <= found[FUTURES // 2] <= 86, "at twenty-five past eight"
    assert found[5] >= 75
    assert found[FUTURES * 8 // 10] <= 95


def test_point_that_lets_patients_wait_begins_later_than_on_earlier_days() -> None:
    now = EIGHT + 27 * MINUTE
    waiting = beginning(POINT, LATE, now, EIGHT)
    assert min(waiting.begins) >= 0
    assert 3 <= minutes(waiting.begins)[FUTURES // 2] <= 8, "in the middle of 28, 30, 33 and 35"
    assert minutes(beginning(POINT, LATE, now, None).begins)[FUTURES // 2] == 0, "nobody waits: the point may be there"


def test_point_that_is_later_than_ever_is_expected_the_later_the_longer_it_takes() -> None:
    middles = [minutes(beginning(POINT, LATE, EIGHT + late * MINUTE, EIGHT).begins)[FUTURES // 2] for late in (40, 70, 130)]
    assert middles == sorted(middles)
    assert middles[-1] >= 30


def test_new_point_calls_at_once_until_patients_have_waited_in_vain() -> None:
    assert beginning(POINT, (), EIGHT, None) == Prospect()
    assert beginning(POINT, past((OTHER, EIGHT, 1)), EIGHT, None) == Prospect()
    waited = beginning(POINT, (), EIGHT, EIGHT - 30 * MINUTE).begins
    assert minutes(waited)[FUTURES // 2] >= 10


def test_first_call_without_a_wait_says_nothing_about_the_begin() -> None:
    assert beginning(POINT, past((POINT, EIGHT + HOUR, 0)), EIGHT, None) == Prospect()


LUNCH = past(*((POINT, EIGHT, 1, 8 * HOUR + at * MINUTE, 8 * HOUR + (at + 30) * MINUTE) for at in (0, 5, 10, 15, 20, 25)))


def test_breaks_come_as_on_the_last_days_and_only_once() -> None:
    found = working((POINT, EIGHT, 1), LUNCH, 7 * HOUR).breaks
    assert len(found) == FUTURES
    assert {length // SECOND for each in found for _, length in each} == {30 * MINUTE}
    assert sorted({begin // SECOND // MINUTE for each in found for begin, _ in each}) == [60, 65, 70, 75, 80, 85]
    eaten = working((POINT, EIGHT, 1, 8 * HOUR, 8 * HOUR + 30 * MINUTE), LUNCH, 8 * HOUR + 45 * MINUTE)
    assert eaten == Prospect()
    early = working((POINT, EIGHT, 1, 7 * HOUR, 7 * HOUR + 30 * MINUTE), LUNCH, 7 * HOUR + 40 * MINUTE)
    assert early.breaks, "on no other day was the break so early: it may have been another one"


def test_lunch_that_has_not_come_by_its_usual_time_follows_the_days_on_which_it_was_late() -> None:
    found = working((POINT, EIGHT, 1), LUNCH, 8 * HOUR + 12 * MINUTE).breaks
    begins = {begin // SECOND // MINUTE for each in found for begin, _ in each}
    assert begins <= {3, 8, 13}


def test_point_on_a_break_comes_back_after_the_longer_ones() -> None:
    days = past(*((POINT, EIGHT, 1, 7 * HOUR, 7 * HOUR + each * MINUTE) for each in (10, 10, 20, 20, 30, 30)))
    day = (POINT, EIGHT, 1, 7 * HOUR, GOING_ON)
    at_once = minutes(resting(day, days, 7 * HOUR, occupied=False).begins)
    assert at_once[20] <= 15 <= at_once[70]
    later = minutes(resting(day, days, 7 * HOUR + 15 * MINUTE, occupied=False).begins)
    assert 3 <= later[FUTURES // 2] <= 15, "those of 20 and 30 minutes remain"
    assert minutes(resting(day, days, 7 * HOUR + 15 * MINUTE, occupied=True).begins) == at_once, "it has not begun"
    forgotten = minutes(resting(day, days, 12 * HOUR, occupied=False).begins)
    assert forgotten[FUTURES // 2] >= 60


def test_first_break_of_a_point_lasts_some_usual_time() -> None:
    found = minutes(resting((POINT, EIGHT, 1, 7 * HOUR, GOING_ON), (), 7 * HOUR, occupied=False).begins)
    assert 10 <= found[FUTURES // 2] <= 30


def test_closed_point_is_expected_only_at_its_usual_time() -> None:
    assert opening(POINT, begun(*[EIGHT] * (FEW - 1)), EIGHT - HOUR) is None, "too few days"
    assert opening(POINT, LATE, EIGHT + HOUR) is None, "later than ever: it will not open today"
    found = opening(POINT, LATE, EIGHT - HOUR)
    assert found is not None
    assert minutes(found.begins)[0] >= 60
    sometimes = (*LATE[:5], *past(*[(OTHER, EIGHT, 1)] * 9))
    assert opening(POINT, sometimes, EIGHT - HOUR) is None


def test_point_closed_for_lunch_opens_again() -> None:
    noon = 8 * HOUR + 5 * MINUTE
    found = closed((POINT, EIGHT, 1, noon, GOING_ON), LUNCH, noon + MINUTE)
    assert found is not None
    assert 20 <= minutes(found.begins)[FUTURES // 2] <= 35
    assert closed((POINT, EIGHT, 1, 12 * HOUR, GOING_ON), LUNCH, 12 * HOUR + MINUTE) is None, "closed in the evening"


def test_point_whose_staff_go_home_early_calls_nobody_afterwards() -> None:
    days = past(*[(POINT, EIGHT, 1, 10 * HOUR, GOING_ON)] * 5)
    found = working((POINT, EIGHT, 1), days, 9 * HOUR).breaks
    assert {each[0][0] // SECOND for each in found} == {HOUR}
    assert {each[0][1] // SECOND for each in found} == {24 * HOUR}


seconds = st.integers(0, 24 * HOUR)


@st.composite
def point_days(draw: st.DrawFn) -> PointDay:
    times = sorted(draw(st.lists(seconds, min_size=1, max_size=9, unique=True)))
    if len(times) % 2 == 0:
        times[-1] = GOING_ON
        times = times[:-1] if len(times) == 2 else [*times[:-2], times[-2]]
    first, *breaks = times
    breaks = breaks[: len(breaks) // 2 * 2]
    return (POINT, first, draw(st.integers(0, 1)), *breaks)


@examples(200)
@given(st.lists(st.one_of(st.none(), point_days()), max_size=20), point_days(), seconds, st.integers(-HOUR, 8 * HOUR))
def test_prospects_are_never_in_the_past_and_their_breaks_are_in_order(
    days: list[PointDay | None], today: PointDay, now: int, waited: int
) -> None:
    known = tuple((((day,) if day else ()), ()) for day in days)
    rest = (*today, now - max(0, waited), GOING_ON)
    found = [
        beginning(POINT, known, now, None),
        beginning(POINT, known, now, now - waited),
        working(today, known, now),
        resting(rest, known, now, occupied=False),
        resting(rest, known, now, occupied=True),
        opening(POINT, known, now),
        closed(rest, known, now),
    ]
    for each in filter(None, found):
        assert len(each.begins) in (0, FUTURES)
        assert len(each.breaks) in (0, FUTURES)
        assert all(begin >= 0 for begin in each.begins)
        for breaks in each.breaks:
            assert list(breaks) == sorted(breaks)
            assert all(begin > 0 < length for begin, length in breaks)


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True), min_size=1, max_size=6), st.data())
def test_memory_of_the_last_days_changes_nothing(days: list[list[int]], data: st.DataObject) -> None:
    """What a process has found out at one time of the day is right for this time alone."""
    known = past(*((POINT, times[0], 1, *times[1 : len(times) // 2 * 2 - 1]) for times in map(sorted, days)))
    for now in data.draw(st.lists(st.integers(0, 45), min_size=2, max_size=6)):
        today = (POINT, 0, 1, *range(1, 1 + 2 * data.draw(st.integers(0, 3))))
        fresh = (*known[:1], *known[1:])
        assert fresh is not known
        assert working(today, known, now) == working(today, fresh, now)


def test_point_that_goes_home_while_patients_wait_also_goes_home_when_nobody_waits() -> None:
    home = EIGHT + 4 * HOUR
    left, unseen = (POINT, EIGHT, 1, home, GOING_ON), (POINT, EIGHT, 1, home, NO_MORE)
    now = EIGHT + HOUR
    often = working((POINT, EIGHT, 1), past(*(left, unseen, unseen) * 4), now)
    assert {each[0][0] for each in often.breaks} == {3 * HOUR * SECOND}, "in every future"
    rarely = working((POINT, EIGHT, 1), past(left, *(unseen,) * 8), now)
    assert 0 < sum(bool(each) for each in rarely.breaks) < FUTURES // 4
    assert working((POINT, EIGHT, 1), past(*(unseen,) * 8), now) == Prospect()
