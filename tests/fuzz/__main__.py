"""``python -m tests.fuzz``: the whole run, against its own server. It fails on any finding."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzing import Fuzzer, House
from tests.support.server import environment, seed, serving


def main() -> int:
    """Run; return 1 for a finding, for an operation that never succeeded, or if the time was not enough."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests for each operation")
    parser.add_argument("--rounds", type=int, default=8, help="number of rounds that share these requests")
    parser.add_argument("--seconds", type=float, default=1500, help="time limit of the run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the names of the operations to call, as `commands/move`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")
        seeded = seed(env, points=6, tickets=12, displays=3)
        with serving(env, folder) as server:
            house = House(server.url, seeded)
            fuzzer = Fuzzer(house, arguments.seed)
            fuzzer.only(lambda label: arguments.only in label)
            report = fuzzer.run(
                arguments.examples,
                arguments.rounds,
                arguments.seconds,
                lambda line: print(line, file=sys.stderr, flush=True),
            )
            house.close()
            failed = "Traceback" in server.log.read_text()
    for line in report.lines():
        print(line)
    if failed:
        print("FINDING: the server's log has a traceback")
    if report.out_of_time:
        print("The time limit ended the run early.")
    return int(bool(report.findings) or bool(report.never_done()) or report.out_of_time or failed)


if __name__ == "__main__":
    sys.exit(main())
