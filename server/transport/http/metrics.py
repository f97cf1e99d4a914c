"""The metrics of one process, for Prometheus at ``/metrics``."""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from functools import cache
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import NotAllowed
from server.telemetry.histogram import Histogram
from server.transport.http.endpoint import PUBLIC, Answer, Endpoints, Tag
from server.transport.http.exposition import text_of

ENDPOINTS = Endpoints(Tag.OPERATION)
MOST_KEPT_SECONDS = 1.0
REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds


class Requests(Collector):
    """The answered requests of one process, and how long each took."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str, str], Histogram] = {}

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count a request."""
        found = self._of.get((route, method, status))
        if found is None:
            found = self._of[route, method, status] = Histogram(REQUEST_BOUNDS)
        found.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        about = "Requests by route template, method and status; streams are not among them."
        family = HistogramMetricFamily("nowserving_request_seconds", about, labels=["route", "method", "status"])
        for labels, each in self._of.items():
            family.add_metric(labels, each.buckets(), each.total)
        yield family

    def by_status(self) -> Tally[str]:
        """Return the number of requests by status."""
        counts: Tally[str] = Tally()
        for (_, _, status), each in self._of.items():
            counts[status] += each.count
        return counts

    def buckets(self) -> list[tuple[float, int]]:
        """Return each bound and how many requests do not exceed it, the last bound being infinite."""
        counts: Tally[float] = Tally()
        for each in self._of.values():
            counts.update({float(bound): int(count) for bound, count in each.buckets()})
        return sorted(counts.items())


class Metrics:
    """The metrics of one process."""

    def __init__(self, collectors: Iterable[Collector] = (), token: str | None = None) -> None:
        """``collectors`` are the figures of the parts of this process. ``token`` lets other machines read the metrics."""
        self._token = token
        self._text = b""
        self._fresh_until = 0.0
        self.registry = CollectorRegistry()
        self.requests = Requests()
        self.slow_requests = Counter(
            "nowserving_slow_requests", "Requests that took long, by route template.", ["route"], registry=self.registry
        )
        self.commands = Counter(
            "nowserving_commands", "Commands by name and outcome.", ["command", "outcome"], registry=self.registry
        )
        # The library checks the labels and takes a lock at each look-up: twice the cost of the count itself.
        self.command_of = cache(self.commands.labels)
        for each in (self.requests, *collectors):
            self.registry.register(each)
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format. The text takes a twentieth of this process's time at most."""
        began = time.monotonic()
        if began >= self._fresh_until:
            self._text = text_of(self.registry)
            ended = time.monotonic()
            self._fresh_until = ended + min(MOST_KEPT_SECONDS, 20 * (ended - began))
        return self._text

    def answered(self) -> tuple[int, int]:
        """Return how many requests this process has answered, and how many of these with a status of 500 or more."""
        counts = self.requests.by_status()
        return counts.total(), sum(count for status, count in counts.items() if status >= "500")

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this ``share`` of the requests took at most, to within a bucket; None without requests."""
        buckets = self.requests.buckets()
        wanted, below, begin = share * (buckets[-1][1] if buckets else 0), 0, 0.0
        for end, count in buckets:
            if count >= wanted > 0:
                return begin if end == math.inf else begin + (end - begin) * (wanted - below) / (count - below)
            begin, below = end, count
        return None

    def may_read(self, request: Request) -> bool:
        """Return whether a client may read the metrics: from this machine, or with the token of the settings."""
        if self._token is not None:
            given = request.headers.get("authorization", "").encode()
            if secrets.compare_digest(given, f"Bearer {self._token}".encode()):
                return True
        try:
            return request.client is not None and ip_address(request.client.host).is_loopback
        except ValueError:
            return False


@ENDPOINTS.add(
    "GET",
    "/metrics",
    "metrics",
    Answer("All metrics, in Prometheus's text format.", schema={"type": "string"}, media_type="text/plain", counted=False),
    security=PUBLIC,
    refused=(NotAllowed,),
)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of this process, for Prometheus on this machine, or with the token of the settings."""
    metrics: Metrics = request.app.state.context.metrics
    if not metrics.may_read(request):
        raise NotAllowed()
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
