"""Measure the free times of 31 days: 20 providers, 60 % of their time booked.

    python -m loadtests.bench_slots

The bench runs MariaDB and a real server in a temporary folder. It measures the CPU time of the computation alone, with all
taken time in memory, and of whole requests: the CPU of the server, and the statements. It ends with status 1 when the
computation of the listed times takes more than 40 ms of CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import insert, make_url

from loadtests.processes import cpu_seconds
from server.domain import free_time
from server.domain.board import Board
from server.domain.free_time import MOST_SLOTS, TakenBits, Wanted
from server.domain.model import CELL, Appointment, BusyCell
from server.seeding import Seed
from server.store import boards
from server.store.database import Database
from server.store.tables import busy_cells
from tests.support import databases
from tests.support.server import Server, environment, seed, serving

AT_MOST_MILLISECONDS = 40.0
BOOKED = 0.6
DAYS = 31
TRIES = 15


class Memory:
    """The taken time, in memory."""

    def __init__(self, cells: list[BusyCell]) -> None:
        self._cells = cells

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> Sequence[BusyCell]:
        """As `server.domain.calendar.Times.busy`."""
        return self._cells

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> Sequence[Appointment]:
        """As `server.domain.calendar.Times.between`."""
        return ()


def booked(board: Board, wanted: Wanted, first: str, last: str, now: int) -> list[BusyCell]:
    """Return the cells of appointments that take `BOOKED` of the free times."""
    dice = random.Random(1)
    every = free_time.slots(board, Memory([]), wanted, first, last, now, limit=1_000_000)
    return [
        BusyCell(each.provider_id, cell, 0, board.site.id, number + 1, None)
        for number, each in enumerate(every)
        if dice.random() < BOOKED
        for cell in range(each.starts_at // CELL, each.starts_at // CELL + each.minutes * 60_000_000 // CELL)
    ]


async def fill(url: str, seeded: Seed, wanted: Wanted, first: str, last: str) -> tuple[Board, list[BusyCell], int]:
    """Book in the database; return the board, the cells and the present time."""
    database = Database(url)
    try:
        now = await database.now()
        async with database.read() as connection:
            board = await connection.run_sync(boards.of_site, seeded["site_id"])
        cells = booked(board, wanted, first, last, now)
        async with database.write() as connection:
            for at in range(0, len(cells), 5_000):
                await connection.execute(insert(busy_cells), [each._asdict() for each in cells[at : at + 5_000]])
        return board, cells, now
    finally:
        await database.close()


def in_bits(cells: list[BusyCell]) -> list[TakenBits]:
    """Return the cells as the database adds them up."""
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for each in cells:
        sums[each.resource_id, each.cell // 48] += 1 << each.cell % 48
    return [TakenBits(resource_id, 0, part * 48, bits) for (resource_id, part), bits in sums.items()]


def selects(url: str) -> int:
    """Return how many SELECTs the database server has answered."""
    with databases.connect(make_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_select'")
        row = cursor.fetchone()
        assert row is not None
        return int(row[1])


def through(server: Server, seeded: Seed, url: str, wanted: Wanted, first: str, last: str) -> None:
    """Measure whole requests, and print their cost."""
    query: dict[str, str | int] = {"service_id": wanted.service_id, "from": first, "until": last}
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        address = f"/api/v1/sites/{seeded['site_id']}/slots"
        assert len(client.get(address, params=query).json()["data"]) == MOST_SLOTS
        cpu, walls, before = [], [], selects(url)
        for _ in range(TRIES):
            used, began = cpu_seconds(server.process.pid), time.perf_counter()
            answer = client.get(address, params=query)
            walls.append((time.perf_counter() - began) * 1000)
            cpu.append((cpu_seconds(server.process.pid) - used) * 1000)
        statements = (selects(url) - before) / TRIES
    size = len(answer.content) // 1024
    print(
        f"a request: {statistics.median(cpu):.1f} ms of the server's CPU, {statistics.median(walls):.1f} ms in all, "
        f"{statements:.1f} SELECTs, {size} KB"
    )


def main(providers: int) -> int:
    """Seed, measure and print; return the exit status."""
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    first, last = monday.isoformat(), (monday + timedelta(days=DAYS - 1)).isoformat()
    with (
        tempfile.TemporaryDirectory(prefix="nowserving-slots-") as name,
        databases.mariadb(Path(name)) as server_url,
        databases.fresh_database(server_url) as url,
    ):
        env = environment(url)
        seeded = seed(env, points=1, tickets=0, displays=0, providers=providers)
        wanted = Wanted(service_id=seeded["service_ids"][0])
        board, cells, now = asyncio.run(fill(url, seeded, wanted, first, last))
        print(f"{providers} providers, {DAYS} days, {len(cells):,} busy cells")
        bits = in_bits(cells)
        slowest = 0.0

        def read(*_: object) -> list[TakenBits]:
            return bits

        for limit in (MOST_SLOTS, 1_000_000):
            taken = []
            for _ in range(TRIES):
                began = time.process_time()
                found = free_time.slots_beside(board, read, wanted, first, last, now, limit=limit)
                taken.append((time.process_time() - began) * 1000)
            slowest = max(slowest, statistics.median(taken))
            print(f"the computation of {len(found):,} times: {statistics.median(taken):.1f} ms of CPU")
        with serving(env, Path(name)) as server:
            through(server, seeded, url, wanted, first, last)
    print(f"at most {AT_MOST_MILLISECONDS:.0f} ms: {'yes' if slowest <= AT_MOST_MILLISECONDS else 'NO'}")
    return int(slowest > AT_MOST_MILLISECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--providers", type=int, default=20)
    sys.exit(main(parser.parse_args().providers))
