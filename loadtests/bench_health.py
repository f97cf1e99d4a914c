"""Measure the cost of health checks, and how fast liveness answers beside them.

    python -m loadtests.bench_health

The bench starts a server of its own on SQLite. It asks for readiness 200 times a second, first as monitoring on this
machine, then as a stranger's flood. In a third run readiness gets 200 requests a second as well, commands flow, and a prober
asks for liveness. The bench ends with status 1 if the 99th percentile of liveness is above 5 ms, or if one answer of
readiness costs more than 2 ms of CPU. ``--seconds`` shortens the runs. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from loadtests.processes import cpu_seconds
from server.seeding import Seed
from tests.support.server import Server, environment, seed, serving

READY_A_SECOND = 200
LIVE_A_SECOND = 50
COMMANDS_A_SECOND = 10
MOST_LIVE_SECONDS = 0.005
MOST_CPU_SECONDS = 0.002


class Prober:
    """One connection that asks for one path again and again. It costs little, so that the server has the machine."""

    def __init__(self, port: int, path: str, *headers: str) -> None:
        self._peer = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()

    def ask(self) -> int:
        """Ask once, and return the status."""
        self._peer.sendall(self._request)
        read = b""
        while b"\r\n\r\n" not in read:
            read += self._peer.recv(65_536)
        head, _, body = read.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        while len(body) < length:
            body += self._peer.recv(65_536)
        return int(head.split()[1])


def keep_asking(port: int, path: str, headers: list[str], a_second: int, seconds: float) -> tuple[list[float], Counter[int]]:
    """Ask for a path at a steady rate; return the seconds of each answer, and the statuses."""
    prober, took, statuses = Prober(port, path, *headers), [], Counter[int]()
    began = time.monotonic()
    for number in range(round(a_second * seconds)):
        time.sleep(max(0.0, began + number / a_second - time.monotonic()))
        asked = time.perf_counter()
        statuses[prober.ask()] += 1
        took.append(time.perf_counter() - asked)
    return took, statuses


def keep_commanding(server: Server, seeded: Seed, token: str, seconds: float) -> int:
    """Send commands at a steady rate; return their number."""
    began, done = time.monotonic(), 0
    with server.client(token) as desk:
        while time.monotonic() < began + seconds:
            time.sleep(max(0.0, began + done / COMMANDS_A_SECOND - time.monotonic()))
            body = {"site_id": seeded["site_id"], "message": f"Command {done}"}
            answer = desk.post("/api/v1/commands/broadcast-message", json=body)
            assert answer.status_code == 200, answer.text
            done += 1
    return done


def cost(server: Server, headers: list[str], seconds: float, idle: float) -> tuple[float, Counter[int]]:
    """Return the seconds of CPU that one request for readiness costs, and the statuses of the answers."""
    before, began = cpu_seconds(server.process.pid), time.monotonic()
    took, statuses = keep_asking(server.port, "/health/ready", headers, READY_A_SECOND, seconds)
    spent = cpu_seconds(server.process.pid) - before - idle * (time.monotonic() - began)
    return spent / len(took), statuses


def main() -> int:
    """Run the bench and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds: float = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = environment(
            f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_LOG_LEVEL="warning", NOWSERVING_RATE_LIMITS="on"
        )
        seeded = seed(env, points=4, tickets=12, displays=1)
        with serving(env, folder) as server, multiprocessing.get_context("spawn").Pool(2) as others:
            token = server.sign_in(seeded, "receptionist")
            time.sleep(2.0)
            before, began = cpu_seconds(server.process.pid), time.monotonic()
            time.sleep(seconds / 2)
            idle = (cpu_seconds(server.process.pid) - before) / (time.monotonic() - began)
            here, statuses = cost(server, [], seconds, idle)
            print(f"idle: {idle * 1000:.1f} ms of CPU a second")
            print(f"readiness, {READY_A_SECOND} a second from here: {here * 1000:.2f} ms of CPU each ({dict(statuses)})")
            flood, statuses = cost(server, ["X-Forwarded-For: 198.51.100.7"], seconds, idle)
            print(f"readiness, a stranger's flood: {flood * 1000:.2f} ms of CPU each ({dict(statuses)})")
            ready = others.apply_async(keep_asking, (server.port, "/health/ready", [], READY_A_SECOND, seconds))
            commands = others.apply_async(keep_commanding, (_bare(server), seeded, token, seconds))
            took, statuses = keep_asking(server.port, "/health/live", [], LIVE_A_SECOND, seconds)
            asked, sent = len(ready.get()[0]), commands.get()
            p99 = statistics.quantiles(took, n=100)[98]
            print(
                f"liveness beside {asked / seconds:.0f} of readiness and {sent / seconds:.0f} commands a second: "
                f"p50 {statistics.median(took) * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms ({dict(statuses)})"
            )
    return int(p99 > MOST_LIVE_SECONDS or max(here, flood) > MOST_CPU_SECONDS)


def _bare(server: Server) -> Server:
    """Return the server without its process, which no other process can take."""
    return Server(server.port, None, server.log)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
