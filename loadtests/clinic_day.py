"""The people of a clinic, as real clients behind nginx with TLS: rooms and a reception that work, and screens that follow.

Rooms and reception do as the pages do: a command without an answer, or with 503, is repeated with its key. Every screen is
a `Viewer`, which proves each message by the protocol.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

import httpx
from sqlalchemy import select

from loadtests.hospital import Hospital
from server.domain.errors import Unavailable
from server.domain.views import AppointmentView, CalendarView, DeskView, DisplayView, PointView, TicketView
from server.domain.watching import Single, Watch, dates_from
from server.queries.boards import Boards
from server.store.database import Database
from server.store.tables import events
from tests.support.fresh import Fresh
from tests.support.nginx import unverified
from tests.support.server import vault
from tests.support.viewer import MISSED_HEARTBEATS, Place, Transport, Viewer

ANSWER_SECONDS = 8.0  # a page then repeats the command
GIVE_UP_SECONDS = 90.0
POLL_SECONDS = 0.05
SLACK_SECONDS = 20.0  # of the clocks of screens, on a busy machine
CLOCK_SECONDS = 30.0
MOST_WAITING = 24
OK, REFUSED, LIMITED, SILENT = "answered", "refused", "limited", "silent"
RULES = (404, 409)
TRANSPORTS: tuple[Transport, ...] = ("events", "websocket")


@dataclass
class Sent:
    """A command: its key, the numbers of its events by its answer, and the times of sending and answer."""

    key: str
    name: str
    began: float
    began_at: float
    answered: float = 0.0
    numbers: list[int] | None = None


@dataclass
class Tally:
    """The attempts at commands by their outcome, and the answers that no fault excuses."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)  # of the refusals with 503; those of nginx have none
    wrongs: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of the commands that were answered


class Clinic:
    """The people of one site."""

    def __init__(
        self,
        hospital: Hospital,
        chance: random.Random,
        *,
        heartbeat_seconds: float,
        screen: type[Viewer] = Viewer,
    ) -> None:
        self.hospital = hospital
        self.site_id = hospital.seeded["site_id"]
        self.tally = Tally()
        self.sent: list[Sent] = []
        self.viewers: dict[Viewer, asyncio.Task[None]] = {}
        self.tokens: dict[str, str] = {}
        self.tickets: dict[int, str] = {}  # the tokens of the visits, the latest last
        self.flowing = asyncio.Event()
        self.clock_ahead = 0  # seconds of the installation's time that have passed without it
        self._chance = chance
        self._screen = screen
        self._heartbeat_seconds = heartbeat_seconds
        self._tls = unverified()
        self._database = Database(hospital.database_url)
        self._boards = Boards(self._database)
        self._busy = 0
        self._answered_at = 0.0
        self._waiting = 0
        self._watched: list[Watch] = []
        self._checked = 0  # the last number of the log whose command has been compared
        self._logged: dict[str, list[int]] = defaultdict(list)
        self._client: httpx.AsyncClient

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Sign the staff in. At the end, close every screen."""
        limits = httpx.Limits(max_connections=None, keepalive_expiry=20)
        url = self.hospital.proxy.tls_url
        async with httpx.AsyncClient(base_url=url, verify=self._tls, timeout=ANSWER_SECONDS, limits=limits) as self._client:
            try:
                for role in ("admin", "receptionist", "manager"):
                    await self.sign_in(role)
                yield
            finally:
                for task in self.viewers.values():
                    task.cancel()
                await asyncio.gather(*self.viewers.values(), return_exceptions=True)
                await self._database.close()

    async def sign_in(self, role: str) -> None:
        """Begin a new session of the member with this role."""
        member = next(each for each in self.hospital.seeded["staff"] if each["role"] == role)
        body = {"username": member["username"], "password": member["password"]}
        answer = await self._client.post("/api/v1/session", json=body, timeout=60)
        self.tokens[role] = answer.raise_for_status().json()["access_token"]

    # Commands

    async def do(self, command: str, /, *, role: str = "receptionist", **body: Any) -> dict[str, Any] | None:
        """Send a command until it is answered; return the answer, or None if a rule refuses the command."""
        sent = Sent(f"day-{len(self.sent)}", command, time.monotonic(), time.time())
        self.sent.append(sent)
        self._busy += 1
        try:
            while True:
                outcome, answer = await self._attempt(sent.key, command, role, body)
                self.tally.outcomes[outcome] += 1
                if answer is not None:
                    break
                await asyncio.sleep(0.5 if outcome == SILENT else 1.0)
        finally:
            self._busy -= 1
            sent.answered = self._answered_at = time.monotonic()
        self.tally.seconds.append(sent.answered - sent.began)
        if answer.status_code in RULES:
            return None
        found: dict[str, Any] = answer.json()
        sent.numbers = [each["seq"] for each in found["events"]]
        if any(
            not sent.began_at - CLOCK_SECONDS <= each["at"] / 1000 <= time.time() + self.clock_ahead + CLOCK_SECONDS
            for each in found["events"]
        ):
            self.tally.wrongs.append(f"{command} has a wrong time: {[each['at'] for each in found['events']]}")
        return found

    async def _attempt(self, key: str, name: str, role: str, body: dict[str, Any]) -> tuple[str, httpx.Response | None]:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", "Idempotency-Key": key}
        try:
            answer = await self._client.post(f"/api/v1/commands/{name}", json=body, headers=headers)
        except httpx.HTTPError:
            return SILENT, None
        if answer.status_code == 200 or answer.status_code in RULES:
            return OK, answer
        if answer.status_code == 503:
            self.tally.codes[answer.headers.get("x-nowserving-refusal", "by nginx")] += 1
            if "retry-after" not in answer.headers:
                self.tally.wrongs.append(f"{name}: 503 without Retry-After: {answer.text[:200]}")
            return REFUSED, None
        if answer.status_code == 429:
            return LIMITED, None
        self.tally.wrongs.append(f"{name} was answered {answer.status_code}: {answer.text[:200]}")
        return OK, answer

    async def room(self, point_id: int, pause: float) -> None:
        """Call, start and complete patients, with a ``pause`` in seconds between the steps."""
        await self.do("open-point", point_id=point_id)
        while True:
            called = await self._step(pause, "call-next", point_id=point_id)
            if called is None:
                continue
            self._waiting = max(0, self._waiting - 1)
            entry_id = called["entry"]["id"]
            if self._chance.random() < 0.3:
                await self._step(pause, "recall", entry_id=entry_id)
            await self._step(pause, "start", entry_id=entry_id)
            await self._step(pause, "complete", entry_id=entry_id)

    async def reception(self, pause: float, most_waiting: int = MOST_WAITING) -> None:
        """Issue tickets, with a ``pause`` between two, unless very many patients wait."""
        self._waiting = len(self.hospital.seeded["tickets"])
        while True:
            if self._waiting >= most_waiting:
                await asyncio.sleep(pause)
                continue
            queue_id = self._chance.choice(self.hospital.seeded["queue_ids"])
            phone = f"+49 170 {len(self.sent):07d}"
            found = await self._step(
                pause, "issue-ticket", queue_id=queue_id, name="Nora Canary", phone=phone, overrule=True
            )
            if found is not None:
                self._waiting += 1
                self.tickets[found["entry"]["visit_id"]] = found["token"]

    async def _step(self, pause: float, command: str, /, **body: Any) -> dict[str, Any] | None:
        await asyncio.sleep(self._chance.uniform(0.5, 1.5) * pause)
        await self.flowing.wait()
        return await self.do(command, **body)

    # Screens

    def open(self, place: Place, transport: Transport, address: str = "127.0.0.1") -> Viewer:
        """Open a screen whose connections come from ``address``."""

        async def connect() -> tuple[socket.socket, str]:
            made = socket.socket()
            made.setblocking(False)
            try:
                made.bind((address, 0))
                where = ("127.0.0.1", self.hospital.proxy.tls_port)
                await asyncio.get_running_loop().sock_connect(made, where)
            except BaseException:
                made.close()
                raise
            return made, f"127.0.0.1:{self.hospital.proxy.tls_port}"

        viewer = self._screen(place, transport, connect, self._chance, tls=self._tls)
        viewer.shown.heartbeat_seconds = self._heartbeat_seconds  # else its first connection may be silent for long
        self.viewers[viewer] = asyncio.create_task(viewer.run())
        return viewer

    async def close(self, viewer: Viewer) -> None:
        """Close a screen."""
        task = self.viewers.pop(viewer)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def desk(self, role: str = "receptionist") -> Place:
        """Return the place of reception, as a role sees it."""
        view = DeskView(vault().open_personal, "floor" if role == "receptionist" else "staff")
        return Place(f"/live/sites/{self.site_id}/desk", view, lambda: self.tokens[role])

    def calendar(self, first: str, days: int = 7) -> Place:
        """Return the place of a calendar."""
        self._watched.append(dates_from(first, days))
        view = CalendarView(first, days, vault().open_personal)
        path = f"/live/sites/{self.site_id}/calendar?date={first}&days={days}"
        return Place(path, view, lambda: self.tokens["receptionist"])

    def console(self, point_id: int) -> Place:
        """Return the place of a room."""
        view = PointView(point_id, vault().open_personal)
        return Place(f"/live/points/{point_id}", view, lambda: self.tokens["receptionist"], point_id)

    def display(self, index: int) -> Place:
        """Return the place of a display."""
        seeded = self.hospital.seeded["displays"][index]
        return Place(
            f"/live/displays/{seeded['id']}", DisplayView(seeded["id"]), partial(str, seeded["token"]), seeded["id"]
        )

    def phone(self, visit_id: int) -> Place:
        """Return the place of a patient with a ticket."""
        return Place(f"/live/tickets/{self.tickets[visit_id]}", TicketView(visit_id), lambda: None, visit_id)

    def appointment(self, appointment_id: int, token: str) -> Place:
        """Return the place of a patient with an appointment."""
        self._watched.append(Single(appointment_id))
        return Place(f"/live/appointments/{token}", AppointmentView(appointment_id), lambda: None, appointment_id)

    async def open_usual_screens(self) -> None:
        """Open displays, desks, consoles, a calendar, an appointment and phones, over both transports."""
        day = (date.today() + timedelta(days=2)).isoformat()  # a day to come in each zone
        booked = await self.do(
            "book",
            site_id=self.site_id,
            service_id=self.hospital.seeded["service_ids"][0],
            provider_id=self.hospital.seeded["provider_ids"][0],
            local_start=f"{day}T10:00",
            name="Nora Canary",
            overbook="the fault day",
            anyway=True,
        )
        assert booked is not None
        places = [self.display(index) for index in range(len(self.hospital.seeded["displays"]))]
        places += [self.desk(), self.desk("manager"), self.calendar(day, 3)]
        places += [self.console(each) for each in self.hospital.seeded["point_ids"]]
        places.append(self.appointment(booked["appointment"]["id"], booked["token"]))
        places += map(self.phone, list(self.tickets)[-2:])
        for place in places:
            for transport in TRANSPORTS:
                self.open(place, transport)

    async def renew_phones(self, count: int = 4) -> None:
        """Close the phones of the earliest tickets, and open as many of the latest."""
        phones = [each for each in self.viewers if isinstance(each.place.view, TicketView)]
        for viewer in phones:
            await self.close(viewer)
        for index, visit_id in enumerate(list(self.tickets)[-count:]):
            self.open(self.phone(visit_id), TRANSPORTS[index % 2])

    @property
    def dark(self) -> int:
        """The number of screens that know that they are not live."""
        return sum(not viewer.live or _silent_seconds(viewer) > _patience(viewer) for viewer in self.viewers)

    @property
    def attempts(self) -> int:
        """The number of connections that all screens have tried."""
        return sum(viewer.attempts for viewer in self.viewers)

    # The truth

    async def settle(self, ended: float, within: float) -> tuple[float, list[str]]:
        """Pause the commands, and wait until every screen equals the rows of the database.

        Return the seconds from ``ended`` (or from the last answer, if that came later) until then, and the screens that were
        not right ``within`` seconds.
        """
        self.flowing.clear()
        await self.until_answered()
        ended = max(ended, self._answered_at)
        pending = dict.fromkeys(self.viewers, "")
        while pending:
            (await self.fresh()).compare(pending, SLACK_SECONDS)
            if time.monotonic() - ended > within:
                break
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - ended, list(pending.values())

    async def until_answered(self) -> None:
        """Wait until every command has its answer. Raises `NotSeen`."""
        await until(lambda: self._busy == 0, "the answers to all commands", GIVE_UP_SECONDS)

    async def fresh(self) -> Fresh:
        """Return the views, drawn from the present rows."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                return Fresh(await self._boards.board(self.site_id, self._watched), self.clock_ahead)
            except Unavailable:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.2)

    def broken_laws(self) -> list[str]:
        """Return, and forget, the messages that broke the protocol."""
        found = []
        for viewer in self.viewers:
            found += [f"{viewer.place.view.name}: {each}" for each in viewer.shown.wrongs]
            if viewer.shown.disagreements:
                found.append(f"{viewer.place.view.name}: {viewer.shown.disagreements} digests do not match")
            viewer.shown.wrongs.clear()
            viewer.shown.disagreements = 0
        return found

    async def lost_commands(self, since: int) -> list[str]:
        """Return the answered commands from index ``since`` on that are missing in the log, or were done twice."""
        async with self._database.read() as connection:
            statement = select(events.c.seq, events.c.command_id).where(
                events.c.site_id == self.site_id, events.c.seq > self._checked
            )
            for seq, command_id in await connection.execute(statement.order_by(events.c.seq)):
                self._logged[command_id].append(seq)
                self._checked = seq
        return [
            f"{each.name} ({each.key}) was answered with {each.numbers}, the log has {self._logged.get(each.key)}"
            for each in self.sent[since:]
            if each.numbers is not None and self._logged.get(each.key, []) != each.numbers
        ]


def _silent_seconds(viewer: Viewer) -> float:
    return time.monotonic() - viewer.message_at


def _patience(viewer: Viewer) -> float:
    return MISSED_HEARTBEATS * viewer.shown.heartbeat_seconds


async def until(reached: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait until ``reached()``. Raises `NotSeen` after ``seconds``."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise NotSeen(f"not seen within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_SECONDS)


class NotSeen(Exception):
    """An expected effect did not show."""


@contextmanager
def running_tasks(tasks: Sequence[asyncio.Task[None]]) -> Iterator[None]:
    """Cancel tasks at the end of a block, and raise the error of a task that has failed."""
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
