"""The timeline of an entry, from its closed intervals."""

from __future__ import annotations

import random

from server.domain.model import State
from server.domain.reporting.timeline import Interval, Timeline, timeline

JOINED = 1_000


def walked(*steps: tuple[State, int], point_id: int | None = None) -> tuple[State, int, list[Interval]]:
    """Return the present state, its start and the closed intervals of an entry with the given states and lengths."""
    at, found = JOINED, []
    for seq, (state, length) in enumerate(steps[:-1], 1):
        found.append(Interval(seq, state, at, at + length, point_id))
        at += length
    return steps[-1][0], at, found


def test_waiting_entry_has_only_joined() -> None:
    assert timeline(*walked(("waiting", 0))) == Timeline(JOINED, (), None, None, 0, None, (), None)


def test_timeline_of_a_plain_visit() -> None:
    found = timeline(*walked(("waiting", 100), ("called", 20), ("serving", 300), ("completed", 0)))
    assert found == Timeline(
        joined_at=JOINED,
        calls=(JOINED + 100,),
        started_at=JOINED + 120,
        ended_at=JOINED + 420,
        waited=100,
        waited_for_call=100,
        walks=(20,),
        served=300,
    )


def test_intervals_are_in_the_order_of_their_events() -> None:
    state, since, intervals = walked(("waiting", 100), ("called", 0), ("serving", 0), ("completed", 0))
    shuffled = random.Random(3).sample(intervals, len(intervals))
    assert timeline(state, since, shuffled) == timeline(state, since, intervals)


def test_patient_comes_at_the_second_call() -> None:
    found = timeline(
        *walked(("waiting", 100), ("called", 50), ("no_show", 7), ("waiting", 30), ("called", 20), ("serving", 0))
    )
    assert found.calls == (JOINED + 100, JOINED + 187)
    assert (found.waited, found.waited_for_call) == (130, 130)
    assert found.walks == (20,), "who did not come has not walked"
    assert (found.started_at, found.ended_at, found.served) == (JOINED + 207, None, None)


def test_hold_does_not_count_as_wait_and_wait_after_the_last_call_is_separate() -> None:
    found = timeline(*walked(("waiting", 100), ("held", 1_000), ("waiting", 10), ("called", 5), ("held", 9), ("waiting", 40),
                             ("left", 0)))  # fmt: skip
    assert (found.waited, found.waited_for_call) == (150, 110)
    assert (found.walks, found.served) == ((), None)
    assert found.ended_at == JOINED + 1_164


def test_reopened_service_counts_both_parts() -> None:
    found = timeline(
        *walked(
            ("waiting", 10), ("called", 1), ("serving", 100), ("completed", 500),
            ("waiting", 20), ("called", 2), ("serving", 30), ("completed", 0),
        )
    )  # fmt: skip
    assert (found.served, found.waited, found.walks) == (130, 30, (1, 2))
    assert found.started_at == JOINED + 10 + 1 + 100 + 500 + 20 + 2
