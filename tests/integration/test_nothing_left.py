"""Closed streams leave nothing behind in the server. `loadtests/bench_leaks.py` is the full measurement, in bytes."""

from __future__ import annotations

import os
import signal
from itertools import islice
from pathlib import Path

import pytest

from loadtests.bench_leaks import measure
from tests.support import counted
from tests.support.processes import wait_until
from tests.support.server import ROOT, Server

WARM = 1_000  # streams, until the caches of the server are full
ROUND = 500
ROUNDS = 8
# What is kept for each stream adds a block or more for each, in every round. Caches of the last seconds add fewer.
AT_MOST_BLOCKS = ROUND * 3 // 4


def test_closed_streams_leave_nothing_behind(tmp_path: Path) -> None:
    """One round in which nothing is kept is enough. A count of blocks is exact, also on a busy machine."""

    def blocks(server: Server) -> int:
        """Return the number of Python's memory blocks in a server, without garbage."""
        count.unlink(missing_ok=True)
        os.kill(server.process.pid, signal.SIGUSR2)
        wait_until(count.exists, "the count of memory blocks")
        return int(count.read_text())

    count = tmp_path / "blocks"
    env = {"PYTHONPATH": os.pathsep.join([*counted.__path__, str(ROOT)]), "COUNT_BLOCKS_IN": str(count)}
    grown = []
    for added, files in islice(measure(tmp_path, [WARM, *[ROUND] * ROUNDS], blocks, **env), 1, None):
        grown.append((added, files))
        if added <= AT_MOST_BLOCKS and files <= 0:
            return
    pytest.fail(f"every round left memory blocks or open files behind: {grown}")
