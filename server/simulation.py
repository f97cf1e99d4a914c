"""A clinic's day at a visible pace, for the demo.

Patients book, check in or arrive without an appointment, are called, come or stay away, and go to the next stage.

The simulation uses the same commands as every other client and decides from the board alone. It can stop and start at any
time, and people can take part.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid

import structlog

from server.domain import ranking
from server.domain.board import Board, open_entries
from server.domain.commands import (
    AppointmentNoShow,
    Book,
    CallNext,
    CheckIn,
    CloseDay,
    Command,
    Complete,
    IssueTicket,
    NoShow,
    Recall,
    Start,
    Transfer,
)
from server.domain.errors import NowServingError, Refused
from server.domain.model import Entry, Need, Point, Priority, local_time
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import YOUR_APPOINTMENT, next_quarters

logger = structlog.get_logger(__name__)

STEP_SECONDS = 0.7
PAUSE_SECONDS = 300.0  # a longer pause of the simulation ends the day: nobody waited for so long
FULL = 14  # waiting at most; arrivals pause until some are served
WALK_SECONDS = (4, 9)
SERVICE_SECONDS = (9, 26)
BETWEEN_SECONDS = (1, 4)
NO_SHOW = 0.08
NEXT_STAGE = 0.45
NAMED = 0.3
BOOKED = 12  # appointments ahead at most
QUARTERS_AHEAD = 16  # the patients of the simulation book for the next four hours
ARRIVES_SECONDS = (-1500, 240)  # before the appointment, or after it
GIVEN_UP_SECONDS = 900
NEEDS: tuple[tuple[Need, ...], ...] = (*((),) * 12, ("interpreter",), ("fetch_in_person",), ("step_free",))
GIVEN = "Amina Ben Clara Deniz Elif Farid Grace Hugo Ines Jonas Kofi Lena Maria Nils Olga Paul Rosa Samir Tara".split()
FAMILY = "Adler Bauer Costa Demir Evans Fischer Garcia Haddad Ito Jansen Kaya Lopez Meyer Novak Okafor Petit".split()
PRIORITIES: tuple[Priority, ...] = (*("standard",) * 8, "assisted", "urgent")


class Simulation:
    """Simulates one site. ``hands_off`` names the points that people serve themselves."""

    def __init__(self, executor: Executor, boards: Boards, site_id: int, hands_off: frozenset[str] = frozenset()) -> None:
        self._executor = executor
        self._boards = boards
        self._site_id = site_id
        self._hands_off = hands_off
        self._random = random.Random()  # nosec B311 # a simulated day, no secret
        self._arrives_at = 0.0
        self._books_at = 0.0
        self._stepped_at: float | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await self.step()
            except NowServingError as error:
                logger.warning("simulation step failed", error=repr(error))
            await asyncio.sleep(STEP_SECONDS)

    async def step(self) -> None:
        """Do the next commands of every point, and let a patient arrive."""
        now = time.time()
        await end_old_day(self._executor, self._boards, self._site_id, now, self._stepped_at)
        self._stepped_at = now
        board = await self._boards.board(self._site_id)
        for command in self._due(board, now):
            try:
                await self._do(command)
            except Refused as refusal:
                logger.debug("command refused", refusal=refusal.code)

    def _due(self, board: Board, now: float) -> list[Command]:
        commands = [
            command
            for point in board.points.values()
            if point.name not in self._hands_off and (command := self._at(board, point, now)) is not None
        ]
        waiting = sum(len(board.waiting(queue_id)) for queue_id in board.queues)
        if now >= self._arrives_at and waiting < FULL:
            self._arrives_at = now + (0.5 if waiting < FULL // 2 else self._random.uniform(2, 6))
            commands.append(self._arrival(board))
        commands += self._check_ins(board, now)
        booked = sum(each.state == "booked" for each in board.appointments.values())
        if board.schedules and now >= self._books_at and booked < BOOKED:
            self._books_at = now + (0.5 if booked < BOOKED // 2 else self._random.uniform(5, 20))
            commands.append(self._booking(board, now))
        return commands

    def _check_ins(self, board: Board, now: float) -> list[Command]:
        commands: list[Command] = []
        for each in board.appointments.values():
            if each.state != "booked" or (each.foreign_id or "").startswith(YOUR_APPOINTMENT):
                continue
            dice, late = random.Random(each.id), now - each.starts_at / 1e6  # nosec B311 # a simulated day, no secret
            comes = dice.random() >= NO_SHOW
            if comes and late >= dice.uniform(*ARRIVES_SECONDS):
                commands.append(CheckIn(appointment_id=each.id, anyway=True))
            elif late > GIVEN_UP_SECONDS:
                commands.append(AppointmentNoShow(appointment_id=each.id))
        return commands

    def _booking(self, board: Board, now: float) -> Book:
        dice, schedule = self._random, self._random.choice(list(board.schedules.values()))
        start = dice.choice(next_quarters(now, 1, QUARTERS_AHEAD))
        return Book(
            site_id=self._site_id,
            service_id=dice.choice(schedule.service_ids),
            provider_id=schedule.provider_id,
            local_start=local_time.local_of(start, board.site.time_zone).local,
            name=f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}",
            date_of_birth=f"{dice.randrange(1940, 2015)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
            needs=dice.choice(NEEDS),
            wants_earlier=dice.random() < NAMED,
        )

    def _at(self, board: Board, point: Point, now: float) -> Command | None:
        entry = board.entry_at(point.id)
        if entry is None:
            last = max((each.since for each in board.entries.values() if each.point_id == point.id), default=0)
            dice = random.Random(last + point.id)  # nosec B311 # a simulated day, no secret
            rested = now - last / 1e6 > dice.uniform(*BETWEEN_SECONDS)
            waiting = ranking.next_for(board, point) is not None
            return CallNext(point_id=point.id) if rested and waiting else None
        # Each entry has its own dice, so that its behaviour does not depend on the time of a step.
        dice = random.Random(entry.id)  # nosec B311 # a simulated day, no secret
        comes = dice.random() >= NO_SHOW
        age = now - entry.since / 1e6
        if entry.state == "called":
            walk = dice.uniform(*WALK_SECONDS)
            if comes:
                return Start(entry_id=entry.id) if age > walk else None
            if age > 2 * walk:
                return NoShow(entry_id=entry.id)
            return Recall(entry_id=entry.id) if age > walk and entry.calls == 1 else None
        return self._finish(board, entry, dice) if age > dice.uniform(*SERVICE_SECONDS) else None

    def _finish(self, board: Board, entry: Entry, dice: random.Random) -> Command:
        stages = sorted(board.queues)
        later = stages[stages.index(entry.queue_id) + 1 :]
        if later and dice.random() < NEXT_STAGE:
            queue_id = dice.choice(later)
            there = [
                point.provider_id for point in board.points.values() if point.provider_id and queue_id in point.queue_ids
            ]
            named = dice.choice(there) if there and dice.random() < NAMED else None
            return Transfer(entry_id=entry.id, queue_id=queue_id, provider_id=named)
        return Complete(entry_id=entry.id)

    def _arrival(self, board: Board) -> IssueTicket:
        dice = self._random
        stages = sorted(board.queues)
        return IssueTicket(
            queue_id=stages[0] if dice.random() < 0.6 else dice.choice(stages),
            name=f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}",
            name_on_display=dice.random() < 0.3,
            priority=dice.choice(PRIORITIES),
            needs=dice.choice(NEEDS),
        )

    async def _do(self, command: Command) -> None:
        await self._executor.execute(command, actor="simulation", command_id=uuid.uuid4().hex)


async def end_old_day(executor: Executor, boards: Boards, site_id: int, now: float, lived_at: float | None) -> None:
    """End all open entries if the simulation has paused since ``lived_at``: its machine slept, or it was not running.

    Times are seconds since 1970. Without a ``lived_at`` nothing is known, and nothing ends.
    """
    if lived_at is None or now - lived_at < PAUSE_SECONDS:
        return
    board = await boards.board(site_id)
    if open_entries(board):
        command = CloseDay(site_id=site_id, reason="The demo had paused")
        await executor.execute(command, actor="simulation", command_id=uuid.uuid4().hex)
