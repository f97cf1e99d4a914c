"""The metrics of one process, for Prometheus at ``/metrics``."""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import NotAllowed
from server.transport.http.endpoint import PUBLIC, Answer, Endpoints, Tag

ENDPOINTS = Endpoints(Tag.OPERATION)
MOST_KEPT_SECONDS = 1.0


class Metrics:
    """The metrics of one process."""

    def __init__(self, collectors: Iterable[Collector] = (), token: str | None = None) -> None:
        """``collectors`` are the figures of the parts of this process. ``token`` lets other machines read the metrics."""
        self._token = token
        self._text = b""
        self._fresh_until = 0.0
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "nowserving_request_seconds",
            "Requests by route template, method and status; streams are not among them.",
            ["route", "method", "status"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self.slow_requests = Counter(
            "nowserving_slow_requests", "Requests that took long, by route template.", ["route"], registry=self.registry
        )
        self.commands = Counter(
            "nowserving_commands", "Commands by name and outcome.", ["command", "outcome"], registry=self.registry
        )
        for each in collectors:
            self.registry.register(each)
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format. The text takes a twentieth of this process's time at most."""
        began = time.monotonic()
        if began >= self._fresh_until:
            self._text = generate_latest(self.registry)
            ended = time.monotonic()
            self._fresh_until = ended + min(MOST_KEPT_SECONDS, 20 * (ended - began))
        return self._text

    def answered(self) -> tuple[int, int]:
        """Return how many requests this process has answered, and how many of these with a status of 500 or more."""
        answered = failed = 0
        for sample in self._samples("_count"):
            answered += int(sample.value)
            failed += int(sample.value) if sample.labels["status"] >= "500" else 0
        return answered, failed

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this ``share`` of the requests took at most, to within a bucket; None without requests."""
        counts: Tally[float] = Tally()
        for sample in self._samples("_bucket"):
            counts[float(sample.labels["le"])] += int(sample.value)
        wanted, below, begin = share * counts[math.inf], 0, 0.0
        for end, count in sorted(counts.items()):
            if count >= wanted > 0:
                return begin if end == math.inf else begin + (end - begin) * (wanted - below) / (count - below)
            begin, below = end, count
        return None

    def _samples(self, kind: str) -> Iterator[Sample]:
        for family in self.requests.collect():
            yield from (each for each in family.samples if each.name.endswith(kind))

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
