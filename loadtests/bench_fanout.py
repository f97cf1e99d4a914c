"""Measure the cost of one event for many screens, beside other servers: CPU per delivery, memory per connection.

    python loadtests/bench_fanout.py --streams 1000 5000

Raw sockets and epoll receive; a closed loop publishes the next event when all screens have the last one. The cost is the CPU
time (user and system) of the one process that writes to the screens, on a core of its own. The bench reports the first
decile of all rounds, because disturbance only adds time. It also reports the growth of the proportional set size per idle
connection. All contenders send the same number of bytes. The floor is a loop of `write` in C.

In the first table the readers read when the writer rests, so only writes are measured. In the second they read at once, as
screens do: the kernel also charges their wake-ups to the writer.

Two columns show costs that do not depend on the number of screens. "An event" is the cost of an event with one screen, in
the same process: to receive it, to apply it to the board, to build the message. "A command" is the cost of the process that
runs our commands; the others have none.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests import contenders
from loadtests.contenders import Contender
from loadtests.processes import core_of_its_own, cpu_seconds, proportional_bytes, undisturbed, until_at_rest
from loadtests.sockets import Crowd, allow

WARM_ROUNDS = 5
EVENTS = 20  # with one screen
SPARE_DESCRIPTORS = 100  # open files of a process besides its streams
Start = Callable[[Path], AbstractContextManager[Contender]]


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU microseconds per delivery, bytes of memory per connection, and bytes on the wire per delivery.

    ``event`` is the CPU time of an event with one screen, ``command`` that of the process that runs the commands, or None.
    """

    cpu: float
    memory: float
    wire: float
    event: float = 0.0
    command: float | None = None


def deliver(contender: Contender, crowd: Crowd, at_rest: bool) -> float:
    """Publish an event to the whole crowd, and return the seconds of CPU time that it cost the writer."""
    began, expected = cpu_seconds(contender.pid), crowd.received + len(crowd)
    if at_rest:
        contender.publish()
        until_at_rest(contender.pid)
        crowd.expect(expected)
    else:
        publisher = threading.Thread(target=contender.publish)
        publisher.start()
        crowd.expect(expected)
        publisher.join()
        until_at_rest(contender.pid)
    return cpu_seconds(contender.pid) - began


def measure(start: Start, streams: int, deliveries: int, at_rest: bool = True) -> Figures:
    """Measure one contender. ``at_rest``: the readers read when the writer rests, else at once."""
    with tempfile.TemporaryDirectory() as name, start(Path(name)) as contender, core_of_its_own(contender.pid):
        crowd = Crowd(contender.port, contender.marker)
        try:
            crowd.connect([contender.request(0)], contender.ready)
            event = undisturbed([deliver(contender, crowd, at_rest) for _ in range(WARM_ROUNDS + EVENTS)][WARM_ROUNDS:])
            before = proportional_bytes(contender.pid)
            crowd.connect((contender.request(index) for index in range(1, streams)), contender.ready)
            crowd.rest(2)
            memory = (proportional_bytes(contender.pid) - before) / (streams - 1)
            rounds = max(10, deliveries // streams)
            costs = []
            for index in range(WARM_ROUNDS + rounds):
                if index in (0, WARM_ROUNDS):
                    crowd.received = crowd.bytes = 0
                    began = None if contender.publisher is None else cpu_seconds(contender.publisher)
                costs.append(deliver(contender, crowd, at_rest))
            command = None
            if contender.publisher is not None and began is not None:
                command = (cpu_seconds(contender.publisher) - began) / rounds * 1e6
            if crowd.lost:
                raise RuntimeError(f"{crowd.lost} connections were lost")
            cpu = undisturbed(costs[WARM_ROUNDS:])
            return Figures(cpu * 1e6 / streams, memory, crowd.bytes / (rounds * streams), event * 1e6, command)
        finally:
            crowd.close()


def payload_of(size: int) -> bytes:
    """Return a JSON object of ``size`` bytes."""
    head = b'{"seq":1234567,"set":{"announcement:1000000042":"'
    return head + b"x" * (size - len(head) - 12) + b'"},"del":[]}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--deliveries", type=int, default=300_000, help="of each contender, at least ten rounds")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of all contenders; the medians are shown")
    parser.add_argument("--only", nargs="*", help="parts of contenders' names")
    arguments = parser.parse_args()
    allow(max(arguments.streams) + SPARE_DESCRIPTORS)

    wire = {
        kind: measure(lambda folder, kind=kind: contenders.ours(folder, kind), 10, 100).wire  # type: ignore[misc]
        for kind in ("events", "websocket")
    }
    said = {kind: payload_of(round(size) - 60) for kind, size in wire.items()}
    framed = {kind: b"event: change\n" + payload_of(round(size) - 16) + b"\n\n" for kind, size in wire.items()}
    entrants: dict[str, Start] = {
        "floor, SSE bytes": lambda folder: contenders.floor(folder, framed["events"]),
        "ours, SSE, hand-off": lambda folder: contenders.ours(folder, "events"),
        "Nchan, SSE": lambda folder: contenders.nchan(folder, said["events"], "events"),
        "floor, WebSocket bytes": lambda folder: contenders.floor(folder, framed["websocket"]),
        "ours, WebSocket, hand-off": lambda folder: contenders.ours(folder, "websocket"),
        "Nchan, WebSocket": lambda folder: contenders.nchan(folder, said["websocket"], "websocket"),
        "websockets.broadcast": lambda folder: contenders.broadcast(folder, said["websocket"]),
        "ours, SSE, portable": lambda folder: contenders.ours(folder, "events", NOWSERVING_HAND_OFF="off"),
        "ours, WebSocket, portable": lambda folder: contenders.ours(folder, "websocket", NOWSERVING_HAND_OFF="off"),
        "sse-starlette": lambda folder: contenders.plain_events(folder, said["events"]),
    }
    if arguments.only:
        entrants = {name: start for name, start in entrants.items() if any(part in name for part in arguments.only)}
    for streams in arguments.streams:
        for at_rest in (True, False):
            found: dict[str, list[Figures]] = {name: [] for name in entrants}
            for _ in range(arguments.repeats):
                for name, start in entrants.items():
                    print(f"{name}, {streams} streams", end="\r", file=sys.stderr, flush=True)
                    found[name].append(measure(start, streams, arguments.deliveries, at_rest))
            readers = "the writer rests" if at_rest else "data comes"
            print(f"\n{streams} streams, {arguments.deliveries} deliveries, medians of {arguments.repeats}")
            print(f"Readers read when {readers}")
            show(found)


def show(found: dict[str, list[Figures]]) -> None:
    """Print a table of the medians."""
    print(
        f"{'':28}{'us CPU a delivery':>18}{'of the floor':>14}{'of Nchan':>10}{'us an event':>13}{'us a command':>14}"
        f"{'KB a stream':>13}{'bytes':>7}"
    )
    cpu = {name: statistics.median(each.cpu for each in figures) for name, figures in found.items()}
    for name, figures in found.items():
        kind = "WebSocket" if "WebSocket" in name or "broadcast" in name else "SSE"
        ratios = [
            f"{cpu[name] / cpu[beside]:.2f}" if beside in cpu else "-"
            for beside in (f"floor, {kind} bytes", f"Nchan, {kind}")
        ]
        event = statistics.median(each.event for each in figures)
        commands = [each.command for each in figures if each.command is not None]
        command = f"{statistics.median(commands):.0f}" if commands else "-"
        memory = statistics.median(each.memory for each in figures) / 1000
        size = statistics.median(each.wire for each in figures)
        print(
            f"{name:28}{cpu[name]:18.2f}{ratios[0]:>14}{ratios[1]:>10}{event:13.0f}{command:>14}{memory:13.1f}{size:7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
