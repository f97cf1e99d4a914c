"""Check that closed streams leave nothing behind in the server.

    python -m loadtests.bench_leaks

The bench starts a server of its own on SQLite. It opens and closes 20,000 streams of every view (server-sent events and
WebSocket, ended by a FIN, a reset, or in the middle of a request). It then reads the server's memory and open files, and
repeats everything. The bench ends with status 1 if the second round added 2 MB or more, or an open file. ``--streams`` opens
fewer streams.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from server.seeding import Seed
from tests.support.server import Server, environment, seed, serving
from tests.support.streams import AT_ONCE, OneStream, Streams, allow_files, head

AT_MOST_BYTES = 2_000_000
RESET = struct.pack("ii", 1, 0)  # a linger time of zero: the close is a reset


def resident(server: Server) -> int:
    """Return the resident memory of a server, in bytes."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(server: Server) -> int:
    """Return the number of open files and sockets of a server."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def come_and_go(server: Server, seeded: Seed, count: int, chance: random.Random) -> None:
    """Open and close ``count`` streams of all kinds, and wait until the server has released each."""
    desk = server.sign_in(seeded, "receptionist")
    display = seeded["displays"][0]
    places = [
        (f"/live/sites/{seeded['site_id']}/desk", desk),
        (f"/live/points/{seeded['point_ids'][0]}", desk),
        (f"/live/displays/{display['id']}", display["token"]),
        *((f"/live/tickets/{each['token']}", "") for each in seeded["tickets"]),
    ]
    done = 0
    while done < count:
        batch = min(AT_ONCE, count - done)
        with Streams(server.port) as streams:
            requests = [head(*chance.choice(places), websocket=chance.random() < 0.5) for _ in range(batch)]
            for one in streams.join(requests):
                assert one.kinds[:1] == ["snapshot"], one.request
                _leave(streams, one, chance)
        for _ in range(batch // 20):  # some connections never send a request
            with socket.create_connection(("127.0.0.1", server.port)) as peer:
                peer.sendall(requests[0][: chance.randrange(1, len(requests[0]))])
        done += batch
    until = time.monotonic() + 60
    while _streams(server):
        assert time.monotonic() < until, "the server has not let go of all streams"
        time.sleep(0.1)
    time.sleep(0.5)


def _leave(streams: Streams, one: OneStream, chance: random.Random) -> None:
    match chance.randrange(3):
        case 0:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        case 1:
            one.socket.shutdown(socket.SHUT_WR)
    streams.leave(one)


def _streams(server: Server) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("nowserving_streams{"))


def measure(
    folder: Path, rounds: list[int], size: Callable[[Server], int] = resident, **more: str
) -> Iterator[tuple[int, int]]:
    """Yield the growth of a server over each round of streams: of its ``size``, by default in bytes, and of its open files.

    ``more`` is environment of the server.
    """
    allow_files()
    env = environment(
        f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_LOG_LEVEL="warning", NOWSERVING_MAX_STREAMS_PER_TOKEN="1000"
    )
    seeded = seed(env, points=2, tickets=20, displays=1)
    chance = random.Random(1)
    with serving(env | more, folder) as server:
        for count in rounds:
            size_before, files_before = size(server), open_files(server)
            come_and_go(server, seeded, count, chance)
            yield size(server) - size_before, open_files(server) - files_before


def main() -> int:
    """Measure; return 1 if the streams left anything behind."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench_leaks", description=__doc__)
    parser.add_argument("--streams", type=int, default=20_000)
    count = parser.parse_args().streams
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        _, (grown, files) = measure(Path(name), [count, count])
    took = time.monotonic() - began
    print(f"the second {count} streams added {grown / 1e6:.2f} MB and {files} open files; all in {took:.0f} s")
    return int(grown >= AT_MOST_BYTES or files > 0)


if __name__ == "__main__":
    sys.exit(main())
