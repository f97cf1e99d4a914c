"""Sweep in several processes, and kill some of them at random: ``python -m tests.support.killed_sweeps URL PROVIDER``.

The processes do not share the lease, so that only the rows keep them apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from contextlib import suppress

from sqlalchemy import select

from server.domain.errors import Unavailable
from server.notifying import sweep
from server.notifying.circuits import Circuits
from server.notifying.context import Context
from server.notifying.sweep import Limits, Sweep
from server.store.database import Database
from server.store.tables import notifications
from tests.support.message_provider import Everywhere, HttpChannel
from tests.support.vaults import VAULT

LIMITS = Limits(call=3.0, sending=1.5, claim=0.5, at_once=20)
_OPEN = select(notifications.c.id).where(notifications.c.state.in_(("due", "claimed", "sending"))).limit(1)


async def _sweep(url: str, provider: str, honours_key: bool) -> None:
    """Sweep until every row has its end.

    A call that a busy machine answers after ``LIMITS.sending`` is made again, however often: the number of tries has
    tests of its own.
    """
    sweep.MOST_TRIES_WITH_KEY = sys.maxsize
    database = Database(url, pool_size=2)
    channel = HttpChannel(provider, honours_key=honours_key)
    circuits = Circuits(database)
    context = Context(database, VAULT, Everywhere(channel), "https://clinic.example")
    while await database.look_up(_OPEN) is not None:
        with suppress(Unavailable):  # a deadlock: the next sweep finds the rows
            await Sweep(context, LIMITS, circuits).run()
        await asyncio.sleep(0.1)
    await channel.close()
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("provider")
    parser.add_argument("--honours-key", action="store_true")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--kills", type=int, default=8)
    arguments = parser.parse_args()

    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio.run(_sweep(arguments.url, arguments.provider, arguments.honours_key))
                status = 0
            finally:
                os._exit(status)
        return pid

    chance = random.Random()
    workers = [fork() for _ in range(arguments.workers)]
    killed = 0
    for _ in range(arguments.kills):
        time.sleep(chance.uniform(0.05, 0.4))
        pid = workers.pop(chance.randrange(len(workers)))
        os.kill(pid, signal.SIGKILL)  # a worker that has ended already is a zombie still
        _, status = os.waitpid(pid, 0)
        killed += os.WIFSIGNALED(status)
        workers.append(fork())
    failed = [pid for pid in workers if os.waitpid(pid, 0)[1]]
    print(f"killed {killed}, failed {len(failed)}")


if __name__ == "__main__":
    main()
