"""The soak: a busy hospital's pace for half an hour, through nginx with TLS.

    python -m loadtests.soak --minutes 30
    python -m loadtests.soak --minutes 3 --scale 0.5

60 rooms serve 300 arrivals an hour. 1,500 phones, 40 displays, 25 desks and the consoles of the rooms follow, half over
server-sent events and half over WebSocket. Each minute, 5 % of them lose their connection and resume. ``--scale`` multiplies
rooms, arrivals and screens.

Every 20 s a sample of the screens is compared with fresh snapshots, and at the end every screen. The soak ends with status 1
after an error, a stale screen, or memory of a server that grows: by more than 20 MB an hour after the first five minutes, if
the soak is longer than ten.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.clinic_day import LIMITED, OK, REFUSED, SILENT, Clinic, Sent, until
from loadtests.hospital import Hospital, hospital
from loadtests.processes import cpu_seconds, proportional_bytes
from loadtests.sockets import allow
from tests.support.viewer import Viewer

POINTS, ARRIVALS, PHONES, DISPLAYS, DESKS = 60, 300, 1_500, 40, 25
SERVICE_SECONDS = 720.0  # of a room for a patient: 60 rooms then serve 300 an hour
STARTS_AFTER_SECONDS = 20.0
LOST_SHARE = 0.05  # of the screens, each minute
HEARTBEAT_SECONDS = 15.0
SAMPLE_SECONDS, SAMPLE = 20.0, 40
STALE_SECONDS = 15.0
SEEN_AFTER_SECONDS = 10.0
SIGN_IN_SECONDS = 600.0  # an access token is valid for 15 minutes
FLAT_BYTES_AN_HOUR = 20_000_000
WARM_MINUTES, JUDGED_MINUTES = 5, 10
OPEN_AT_ONCE = 25


class Timed(Viewer):
    """A screen that keeps the times of its last changes."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.changes: deque[tuple[float, int]] = deque(maxlen=100)

    def _take(self, kind: str, identifier: str | None, body: dict[str, Any]) -> float | None:
        if kind == "change":
            self.changes.append((time.monotonic(), body["seq"]))
        return super()._take(kind, identifier, body)


@dataclass
class Figures:
    """The figures of a soak."""

    memory: dict[str, list[int]] = field(default_factory=dict)  # bytes of each server, by minute
    processor: dict[str, float] = field(default_factory=dict)  # seconds
    latencies: list[float] = field(default_factory=list)  # from the sending of a call to each display and desk
    compared: int = 0
    stale: list[str] = field(default_factory=list)
    unseen: int = 0
    lost: int = 0  # connections that the soak cut


class Soak:
    """One run."""

    def __init__(self, running: Hospital, chance: random.Random, scale: float) -> None:
        self.clinic = Clinic(running, chance, heartbeat_seconds=HEARTBEAT_SECONDS, screen=Timed)
        self.figures = Figures()
        self._running = running
        self._chance = chance
        self._scale = scale

    async def run(self, minutes: float) -> list[str]:
        """Run for so many minutes; return the problems."""
        clinic = self.clinic
        async with clinic.opened():
            clinic.flowing.set()
            began = time.monotonic()
            await self._open_screens()
            print(f"{len(clinic.viewers)} screens are live after {time.monotonic() - began:.0f} s", flush=True)
            tasks = [asyncio.create_task(each) for each in self._people()]
            try:
                await self._measure(minutes, tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            seconds, wrong = await clinic.settle(time.monotonic(), 60)
            print(f"at the end all {len(clinic.viewers)} screens are right after {seconds:.1f} s", flush=True)
            problems = [*wrong, *clinic.broken_laws(), *clinic.tally.wrongs, *self.figures.stale]
            problems += [f"{each.place.view.name}: {each.over}" for each in clinic.viewers if each.over]
            problems += await clinic.lost_commands(0)
        if self.figures.unseen:
            problems.append(f"{self.figures.unseen} calls were not on a screen after {SEEN_AFTER_SECONDS:.0f} s")
        return problems

    async def _open_screens(self) -> None:
        clinic, seeded = self.clinic, self._running.seeded
        fresh = await clinic.fresh()
        labels = {visit.label: visit.id for visit in fresh.board.visits.values()}
        clinic.tickets = {labels[each["label"]]: each["token"] for each in seeded["tickets"]}
        visits = list(clinic.tickets)
        places = [clinic.display(index) for index in range(len(seeded["displays"]))]
        places += [clinic.desk() for _ in range(scaled(DESKS, self._scale))]
        places += [clinic.console(each) for each in seeded["point_ids"]]
        places += [clinic.phone(visits[index % len(visits)]) for index in range(scaled(PHONES, self._scale))]
        for index, place in enumerate(places):
            clinic.open(place, ("events", "websocket")[index % 2], f"127.0.1.{1 + index % 200}")
            if index % OPEN_AT_ONCE == 0:
                await until(lambda: clinic.dark <= OPEN_AT_ONCE, "live screens", 120)
        await until(lambda: clinic.dark == 0, "live screens", 120)

    def _people(self) -> list[Any]:
        points = self._running.seeded["point_ids"]
        return [self._arrivals(), self._losses(), self._signing_in(), self._comparing(), *map(self._room, points)]

    async def _arrivals(self) -> None:
        each = 3600 / (ARRIVALS * self._scale)
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / each))
            queue_id = self._chance.choice(self._running.seeded["queue_ids"])
            found = await self.clinic.do("issue-ticket", queue_id=queue_id, name="Nora Canary", overrule=True)
            if found is None:
                continue
            visit_id = found["entry"]["visit_id"]
            self.clinic.tickets[visit_id] = found["token"]
            # The patient's phone follows, and so do those of the family; phones of past patients close.
            phones = [each for each in self.clinic.viewers if each.place.path.startswith("/live/tickets/")]
            for leaving in phones[:5]:
                await self.clinic.close(leaving)
                self.clinic.open(self.clinic.phone(visit_id), leaving.transport, "127.0.1.201")

    async def _room(self, point_id: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, SERVICE_SECONDS))
        await self.clinic.do("open-point", point_id=point_id)
        while True:
            index = len(self.clinic.sent)
            called = await self.clinic.do("call-next", point_id=point_id)
            if called is None:
                await asyncio.sleep(SERVICE_SECONDS / 10)
                continue
            asyncio.get_running_loop().call_later(SEEN_AFTER_SECONDS, self._see, self.clinic.sent[index])
            entry_id = called["entry"]["id"]
            await asyncio.sleep(STARTS_AFTER_SECONDS)
            await self.clinic.do("start", entry_id=entry_id)
            await asyncio.sleep(self._chance.uniform(0.7, 1.3) * (SERVICE_SECONDS - STARTS_AFTER_SECONDS))
            await self.clinic.do("complete", entry_id=entry_id)

    def _see(self, sent: Sent) -> None:
        """Note when each display and desk showed a call. Screens that reconnected meanwhile do not count."""
        assert sent.numbers is not None
        for viewer in self.clinic.viewers:
            assert isinstance(viewer, Timed)
            if viewer.place.view.kind not in ("display", "desk") or not viewer.live or viewer.attempt_at > sent.began - 5:
                continue
            at = next((at for at, seq in viewer.changes if seq >= sent.numbers[-1]), None)
            if at is None:
                self.figures.unseen += 1
            else:
                self.figures.latencies.append(at - sent.began)

    async def _losses(self) -> None:
        while True:
            await asyncio.sleep(1)
            share = len(self.clinic.viewers) * LOST_SHARE / 60
            count = int(share) + (self._chance.random() < share % 1)
            for viewer in self._chance.sample(list(self.clinic.viewers), count):
                viewer.cut()
                self.figures.lost += 1

    async def _signing_in(self) -> None:
        while True:
            await asyncio.sleep(SIGN_IN_SECONDS)
            for role in list(self.clinic.tokens):
                await self.clinic.sign_in(role)

    async def _comparing(self) -> None:
        """Compare a sample of the screens with fresh snapshots, again and again, while the commands go on."""
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            screens = list(self.clinic.viewers)
            pending = dict.fromkeys(self._chance.sample(screens, min(SAMPLE, len(screens))), "")
            self.figures.compared += len(pending)
            end = time.monotonic() + STALE_SECONDS
            while pending and time.monotonic() < end:
                fresh = await self.clinic.fresh()
                for viewer in list(pending):
                    found = fresh.wrong_with(viewer, STALE_SECONDS)
                    if found is None or viewer not in self.clinic.viewers:
                        del pending[viewer]
                    else:
                        pending[viewer] = f"{viewer.place.view.name} by {viewer.transport} is stale: {found}"
                await asyncio.sleep(0.2)
            self.figures.stale += pending.values()

    async def _measure(self, minutes: float, tasks: Sequence[asyncio.Task[Any]]) -> None:
        servers = {f"server {index + 1}": part.pid for index, part in enumerate(self._running.servers)}
        others = {"nginx": self._running.nginx.pid, "MariaDB": self._running.database.pid, "Redis": self._running.redis.pid}
        began = time.monotonic()
        before = {name: _processor(pid) for name, pid in (servers | others).items()}
        ours = time.process_time()
        self.figures.memory = {name: [] for name in servers}
        print(f"{'minute':>7}" + "".join(f"{name:>14}" for name in servers) + f"{'commands':>10}{'dark':>6}", flush=True)
        for minute in range(round(minutes) + 1):
            await asyncio.sleep(max(0.0, began + 60 * minute - time.monotonic()))
            for name, pid in servers.items():
                self.figures.memory[name].append(await asyncio.to_thread(proportional_bytes, pid))
            for task in tasks:
                if task.done():
                    task.result()
            sizes = "".join(f"{sizes[-1] / 1e6:>11.1f} MB" for sizes in self.figures.memory.values())
            print(f"{minute:>7}{sizes}{len(self.clinic.sent):>10}{self.clinic.dark:>6}", flush=True)
        took = time.monotonic() - began
        self.figures.processor = {
            name: (_processor(pid) - before[name]) / took for name, pid in (servers | others).items()
        } | {"this client": (time.process_time() - ours) / took}


def _processor(pid: int) -> float:
    """Return the CPU seconds of a process and its children."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return cpu_seconds(pid) + sum(map(_processor, children))


def scaled(count: int, scale: float) -> int:
    """Return a count at this scale."""
    return max(1, round(count * scale))


def slope(sizes: Sequence[int]) -> float:
    """Return the growth of sizes by minute, in bytes an hour."""
    return 60 * statistics.linear_regression(range(len(sizes)), sizes).slope


def show(soak: Soak, problems: list[str]) -> None:
    """Print the figures. Growing memory is added to the ``problems``."""
    figures, tally = soak.figures, soak.clinic.tally
    for name, sizes in figures.memory.items():
        judged = len(sizes) > JUDGED_MINUTES
        growth = slope(sizes[WARM_MINUTES:]) if judged else 0.0
        grows = f"{growth / 1e6:+.1f} MB an hour" if judged else "too short to tell the growth"
        print(f"{name}: {sizes[0] / 1e6:.1f} MB at first, {sizes[-1] / 1e6:.1f} MB at last, {grows}")
        if growth > FLAT_BYTES_AN_HOUR:
            problems.append(f"the memory of {name} grows by {growth / 1e6:.0f} MB an hour")
    print("CPU, in cores: " + ", ".join(f"{name} {share:.3f}" for name, share in figures.processor.items()))
    counts = ", ".join(f"{tally.outcomes[name]} {name}" for name in (OK, REFUSED, LIMITED, SILENT))
    print(f"commands: {counts}")
    if len(figures.latencies) > 1:
        cuts = statistics.quantiles(figures.latencies, n=100)
        print(
            f"a call to each display and desk: p50 {1000 * statistics.median(figures.latencies):.0f} ms, "
            f"p99 {1000 * cuts[98]:.0f} ms of {len(figures.latencies)}"
        )
    byes = sum((viewer.byes for viewer in soak.clinic.viewers), Counter[str]())
    print(
        f"{figures.lost} connections cut; byes: {dict(byes)}; "
        f"{figures.compared} screens compared with fresh snapshots, {len(figures.stale)} stale"
    )


def main() -> int:
    """Run the soak; print its figures; return 1 after a problem."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # leaves all contexts, which stops the started processes
    allow(20_000)
    settings = {
        "NOWSERVING_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "NOWSERVING_RATE_LIMITS": "on",
        "NOWSERVING_LIMIT_STAFF": "1000000",  # one session does the work of all
        "NOWSERVING_MAX_STREAMS_PER_TOKEN": "1000",
        "NOWSERVING_MAX_STREAMS_PER_MEMBER": "1000",
    }
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder, scale = Path(name), arguments.scale
        with hospital(
            folder,
            points=scaled(POINTS, scale),
            tickets=scaled(ARRIVALS, scale),
            displays=scaled(DISPLAYS, scale),
            settings=settings,
        ) as running:
            soak = Soak(running, random.Random(arguments.seed), scale)
            problems = asyncio.run(soak.run(arguments.minutes))
            problems += [
                f"{log.name} has a traceback" for log in folder.glob("server-*.log") if "Traceback" in log.read_text()
            ]
    show(soak, problems)
    print(f"load of the machine {os.getloadavg()[0]:.0f}")
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    print("the soak failed" if problems else "no error, no stale screen")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
