"""Past days of the demo, for the figures of managers: the commands of real days, at instants of the past.

The clock of the database shows each command its instant. So the log, its chain and all figures are those of real days.
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from server.clock import SteadyClock
from server.demo_messages import PastMessages
from server.domain.board import Board
from server.domain.commands import (
    AppointmentNoShow,
    Book,
    BreakPoint,
    CallNext,
    CancelAppointment,
    ChangeSite,
    CheckIn,
    Command,
    Complete,
    IssueTicket,
    Leave,
    NoShow,
    OpenPoint,
    Start,
    Transfer,
)
from server.domain.errors import Refused
from server.domain.model import Priority
from server.execute import Executor

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
OPENS, CLOSES = 8, 18  # hours; the last patient may take longer
ARRIVALS = (5, 12, 10, 7, 5, 4, 7, 8, 5)  # of a plain day, by hour from the opening
BUSIEST = (1.3, 1.05, 1.0, 1.1, 0.9)  # by weekday from Monday; the clinic is closed on Saturdays and Sundays
SERVICE_MINUTES = {"A": 12.0, "B": 13.0, "C": 21.5}  # by the queue's letter
WALK_SECONDS = (20, 110)
BETWEEN_SECONDS = (15, 70)
NO_SHOW, LEAVES, NEXT_STAGE = 0.04, 0.05, 0.35
PATIENCE_MINUTES = (15, 45)
BOOKED_A_DAY = 12
LEAD_DAYS = 6.0  # in the mean
CANCELLED_EARLY, CANCELLED_LATE, MISSED = 0.08, 0.04, 0.1
LUNCH_HOURS = (12, 13)  # by turns
MESSAGES_EVERY = 2  # minutes
PRIORITIES: tuple[Priority, ...] = (*("standard",) * 17, "assisted", "assisted", "urgent")


class PastClock(SteadyClock):
    """A clock that shows one instant, in microseconds, until the next one is set."""

    __slots__ = ("instant",)

    def __init__(self, instant: int) -> None:
        super().__init__()
        self.instant = instant

    def now(self) -> int:
        """Return the instant."""
        return self.instant

    def read(self, reading: int, asked: int | None = None) -> int:
        """Return the instant, whatever the database's clock says."""
        return self.instant


def morning_before(days: int) -> int:
    """Return 05:00 UTC of the day so many days before today, in microseconds."""
    day = datetime.now(UTC).date() - timedelta(days=days)
    return _at(day, 5)


def _at(day: date, hour: float) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * SECOND + hour * HOUR)


class PastDays:
    """Lives the days of one site from the clock's instant to yesterday. ``board`` is that of the new site.

    ``hands_off`` names the points that nobody staffs.
    """

    def __init__(
        self,
        executor: Executor,
        board: Board,
        clock: PastClock,
        messages: PastMessages,
        hands_off: frozenset[str] = frozenset(),
    ) -> None:
        self._executor, self._clock, self._messages = executor, clock, messages
        self._site_id = board.site.id
        self._points = {each.id: each for each in board.points.values() if each.name not in hands_off}
        self._letters = {each.id: each.prefix for each in board.queues.values()}
        self._queues = sorted(board.queues)
        self._doctors = [
            (schedule.provider_id, schedule.service_ids[0]) for schedule in board.schedules.values() if schedule.weekday == 0
        ]
        self._dice = random.Random(7)  # nosec B311 # a simulated day, no secret
        self._later: list[tuple[int, int, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._order = count()
        self._phones = count()
        self._busy: set[int] = set()
        self._resting: set[int] = set()
        self._waiting: set[int] = set()

    async def live(self, today: date) -> None:
        """Live each day before ``today``. Patients get messages by SMS meanwhile, and are asked how their visits were."""
        await self._do(ChangeSite(site_id=self._site_id, message_ways=("sms",), feedback="on"))
        day = datetime.fromtimestamp(self._clock.instant / SECOND, UTC).date()
        while day < today:
            self._plan(day)
            while self._later and self._later[0][0] < _at(day + timedelta(days=1), 0):
                at, _, act = heapq.heappop(self._later)
                self._clock.instant = max(self._clock.instant, at)
                await act()
            day += timedelta(days=1)
        # Messages of the coming days would wait for a provider that does not exist.
        await self._do(ChangeSite(site_id=self._site_id, message_ways=(), feedback="off"))
        await self._messages.withdraw(self._clock.instant)

    def _plan(self, day: date) -> None:
        """Plan what happens by itself on a day: bookings, arrivals and lunch breaks."""
        if day.weekday() >= len(BUSIEST):
            return
        self._busy.clear()
        for _ in range(BOOKED_A_DAY):
            self._do_at(_at(day, self._dice.uniform(OPENS, CLOSES)), lambda: self._book(day))
        for hour, usual in enumerate(ARRIVALS, OPENS):
            for _ in range(round(usual * BUSIEST[day.weekday()] * self._dice.uniform(0.7, 1.3))):
                self._do_at(_at(day, self._dice.uniform(hour, hour + 1)), self._arrive)
        for minute in range(60 * OPENS, 60 * (CLOSES + 4), MESSAGES_EVERY):
            self._do_at(_at(day, minute / 60), self._send)
        for index, point_id in enumerate(self._points):
            begin = LUNCH_HOURS[index % len(LUNCH_HOURS)]
            self._do_at(_at(day, begin), lambda point_id=point_id: self._rest(point_id))  # type: ignore[misc]
            self._do_at(_at(day, begin + 0.75), lambda point_id=point_id: self._come_back(point_id))  # type: ignore[misc]

    def _do_at(self, at: int, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        heapq.heappush(self._later, (at, next(self._order), act))

    def _do_in(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._do_at(self._clock.instant + int(seconds * SECOND), act)

    async def _do(self, command: Command) -> dict[str, Any] | None:
        """Do a command; return its answer, or None if it is refused."""
        try:
            return (await self._executor.execute(command, actor="simulation", command_id=uuid.uuid4().hex)).body
        except Refused:
            return None

    async def _send(self) -> None:
        await self._messages.send(self._clock.instant)

    async def _arrive(self) -> None:
        dice = self._dice
        queue_id = self._queues[0] if dice.random() < 0.6 else dice.choice(self._queues)
        made = await self._do(
            IssueTicket(queue_id=queue_id, name="A Patient", priority=dice.choice(PRIORITIES), phone=self._phone())
        )
        if made is None:
            return
        entry_id = made["entry"]["id"]
        if dice.random() < LEAVES:
            self._do_in(60 * dice.uniform(*PATIENCE_MINUTES), lambda: self._leave(entry_id))
        await self._joined(queue_id, entry_id)

    def _phone(self) -> str:
        return f"+4930555{next(self._phones):05}"

    async def _joined(self, queue_id: int, entry_id: int) -> None:
        self._waiting.add(entry_id)
        for point in self._points.values():
            if queue_id in point.queue_ids:
                await self._call(point.id)

    async def _leave(self, entry_id: int) -> None:
        if entry_id in self._waiting:
            self._waiting.discard(entry_id)
            await self._do(Leave(entry_id=entry_id))

    async def _rest(self, point_id: int) -> None:
        self._resting.add(point_id)
        await self._do(BreakPoint(point_id=point_id))

    async def _come_back(self, point_id: int) -> None:
        self._resting.discard(point_id)
        await self._do(OpenPoint(point_id=point_id))
        await self._call(point_id)

    async def _call(self, point_id: int) -> None:
        if point_id in self._busy or point_id in self._resting or not self._waiting:
            return
        called = await self._do(CallNext(point_id=point_id))
        if called is None:
            return
        self._busy.add(point_id)
        entry_id, queue_id = called["entry"]["id"], called["entry"]["queue_id"]
        self._waiting.discard(entry_id)
        walk = self._dice.uniform(*WALK_SECONDS)
        if self._dice.random() < NO_SHOW:
            self._do_in(walk + 90, lambda: self._missed(point_id, entry_id))
        else:
            self._do_in(walk, lambda: self._begin(point_id, entry_id, queue_id))

    async def _missed(self, point_id: int, entry_id: int) -> None:
        await self._do(NoShow(entry_id=entry_id))
        await self._free(point_id)

    async def _begin(self, point_id: int, entry_id: int, queue_id: int) -> None:
        await self._do(Start(entry_id=entry_id))
        minutes = SERVICE_MINUTES[self._letters[queue_id]] * self._dice.lognormvariate(-0.1, 0.45)
        self._do_in(60 * minutes, lambda: self._end(point_id, entry_id, queue_id))

    async def _end(self, point_id: int, entry_id: int, queue_id: int) -> None:
        later = [each for each in self._queues if each > queue_id]
        if later and self._dice.random() < NEXT_STAGE:
            next_id = self._dice.choice(later)
            sent = await self._do(Transfer(entry_id=entry_id, queue_id=next_id))
            if sent is not None:
                await self._joined(next_id, sent["entry"]["id"])
        else:
            await self._do(Complete(entry_id=entry_id))
        self._do_in(self._dice.uniform(*BETWEEN_SECONDS), lambda: self._free(point_id))

    async def _free(self, point_id: int) -> None:
        self._busy.discard(point_id)
        await self._call(point_id)

    async def _book(self, day: date) -> None:
        dice = self._dice
        begin = day + timedelta(days=1 + int(dice.expovariate(1 / LEAD_DAYS)))
        if begin.weekday() >= len(BUSIEST):
            begin += timedelta(days=2)
        provider_id, service_id = dice.choice(self._doctors)
        quarter = dice.randrange(4 * OPENS + 2, 4 * CLOSES - 6)
        booked = await self._do(
            Book(
                site_id=self._site_id,
                service_id=service_id,
                provider_id=provider_id,
                local_start=f"{begin}T{quarter // 4:02}:{quarter % 4 * 15:02}",
                name="A Patient",
                date_of_birth="1970-01-01",
                phone=self._phone(),
            )
        )
        if booked is None:  # the time is taken
            return
        appointment_id, starts_at, fate = booked["appointment"]["id"], _at(begin, quarter / 4), dice.random()
        cancel = CancelAppointment(appointment_id=appointment_id, version=booked["appointment"]["version"])
        if fate < CANCELLED_EARLY:
            self._do_at(starts_at - 30 * HOUR, lambda: self._done(cancel))
        elif fate < CANCELLED_EARLY + CANCELLED_LATE:
            self._do_at(starts_at - 45 * MINUTE, lambda: self._done(cancel))
        elif fate < CANCELLED_EARLY + CANCELLED_LATE + MISSED:
            missed = AppointmentNoShow(appointment_id=appointment_id)
            self._do_at(starts_at + 30 * MINUTE, lambda: self._done(missed))
        else:
            self._do_at(starts_at - int(dice.uniform(-3, 15) * MINUTE), lambda: self._check_in(appointment_id))

    async def _done(self, command: Command) -> None:
        await self._do(command)

    async def _check_in(self, appointment_id: int) -> None:
        come = await self._do(CheckIn(appointment_id=appointment_id, anyway=True))
        if come is not None:
            await self._joined(come["entry"]["queue_id"], come["entry"]["id"])
