"""The metrics of one process, for Prometheus at ``/metrics``."""

from __future__ import annotations

import secrets
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from server.audit import Audit
from server.clock import SteadyClock
from server.domain.errors import NotAllowed
from server.live.hub import Hub
from server.live.redis_bus import RedisBus
from server.places import disk_space
from server.queries.message_tally import MessageTally
from server.transport.http.endpoint import PUBLIC, Answer, Endpoints, Tag

ENDPOINTS = Endpoints(Tag.OPERATION)
MOST_KEPT_SECONDS = 1.0


class Metrics:
    """The metrics of one process."""

    def __init__(
        self,
        hub: Hub,
        audit: Audit,
        clock: SteadyClock,
        messages: MessageTally,
        token: str | None = None,
        data_folder: Path | None = None,
    ) -> None:
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
        self.commands = Counter(
            "nowserving_commands", "Commands by name and outcome.", ["command", "outcome"], registry=self.registry
        )
        self.registry.register(_LiveFigures(hub))
        self.registry.register(_AuditFigures(audit))
        self.registry.register(_ClockFigures(clock))
        self.registry.register(_MessageFigures(messages))
        if data_folder is not None:
            self.registry.register(_DiskFigures(data_folder))

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format. The text takes a twentieth of this process's time at most."""
        began = time.monotonic()
        if began >= self._fresh_until:
            self._text = generate_latest(self.registry)
            ended = time.monotonic()
            self._fresh_until = ended + min(MOST_KEPT_SECONDS, 20 * (ended - began))
        return self._text

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


class _LiveFigures(Collector):
    """Reads the hub at collection, so that the hot path does not count twice."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        hub = self._hub
        streams = GaugeMetricFamily(
            "nowserving_streams", "Open streams by view and transport.", labels=["view", "transport"]
        )
        for (view, transport), count in Tally((each.view_kind, each.transport) for each in hub.streams()).items():
            streams.add_metric([view, transport], count)
        yield streams
        paused = sum(stream.paused for stream in hub.streams())
        yield GaugeMetricFamily("nowserving_streams_paused", "Open streams whose reader takes nothing.", paused)
        about = "Streams that ended, by view and reason; `slow` ones were cut off."
        yield _total("nowserving_streams_closed", about, ["view", "reason"], hub.closed)
        yield _total("nowserving_delivered", "Messages written, by kind.", ["kind"], hub.delivered)
        about = "Bytes of the messages written, without framing, by kind."
        yield _total("nowserving_delivered_bytes", about, ["kind"], hub.bytes_delivered)
        about = "Screens that said that what they show is not the truth, by view. It should stay 0."
        yield _total("nowserving_disagreements", about, ["view"], hub.disagreements)
        lag = "Seconds by which the check of the feeds against their logs is overdue. It should stay 0."
        yield GaugeMetricFamily("nowserving_feed_lag_seconds", lag, hub.lag_seconds)
        yield CounterMetricFamily("nowserving_refills", "Times a feed caught up from the log.", hub.backfills)
        bus = hub.bus
        yield GaugeMetricFamily("nowserving_bus_healthy", "1 while the bus answers its probe.", int(bus.healthy))
        if isinstance(bus, RedisBus):
            yield CounterMetricFamily("nowserving_bus_dropped", "Messages the bus did not take.", bus.dropped)
            yield CounterMetricFamily("nowserving_bus_gaps", "Times the bus connected again.", bus.gaps)


class _AuditFigures(Collector):
    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("nowserving_audit_waiting", "Audit rows that are not written yet.", self._audit.waiting)
        yield CounterMetricFamily("nowserving_audit_lost", "Audit rows that the queue could not take.", self._audit.lost)


class _ClockFigures(Collector):
    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        step = "Seconds by which the database's clock is ahead of the trusted time, or behind it (negative). It should be 0."
        yield GaugeMetricFamily("nowserving_clock_step_seconds", step, self._clock.step / 1_000_000)
        behind = "Seconds by which the trusted time is behind the log of a site. It should stay 0."
        yield GaugeMetricFamily("nowserving_clock_behind_seconds", behind, self._clock.behind / 1_000_000)


class _DiskFigures(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        space = disk_space(self._folder)
        if space is not None:
            yield GaugeMetricFamily("nowserving_disk_free_bytes", "Free bytes on the disk of the data.", space[0])
            yield GaugeMetricFamily("nowserving_disk_total_bytes", "Bytes of the disk of the data.", space[1])


class _MessageFigures(Collector):
    """Reads what the housekeeping has counted: a scrape asks the database nothing."""

    def __init__(self, tally: MessageTally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        about = "Messages of the installation that have ended since this process began, by state and way."
        yield _total("nowserving_messages", about, ["state", "way"], self._tally.ended)
        health = self._tally.health
        if health is None:
            return
        oldest = "Seconds since the oldest due message should have gone out. It should stay below 60."
        yield GaugeMetricFamily("nowserving_messages_oldest_seconds", oldest, health.oldest / 1_000_000)
        yield GaugeMetricFamily("nowserving_messages_late", "Messages due for more than five minutes.", health.late)
        without = "Messages that no channel can send."
        yield GaugeMetricFamily("nowserving_messages_without_channel", without, health.without_channel)
        if health.swept is not None:
            swept = "Seconds since the last finished sweep."
            yield GaugeMetricFamily("nowserving_messages_swept_seconds", swept, health.swept / 1_000_000)


def _total(name: str, about: str, labels: list[str], counts: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, count in counts.items():
        family.add_metric([values] if isinstance(values, str) else values, count)
    return family


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
