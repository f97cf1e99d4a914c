"""The load test passes on a running server, with receptionists, rooms, displays and patients. It can also fail."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.support.processes import wait_until
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.long

LOCUSTFILE = Path(__file__).parents[2] / "loadtests" / "locustfile.py"


def _locust(server: Server, folder: Path, seed_file: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "-u", "8", "-r", "8",
            "-t", f"{seconds}s", "--host", server.url, "--exit-code-on-error", "1", "--csv", str(folder / "load"),
            "--only-summary",
        ],
        env=os.environ | {"NOWSERVING_SEED_FILE": str(seed_file)},
        capture_output=True, text=True, timeout=seconds + 300, check=False,
    )  # fmt: skip


def test_load_test_passes_on_a_healthy_server(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_HEARTBEAT_SECONDS="5")
    seed_file = tmp_path / "seed.json"
    seed_file.write_text(json.dumps(seed(env, points=4, tickets=30, displays=2)))
    with serving(env, tmp_path) as server:
        done = _locust(server, tmp_path, seed_file, 20)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with (tmp_path / "load_stats.csv").open() as file:
        rows = {(row["Type"], row["Name"]): row for row in csv.DictReader(file)}
    assert sum(int(row["Failure Count"]) for row in rows.values()) == 0
    for seen in ("announcement seen", "console"):
        assert int(rows["SSE", seen]["Request Count"]) > 0
    followed = {name for _, name in rows if name.startswith("/live/")}
    assert followed == {"/live/displays/[id]", "/live/points/[id]", "/live/tickets/[token]"}
    assert any("call-next" in name and int(row["Request Count"]) > 0 for (_, name), row in rows.items())


def _freeze(server: Server) -> None:
    """Freeze a server as soon as a display follows it."""

    def is_followed() -> bool:
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        displays = [line for line in lines if line.startswith("nowserving_streams{") and 'view="display"' in line]
        return any(float(line.rpartition(" ")[2]) > 0 for line in displays)

    wait_until(is_followed, "a display")
    server.process.send_signal(signal.SIGSTOP)


def test_load_test_fails_on_a_frozen_server(sqlite_url: str, tmp_path: Path) -> None:
    """A display without a message for two and a half heartbeats counts as a failure."""
    env = environment(sqlite_url, NOWSERVING_HEARTBEAT_SECONDS="0.5")
    seed_file = tmp_path / "seed.json"
    seed_file.write_text(json.dumps(seed(env, points=4, tickets=5, displays=1)))
    with serving(env, tmp_path) as server:
        freezing = threading.Thread(target=_freeze, args=(server,))
        freezing.start()
        try:
            done = _locust(server, tmp_path, seed_file, 12)
        finally:
            server.process.send_signal(signal.SIGCONT)
            freezing.join()
    assert done.returncode == 1, done.stdout[-2000:]
