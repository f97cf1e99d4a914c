"""For how long failures lock."""

from __future__ import annotations

import pytest

from server.store.lockouts import lock_microseconds


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (10_000, 60)],
)
def test_each_failure_from_the_fifth_on_locks_for_longer(failures: int, minutes: int) -> None:
    assert lock_microseconds(failures) == minutes * 60_000_000
