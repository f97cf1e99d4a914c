"""The text of a scrape: byte for byte that of the library, at the first scrape and at every later one."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest

from server.transport.http.exposition import text_of


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    requests = Histogram("request_seconds", "Requests.\nBy route.", ["route", "status"], registry=registry)
    requests.labels("/sites/{id}", "200").observe(0.3)
    requests.labels('a "quoted" \\ name\n', "500").observe(3)
    Counter("commands", "Commands, \\ and more.", ["outcome"], registry=registry).labels("done").inc(12_345_678)
    gauge = Gauge("free_bytes", "Free bytes.", ["disk"], registry=registry)
    gauge.labels("a").set(math.inf)
    gauge.labels("").set(math.nan)
    gauge.labels("ä").set(-1e-9)
    Gauge("alone", "Without labels.", registry=registry).set(2**53)
    Gauge("nobody", "Without samples.", ["site"], registry=registry)
    Info("build", "The build.", registry=registry).info({"version": "1"})
    return registry


def test_text_is_that_of_the_library_at_each_scrape(registry: CollectorRegistry) -> None:
    assert text_of(registry) == generate_latest(registry)
    another = Counter("later", "A series that came later.", ["kind"], registry=registry)
    another.labels("b").inc()
    another.labels("a").inc(0.1)
    assert text_of(registry) == generate_latest(registry)
    assert text_of(registry).count(b'route="a \\"quoted\\" \\\\ name\\n"') == 17
