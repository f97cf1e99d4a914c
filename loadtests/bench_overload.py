"""Flood one site with tickets, and show that every command is answered in time and that staff go on working.

    python loadtests/bench_overload.py

For each database (SQLite, then a private MariaDB), a real server gets 1,000 `issue-ticket` of 200 clients with an API key:

- *in turn*: each client sends its next command after the answer to the one before;
- *at once*: each client opens a connection for each of its commands, and sends all of them in the same moment.

Meanwhile a member of staff calls, starts and completes patients without a pause. The table has the shares of the commands
that were done and refused, and the times of the answers. All must be answered within 10 s, each done or refused.

Afterwards the clients repeat the refused commands, with the same keys and at the time that the refusal named, until all are
done. The site must then have exactly 1,000 tickets more: no command was lost, and none was done twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.contenders import Caller
from loadtests.processes import cpu_seconds
from server.seeding import Seed
from tests.support.databases import fresh_database, mariadb
from tests.support.server import Server, environment, seed, serving

POINTS = 4
WITHIN_SECONDS = 10.0
AWAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one command: its status, the code of a refusal, the seconds until it came and those to wait."""

    key: str
    status: int
    code: str
    seconds: float
    retry_after: int


class Client:
    """A connection of a client, opened when it is first used."""

    def __init__(self, port: int, head: str, body: bytes) -> None:
        self._port, self._head, self._body = port, head, body
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def issue(self, key: str) -> Answer:
        """Send one command."""
        began = time.perf_counter()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"{self._head}Idempotency-Key: {key}\r\n\r\n".encode() + self._body)
        async with asyncio.timeout(AWAIT_SECONDS):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            await reader.readexactly(int(headers["content-length"]))
        seconds = time.perf_counter() - began
        status, code = int(lines[0].split()[1]), headers.get("x-nowserving-refusal", "")
        return Answer(key, status, code, seconds, int(headers.get("retry-after", 0)))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class Flood:
    """The clients, and the commands that they send."""

    def __init__(self, server: Server, key: str, queue_id: int, clients: int, commands: int) -> None:
        self._port = server.port
        self._body = json.dumps({"queue_id": queue_id}).encode()
        head = f"POST /api/v1/commands/issue-ticket HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n"
        self._head = head
        self._keys = [[f"{client}-{index}" for index in range(commands // clients)] for client in range(clients)]

    async def in_turn(self) -> list[Answer]:
        """Send the commands of each client one after the other."""

        async def send(keys: Sequence[str]) -> list[Answer]:
            client = self._new_client()
            answers = [await client.issue(f"turn-{key}") for key in keys]
            client.close()
            return answers

        found = await asyncio.gather(*map(send, self._keys))
        return [answer for answers in found for answer in answers]

    async def at_once(self) -> list[Answer]:
        """Send all commands of all clients at once."""
        return await asyncio.gather(*(self._alone(f"once-{key}") for keys in self._keys for key in keys))

    async def repeat(self, refused: Sequence[Answer]) -> int:
        """Repeat refused commands until all are done, each at the time that its refusal names; return the repeats."""

        async def again(answer: Answer) -> int:
            repeats = 0
            while answer.status != 200:
                await asyncio.sleep(answer.retry_after)
                answer = await self._alone(answer.key)
                repeats += 1
            return repeats

        return sum(await asyncio.gather(*map(again, refused)))

    def _new_client(self) -> Client:
        return Client(self._port, self._head, self._body)

    async def _alone(self, key: str) -> Answer:
        client = self._new_client()
        try:
            return await client.issue(key)
        finally:
            client.close()


class Staff:
    """A member of staff who serves patients without a pause, and the seconds of each command."""

    def __init__(self, server: Server, token: str, point_id: int) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self._caller = Caller(server, token)
        self._point_id = point_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Staff:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            entry_id = self._do("call-next", point_id=self._point_id)["entry"]["id"]
            self._do("start", entry_id=entry_id)
            self._do("complete", entry_id=entry_id)

    def _do(self, name: str, **body: Any) -> dict[str, Any]:
        while True:
            began = time.perf_counter()
            try:
                return self._caller.do(name, **body)
            except RuntimeError as refusal:
                if "'busy'" not in str(refusal):
                    raise
                self.refused += 1
            finally:
                self.seconds.append(time.perf_counter() - began)
            time.sleep(1)


def run(name: str, env: dict[str, str], folder: Path, clients: int, commands: int, waiting: int, repeats: bool) -> bool:
    """Print the lines of one database; return whether all figures keep to their limits."""
    seeded: Seed = seed(env, points=POINTS, tickets=waiting, displays=1)
    kept = True
    with serving(env, folder, name=name) as server:
        with server.client(server.sign_in(seeded, "admin")) as admin:
            made = admin.post("/api/v1/api-keys", json={"name": "Flood", "site_id": seeded["site_id"]})
            key = made.raise_for_status().json()["key"]
        token = server.sign_in(seeded, "receptionist")
        flood = Flood(server, key, seeded["queue_ids"][0], clients, commands)
        for way, sending in (("in turn", flood.in_turn), ("at once", flood.at_once)):
            before = tickets(server, token, seeded["site_id"])
            used, began = cpu_seconds(server.process.pid), time.perf_counter()
            with Staff(server, token, seeded["point_ids"][0]) as staff:
                answers = asyncio.run(sending())
            took, used = time.perf_counter() - began, cpu_seconds(server.process.pid) - used
            kept &= show(f"{name}, {way}", answers, staff, took, used)
            if not repeats:
                continue
            refused = [each for each in answers if each.status != 200]
            count = asyncio.run(flood.repeat(refused))
            issued = tickets(server, token, seeded["site_id"]) - before
            all_done = time.perf_counter() - began
            print(f"{'':18}{count} repeats; all done after {all_done:.1f} s: {issued} tickets, {commands} asked for")
            kept &= issued == commands
    return kept


def tickets(server: Server, token: str, site_id: int) -> int:
    """Return the number of tickets of the day."""
    with server.client(token) as client:
        found = client.get(f"/api/v1/sites/{site_id}/entries", params={"page_size": 1})
    total = found.raise_for_status().json()["pagination"]
    assert not total["total_is_capped"], total
    return int(total["total"])


def show(name: str, answers: Sequence[Answer], staff: Staff, took: float, used: float) -> bool:
    """Print the line of one flood; return whether it keeps to the limits."""
    done = sum(each.status == 200 for each in answers)
    refused = sum(each.code == "busy" for each in answers)
    others = sorted({f"{each.status} {each.code}" for each in answers if each.status != 200 and each.code != "busy"})
    times = sorted(each.seconds for each in answers)
    shares = f"{done / len(answers):6.0%}{refused / len(answers):9.0%}"
    of_clients = f"{statistics.median(times):9.2f}{percentile(times, 99):8.2f}{times[-1]:8.2f}"
    of_staff = f"{1000 * statistics.median(staff.seconds):11.0f}{1000 * percentile(staff.seconds, 99):7.0f}"
    of_staff += f"{len(staff.seconds):6}{staff.refused:8}"
    print(f"{name:18}{shares}{of_clients}{of_staff}{took:8.1f}{used:8.1f}", *others, flush=True)
    return done + refused == len(answers) and times[-1] <= WITHIN_SECONDS


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, the nearest value at or above it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> int:
    """Print the figures. The exit status is 1 if a figure misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--commands", type=int, default=1000, help="of all clients together")
    parser.add_argument("--waiting", type=int, default=40, help="patients before the flood")
    parser.add_argument("--no-repeats", action="store_true", help="do not repeat the refused commands")
    parser.add_argument("--only", choices=("sqlite", "mariadb"))
    given = parser.parse_args()
    print(f"{given.commands} issue-ticket of {given.clients} clients; times of the clients in s, of staff in ms")
    print(f"{'':18}{'done':>6}{'refused':>9}{'median':>9}{'p99':>8}{'most':>8}", end="")
    print(f"{'staff med.':>11}{'p99':>7}{'count':>6}{'refused':>8}{'took':>8}{'CPU':>8}")
    kept = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if given.only != "mariadb":
            env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")
            kept &= run("sqlite", env, folder, given.clients, given.commands, given.waiting, not given.no_repeats)
        if given.only != "sqlite":
            url = stack.enter_context(fresh_database(stack.enter_context(mariadb(folder / "mariadb"))))
            kept &= run(
                "mariadb", environment(url), folder, given.clients, given.commands, given.waiting, not given.no_repeats
            )
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
