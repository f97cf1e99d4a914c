"""Measure the cost of metrics, logs and traces for a command: off, each alone, and all three together.

    python loadtests/bench_observability.py

Five real server processes serve `issue-ticket`, `call-next`, `start` and `complete` over HTTP, each at a site of its own in
a database of its own on a private MariaDB. They take turns, patient by patient, so that none has the machine alone. Each is
charged the CPU time (user and system) of its own process. A server without metrics is the same program, with counters that
count nothing. The servers with metrics are scraped in every round, and traces go to a receiver in this process. The target:
all three together cost at most 5 % of the CPU of a command.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import URL

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.processes import cpu_seconds
from server.cli import main as command_line
from server.seeding import Seed
from server.telemetry import clinic_totals, histogram
from server.transport.http import metrics
from tests.support.collector import Collector, collecting
from tests.support.databases import fresh_database, mariadb
from tests.support.plain import PLAIN, answers
from tests.support.processes import free_port, running, wait_until
from tests.support.server import ROOT, environment, seed

COMMANDS = 4  # of a patient
TARGET_PERCENT = 5.0
WITHOUT_METRICS = "--without-metrics"


@dataclass(frozen=True, slots=True)
class Kind:
    """A server with some of the three."""

    name: str
    metrics: bool = False
    logs: bool = False
    traces: bool = False


KINDS = (
    Kind("off"),
    Kind("metrics", metrics=True),
    Kind("logs", logs=True),
    Kind("traces", traces=True),
    Kind("all", metrics=True, logs=True, traces=True),
)


@dataclass
class Subject:
    """A running server, and its CPU milliseconds a command in each round."""

    kind: Kind
    process_id: int
    client: httpx.Client
    seeded: Seed
    figures: list[float] = field(default_factory=list)

    def serve(self, patients: int) -> None:
        """Serve patients one after the other."""
        for _ in range(patients):
            self._do("issue-ticket", queue_id=self.seeded["queue_ids"][0])
            entry_id = self._do("call-next", point_id=self.seeded["point_ids"][0])
            self._do("start", entry_id=entry_id)
            self._do("complete", entry_id=entry_id)

    def _do(self, command: str, **body: int) -> int:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = self.client.post(f"/api/v1/commands/{command}", json=body, headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{command}: {answer.text}")
        return int(answer.json()["entry"]["id"])

    def scrape(self) -> float:
        """Read the metrics; return the CPU milliseconds of the server."""
        before = cpu_seconds(self.process_id)
        self.client.get("/metrics")
        return 1000 * (cpu_seconds(self.process_id) - before)


@contextmanager
def subject(kind: Kind, root: URL, folder: Path, collector: Collector) -> Iterator[Subject]:
    """Run a server of a kind at a site of its own."""
    with fresh_database(root) as url:
        settings = {"NOWSERVING_LOG_LEVEL": "info" if kind.logs else "error"}
        if kind.traces:
            settings["NOWSERVING_TRACES_URL"] = collector.traces_url
        env = environment(url, **settings) | {"PYTHONPATH": str(ROOT)}
        seeded = seed(env, points=1, tickets=20, displays=0)
        port = free_port()
        program = ["-m", "server.cli"] if kind.metrics else [__file__, WITHOUT_METRICS]
        command = [sys.executable, *program, "serve", "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        with running(command, folder / f"{kind.name}.log", env) as process:
            wait_until(lambda: answers(f"{base}/health/ready"), f"the server with {kind.name}", process)
            with httpx.Client(base_url=base, timeout=30, verify=PLAIN) as client:
                member = next(each for each in seeded["staff"] if each["role"] == "admin")
                given = {"username": member["username"], "password": member["password"]}
                token = client.post("/api/v1/session", json=given).json()["access_token"]
                client.headers["Authorization"] = f"Bearer {token}"
                yield Subject(kind, process.pid, client, seeded)


def serve_without_metrics(arguments: list[str]) -> None:
    """Run ``nowserving`` with counters that count nothing."""

    def nothing(*_: object, **__: object) -> None:
        return

    class Nothing:
        inc = staticmethod(nothing)

        def labels(self, *_: object) -> Nothing:
            return self

    metrics.Counter = lambda *_, **__: Nothing()  # type: ignore[assignment,attr-defined]
    metrics.Requests.observe = nothing  # type: ignore[method-assign]
    clinic_totals.ClinicTotals.count = nothing  # type: ignore[method-assign]
    histogram.Histogram.observe = nothing  # type: ignore[method-assign]
    sys.argv = ["nowserving", *arguments]
    command_line()


def main() -> None:
    """Run the bench and print its figures. The status is 1 if the target is missed."""
    if sys.argv[1:2] == [WITHOUT_METRICS]:
        serve_without_metrics(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--patients", type=int, default=10, help="of each server in each round: four commands each")
    parser.add_argument("--most", type=float, default=TARGET_PERCENT, help="per cent; 0 asks for nothing")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root = stack.enter_context(mariadb(folder))
        collector = stack.enter_context(collecting())
        subjects = [stack.enter_context(subject(kind, root, folder, collector)) for kind in KINDS]
        scrapes = run(subjects, options.rounds, options.patients)
    off = subjects[0]
    print(f"machine load at the end: {os.getloadavg()[0]:.1f}")
    for each in subjects:
        ratios = [mine / bare for mine, bare in zip(each.figures, off.figures, strict=True)]
        more = 100 * (statistics.median(ratios) - 1)
        print(f"{each.kind.name:<8} {statistics.median(each.figures):6.2f} ms a command, {more:+.1f} % of off")
    print(f"a scrape: {statistics.median(scrapes):.1f} ms of CPU")
    print(f"spans received: {len(collector.spans())}")
    if options.most and more > options.most:
        print(f"MISSED: {more:.1f} % is more than {options.most:.0f} %")
        sys.exit(1)


def rotated(order: list[tuple[int, Subject]], by: int) -> list[tuple[int, Subject]]:
    """Return the order that begins ``by`` places later."""
    first = by % len(order)
    return order[first:] + order[:first]


def run(subjects: list[Subject], rounds: int, patients: int) -> list[float]:
    """Run the rounds in turn; return the CPU milliseconds of each scrape."""
    scrapes = []
    for each in subjects:
        each.serve(patients)  # warm: statements compiled, boards loaded
    for _ in range(rounds):
        used = [0.0] * len(subjects)
        for patient in range(patients):
            # Another one begins each time: the first after a scrape finds the caches full of other data.
            for index, each in rotated(list(enumerate(subjects)), patient):
                before = cpu_seconds(each.process_id)
                each.serve(1)
                used[index] += cpu_seconds(each.process_id) - before
        for index, each in enumerate(subjects):
            scraped = each.scrape() if each.kind.metrics else 0.0
            # A round lasts for some seconds: the share of a round of 15 s would be smaller.
            each.figures.append((1000 * used[index] + scraped) / (COMMANDS * patients))
            if each.kind.metrics:
                scrapes.append(scraped)
    return scrapes


if __name__ == "__main__":
    main()
