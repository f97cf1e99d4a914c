"""Short forms of the fault day and of the soak, as an operator runs them. `loadtests/fault_day.py` is the whole day."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.fault_day import FAULTS
from tests.support.processes import wait_until

pytestmark = [pytest.mark.long, pytest.mark.rest]

ROOT = Path(__file__).parents[2]
# No other test has these through nginx with TLS.
SHORT = ("database out of connections", "certificate expired", "slow readers and writers", "zone data changed")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


def test_people_see_the_declared_effect_of_each_fault() -> None:
    done = run("loadtests.fault_day", "--only", *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    for name in SHORT:
        assert re.search(rf"^{name} +[0-9.]+ s +\d+ .* pass$", done.stdout, re.MULTILINE), done.stdout
    assert "all as declared" in done.stdout


def test_interrupted_day_stops_everything_that_it_started(tmp_path: Path) -> None:
    log = tmp_path / "day.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "loadtests.fault_day", "--only", "redis flushed"]
        day = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until(lambda: b"installed after" in log.read_bytes(), "the installation", day)
        started = children(day.pid)
        assert len(started) >= 5
        day.send_signal(signal.SIGTERM)
        assert day.wait(120) == 143, log.read_text()
        wait_until(lambda: not any(map(lives, started)), "the end of all parts")
    finally:
        day.kill()
        day.wait()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_soak_compares_its_screens_with_fresh_snapshots() -> None:
    done = run("loadtests.soak", "--minutes", "1", "--scale", "0.05")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = re.search(r"(\d+) screens compared with fresh snapshots, 0 stale", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) > 0


def test_every_fault_names_its_effect() -> None:
    assert len(FAULTS) >= 18
    assert all(each.effect for each in FAULTS.values())
