"""Measure the time from a command's answer to the last of many displays, on a quiet site.

    python loadtests/bench_latency.py --displays 1000

One server process runs the commands and has the streams. The figure is the time from the answer to the last byte of the
change at a display. It is negative if the screens had the change before the sender had the answer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.contenders import MANY, Caller, Transport, get
from loadtests.sockets import Crowd, allow
from tests.support.server import environment, seed, serving

QUIET_SECONDS = 0.3


def measure(transport: Transport, displays: int, rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each command, and the milliseconds from its answer to the last display."""
    with tempfile.TemporaryDirectory() as name:
        env = environment(f"sqlite+aiosqlite:///{Path(name) / 'x.db'}") | MANY
        seeded = seed(env, points=1, tickets=3, displays=1)
        display = seeded["displays"][0]
        with serving(env, Path(name)) as server:
            caller = Caller(server, server.sign_in(seeded, "receptionist"))
            crowd = Crowd(server.port, b"event: change" if transport == "events" else b'"type":"change"')
            request = get(f"/live/displays/{display['id']}", server.port, transport, display["token"])
            try:
                crowd.connect((request for _ in range(displays)), b'"cells":{')
                entry_id = caller.do("call-next", point_id=seeded["point_ids"][0])["entry"]["id"]
                crowd.expect(displays)
                commands, after = [], []
                for _ in range(rounds):
                    crowd.rest(QUIET_SECONDS)
                    expected = crowd.received + displays
                    began = time.perf_counter()
                    caller.do("recall", entry_id=entry_id)
                    answered = time.perf_counter()
                    crowd.expect(expected)
                    commands.append((answered - began) * 1000)
                    after.append((crowd.last_at - answered) * 1000)
                return commands, after
            finally:
                crowd.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--displays", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    allow(arguments.displays + 2_000)
    print(f"\n{arguments.displays} displays, {arguments.rounds} recalls on a quiet site, milliseconds")
    print(f"{'':12}{'command, median':>17}{'p99':>8}{'answer to last screen, median':>32}{'p99':>8}")
    kinds: tuple[Transport, ...] = ("events", "websocket")
    for transport in kinds:
        commands, after = measure(transport, arguments.displays, arguments.rounds)
        row = [
            f(each)
            for each in (commands, after)
            for f in (statistics.median, lambda all_: statistics.quantiles(all_, n=100)[98])
        ]
        print(f"{transport:12}{row[0]:17.1f}{row[1]:8.1f}{row[2]:32.1f}{row[3]:8.1f}")


if __name__ == "__main__":
    main()
