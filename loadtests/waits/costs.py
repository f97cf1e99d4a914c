"""The CPU time of a newcomer's quote, and of the slices in which the clock quotes a long line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

from loadtests.waits.clinic import Bookings, Clinic, Doctor, Line, Post, Rest
from loadtests.waits.day import Day
from loadtests.waits.laws import Lognormal, Normal, Plus, Uniform
from loadtests.waits.played import MICROSECONDS, SITE_ID, ZONE, Played, date_of
from server.domain.commands import CallNext, IssueTicket, Leave, Start, Tick
from server.domain.events import TicketCalled, TicketIssued, WaitsQuoted
from server.domain.model import local_time
from server.domain.rules import decide

WAITING = (0, 2, 5, 8, 10, 100, 500)
LONGEST = 5000  # waiting patients that the clock quotes
TICKETS = 40  # of each length of the line
WARM = 21
SECOND = 1_000_000


def _post(at: int) -> Post:
    return Post(
        lines=(0, 1),
        begins=Plus(480, Normal(12, 5)),
        pause=Lognormal(1.5, 0.5),
        coffee_share=0.04,
        rests=(Rest(Normal(740, 20), Uniform(20, 40)),),
        roster=((0, (Doctor(f"Doctor {at}", 0.8 + 0.05 * at),)),),
    )


CLINIC = Clinic(
    name="costs",
    half="build",
    lines=(Line(Lognormal(7, 0.6), share=0.6), Line(Lognormal(9, 0.6), share=0.4)),
    posts=tuple(map(_post, range(8))),
    rates=((450, 34), (600, 40), (720, 25), (840, 38), (960, 0)),
    shares=(("urgent", 0.1), ("emergency", 0.01)),
    bookings=(Bookings(12, 500, 930, Normal(-6, 7), missing=0.1),),
    no_show=0.04,
)


@dataclass(frozen=True)
class Newcomer:
    """Milliseconds of CPU for the decision on a ticket, with a number of waiting patients: the middle and the most.

    The ticket comes three seconds after another one. ``fresh`` is that of a ticket without any kept futures.
    """

    waiting: int
    middle: float
    most: float
    fresh: float


@dataclass(frozen=True)
class Clock:
    """Milliseconds of CPU for the slices of a tick: the decision and its events."""

    waiting: int
    slices: int
    middle: float
    most: float


def measure(
    lengths: Sequence[int] = WAITING, longest: int = LONGEST, warm: int = WARM, tickets: int = TICKETS
) -> tuple[list[Newcomer], Clock]:
    """Return the costs at a clinic of eight points and two queues, with a history of ``warm`` days."""
    played = Played(CLINIC)
    for number in range(warm):
        day = Day(CLINIC, number, {}, lambda *_: None)
        day.run()
        played.play(day, number)
    site = _Morning(played, warm)
    newcomers = []
    for waiting in lengths:
        site.fill(waiting)
        newcomers.append(site.newcomers(waiting, tickets))
    site.fill(longest)
    return newcomers, site.clock(longest)


class _Morning:
    """The site at ten o'clock: every point has a patient, and many wait."""

    def __init__(self, played: Played, number: int) -> None:
        self.played = played
        today = date_of(number).isoformat()
        self._do = played.send
        self._do(Tick(site_id=SITE_ID), local_time.instant_of(f"{today}T05:00", ZONE))
        self.now = local_time.instant_of(f"{today}T10:00", ZONE)
        for point_id in played.points:
            self.issue()
            called = next(each for each in self._do(CallNext(point_id=point_id), self.now) if isinstance(each, TicketCalled))
            self.now += 20 * SECOND
            self._do(Start(entry_id=called.entry_id), self.now)
        self.waiting = 0

    def issue(self) -> TicketIssued:
        """Issue a ticket of each queue in turn."""
        self.now += SECOND // 10
        queue_id = self.played.queues[len(self.played.board.entries) % len(self.played.queues)]
        events = self._do(IssueTicket(queue_id=queue_id), self.now)
        return next(each for each in events if isinstance(each, TicketIssued))

    def fill(self, waiting: int) -> None:
        """Let patients join until so many wait."""
        while self.waiting < waiting:
            self.issue()
            self.waiting += 1
        if waiting:
            self.tick()

    def tick(self) -> list[float]:
        """Let the clock quote the line; return the milliseconds of its slices."""
        self.now = max(self.now, self.played.board.site.quoted_at + MICROSECONDS // 2)
        found = []
        while True:
            before = process_time()
            events = self._do(Tick(site_id=SITE_ID), self.now)
            found.append(1000 * (process_time() - before))
            self.now += SECOND // 100
            if not any(isinstance(each, WaitsQuoted) and each.more for each in events):
                return found

    def newcomers(self, waiting: int, tickets: int) -> Newcomer:
        """Return the cost of a ticket. Each newcomer leaves again, and the clock goes on."""
        board = self.played.board
        kept: list[float] = []
        fresh: list[float] = []
        for _ in range(tickets):
            if waiting and self.now >= board.site.quoted_at + MICROSECONDS // 2:
                self.tick()
            self.now += 3 * SECOND
            command = IssueTicket(queue_id=self.played.queues[0])
            decide(board, command, self.now - 3 * SECOND, "token")  # the patient before
            before = process_time()
            decide(board, command, self.now, "token")
            kept.append(1000 * (process_time() - before))
            self._do(Leave(entry_id=self.issue().entry_id), self.now)
            outlook, board.outlook, board.quoted = board.outlook, None, None
            before = process_time()
            decide(board, command, self.now, "token")
            fresh.append(1000 * (process_time() - before))
            board.outlook = outlook
        return Newcomer(waiting, median(kept), max(kept), median(fresh))

    def clock(self, waiting: int) -> Clock:
        """Return the cost of a tick, of three ticks."""
        slices = [each for _ in range(3) for each in self.tick()]
        return Clock(waiting, len(slices) // 3, median(slices), max(slices))


def shown(newcomers: list[Newcomer], clock: Clock) -> str:
    """Return the costs as text."""
    lines = [f"{'waiting':>8} {'ms a ticket':>12} {'most':>6} {'without kept futures':>21}"]
    lines += [f"{each.waiting:>8} {each.middle:>12.2f} {each.most:>6.2f} {each.fresh:>21.2f}" for each in newcomers]
    lines.append(
        f"a tick with {clock.waiting} waiting: {clock.slices} slices, {clock.middle:.1f} ms each in the middle, "
        f"{clock.most:.1f} at most"
    )
    return "\n".join(lines)
