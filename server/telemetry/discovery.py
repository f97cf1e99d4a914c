"""The file by which Prometheus finds one process: file discovery, one file a process, in a folder that it watches."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path


class Target:
    """The file of this process in a folder. The folder is made if it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{os.getpid()}.json"

    def publish(self, port: int) -> None:
        """Name this process's port on this machine, and remove the files of processes that were killed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*.json"):
            if path.stem.isdigit() and not _runs(int(path.stem)):
                path.unlink(missing_ok=True)
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"]}]), encoding="utf-8")
        whole.replace(self._path)  # Prometheus never reads half a file

    def withdraw(self) -> None:
        """Remove the file: a process that stops is not down."""
        with suppress(OSError):
            self._path.unlink()


def _runs(pid: int) -> bool:
    """Return whether a process of this machine has the id. A process of another user counts as running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
