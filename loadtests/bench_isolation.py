"""Check that one stalled screen costs the other screens nothing.

    python -m loadtests.bench_isolation

The bench starts a server of its own on SQLite and 1,000 displays that read. It makes five interleaved pairs of runs, without
and with one stalled reader of a desk (the largest view, far more than its socket holds). In each run it sends a command
every fifth of a second and measures the time from the command to each display. The bench ends with status 1 if the
median of the runs' 99th percentiles is more than 10 % higher with the stalled reader. ``--streams``, ``--commands`` and
``--pairs`` reduce the run.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from server.seeding import Seed
from tests.support.server import Server, environment, seed, serving
from tests.support.streams import OneStream, Streams, allow_files, head

WITHIN = 0.10
EVERY_SECONDS = 0.2


class Deliveries:
    """The arrival time of each number of the log at each display."""

    def __init__(self) -> None:
        self._told: dict[OneStream, list[tuple[int, float]]] = {}

    def heard(self, one: OneStream, at: float) -> None:
        """Record the numbers in a chunk that a display received."""
        self._told.setdefault(one, []).append((one.seq, at))

    def after(self, began: list[tuple[int, float]]) -> list[float]:
        """Return the delivery time for each display and each command, given by number and start."""
        took = []
        for told in self._told.values():
            position = 0
            for seq, at in began:
                while position < len(told) and told[position][0] < seq:
                    position += 1
                assert position < len(told), f"a display was never told of {seq}"
                took.append(told[position][1] - at)
        return took

    def forget(self) -> None:
        """Forget all deliveries."""
        self._told.clear()


def stalled_reader(server: Server, seeded: Seed, token: str) -> socket.socket:
    """Open a desk's stream without reading from it."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", server.port))
    peer.sendall(head(f"/live/sites/{seeded['site_id']}/desk", token))
    return peer


def paused(server: Server) -> float:
    """Return the number of readers that the server reports as stalled."""
    lines = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith("nowserving_streams_paused "))


def one_run(server: Server, seeded: Seed, token: str, streams: Streams, deliveries: Deliveries, commands: int) -> float:
    """Run the commands; return the 99th percentile of the delivery times, in milliseconds."""
    began: list[tuple[int, float]] = []

    def work() -> None:
        with server.client(token) as desk:
            for index in range(commands):
                at = time.monotonic()
                body = {"site_id": seeded["site_id"], "message": f"Run {at}, command {index}"}
                answer = desk.post("/api/v1/commands/broadcast-message", json=body)
                assert answer.status_code == 200, answer.text
                began.append((answer.json()["seq"], at))
                time.sleep(EVERY_SECONDS)

    deliveries.forget()
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        streams.pump(0.05)
    worker.join()
    streams.wait(lambda: all(each.seq >= began[-1][0] for each in streams.streams), 30, "the last command")
    return statistics.quantiles(deliveries.after(began), n=100)[98] * 1000


def measure(folder: Path, count: int, commands: int, pairs: int) -> tuple[list[float], list[float]]:
    """Return the runs' 99th percentiles without and with a stalled reader, in milliseconds."""
    allow_files()
    env = environment(
        f"sqlite+aiosqlite:///{folder / 'x.db'}",
        NOWSERVING_LOG_LEVEL="warning",
        NOWSERVING_MAX_STREAMS_PER_TOKEN=str(2 * count),
        NOWSERVING_STALLED_SECONDS="600",
        NOWSERVING_HEARTBEAT_SECONDS="300",  # otherwise the kernel would drop the stalled reader as dead
    )
    seeded = seed(env, points=1, tickets=300, displays=1)
    display, deliveries = seeded["displays"][0], Deliveries()
    without: list[float] = []
    beside: list[float] = []
    with serving(env, folder) as server, Streams(server.port, deliveries.heard) as streams:
        token = server.sign_in(seeded, "receptionist")
        streams.join(head(f"/live/displays/{display['id']}", display["token"]) for _ in range(count))
        one_run(server, seeded, token, streams, deliveries, commands)  # not counted
        for index in range(2 * pairs):
            stands_still = index % 4 in (1, 2)  # alternate the order within the pairs
            with ExitStack() as stack:
                if stands_still:
                    stack.enter_context(stalled_reader(server, seeded, token))
                    until = time.monotonic() + 20
                    while not paused(server):
                        assert time.monotonic() < until, "the server has not noticed that somebody stands still"
                        streams.pump(0.05)
                found = one_run(server, seeded, token, streams, deliveries, commands)
                assert not stands_still or paused(server) == 1, "it stood still to the end"
            (beside if stands_still else without).append(found)
    return without, beside


def main() -> int:
    """Measure; return 1 if the stalled reader costs the others anything."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench_isolation", description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        without, beside = measure(Path(name), arguments.streams, arguments.commands, arguments.pairs)
    for name, runs in (("without", without), ("with one that takes nothing", beside)):
        print(f"p99 {name}: {', '.join(f'{each:.1f}' for each in runs)} ms; median {statistics.median(runs):.1f} ms")
    ratio = statistics.median(beside) / statistics.median(without)
    print(f"ratio: {ratio:.3f}")
    return int(ratio > 1 + WITHIN)


if __name__ == "__main__":
    sys.exit(main())
