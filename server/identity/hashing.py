"""Argon2 hashing: a bounded number at once, in order of arrival, in threads of their own.

Each hash takes 64 MiB and a core. Without a bound, everybody's sign-in in the morning would take the memory of the process
and the time of its event loop.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from server.identity.errors import SignInBusy
from server.queries.identity import StaffMember
from server.vault import hash_password, verify_password

LONGEST_WAIT_SECONDS = 10.0
MOST_AT_ONCE = 4
FIRST_GUESS_SECONDS = 0.15  # of one hash, until the first one is measured
NICENESS = 5  # streams and commands come first, but a busy machine still signs people in
_WEIGHT = 0.2  # of the newest hash in the average
T = TypeVar("T")


class Hashing:
    """Hashes and checks passwords. One for each process; it belongs to one event loop.

    All methods raise `SignInBusy` instead of waiting for longer than `LONGEST_WAIT_SECONDS`.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once or at_once_here()
        self._threads = ThreadPoolExecutor(self.at_once, "hashing", initializer=_step_back)
        self._turn = asyncio.Semaphore(self.at_once)  # wakes the waiting ones in order
        self._unfinished = 0
        self._seconds = FIRST_GUESS_SECONDS

    async def hashed(self, password: str) -> str:
        """Return the Argon2id hash of a password. Await it before a write begins: it is slow on purpose."""
        return await self.run(hash_password, password)

    async def is_right(self, member: StaffMember | None, password: str) -> bool:
        """Return whether ``password`` is the member's. Without a member the answer takes as long, and is False."""
        return await self.run(verify_password, member.password_hash if member else None, password)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return the result of ``work`` from one of the threads."""
        wait = self.wait_seconds()
        if wait > LONGEST_WAIT_SECONDS:
            raise SignInBusy(retry_after=math.ceil(wait))
        self._unfinished += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            self._unfinished -= 1
            raise SignInBusy(retry_after=math.ceil(max(1.0, self.wait_seconds()))) from None
        except BaseException:
            self._unfinished -= 1
            raise
        began = time.monotonic()
        running = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        running.add_done_callback(lambda _: self._finished(time.monotonic() - began))
        # A client that hangs up stops no thread: the next one's turn comes when the thread is free.
        return await asyncio.shield(running)

    def wait_seconds(self) -> float:
        """Return how long a further password would wait for its turn, from the measured time of a hash."""
        before_it = max(0, self._unfinished - self.at_once + 1)
        return before_it * self._seconds / self.at_once

    def _finished(self, seconds: float) -> None:
        self._turn.release()
        self._unfinished -= 1
        self._seconds += _WEIGHT * (seconds - self._seconds)


def at_once_here() -> int:
    """Return how many hashes may run at once on this machine: one core stays free for the event loop."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_AT_ONCE, cores - 1))


def _step_back() -> None:
    """Put the present thread, and the threads that Argon2 starts from it, behind this process. Only Linux can do this."""
    if hasattr(os, "sched_getaffinity"):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)  # the system bounds it
