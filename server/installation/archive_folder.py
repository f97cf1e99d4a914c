"""The folder of the archive of an embedded database, as far as anybody without its keys can read it."""

from __future__ import annotations

from pathlib import Path

BASE, CHANGES = ".base", ".changes"  # a copy of the database, and the changes behind it


def last_written(folder: Path) -> float | None:
    """Return when the newest record was written, in seconds of this machine's clock, or None without a record.

    Also an idle database gets a record each half minute. Raises `OSError`.
    """
    return max((each.stat().st_mtime for each in folder.iterdir() if each.suffix == CHANGES), default=None)
