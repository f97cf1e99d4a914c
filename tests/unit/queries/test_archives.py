"""The figures of the archive, for the metrics and for people."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from server.queries.archives import Archived, LastArchived, look
from server.store.binary_logs import BinaryLogs
from server.store.database import Database


async def seen(folder: Path | None, tmp_path: Path) -> tuple[Archived, LastArchived]:
    """Return one look at the archive of an embedded database, and the figures after another one."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/clinic.db")
    try:
        last = LastArchived(folder)
        assert (last.seconds, last.age(), last.logs) == (None, "not looked for yet", None)
        await last.update(database)
        return await look(database, folder), last
    finally:
        await database.close()


async def test_age_of_the_newest_record_grows_between_two_looks(tmp_path: Path) -> None:
    changes = tmp_path / "a.changes"
    changes.write_bytes(b"")
    at = time.time() - 90
    os.utime(changes, (at, at))
    found, last = await seen(tmp_path, tmp_path)
    assert found.age_seconds == pytest.approx(90, abs=20)
    assert last.seconds is not None
    assert last.seconds >= 90
    assert last.age() == pytest.approx(last.seconds, abs=20)


async def test_record_of_a_clock_that_was_set_back_is_new(tmp_path: Path) -> None:
    changes = tmp_path / "a.changes"
    changes.write_bytes(b"")
    os.utime(changes, (time.time() + 3_600,) * 2)
    found, _ = await seen(tmp_path, tmp_path)
    assert found.age_seconds == 0


async def test_missing_figure_has_its_reason(tmp_path: Path) -> None:
    _, last = await seen(None, tmp_path)
    assert (last.seconds, last.age()) == (None, "the database has no archive")
    (tmp_path / "empty").mkdir()
    _, last = await seen(tmp_path / "empty", tmp_path)
    assert (last.seconds, last.age()) == (float("inf"), "the archive has no record")
    found, last = await seen(tmp_path / "gone", tmp_path)
    assert (last.seconds, last.age()) == (float("inf"), "No such file or directory")
    assert found.problem == "No such file or directory"


def test_binary_logs_that_are_off_have_no_figure() -> None:
    last = LastArchived(None)
    last._found = Archived(logs=BinaryLogs({"log_bin": "OFF"}, None, "", 0))
    assert last.logs is None
    last._found = Archived(logs=BinaryLogs({"binlog_format": "MIXED"}, None, "", 0))
    assert last.logs is not None
