"""Closed streams leave nothing behind in the server. `loadtests/bench_leaks.py` is the full measurement."""

from __future__ import annotations

import os
from pathlib import Path

from loadtests.bench_leaks import AT_MOST_BYTES, measure

WARM = 2_000  # streams, until the reserves of the memory allocator are stable
ROUND = 500
# If each stream has tasks of its own, the reserves take longer to become stable.
ROUNDS = 14 if os.environ.get("NOWSERVING_TEST_HAND_OFF") == "off" else 4
BENCH_STREAMS = 20_000  # streams, which may add `AT_MOST_BYTES` in total


def test_closed_streams_leave_nothing_behind(tmp_path: Path) -> None:
    """Memory that is kept for each stream grows in every round; the reserves of the allocator grow in some."""
    grown = measure(tmp_path, [WARM, *[ROUND] * ROUNDS])[1:]
    assert min(files for _, files in grown) <= 0, grown
    assert min(bytes_ for bytes_, _ in grown) <= AT_MOST_BYTES * ROUND / BENCH_STREAMS, grown
