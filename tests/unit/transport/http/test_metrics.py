"""The figures that people read, from the metrics of requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.live.admission import Limits
from server.live.hub import Hub
from server.live.memory_bus import MemoryBus
from server.queries.boards import Boards
from server.queries.message_tally import MessageTally
from server.store.database import Database
from server.transport.http.figures import Figures
from server.transport.http.metrics import Metrics


@pytest.fixture
def figures(tmp_path: Path) -> Figures:
    """The figures of a process that has not opened its database."""
    database = Database("sqlite+aiosqlite:///never-opened.db")
    hub = Hub(Boards(database), MemoryBus(), 15.0, Limits(10, 10, 10, 10))
    tally = MessageTally()
    metrics = Metrics()
    return Figures(
        metrics=metrics,
        hub=hub,
        database=database,
        tally=tally,
        folder=tmp_path,
        backup_age=lambda: "none",
        archive_age=lambda: "none",
        certificate=lambda: "none",
        cache_hit_rate=lambda: "none",
    )


def test_quantiles_are_read_off_the_histogram(figures: Figures) -> None:
    metrics = figures.metrics
    assert metrics.quantile(0.5) is None
    for seconds, count in ((0.002, 50), (0.06, 49), (60.0, 1)):
        for _ in range(count):
            metrics.requests.observe("/x", "GET", "200", seconds)
    assert metrics.quantile(0.5) == pytest.approx(0.005)
    assert metrics.quantile(0.25) == pytest.approx(0.0025)
    assert metrics.quantile(0.99) == pytest.approx(0.1)
    assert metrics.quantile(1.0) == 30, "the last bucket has no end: its begin is the least that is known"


def test_every_unknown_figure_has_its_reason(figures: Figures) -> None:
    found = figures.of_process()
    nulls = {name for name, value in found.items() if value is None}
    nulls |= {f"requests.{name}" for name, value in found["requests"].items() if value is None}
    assert found["unknown"].keys() == nulls
    assert {"backup_age_seconds", "certificate_seconds", "requests.success_rate", "beat_age_seconds"} <= nulls
    assert all(found["unknown"].values())


def test_success_rate_counts_errors_of_the_server_alone(figures: Figures) -> None:
    for status, count in (("200", 6), ("404", 2), ("500", 1), ("503", 1)):
        for _ in range(count):
            figures.metrics.requests.observe("/x", "GET", status, 0.01)
    requests = figures.of_process()["requests"]
    assert (requests["answered"], requests["failed"], requests["success_rate"]) == (10, 2, 0.8)


def test_other_parts_give_their_own_figures(figures: Figures) -> None:
    given = Figures(
        metrics=figures.metrics,
        hub=figures.hub,
        database=figures.database,
        tally=figures.tally,
        folder=None,
        backup_age=lambda: 3600.25,
        archive_age=lambda: 2.5,
        certificate=lambda: "the file cannot be read",
        cache_hit_rate=lambda: 0.75,
    )
    found = given.of_process()
    assert (found["backup_age_seconds"], found["archive_age_seconds"]) == (3600.25, 2.5)
    assert (found["cache_hit_rate"],) == (0.75,)
    assert (found["certificate_seconds"], found["unknown"]["certificate_seconds"]) == (None, "the file cannot be read")
    assert "disk_free_bytes" in found["unknown"]
