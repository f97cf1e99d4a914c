"""Hashing: a bounded number at once, in order, with an early refusal."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from server.identity import hashing
from server.identity.errors import SignInBusy
from server.identity.hashing import FIRST_GUESS_SECONDS, LONGEST_WAIT_SECONDS, Hashing, at_once_here


class Work:
    """Blocks each call until it is let go; notes the order, and how many ran at once."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self.go = threading.Semaphore(0)

    def __call__(self, number: int) -> int:
        with self._lock:
            self.order.append(number)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        assert self.go.acquire(timeout=60)
        with self._lock:
            self._now -= 1
        return number


async def running(work: Work, count: int) -> None:
    """Wait until ``count`` calls have begun."""
    async with asyncio.timeout(60):
        while len(work.order) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("cores", "at_once"), [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)])
def test_one_core_stays_free(cores: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert at_once_here() == at_once


async def test_passwords_take_turns_in_order_of_arrival() -> None:
    work, two = Work(), Hashing(2)
    tasks = [asyncio.create_task(two.run(work, number)) for number in range(12)]
    await running(work, 2)
    for done in range(12):
        work.go.release()
        await running(work, min(12, done + 3))
    assert await asyncio.gather(*tasks) == list(range(12))
    assert work.order == list(range(12))
    assert work.most_at_once == 2


async def test_password_that_would_wait_too_long_is_refused_at_once() -> None:
    work, one = Work(), Hashing(1)
    fit = 1 + int(LONGEST_WAIT_SECONDS / FIRST_GUESS_SECONDS)
    tasks = [asyncio.create_task(one.run(work, number)) for number in range(fit)]
    await running(work, 1)
    with pytest.raises(SignInBusy) as refused:
        await one.run(work, fit)
    assert refused.value.details == {"retry_after": int(LONGEST_WAIT_SECONDS) + 1}
    work.go.release(fit)
    await asyncio.gather(*tasks)
    assert one.wait_seconds() == 0
    work.go.release()
    assert await one.run(work, fit) == fit


async def test_estimate_follows_the_measured_time() -> None:
    one = Hashing(1)
    for _ in range(30):
        await one.run(int, "7")
    work = Work()
    tasks = [asyncio.create_task(one.run(work, number)) for number in range(3)]
    await running(work, 1)
    assert 0 < one.wait_seconds() < FIRST_GUESS_SECONDS
    work.go.release(3)
    await asyncio.gather(*tasks)


async def test_wait_never_exceeds_its_bound_even_if_the_estimate_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "LONGEST_WAIT_SECONDS", 0.2)
    work, one = Work(), Hashing(1)
    first = asyncio.create_task(one.run(work, 0))
    await running(work, 1)
    with pytest.raises(SignInBusy):
        await one.run(work, 1)
    work.go.release()
    await first
    assert work.order == [0]
    assert one.wait_seconds() == 0


async def test_client_that_hangs_up_frees_no_thread_early() -> None:
    """Neither a hash that has begun nor one that waits runs beside another one."""
    work, one = Work(), Hashing(1)
    begun, waiting, third = [asyncio.create_task(one.run(work, number)) for number in range(3)]
    await running(work, 1)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.gather(begun, waiting, return_exceptions=True)
    assert not third.done()
    work.go.release(2)
    assert await third == 2
    assert work.order == [0, 2]
    assert work.most_at_once == 1
    assert one.wait_seconds() == 0


async def test_error_of_a_hash_frees_its_thread() -> None:
    one = Hashing(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="invalid literal"):
            await one.run(int, "x")
    assert await one.run(int, "7") == 7


async def test_threads_step_back_behind_the_event_loop() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await Hashing(1).run(niceness) == min(19, niceness() + hashing.NICENESS)
