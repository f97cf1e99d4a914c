"""``python -m tests.faults``: the stress run of any length, against its own servers. It stops at the first problem."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.installation import database_server
from tests.faults.stress import Figures, stress
from tests.support import databases

CHAPTER_MINUTES = 6.0  # then a new installation, site and database: the data of one day only grows


def main() -> int:
    """Run; print the figures and the seed; return 1 if there was any problem."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--screens", type=int, default=48)
    parser.add_argument("--only", action="append", default=[], help="a kind of fault; repeatable")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    figures, wrongs, chapter, cable = Figures(), list[str](), 0, ""

    def say(line: str) -> None:
        print(f"{60 * arguments.minutes - (until - time.monotonic()):7.1f} s  {line}", file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves all contexts, which stops the started processes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with database_server(folder) as (server, clock):
            while time.monotonic() < until and not wrongs:
                chapter += 1
                say(f"chapter {chapter} of seed {arguments.seed}")
                with databases.fresh_database(server) as url:
                    inside = folder / f"chapter{chapter}"
                    inside.mkdir()
                    seconds = min(60 * CHAPTER_MINUTES, until - time.monotonic())
                    chance = random.Random(f"{arguments.seed}-{chapter}")
                    wrongs, cable = asyncio.run(
                        stress(
                            url,
                            inside,
                            chance,
                            figures,
                            seconds=seconds,
                            servers=arguments.servers,
                            screens=arguments.screens,
                            clock=clock,
                            only=arguments.only,
                            say=say,
                        )
                    )
    print(f"seed {arguments.seed}, {chapter} chapters, {arguments.servers} servers; {cable}")
    for line in figures.lines():
        print(line)
    for wrong in wrongs:
        print(f"WRONG: {wrong}")
    return int(bool(wrongs))


if __name__ == "__main__":
    sys.exit(main())
