"""The figures of the parts of a process, as Prometheus collects them. A scrape asks the database nothing."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from server.audit import Audit
from server.caching.cache import Cache
from server.circuits import VALUES, Circuit
from server.clock import SteadyClock
from server.domain.messages import Way
from server.domain.views import (
    AppointmentView,
    CalendarView,
    ConfigurationView,
    DeskView,
    DisplayView,
    KioskView,
    PointView,
    TicketView,
)
from server.installation.certificates import CertificateFile
from server.installation.places import disk_space
from server.live.hub import Hub
from server.live.redis_bus import RedisBus
from server.queries.archives import LastArchived
from server.queries.backups import LastBackup
from server.queries.circuits import CircuitTally
from server.queries.clinic_tally import ClinicTally
from server.queries.flags import KeptFlags
from server.queries.message_tally import ENDED, MessageTally
from server.queries.reader import Pooled
from server.telemetry.clinic_totals import ClinicTotals
from server.turns import Turns

_VIEWS = (AppointmentView, CalendarView, ConfigurationView, DeskView, DisplayView, KioskView, PointView, TicketView)
# Prometheus sees no growth in a series that begins with its first event: these begin with 0, because alerts watch them.
_NO_DISAGREEMENTS = dict.fromkeys((each.kind for each in _VIEWS), 0)
_NO_MESSAGES = dict.fromkeys(product(ENDED, get_args(Way)), 0)


class LiveFigures(Collector):
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
        yield _total("nowserving_disagreements", about, ["view"], _NO_DISAGREEMENTS | hub.disagreements)
        lag = "Seconds by which the check of the feeds against their logs is overdue. It should stay 0."
        yield GaugeMetricFamily("nowserving_feed_lag_seconds", lag, hub.lag_seconds)
        about = "Seconds from an event to the write of its change to the screens of this process, once for each flush."
        shown = hub.shown
        yield HistogramMetricFamily("nowserving_shown_seconds", about, shown.buckets(), shown.total)
        yield CounterMetricFamily("nowserving_refills", "Times a feed caught up from the log.", hub.backfills)
        bus = hub.bus
        yield GaugeMetricFamily("nowserving_bus_healthy", "1 while the bus answers its probe.", int(bus.healthy))
        if isinstance(bus, RedisBus):
            yield CounterMetricFamily("nowserving_bus_dropped", "Messages the bus did not take.", bus.dropped)
            yield CounterMetricFamily("nowserving_bus_gaps", "Times the bus connected again.", bus.gaps)


class CircuitFigures(Collector):
    """Reads the circuits of this process by their names, and those of the installation as the housekeeping found them."""

    def __init__(self, own: Mapping[str, Circuit], tally: CircuitTally) -> None:
        self._own = own
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        now, tally = time.monotonic(), self._tally
        states = tally.states | {name: each.state(now) for name, each in self._own.items()}
        about = "The worst state of the circuits of a kind: 0 closed, 1 half-open, 2 open. It should be 0."
        state = GaugeMetricFamily("nowserving_circuit_state", about, labels=["circuit"])
        about = "Circuits of a kind that are not closed: the providers or receivers that get one trial from time to time."
        number = GaugeMetricFamily("nowserving_circuits_open", about, labels=["circuit"])
        for name, found in states.items():
            state.add_metric([name], VALUES[found])
            number.add_metric([name], tally.open[name] if name in tally.states else int(found != "closed"))
        yield state
        yield number
        openings = tally.openings | {name: each.openings for name, each in self._own.items()}
        yield _total("nowserving_circuit_openings", "Times that a circuit of a kind opened.", ["circuit"], openings)


class AuditFigures(Collector):
    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("nowserving_audit_waiting", "Audit rows that are not written yet.", self._audit.waiting)
        yield CounterMetricFamily("nowserving_audit_lost", "Audit rows that the queue could not take.", self._audit.lost)


class ClockFigures(Collector):
    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        step = "Seconds by which the database's clock is ahead of the trusted time, or behind it (negative). It should be 0."
        yield GaugeMetricFamily("nowserving_clock_step_seconds", step, self._clock.step / 1_000_000)
        behind = "Seconds by which the trusted time is behind the log of a site. It should stay 0."
        yield GaugeMetricFamily("nowserving_clock_behind_seconds", behind, self._clock.behind / 1_000_000)


class CertificateFigures(Collector):
    """Reads what the housekeeping has found. Without a certificate that can be read, there is no figure."""

    def __init__(self, certificate: CertificateFile, clock: SteadyClock) -> None:
        self._certificate = certificate
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        left = self._certificate.seconds_left(self._clock.now())
        if not isinstance(left, str):
            about = "Seconds until the proxy's certificate ends; negative afterwards."
            yield GaugeMetricFamily("nowserving_certificate_seconds", about, left)


class DiskFigures(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        space = disk_space(self._folder)
        if space is not None:
            yield GaugeMetricFamily("nowserving_disk_free_bytes", "Free bytes on the disk of the data.", space[0])
            yield GaugeMetricFamily("nowserving_disk_total_bytes", "Bytes of the disk of the data.", space[1])


class FlagFigures(Collector):
    """Reads what the housekeeping has read: a scrape asks the database nothing."""

    def __init__(self, flags: KeptFlags) -> None:
        self._flags = flags

    def collect(self) -> Iterator[Metric]:
        about = "1 while a rule of an operator for the flag is in force, else 0."
        overrides = GaugeMetricFamily("nowserving_flag_overrides", about, labels=["flag"])
        for key, overridden in self._flags.overridden().items():
            overrides.add_metric([key], int(overridden))
        yield overrides


class MessageFigures(Collector):
    """Reads what the housekeeping has counted: a scrape asks the database nothing."""

    def __init__(self, tally: MessageTally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        about = "Messages of the installation that have ended since this process began, by state and way."
        yield _total("nowserving_messages", about, ["state", "way"], _NO_MESSAGES | self._tally.ended)
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
        if health.beat is not None:
            yield GaugeMetricFamily("nowserving_beat_seconds", "Seconds since beat woke a worker.", health.beat / 1_000_000)


class DatabaseFigures(Collector):
    def __init__(self, database: Pooled) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        pool = self._database.pool
        yield GaugeMetricFamily("nowserving_pool_size", "Database connections that this process keeps open.", pool.size)
        about = "Further database connections that this process may open while all of these are in use."
        yield GaugeMetricFamily("nowserving_pool_overflow", about, pool.overflow)
        yield GaugeMetricFamily("nowserving_pool_in_use", "Database connections in use.", pool.in_use)
        about = "Times that work waited for a database connection. It should grow slowly."
        yield CounterMetricFamily("nowserving_pool_waited", about, pool.waited)
        yield CounterMetricFamily("nowserving_slow_queries", "Statements that took long.", self._database.slow_queries)


class TurnFigures(Collector):
    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def collect(self) -> Iterator[Metric]:
        waiting = "Commands that wait for their turn, at all sites."
        yield GaugeMetricFamily("nowserving_commands_waiting", waiting, self._turns.waiting)
        refused = "Commands refused before they began, by reason; `busy`: too many commands waited at the site."
        yield _total("nowserving_commands_refused", refused, ["why"], {"busy": self._turns.refused})


class ClinicFigures(Collector):
    """Reads what the commands of this process and the housekeeping have counted."""

    def __init__(self, totals: ClinicTotals, tally: ClinicTally) -> None:
        self._totals = totals
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        totals, tally = self._totals, self._tally
        yield _total("nowserving_patients", "Steps of patients by commands of this process.", ["step"], totals.steps)
        about = "First calls of patients with a promised time: before, within or after the promised range."
        yield _total("nowserving_promises", about, ["outcome"], totals.promises)
        about = "Seconds that patients had waited at their first call in a queue."
        yield HistogramMetricFamily("nowserving_wait_seconds", about, totals.waits.buckets(), totals.waits.total)
        about = "Patients that wait now, by site. Several processes count the same site: take the largest value."
        yield _gauge("nowserving_waiting", about, tally.waiting)
        yield _gauge("nowserving_longest_wait_seconds", "The longest present wait, by site.", tally.longest)
        about = "Paired displays and kiosks that were connected before, and are not connected now, by site."
        yield _gauge("nowserving_screens_dark", about, tally.dark)


def _gauge(name: str, about: str, by_site: Mapping[int, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=["site"])
    for site_id, value in by_site.items():
        family.add_metric([str(site_id)], value)
    return family


class BackupFigures(Collector):
    def __init__(self, last: LastBackup, clock: SteadyClock) -> None:
        self._last = last
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        seconds = self._last.age(self._clock.now())
        if isinstance(seconds, str):
            return
        age = "Seconds since the instant of the newest verified backup. It should stay below 93600, 26 hours."
        yield GaugeMetricFamily("nowserving_backup_age_seconds", age, seconds)


class ArchiveFigures(Collector):
    """An embedded database has the age of its archive, and a database server with binary logs their state."""

    def __init__(self, last: LastArchived) -> None:
        self._last = last

    def collect(self) -> Iterator[Metric]:
        if self._last.seconds is not None:
            about = "Seconds since the newest record of the archive, +Inf without one. It should stay below 300."
            yield GaugeMetricFamily("nowserving_archive_age_seconds", about, self._last.seconds)
        logs = self._last.logs
        if logs is not None:
            about = "1 if the database server writes binary logs that a restore can use, else 0."
            yield GaugeMetricFamily("nowserving_binary_logs_usable", about, int(logs.usable))


class CacheFigures(Collector):
    """Reads the counts of caches with a store. The hit rate is ``hits / (hits + misses)``."""

    def __init__(self, caches: Sequence[Cache[Any]]) -> None:
        self._caches = caches

    def collect(self) -> Iterator[Metric]:
        for outcome, about in (
            ("hits", "Results that the cache had, by cache."),
            ("misses", "Results that the cache did not have, by cache."),
            ("bypasses", "Results that were computed because Redis was away, by cache."),
        ):
            yield _total(
                f"nowserving_cache_{outcome}", about, ["cache"], {c.name: getattr(c, outcome) for c in self._caches}
            )


def _total(name: str, about: str, labels: list[str], counts: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, count in counts.items():
        family.add_metric([values] if isinstance(values, str) else values, count)
    return family
