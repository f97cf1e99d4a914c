"""The states of a circuit, by a clock that stands until it is moved."""

from __future__ import annotations

import random

from server.circuits import LONGEST_WISH_SECONDS, Circuit, Pace

PACE = Pace(failures=3, lasting=10.0, pause=30.0, longest=100.0, trial=20.0)
AT_ONCE = Pace(failures=1, lasting=0.0, pause=1.0, longest=1.0, trial=1.0)


def _opened() -> Circuit:
    """Return a circuit that opened at 10."""
    circuit = Circuit(PACE)
    for now in (0.0, 5.0, 10.0):
        circuit.failed(now)
    return circuit


def test_circuit_opens_after_failures_in_a_row_that_last() -> None:
    circuit = Circuit(PACE)
    states = []
    for now in (0.0, 1.0, 2.0, 9.9, 10.0):
        circuit.failed(now)
        states.append(circuit.state(now))
    assert states == ["closed"] * 4 + ["open"]
    assert (circuit.opened_at, circuit.next_at, circuit.openings) == (10.0, 40.0, 1)


def test_few_failures_open_nothing_however_long_they_last() -> None:
    circuit = Circuit(PACE)
    circuit.failed(0.0)
    circuit.failed(10_000.0)
    assert circuit.admits(10_000.0)
    assert circuit.state(10_000.0) == "closed"


def test_success_between_failures_begins_the_count_again() -> None:
    circuit = Circuit(PACE)
    for now in (0.0, 20.0):
        circuit.failed(now)
    circuit.succeeded()
    for now in (30.0, 35.0, 39.0):
        circuit.failed(now)
    assert circuit.state(39.0) == "closed"


def test_half_of_a_thousand_calls_a_second_may_fail() -> None:
    """A provider that fails so often, and goes on accepting the others, is called on."""
    circuit, chance, now = Circuit(PACE), random.Random(17), 0.0
    for _ in range(100_000):
        now += 0.001
        if chance.random() < 0.5:
            circuit.failed(now)
        else:
            circuit.succeeded()
        assert circuit.admits(now)


def test_open_circuit_admits_nobody_until_its_pause_ends() -> None:
    circuit = _opened()
    assert not circuit.admits(10.0)
    assert not circuit.admits(39.9)
    assert circuit.state(39.9) == "open"
    assert circuit.state(40.0) == "half-open"


def test_half_open_circuit_admits_one_trial() -> None:
    circuit = _opened()
    assert circuit.admits(40.0)
    assert circuit.state(40.0) == "half-open"
    assert not any(circuit.admits(now) for now in (40.0, 45.0, 59.9))


def test_trial_that_succeeds_closes_the_circuit() -> None:
    circuit = _opened()
    circuit.admits(40.0)
    circuit.succeeded()
    assert circuit.state(40.0) == "closed"
    assert all(circuit.admits(40.0) for _ in range(3))


def test_pause_grows_with_the_outage_up_to_its_longest() -> None:
    circuit, now, pauses = _opened(), 10.0, []
    for _ in range(4):
        now = circuit.next_at
        assert circuit.admits(now)
        circuit.failed(now)
        assert circuit.state(now) == "open"
        pauses.append(circuit.next_at - now)
    assert pauses == [30.0, 60.0, 100.0, 100.0]
    assert (circuit.opened_at, circuit.openings) == (10.0, 1), "the start of the outage stays"


def test_trial_without_a_result_is_followed_by_another() -> None:
    circuit = _opened()
    assert circuit.admits(40.0)
    assert circuit.admits(60.0)
    circuit.failed(61.0)
    assert circuit.state(61.0) == "open"


def test_trial_that_does_not_take_place_is_free_for_others() -> None:
    circuit = _opened()
    assert not circuit.give_back(11.0)
    assert circuit.admits(40.0)
    assert circuit.give_back(41.0)
    assert circuit.state(41.0) == "half-open"
    assert (circuit.admits(41.0), circuit.admits(41.0)) == (True, False)


def test_late_failure_of_an_earlier_call_prolongs_nothing() -> None:
    circuit = _opened()
    circuit.failed(39.0)
    assert circuit.next_at == 40.0


def test_late_success_of_an_earlier_call_closes_the_circuit() -> None:
    circuit = _opened()
    circuit.succeeded()
    assert circuit.admits(11.0)


def test_pause_is_at_least_what_the_dependency_asked_for() -> None:
    circuit = Circuit(AT_ONCE)
    circuit.failed(0.0, wish=50.0)
    assert circuit.next_at == 50.0
    circuit.admits(50.0)
    circuit.failed(50.0, wish=1e9)
    assert circuit.next_at == 50.0 + LONGEST_WISH_SECONDS


def test_circuit_of_a_cache_opens_at_its_first_failure() -> None:
    circuit = Circuit(AT_ONCE)
    circuit.failed(7.0)
    assert (circuit.admits(7.5), circuit.admits(8.0), circuit.admits(8.0)) == (False, True, False)


def test_state_of_another_process_counts() -> None:
    circuit = Circuit(PACE)
    circuit.follow(5.0, 35.0)
    assert circuit.state(20.0) == "open"
    assert circuit.openings == 0
    circuit.follow(5.0, 65.0)  # its trial has failed
    assert not circuit.admits(40.0)
    circuit.follow(None)
    assert circuit.admits(40.0)


def test_closed_circuit_of_another_process_forgets_no_failure_of_this_one() -> None:
    circuit = Circuit(PACE)
    circuit.failed(0.0)
    circuit.failed(5.0)
    circuit.follow(None)
    circuit.failed(10.0)
    assert circuit.state(10.0) == "open"
