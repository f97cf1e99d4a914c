"""Measure the cost of a command beside its own statements, run bare through aiomysql.

    python loadtests/bench_commands.py

One real server process serves `call-next`, `start` and `complete` over HTTP at a site with 500 waiting entries, a million
past visits, and 20 past days, which the quotes replay, on a private MariaDB. The database's general log records the
statements of the server. A twin of the site was made by the same steps and so has the same numbers. A process with only
aiomysql sends the same statements to the twin, with the twin's ids. The two take turns, patient by patient, so that neither
has the machine alone. Each is charged the CPU time (user and system) of its own process. At the end both sites must be in
the same state, which proves the replay.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import aiomysql
import pymysql
import uvloop
from sqlalchemy import URL, make_url

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.past_visits import FAR_AHEAD, fill, remember
from loadtests.processes import cpu_seconds
from server.domain.commands import BroadcastMessage, IssueTicket, Tick
from server.domain.model.ids import IDS_PER_SITE
from server.domain.model.tickets import business_day
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.migrate import migrate
from tests.support.databases import connect, fresh_database, mariadb
from tests.support.server import Server, environment, serving, vault

POINTS = 4
DAY_TURNS_AT_MINUTES = 240  # of a new site
FIRST_SITE = 900_001  # a number that nothing else in a statement is
TWIN = FIRST_SITE + 1
OPTIONS = ("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G", "--log-output=TABLE")
STEPS = ("call-next", "start", "complete")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'|(?<![\w.])\d+(?![\w.])")
# The queries of the clock, of the sweep and of the other loops of a server are no part of a command.
_CLOCKS = re.compile(
    r"next_tick_at <=|offered_to IS NOT NULL|tz_version !=|^SELECT CAST|REPEATABLE READ"
    r"|leases|FROM notifications|message_plans|webhook"
)
Statement = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Round:
    """One round's figures: CPU milliseconds per command, of the server and of the bare statements, and their number."""

    server: float
    bare: float
    statements: float


class Client:
    """A receptionist's persistent connection."""

    def __init__(self, server: Server, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def do(self, command: str, **body: Any) -> dict[str, Any]:
        """Run a command; return its answer. Raises `RuntimeError` for any status but 200."""
        headers = self._headers | {"Idempotency-Key": uuid.uuid4().hex}
        try:
            response = self._asked(command, body, headers)
        except ConnectionError:  # the server closes an idle connection after 75 s: repeat with the same key
            self._connection.close()
            response = self._asked(command, body, headers)
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{command}: {answer}")
        return answer

    def _asked(self, command: str, body: dict[str, Any], headers: dict[str, str]) -> HTTPResponse:
        self._connection.request("POST", f"/api/v1/commands/{command}", json.dumps(body), headers)
        return self._connection.getresponse()

    def serve(self, point_id: int) -> None:
        """Call, serve and complete the next patient: three commands."""
        entry_id = self.do("call-next", point_id=point_id)["entry"]["id"]
        self.do("start", entry_id=entry_id)
        self.do("complete", entry_id=entry_id)


# The statements of the server


class _Log:
    """The database's general log for the length of a block, empty at its start."""

    def __init__(self, connection: pymysql.Connection, but_for: int) -> None:
        self._connection = connection
        self._but_for = (connection.thread_id(), but_for)
        self._read = 0
        self._begun: dict[int, list[str]] = {}

    def __enter__(self) -> _Log:
        with self._connection.cursor() as cursor:
            cursor.execute("TRUNCATE mysql.general_log")
            cursor.execute("SET GLOBAL general_log = ON")
        return self

    def __exit__(self, *_: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("SET GLOBAL general_log = OFF")

    def transactions(self) -> Iterator[list[str]]:
        """Yield the statements of each transaction since the last call, in the order of their ends, without the clock's."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT thread_id, command_type, argument FROM mysql.general_log LIMIT {self._read}, 1000000")
            rows = cursor.fetchall()
        self._read += len(rows)
        for thread, kind, argument in rows:
            text = argument.decode() if isinstance(argument, bytes) else argument
            if kind != "Query" or thread in self._but_for:
                continue
            transaction = self._begun.setdefault(thread, [])
            transaction.append(text)
            if text in ("COMMIT", "ROLLBACK"):
                del self._begun[thread]
                if not any(_CLOCKS.search(each) for each in transaction):
                    yield transaction


def bare(text: str) -> Statement:
    """Return a statement of the log for the twin, as a text with placeholders, and their values."""
    values: list[object] = []

    def place(found: re.Match[str]) -> str:
        literal = found[0]
        values.append(_unquoted(literal) if literal.startswith("'") else int(literal))
        return "%s"

    text = text.replace(str(FIRST_SITE), str(TWIN)).replace("%", "%%")
    return _LITERAL.sub(place, text), tuple(values)


def _unquoted(literal: str) -> str:
    return re.sub(r"\\(.)|''", lambda found: found[1] or "'", literal[1:-1].replace("%%", "%"))


class Bare:
    """A bare connection, in a process of its own."""

    it: Bare

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.connection = self.runner.run(self._connect(make_url(url)))

    async def _connect(self, url: URL) -> aiomysql.Connection:
        connection = await aiomysql.connect(
            host=url.host, port=url.port, user=url.username, db=url.database, autocommit=False
        )
        async with connection.cursor() as cursor:
            await cursor.execute("SET time_zone = '+00:00'")
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection

    async def run(self, transactions: Sequence[Sequence[Statement]]) -> float:
        """Run transactions; return the CPU seconds of this process for them."""
        began = time.process_time()
        async with self.connection.cursor() as cursor:
            for transaction in transactions:
                for text, values in transaction:
                    if text == "COMMIT":
                        await self.connection.commit()
                    elif text == "ROLLBACK":
                        await self.connection.rollback()
                    else:
                        await cursor.execute(text, values)
                        await cursor.fetchall()
        return time.process_time() - began


def begin_bare(url: str) -> None:
    """Initialise the bare process."""
    Bare.it = Bare(url)


def bare_thread() -> int:
    """Return the database's thread number of the bare process."""
    return int(Bare.it.connection.thread_id())


def replay(transactions: Sequence[Sequence[Statement]]) -> float:
    """Run transactions in the bare process."""
    return Bare.it.runner.run(Bare.it.run(transactions))


# The run


async def build(url: str, env: dict[str, str], past: int) -> list[Seed]:
    """Fill the database with two sites by the same steps, each with its past; return their seeds."""
    database = Database(url)
    await migrate(database)
    setup = Seeder(database, Executor(database, vault(), publish=lambda *_: None))
    plain = connect(make_url(url))
    seeds = []
    with plain.cursor() as cursor:
        cursor.execute(f"ALTER TABLE sites AUTO_INCREMENT = {FIRST_SITE}")
    # The business day, which differs from the calendar day in the small hours: the past must lie before it.
    today = date.fromisoformat(business_day(await database.now(), "UTC", DAY_TURNS_AT_MINUTES))
    for site_id in (FIRST_SITE, TWIN):
        seeded = await setup.seed(POINTS, 0, 0)
        assert seeded["site_id"] == site_id
        fill(plain, site_id, seeded["queue_ids"], seeded["point_ids"], past, today)
        remember(plain, site_id, seeded["queue_ids"], seeded["point_ids"])
        seeds.append(seeded)
    with plain.cursor() as cursor:
        cursor.execute("UPDATE sites SET epoch = 'bench'")
    plain.close()
    await database.close()
    return seeds


class Bench:
    """The two sites and their staff."""

    def __init__(self, url: str, server: Server, seeds: list[Seed], waiting: int, bare_process: ProcessPoolExecutor) -> None:
        self.url, self.server, self.waiting, self.bare_process = url, server, waiting, bare_process
        self.seeded, self.twin = seeds
        self.token = server.sign_in(self.seeded, "receptionist")
        self.client = Client(server, self.token)
        self.plain = connect(make_url(url))
        self.issued = 0

    def top_up(self, served: int) -> None:
        """Issue tickets at both sites until the full number of entries waits again."""
        missing = self.waiting + served - self.issued
        queues = [(self.issued + index) % 3 for index in range(missing)]
        if not self.issued:  # the first ticket starts the clock that renews quotes
            self._issue(queues[:1])
            del queues[:1]
        self._stop_the_clock()
        self._issue(queues)
        self._stop_the_clock()
        self.issued += missing

    def _issue(self, queues: list[int]) -> None:
        for queue in queues:
            self.client.do("issue-ticket", queue_id=self.seeded["queue_ids"][queue])
        asyncio.run(self._issue_at_the_twin([self.twin["queue_ids"][queue] for queue in queues]))

    def _stop_the_clock(self) -> None:
        """Suppress new quotes: the server's clock would reach the two sites at different moments of their work."""
        with self.plain.cursor() as cursor:
            cursor.execute("UPDATE sites SET quoted_at = %s, next_tick_at = turns_at", (FAR_AHEAD,))
            cursor.execute("SELECT seq FROM sites WHERE id IN (%s, %s)", (FIRST_SITE, TWIN))
            heads = [head for (head,) in cursor.fetchall()]
        if len(set(heads)) != 1:
            raise RuntimeError(f"the two sites are no twins any more: their logs have come to {heads}")

    async def _issue_at_the_twin(self, queue_ids: list[int]) -> None:
        database = Database(self.url)
        executor = Executor(database, vault(), publish=lambda *_: None)
        for queue_id in queue_ids:
            await executor.execute(IssueTicket(queue_id=queue_id), actor="twin", command_id=uuid.uuid4().hex)
        await database.close()

    def round(self, patients: int) -> Round:
        """Serve patients over HTTP, and after each one repeat the statements at the twin."""
        point_ids = self.seeded["point_ids"]
        used = used_bare = 0.0
        statements = 0
        with _Log(self.plain, self.bare_process.submit(bare_thread).result()) as log:
            for index in range(patients):
                before = cpu_seconds(self.server.process.pid)
                self.client.serve(point_ids[index % len(point_ids)])
                used += cpu_seconds(self.server.process.pid) - before
                transactions = [[bare(text) for text in each] for each in log.transactions()]
                used_bare += self.bare_process.submit(replay, transactions).result()
                statements += sum(len(each) for each in transactions)
        count = patients * len(STEPS)
        return Round(1000 * used / count, 1000 * used_bare / count, statements / count)

    def speed(self, patients: int) -> float:
        """Return the commands per second that this one site accepts from all its points at once."""
        point_ids = self.seeded["point_ids"]

        def work(point_id: int) -> None:
            client = Client(self.server, self.token)
            for _ in range(patients // len(point_ids)):
                client.serve(point_id)

        threads = [threading.Thread(target=work, args=(point_id,)) for point_id in point_ids]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return patients // len(point_ids) * len(point_ids) * len(STEPS) / (time.perf_counter() - began)

    def issuing(self, tickets: int) -> float:
        """Return the CPU milliseconds of the server for a ticket that joins a full line."""
        before = cpu_seconds(self.server.process.pid)
        for index in range(tickets):
            self.client.do("issue-ticket", queue_id=self.seeded["queue_ids"][index % 3])
        return 1000 * (cpu_seconds(self.server.process.pid) - before) / tickets

    async def ticking(self, times: int) -> tuple[float, int]:
        """Return the CPU milliseconds of a tick that renews all quotes of the twin, and the number of changed quotes."""
        database = Database(self.url)
        figures = []
        for _ in range(times):
            executor = Executor(database, vault(), publish=lambda *_: None)
            with self.plain.cursor() as cursor:
                cursor.execute("UPDATE sites SET quoted_at = 0, next_tick_at = 0 WHERE id = %s", (TWIN,))
                cursor.execute("UPDATE entries SET expect_from = NULL WHERE site_id = %s AND state = 'waiting'", (TWIN,))
            await executor.execute(BroadcastMessage(site_id=TWIN, message=None), actor="x", command_id=uuid.uuid4().hex)
            began = time.process_time()
            answer = await executor.execute(Tick(site_id=TWIN), actor="clock", command_id=uuid.uuid4().hex)
            figures.append(1000 * (time.process_time() - began))
            assert answer.body["events"][0]["type"] == "waits-quoted"
        board = await Boards(database).board(TWIN)
        await database.close()
        return statistics.median(figures), sum(len(board.waiting(queue_id)) for queue_id in board.queues)

    async def check(self) -> None:
        """Assert that both sites are in the same state, entry by entry."""
        database = Database(self.url)
        mine, its = [await Boards(database).board(site_id) for site_id in (FIRST_SITE, TWIN)]
        await database.close()
        assert mine.site.seq == its.site.seq
        ours = {entry.id % IDS_PER_SITE: (entry.state, entry.calls, entry.seq) for entry in mine.entries.values()}
        theirs = {entry.id % IDS_PER_SITE: (entry.state, entry.calls, entry.seq) for entry in its.entries.values()}
        assert ours == theirs, "the replay did what the server did"
        print("both sites at the end:", dict(Counter(entry.state for entry in its.entries.values())))


def main() -> None:
    """Run the bench and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--past", type=int, default=1_000_000, help="past visits of each of the two sites")
    parser.add_argument("--waiting", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--patients", type=int, default=20, help="served in each round: three commands each")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        mariadb(Path(folder), *OPTIONS) as root,
        fresh_database(root) as url,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin_bare, (url,)) as bare_process,
    ):
        env = environment(url)
        began = time.perf_counter()
        seeds = asyncio.run(build(url, env, options.past))
        print(f"two sites with {options.past:,} past visits each, in {time.perf_counter() - began:.0f} s", flush=True)
        with serving(env, Path(folder)) as server:
            bench = Bench(url, server, seeds, options.waiting, bare_process)
            run(bench, options.rounds, options.patients)
        ticking, waiting = asyncio.run(bench.ticking(5))  # no server runs now that could tick the site itself
        print(f"a tick that quotes {waiting} anew: {ticking:.1f} ms of CPU")


def run(bench: Bench, rounds: int, patients: int) -> None:
    """Run the rounds in turn and print their figures."""
    served = 0
    bench.top_up(served)
    bench.round(4)  # warm: statements compiled, boards loaded, pages read
    served += 4
    found = []
    for index in range(rounds):
        bench.top_up(served)
        found.append(each := bench.round(patients))
        served += patients
        times = f"server {each.server:.2f} ms, bare {each.bare:.2f} ms a command"
        print(f"round {index + 1}: {times}: {each.server / each.bare:.2f}", flush=True)
    asyncio.run(bench.check())
    bench.top_up(served)
    print(f"CPU a command, median: server {statistics.median(each.server for each in found):.2f} ms,", end=" ")
    print(f"bare statements {statistics.median(each.bare for each in found):.2f} ms")
    print(f"ratio, median of {rounds} rounds: {statistics.median(each.server / each.bare for each in found):.2f}")
    print(f"statements a command: {found[-1].statements:.1f}")
    print(f"commands a second at one site, {POINTS} points at once: {bench.speed(4 * patients):.0f}")
    issuing = bench.issuing(30)
    print(f"issue-ticket with {bench.waiting} waiting: {issuing:.1f} ms of CPU")


if __name__ == "__main__":
    main()
