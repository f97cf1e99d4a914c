"""The beat table, and the traps of Celery that the workers avoid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.schedule import SCHEDULE
from workers.tasks import notifications

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "workers").rglob("*.py"), *(ROOT / "server" / "notifying").rglob("*.py")])
# Time is a column, never a delay in the broker; a task that is acknowledged late or rejected comes again.
TRAPS = re.compile(r"\b(eta|countdown|retry(?!-after)|acks_late|reject_on_worker_lost)\b")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_uses_a_trap_of_celery(source: Path) -> None:
    assert TRAPS.findall(source.read_text()) == []


def test_trap_is_found() -> None:
    assert TRAPS.search("task.apply_async(countdown=3600)")
    assert len(SOURCES) > 10


def test_every_entry_has_seconds_and_expires_before_the_next() -> None:
    for name, entry in SCHEDULE.items():
        assert isinstance(entry["schedule"], float), name
        assert entry["options"]["expires"] <= entry["schedule"], name


def test_every_entry_names_a_task() -> None:
    assert {entry["task"] for entry in SCHEDULE.values()} == {notifications.sweep.name}
