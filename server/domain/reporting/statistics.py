"""What managers ask of past days: how long people waited, how many did not come, whether the promised waits were true.

Pure, and of bounded memory however many entries are added: durations are kept as counts by whole seconds, and the figures
of a day are settled when the next day's first entry comes. Integers throughout; what is told is in whole seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from server.domain import waits
from server.domain.model import BUSY_STATES, OPEN_STATES, State
from server.domain.reporting.timeline import Interval, Timeline, timeline
from server.domain.waits import Quote

SECOND = 1_000_000
_QUARTER = 900 * SECOND  # every zone's clock differs from UTC by whole quarters of an hour


@dataclass(frozen=True, slots=True)
class Stage:
    """An entry as its row and its closed intervals have it.

    ``opened_at`` is when its visit began: the stage that joined then is the ticket. ``quote`` is the one first given, None
    if there was none; ``first_called_at`` is the truth of it.
    """

    entry_id: int
    business_day: str
    queue_id: int
    state: State
    since: int
    opened_at: int
    quote: Quote | None
    first_called_at: int | None
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations in whole seconds; all None without any. Nine in ten are no longer than ``p90_seconds``."""

    count: int
    mean_seconds: int | None
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None


@dataclass(frozen=True, slots=True)
class Promises:
    """How true the quotes first given were, of those called: see `server.domain.waits.Coverage`, here in whole seconds.

    Good quotes have 90 % held and 50 % early.
    """

    count: int
    held_percent: int | None
    early_percent: int | None
    missed_by_median_seconds: int
    missed_by_most_seconds: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one set of entries.

    ``tickets`` are visits that began in it, ``entries`` all stages, from transfers too. Each entry is open or has ended as
    ``served``, ``no_shows``, ``transferred``, ``left``, ``cancelled`` or ``expired``. ``wait`` is up to the last call, of
    those called; ``walk`` from a call to the start; ``service`` from the start on.
    """

    tickets: int
    entries: int
    open: int
    served: int
    no_shows: int
    transferred: int
    left: int
    cancelled: int
    expired: int
    wait: Spread
    walk: Spread
    service: Spread
    promises: Promises


@dataclass(frozen=True, slots=True)
class Hour:
    """The load of one hour of the site's wall clock, 0 to 23."""

    hour: int
    arrivals: int
    calls: int


@dataclass(frozen=True, slots=True)
class PointUse:
    """What a point did, by closed intervals: how many of its calls have come to something, and how long it had somebody."""

    point_id: int
    calls: int
    busy_seconds: int


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of a set of entries: all together, by service, by queue, by hour, by point; none without any.

    Queues of no service are in no service's figures.
    """

    total: Figures
    services: Mapping[int, Figures]
    queues: Mapping[int, Figures]
    hours: tuple[Hour, ...]
    points: tuple[PointUse, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of some business days: of each that had entries, and of all together."""

    whole: Group
    days: Mapping[str, Group]


class Durations:
    """A set of durations, in the memory of its different whole seconds."""

    __slots__ = ("_by_seconds", "_sum")

    def __init__(self) -> None:
        self._by_seconds: Counter[int] = Counter()
        self._sum = 0

    def add(self, microseconds: int) -> None:
        """Add one."""
        self._by_seconds[microseconds // SECOND] += 1
        self._sum += microseconds

    def merge(self, other: Durations) -> None:
        """Add all of another set."""
        self._by_seconds.update(other._by_seconds)
        self._sum += other._sum

    def spread(self) -> Spread:
        """Return its figures. A percentile is the least duration that so many are no longer than."""
        ordered = sorted(self._by_seconds)
        ranks = list(accumulate(self._by_seconds[seconds] for seconds in ordered))
        count = ranks[-1] if ranks else 0
        if not count:
            return Spread(0, None, None, None, None)

        def at(rank: int) -> int:
            return next(seconds for seconds, upto in zip(ordered, ranks, strict=True) if rank <= upto)

        return Spread(count, self._sum // count // SECOND, at((count + 1) // 2), at((9 * count + 9) // 10), ordered[-1])

    def above_median(self) -> int:
        """Return the upper median in seconds, as `server.domain.waits.coverage` does; 0 of none."""
        middle = self._by_seconds.total() // 2
        for seconds in sorted(self._by_seconds):
            middle -= self._by_seconds[seconds]
            if middle < 0:
                return seconds
        return 0

    def longest(self) -> int:
        """Return the longest in seconds; 0 of none."""
        return max(self._by_seconds, default=0)


class _Tally:
    """Counts the entries of one queue and day, or of several."""

    __slots__ = ("_early", "_missed", "_promised", "_service", "_states", "_tickets", "_wait", "_walk")

    def __init__(self) -> None:
        self._tickets = 0
        self._states: Counter[State] = Counter()
        self._wait, self._walk, self._service = Durations(), Durations(), Durations()
        self._promised = self._early = 0
        self._missed = Durations()

    def add(self, stage: Stage, times: Timeline) -> None:
        self._tickets += times.joined_at == stage.opened_at
        self._states[stage.state] += 1
        if times.waited_for_call is not None:
            self._wait.add(times.waited_for_call)
        for walk in times.walks:
            self._walk.add(walk)
        if times.served is not None:
            self._service.add(times.served)
        called_at = stage.first_called_at
        if stage.quote is not None and called_at is not None:
            self._promised += 1
            self._early += called_at < stage.quote.expect_from
            if not waits.held(stage.quote, called_at):
                self._missed.add(waits.missed_by(stage.quote, called_at))

    def merge(self, other: _Tally) -> None:
        self._tickets += other._tickets
        self._states.update(other._states)
        self._wait.merge(other._wait)
        self._walk.merge(other._walk)
        self._service.merge(other._service)
        self._promised += other._promised
        self._early += other._early
        self._missed.merge(other._missed)

    def figures(self) -> Figures:
        missed = self._missed.spread().count
        truth = waits.Coverage(self._promised, self._promised - missed, self._early, 0, 0)
        return Figures(
            tickets=self._tickets,
            entries=self._states.total(),
            open=sum(self._states[state] for state in OPEN_STATES),
            served=self._states["completed"],
            no_shows=self._states["no_show"],
            transferred=self._states["transferred"],
            left=self._states["left"],
            cancelled=self._states["cancelled"],
            expired=self._states["expired"],
            wait=self._wait.spread(),
            walk=self._walk.spread(),
            service=self._service.spread(),
            promises=Promises(
                count=truth.count,
                held_percent=truth.held_percent,
                early_percent=truth.early_percent,
                missed_by_median_seconds=self._missed.above_median(),
                missed_by_most_seconds=self._missed.longest(),
            ),
        )


class _Sums:
    """What is counted of one day, or of several."""

    __slots__ = ("arrivals", "busy", "called_at_point", "calls", "queues")

    def __init__(self) -> None:
        self.queues: defaultdict[int, _Tally] = defaultdict(_Tally)
        self.arrivals: Counter[int] = Counter()
        self.calls: Counter[int] = Counter()
        self.busy: Counter[int] = Counter()
        self.called_at_point: Counter[int] = Counter()

    def add(self, stage: Stage, time_zone: str) -> None:
        times = timeline(stage.state, stage.since, stage.intervals)
        self.queues[stage.queue_id].add(stage, times)
        self.arrivals[local_hour(times.joined_at, time_zone)] += 1
        for at in times.calls:
            self.calls[local_hour(at, time_zone)] += 1
        for interval in stage.intervals:
            if interval.point_id is not None and interval.state in BUSY_STATES:
                self.busy[interval.point_id] += interval.length
                self.called_at_point[interval.point_id] += interval.state == "called"

    def merge(self, other: _Sums) -> None:
        for queue_id, tally in other.queues.items():
            self.queues[queue_id].merge(tally)
        self.arrivals.update(other.arrivals)
        self.calls.update(other.calls)
        self.busy.update(other.busy)
        self.called_at_point.update(other.called_at_point)

    def group(self, service_of: Mapping[int, int | None]) -> Group:
        total = _Tally()
        services: defaultdict[int, _Tally] = defaultdict(_Tally)
        for queue_id, tally in self.queues.items():
            total.merge(tally)
            service_id = service_of.get(queue_id)
            if service_id is not None:
                services[service_id].merge(tally)
        return Group(
            total=total.figures(),
            services={service_id: services[service_id].figures() for service_id in sorted(services)},
            queues={queue_id: self.queues[queue_id].figures() for queue_id in sorted(self.queues)},
            hours=tuple(Hour(hour, self.arrivals[hour], self.calls[hour]) for hour in sorted({*self.arrivals, *self.calls})),
            points=tuple(
                PointUse(point_id, self.called_at_point[point_id], self.busy[point_id] // SECOND)
                for point_id in sorted(self.busy)
            ),
        )


class Statistics:
    """Makes the report of a site in ``time_zone`` from its entries, which are added by business day.

    ``service_of`` says which service a queue is of; it may lack queues.
    """

    def __init__(self, time_zone: str, service_of: Mapping[int, int | None]) -> None:
        self._time_zone = time_zone
        self._service_of = service_of
        self._whole = _Sums()
        self._days: dict[str, Group] = {}
        self._day = ""
        self._of_day = _Sums()

    def add(self, stage: Stage) -> None:
        """Add one entry. Raises `ValueError` for one of a day that is settled already."""
        if stage.business_day != self._day:
            if stage.business_day < self._day:
                raise ValueError(f"{stage.business_day} cannot follow {self._day}")
            self._settle()
            self._day = stage.business_day
        self._of_day.add(stage, self._time_zone)

    def report(self) -> Report:
        """Return the figures of all that has been added. Nothing can be added afterwards."""
        self._settle()
        return Report(self._whole.group(self._service_of), self._days)

    def _settle(self) -> None:
        if self._of_day.queues:
            self._days[self._day] = self._of_day.group(self._service_of)
            self._whole.merge(self._of_day)
        self._of_day = _Sums()


def local_hour(instant: int, time_zone: str) -> int:
    """Return the hour of the wall clock in ``time_zone`` at an instant (microseconds)."""
    return _hour_of_quarter(instant // _QUARTER, time_zone)


@lru_cache(maxsize=50_000)  # more than the quarters of a year
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(time_zone)).hour
