"""The folder of an archive: who writes to it, and which sections stay. `tests/integration/test_archive.py` restores."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.backups.archive import Archive, archive_of, section_of, sections_of
from server.backups.errors import BackupFailed
from server.backups.framing import Sealer, new_facts
from server.installation.archive_folder import BASE, CHANGES
from server.store.database import Database
from tests.support.vaults import VAULT

DAY = 86_400_000_000


def section(folder: Path, day: int) -> None:
    base = folder / f"day-{day}{BASE}"
    with base.open("wb") as file:
        facts = new_facts(VAULT, made_at=day * DAY, engine="sqlite", version="1", revision="1", database="x.db")
        Sealer(file, VAULT, facts).end({}, None)
    base.with_suffix(CHANGES).touch()


def test_sections_of_the_kept_days_stay(tmp_path: Path) -> None:
    """The section that began before the oldest kept instant contains this instant: it stays, too."""
    for day in range(1, 11):
        section(tmp_path, day)
    archive = Archive(tmp_path / "x.db", VAULT, tmp_path, "1", lambda: 10 * DAY + 7)
    archive.prune(3)
    assert [each.made_at // DAY for each in sections_of(tmp_path, VAULT)] == [7, 8, 9, 10]
    assert len(list(tmp_path.glob(f"*{CHANGES}"))) == 4
    assert section_of(tmp_path, VAULT, 9 * DAY - 1).made_at == 8 * DAY


def test_only_one_process_writes(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "x.db", VAULT, tmp_path / "a", "1", lambda: 0)
    with archive.alone(), pytest.raises(BackupFailed, match="Another process"), archive.alone():
        pass
    (tmp_path / "a" / ".left.part").touch()
    with archive.alone():
        assert [each.name for each in (tmp_path / "a").iterdir()] == [".lock"]


async def test_database_server_has_no_archive(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="copy the binary logs"):
        await archive_of(Database("mysql+aiomysql://nobody@127.0.0.1:1/none"), VAULT, tmp_path)
