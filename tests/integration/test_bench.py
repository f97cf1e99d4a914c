"""The benches run. In the bench of commands, the replay equals the server and a command sends no extra statements."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from loadtests import bench_isolation

LOADTESTS = Path(__file__).parents[2] / "loadtests"
# The session and its end; the lock, the look-up, the site, the entry, the interval, the event, the answer, the commit; the
# announcement of a call, the duration of a service.
STATEMENTS = 2 + 8 + 2 / 3


def output_of(bench: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(LOADTESTS / bench), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def test_bench_of_commands_needs_few_statements() -> None:
    output = output_of("bench_commands.py", "--past", "3000", "--waiting", "30", "--rounds", "2", "--patients", "8")
    assert "both sites at the end: {'completed': 20, 'waiting': " in output, output
    found = re.search(r"statements a command: ([0-9.]+)", output)
    assert found is not None
    assert float(found[1]) <= STATEMENTS + 0.1, output
    ratio = re.search(r"ratio, median of 2 rounds: ([0-9.]+)", output)
    assert ratio is not None
    assert float(ratio[1]) > 1


def test_bench_of_messages_sends_every_row() -> None:
    output = output_of("bench_messages.py", "--rows", "1000", "--least", "0")
    assert "1000 of 1000 due messages sent by one process" in output


def test_bench_of_connections_compares_with_a_bare_endpoint() -> None:
    """The times are those of this machine. The columns are our cost, that of the bare endpoint, and the ratio."""
    output = output_of("bench_connect.py", "--streams", "20", "--repeats", "1", "--tickets", "5", "--views", "ticket")
    for name in ("events, ticket", "events, ticket, cold", "websocket, ticket", "websocket, ticket, cold"):
        found = re.search(rf"^{name} +(\d+) +(\d+) +([0-9.]+) ", output, re.MULTILINE)
        assert found is not None, output
        ours, bare, ratio = int(found[1]), int(found[2]), float(found[3])  # each is rounded
        assert (ours - 0.5) / (bare + 0.5) - 0.005 <= ratio <= (ours + 0.5) / (bare - 0.5) + 0.005, output


def test_bench_of_fan_out_has_a_table_for_readers_at_rest_and_one_for_readers_at_once() -> None:
    output = output_of(
        "bench_fanout.py", "--streams", "10", "--deliveries", "100", "--repeats", "1", "--only", "ours, SSE, hand-off"
    )
    rests, _, comes = output.partition("Readers read when data comes")
    assert "Readers read when the writer rests" in rests
    for table in (rests, comes):
        found = re.search(r"^ours, SSE, hand-off +([0-9.]+) +- +- +(\d+) +(\d+) ", table, re.MULTILINE)
        assert found is not None, output
        assert min(float(each) for each in found.groups()) > 0


def test_bench_of_isolation_completes_beside_a_stalled_client(tmp_path: Path) -> None:
    """The bench itself asserts that one client stalled and that all others received every change."""
    without, beside = bench_isolation.measure(tmp_path, count=40, commands=4, pairs=1)
    assert len(without) == len(beside) == 1
    assert min(without + beside) > 0


def test_bench_of_insights_asks_for_every_page() -> None:
    bench = [sys.executable, "-m", "loadtests.bench_insights", "--visits", "240", "--a-day", "60", "--rounds", "1"]
    done = subprocess.run(bench, capture_output=True, text=True, timeout=300, check=False, cwd=LOADTESTS.parent)
    for name in (
        "1 days",
        "4 days",
        "4 days, one queue",
        "4 days, one provider",
        "4 days, exported",
        "3 days, without today",
    ):
        assert re.search(rf"^{name} +\d+ +\d+$", done.stdout, re.MULTILINE), done.stdout + done.stderr[-3000:]
