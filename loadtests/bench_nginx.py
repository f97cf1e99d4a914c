"""Measure the CPU that nginx adds to each delivery, beside the CPU of the server behind it.

    python loadtests/bench_nginx.py
    python loadtests/bench_nginx.py --streams 500 --repeats 1

Two server processes, MariaDB, Redis and nginx run on this machine. One process has all the screens, and the other one runs
the commands. Each round is one command, whose change goes to every screen. The screens connect to the server itself, through
nginx with plain HTTP, and through nginx with TLS; all use server-sent events (HTTP/1), or all use WebSocket. The ways change
places in each repeat, so that other work on the machine meets all of them.

The table shows medians: the CPU time for each delivery of nginx (all its workers) and of the process of the screens, their
ratio, and the memory of nginx for each stream.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.bench_tls import Screens, Stack, stack
from loadtests.contenders import Caller, Transport
from loadtests.processes import cpu_seconds, proportional_bytes, until_at_rest
from loadtests.sockets import allow

Way = Literal["direct", "HTTP", "TLS"]
TRANSPORTS: dict[Transport, str] = {"events": "SSE", "websocket": "WebSocket"}
WAYS: tuple[Way, ...] = ("direct", "HTTP", "TLS")
WARM_ROUNDS = 3


def fresh_workers(parts: Stack) -> set[int]:
    """Let all screens of nginx be in the first process, with new workers of nginx; return them when the old ones are gone.

    The memory of earlier streams stays with a worker.
    """
    old = parts.proxy.workers()
    parts.route([0])
    while (workers := parts.proxy.workers()) & old:
        time.sleep(0.1)
    return workers


def measure(parts: Stack, transport: Transport, way: Way, streams: int, rounds: int) -> tuple[float, float, float]:
    """Return the microseconds of nginx and of the server for each delivery, and the bytes of nginx for each stream."""
    caller, server = Caller(parts.servers[1], parts.token), parts.servers[0].process.pid
    ports = {"direct": parts.ports[0], "HTTP": parts.proxy.port, "TLS": parts.proxy.tls_port}
    workers = fresh_workers(parts)
    before = sum(map(proportional_bytes, workers))
    screens = Screens(ports[way], parts.display, streams, tls=way == "TLS", transport=transport)
    spent: list[tuple[float, float]] = []
    try:
        assert screens.run(lambda: all(each.seq for each in screens.all), 180)
        for index in range(WARM_ROUNDS + rounds):
            began = sum(map(cpu_seconds, workers)), cpu_seconds(server)
            number = caller.do("recall", entry_id=parts.entry_id)["seq"]
            assert screens.run(lambda number=number: all(each.seq >= number for each in screens.all), 60)  # type: ignore[misc]
            until_at_rest(server, 5)
            ended = sum(map(cpu_seconds, workers)), cpu_seconds(server)
            if index >= WARM_ROUNDS:
                spent.append(((ended[0] - began[0]) * 1e6 / streams, (ended[1] - began[1]) * 1e6 / streams))
        memory = (sum(map(proportional_bytes, workers)) - before) / streams
    finally:
        screens.close()
    until_at_rest(server)
    nginx, ours = (statistics.median(each[place] for each in spent) for place in (0, 1))
    return nginx, ours, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=20, help="commands of each way in a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    allow(4 * arguments.streams + 2_000)
    found: dict[tuple[Transport, Way], list[tuple[float, float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, stack(Path(name)) as parts:
        for repeat in range(arguments.repeats):
            for transport in TRANSPORTS:
                for way in WAYS if repeat % 2 == 0 else reversed(WAYS):
                    found[transport, way].append(measure(parts, transport, way, arguments.streams, arguments.rounds))
    print(f"{arguments.streams} streams, {arguments.repeats} x {arguments.rounds} events; load {os.getloadavg()[0]:.1f}")
    print(f"{'':24}{'nginx us':>10}{'server us':>11}{'ratio':>8}{'nginx KB/stream':>17}")
    for (transport, way), all_of in found.items():
        nginx, ours, memory = (statistics.median(each[place] for each in all_of) for place in range(3))
        name = f"{TRANSPORTS[transport]}, {way}"
        if way == "direct":
            print(f"{name:24}{'-':>10}{ours:11.1f}{'-':>8}{'-':>17}")
        else:
            print(f"{name:24}{nginx:10.1f}{ours:11.1f}{nginx / ours:8.2f}{memory / 1024:17.1f}")


if __name__ == "__main__":
    main()
