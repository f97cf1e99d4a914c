"""The folders of an installation: its pages, and the disk space where it keeps its data."""

from __future__ import annotations

import shutil
from pathlib import Path


def web_folder() -> Path:
    """Return the folder of the pages: beside the package `server` in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    packaged = package / "web"
    return packaged if packaged.is_dir() else package.parent / "web"


def disk_space(folder: Path) -> tuple[int, int] | None:
    """Return the free and the total bytes of the disk of a folder, or of the nearest one above it. None if unreadable."""
    for each in (folder, *folder.absolute().parents):
        try:
            space = shutil.disk_usage(each)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return space.free, space.total
    return None
