"""The figures of a period for managers, from the sums of its business days. Pure.

A figure is hidden where its group has fewer than five patients, and beside such groups as the module `suppression` says.
Each family of figures has its own groups: of nine patients, three may have walked in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple, TypeVar

from server.domain.reporting.coarse import MOST_DAYS, Middle, counted, middle
from server.domain.reporting.day_sums import NUMBERS, OUTCOMES, REASONS, SECOND_HOUR, SPANS, Plain, Reason
from server.domain.reporting.suppression import Hidden, is_few, protect

SECOND = 1_000_000
_Key = TypeVar("_Key", bound=Hashable)
Kind = Literal["service", "queue", "provider"]


class Only(NamedTuple):
    """A filter: the entries and appointments of one service, queue or provider."""

    kind: Kind
    id: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries by their outcome. ``tickets`` are the visits that began with them."""

    hidden: Hidden | None = None
    count: int | None = None
    tickets: int | None = None
    served: int | None = None
    no_shows: int | None = None
    left: int | None = None
    cancelled: int | None = None
    expired: int | None = None
    transferred: int | None = None
    open: int | None = None


@dataclass(frozen=True, slots=True)
class WalkIns:
    """The entries of patients without an appointment."""

    hidden: Hidden | None = None
    count: int | None = None
    no_shows: int | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The middle of some durations, rounded down to a step. Nine in ten are at most ``p90_seconds``."""

    hidden: Hidden | None = None
    count: int | None = None
    median_seconds: int | None = None
    p90_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """The first quotes of called entries: how many held, how many calls came before the range, and how late the others."""

    hidden: Hidden | None = None
    count: int | None = None
    held: int | None = None
    early: int | None = None
    late_median_seconds: int | None = None
    late_p90_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Leaves:
    """The called entries that had read until when they may leave, and those of them that were called ``before``."""

    hidden: Hidden | None = None
    count: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Appointments:
    """Booked appointments by their outcome. ``expected`` leaves out those cancelled in time, and those to come."""

    hidden: Hidden | None = None
    booked: int | None = None
    cancelled_early: int | None = None
    cancelled_late: int | None = None
    missed: int | None = None
    expected: int | None = None
    kept: int | None = None
    to_come: int | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """The whole days from the booking to the start of the appointments."""

    hidden: Hidden | None = None
    count: int | None = None
    median_days: int | None = None
    p90_days: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one group. ``open_seconds`` is None where points belong to no group of this kind."""

    entries: Entries
    walk_ins: WalkIns
    wait: Times
    still: Times
    gave_up: Times
    walk: Times
    service: Times
    promises: Promises
    leaves: Leaves
    appointments: Appointments
    lead: Lead
    open_seconds: int | None


@dataclass(frozen=True, slots=True)
class HeatCell:
    """The entries that joined in an hour of a weekday (1 is Monday), and the time of open points."""

    weekday: int
    hour: int
    second: bool
    entries: int | None
    hidden: Hidden | None
    open_seconds: int | None


@dataclass(frozen=True, slots=True)
class PointUse:
    """The use of a point. It is open from its first call of a day to the end of its last patient, without its breaks."""

    point_id: int
    hidden: Hidden | None
    calls: int | None
    open_seconds: int | None
    busy_seconds: int | None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """The calls with a reason, those of them that passed others of the queue who had joined earlier, and those others."""

    reason: Reason
    hidden: Hidden | None
    calls: int | None
    passing: int | None
    passed: int | None


@dataclass(frozen=True, slots=True)
class Fairness:
    """The calls by their reasons. ``out_of_order`` passed others, with a reason that says so."""

    hidden: Hidden | None
    calls: int | None
    in_order: int | None
    out_of_order: int | None
    reasons: tuple[ReasonCount, ...]


@dataclass(frozen=True, slots=True)
class Insights:
    """The figures of a period: in total, and by group. ``counted_days`` are the days by weekday and by hour.

    An hour is 0 to 23, or `SECOND_HOUR` more when the clock shows it for the second time.
    """

    total: Group
    services: Mapping[int, Group]
    queues: Mapping[int, Group]
    providers: Mapping[int, Group]
    hours: Mapping[int, Group]
    weekdays: Mapping[int, Group]
    days: Mapping[str, Group]
    heat: tuple[HeatCell, ...]
    points: tuple[PointUse, ...]
    fairness: Fairness
    days_of_weekday: Mapping[int, int]
    days_of_hour: Mapping[int, int]


@dataclass(slots=True)
class _Tally:
    """The sums of one group."""

    numbers: list[int] = field(default_factory=lambda: [0] * len(NUMBERS))
    spans: list[Counter[int]] = field(default_factory=lambda: [Counter() for _ in SPANS])
    booked: list[int] = field(default_factory=lambda: [0] * len(OUTCOMES))
    lead: Counter[int] = field(default_factory=Counter)
    opened: int = 0

    def merge(self, other: _Tally) -> None:
        self.numbers = [mine + more for mine, more in zip(self.numbers, other.numbers, strict=True)]
        for mine, more in zip(self.spans, other.spans, strict=True):
            mine.update(more)
        self.booked = [mine + more for mine, more in zip(self.booked, other.booked, strict=True)]
        self.lead.update(other.lead)
        self.opened += other.opened

    def number(self, name: str) -> int:
        return self.numbers[NUMBERS.index(name)]

    def count(self) -> int:
        return sum(self.numbers[1:8])

    def outcome(self, name: str) -> int:
        return self.booked[OUTCOMES.index(name)]

    def expected(self) -> int:
        return self.outcome("booked") - self.outcome("cancelled_early") - self.outcome("to_come")

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """Return the sizes of the families of figures, by the names of the fields of `Group`."""
        return {
            "entries": (self.count(),),
            "walk_ins": (self.number("walk_ins"),),
            **{name: (counts.total(),) for name, counts in zip(SPANS, self.spans, strict=True) if name != "late"},
            "promises": (self.number("promised"),),
            "leaves": (self.number("leaves"),),
            "appointments": (self.outcome("booked"), self.expected()),
            "lead": (self.lead.total(),),
        }


class _Raw:
    """The sums of many days for one group, before they are added up: that is quick for all days at once."""

    __slots__ = ("booked", "lead", "numbers", "spans")

    def __init__(self) -> None:
        self.numbers: list[list[int]] = []
        self.spans: list[list[str]] = []  # the durations of each, in hexadecimal digits
        self.booked: list[list[int]] = []
        self.lead: list[str] = []

    def tally(self) -> _Tally:
        found = _Tally()
        if self.numbers:
            found.numbers = [sum(column) for column in zip(*self.numbers, strict=True)]
            found.spans = [counted(parts) for parts in zip(*self.spans, strict=True)]
        if self.booked:
            found.booked = [sum(column) for column in zip(*self.booked, strict=True)]
            found.lead = counted(self.lead)
        return found


class Totals:
    """Collects the days of a period of one site, for the figures in total alone: see `compare`."""

    def __init__(self) -> None:
        self._raw = _Raw()
        self._opened = 0

    def add_day(self, sums: Plain) -> None:
        """Add the sums of a business day, once."""
        for _, _, _, numbers, *spans in sums["cells"]:
            self._raw.numbers.append(numbers)
            self._raw.spans.append(spans)
        for _, _, _, numbers, lead in sums["appointments"]:
            self._raw.booked.append(numbers)
            self._raw.lead.append(lead)
        self._opened += sum(length for _, length in sums["opened"])

    def tally(self) -> _Tally:
        """Return the sums of all added days."""
        found = self._raw.tally()
        found.opened = self._opened
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of several sites beside each other, and those of all of them together."""

    total: Group
    sites: Mapping[int, Group]


def compare(tallies: Mapping[int, _Tally]) -> Comparison:
    """Return the figures of sites by their ids.

    The total less the shown sites would be the hidden ones. So sites beside a small one are hidden, too.
    """
    total = _Tally()
    for each in tallies.values():
        total.merge(each)
    hidden = _hidden(tallies, [list(tallies)])
    return Comparison(
        _group(total, {name: "few" for name, sizes in total.sizes().items() if is_few(*sizes)}, True),
        {key: _group(each, hidden[key], True) for key, each in tallies.items()},
    )


class Period:
    """Collects the days of a period. ``service_of`` maps a queue to its service; it may lack queues. ``only`` filters."""

    def __init__(self, service_of: Mapping[int, int | None], only: Only | None = None) -> None:
        self._service_of = service_of
        self._only = only
        self._cells: defaultdict[tuple[int, int, int], _Raw] = defaultdict(_Raw)
        self._booked: defaultdict[tuple[int, int, int], _Raw] = defaultdict(_Raw)
        self._days: dict[str, _Tally] = {}
        self._heat: Counter[tuple[int, int]] = Counter()
        self._opened: Counter[tuple[int, int]] = Counter()
        self._points: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._calls: defaultdict[Reason, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._days_of_hour: Counter[int] = Counter()

    def add_day(self, day: str, sums: Plain) -> None:
        """Add the sums of a business day, once."""
        of_day, weekday, hours = _Raw(), date.fromisoformat(day).isoweekday(), set()
        for queue_id, provider_id, hour, numbers, *spans in sums["cells"]:
            if self._wanted(queue_id, provider_id):
                for raw in (self._cells[queue_id, provider_id, hour], of_day):
                    raw.numbers.append(numbers)
                    raw.spans.append(spans)
                self._heat[weekday, hour] += sum(numbers[1:8])
                hours.add(hour)
        for service_id, provider_id, hour, numbers, lead in sums["appointments"]:
            if self._wanted_appointment(service_id, provider_id):
                for raw in (self._booked[service_id, provider_id, hour], of_day):
                    raw.booked.append(numbers)
                    raw.lead.append(lead)
                hours.add(hour)
        found = of_day.tally()
        for queue_id, provider_id, reason, *counts in sums["calls"]:
            if self._wanted(queue_id, provider_id):
                _add(self._calls[reason], counts)
        if self._only is None:
            for hour, length in sums["opened"]:
                self._opened[weekday, hour] += length
                found.opened += length
                hours.add(hour)
            for point_id, *counts in sums["points"]:
                _add(self._points[point_id], counts)
        self._days[day] = found
        self._days_of_hour.update(hours)

    def _wanted(self, queue_id: int, provider_id: int) -> bool:
        only = self._only
        if only is None:
            return True
        if only.kind == "service":
            return self._service_of.get(queue_id) == only.id
        return only.id == (queue_id if only.kind == "queue" else provider_id)

    def _wanted_appointment(self, service_id: int, provider_id: int) -> bool:
        only = self._only
        if only is None:
            return True
        if only.kind == "queue":
            return False  # an appointment has a service, and gets a queue at the check-in
        return only.id == (service_id if only.kind == "service" else provider_id)

    def insights(self) -> Insights:
        """Return the figures of all added days. Do not add more afterwards."""
        total = _Tally()
        services: defaultdict[int, _Tally] = defaultdict(_Tally)
        queues: defaultdict[int, _Tally] = defaultdict(_Tally)
        providers: defaultdict[int, _Tally] = defaultdict(_Tally)
        hours: defaultdict[int, _Tally] = defaultdict(_Tally)
        weekdays: defaultdict[int, _Tally] = defaultdict(_Tally)
        for (queue_id, provider_id, hour), raw in self._cells.items():
            tally = raw.tally()
            for each in (
                services[self._service_of.get(queue_id) or 0],
                queues[queue_id],
                providers[provider_id],
                hours[hour],
            ):
                each.merge(tally)
        for (service_id, provider_id, hour), raw in self._booked.items():
            tally = raw.tally()
            for each in (services[service_id], providers[provider_id], hours[hour]):
                each.merge(tally)
        days_of_weekday: Counter[int] = Counter()
        for day, tally in self._days.items():
            weekday = date.fromisoformat(day).isoweekday()
            days_of_weekday[weekday] += 1
            weekdays[weekday].merge(tally)
        for weekday in weekdays:
            total.merge(weekdays[weekday])
        for (_, hour), length in self._opened.items():
            hours[hour].opened += length
        return self._shown(total, services, queues, providers, hours, weekdays, days_of_weekday)

    def _shown(
        self,
        total: _Tally,
        services: Mapping[int, _Tally],
        queues: Mapping[int, _Tally],
        providers: Mapping[int, _Tally],
        hours: Mapping[int, _Tally],
        weekdays: Mapping[int, _Tally],
        days_of_weekday: Mapping[int, int],
    ) -> Insights:
        with_points = self._only is None
        of_services = _hidden(services, [list(services)])
        in_services = _by(queues, lambda queue_id: self._service_of.get(queue_id) or 0)
        of_queues = _hidden(queues, [list(queues), *in_services.values()], _inside(of_services, in_services))
        of_weekdays = _hidden(weekdays, [list(weekdays)])
        in_weekdays = _by(self._days, lambda day: date.fromisoformat(day).isoweekday())
        of_days = _hidden(self._days, [list(self._days), *in_weekdays.values()], _inside(of_weekdays, in_weekdays))
        of_providers, of_hours = _hidden(providers, [list(providers)]), _hidden(hours, [list(hours)])
        return Insights(
            total=_group(total, {name: "few" for name, sizes in total.sizes().items() if is_few(*sizes)}, with_points),
            services={key: _group(services[key], of_services[key], False) for key in services},
            queues={key: _group(queues[key], of_queues[key], False) for key in queues},
            providers={key: _group(providers[key], of_providers[key], False) for key in providers},
            hours={key: _group(hours[key], of_hours[key], with_points) for key in hours},
            weekdays={key: _group(weekdays[key], of_weekdays[key], with_points) for key in weekdays},
            days={key: _group(self._days[key], of_days[key], with_points) for key in sorted(self._days)},
            heat=self._heat_map(_names_of("entries", of_weekdays), _names_of("entries", of_hours), with_points),
            points=self._uses(),
            fairness=self._fairness(),
            days_of_weekday=days_of_weekday,
            days_of_hour=self._days_of_hour,
        )

    def _heat_map(self, weekdays: Collection[int], hours: Collection[int], with_points: bool) -> tuple[HeatCell, ...]:
        """Return the cells of the heat map. ``weekdays`` and ``hours`` are those whose entries are hidden."""
        keys = {*self._heat, *self._opened}
        by_weekday, by_hour = _by(keys, lambda key: key[0]), _by(keys, lambda key: key[1])
        also = [key for key in keys if key[0] in weekdays or key[1] in hours]
        sizes = {key: (self._heat[key],) for key in keys}
        hidden = protect(sizes, [*by_weekday.values(), *by_hour.values()], also)
        return tuple(
            HeatCell(
                weekday=weekday,
                hour=hour % SECOND_HOUR,
                second=hour >= SECOND_HOUR,
                entries=None if (weekday, hour) in hidden else self._heat[weekday, hour],
                hidden=hidden.get((weekday, hour)),
                open_seconds=self._opened[weekday, hour] // SECOND if with_points else None,
            )
            for weekday, hour in sorted(keys)
        )

    def _uses(self) -> tuple[PointUse, ...]:
        hidden = protect({key: (calls,) for key, (calls, _, _) in self._points.items()}, [list(self._points)])
        return tuple(
            PointUse(key, None, calls, opened // SECOND, busy // SECOND)
            if key not in hidden
            else PointUse(key, hidden[key], None, None, None)
            for key, (calls, opened, busy) in sorted(self._points.items())
        )

    def _fairness(self) -> Fairness:
        calls = sum(counts[0] for counts in self._calls.values())
        if is_few(calls):
            return Fairness("few", None, None, None, ())
        out = sum(counts[1] for reason, counts in self._calls.items() if reason not in ("in_order", "other"))
        hidden = protect({reason: (counts[0],) for reason, counts in self._calls.items()}, [list(self._calls)])
        reasons = tuple(
            ReasonCount(reason, None, *self._calls[reason])
            if reason not in hidden
            else ReasonCount(reason, hidden[reason], None, None, None)
            for reason in REASONS
            if reason in self._calls
        )
        return Fairness(None, calls, calls - out, out, reasons)


def _add(sums: list[int], more: Iterable[int]) -> None:
    sums[:] = [mine + other for mine, other in zip(sums, more, strict=True)]


def _by(keys: Iterable[_Key], group: Callable[[_Key], int]) -> dict[int, list[_Key]]:
    found: dict[int, list[_Key]] = {}
    for key in keys:
        found.setdefault(group(key), []).append(key)
    return found


def _hidden(
    groups: Mapping[_Key, _Tally],
    lines: Collection[Collection[_Key]],
    also: Mapping[str, Collection[_Key]] | None = None,
) -> dict[_Key, dict[str, Hidden]]:
    """Return the hidden families of each group. ``also`` has groups to hide in any case, by family."""
    sizes = {key: tally.sizes() for key, tally in groups.items()}
    hidden: dict[_Key, dict[str, Hidden]] = {key: {} for key in groups}
    for name in _Tally().sizes():
        of_family = {key: of_key[name] for key, of_key in sizes.items()}
        for key, how in protect(of_family, lines, (also or {}).get(name, ())).items():
            hidden[key][name] = how
    return hidden


def _inside(outer: Mapping[int, Mapping[str, Hidden]], members: Mapping[int, list[_Key]]) -> dict[str, list[_Key]]:
    """Return the members of hidden groups, by family: their sum would be the hidden size."""
    found: dict[str, list[_Key]] = {}
    for group, families in outer.items():
        for name in families:
            found.setdefault(name, []).extend(members.get(group, ()))
    return found


def _names_of(family: str, hidden: Mapping[int, Mapping[str, Hidden]]) -> set[int]:
    return {key for key, families in hidden.items() if family in families}


def _group(tally: _Tally, hidden: Mapping[str, Hidden], with_points: bool) -> Group:
    middles = {name: middle(counts) for name, counts in zip(SPANS, tally.spans, strict=True)}

    def times(name: str) -> Times:
        return Times(hidden[name]) if name in hidden else _times(middles[name])

    number, outcome = tally.number, tally.outcome
    late, lead = middles["late"], middle(tally.lead, range(MOST_DAYS + 1))
    return Group(
        entries=Entries(hidden["entries"])
        if "entries" in hidden
        else Entries(None, tally.count(), *(number(name) for name in NUMBERS[:8])),
        walk_ins=WalkIns(hidden["walk_ins"])
        if "walk_ins" in hidden
        else WalkIns(None, number("walk_ins"), number("walk_in_no_shows"), number("walk_in_left")),
        wait=times("wait"),
        still=times("still"),
        gave_up=times("gave_up"),
        walk=times("walk"),
        service=times("service"),
        promises=Promises(hidden["promises"])
        if "promises" in hidden
        else Promises(None, number("promised"), number("held"), number("early"), *_of_several(late)),
        leaves=Leaves(hidden["leaves"]) if "leaves" in hidden else Leaves(None, number("leaves"), number("before_leave")),
        appointments=Appointments(hidden["appointments"])
        if "appointments" in hidden
        else Appointments(
            booked=outcome("booked"),
            cancelled_early=outcome("cancelled_early"),
            cancelled_late=outcome("cancelled_late"),
            missed=outcome("missed"),
            expected=tally.expected(),
            kept=outcome("kept"),
            to_come=outcome("to_come"),
        ),
        lead=Lead(hidden["lead"]) if "lead" in hidden else Lead(None, lead.count, lead.median, lead.p90),
        open_seconds=tally.opened // SECOND if with_points else None,
    )


def _times(found: Middle) -> Times:
    return Times(None, found.count, found.median, found.p90)


def _of_several(found: Middle) -> tuple[int | None, int | None]:
    """Return the median and the p90; of fewer than five durations, none: each would be that of a patient."""
    return (None, None) if is_few(found.count) else (found.median, found.p90)
