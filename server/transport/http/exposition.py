"""The metrics of a registry in Prometheus's text format. The library writes the name of each series once in a process.

A scrape repeats hundreds of names and labels, and only the numbers differ. The library checks and escapes all of them every
time, which is most of the cost of a scrape.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

_MOST_KEPT = 20_000  # series of a process: routes x statuses x buckets, far below this

# A second series for each one, which only the format OpenMetrics knows.
disable_created_metrics()  # type: ignore[no-untyped-call]


def text_of(registry: Collector) -> bytes:
    """Return the same bytes as ``generate_latest`` of the library, for samples without instants of their own."""
    lines: list[str] = []
    for metric in registry.collect():
        lines.append(_head(metric.name, metric.documentation, metric.type))
        for each in metric.samples:
            value = floatToGoString(each.value)  # type: ignore[no-untyped-call]
            lines.append(f"{_series(metric.type, each.name, tuple(each.labels.items()))} {value}\n")
    return "".join(lines).encode()


class _One(Collector):
    """A collector of one metric."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


@lru_cache(_MOST_KEPT)
def _head(name: str, about: str, kind: str) -> str:
    return generate_latest(_One(Metric(name, about, kind))).decode()


@lru_cache(_MOST_KEPT)
def _series(kind: str, name: str, labels: tuple[tuple[str, str], ...]) -> str:
    metric = Metric(name, "", kind)
    metric.samples.append(Sample(name, dict(labels), 0.0))
    return generate_latest(_One(metric)).decode().splitlines()[-1].rpartition(" ")[0]
