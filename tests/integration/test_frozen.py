"""A server process whose event loop hangs ends itself, so that its supervisor starts another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.plain import PLAIN
from tests.support.processes import free_port, listens, running, wait_until

ROOT = Path(__file__).parents[2]
# An application that hangs in each request but one, beside a thread that goes on.
HANGING = """
import sys, threading, time
from server import uvicorn_server

async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/hang":
        time.sleep(600)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
port, frozen_seconds = int(sys.argv[1]), float(sys.argv[2])
sys.exit(uvicorn_server.run(app, host="127.0.0.1", port=port, drain_delay_seconds=0, frozen_seconds=frozen_seconds))
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def test_process_that_hangs_ends_and_names_the_place(log: Path) -> None:
    port = free_port()
    with running([sys.executable, "-c", HANGING, str(port), "2"], log) as process:
        wait_until(lambda: listens(port), "the server", process)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/hang", verify=PLAIN, timeout=120)
        assert process.wait(60) == 1
    assert "in app" in log.read_text(), "the place in the code where it hangs"


def test_process_that_works_goes_on_and_stops_on_request(log: Path) -> None:
    port = free_port()
    with running([sys.executable, "-c", HANGING, str(port), "5"], log) as process:
        wait_until(lambda: listens(port), "the server", process)
        process_lives = [httpx.get(f"http://127.0.0.1:{port}/", verify=PLAIN).status_code for _ in range(3)]
        assert process_lives == [204] * 3
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(8)  # longer than a process may hang
        process.terminate()
        assert process.wait(60) == 0
