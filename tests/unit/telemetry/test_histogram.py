"""A histogram with the buckets of Prometheus."""

from __future__ import annotations

from server.telemetry.histogram import Histogram


def test_bucket_counts_the_values_up_to_its_bound() -> None:
    histogram = Histogram((0.5, 1, 2))
    for value in (0.1, 0.5, 0.6, 2, 7):
        histogram.observe(value)
    assert histogram.buckets() == [("0.5", 2), ("1.0", 3), ("2.0", 4), ("+Inf", 5)]
    assert histogram.total == 10.2
