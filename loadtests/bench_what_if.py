"""Measure what a replay with changes costs the commands of a clinic: their p99 while a day is replayed, and without.

    python -m loadtests.bench_what_if

One real server process on a private MariaDB. A site has a day of 600 patients, who were all called and served. At another
site of the same server a receptionist issues tickets, calls, starts and completes, one command at a time, with a pause
between two of them. In turns, nobody replays the day, and a manager replays it again and again. Each round prints the p50
and the p99 of the commands, and the time of a replay. The last line has the ratio of the medians of the p99.
``--patients``, ``--rounds`` and ``--seconds`` change the extent. Above ``--most-ratio`` the bench ends with status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.migrate import migrate
from tests.support import databases
from tests.support.server import Server, environment, serving, vault

POINTS = 4
PAUSE_SECONDS = 0.01


def do(client: httpx.Client, command: str, **body: Any) -> dict[str, Any]:
    """Send a command; return its answer."""
    answer = client.post(f"/api/v1/commands/{command}", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    if answer.status_code != 200:
        raise RuntimeError(f"{command}: {answer.text}")
    found: dict[str, Any] = answer.json()
    return found


def a_day(client: httpx.Client, seed: Seed, patients: int) -> None:
    """Issue the tickets of a day, in groups of ten, and serve all patients."""
    points = seed["point_ids"]
    for begin in range(0, patients, 10):
        for number in range(begin, min(begin + 10, patients)):
            do(client, "issue-ticket", queue_id=seed["queue_ids"][number % len(seed["queue_ids"])])
        for _ in range(3):
            for point_id in points:
                called = client.post(
                    "/api/v1/commands/call-next",
                    json={"point_id": point_id},
                    headers={"Idempotency-Key": uuid.uuid4().hex},
                )
                if called.status_code == 200:
                    entry_id = called.json()["entry"]["id"]
                    do(client, "start", entry_id=entry_id)
                    do(client, "complete", entry_id=entry_id)


def commands(client: httpx.Client, seed: Seed, seconds: float) -> list[float]:
    """Serve patients for some time; return the milliseconds of each command."""
    spent: list[float] = []

    def timed(command: str, **body: Any) -> dict[str, Any]:
        began = time.perf_counter()
        found = do(client, command, **body)
        spent.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_SECONDS)
        return found

    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        timed("issue-ticket", queue_id=seed["queue_ids"][0])
        entry_id = timed("call-next", point_id=seed["point_ids"][0])["entry"]["id"]
        timed("start", entry_id=entry_id)
        timed("complete", entry_id=entry_id)
    return spent


@contextmanager
def replaying(server: Server, token: str, site_id: int, day: str) -> Iterator[list[float]]:
    """Replay a day again and again for the length of a block; yield the seconds of each replay."""
    ended, spent = threading.Event(), list[float]()

    def go() -> None:
        with server.client(token) as manager:
            while not ended.is_set():
                began = time.perf_counter()
                query = {"business_day": day, "head_start_urgent": "0"}
                answer = manager.get(f"/api/v1/sites/{site_id}/what-if", params=query, timeout=120)
                if answer.status_code != 200:
                    raise RuntimeError(answer.text)
                spent.append(time.perf_counter() - began)

    thread = threading.Thread(target=go)
    thread.start()
    time.sleep(1.0)  # the replay has begun
    try:
        yield spent
    finally:
        ended.set()
        thread.join()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which so large a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def seeded(url: str) -> tuple[Seed, Seed, str]:
    """Create two sites; return their seeds, and the business day of the first."""
    database = Database(url)
    try:
        await migrate(database)
        executor = Executor(database, vault(), publish=lambda *_: None)
        first, second = [await Seeder(database, executor).seed(points=POINTS, tickets=0, displays=0) for _ in range(2)]
        board = await Boards(database).board(first["site_id"])
        return first, second, board.site.business_day
    finally:
        await database.close()


def main() -> int:
    """Fill, measure in turns and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--most-ratio", type=float)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="nowserving-what-if-") as named,
        databases.mariadb(Path(named)) as mariadb,
        databases.fresh_database(mariadb) as url,
    ):
        day_site, other, day = asyncio.run(seeded(url))
        with serving(environment(url), Path(named)) as server:
            with server.client(server.sign_in(day_site, "receptionist")) as desk:
                a_day(desk, day_site, asked.patients)
            manager = server.sign_in(day_site, "manager")
            quiet, busy, replays = [], [], []
            with server.client(server.sign_in(other, "receptionist")) as desk:
                commands(desk, other, 2)
                for _ in range(asked.rounds):
                    alone = commands(desk, other, asked.seconds)
                    with replaying(server, manager, day_site["site_id"], day) as spent:
                        beside = commands(desk, other, asked.seconds)
                    replays += spent
                    quiet.append(percentile(alone, 0.99))
                    busy.append(percentile(beside, 0.99))
                    print(
                        f"alone: p50 {percentile(alone, 0.5):.1f} p99 {quiet[-1]:.1f} ms of {len(alone)} commands;  "
                        f"during replays: p50 {percentile(beside, 0.5):.1f} p99 {busy[-1]:.1f} ms of {len(beside)};  "
                        f"a replay {statistics.median(spent):.2f} s"
                    )
    ratio = statistics.median(busy) / statistics.median(quiet)
    print(f"p99 during replays / p99 alone: {ratio:.2f}; a replay took {statistics.median(replays):.2f} s in the median")
    return int(asked.most_ratio is not None and ratio > asked.most_ratio)


if __name__ == "__main__":
    sys.exit(main())
