"""Measure the cost of reconnecting: a storm of screens connects to a server that has just started.

    python loadtests/bench_connect.py --streams 4000

The server authorises each screen, finds its view and sends its snapshot. The cost is the CPU time of the server's process.
The rate is the rate of all screens together, some at a time, with the clients on the other core of the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.contenders import MANY, Transport, get
from loadtests.processes import core_of_its_own, cpu_seconds
from loadtests.sockets import Crowd, allow
from tests.support.databases import fresh_database, mariadb
from tests.support.server import Server, environment, seed, serving

AT_ONCE = 200


def storm(server: Server, requests: Iterator[bytes], count: int) -> tuple[float, float]:
    """Connect all screens; return CPU microseconds per connection, and connections per second."""
    crowd = Crowd(server.port, b"event: change")
    try:
        crowd.connect([next(requests)], b'"cells":{')  # the first stream loads the feed, once
        cpu, began = cpu_seconds(server.process.pid), time.perf_counter()
        crowd.connect(requests, b'"cells":{', at_once=AT_ONCE)
        took = time.perf_counter() - began
        return (cpu_seconds(server.process.pid) - cpu) * 1e6 / count, count / took
    finally:
        crowd.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    allow(arguments.streams + 2_000)
    found: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        family = stack.enter_context(mariadb(folder / "mariadb"))
        engines = {
            "SQLite": f"sqlite+aiosqlite:///{folder / 'x.db'}",
            "MariaDB": stack.enter_context(fresh_database(family)),
        }
        for engine, url in engines.items():
            env = environment(url) | MANY
            seeded = seed(env, points=2, tickets=200, displays=1)
            display, tickets = seeded["displays"][0], seeded["tickets"]
            for _ in range(arguments.repeats):
                kinds: tuple[Transport, ...] = ("events", "websocket")
                for transport in kinds:
                    for view in ("display", "ticket"):
                        with serving(env, folder) as server, core_of_its_own(server.process.pid):

                            def request(
                                index: int, view: str = view, transport: Transport = transport, port: int = server.port
                            ) -> bytes:
                                if view == "display":
                                    return get(f"/live/displays/{display['id']}", port, transport, display["token"])  # noqa: B023
                                return get(f"/live/tickets/{tickets[index % len(tickets)]['token']}", port, transport)  # noqa: B023

                            requests = (request(index) for index in range(arguments.streams))
                            figures = storm(server, requests, arguments.streams - 1)
                            found.setdefault(f"{engine}, {transport}, {view}", []).append(figures)
    print(f"\n{arguments.streams} connections, {AT_ONCE} at a time, medians of {arguments.repeats}")
    print(f"{'':30}{'us CPU each':>12}{'a second':>10}")
    for name, several in found.items():
        cpu, rate = (statistics.median(column) for column in zip(*several, strict=True))
        print(f"{name:30}{cpu:12.0f}{rate:10.0f}")


if __name__ == "__main__":
    main()
