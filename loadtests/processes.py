"""The CPU time and memory of a process, as the kernel accounts them."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 0.03
IDLE_SHARE = 0.1  # of a core: the work of an idle server, once a second
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(process_id: int) -> float:
    """Return the user and system time of a process, in seconds."""
    threads = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(map(_nanoseconds, threads)) / 1e9


def _nanoseconds(thread: Path) -> int:
    try:
        return int(thread.read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return 0


@contextmanager
def core_of_its_own(process_id: int) -> Iterator[None]:
    """Give a process a core of its own for the length of a block; this process and its children get the others.

    Otherwise the kernel puts reader and writer on one core. They would preempt each other at every other message, at the
    cost of the writer. On a machine with one core, the block changes nothing.
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
    """Wait until a process is idle, for ``seconds`` at most.

    A write wakes a reader on this machine, at the cost of the writer, and the number of wake-ups is chance. A bench
    therefore reads after the writes.
    """
    until = time.monotonic() + seconds
    quiet, before = 0, cpu_seconds(process_id)
    while quiet < 2 and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        now = cpu_seconds(process_id)
        quiet, before = (quiet + 1 if now - before < IDLE_SHARE * LOOK_SECONDS else 0), now


def undisturbed(costs: Sequence[float]) -> float:
    """Return the cost of a repeated operation without disturbance: the first decile."""
    return statistics.quantiles(costs, n=10)[0]


def _children(process_id: int, but_for: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        for child in (thread / "children").read_text().split():
            if int(child) != but_for:
                yield int(child)
                yield from _children(int(child), but_for)


def proportional_bytes(process_id: int) -> int:
    """Return a process's proportional set size in bytes: its own memory, and its part of shared memory."""
    found = _PSS.search(Path(f"/proc/{process_id}/smaps_rollup").read_text())
    assert found is not None, "the kernel reports it"
    return int(found[1]) * 1024
