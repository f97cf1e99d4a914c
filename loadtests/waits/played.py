"""Play the days of a clinic through the product: its `decide`, its `apply`, and a board in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from time import process_time

from loadtests.waits.clinic import Bookings, Clinic
from loadtests.waits.day import OPENING, PREPARED, Command, Day
from server.domain.board import Board, Changes, apply
from server.domain.calendar import NoCalendar
from server.domain.commands import (
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    BreakPoint,
    CallNext,
    CheckIn,
    ClosePoint,
    Complete,
    IssueTicket,
    Leave,
    NoShow,
    OpenPoint,
    StaffPoint,
    Start,
    Tick,
)
from server.domain.commands import Command as Sent
from server.domain.events import Event, Recorded, TicketCalled, TicketIssued, WaitsQuoted
from server.domain.model import Appointment, Rules, Site, local_time
from server.domain.model.ids import IDS_PER_SITE
from server.domain.model.tickets import next_turn
from server.domain.rules import decide, overdue, quoting

ZONE = "Europe/Berlin"
SITE_ID = 7
FIRST_DAY = date(2027, 2, 1)  # a Monday; the clocks go forward on 28 March
MICROSECONDS = 60_000_000
LONG = getattr(quoting, "EXACT", 32)  # with more waiting, the product continues from quotes of the clock
MEASURED = 16  # one of so many tickets is measured: the look at the clock of the process costs much on some machines
ANYBODY = "Anybody"  # the provider of appointments that any doctor takes
Range = tuple[float, float]


def date_of(day: int) -> date:
    """Return the date of a working day, counted from 0. The clinic is closed at weekends."""
    return FIRST_DAY + timedelta(days=day // 5 * 7 + day % 5)


class _Calendar(NoCalendar):
    """The appointments of the next day."""

    def __init__(self) -> None:
        self.booked: list[Appointment] = []

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        return [each for each in self.booked if from_ <= each.starts_at < until]


class Played:
    """The site of a clinic. ``seconds`` is the CPU time of ``quotes`` commands that gave a first quote, a sample of all.

    With ``leaves``, the clock also ticks after each newcomer, and so tells until when the patient may leave.
    """

    def __init__(self, clinic: Clinic, every_tick: bool = False, leaves: bool = False) -> None:
        self.clinic, self.every_tick, self.leaves = clinic, every_tick, leaves
        self.left: dict[int, float] = {}  # of the last day: until when each patient may leave, in minutes of the day
        self._joined = False  # somebody since the last tick
        first = (FIRST_DAY - timedelta(days=1)).isoformat()
        start = local_time.instant_of(f"{first}T12:00", ZONE)
        self.now = start
        site = Site(
            id=SITE_ID,
            organisation_id=1,
            name=clinic.name,
            time_zone=ZONE,
            language="en",
            day_turns_at_minutes=240,
            business_day=first,
            turns_at=next_turn(first, ZONE, 240),
            next_tick_at=next_turn(first, ZONE, 240),
            quoted_at=start,
            message=None,
            epoch="e1",
            last_id=0,
            last_event_at=start,
            seq=0,
            rules=Rules(),
        )
        self.board = Board(site)
        self.calendar = _Calendar()
        self.seconds, self.quotes = 0.0, 0
        self._tokens = 0
        self._set_up()

    def play(self, day: Day, number: int) -> dict[int, Range | None]:
        """Send the commands of a day. Return the first quote of each patient, in minutes of the day."""
        today = date_of(number).isoformat()
        midnight = local_time.instant_of(f"{today}T12:00", ZONE) - 12 * 60 * MICROSECONDS
        ids = self._book(day, today)
        self.send(Tick(site_id=SITE_ID), midnight + round((PREPARED - 30) * MICROSECONDS))
        entries: dict[int, int] = {}
        found: dict[int, Range | None] = {}
        commands = sorted(day.commands, key=lambda each: each.minute)
        for command in commands:
            at = max(self.now, midnight + round(command.minute * MICROSECONDS))
            self._tick(at, command)
            if command.name in ("issue", "check-in"):
                sent = self._joins(day, command, ids)
                measured = len(entries) % MEASURED == 0
                before = process_time() if measured else 0.0
                issued = next(each for each in self.send(sent, at) if isinstance(each, TicketIssued))
                if measured:
                    self.seconds += process_time() - before
                    self.quotes += 1
                entries[command.number] = issued.entry_id
                self._joined = True
                found[command.number] = (
                    None
                    if issued.expect_from is None or issued.expect_until is None
                    else ((issued.expect_from - midnight) / MICROSECONDS, (issued.expect_until - midnight) / MICROSECONDS)
                )
            elif command.name == "call":
                events = self.send(CallNext(point_id=self.points[command.post]), at)
                called = next(each for each in events if isinstance(each, TicketCalled))
                assert called.entry_id == entries[command.number], "the product calls the patient of the simulation"
            elif (other := self._other(day, command, entries)) is not None:
                self.send(other, at)
        told = {number: self.board.entries[entry_id].quoted_leave for number, entry_id in entries.items()}
        self.left = {number: (at - midnight) / MICROSECONDS for number, at in told.items() if at is not None}
        return found

    def _joins(self, day: Day, command: Command, ids: dict[int, int]) -> Sent:
        if command.name == "check-in":
            return CheckIn(appointment_id=ids[command.post], anyway=True)
        patient = day.patients[command.number]
        return IssueTicket(queue_id=self.queues[patient.line], priority=patient.kind)

    def _other(self, day: Day, command: Command, entries: dict[int, int]) -> Sent | None:
        match command.name:
            case "start":
                return Start(entry_id=entries[command.number])
            case "complete":
                return Complete(entry_id=entries[command.number])
            case "no-show":
                return NoShow(entry_id=entries[command.number])
            case "leave":
                return Leave(entry_id=entries[command.number])
            case "open":
                return OpenPoint(point_id=self.points[command.number])
            case "break":
                return BreakPoint(point_id=self.points[command.number])
            case "close":
                return ClosePoint(point_id=self.points[command.number])
            case "staff":
                name = day.seats[command.number].post.doctor(day.day, max(command.minute, OPENING)).name
                point = self.board.points[self.points[command.number]]
                staffed = point.provider_id == self.providers[name]
                return None if staffed else StaffPoint(point_id=point.id, provider_id=self.providers[name])
        raise ValueError(command.name)

    def _tick(self, at: int, command: Command) -> None:
        """Let the clock quote the line. Lines that are quoted exactly need it for no first quote."""
        if self.every_tick:
            while self.board.site.next_tick_at <= at:
                self.send(Tick(site_id=SITE_ID), max(self.now, self.board.site.next_tick_at))
            return
        if self.leaves and self._joined and self.board.site.next_tick_at <= at:
            self._joined = False
            self._quote_all(max(self.now, self.board.site.next_tick_at))
            return
        if command.name not in ("issue", "check-in") or sum(map(len, self.board.lanes().values())) <= LONG:
            return
        if self.board.site.next_tick_at > at:
            return
        self._quote_all(max(self.now, self.board.site.next_tick_at, at - MICROSECONDS // 4))

    def _quote_all(self, ticks_at: int) -> None:
        more = True
        while more:  # the next tick comes at once
            quoted = self.send(Tick(site_id=SITE_ID), ticks_at)
            more = any(isinstance(each, WaitsQuoted) and each.more for each in quoted)

    def send(self, command: Sent, at: int) -> list[Event]:
        """Do a command at an instant. Return its events."""
        self.now = at
        board = self.board
        if at >= board.site.turns_at and not isinstance(command, Tick):
            self._happen(overdue(board, at, self.calendar), at)
        self._tokens += 1
        events = decide(board, command, at, f"token-{self._tokens}", calendar=self.calendar)
        self._happen(events, at)
        return events

    def _happen(self, events: Sequence[Event], at: int) -> None:
        for event in events:
            apply(self.board, Recorded(self.board.site.seq + 1, at, "staff:1", event), Changes())

    def _set_up(self) -> None:
        clinic = self.clinic
        self.send(AddService(site_id=SITE_ID, name="Visit", public_name="Visit"), self.now)
        self.service = next(iter(self.board.services))
        names = sorted({doctor.name for post in clinic.posts for _, group in post.roster for doctor in group if doctor.name})
        self.providers: dict[str, int] = {}
        for name in [*names, ANYBODY]:
            self.send(AddProvider(site_id=SITE_ID, name=name), self.now)
            self.providers[name] = max(self.board.providers)
        self.queues, self.points = [], []
        for at in range(len(clinic.lines)):
            self.send(AddQueue(site_id=SITE_ID, name=f"Queue {at}", prefix="ABCDEF"[at], service_id=self.service), self.now)
            self.queues.append(max(self.board.queues))
        for at, post in enumerate(clinic.posts):
            queue_ids = tuple(self.queues[line] for line in post.lines)
            self.send(AddPoint(site_id=SITE_ID, name=f"Room {at}", queue_ids=queue_ids), self.now)
            self.points.append(max(self.board.points))
            state = self.board.points[self.points[-1]].state
            if not post.opened and state != "open":
                self.send(OpenPoint(point_id=self.points[-1]), self.now)
            if post.opened and state == "open":
                self.send(ClosePoint(point_id=self.points[-1]), self.now)

    def _book(self, day: Day, today: str) -> dict[int, int]:
        """Put the appointments of a day into the calendar. Return their ids, by number."""
        ids: dict[int, int] = {}
        booked: list[Appointment] = []
        groups: list[tuple[Bookings, float, int]] = day.booked
        for group, minute, number in groups:
            local_start = f"{today}T{int(minute) // 60:02d}:{int(minute) % 60:02d}"
            starts_at = local_time.instant_of(local_start, ZONE)
            ids[number] = SITE_ID * IDS_PER_SITE + self.board.site.last_id + 1 + number
            doctor = ANYBODY if group.post is None else self.clinic.posts[group.post].doctor(day.day, minute).name
            provider = self.providers[doctor]
            booked.append(
                Appointment(
                    id=ids[number],
                    site_id=SITE_ID,
                    business_day=None,
                    service_id=self.service,
                    provider_id=provider,
                    resource_id=provider,
                    point_id=None,
                    state="booked",
                    local_start=local_start,
                    fold=0,
                    zone=ZONE,
                    minutes=10,
                    buffer_minutes=0,
                    starts_at=starts_at,
                    ends_at=starts_at + 10 * MICROSECONDS,
                    tz_version=local_time.tz_version(),
                    lane=number,
                    version=1,
                    token_hash=f"appointment-{today}-{number}",
                    sealed=None,
                    language="en",
                    booked_at=self.now,
                    seq=0,
                )
            )
        self.calendar.booked = booked
        return ids
