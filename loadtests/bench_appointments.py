"""Measure what 100,000 future appointments cost a site's queue: nothing.

    python -m loadtests.bench_appointments [--appointments 100000]

The bench runs MariaDB in a temporary folder and compares two sites of one database, in turn: one with the appointments, one
without. It measures the load of the board, the first command of a process, and `call-next`. It ends with status 1 if the
median of any of them is more than 1.1 times that of the site without appointments.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import insert, text

from server.domain.commands import CallNext, Complete, IssueTicket, Start
from server.domain.model import Appointment, cells_of
from server.execute import Executor
from server.queries.appointments import with_outdated_appointments
from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.migrate import migrate
from server.store.tables import appointments, busy_cells
from tests.support import databases
from tests.support.vaults import VAULT

MOST = 1.1
BATCH = 2_000
QUARTER = 15 * 60_000_000
DAY = 86_400_000_000


def an_appointment(seeded: Seed, number: int, now: int) -> Appointment:
    """Return a booked appointment of a later day: 32 a day and provider."""
    provider_id = seeded["provider_ids"][number % len(seeded["provider_ids"])]
    at = number // len(seeded["provider_ids"])
    starts_at = (now // DAY + 2 + at // 32) * DAY + 9 * 3_600_000_000 + at % 32 * QUARTER
    return Appointment(
        id=seeded["site_id"] * 1_000_000_000 + 1_000_000 + number,
        site_id=seeded["site_id"],
        business_day=None,
        service_id=seeded["service_ids"][0],
        provider_id=provider_id,
        resource_id=provider_id,
        point_id=None,
        state="booked",
        local_start=f"{time.strftime('%Y-%m-%dT%H:%M', time.gmtime(starts_at / 1_000_000))}",
        fold=0,
        zone="UTC",
        minutes=15,
        buffer_minutes=0,
        starts_at=starts_at,
        ends_at=starts_at + QUARTER,
        tz_version="2026f",
        lane=0,
        version=1,
        token_hash=uuid.uuid4().hex * 2,
        sealed=None,
        language="en",
        booked_at=now,
        seq=1,
    )


async def fill(database: Database, seeded: Seed, count: int) -> None:
    """Write the rows of ``count`` appointments, and their busy cells."""
    now = await database.now()
    for begin in range(0, count, BATCH):
        made = [an_appointment(seeded, number, now) for number in range(begin, min(begin + BATCH, count))]
        async with database.write() as connection:
            await connection.execute(insert(appointments), [asdict(each) for each in made])
            await connection.execute(insert(busy_cells), [cell._asdict() for each in made for cell in cells_of(each)])
    async with database.write() as connection:
        await connection.execute(text("ANALYZE TABLE appointments, busy_cells"))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return how long ``work`` takes (ms)."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def measure(url: str, count: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the medians of each work: at the site without appointments, and at the site with them (ms)."""
    database = Database(url)
    await migrate(database)
    executor = Executor(database, VAULT, publish=lambda *_: None)
    seeder, reader = Seeder(database, executor), Boards(database)
    sites = [await seeder.seed(points=2, tickets=40, displays=0, providers=10) for _ in range(2)]
    await fill(database, sites[1], count)
    measured: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in ("load of the board", "first command", "call-next")
    }

    async def do(command: object, by: Executor = executor) -> None:
        await by.execute(command, actor="setup", command_id=uuid.uuid4().hex)  # type: ignore[arg-type]

    async def at(index: int) -> None:
        site = sites[index]
        fresh = Executor(database, VAULT, publish=lambda *_: None)
        ticket = IssueTicket(queue_id=site["queue_ids"][0])
        measured["load of the board"][index].append(await timed(lambda: reader.board(site["site_id"])))
        measured["first command"][index].append(await timed(lambda: do(ticket, fresh)))
        await do(ticket)
        measured["call-next"][index].append(await timed(lambda: do(CallNext(point_id=site["point_ids"][0]))))
        entry = (await reader.board(site["site_id"])).entry_at(site["point_ids"][0])
        assert entry is not None
        await do(Start(entry_id=entry.id))
        await do(Complete(entry_id=entry.id))

    for turn in range(rounds):
        for index in (0, 1) if turn % 2 else (1, 0):
            await at(index)
    outdated = await timed(lambda: with_outdated_appointments(database))
    print(f"search for appointments of other zone data, over all sites: {outdated:.0f} ms, once an hour")
    await database.close()
    return {name: (statistics.median(without), statistics.median(with_)) for name, (without, with_) in measured.items()}


def main() -> int:
    """Print the table; return 1 if a ratio is too high."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--appointments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.mariadb(Path(folder), buffer_pool="256M") as server,
        databases.fresh_database(server) as url,
    ):
        found = asyncio.run(measure(url, arguments.appointments, arguments.rounds))
    print(f"{'work':22}{'without':>12}{'with':>12}{'ratio':>8}")
    for name, (without, with_) in found.items():
        print(f"{name:22}{without:9.2f} ms{with_:9.2f} ms{with_ / without:8.2f}")
    worst = max(with_ / without for without, with_ in found.values())
    print(f"The highest ratio is {worst:.2f}; at most {MOST}.")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
