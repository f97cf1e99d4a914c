"""Measure the age of the view of patients while commands come as fast as the database accepts them.

    python loadtests/bench_burst.py --patients 2000 --seconds 2

One process runs the commands (on a private MariaDB), another has the streams; a Redis connects them. Every call moves all
waiting patients. The age of a change at a patient counts from the answer of the oldest command that the screen did not show
yet.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.contenders import MANY, Caller, Transport, get
from loadtests.processes import proportional_bytes
from loadtests.sockets import Crowd, allow
from server.seeding import Seed
from tests.support.databases import fresh_database, mariadb
from tests.support.redis import redis
from tests.support.server import Server, environment, seed, serving

POINTS = 4
_SEQ = re.compile(rb'"seq":(\d+),"set"')


class Answers:
    """The time of the answer for each number of the log that moves a queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.at: list[tuple[int, float]] = []
        self.count = 0

    def note(self, seq: int, moves: bool) -> None:
        with self._lock:
            self.count += 1
            if moves:
                self.at.append((seq, time.perf_counter()))


def keep_calling(server: Server, token: str, point_id: int, answers: Answers, until: float) -> None:
    """Call, start and complete at one point until the time ``until``."""
    caller = Caller(server, token)
    while time.perf_counter() < until:
        done = caller.do("call-next", point_id=point_id)
        answers.note(done["seq"], True)
        entry_id = done["entry"]["id"]
        answers.note(caller.do("start", entry_id=entry_id)["seq"], False)
        answers.note(caller.do("complete", entry_id=entry_id)["seq"], False)


def burst(transport: Transport, patients: int, seconds: float) -> tuple[list[float], float, int]:
    """Return every age in milliseconds, the growth of the process's memory in bytes, and the number of commands."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database(stack.enter_context(mariadb(folder / "mariadb"))))
        env = environment(url, stack.enter_context(redis(folder))) | MANY
        seeded: Seed = seed(env, points=POINTS, tickets=patients, displays=0)
        screens = stack.enter_context(serving(env, folder, name="screens"))
        commands = stack.enter_context(serving(env, folder, name="commands"))
        crowd = Crowd(screens.port, b"event: change" if transport == "events" else b'"type":"change"')
        stack.callback(crowd.close)
        crowd.connect(
            (get(f"/live/tickets/{each['token']}", screens.port, transport) for each in seeded["tickets"]), b'"ticket":{'
        )
        token = commands.sign_in(seeded, "receptionist")
        shown: dict[int, list[tuple[int, float]]] = {}

        def heard(descriptor: int, chunk: bytes) -> None:
            numbers = _SEQ.findall(chunk)
            if numbers:
                shown.setdefault(descriptor, []).append((int(numbers[-1]), time.perf_counter()))

        crowd.heard = heard
        before = proportional_bytes(screens.process.pid)
        answers, until = Answers(), time.perf_counter() + seconds
        callers = [
            threading.Thread(target=keep_calling, args=(commands, token, point_id, answers, until))
            for point_id in seeded["point_ids"]
        ]
        for each in callers:
            each.start()
        crowd.rest(seconds + 2)
        for each in callers:
            each.join()
        grown = proportional_bytes(screens.process.pid) - before
        return _ages(shown, sorted(answers.at)), grown, answers.count


def _ages(shown: dict[int, list[tuple[int, float]]], answered: list[tuple[int, float]]) -> list[float]:
    found = []
    for seen in shown.values():
        index = 0
        for seq, at in seen:
            oldest = None
            while index < len(answered) and answered[index][0] <= seq:
                oldest = answered[index][1] if oldest is None else min(oldest, answered[index][1])
                index += 1
            if oldest is not None:
                found.append((at - oldest) * 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    allow(arguments.patients + 2_000)
    print(f"\n{arguments.patients} patients, commands at full speed for {arguments.seconds} s")
    print(f"{'':12}{'commands a second':>18}{'age of what is seen, median ms':>32}{'p99':>8}{'memory grew by, MB':>20}")
    kinds: tuple[Transport, ...] = ("events", "websocket")
    for transport in kinds:
        ages, grown, count = burst(transport, arguments.patients, arguments.seconds)
        p99 = statistics.quantiles(ages, n=100)[98]
        print(f"{transport:12}{count / arguments.seconds:18.0f}{statistics.median(ages):32.0f}{p99:8.0f}{grown / 1e6:20.1f}")


if __name__ == "__main__":
    main()
