"""The sums of business days equal a plain count of the same rows and the same log, on random days of many clocks."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddProvider,
    AddService,
    AppointmentNoShow,
    Book,
    CallNext,
    CancelAppointment,
    CheckIn,
    Command,
    Complete,
    NoteOutage,
    OpenPoint,
    StaffPoint,
    Start,
)
from server.domain.errors import NowServingError
from server.domain.events import EntryDoubted, TicketCalled, body_of
from server.domain.model import BUSY_STATES, OPEN_STATES, Appointment, Entry, Queue, Rules, Site, Visit, local_time
from server.domain.model.tickets import begin_of, business_day, next_turn
from server.domain.reporting import suppression
from server.domain.reporting.coarse import LONGEST_SECONDS, STEPS
from server.domain.reporting.insights import Group, Insights, Only, Period
from server.queries import day_sums
from server.store import daily_sums as store
from server.store.database import Database
from server.store.migrate import migrate
from server.store.tables import TABLES, daily_sums, events, intervals, sites
from tests.support.extent import examples
from tests.support.worlds import MINUTE, SECOND, SITE_ID, Step, World, a_site, perform, scripts

QUARTER = 900 * SECOND
# Dates with clock changes in the night: an hour twice, a gap, half an hour twice; and a zone of quarters without any.
MORNINGS = (
    ("Europe/Berlin", "2024-10-27"),
    ("Europe/Berlin", "2024-03-31"),
    ("Australia/Lord_Howe", "2024-04-07"),
    ("America/St_Johns", "2024-11-03"),
    ("Asia/Kathmandu", "2024-05-01"),
)


class Recorder(World):
    """A world that also keeps the closed intervals, as `server.store.boards` does."""

    def __init__(self, site: Site) -> None:
        self.intervals: list[dict[str, Any]] = []
        super().__init__(site)

    def _save(self, changes: Changes) -> None:
        super()._save(changes)
        for old, new in changes.records.values():
            if isinstance(new, Appointment) and isinstance(old, Appointment) and old.business_day is not None:
                assert old == new or old.business_day >= self.today, "appointments of past days are final"
            if not (isinstance(old, Entry) and isinstance(new, Entry) and old.state != new.state):
                continue
            if old.id in changes.undone:
                ended = (old.id, changes.undone[old.id])
                self.intervals = [each for each in self.intervals if (each["entry_id"], each["ended_by"]) != ended]
                continue
            times = {"ended_by": new.seq, "started_at": old.since, "ended_at": new.since, "point_id": new.point_id}
            times["doubted"] = old.doubt is not None
            self.intervals.append({"entry_id": old.id, "site_id": old.site_id, "state": old.state, "actor": "x"} | times)

    def do(self, *args: Any, **named: Any) -> Any:
        self.today = self.board.site.business_day
        return super().do(*args, **named)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the rows of a kind."""
        return [row for row in self.rows.values() if isinstance(row, kind)]


def a_clinic(zone: str, day: str, hour: int, round_the_clock: bool) -> Recorder:
    """Return a clinic that begins at an hour of the wall clock."""
    begin = local_time.first_instant(day, zone, hour * 60)
    today = business_day(begin, zone, 240)
    turn = next_turn(today, zone, 240)
    clock = {"business_day": today, "turns_at": turn, "next_tick_at": turn, "quoted_at": begin, "last_event_at": begin}
    world = Recorder(a_site(time_zone=zone, rules=Rules(round_the_clock=round_the_clock), **clock))
    world.now = begin
    blood, x_ray = world.queue("A"), world.queue("B")
    world.point(blood, x_ray)
    world.point(x_ray)
    return world


def people(world: Recorder) -> None:
    """Add providers with appointments today and later, and enough waiting patients for groups of five."""
    world.do(AddService(site_id=SITE_ID, name="Talk", public_name="Talk"))
    service_id = max(world.board.services)
    for name in ("Ada", "Bo", "Cy"):
        world.do(AddProvider(site_id=SITE_ID, name=name))
    zone, now = world.board.site.time_zone, world.now
    for number, minutes in enumerate((30, 60, 75, 90, 150, 300, 480, 600, 2_000, 5_000)):
        at = now - now % (15 * MINUTE) + minutes * MINUTE
        told = local_time.local_of(at, zone)
        providers = list(world.board.providers)
        with suppress(NowServingError):  # a wall clock time that comes twice is asked about
            world.do(
                Book(
                    site_id=SITE_ID,
                    service_id=service_id,
                    provider_id=providers[number % len(providers)],
                    local_start=told.local,
                    name=f"Guest {number}",
                    overbook="urgent",
                )
            )
    for number in range(6):
        for queue_id in list(world.board.queues):
            provider_id = list(world.board.providers)[number % 3] if number < 2 else None
            world.ticket(queue_id, provider_id=provider_id)


def work(world: Recorder, chance: random.Random) -> None:
    """Do one step of the usual work, which random steps rarely do: calls to their end, other providers, cancellations."""
    board = world.board
    point_id = chance.choice(list(board.points))
    guest = board.entry_at(point_id)
    booked = [each for each in world.calendar.all() if each.state == "booked"]
    command: Command = CallNext(point_id=point_id)
    kind = chance.randrange(10)
    if kind == 0:
        command = StaffPoint(point_id=point_id, provider_id=chance.choice([None, *board.providers]))
    elif kind in (1, 2) and booked:
        one = chance.choice(booked)
        cancel = CancelAppointment(appointment_id=one.id, version=one.version)
        command = chance.choice((cancel, cancel, CheckIn(appointment_id=one.id), AppointmentNoShow(appointment_id=one.id)))
    elif kind == 3 and guest is not None:
        until = world.now + 8 * MINUTE
        command = NoteOutage(site_id=SITE_ID, offline_from=world.now, offline_until=until)
    elif guest is not None and guest.state == "called":
        command = Start(entry_id=guest.id)
    elif guest is not None:
        command = Complete(entry_id=guest.id)
    elif board.points[point_id].state != "open":
        command = OpenPoint(point_id=point_id)
    with suppress(NowServingError):
        world.do(command, chance.choice((SECOND, 40 * SECOND, 3 * MINUTE, 9 * MINUTE)))


def promise_to_leave(world: Recorder, chance: random.Random) -> None:
    """Promise some patients until when they may leave, near their call. The clock needs fifty known services for it."""
    for key, row in world.rows.items():
        if isinstance(row, Entry) and chance.randrange(3):
            near = (row.first_called_at or row.since) + chance.choice((-MINUTE, 0, MINUTE))
            world.rows[key] = replace(row, quoted_leave=near)


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="nowserving-daily-sums-")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    found = f"sqlite+aiosqlite:///{Path(_folder().name) / 'x.db'}"

    async def prepare() -> None:
        database = Database(found)
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    yield found
    _folder().cleanup()
    _folder.cache_clear()


async def fill(database: Database, world: Recorder) -> None:
    """Write the rows and the log of a world, and nothing else."""
    async with database.write() as connection:
        for table in {*TABLES.values(), events, intervals, daily_sums}:
            await connection.execute(delete(table))
        site = world.board.site
        await connection.execute(insert(sites), asdict(site) | {"chain": ""})
        for kind, table in TABLES.items():
            rows = [{each.name: getattr(row, each.name) for each in fields(kind)} for row in world.of(kind)]
            for row in rows if kind is not Site else ():
                await connection.execute(insert(table), row)
        for each in world.log:
            body = body_of(each.event)
            row = {"site_id": site.id, "seq": each.seq, "at": each.at, "type": each.event.name_on_wire(), "actor": "x"}
            about = {"command_id": "x", "hash": "", "entry_id": body.get("entry_id"), "body": _json(body)}
            await connection.execute(insert(events), row | about)
        if world.intervals:
            await connection.execute(insert(intervals), world.intervals)


def _json(body: Mapping[str, Any]) -> str:
    return orjson.dumps(body).decode()


# The plain count: from the rows, and from a replay of the whole log


@dataclass
class Plain:
    """One entry with all that is known about it."""

    entry: Entry
    visit: Visit
    steps: list[dict[str, Any]]  # its closed intervals, in order
    joined: int
    provider_id: int
    calls: list[tuple[int, int]]  # (number, point)


class Count:
    """The figures of a world by plain loops over all its rows."""

    def __init__(self, world: Recorder) -> None:
        self.world, self.site = world, world.board.site
        self.zone, self.turn, self.now = self.site.time_zone, self.site.day_turns_at_minutes, world.now
        self.log = {each.seq: each for each in world.log}
        self.history = self._replay()
        visits = {each.id: each for each in world.of(Visit)}
        self.entries = [self._plain(each, visits[each.visit_id]) for each in world.of(Entry)]
        self.entries = [each for each in self.entries if not each.visit.trial]
        self.appointments = [each for each in world.of(Appointment) if self._outcome(each) is not None]
        self.service_of = {each.id: each.service_id for each in world.of(Queue)}

    def _replay(self) -> list[tuple[int, int, bool, int]]:
        """Return (instant, point, open, provider) after every event, from the product's own boards."""
        board, found = Board(self.world.first), []
        for each in self.world.log:
            apply(board, each, Changes())
            for point in board.points.values():
                found.append((each.at, point.id, point.state == "open", point.provider_id or 0))
        return found

    def standing(self, point_id: int, at: int) -> tuple[bool, int]:
        known = [each for each in self.history if each[1] == point_id]
        before = [each for each in known if each[0] <= at]
        return before[-1][2:] if before else (False, 0)

    def _plain(self, entry: Entry, visit: Visit) -> Plain:
        mine = [each for each in self.world.intervals if each["entry_id"] == entry.id]
        steps = sorted(mine, key=lambda each: each["ended_by"])
        joined = steps[0]["started_at"] if steps else entry.since
        calls = []
        for each in steps:
            event = self.log[each["ended_by"]].event
            if each["state"] == "waiting" and isinstance(event, TicketCalled):
                calls.append((each["ended_by"], event.point_id))
        at_points = [each["started_at"] for each in steps if each["state"] in BUSY_STATES]
        at_points += [entry.since] if entry.state in BUSY_STATES else []
        provider = 0
        if at_points:
            point_id = entry.point_id if entry.state in BUSY_STATES else calls[-1][1]
            begin = begin_of(entry.business_day, self.zone, self.turn)
            assert point_id is not None
            provider = self.standing(point_id, max(begin, at_points[-1]))[1]
        return Plain(entry, visit, steps, joined, provider or entry.provider_id or 0, calls)

    def _outcome(self, each: Appointment) -> str | None:
        came = each.visit_id is not None
        if each.state == "held" or (each.state == "expired" and not came):
            return None
        if each.state == "cancelled" and not came:
            return "cancelled_late" if each.late else "cancelled_early"
        return {"no_show": "missed", "booked": "to_come"}.get(each.state, "kept")

    def day_of(self, each: Appointment) -> str:
        return each.business_day or business_day(each.starts_at, self.zone, self.turn)

    def hour(self, instant: int) -> int:
        wall = local_time.wall_clock(instant, self.zone)
        return wall.hour + 24 * wall.fold

    def group(self, entries: Iterable[Plain], appointments: Iterable[Appointment]) -> dict[str, dict[str, Any]]:
        """Return the figures of one group by family, as if nothing were hidden."""
        mine, booked = list(entries), list(appointments)
        states = [each.entry.state for each in mine]
        walked_in = [each for each in mine if each.visit.appointment_id is None]
        outcomes = [self._outcome(each) for each in booked]
        promised = [
            each for each in mine if each.entry.quoted_from and each.entry.quoted_until and each.entry.first_called_at
        ]
        late = [
            called - end
            for each in promised
            if (called := each.entry.first_called_at or 0) > (end := each.entry.quoted_until or 0)
        ]
        told = [each for each in mine if each.entry.quoted_leave and each.entry.first_called_at]
        names = ("cancelled_early", "cancelled_late", "missed", "kept", "to_come")
        by_outcome = {name: outcomes.count(name) for name in names}
        return {
            "entries": {
                "count": len(mine),
                "tickets": sum(each.joined == each.visit.opened_at for each in mine),
                "served": states.count("completed"),
                "no_shows": states.count("no_show"),
                **{name: states.count(name) for name in ("left", "cancelled", "expired", "transferred")},
                "open": sum(state in OPEN_STATES for state in states),
            },
            "walk_ins": {
                "count": len(walked_in),
                "no_shows": sum(each.entry.state == "no_show" for each in walked_in),
                "left": sum(each.entry.state == "left" for each in walked_in),
            },
            "wait": times([wait for each in mine if (wait := self._waited(each)) is not None]),
            "still": times(
                [self._all_waits(each) + self.now - each.entry.since for each in mine if each.entry.state == "waiting"]
            ),
            "gave_up": times(
                [
                    self._all_waits(each)
                    for each in mine
                    if each.entry.state in ("left", "cancelled", "expired") and self._waited(each) is None
                ]
            ),
            "walk": times([walk for each in mine for walk in self._walks(each)]),
            "service": times([served for each in mine if (served := self._served(each)) is not None]),
            "promises": {
                "count": len(promised),
                "held": len(promised) - len(late),
                "early": sum((each.entry.first_called_at or 0) < (each.entry.quoted_from or 0) for each in promised),
                "late_median_seconds": times(late)["median_seconds"] if len(late) >= suppression.LEAST else None,
                "late_p90_seconds": times(late)["p90_seconds"] if len(late) >= suppression.LEAST else None,
            },
            "leaves": {
                "count": len(told),
                "before": sum((each.entry.first_called_at or 0) < (each.entry.quoted_leave or 0) for each in told),
            },
            "appointments": {
                "booked": len(booked),
                **by_outcome,
                "expected": len(booked) - by_outcome["cancelled_early"] - by_outcome["to_come"],
            },
            "lead": lead([max(0, each.starts_at - each.booked_at) // (86_400 * SECOND) for each in booked]),
        }

    def _followed(self, each: Plain) -> list[tuple[str, int, str]]:
        """Return (state, length, state after it) of each closed interval."""
        after = [*(step["state"] for step in each.steps[1:]), each.entry.state]
        return [
            (step["state"], step["ended_at"] - step["started_at"], following_one)
            for step, following_one in zip(each.steps, after, strict=False)
        ]

    def _all_waits(self, each: Plain) -> int:
        return sum(length for state, length, _ in self._followed(each) if state == "waiting")

    def _waited(self, each: Plain) -> int | None:
        steps = self._followed(each)
        called = [index for index, step in enumerate(steps) if step[0] == "waiting" and step[2] == "called"]
        return sum(length for state, length, _ in steps[: called[-1] + 1] if state == "waiting") if called else None

    def _walks(self, each: Plain) -> list[int]:
        return [
            length
            for step, (state, length, after) in zip(each.steps, self._followed(each), strict=True)
            if (state, after) == ("called", "serving") and not self.is_doubtful(each, step["ended_by"])
        ]

    def _served(self, each: Plain) -> int | None:
        served = [step for step in each.steps if step["state"] == "serving"]
        if any(self.is_doubtful(each, step["ended_by"]) for step in served):
            return None
        return sum(step["ended_at"] - step["started_at"] for step in served) if served else None

    def is_doubtful(self, each: Plain, ended_by: int | None = None) -> bool:
        """Return whether staff were asked about the call or the service that this event ended, or about the present one.

        A question about a call is also one about the service that follows.
        """
        before = [step for step in each.steps if ended_by is None or step["ended_by"] < ended_by]
        free = [step["ended_by"] for step in before if step["state"] not in BUSY_STATES]
        called = max(step for step in free if not any(number > step for number in free))
        return any(
            isinstance(recorded.event, EntryDoubted) and recorded.event.entry_id == each.entry.id
            for recorded in self.world.log
            if called < recorded.seq < (ended_by or len(self.world.log) + 1)
        )

    def stays(self, day: str) -> dict[int, list[tuple[int, int, bool]]]:
        """Return the times of patients at each point on a day, within the day, and whether an outage came between."""
        begin, end = self.bounds(day)
        found: dict[int, list[tuple[int, int, bool]]] = {}
        for each in self.entries:
            if each.entry.business_day != day:
                continue
            calls = iter(each.calls)
            point_id = 0
            for step in each.steps:
                if step["state"] == "waiting" and isinstance(self.log[step["ended_by"]].event, TicketCalled):
                    point_id = next(calls)[1]
                if step["state"] in BUSY_STATES:
                    doubtful = self.is_doubtful(each, step["ended_by"])
                    stay = max(begin, step["started_at"]), min(end, step["ended_at"]), doubtful
                    found.setdefault(point_id, []).append(stay)
            if each.entry.state in BUSY_STATES:
                stay = max(begin, each.entry.since), end, self.is_doubtful(each)
                found.setdefault(each.entry.point_id or 0, []).append(stay)
        return found

    def bounds(self, day: str) -> tuple[int, int]:
        begin, end = begin_of(day, self.zone, self.turn), next_turn(day, self.zone, self.turn)
        return begin, max(begin, min(end, self.now)) if day >= self.site.business_day else end

    def opened(self, day: str) -> dict[int, list[tuple[int, int]]]:
        """Return the open times of each point on a day: from its first call to its last patient's end."""
        begin, end = self.bounds(day)
        found: dict[int, list[tuple[int, int]]] = {}
        for point_id, every in self.stays(day).items():
            stays = [(since, until) for since, until, doubtful in every if not doubtful]
            if not stays:
                continue
            first, last = min(since for since, _ in stays), max(until for _, until in stays)
            unknown = [(since, until) for since, until, doubtful in every if doubtful]
            changes = {first, last, *(at for at, which, _, _ in self.history if which == point_id)}
            changes |= {at for span in unknown for at in span}
            edges = [at for at in sorted(changes) if first <= at <= last and begin <= at <= end]
            for since, until in pairwise(edges):
                if self.standing(point_id, since)[0] and not any(one <= since < two for one, two in unknown):
                    found.setdefault(point_id, []).append((since, until))
        return found

    def by_quarter(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield (instant, length) of spans, cut at the quarters of hours."""
        for since, until in spans:
            while since < until:
                end = min(until, (since // QUARTER + 1) * QUARTER)
                yield since, end - since
                since = end

    def fairness(self, wanted: Callable[[Plain], bool]) -> dict[str, list[int]]:
        """Return calls, passing calls and passed patients by the text of the reason, without the labels."""
        found: dict[str, list[int]] = {}
        for each in self.entries:
            for number, _ in each.calls if wanted(each) else ():
                event = self.log[number].event
                assert isinstance(event, TicketCalled)
                passed = sum(self._passes(number, each, other) for other in self.entries)
                sums = found.setdefault(event.reason.split(": ", 1)[1], [0, 0, 0])
                for index, more in enumerate((1, passed > 0, passed)):
                    sums[index] += more
        return found

    def _passes(self, number: int, called: Plain, other: Plain) -> bool:
        """Return whether the call passes another patient of the queue, who had joined earlier and was waiting."""
        same = (other.entry.queue_id, other.entry.business_day) == (called.entry.queue_id, called.entry.business_day)
        if not same or other.joined >= called.joined:
            return False
        state: str = other.entry.state
        for step in reversed(other.steps):
            if step["ended_by"] > number:
                state = step["state"]
        return state == "waiting"


def rounded(microseconds: int) -> int:
    seconds = microseconds // SECOND
    if seconds >= LONGEST_SECONDS:
        return LONGEST_SECONDS
    begin, step = [each for each in STEPS if each[0] <= seconds][-1]
    return begin + (seconds - begin) // step * step


def times(lengths: Sequence[int]) -> dict[str, int | None]:
    """Return the median and the p90 of durations, each rounded afterwards."""
    ordered = sorted(lengths)
    if not ordered:
        return {"count": 0, "median_seconds": None, "p90_seconds": None}
    count = len(ordered)
    median, p90 = ordered[-(-count // 2) - 1], ordered[-(-9 * count // 10) - 1]
    return {"count": count, "median_seconds": rounded(median), "p90_seconds": rounded(p90)}


def lead(days: Sequence[int]) -> dict[str, int | None]:
    ordered = sorted(min(255, each) for each in days)
    if not ordered:
        return {"count": 0, "median_days": None, "p90_days": None}
    count = len(ordered)
    return {"count": count, "median_days": ordered[-(-count // 2) - 1], "p90_days": ordered[-(-9 * count // 10) - 1]}


def agree(group: Group | None, expected: Mapping[str, Mapping[str, Any]]) -> None:
    """Assert that a group shows these figures, or hides them for a good reason; no group: that there are none."""
    for name, of_family in expected.items():
        sizes = [of_family[each] for each in ("count", "booked", "expected") if each in of_family]
        if group is None:
            assert not any(sizes), name
            continue
        shown = asdict(getattr(group, name))
        if shown.pop("hidden") is None:
            assert not any(0 < size < suppression.LEAST for size in sizes), (name, of_family)
            assert shown == of_family, (name, shown, of_family)
        else:
            assert set(shown.values()) == {None}


def compare(count: Count, found: Insights, days: Sequence[str], only: Only | None) -> None:
    """Assert every figure of a period against the plain count."""

    def filtered(each: Plain) -> bool:
        queue = each.entry.queue_id
        ids = {"queue": queue, "provider": each.provider_id, "service": count.service_of[queue]}
        return only is None or ids[only.kind] == only.id

    def filtered_appointment(each: Appointment) -> bool:
        ids = {"queue": None, "provider": each.provider_id, "service": each.service_id}
        return only is None or ids[only.kind] == only.id

    entries = [each for each in count.entries if each.entry.business_day in days and filtered(each)]
    booked = [each for each in count.appointments if count.day_of(each) in days and filtered_appointment(each)]

    def weekday(day: str) -> int:
        return date.fromisoformat(day).isoweekday()

    def every(
        shown: Mapping[Any, Group],
        keys: Iterable[Any],
        of_entry: Callable[[Plain], Any],
        of_appointment: Callable[[Appointment], Any],
    ) -> None:
        for key in keys:
            mine = (
                [each for each in entries if of_entry(each) == key],
                [each for each in booked if of_appointment(each) == key],
            )
            agree(shown.get(key), count.group(*mine))

    agree(found.total, count.group(entries, booked))
    every(found.days, days, lambda each: each.entry.business_day, count.day_of)
    every(
        found.weekdays,
        range(1, 8),
        lambda each: weekday(each.entry.business_day),
        lambda each: weekday(count.day_of(each)),
    )
    every(found.hours, range(48), lambda each: count.hour(each.joined), lambda each: count.hour(each.starts_at))
    every(found.queues, {each.entry.queue_id for each in entries}, lambda each: each.entry.queue_id, lambda _: 0)
    providers = {each.provider_id for each in entries} | {each.provider_id for each in booked}
    every(found.providers, providers, lambda each: each.provider_id, lambda each: each.provider_id)
    services = {each.service_id for each in count.appointments} | {each or 0 for each in count.service_of.values()}
    every(
        found.services,
        services,
        lambda each: count.service_of[each.entry.queue_id] or 0,
        lambda each: each.service_id,
    )
    heat = Counter((weekday(each.entry.business_day), count.hour(each.joined)) for each in entries)
    for cell in found.heat:
        size = heat.pop((cell.weekday, cell.hour + 24 * cell.second), 0)
        assert cell.entries == (None if cell.hidden else size)
        assert cell.hidden or not 0 < size < suppression.LEAST
    assert not heat
    reasons = count.fairness(lambda each: each.entry.business_day in days and filtered(each))
    calls = sum(sums[0] for sums in reasons.values())
    assert found.fairness.calls == (None if 0 < calls < suppression.LEAST else calls)
    if found.fairness.hidden is None:
        shown = {each.reason: (each.calls, each.passing, each.passed) for each in found.fairness.reasons if not each.hidden}
        for reason, told in WORDS.items():
            sums = [reasons[text] for text in reasons if any(text.startswith(each) or text.endswith(each) for each in told)]
            added = tuple(sum(column) for column in zip(*sums, strict=True)) if sums else (0, 0, 0)
            if reason in shown:
                assert shown[reason] == added, (reason, reasons)
            else:
                assert sum(added) == 0 or any(each.reason == reason and each.hidden for each in found.fairness.reasons)
    if only is None:
        _compare_points(count, found, days, weekday)


# The words of the reasons, as the ranking gives them.
WORDS = {
    "emergency": ("emergency",),
    "booked": ("has an appointment",),
    "moved": ("moved by staff",),
    "by_name": ("called by name",),
    "in_order": ("the only one waiting", "waiting longer", "the earlier ticket"),
    "urgent": ("urgent, ",),
    "assisted": ("assisted, ",),
    "returned": (" min later", " in the old place"),
}


def _compare_points(count: Count, found: Insights, days: Sequence[str], weekday: Callable[[str], int]) -> None:
    total, by_hour, by_weekday = 0, dict.fromkeys(range(48), 0), dict.fromkeys(range(1, 8), 0)
    by_point: dict[int, list[int]] = {}
    for day in days:
        of_day = 0
        stays, opened = count.stays(day), count.opened(day)
        for point_id, spans in stays.items():
            sums = by_point.setdefault(point_id, [0, 0])
            sums[0] += sum(until - since for since, until in opened.get(point_id, ()))
            sums[1] += sum(max(0, until - since) for since, until, doubtful in spans if not doubtful)
        for at, length in count.by_quarter(span for spans in opened.values() for span in spans):
            by_hour[count.hour(at)] += length
            of_day += length
        by_weekday[weekday(day)] += of_day
        total += of_day
        group = found.days.get(day)
        assert (group.open_seconds if group else 0) == of_day // SECOND
    assert found.total.open_seconds == total // SECOND
    for hour, length in by_hour.items():
        of_hour = found.hours.get(hour)
        assert (of_hour.open_seconds if of_hour else 0) == length // SECOND
    for number, length in by_weekday.items():
        of_weekday = found.weekdays.get(number)
        assert (of_weekday.open_seconds if of_weekday else 0) == length // SECOND
    assert {each.point_id for each in found.points} == set(by_point)
    for each in found.points:
        if each.hidden is None:
            assert [each.open_seconds, each.busy_seconds] == [length // SECOND for length in by_point[each.point_id]]


async def counted(database: Database, world: Recorder) -> dict[str, Any]:
    """Return the sums of every day of a world, in the form that the database keeps."""
    site = world.board.site
    found: dict[str, Any] = {}
    async with database.read() as connection:
        before = await day_sums.kept_after(connection, site)
        assert before is not None
        while before.day <= site.business_day:
            made = await day_sums.count(connection, site, before, world.now)
            found[made.day] = store.plain(made.kept(site).body)["sums"]
            before = made.after
    return found


@given(scripts(40), st.sampled_from(MORNINGS), st.sampled_from((0, 1, 8)), st.booleans(), st.integers(0, 2**32))
@examples(60)
def test_sums_equal_a_plain_count(
    url: str, script: list[Step], morning: tuple[str, str], hour: int, round_the_clock: bool, seed: int
) -> None:
    world = a_clinic(*morning, hour, round_the_clock)
    people(world)
    chance = random.Random(seed)
    for step in script:
        perform(world, step)
        for _ in range(chance.randrange(3)):
            work(world, chance)
    promise_to_leave(world, chance)
    count = Count(world)

    async def check() -> None:
        database = Database(url)
        try:
            await fill(database, world)
            found = await counted(database, world)
        finally:
            await database.close()
        filters: list[Only | None] = [None, Only("queue", min(world.board.queues))]
        filters += [Only("provider", each) for each in sorted({entry.provider_id for entry in count.entries})[-1:]]
        filters += [Only("service", each) for each in list(world.board.services)[:1]]
        days = list(found)
        for least, only in product((1, suppression.LEAST), filters):  # with 1, nothing is hidden
            for some in (days, days[-1:], days[:1]):
                period = Period(count.service_of, only)
                for day in some:
                    period.add_day(day, found[day])
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(suppression, "LEAST", least)
                    compare(count, period.insights(), some, only)

    asyncio.run(check())
