"""The figures of past days for managers: waits, no-shows, and the accuracy of quotes.

Pure, with bounded memory for any number of entries: durations are counts by whole seconds, and the figures of a day are
final when the first entry of the next day comes. Integers throughout; results are in whole seconds.

The sums of a day have a plain form, for a cache. A change of this form, or of the meaning of a sum, needs a new `VERSION`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any, Self
from zoneinfo import ZoneInfo

from server.domain import waits
from server.domain.model import BUSY_STATES, OPEN_STATES, State
from server.domain.reporting.timeline import Interval, Timeline, timeline
from server.domain.waits import Quote

SECOND = 1_000_000
VERSION = 2  # of the plain form of `Sums`
_QUARTER = 900 * SECOND  # every time zone differs from UTC by whole quarters of an hour


@dataclass(frozen=True, slots=True)
class Stage:
    """An entry with its closed intervals.

    ``opened_at`` is the start of its visit: the stage that joined at this instant counts as the ticket. ``quote`` is the
    first quote, None without one. It is compared with ``first_called_at``, as is ``leave_until``: the first promise that the
    patient may leave until then.
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
    leave_until: int | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A set of durations in whole seconds; None if it is empty. Nine in ten are at most ``p90_seconds``."""

    count: int
    mean_seconds: int | None
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None


@dataclass(frozen=True, slots=True)
class Promises:
    """The accuracy of the first quotes of called entries, see `server.domain.waits.Coverage`. Delays are in whole seconds.

    Good quotes have 90 % held and 50 % early. ``leave_count`` called entries had a promise to leave; fewer than 5 % of them
    are called before that instant.
    """

    count: int
    held_percent: int | None
    early_percent: int | None
    missed_by_median_seconds: int
    missed_by_most_seconds: int
    leave_count: int
    before_leave_percent: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one set of entries.

    ``tickets`` counts the visits that began in the set, ``entries`` all stages, those of transfers included. Each entry is
    open or has ended as ``served``, ``no_shows``, ``transferred``, ``left``, ``cancelled`` or ``expired``. ``wait`` lasts
    until the last call (of called entries), ``walk`` from a call to the start, and ``service`` from the start to the end.
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
    """The use of a point, by closed intervals: its answered calls, and the time in which it had a patient."""

    point_id: int
    calls: int
    busy_seconds: int


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of a set of entries: in total, and by service, queue, hour and point. Empty groups are omitted.

    Queues without a service count for no service.
    """

    total: Figures
    services: Mapping[int, Figures]
    queues: Mapping[int, Figures]
    hours: tuple[Hour, ...]
    points: tuple[PointUse, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a range of business days: of each day with entries, and of the whole range."""

    whole: Group
    days: Mapping[str, Group]


class Durations:
    """A set of durations. Its memory grows with the number of different whole seconds only."""

    __slots__ = ("_by_seconds", "_sum")

    def __init__(self) -> None:
        self._by_seconds: Counter[int] = Counter()
        self._sum = 0

    def add(self, microseconds: int) -> None:
        """Add a duration."""
        self._by_seconds[microseconds // SECOND] += 1
        self._sum += microseconds

    def merge(self, other: Durations) -> None:
        """Add all durations of another set."""
        self._by_seconds.update(other._by_seconds)
        self._sum += other._sum

    def spread(self) -> Spread:
        """Return the figures of the set. A percentile is the least duration that this share does not exceed."""
        ordered = sorted(self._by_seconds)
        ranks = list(accumulate(self._by_seconds[seconds] for seconds in ordered))
        count = ranks[-1] if ranks else 0
        if not count:
            return Spread(0, None, None, None, None)

        def at(rank: int) -> int:
            return next(seconds for seconds, upto in zip(ordered, ranks, strict=True) if rank <= upto)

        return Spread(count, self._sum // count // SECOND, at((count + 1) // 2), at((9 * count + 9) // 10), ordered[-1])

    def above_median(self) -> int:
        """Return the upper median in seconds, as `server.domain.waits.coverage` does; 0 for an empty set."""
        middle = self._by_seconds.total() // 2
        for seconds in sorted(self._by_seconds):
            middle -= self._by_seconds[seconds]
            if middle < 0:
                return seconds
        return 0

    def longest(self) -> int:
        """Return the longest duration in seconds; 0 for an empty set."""
        return max(self._by_seconds, default=0)

    def plain(self) -> list[Any]:
        """Return the set as plain lists."""
        return [self._sum, _pairs(self._by_seconds)]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        """Return the set of a plain form."""
        made = cls()
        made._sum, by_seconds = plain
        made._by_seconds = _counter(by_seconds)
        return made


class _Tally:
    """The counts of the entries of one queue and day, or of several."""

    __slots__ = (
        *("_before_leave", "_early", "_leaves", "_missed", "_promised", "_service", "_states", "_tickets", "_wait", "_walk"),
    )

    def __init__(self) -> None:
        self._tickets = 0
        self._states: Counter[State] = Counter()
        self._wait, self._walk, self._service = Durations(), Durations(), Durations()
        self._promised = self._early = self._leaves = self._before_leave = 0
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
        if stage.leave_until is not None and called_at is not None:
            self._leaves += 1
            self._before_leave += called_at < stage.leave_until

    def merge(self, other: _Tally) -> None:
        self._tickets += other._tickets
        self._states.update(other._states)
        self._wait.merge(other._wait)
        self._walk.merge(other._walk)
        self._service.merge(other._service)
        self._promised += other._promised
        self._early += other._early
        self._leaves += other._leaves
        self._before_leave += other._before_leave
        self._missed.merge(other._missed)

    def plain(self) -> list[Any]:
        sets = (self._wait, self._walk, self._service, self._missed)
        numbers = [self._tickets, self._promised, self._early, self._leaves, self._before_leave]
        return [numbers, _pairs(self._states), *(each.plain() for each in sets)]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        made = cls()
        numbers, states, *sets = plain
        made._tickets, made._promised, made._early, made._leaves, made._before_leave = numbers
        made._states = _counter(states)
        made._wait, made._walk, made._service, made._missed = (Durations.from_plain(each) for each in sets)
        return made

    def figures(self) -> Figures:
        missed = self._missed.spread().count
        truth = waits.Coverage(self._promised, self._promised - missed, self._early, 0, 0)
        leaving = waits.Coverage(self._leaves, self._leaves, self._before_leave, 0, 0)
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
                leave_count=leaving.count,
                before_leave_percent=leaving.early_percent,
            ),
        )


class Sums:
    """The sums of the entries of one day, or of several. Those of several days are the merged sums of each."""

    __slots__ = ("arrivals", "busy", "called_at_point", "calls", "queues")

    def __init__(self) -> None:
        self.queues: defaultdict[int, _Tally] = defaultdict(_Tally)
        self.arrivals: Counter[int] = Counter()
        self.calls: Counter[int] = Counter()
        self.busy: Counter[int] = Counter()
        self.called_at_point: Counter[int] = Counter()

    def add(self, stage: Stage, time_zone: str) -> None:
        """Add an entry. ``time_zone`` is that of the site's wall clock."""
        times = timeline(stage.state, stage.since, stage.intervals)
        self.queues[stage.queue_id].add(stage, times)
        self.arrivals[local_hour(times.joined_at, time_zone)] += 1
        for at in times.calls:
            self.calls[local_hour(at, time_zone)] += 1
        for interval in stage.intervals:
            if interval.point_id is not None and interval.state in BUSY_STATES:
                self.busy[interval.point_id] += interval.length
                self.called_at_point[interval.point_id] += interval.state == "called"

    def merge(self, other: Sums) -> None:
        """Add the entries of other sums."""
        for queue_id, tally in other.queues.items():
            self.queues[queue_id].merge(tally)
        self.arrivals.update(other.arrivals)
        self.calls.update(other.calls)
        self.busy.update(other.busy)
        self.called_at_point.update(other.called_at_point)

    def plain(self) -> list[Any]:
        """Return the sums as plain lists, which `from_plain` reads."""
        queues = [[queue_id, tally.plain()] for queue_id, tally in self.queues.items()]
        return [queues, *(_pairs(each) for each in (self.arrivals, self.calls, self.busy, self.called_at_point))]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        """Return the sums of a plain form. Raises `ValueError` or `TypeError` for another form."""
        made = cls()
        queues, *counts = plain
        made.queues.update({queue_id: _Tally.from_plain(tally) for queue_id, tally in queues})
        made.arrivals, made.calls, made.busy, made.called_at_point = (_counter(each) for each in counts)
        return made

    def group(self, service_of: Mapping[int, int | None]) -> Group:
        """Return the figures. ``service_of`` maps a queue to its service. It may lack queues."""
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
    """Builds the report of a site in ``time_zone`` from its entries, which are added in the order of their business days.

    ``service_of`` maps a queue to its service. It may lack queues.
    """

    def __init__(self, time_zone: str, service_of: Mapping[int, int | None]) -> None:
        self._time_zone = time_zone
        self._service_of = service_of
        self._whole = Sums()
        self._days: dict[str, Group] = {}
        self._day = ""
        self._of_day = Sums()

    def add(self, stage: Stage) -> None:
        """Add an entry. Raises `ValueError` for an entry of an earlier day than the last one."""
        if stage.business_day != self._day:
            if stage.business_day < self._day:
                raise ValueError(f"{stage.business_day} cannot follow {self._day}")
            self._settle()
            self._day = stage.business_day
        self._of_day.add(stage, self._time_zone)

    def add_day(self, day: str, sums: Sums) -> None:
        """Add all entries of a day by their sums. Raises `ValueError` if the last entry or day was not an earlier one."""
        if day <= self._day:
            raise ValueError(f"{day} cannot follow {self._day}")
        self._settle()
        self._day, self._of_day = day, sums

    def report(self) -> Report:
        """Return the report of all added entries. Do not add more afterwards."""
        self._settle()
        return Report(self._whole.group(self._service_of), self._days)

    def _settle(self) -> None:
        if self._of_day.queues:
            self._days[self._day] = self._of_day.group(self._service_of)
            self._whole.merge(self._of_day)
        self._of_day = Sums()


def _pairs(counts: Counter[Any]) -> list[list[Any]]:
    """Return what is counted, and the counts: two lists take less space, and less time to read, than pairs."""
    return [list(counts), list(counts.values())]


def _counter(pairs: list[list[Any]]) -> Counter[Any]:
    names, counts = pairs
    return Counter(dict(zip(names, counts, strict=True)))


def local_hour(instant: int, time_zone: str) -> int:
    """Return the local hour in ``time_zone`` at an instant (microseconds)."""
    return _hour_of_quarter(instant // _QUARTER, time_zone)


@lru_cache(maxsize=50_000)  # more than the quarters of a year
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(time_zone)).hour
