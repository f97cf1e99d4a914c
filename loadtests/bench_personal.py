"""Measure the cost of a queue that moves on, with thousands of patients that each get a number of their own.

    python loadtests/bench_personal.py --patients 5000

Every patient follows the own ticket; a closed loop calls and completes the first entry, which moves all others. The cost is
the CPU time of the process with the streams, per message that reached a patient. The floor is a loop of `write` in C with
the same number of bytes and connections.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests import contenders
from loadtests.bench_fanout import Figures, measure, payload_of
from loadtests.contenders import Clinic, Transport, get
from loadtests.processes import core_of_its_own, cpu_seconds, proportional_bytes, undisturbed, until_at_rest
from loadtests.sockets import Crowd, allow

WARM_ROUNDS = 3


def personal(transport: Transport, of: Clinic, rounds: int, **more: str) -> Figures:
    """Measure our server with all patients of a clinic in one queue."""
    patients = len(of.seeded["tickets"])
    with (
        tempfile.TemporaryDirectory() as name,
        contenders.ours(Path(name), transport, of, **more) as running,
        core_of_its_own(running.pid),
    ):
        point_id = running.seeded["point_ids"][0]
        paths = [f"/live/tickets/{each['token']}" for each in running.seeded["tickets"]]
        crowd = Crowd(running.port, running.marker)
        try:
            crowd.connect([get(paths[0], running.port, transport)], b'"ticket":{')
            before = proportional_bytes(running.pid)
            crowd.connect((get(path, running.port, transport) for path in paths[1:]), b'"ticket":{', at_once=20)
            crowd.rest(3)
            memory = (proportional_bytes(running.pid) - before) / (patients - 1)
            costs = []
            for index in range(WARM_ROUNDS + rounds):
                if index == WARM_ROUNDS:
                    crowd.received = crowd.bytes = 0
                waiting = patients - index - 1
                before, began = crowd.received, cpu_seconds(running.pid)
                entry_id = running.caller.do("call-next", point_id=point_id)["entry"]["id"]
                until_at_rest(running.pid)
                crowd.expect(before + waiting)  # every waiting patient has one entry fewer ahead
                running.caller.do("start", entry_id=entry_id)
                running.caller.do("complete", entry_id=entry_id)
                until_at_rest(running.pid)
                crowd.rest(0.1)
                costs.append((cpu_seconds(running.pid) - began) / (crowd.received - before))
            if crowd.lost > rounds + WARM_ROUNDS:
                raise RuntimeError(f"{crowd.lost} connections were lost")
            return Figures(undisturbed(costs[WARM_ROUNDS:]) * 1e6, memory, crowd.bytes / crowd.received)
        finally:
            crowd.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--portable", action="store_true", help="the portable path, too")
    arguments = parser.parse_args()
    allow(arguments.patients + 2_000)
    with tempfile.TemporaryDirectory() as folder:
        compare(contenders.clinic(Path(folder), arguments.patients), arguments)


def compare(clinic: Clinic, arguments: argparse.Namespace) -> None:
    """Measure our server and the floor in turn, and print both."""
    kinds: tuple[Transport, ...] = ("events", "websocket")
    found: dict[str, list[Figures]] = {}
    for _ in range(arguments.repeats):
        for kind in kinds:
            ours = personal(kind, clinic, arguments.rounds)
            found.setdefault(f"ours, {kind}, hand-off", []).append(ours)
            framed = b"event: change\n" + payload_of(round(ours.wire) - 16) + b"\n\n"
            deliveries = arguments.patients * arguments.rounds
            floor = measure(lambda folder, framed=framed: contenders.floor(folder, framed), arguments.patients, deliveries)  # type: ignore[misc]
            found.setdefault(f"floor, {kind}", []).append(floor)
            if arguments.portable:
                portable = personal(kind, clinic, arguments.rounds, NOWSERVING_HAND_OFF="off")
                found.setdefault(f"ours, {kind}, portable", []).append(portable)
    print(f"\n{arguments.patients} patients, {arguments.rounds} calls, medians of {arguments.repeats}")
    print(f"{'':28}{'us CPU a delivery':>18}{'of the floor':>14}{'KB a stream':>13}{'bytes':>7}")
    cpu = {name: statistics.median(each.cpu for each in figures) for name, figures in found.items()}
    for name, figures in found.items():
        beside = cpu[f"floor, {name.split(', ')[1]}"]
        memory = statistics.median(each.memory for each in figures) / 1000
        size = statistics.median(each.wire for each in figures)
        print(f"{name:28}{cpu[name]:18.2f}{cpu[name] / beside:14.2f}{memory:13.1f}{size:7.0f}")


if __name__ == "__main__":
    main()
