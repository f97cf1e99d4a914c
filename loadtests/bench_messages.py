"""Measure the messages a second that one worker process sends.

    python loadtests/bench_messages.py --rows 100000

A private MariaDB has so many due messages, each to a patient of its own. One process sweeps them as a worker does, through
the recording channel: a message is accepted once it is on the disk. Beside it the bench shows the rate of the channel
alone, and the ratio of both. It ends with status 1 below 500 messages a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from server.execute import Executor
from server.notifying.channels.channel import Message
from server.notifying.channels.recording import RecordingChannel
from server.notifying.context import Context, TrialChannels
from server.notifying.sweep import USUAL, Sweep
from server.seeding import Seeder
from server.store.database import Database
from server.store.migrate import migrate
from tests.support import due_rows
from tests.support.databases import fresh_database, mariadb
from tests.support.vaults import VAULT

LEAST_A_SECOND = 500
OPTIONS = ("--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=1G")  # a power cut loses no outcome


async def alone(path: Path, count: int) -> float:
    """Return the messages a second that the recording channel takes, with as many at once as in a sweep."""
    channel = RecordingChannel(path)
    began = time.perf_counter()
    for first in range(0, count, USUAL.at_once):
        numbers = range(first, min(count, first + USUAL.at_once))
        texts = "A123: almost your turn. Please come back to the waiting room. https://clinic.example/t/1-1"
        await asyncio.gather(
            *(channel.send(Message(f"notification:{number}", "+4917", "en", "", texts, 0)) for number in numbers)
        )
    return count / (time.perf_counter() - began)


async def measure(url: str, folder: Path, count: int, seconds: float) -> tuple[int, float, float]:
    """Return the number of sent messages, their rate, and the CPU milliseconds of this process for each."""
    database = Database(url, pool_size=2)
    await migrate(database)
    seeded = await Seeder(database, Executor(database, VAULT, publish=lambda *_: None)).seed(1, 0, 0)
    await due_rows.fill(database, VAULT, seeded, count)
    path = folder / "sent.jsonl"
    context = Context(database, VAULT, TrialChannels(str(path)), "https://clinic.example")
    sweep = Sweep(context)
    began, used = time.perf_counter(), time.process_time()

    async def in_time() -> bool:
        return time.perf_counter() - began < seconds

    await sweep.run(in_time)
    took, used = time.perf_counter() - began, time.process_time() - used
    await database.close()
    sent = sweep.done["sent"]
    if sent != len(path.read_bytes().splitlines()):
        raise RuntimeError(f"{sent} rows are sent, and the file has another number of messages")
    return sent, sent / took, 1000 * used / max(1, sent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=300.0, help="the sweep ends after so many seconds")
    parser.add_argument("--least", type=float, default=LEAST_A_SECOND, help="the messages a second that are enough")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with mariadb(folder / "mariadb", *OPTIONS, buffer_pool="1G") as server, fresh_database(server) as url:
            sent, rate, cpu = asyncio.run(measure(url, folder, arguments.rows, arguments.seconds))
        floor = asyncio.run(alone(folder / "alone.jsonl", min(arguments.rows, 20_000)))
    print(f"{sent} of {arguments.rows} due messages sent by one process, {cpu:.2f} ms of CPU for each")
    print(f"messages a second: {rate:.0f}; the channel alone: {floor:.0f}; ratio: {floor / rate:.1f}")
    return int(rate < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
