"""What a process has used: as the kernel accounts it, not as anybody's clock saw it."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 0.03
IDLE_SHARE = 0.1  # of a core: what a server does of itself, once a second
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(process_id: int) -> float:
    """Return the user and system time that a process has used."""
    threads = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextmanager
def core_of_its_own(process_id: int) -> Iterator[None]:
    """For as long as this lasts, a process has a core to itself, and this process and its children the others.

    Else the kernel puts whoever reads beside whoever writes, on one core: they would push each other off it at every other
    message, and that would be charged to the writer. With one core there is nothing to be done.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield
        return
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores[:1])
    others = [os.getpid(), *_children(os.getpid(), but_for=process_id)]
    for each in others:
        for thread in Path(f"/proc/{each}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def until_at_rest(process_id: int, seconds: float = 30) -> None:
    """Wait until a process has nothing to do any more.

    Whoever reads on this machine while it is written to is woken by the writes: that is charged to the writer, and how often
    it happens is chance. So a bench reads when all has been written.
    """
    until = time.monotonic() + seconds
    quiet, before = 0, cpu_seconds(process_id)
    while quiet < 2 and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        now = cpu_seconds(process_id)
        quiet, before = (quiet + 1 if now - before < IDLE_SHARE * LOOK_SECONDS else 0), now


def undisturbed(costs: Sequence[float]) -> float:
    """Return what the same thing, done again and again, costs where nothing comes between: the first decile."""
    return statistics.quantiles(costs, n=10)[0]


def _children(process_id: int, but_for: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        for child in (thread / "children").read_text().split():
            if int(child) != but_for:
                yield int(child)
                yield from _children(int(child), but_for)


def proportional_bytes(process_id: int) -> int:
    """Return a process's proportional set size: its own memory, and its share of what it shares."""
    found = _PSS.search(Path(f"/proc/{process_id}/smaps_rollup").read_text())
    assert found is not None, "the kernel tells it"
    return int(found[1]) * 1024
