"""What a process has used: as the kernel accounts it, not as anybody's clock saw it."""

from __future__ import annotations

import re
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(process_id: int) -> float:
    """Return the user and system time that a process has used."""
    threads = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def proportional_bytes(process_id: int) -> int:
    """Return a process's proportional set size: its own memory, and its share of what it shares."""
    found = _PSS.search(Path(f"/proc/{process_id}/smaps_rollup").read_text())
    assert found is not None, "the kernel tells it"
    return int(found[1]) * 1024
