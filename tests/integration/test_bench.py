"""The benches run. In the bench of commands, the replay equals the server and a command sends no extra statements."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from loadtests import bench_isolation

BENCH = Path(__file__).parents[2] / "loadtests" / "bench_commands.py"
# The session and its end; the lock, the look-up, the site, the entry, the interval, the event, the answer, the commit; the
# announcement of a call, the duration of a service.
STATEMENTS = 2 + 8 + 2 / 3


def test_bench_of_commands_needs_few_statements() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--past", "3000", "--waiting", "30", "--rounds", "2", "--patients", "8"],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "both sites at the end: {'completed': 20, 'waiting': " in done.stdout, done.stdout
    found = re.search(r"statements a command: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= STATEMENTS + 0.1, done.stdout
    ratio = re.search(r"ratio, median of 2 rounds: ([0-9.]+)", done.stdout)
    assert ratio is not None
    assert float(ratio[1]) > 1


def test_bench_of_isolation_completes_beside_a_stalled_client(tmp_path: Path) -> None:
    """The bench itself asserts that one client stalled and that all others received every change."""
    without, beside = bench_isolation.measure(tmp_path, count=40, commands=4, pairs=1)
    assert len(without) == len(beside) == 1
    assert min(without + beside) > 0
