"""Streams that come and go leave nothing behind; `loadtests/bench_leaks.py` is the whole measurement."""

from __future__ import annotations

import os
from pathlib import Path

from loadtests.bench_leaks import AT_MOST_BYTES, measure

WARM = 2_000  # until the memory's own reserves have come to rest
ROUND = 500
# Where each stream has tasks of its own, the reserves take longer to come to rest.
ROUNDS = 14 if os.environ.get("NOWSERVING_TEST_HAND_OFF") == "off" else 4
OF_ALL = 20_000  # streams, over which no more than `AT_MOST_BYTES` may be added


def test_streams_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    """What is kept for each stream adds to every round; what the memory's own reserves take, to some."""
    grown = measure(tmp_path, [WARM, *[ROUND] * ROUNDS])[1:]
    assert min(files for _, files in grown) <= 0, grown
    assert min(bytes_ for bytes_, _ in grown) <= AT_MOST_BYTES * ROUND / OF_ALL, grown
