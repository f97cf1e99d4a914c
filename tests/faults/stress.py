"""The stress run: commands of every kind, screens of every kind that open and close, and one fault after another.

After each fault the commands pause, and every screen must equal the database's rows within two seconds. Three delays do not
count:

- the back-off of a screen that lost its connection: it reconnects when its back-off ends, not when the fault ends
- the two and a half heartbeats that a screen needs to notice a silently cut connection
- the delays of this machine, which a probe measures
"""

from __future__ import annotations

import asyncio
import math
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from server.domain.board import Board
from server.domain.commands import Book, CancelAppointment, CheckIn, Command, IssueTicket, Reschedule
from server.domain.model import CELL, local_time
from server.domain.views import AppointmentView, CalendarView, DeskView, DisplayView, PointView, TicketView
from server.domain.watching import dates_from
from server.queries.boards import Boards
from server.seeding import Seed
from server.store.database import Database
from tests.faults.installation import DRAIN_SECONDS, Installation, Node, installation
from tests.integration.test_everything_at_once import OF_THE_DAY
from tests.support import history
from tests.support.fresh import CLOCK_SECONDS, Fresh
from tests.support.plain import PLAIN
from tests.support.server import environment, seed, vault
from tests.support.set_clock import SettableClock, note_this_boot
from tests.support.truth import truth_of
from tests.support.viewer import MISSED_HEARTBEATS, Place, Transport, Viewer
from tests.support.worlds import RowCalendar, command_of, wire_body

WITHIN_SECONDS = 2.0
HOPS = 4  # the steps from a command to a screen, each as late as the probe: the log, the board, the flush, the screen
SENDERS = 3
PAUSE_SECONDS = 0.15  # between the commands of one sender, on average
POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 60.0
TICKETS = 150  # the patients who wait at the start
FAR_SHARE = 0.35
BOOKING_SHARE = 0.25  # of the commands
MOST_BOOKED = 60
CUT = "connections cut without a FIN"
CLOCKS = (0.0, 0.0, 0.0, 3600.0, -86_400.0, 12_345.6, -40.0)


Say = Callable[[str], None]


@dataclass
class Figures:
    """The counts of a run, and the seconds until every screen was right after each fault."""

    commands: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    retried: int = 0
    viewers: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    byes: Counter[str] = field(default_factory=Counter)
    silences: int = 0
    paused: int = 0  # screens that a server noticed as stalled
    announced: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    checks: int = 0  # views compared with the rows
    calls: int = 0  # open calls that these views had to show
    own: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    total: list[float] = field(default_factory=list)
    probe_delay: float = 0.0

    def lines(self) -> list[str]:
        """Return the figures as lines of text."""
        own = [seconds for each in self.own.values() for seconds in each]
        found = [
            f"commands: {self.commands.total()} of {len(self.commands)} kinds; {self.refused} refused, {self.retried} again",
            f"screens: {self.viewers.total()} ({_counted(self.viewers)}), {self.attempts} connections",
            f"messages: {_counted(self.messages)}; byes: {_counted(self.byes)}; connections found dead: {self.silences}",
            f"announcements: {self.announced}, none twice on one display; stalled readers noticed: {self.paused}",
            f"faults: {self.faults.total()} ({_counted(self.faults)})",
            f"checks: {self.checks} views equal to the rows, {self.calls} open calls shown on them",
            f"right again after (s, without back-off): {_spread(own)}",
            f"right again after (s, with back-off): {_spread(self.total)}",
            f"largest delay of the probe by this machine: {self.probe_delay:.3f} s",
        ]
        return found + [f"    {name}: {_spread(seconds)}" for name, seconds in sorted(self.own.items())]


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    return f"p50 {at(0.5):.3f}, p95 {at(0.95):.3f}, p99 {at(0.99):.3f}, largest {ordered[-1]:.3f} of {len(ordered)}"


class Stress:
    """One run against one site."""

    def __init__(
        self,
        installation: Installation,
        database: Database,
        seeded: Seed,
        chance: random.Random,
        figures: Figures,
        population: int,
        only: Collection[str],
        say: Say,
    ) -> None:
        self.figures = figures
        self.wrongs: list[str] = []
        self._installation = installation
        self._database = database
        self._boards = Boards(database)
        self._seeded = seeded
        self._site_id = seeded["site_id"]
        self._chance = chance
        self._population = population
        self._say = say
        self._truth: Fresh
        self._tokens: dict[str, str] = {}  # of sessions, by role
        self._displays = {each["id"]: each["token"] for each in seeded["displays"]}
        self._visits: dict[int, str] = {}
        self._booked: dict[int, str] = {}  # the tokens of the appointments
        self._days = [(date.today() + timedelta(days=each)).isoformat() for each in range(-2, 12)]
        self._viewers: dict[Viewer, asyncio.Task[None]] = {}
        self._far: set[Viewer] = set()
        self._flowing = asyncio.Event()
        self._busy = 0
        self._answered_at = 0.0
        self._sent = 0
        self._probe_delay = 0.0
        causable = [name for name in FAULTS if installation.clock is not None or name not in CLOCK_FAULTS]
        self._kinds = [name for name in causable if not only or name in only]

    # The run

    async def run(self, seconds: float | None) -> None:
        """Cause faults for ``seconds``, or each fault once if None. Stop at the first problem."""
        until = time.monotonic() + (seconds or 0)
        async with httpx.AsyncClient(timeout=10, verify=PLAIN, limits=httpx.Limits(max_connections=None)) as client:
            await self._sign_in(client)
            await self._read_rows()
            background = [
                self._probe(client),
                self._replace_screens(),
                *(self._command(client) for _ in range(SENDERS)),
            ]
            tasks = [asyncio.create_task(each) for each in background]
            try:
                self._flowing.set()
                await self._until(lambda: len(self._visits) >= 4)
                while len(self._viewers) < self._population:
                    self._open(self._random_place())
                await self._settle("the start", time.monotonic())
                order: list[str] = []
                while not self.wrongs and (time.monotonic() < until if seconds else not self.figures.faults or order):
                    if not order:
                        order = self._chance.sample(self._kinds, len(self._kinds))
                    await self._cause(order.pop())
                    for task in tasks:
                        if task.done():
                            task.result()
                await self._pause()
            finally:
                for task in [*tasks, *self._viewers.values()]:
                    task.cancel()
                await asyncio.gather(*tasks, *self._viewers.values(), return_exceptions=True)
                for viewer in list(self._viewers):
                    self._count(viewer)
        for node in self._installation.nodes:
            if "Traceback" in node.log.read_text():
                self.wrongs.append(f"{node.log} has a traceback")

    async def _cause(self, name: str) -> None:
        self._flowing.set()
        await asyncio.sleep(self._chance.uniform(0.5, 1.5))
        self.figures.faults[name] += 1
        await FAULTS[name](self)
        await self._settle(name, time.monotonic())

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not reached():  # noqa: ASYNC110 - no single event signals this condition
                await asyncio.sleep(POLL_SECONDS)

    async def _sign_in(self, client: httpx.AsyncClient) -> None:
        for role in ("admin", "receptionist", "manager"):
            member = next(each for each in self._seeded["staff"] if each["role"] == role)
            body = {"username": member["username"], "password": member["password"]}
            answer = await client.post(f"{self._installation.nodes[-1].url}/api/v1/session", json=body)
            self._tokens[role] = answer.json()["access_token"]

    async def _probe(self, client: httpx.AsyncClient) -> None:
        """Measure the delays of this machine, with a sleep and a request that need no waiting."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            late = time.monotonic() - began - 0.05
            node = self._chance.choice(self._installation.nodes)
            began = time.monotonic()
            with suppress(httpx.HTTPError):
                await client.get(f"{node.url}/health", timeout=5)
                late = max(late, time.monotonic() - began)
            self._probe_delay = max(self._probe_delay, late)
            self.figures.probe_delay = max(self.figures.probe_delay, late)

    # Commands

    async def _read_rows(self) -> Fresh:
        """Return the views of the present rows."""
        heads = await self._boards.heads([self._site_id])
        head = heads[self._site_id]
        if not hasattr(self, "_truth") or (head.seq, head.epoch) != (
            self._truth.board.site.seq,
            self._truth.board.site.epoch,
        ):
            self._truth = Fresh(await self._boards.board(self._site_id, [dates_from(self._days[0], len(self._days))]))
        return self._truth

    async def _command(self, client: httpx.AsyncClient) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))
            await self._flowing.wait()
            self._busy += 1
            try:
                await self._send(client, await self._random_command())
            finally:
                self._busy -= 1
                self._answered_at = time.monotonic()

    async def _pause(self) -> None:
        """Pause the commands, and wait until all sent commands are answered."""
        self._flowing.clear()
        await self._until(lambda: self._busy == 0)

    async def _random_command(self) -> Command:
        board = (await self._read_rows()).board
        if self._chance.random() < BOOKING_SHARE and (booking := self._random_booking(board)) is not None:
            return booking
        name = self._chance.choices(list(OF_THE_DAY), [weight for _, weight in OF_THE_DAY.values()])[0]
        world: Any = SimpleNamespace(board=board, calendar=RowCalendar({}))
        command = command_of(world, OF_THE_DAY[name][0], self._chance.randrange(1000))
        if any(item.name == "site_id" for item in fields(command)):  # type: ignore[arg-type]
            return replace(command, site_id=self._site_id)  # type: ignore[type-var]
        return command

    def _random_booking(self, board: Board) -> Command | None:
        """Return a command on an appointment of the next days, or None if the site has no provider or service."""
        services = [each.id for each in board.services.values() if not each.removed_at]
        providers = [each.id for each in board.providers.values() if not each.removed_at]
        if not services or not providers:
            return None
        soon = (time.time_ns() // 1000 // CELL + 3 * self._chance.randrange(1, 12)) * CELL
        time_of_day = local_time.local_of(soon, board.site.time_zone).local[10:]
        to: dict[str, Any] = {"local_start": self._chance.choice(self._days[2:6]) + time_of_day, "overbook": "a long queue"}
        booked = [each for each in board.appointments.values() if each.state == "booked" and each.id in self._booked]
        if (len(booked) < MOST_BOOKED and self._chance.random() < 0.5) or not booked:
            where: dict[str, Any] = {"service_id": services[0], "provider_id": self._chance.choice(providers)}
            return Book(site_id=self._site_id, name="Nora Canary", anyway=True, **where, **to)
        chosen = self._chance.choice(booked)
        match self._chance.choice(("move", "move", "cancel", "check-in")):
            case "move":
                return Reschedule(appointment_id=chosen.id, version=chosen.version, **to)
            case "cancel":
                return CancelAppointment(appointment_id=chosen.id, version=chosen.version)
        return CheckIn(appointment_id=chosen.id, anyway=True)

    async def _send(self, client: httpx.AsyncClient, command: Command) -> None:
        """Send a command to a random server; retry it with the same key until a server answers."""
        self._sent += 1
        headers = {"Authorization": f"Bearer {self._tokens['admin']}", "Idempotency-Key": f"stress-{self._sent}"}
        name, body = command.name_on_wire(), wire_body(command)
        began = time.time()
        while True:
            node = self._chance.choice(self._installation.nodes)
            with suppress(httpx.HTTPError):
                answer = await client.post(f"{node.url}/api/v1/commands/{name}", json=body, headers=headers)
                if answer.status_code != 503:
                    break
            self.figures.retried += 1
            await asyncio.sleep(0.1)
        if answer.status_code == 200:
            self.figures.commands[name] += 1
            self._check_times(name, answer.json(), began)
            self._learn(answer.json())
        elif answer.status_code in (404, 409):
            self.figures.refused += 1
        else:
            self.wrongs.append(f"{name} was answered {answer.status_code}: {answer.text[:300]}")

    def _check_times(self, name: str, body: dict[str, Any], began: float) -> None:
        """Check that the events of a command that was sent at ``began`` happened since then."""
        for event in body["events"]:
            at, now = event["at"] / 1000, time.time()
            if not began - CLOCK_SECONDS <= at <= now + CLOCK_SECONDS:
                self.wrongs.append(f"{event['type']} of {name} is {at - now:.1f} s from the right time")

    def _learn(self, body: dict[str, Any]) -> None:
        """Keep the tokens of tickets and displays in an answer."""
        if "token" not in body:
            return
        event = body["events"][-1]
        if "entry" not in body and "appointment" in body:
            self._booked[body["appointment"]["id"]] = body["token"]
        elif "entry" in body:
            self._visits[body["entry"]["visit_id"]] = body["token"]
        elif (display_id := event.get("display_id") or event.get("device_id")) in self._displays or "display_id" in event:
            self._displays[display_id] = body["token"]

    # Screens

    async def _replace_screens(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.2, 0.8))
            await self._flowing.wait()
            staying = [each for each in self._viewers if each.over is None]
            reading = [each for each in staying if not each.stalls]  # a stalled screen stays until a server has noticed it
            if len(staying) >= self._population and reading:
                self._close(self._chance.choice(reading))
            self._open(self._random_place())

    def _random_place(self) -> Place:
        """Return a random place that exists now."""
        site = self._truth.board
        while True:
            match self._chance.choice(("desk", "point", "display", "display", "ticket", "calendar", "appointment")):
                case "desk":
                    return self._desk()
                case "point":
                    points = [each.id for each in site.points.values() if not each.removed_at]
                    if points:
                        point_id = self._chance.choice(points)
                        view = PointView(point_id, vault().open_personal)
                        return Place(f"/live/points/{point_id}", view, lambda: self._tokens["receptionist"], point_id)
                case "calendar":
                    return self._calendar()
                case "appointment":
                    booked = [each for each in self._booked if each in site.appointments]
                    if booked:
                        chosen = self._chance.choice(booked[-40:])
                        address = f"/live/appointments/{self._booked[chosen]}"
                        return Place(address, AppointmentView(chosen), lambda: None, chosen)
                case "display":
                    display_id = self._chance.choice(list(self._displays))
                    token = partial(str, self._displays[display_id])
                    place = Place(f"/live/displays/{display_id}", DisplayView(display_id), token, display_id)
                    if self._truth.allows(place):
                        return place
                case "ticket":
                    visits = [each for each in self._visits if each in site.visits]
                    if visits:
                        visit_id = self._chance.choice(visits[-40:])
                        return Place(f"/live/tickets/{self._visits[visit_id]}", TicketView(visit_id), lambda: None, visit_id)

    def _desk(self) -> Place:
        role = self._chance.choice(("receptionist", "manager"))
        view = DeskView(vault().open_personal, "floor" if role == "receptionist" else "staff")
        return Place(f"/live/sites/{self._site_id}/desk", view, lambda: self._tokens[role])

    def _calendar(self) -> Place:
        role = self._chance.choice(("receptionist", "manager"))
        first, days = self._chance.choice(self._days[1:5]), self._chance.choice((1, 7))
        view = CalendarView(first, days, vault().open_personal, "floor" if role == "receptionist" else "staff")
        return Place(f"/live/sites/{self._site_id}/calendar?date={first}&days={days}", view, lambda: self._tokens[role])

    def _open(self, place: Place, node: Node | None = None) -> Viewer:
        transport: Transport = self._chance.choice(("events", "websocket"))
        far = node is None and self._chance.random() < FAR_SHARE

        async def connect() -> Any:
            return await self._installation.connect(node or self._chance.choice(self._installation.nodes), far=far)

        viewer = Viewer(place, transport, connect, self._chance, self._chance.choice(CLOCKS))
        self.figures.viewers[f"{place.view.kind} by {transport}"] += 1
        self._viewers[viewer] = asyncio.create_task(viewer.run())
        if far:
            self._far.add(viewer)
        return viewer

    def _close(self, viewer: Viewer) -> None:
        self._viewers[viewer].cancel()
        self._count(viewer)

    def _count(self, viewer: Viewer) -> None:
        """Forget a screen, and add its counts to the figures."""
        del self._viewers[viewer]
        self._far.discard(viewer)
        shown = viewer.shown
        self.figures.attempts += viewer.attempts
        self.figures.messages.update(shown.kinds)
        self.figures.byes.update(viewer.byes)
        self.figures.silences += len(viewer.silences)
        self.figures.announced += shown.heard.total()
        self._judge(viewer)

    def _judge(self, viewer: Viewer) -> None:
        """Note the violations that are wrong at any time."""
        name = f"{viewer.place.path.rpartition('/')[0]} by {viewer.transport}"
        shown = viewer.shown
        self.wrongs += [f"{name}: {wrong}" for wrong in shown.wrongs]
        if shown.disagreements:
            self.wrongs.append(f"{name}: {shown.disagreements} digests do not match")
        twice = [heard for heard, times in shown.heard.items() if times > 1]
        if twice and viewer.place.view.kind == "display":
            self.wrongs.append(f"{name}: these were announced twice: {twice}")
        shown.wrongs.clear()

    # Comparing the screens with the rows

    async def _settle(self, name: str, ended: float) -> None:
        """Pause the commands; wait until every screen equals the rows; note the seconds of each since ``ended``.

        If the last command is answered after ``ended``, the seconds count from that answer, since it changes the rows.
        """
        self._probe_delay = 0.0
        await self._pause()
        ended = max(ended, self._answered_at)
        before = len(self.figures.own[name])
        fresh = [self._open(self._desk(), node) for node in self._installation.nodes]
        pending = set(self._viewers)
        while pending and not self.wrongs:
            truth = await self._read_rows()
            now = time.monotonic()
            for viewer in list(pending):
                took = now - ended - _waited(viewer, ended, now)
                found = truth.wrong_with(viewer, HOPS * self._probe_delay)
                if found is None:
                    pending.discard(viewer)
                    self.figures.own[name].append(max(0.0, took))
                    self.figures.total.append(now - ended)
                    self.figures.checks += 1
                    if viewer.place.view.kind in ("desk", "display"):
                        self.figures.calls += sum(each.state == "called" for each in truth.board.entries.values())
                elif took > self._allowed(name, viewer) or now - ended > GIVE_UP_SECONDS:
                    where = f"{viewer.place.view.name} by {viewer.transport} from {viewer.server}"
                    self.wrongs.append(f"after {name}: {where}: {found} for {took:.2f} s; {_timeline(viewer, ended)}")
            await asyncio.sleep(POLL_SECONDS)
        for viewer in list(self._viewers):
            self._judge(viewer)
            if viewer in fresh or viewer.over:
                self._close(viewer)
        worst = max(self.figures.own[name][before:], default=0.0)
        self._say(f"{name}: every screen is right again after {worst:.2f} s, without back-off")

    def _allowed(self, name: str, viewer: Viewer) -> float:
        """Return the seconds for which a screen may differ. Before its first message it assumes slow heartbeats."""
        silent = name == CUT and viewer in self._far
        patience = MISSED_HEARTBEATS * viewer.shown.heartbeat_seconds if silent else 0.0
        return WITHIN_SECONDS + HOPS * self._probe_delay + patience

    # The faults. Each method returns at the end of its fault

    async def _redis_clients_killed(self) -> None:
        for _ in range(3):
            await asyncio.to_thread(self._installation.redis.kill_clients)
            await asyncio.sleep(0.3)

    async def _redis_frozen(self) -> None:
        self._installation.redis.freeze()
        await asyncio.sleep(self._chance.uniform(1.5, 4.0))
        self._installation.redis.go_on()

    async def _redis_restarted(self) -> None:
        await asyncio.to_thread(self._installation.redis.stop)
        await asyncio.sleep(self._chance.uniform(0.5, 2.0))
        await asyncio.to_thread(self._installation.redis.start)

    async def _messages_unruly(self) -> None:
        self._installation.hints.share = 0.7
        await asyncio.sleep(self._chance.uniform(3.0, 5.0))
        self._installation.hints.share = 0.0

    async def _server_killed(self) -> None:
        node = self._chance.choice(self._installation.nodes)
        node.kill()
        await node.gone()
        await self._restart(node)

    async def _server_killed_between(self) -> None:
        """Kill a server after the database has committed its command and before the server gets the answer."""
        node = self._installation.nodes[0]
        self._installation.commits.lose("answer", "INSERT INTO events", node.kill)
        status = await node.gone(GIVE_UP_SECONDS)
        if status != -signal.SIGKILL:
            self.wrongs.append(f"a killed server ended with {status}")
        await self._restart(node)

    async def _server_drained(self) -> None:
        node = self._chance.choice(self._installation.nodes)
        assert node.process is not None
        began = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        status = await node.gone(DRAIN_SECONDS + HOPS * self._probe_delay)
        self._say(f"a server drained in {time.monotonic() - began:.2f} s, with status {status}")
        if status != 0:
            self.wrongs.append(f"a drained server ended with {status}")
        await self._restart(node)

    async def _restart(self, node: Node) -> None:
        node.start()
        await node.until_ready()

    async def _readers_stalled(self) -> None:
        """Stall some readers during a stream and some from its start, until a server notices one."""
        await self._fill_queues()
        # One of them is a desk: the messages of other views may fit into the kernel's buffers.
        stalled = [*self._some(0.6), self._open(self._desk())]
        for viewer in stalled:
            viewer.stall()
        for viewer in sorted(stalled, key=lambda each: each.place.view.kind != "desk")[: len(stalled) // 2]:
            viewer.shown.last_id = None
            viewer.cut()
        await asyncio.sleep(self._chance.uniform(4.0, 7.0))
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not (paused := sum([await node.paused() for node in self._installation.nodes])):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.5)
        self.figures.paused += paused
        for viewer in stalled:
            viewer.go_on()

    async def _fill_queues(self) -> None:
        """Issue tickets until as many patients wait as at the start.

        The snapshot of a desk must be larger than the buffers of the kernel. Else the kernel gives up a stalled reader
        before the server notices the stall.
        """
        board = (await self._read_rows()).board
        waiting = sum(map(len, board.lanes().values()))
        queue_ids = [queue.id for queue in board.queues.values() if not queue.removed_at and not queue.paused]
        async with httpx.AsyncClient(verify=PLAIN, timeout=30) as client:
            for number in range(TICKETS - waiting if queue_ids else 0):
                await self._send(client, IssueTicket(queue_id=queue_ids[number % len(queue_ids)], overrule=True))

    async def _connections_reset(self) -> None:
        for viewer in self._some(0.7):
            viewer.cut()

    async def _connections_cut(self) -> None:
        await asyncio.to_thread(self._installation.cut)
        await asyncio.sleep(self._chance.uniform(1.0, 6.0))
        await asyncio.to_thread(self._installation.mend)

    async def _clock_set_ahead(self) -> None:
        await self._clock_set(2 * 3600)

    async def _clock_set_back(self) -> None:
        await self._clock_set(-2 * 3600)

    async def _clock_set(self, seconds: int) -> None:
        """Set the clock of the database and of one server for some seconds. One server starts in this time."""
        assert self._installation.clock is not None
        self._installation.clock.set(seconds)
        await self._until_stepped(seconds)
        node = self._chance.choice(self._installation.nodes)
        node.kill()
        await node.gone()
        await self._restart(node)
        await asyncio.sleep(self._chance.uniform(2.0, 4.0))
        await self._until_stepped(seconds)
        for viewer in self._viewers:
            wrong = viewer.now() - time.time()
            if viewer.live and abs(wrong) > CLOCK_SECONDS + HOPS * self._probe_delay:
                self.wrongs.append(f"the clock of {viewer.place.view.name} is {wrong:.1f} s off")
        self._installation.clock.set(0)
        await self._until_stepped(0)

    async def _until_stepped(self, seconds: int) -> None:
        """Wait until every server finds the database's clock set by so many seconds."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            for node in self._installation.nodes:
                while abs(await node.clock_step() - seconds) > CLOCK_SECONDS:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)

    async def _clocks_wrong(self) -> None:
        for viewer in self._some(0.5):
            viewer.clock_ahead_seconds += self._chance.choice((-1, 1)) * self._chance.uniform(60, 1e6)

    async def _restored(self, *, renew: bool = True) -> None:
        """Restore the rows of some seconds ago."""
        then = await history.dump(self._database, self._site_id)
        await asyncio.sleep(self._chance.uniform(3.0, 5.0))
        await self._pause()
        before = await self._read_rows()
        for viewer in list(self._viewers):  # the restore may bring back removed places: drop their screens
            if not before.allows(viewer.place):
                self._close(viewer)
            elif viewer.over:
                self.wrongs.append(f"the stream of {viewer.place.view.name} was ended: {viewer.over}")
        await history.load(self._database, then, renew=renew)

    async def _restored_by_hand(self) -> None:
        await self._restored(renew=False)

    def _some(self, share: float) -> Iterable[Viewer]:
        viewers = [each for each in self._viewers if each.over is None]
        return self._chance.sample(viewers, round(share * len(viewers)))


FAULTS: dict[str, Callable[[Stress], Awaitable[None]]] = {
    "redis's clients killed": Stress._redis_clients_killed,
    "redis frozen": Stress._redis_frozen,
    "redis restarted": Stress._redis_restarted,
    "messages lost, doubled, late": Stress._messages_unruly,
    "server killed": Stress._server_killed,
    "server killed between commit and publish": Stress._server_killed_between,
    "server drained": Stress._server_drained,
    "readers stalled": Stress._readers_stalled,
    "connections reset": Stress._connections_reset,
    CUT: Stress._connections_cut,
    "clocks wrong": Stress._clocks_wrong,
    "database's clock set ahead": Stress._clock_set_ahead,
    "database's clock set back": Stress._clock_set_back,
    "restored": Stress._restored,
    "restored by hand": Stress._restored_by_hand,
}


CLOCK_FAULTS = {"database's clock set ahead", "database's clock set back"}


def _timeline(viewer: Viewer, ended: float) -> str:
    """Return the recent events of a screen, in seconds after the fault's end."""
    rests = [f"{at - ended:.2f} for {delay:.2f}" for at, delay in viewer.rests[-4:]]
    silences = [f"{at - ended:.2f}" for at in viewer.silences[-4:]]
    attempt = f"attempt {viewer.attempts} at {viewer.attempt_at - ended:.2f}, message at {viewer.message_at - ended:.2f}"
    return f"opened at {viewer.opened_at - ended:.2f}, {attempt}, back-off at {rests}, silent at {silences}"


def _waited(viewer: Viewer, since: float, now: float) -> float:
    """Return the seconds between two times in which a screen waited for a new attempt."""
    return sum(max(0.0, min(at + delay, now) - max(at, since)) for at, delay in viewer.rests)


async def stress(
    database_url: str,
    folder: Path,
    chance: random.Random,
    figures: Figures,
    *,
    seconds: float | None,
    servers: int,
    screens: int,
    clock: SettableClock | None,
    only: Collection[str] = (),
    say: Say,
) -> tuple[list[str], str]:
    """Put an installation on an empty database of the MySQL family under stress. ``clock`` sets the database's clock.

    Return the problems, and the way in which connections were cut.
    """
    seeded = await asyncio.to_thread(seed, environment(database_url), points=5, tickets=TICKETS, displays=4, providers=2)
    database = Database(database_url)
    try:
        if clock is not None:
            await note_this_boot(database)
        async with installation(database_url, folder, servers, chance, clock) as built:
            run = Stress(built, database, seeded, chance, figures, screens, only, say)
            await run.run(seconds)
            if not run.wrongs:
                await truth_of(database_url, seeded["site_id"])
            cable = "a network namespace dropped packets" if built.cable else "without a namespace, a proxy dropped data"
            return run.wrongs, cable
    finally:
        await database.close()
