"""Measure a storm of connections: screens without a position connect at once, beside a bare Starlette endpoint.

    python loadtests/bench_connect.py --streams 1000 5000

The server authorises each screen, finds its view, logs the opening, and sends its snapshot. The bare endpoint accepts the
stream and sends one message of the same size, under uvicorn with the same protocols and without a log. The cost is the CPU
time of the server's process, on a core of its own, from the first connection until it is at rest. Contenders take turns;
each storm meets a server that has just started. One screen is there before the storm, except in a `cold` one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests import contenders
from loadtests.contenders import MANY, Transport, get
from loadtests.processes import core_of_its_own, cpu_seconds, until_at_rest
from loadtests.sockets import Crowd, allow
from server.seeding import Seed
from tests.support.databases import fresh_database, mariadb
from tests.support.server import environment, seed, serving

TRANSPORTS: tuple[Transport, ...] = ("events", "websocket")
HEAD_BYTES = 200  # of an answer of the bare endpoint, about
READY = b'"cells":{'


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: its port, its process, and the request of the screen with a number."""

    port: int
    pid: int
    request: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU microseconds per connection, connections per second, and bytes per answer."""

    cpu: float
    rate: float
    size: float


Start = Callable[[], AbstractContextManager[Target]]


def storm(start: Start, streams: int, at_once: int, cold: bool) -> Figures:
    """Connect all screens to a new server. Unless ``cold``, one screen is there before, and the server knows the site."""
    with start() as target, core_of_its_own(target.pid):
        crowd = Crowd(target.port, b"event: change")
        try:
            if not cold:
                crowd.connect([target.request(0)], READY)
            until_at_rest(target.pid)
            crowd.bytes, cpu, began = 0, cpu_seconds(target.pid), time.perf_counter()
            crowd.connect((target.request(index) for index in range(streams)), READY, at_once=at_once)
            took = time.perf_counter() - began
            until_at_rest(target.pid)
            cpu = cpu_seconds(target.pid) - cpu
            if crowd.lost:
                raise RuntimeError(f"{crowd.lost} connections were lost")
            return Figures(cpu * 1e6 / streams, streams / took, crowd.bytes / streams)
        finally:
            crowd.close()


@contextmanager
def ours(env: dict[str, str], seeded: Seed, view: str, transport: Transport) -> Iterator[Target]:
    """Start our server, which logs as in production."""
    with tempfile.TemporaryDirectory() as name, serving(env, Path(name)) as server:

        def request(index: int) -> bytes:
            if view == "display":
                display = seeded["displays"][0]
                return get(f"/live/displays/{display['id']}", server.port, transport, display["token"])
            tickets = seeded["tickets"]
            return get(f"/live/tickets/{tickets[index % len(tickets)]['token']}", server.port, transport)

        yield Target(server.port, server.process.pid, request)


@contextmanager
def bare(size: int, transport: Transport) -> Iterator[Target]:
    """Start the bare endpoint, which sends ``size`` bytes."""
    with tempfile.TemporaryDirectory() as name, contenders.bare(Path(name), size, transport) as rival:
        yield Target(rival.port, rival.pid, rival.request)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--at-once", type=int, help="the most connections without an answer; by default all")
    parser.add_argument("--tickets", type=int, default=500, help="screens share the tickets")
    parser.add_argument("--views", nargs="+", choices=["display", "ticket"], default=["display", "ticket"])
    parser.add_argument("--cold", nargs="+", choices=["no", "yes"], default=["no", "yes"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mariadb", action="store_true", help="instead of SQLite")
    arguments = parser.parse_args()
    allow(max(arguments.streams) + 2_000)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite+aiosqlite:///{folder / 'x.db'}"
        if arguments.mariadb:
            url = stack.enter_context(fresh_database(stack.enter_context(mariadb(folder / "mariadb"))))
        env = environment(url) | MANY | {"NOWSERVING_LOG_LEVEL": "info"}
        seeded = seed(env, points=2, tickets=arguments.tickets, displays=1)
        for streams in arguments.streams:
            compare(env, seeded, arguments, streams)


def compare(env: dict[str, str], seeded: Seed, arguments: argparse.Namespace, streams: int) -> None:
    """Measure both servers in turn, and print the medians and the ratios."""
    found: dict[str, list[tuple[Figures, Figures]]] = {}
    at_once = arguments.at_once or streams
    for _ in range(arguments.repeats):
        for transport, view, cold in product(TRANSPORTS, arguments.views, arguments.cold):
            name = f"{transport}, {view}{', cold' if cold == 'yes' else ''}"
            print(f"{streams} streams, {name}", end="\r", file=sys.stderr, flush=True)
            own = storm(partial(ours, env, seeded, view, transport), streams, at_once, cold == "yes")
            beside = storm(partial(bare, round(own.size) - HEAD_BYTES, transport), streams, at_once, cold == "yes")
            found.setdefault(name, []).append((own, beside))
    print(f"\n{streams} connections, {at_once} at once, medians of {arguments.repeats}")
    print(
        f"{'':28}{'us CPU each':>12}{'bare':>8}{'of bare':>9}{'least':>7}{'most':>7}{'a second':>10}{'bare':>8}{'bytes':>7}"
    )
    for name, pairs in found.items():
        ratios = [own.cpu / beside.cpu for own, beside in pairs]
        own, beside = (
            Figures(*(statistics.median(getattr(each, field.name) for each in several) for field in fields(Figures)))
            for several in zip(*pairs, strict=True)
        )
        print(
            f"{name:28}{own.cpu:12.0f}{beside.cpu:8.0f}{statistics.median(ratios):9.2f}{min(ratios):7.2f}{max(ratios):7.2f}"
            f"{own.rate:10.0f}{beside.rate:8.0f}{own.size:7.0f}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
