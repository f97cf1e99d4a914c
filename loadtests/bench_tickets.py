"""Measure the cost of a new ticket in a long line beside a short one, and the pauses of the clock.

    python loadtests/bench_tickets.py

Two real servers on a private MariaDB serve the same clinic, one with 40 waiting patients and one with 1,000. Tickets are
issued at both in turn, over HTTP, while the clock quotes both lines. Each server is charged the CPU time of its process,
the clock included. At most twice the cost at 40 is allowed.

Then a process quotes 5,000 waiting patients by the clock. Between the steps of its event loop, no more than 20 ms of its
CPU time may pass. (The clock of the wall would also count the time that other processes take.)
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from sqlalchemy import make_url

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.contenders import Caller
from loadtests.past_visits import remember
from loadtests.processes import cpu_seconds
from server.domain.commands import Tick
from server.domain.errors import NothingDue
from server.execute import Executor
from server.store.database import Database
from tests.support.databases import connect, fresh_database, mariadb
from tests.support.server import Server, environment, seed, serving, vault

POINTS = 8
MOST_TIMES_THE_COST = 2.0
LONGEST_PAUSE_SECONDS = 0.020
CLOCK_SECONDS = 30.0


class Contender:
    """A server with a line of one length, and the CPU time of each batch of tickets."""

    def __init__(self, server: Server, token: str, queue_ids: list[int]) -> None:
        self._caller = Caller(server, token)
        self._process_id = server.process.pid
        self._queue_ids = queue_ids
        self._issued = 0
        self._entries: list[int] = []
        self.costs: list[float] = []

    def call(self, point_ids: list[int]) -> None:
        """Call a patient to each point, so that all others wait."""
        for point_id in point_ids:
            self._caller.do("call-next", point_id=point_id)

    def issue(self, count: int) -> None:
        """Issue tickets, and cancel as many: the line keeps its length. Record the CPU time of the issued ones."""
        before = cpu_seconds(self._process_id)
        for _ in range(count):
            queue_id = self._queue_ids[self._issued % len(self._queue_ids)]
            self._entries.append(self._caller.do("issue-ticket", queue_id=queue_id)["entry"]["id"])
            self._issued += 1
        self.costs.append((cpu_seconds(self._process_id) - before) / count)
        while self._entries:
            self._caller.do("cancel", entry_id=self._entries.pop(), reason="bench")


def costs(lines: Sequence[int], rounds: int, batch: int) -> list[float]:
    """Return the CPU seconds of a ticket in each line."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database_server = stack.enter_context(mariadb(folder / "mariadb"))
        contenders = []
        for count in lines:
            env = environment(stack.enter_context(fresh_database(database_server)))
            seeded = seed(env, points=POINTS, tickets=POINTS + count, displays=0)
            with closing(connect(make_url(env["NOWSERVING_DATABASE_URL"]))) as plain:
                remember(plain, seeded["site_id"], seeded["queue_ids"], seeded["point_ids"])
            server = stack.enter_context(serving(env, folder, name=f"line-{count}"))
            contenders.append(Contender(server, server.sign_in(seeded, "receptionist"), seeded["queue_ids"]))
            contenders[-1].call(seeded["point_ids"])
        for each in contenders:
            each.issue(batch)  # the first tickets fill the caches
            each.costs.clear()
        for _ in range(rounds):
            for each in contenders:
                each.issue(batch)
        return [statistics.median(each.costs) for each in contenders]


async def pauses(count: int) -> tuple[float, int]:
    """Quote ``count`` patients by the clock; return the longest pause in CPU seconds, and the number of ticks."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database(stack.enter_context(mariadb(folder / "mariadb"))))
        seeded = seed(environment(url), points=POINTS, tickets=count, displays=0)
        database = Database(url)
        executor = Executor(database, vault(), publish=lambda *_: None)
        longest, watching = 0.0, False

        async def watch() -> None:
            nonlocal longest
            while True:
                before = time.process_time()
                await asyncio.sleep(0)
                longest = max(longest, time.process_time() - before) if watching else longest

        async def quote() -> int:
            ticks, more = 0, True
            while more:
                answer = await executor.execute(Tick(site_id=seeded["site_id"]), actor="clock", command_id=uuid.uuid4().hex)
                more = any(event.get("more", False) for event in answer.body["events"])
                ticks += 1
            return ticks

        with suppress(NothingDue):  # the set-up has quoted everybody
            await quote()  # loads the board
        await asyncio.sleep(CLOCK_SECONDS)
        watcher = asyncio.create_task(watch())
        watching = True
        ticks = await quote()
        watching = False
        watcher.cancel()
        await database.close()
        return longest, ticks


def main() -> int:
    """Print the figures. The exit status is 1 if a figure misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=0)
    parser.add_argument("--short", type=int, default=40)
    parser.add_argument("--long", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--waiting", type=int, default=5000)
    given = parser.parse_args()
    few, short, long = costs((given.few, given.short, given.long), given.rounds, given.batch)
    print(f"a ticket with {given.few} to {given.few + given.batch} waiting {1000 * few:6.2f} ms of CPU")
    print(f"a ticket with {given.short} waiting   {1000 * short:6.2f} ms of CPU")
    ratio = f"{long / short:.2f} x (at most {MOST_TIMES_THE_COST})"
    print(f"a ticket with {given.long} waiting {1000 * long:6.2f} ms of CPU = {ratio}")
    longest, ticks = asyncio.run(pauses(given.waiting))
    print(
        f"{given.waiting} patients quoted in {ticks} ticks, longest pause {1000 * longest:.1f} ms "
        f"(at most {1000 * LONGEST_PAUSE_SECONDS:.0f})"
    )
    return int(long > MOST_TIMES_THE_COST * short or longest > LONGEST_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
