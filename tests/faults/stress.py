"""The stress run: commands of every kind, screens of every kind that come and go, and one fault after another.

After each fault's end the flow of commands stops, and every screen has to come to show what the database's rows say: within
two seconds, besides its own back-off. A screen that lost its connection comes back when its back-off lets it, not when
the fault is over; that wait is its own, and is left out. Where nothing told a screen that its connection was dead, it
needs its two and a half heartbeats to find out. And what this very machine holds everybody up, a probe measures.
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
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from server.domain.commands import Command
from server.domain.views import DeskView, DisplayView, PointView, TicketView
from server.queries.boards import Boards
from server.seeding import Seed
from server.store.database import Database
from tests.faults.house import DRAIN_SECONDS, House, Node, house
from tests.integration.test_everything_at_once import SENT
from tests.support import history
from tests.support.fresh import Fresh
from tests.support.plain import PLAIN
from tests.support.server import environment, seed, vault
from tests.support.truth import truth_of
from tests.support.viewer import MISSED_HEARTBEATS, Place, Transport, Viewer
from tests.support.worlds import command_of

WITHIN_SECONDS = 2.0
HOPS = 4  # what it takes at most until a screen is told: a look at the log, the board, the flush, the screen's own turn
COMMANDERS = 3
PAUSE_SECONDS = 0.15  # between one's commands, on average
LOOK_SECONDS = 0.02
GIVE_UP_SECONDS = 60.0
FAR_SHARE = 0.35
CUT = "connections cut without a FIN"
CLOCKS = (0.0, 0.0, 0.0, 3600.0, -86_400.0, 12_345.6, -40.0)


Say = Callable[[str], None]


@dataclass
class Figures:
    """What a run did, and how soon all was well again."""

    commands: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    retried: int = 0
    viewers: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    byes: Counter[str] = field(default_factory=Counter)
    silences: int = 0
    paused: int = 0  # screens whose servers had noticed that they take nothing
    announced: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    checks: int = 0  # views held against the rows
    calls: int = 0  # open calls that a screen had to show then
    own: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    total: list[float] = field(default_factory=list)
    held_up: float = 0.0

    def lines(self) -> list[str]:
        """Return it for people."""
        own = [seconds for each in self.own.values() for seconds in each]
        found = [
            f"commands: {self.commands.total()} of {len(self.commands)} kinds; refused {self.refused}, again {self.retried}",
            f"screens: {self.viewers.total()} ({_counted(self.viewers)}), {self.attempts} connections",
            f"messages: {_counted(self.messages)}; byes: {_counted(self.byes)}; taken for dead: {self.silences}",
            f"announcements heard: {self.announced}, none twice on one display; standing still, noticed: {self.paused}",
            f"faults: {self.faults.total()} ({_counted(self.faults)})",
            f"checks: {self.checks} views equal to the rows, {self.calls} open calls shown on them",
            f"true again after (s, besides back-off): {_spread(own)}",
            f"true again after (s, back-off and all): {_spread(self.total)}",
            f"this machine held a probe up for at most {self.held_up:.3f} s",
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
    """One run at one site."""

    def __init__(
        self,
        house: House,
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
        self._house = house
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
        self._viewers: dict[Viewer, asyncio.Task[None]] = {}
        self._far: set[Viewer] = set()
        self._flowing = asyncio.Event()
        self._busy = 0
        self._answered_at = 0.0
        self._sent = 0
        self._held_up = 0.0
        self._kinds = [name for name in FAULTS if not only or name in only]

    # The run

    async def run(self, seconds: float | None) -> None:
        """Break one thing after another for so long, or each once if that is None; stop at the first that is wrong."""
        until = time.monotonic() + (seconds or 0)
        async with httpx.AsyncClient(timeout=10, verify=PLAIN, limits=httpx.Limits(max_connections=None)) as client:
            await self._sign_in(client)
            await self._look()
            others = [self._probe(client), self._come_and_go(), *(self._command(client) for _ in range(COMMANDERS))]
            tasks = [asyncio.create_task(each) for each in others]
            try:
                self._flowing.set()
                await self._until(lambda: len(self._visits) >= 4)
                while len(self._viewers) < self._population:
                    self._open(self._somewhere())
                await self._settle("the start", time.monotonic())
                order: list[str] = []
                while not self.wrongs and (time.monotonic() < until if seconds else not self.figures.faults or order):
                    if not order:
                        order = self._chance.sample(self._kinds, len(self._kinds))
                    await self._break(order.pop())
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
        for node in self._house.nodes:
            if "Traceback" in node.log.read_text():
                self.wrongs.append(f"{node.log} has a traceback")

    async def _break(self, name: str) -> None:
        self._flowing.set()
        await asyncio.sleep(self._chance.uniform(0.5, 1.5))
        self.figures.faults[name] += 1
        await FAULTS[name](self)
        await self._settle(name, time.monotonic())

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not reached():  # noqa: ASYNC110 - whatever it is, no one thing happens then
                await asyncio.sleep(LOOK_SECONDS)

    async def _sign_in(self, client: httpx.AsyncClient) -> None:
        for role in ("admin", "receptionist", "manager"):
            member = next(each for each in self._seeded["staff"] if each["role"] == role)
            body = {"username": member["username"], "password": member["password"]}
            answer = await client.post(f"{self._house.nodes[-1].url}/api/v1/session", json=body)
            self._tokens[role] = answer.json()["access_token"]

    async def _probe(self, client: httpx.AsyncClient) -> None:
        """Measure for how long this machine holds up what has nothing to wait for."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            late = time.monotonic() - began - 0.05
            node = self._chance.choice(self._house.nodes)
            began = time.monotonic()
            with suppress(httpx.HTTPError):
                await client.get(f"{node.url}/health", timeout=5)
                late = max(late, time.monotonic() - began)
            self._held_up = max(self._held_up, late)
            self.figures.held_up = max(self.figures.held_up, late)

    # Commands

    async def _look(self) -> Fresh:
        """Return what the rows say now."""
        heads = await self._boards.heads([self._site_id])
        head = heads[self._site_id]
        if not hasattr(self, "_truth") or (head.seq, head.epoch) != (
            self._truth.board.site.seq,
            self._truth.board.site.epoch,
        ):
            self._truth = Fresh(await self._boards.board(self._site_id))
        return self._truth

    async def _command(self, client: httpx.AsyncClient) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))
            await self._flowing.wait()
            self._busy += 1
            try:
                await self._send(client, await self._made_up())
            finally:
                self._busy -= 1
                self._answered_at = time.monotonic()

    async def _pause(self) -> None:
        """Stop the flow, and wait until what was sent has been answered."""
        self._flowing.clear()
        await self._until(lambda: self._busy == 0)

    async def _made_up(self) -> Command:
        board = (await self._look()).board
        name = self._chance.choices(list(SENT), [weight for _, weight in SENT.values()])[0]
        command = command_of(SimpleNamespace(board=board), SENT[name][0], self._chance.randrange(1000))  # type: ignore[arg-type]
        if any(item.name == "site_id" for item in fields(command)):  # type: ignore[arg-type]
            return replace(command, site_id=self._site_id)  # type: ignore[type-var]
        return command

    async def _send(self, client: httpx.AsyncClient, command: Command) -> None:
        """Send a command to whichever server, and again, as the same, until one answers."""
        self._sent += 1
        headers = {"Authorization": f"Bearer {self._tokens['admin']}", "Idempotency-Key": f"stress-{self._sent}"}
        name, body = command.name_on_wire(), asdict(command)  # type: ignore[call-overload]
        while True:
            node = self._chance.choice(self._house.nodes)
            with suppress(httpx.HTTPError):
                answer = await client.post(f"{node.url}/api/v1/commands/{name}", json=body, headers=headers)
                if answer.status_code != 503:
                    break
            self.figures.retried += 1
            await asyncio.sleep(0.1)
        if answer.status_code == 200:
            self.figures.commands[name] += 1
            self._learn(answer.json())
        elif answer.status_code in (404, 409):
            self.figures.refused += 1
        else:
            self.wrongs.append(f"{name} was answered {answer.status_code}: {answer.text[:300]}")

    def _learn(self, body: dict[str, Any]) -> None:
        """Keep the keys to tickets and displays that an answer gives."""
        if "token" not in body:
            return
        event = body["events"][-1]
        if "entry" in body:
            self._visits[body["entry"]["visit_id"]] = body["token"]
        elif (display_id := event.get("display_id") or event.get("device_id")) in self._displays or "display_id" in event:
            self._displays[display_id] = body["token"]

    # Screens

    async def _come_and_go(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.2, 0.8))
            await self._flowing.wait()
            staying = [each for each in self._viewers if each.over is None]
            if len(staying) >= self._population:
                self._close(self._chance.choice(staying))
            self._open(self._somewhere())

    def _somewhere(self) -> Place:
        """Return a place to look at, of any kind that there is now."""
        site = self._truth.board
        while True:
            match self._chance.choice(("desk", "point", "display", "display", "ticket")):
                case "desk":
                    return self._desk()
                case "point":
                    points = [each.id for each in site.points.values() if not each.removed_at]
                    if points:
                        point_id = self._chance.choice(points)
                        view = PointView(point_id, vault().open_personal)
                        return Place(f"/live/points/{point_id}", view, lambda: self._tokens["receptionist"], point_id)
                case "display":
                    display_id = self._chance.choice(list(self._displays))
                    of_now = partial(str, self._displays[display_id])
                    place = Place(f"/live/displays/{display_id}", DisplayView(), of_now, display_id)
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

    def _open(self, place: Place, node: Node | None = None) -> Viewer:
        transport: Transport = self._chance.choice(("events", "websocket"))
        far = node is None and self._chance.random() < FAR_SHARE

        async def connect() -> Any:
            return await self._house.connect(node or self._chance.choice(self._house.nodes), far=far)

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
        """Let go of a screen, and note what it went through."""
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
        """Note what must not happen to a screen, ever."""
        name = f"{viewer.place.path.rpartition('/')[0]} by {viewer.transport}"
        shown = viewer.shown
        self.wrongs += [f"{name}: {wrong}" for wrong in shown.wrongs]
        if shown.disagreements:
            self.wrongs.append(f"{name}: {shown.disagreements} digests that do not agree")
        twice = [heard for heard, times in shown.heard.items() if times > 1]
        if twice and viewer.place.view.kind == "display":
            self.wrongs.append(f"{name}: announced twice: {twice}")
        shown.wrongs.clear()

    # Whether all is well

    async def _settle(self, name: str, ended: float) -> None:
        """Stop the flow; wait until every screen shows what the rows say; note how long each took since ``ended``.

        Or since the last command was answered, if one that was under way took longer: until then there was more to tell.
        """
        self._held_up = 0.0
        await self._pause()
        ended = max(ended, self._answered_at)
        before = len(self.figures.own[name])
        fresh = [self._open(self._desk(), node) for node in self._house.nodes]
        pending = set(self._viewers)
        while pending and not self.wrongs:
            truth = await self._look()
            now = time.monotonic()
            for viewer in list(pending):
                took = now - ended - _rested(viewer, ended, now)
                found = truth.wrong_with(viewer, HOPS * self._held_up)
                if found is None:
                    pending.discard(viewer)
                    self.figures.own[name].append(max(0.0, took))
                    self.figures.total.append(now - ended)
                    self.figures.checks += 1
                    if viewer.place.view.kind in ("desk", "display"):
                        self.figures.calls += sum(each.state == "called" for each in truth.board.entries.values())
                elif took > self._allowed(name, viewer) or now - ended > GIVE_UP_SECONDS:
                    where = f"{viewer.place.view.name} by {viewer.transport} from {viewer.server}"
                    self.wrongs.append(f"after {name}: {where}: {found} for {took:.2f} s; {_diary(viewer, ended)}")
            await asyncio.sleep(LOOK_SECONDS)
        for viewer in list(self._viewers):
            self._judge(viewer)
            if viewer in fresh or viewer.over:
                self._close(viewer)
        worst = max(self.figures.own[name][before:], default=0.0)
        self._say(f"{name}: true again after {worst:.2f} s at most, besides back-off")

    def _allowed(self, name: str, viewer: Viewer) -> float:
        """Return for how long a screen may show what is not so. One that was told nothing yet expects no heartbeat soon."""
        silent = name == CUT and viewer in self._far
        patience = MISSED_HEARTBEATS * viewer.shown.heartbeat_seconds if silent else 0.0
        return WITHIN_SECONDS + HOPS * self._held_up + patience

    # The faults. Each returns at its end

    async def _redis_clients_killed(self) -> None:
        for _ in range(3):
            await asyncio.to_thread(self._house.redis.kill_clients)
            await asyncio.sleep(0.3)

    async def _redis_frozen(self) -> None:
        self._house.redis.freeze()
        await asyncio.sleep(self._chance.uniform(1.5, 4.0))
        self._house.redis.go_on()

    async def _redis_restarted(self) -> None:
        await asyncio.to_thread(self._house.redis.stop)
        await asyncio.sleep(self._chance.uniform(0.5, 2.0))
        await asyncio.to_thread(self._house.redis.start)

    async def _messages_unruly(self) -> None:
        self._house.hints.share = 0.7
        await asyncio.sleep(self._chance.uniform(3.0, 5.0))
        self._house.hints.share = 0.0

    async def _server_killed(self) -> None:
        node = self._chance.choice(self._house.nodes)
        node.kill()
        await node.gone()
        await self._again(node)

    async def _server_killed_between(self) -> None:
        """The database has committed a command; the server that sent it is killed before it can hear of that."""
        node = self._house.nodes[0]
        self._house.commits.lose("answer", "INSERT INTO events", node.kill)
        status = await node.gone(GIVE_UP_SECONDS)
        if status != -signal.SIGKILL:
            self.wrongs.append(f"a server that was killed ended with {status}")
        await self._again(node)

    async def _server_drained(self) -> None:
        node = self._chance.choice(self._house.nodes)
        assert node.process is not None
        began = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        status = await node.gone(DRAIN_SECONDS + HOPS * self._held_up)
        self._say(f"a server drained in {time.monotonic() - began:.2f} s, with status {status}")
        if status != 0:
            self.wrongs.append(f"a drained server ended with {status}")
        await self._again(node)

    async def _again(self, node: Node) -> None:
        node.start()
        await node.until_ready()

    async def _readers_stalled(self) -> None:
        """Some stand still in the middle; some take nothing from the start. It goes on until a server has felt one."""
        # A desk is among them: what the other views are told may all fit into the kernel's buffers.
        stalled = [*self._some(0.6), self._open(self._desk())]
        for viewer in stalled:
            viewer.stall()
        for viewer in sorted(stalled, key=lambda each: each.place.view.kind != "desk")[: len(stalled) // 2]:
            viewer.shown.last_id = None
            viewer.cut()
        await asyncio.sleep(self._chance.uniform(4.0, 7.0))
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not (paused := sum([await node.paused() for node in self._house.nodes])):  # noqa: ASYNC110 - elsewhere
                await asyncio.sleep(0.5)
        self.figures.paused += paused
        for viewer in stalled:
            viewer.go_on()

    async def _connections_reset(self) -> None:
        for viewer in self._some(0.7):
            viewer.cut()

    async def _connections_cut(self) -> None:
        await asyncio.to_thread(self._house.cut)
        await asyncio.sleep(self._chance.uniform(1.0, 6.0))
        await asyncio.to_thread(self._house.mend)

    async def _clocks_wrong(self) -> None:
        for viewer in self._some(0.5):
            viewer.clock_ahead_seconds += self._chance.choice((-1, 1)) * self._chance.uniform(60, 1e6)

    async def _restored(self, *, renew: bool = True) -> None:
        """The rows are put back to what they were some seconds ago."""
        then = await history.dump(self._database, self._site_id)
        await asyncio.sleep(self._chance.uniform(3.0, 5.0))
        await self._pause()
        before = await self._look()
        for viewer in list(self._viewers):  # who was just taken away may be there again: whoever left for that is not asked
            if not before.allows(viewer.place):
                self._close(viewer)
            elif viewer.over:
                self.wrongs.append(f"{viewer.place.view.name} was ended: {viewer.over}")
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
    "restored": Stress._restored,
    "restored by hand": Stress._restored_by_hand,
}


def _diary(viewer: Viewer, ended: float) -> str:
    """Return what a screen went through, in seconds after the fault's end."""
    rests = [f"{at - ended:.2f} for {delay:.2f}" for at, delay in viewer.rests[-4:]]
    silences = [f"{at - ended:.2f}" for at in viewer.silences[-4:]]
    attempt = f"attempt {viewer.attempts} at {viewer.attempt_at - ended:.2f}, told at {viewer.told_at - ended:.2f}"
    return f"opened at {viewer.opened_at - ended:.2f}, {attempt}, rested at {rests}, silent at {silences}"


def _rested(viewer: Viewer, since: float, now: float) -> float:
    """Return how many of the seconds since then a screen has waited before it tried again."""
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
    only: Collection[str] = (),
    say: Say,
) -> tuple[list[str], str]:
    """Put a house on an empty database of the MySQL family under stress; return what was wrong, and how wires were cut."""
    seeded = await asyncio.to_thread(seed, environment(database_url), points=5, tickets=150, displays=4)
    database = Database(database_url)
    try:
        async with house(database_url, folder, servers, chance) as built:
            run = Stress(built, database, seeded, chance, figures, screens, only, say)
            await run.run(seconds)
            if not run.wrongs:
                await truth_of(database_url, seeded["site_id"])
            cable = "packets dropped in a network namespace" if built.cable else "no namespace may be made: a proxy swallows"
            return run.wrongs, cable
    finally:
        await database.close()
