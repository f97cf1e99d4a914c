"""The figures of circuits: every kind has its series from the start, and no label names a host."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from server.circuits import Circuit, Pace
from server.queries.circuits import PROVIDERS, WEBHOOKS, CircuitTally, OpenCircuit
from server.transport.http.collectors import CircuitFigures

HOUR = 3_600_000_000


def _metrics(own: dict[str, Circuit], tally: CircuitTally) -> dict[str, float]:
    """Return the samples by name and labels, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(CircuitFigures(own, tally))
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def test_every_kind_is_closed_at_the_start() -> None:
    found = _metrics({"redis-limits": Circuit(Pace())}, CircuitTally())
    kinds = (*PROVIDERS, WEBHOOKS, "redis-limits")
    names = ("nowserving_circuit_state", "nowserving_circuits_open", "nowserving_circuit_openings_total")
    assert found == {f'{name}{{circuit="{kind}"}}': 0.0 for name in names for kind in kinds}


def test_circuits_of_a_kind_share_one_label() -> None:
    limits, tally, now = Circuit(Pace(failures=1, lasting=0.0)), CircuitTally(), 10 * HOUR
    limits.failed(time.monotonic())
    tally._take([], now)
    tally._take(
        [
            OpenCircuit("push:push.apple.com", now, now),
            OpenCircuit("push:fcm.googleapis.com", now, now + HOUR),
            OpenCircuit("webhooks:7", now, now),
            OpenCircuit("unknown:7", now, now),
        ],
        now,
    )
    found = _metrics({"redis-limits": limits}, tally)
    of = {name: value for name, value in found.items() if value}
    assert of == {
        'nowserving_circuit_state{circuit="push"}': 2.0,
        'nowserving_circuit_state{circuit="webhooks"}': 1.0,
        'nowserving_circuit_state{circuit="redis-limits"}': 2.0,
        'nowserving_circuits_open{circuit="push"}': 2.0,
        'nowserving_circuits_open{circuit="webhooks"}': 1.0,
        'nowserving_circuits_open{circuit="redis-limits"}': 1.0,
        'nowserving_circuit_openings_total{circuit="push"}': 2.0,
        'nowserving_circuit_openings_total{circuit="webhooks"}': 1.0,
        'nowserving_circuit_openings_total{circuit="redis-limits"}': 1.0,
    }


def test_trial_that_fails_is_no_other_opening() -> None:
    tally, now = CircuitTally(), 10 * HOUR
    tally._take([OpenCircuit("smtp:1", now, now + HOUR)], now)
    assert tally.openings["smtp"] == 0, "it was open before this process began"
    tally._take([OpenCircuit("smtp:1", now, now + 2 * HOUR)], now)
    assert tally.openings["smtp"] == 0
    tally._take([], now)
    tally._take([OpenCircuit("smtp:1", now + HOUR, now + 2 * HOUR)], now)
    assert tally.openings["smtp"] == 1
