"""The log of an outage: one line at the begin, a summary a minute, one line at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from server.telemetry.outage import SUMMARY_SECONDS, Outage


@pytest.fixture(autouse=True)
def _logs_of_every_level() -> Iterator[None]:
    """Log every level: an earlier test of this process may have run a command that logs warnings alone."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


def test_outage_is_logged_once_then_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    outage = Outage(structlog.get_logger(), "heads not read")
    with capture_logs() as lines:
        outage.ended()
        for _ in range(150):
            outage.failed(OSError("away"), call="heads")
            now += 1
        outage.ended()
        outage.ended()
        outage.failed()
    about = {"call": "heads", "error": "OSError('away')"}
    assert lines == [
        {"event": "heads not read", "log_level": "warning"} | about,
        {"event": "heads not read, still", "log_level": "warning", "failures": 61, "seconds": SUMMARY_SECONDS} | about,
        {"event": "heads not read, still", "log_level": "warning", "failures": 121, "seconds": 2 * SUMMARY_SECONDS} | about,
        {"event": "heads not read: over", "log_level": "info", "failures": 150, "seconds": 150.0},
        {"event": "heads not read", "log_level": "warning"},
    ]


def test_quiet_seconds_count_from_the_last_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    outage = Outage(structlog.get_logger(), "bus")
    outage.failed()
    now += 2.5
    assert outage.quiet_seconds == 2.5
