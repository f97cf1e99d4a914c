"""The age of an archive is that of its newest file of changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.installation.archive_folder import last_written


def test_newest_changes_count(tmp_path: Path) -> None:
    assert last_written(tmp_path) is None
    for name, at in (("a.changes", 1_000), ("b.changes", 2_000), ("c.base", 3_000), (".d.base.part", 4_000)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (at, at))
    assert last_written(tmp_path) == 2_000


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        last_written(tmp_path / "gone")
