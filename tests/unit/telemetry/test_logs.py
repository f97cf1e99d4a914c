"""Log lines: ours and those of libraries in one format, in order, and never an error."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import IO

BEGIN = """
import logging, structlog
from server.telemetry import logs
logs.configure_logging(json=True, level="info")
ours, theirs = structlog.get_logger("server.live.hub"), logging.getLogger("uvicorn.error")
"""


def run(program: str, stderr: int | IO[str] = subprocess.PIPE, unflushed: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a program; assert that it ends with status 0, or with ``unflushed``."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], stderr=stderr, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode in (0, unflushed), done.stderr
    return done


def lines_of(program: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(program).stderr.splitlines()]


def test_lines_of_ours_and_of_libraries_have_one_format_and_order() -> None:
    first, second, third = lines_of("""
logs.request_id.set("a-request")
ours.info("stream opened", site_id=7)
theirs.warning("Unsupported upgrade request.")
ours.debug("below the level")
logs.request_id.set(None)
ours.error("no request")
""")
    assert str(first.pop("timestamp")) <= str(second.pop("timestamp")) <= str(third.pop("timestamp"))
    assert first == {
        "event": "stream opened",
        "level": "info",
        "logger": "server.live.hub",
        "request_id": "a-request",
        "site_id": 7,
    }
    assert second == {
        "event": "Unsupported upgrade request.",
        "level": "warning",
        "logger": "uvicorn.error",
        "request_id": "a-request",
    }
    assert third == {"event": "no request", "level": "error", "logger": "server.live.hub"}


def test_line_is_written_before_a_crash() -> None:
    assert [each["event"] for each in lines_of('import os\nours.info("last")\nos._exit(0)')] == ["last"]


def test_any_value_makes_a_line() -> None:
    (line,) = lines_of('ours.info("odd", number=2**70, half="\\ud800", thing=object)')
    assert line["number"] == 2**70
    assert line["half"] == "\ud800"
    assert line["thing"] == "<class 'object'>"


def test_exception_is_in_its_line() -> None:
    (line,) = lines_of('try:\n    1 / 0\nexcept ZeroDivisionError:\n    ours.exception("failed")')
    assert line["level"] == "error"
    assert "ZeroDivisionError: division by zero" in str(line["exception"])


def test_full_disk_stops_no_work() -> None:
    with open("/dev/full", "w") as full:
        # Python ends with 120 if it cannot write what stderr still has, unless PYTHONUNBUFFERED is set.
        assert run('ours.info("lost")\nprint("went on")', stderr=full, unflushed=120).stdout == "went on\n"


def test_websocket_protocol_logs_warnings_only() -> None:
    """Its lines of information contain tokens and queries."""
    (line,) = lines_of("""
websockets = logging.getLogger(logs.WEBSOCKETS)
websockets.info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/live/tickets/secret")
websockets.error("Invalid UTF-8 sequence received from client.", exc_info=ValueError("bad"))
""")
    assert (line["level"], "exception" in line) == ("info", False)
