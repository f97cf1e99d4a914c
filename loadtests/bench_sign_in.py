"""Check that many sign-ins at once delay neither streams nor commands.

    python -m loadtests.bench_sign_in

The bench starts a server of its own on SQLite. For each burst (60 sign-ins at once, then 150 within 5 s), it opens a
display's stream and sends a command again and again until the last sign-in is answered. It prints a line for each burst: the
answers, the growth of the server's memory, and the 95th percentiles of a stream's first message and of a command. The bench
ends with status 1 when a percentile exceeds 100 ms, a sign-in waits for longer than the bound, or the memory grows by more
than the hashes at once need. It takes about half a minute, and needs a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from server.identity.hashing import LONGEST_WAIT_SECONDS, at_once_here
from server.seeding import Seed
from tests.support.server import Server, environment, seed, serving

WITHIN_MILLISECONDS = 100.0
HASH_MIB = 64
BURSTS = ((60, 0.0), (150, 5.0))  # sign-ins, and the seconds in which they come


def sign_in(port: int, name: str) -> tuple[int, float]:
    """Try a sign-in of a user who does not exist, which costs as much as any other; return the status and the seconds."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"username": name, "password": "not a password of anybody"})
    connection.request("POST", "/api/v1/session", body, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status, time.perf_counter() - began


def first_message(server: Server, made: Seed) -> float:
    """Return the milliseconds from a display's connect to its snapshot."""
    display = made["displays"][0]
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as reader:
        head = f"GET /live/displays/{display['id']}?token={display['token']} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        reader.sendall(head.encode())
        seen = b""
        while b"event: snapshot" not in seen:
            seen += reader.recv(65536)
    return (time.perf_counter() - began) * 1000


def peak_mib(pid: int) -> float:
    """Return the largest memory of a process until now, in MiB."""
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def burst(server: Server, made: Seed, count: int, seconds: float) -> bool:
    """Print the line of one burst; return whether it keeps to the bounds."""
    token = server.sign_in(made, "receptionist")
    answers: list[tuple[int, float]] = []

    def attempt(number: int) -> None:
        time.sleep(seconds * number / count)
        answers.append(sign_in(server.port, f"nobody-{number}"))

    streams, commands = [], []
    before = peak_mib(server.process.pid)
    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(count)]
    with server.client(token) as desk:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            streams.append(first_message(server, made))
            began = time.perf_counter()
            desk.post("/api/v1/commands/issue-ticket", json={"queue_id": made["queue_ids"][0]}).raise_for_status()
            commands.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
    for thread in threads:
        thread.join()
    grown = peak_mib(server.process.pid) - before
    slowest = max(taken for _, taken in answers)
    stream, command = (statistics.quantiles(each, n=20)[-1] for each in (streams, commands))
    by_status = ", ".join(f"{number} x {status}" for status, number in sorted(Counter(each for each, _ in answers).items()))
    print(
        f"{count} sign-ins in {seconds:g} s: {by_status}, the slowest after {slowest:.1f} s; memory +{grown:.0f} MiB;",
        end=" ",
    )
    print(f"p95 of {len(streams)}: first message {stream:.0f} ms, command {command:.0f} ms", flush=True)
    return (
        max(stream, command) <= WITHIN_MILLISECONDS
        and slowest <= LONGEST_WAIT_SECONDS + 2
        and grown <= (at_once_here() + 1) * HASH_MIB
    )


def main() -> None:
    """Run the bursts one after the other on one server."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = environment(f"sqlite+aiosqlite:///{Path(folder) / 'x.db'}")
        made = seed(env, points=1, tickets=3, displays=1)
        with serving(env, Path(folder)) as server:
            print(f"{at_once_here()} hashes at once")
            good = [burst(server, made, count, seconds) for count, seconds in BURSTS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
