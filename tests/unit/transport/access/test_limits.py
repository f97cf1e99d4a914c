"""Moving windows in this process, and the credential or address that a request counts for."""

from __future__ import annotations

import asyncio
import time

import pytest
from limits import RateLimitItem
from starlette.requests import HTTPConnection

from server.transport.access import limits
from server.transport.access.gate import address_of
from server.transport.access.limits import Limit, Limiter, ProcessMemory

THREE = Limit("three", 3)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_window_moves(clock: Clock) -> None:
    """Not so many in each minute of the clock, but in any sixty seconds."""
    limiter = Limiter(seconds=clock)
    began = clock.now
    for after, left in ((0, 2), (20, 1), (59, 0)):
        clock.now = began + after
        count = await limiter.hit(THREE, "a")
        assert (count.allowed, count.remaining, count.reset_at) == (True, left, began + 60)
    refused = await limiter.hit(THREE, "a")
    assert (refused.allowed, refused.remaining, refused.retry_after) == (False, 0, 1)
    clock.now = began + 60.5  # the first has left, and one may come
    assert (await limiter.hit(THREE, "a")).allowed
    refused = await limiter.hit(THREE, "a")
    assert (refused.allowed, refused.reset_at, refused.retry_after) == (False, began + 80, 20)
    clock.now = began + 200
    assert (await limiter.hit(THREE, "a")).remaining == 2


async def test_a_refusal_is_not_counted(clock: Clock) -> None:
    """A client that keeps sending requests is served again as soon as a client that waits."""
    limiter = Limiter(seconds=clock)
    for _ in range(100):
        await limiter.hit(THREE, "a")
        clock.now += 0.1
    clock.now += 50.1
    assert (await limiter.hit(THREE, "a")).allowed


async def test_each_limit_and_each_asker_is_counted_apart(clock: Clock) -> None:
    limiter = Limiter(seconds=clock)
    for _ in range(3):
        await limiter.hit(THREE, "a")
    assert not (await limiter.hit(THREE, "a")).allowed
    assert (await limiter.hit(THREE, "b")).remaining == 2
    assert (await limiter.hit(Limit("other", 3), "a")).remaining == 2


async def test_looking_counts_nothing(clock: Clock) -> None:
    limiter = Limiter(seconds=clock)
    for _ in range(5):
        look = await limiter.look(THREE, "a")
        assert (look.allowed, look.remaining) == (True, 3)
    for _ in range(3):
        await limiter.hit(THREE, "a")
    assert not (await limiter.look(THREE, "a")).allowed


async def test_memory_forgets_who_is_gone(clock: Clock) -> None:
    memory = ProcessMemory(clock)
    for number in range(1_000):
        assert await memory.acquire_entry(f"key-{number}", 3, 60)
    for _ in range(10):
        await memory.acquire_entry("key-0", 3, 60)
    assert len(memory.events) == 1_000
    assert len(memory.events["key-0"]) == 3  # never more than it takes to tell
    clock.now += 61
    assert await memory.acquire_entry("new", 3, 60)
    assert set(memory.events) == {"new"}
    assert not await memory.acquire_entry("new", 3, 60, amount=4)
    assert not await memory.acquire_entry("new", 3, 60, amount=3)
    assert await memory.acquire_entry("new", 3, 60, amount=2)
    await memory.clear("new")


async def test_machine_with_a_wrong_clock_refuses_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The windows know only the trusted time."""
    limiter = Limiter(seconds=clock)
    for ahead in (7_200, -7_200):
        monkeypatch.setattr(time, "time", lambda ahead=ahead: clock.now + ahead)
        for left in (2, 1, 0):
            assert (await limiter.hit(THREE, "a")).remaining == left
        assert (await limiter.hit(THREE, "a")).retry_after == 60
        clock.now += 61


async def test_redis_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once, then left alone for a while: the other requests do not wait for it."""
    monkeypatch.setattr(limits, "REST_SECONDS", 60)
    limiter = Limiter("redis://127.0.0.1:1/0")
    asked: list[RateLimitItem] = []
    shared = limiter._shared
    assert shared is not None
    hit = shared.hit

    async def counted(item: RateLimitItem, who: str) -> bool:
        asked.append(item)
        return await hit(item, who)

    monkeypatch.setattr(shared, "hit", counted)
    try:
        counts = [(await limiter.hit(THREE, "a")).remaining for _ in range(3)]
        assert counts == [2, 1, 0]
        assert not (await limiter.hit(THREE, "a")).allowed
        assert len(asked) == 1
        assert limiter.circuit.state(time.monotonic()) == "open"
    finally:
        await limiter.close()


async def test_redis_that_hangs_is_waited_for_once_and_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REST_SECONDS", 60)
    monkeypatch.setattr(limits, "CALL_SECONDS", 0.01)
    limiter = Limiter("redis://127.0.0.1:1/0")
    asked: list[RateLimitItem] = []

    async def hang(item: RateLimitItem, who: str) -> bool:
        asked.append(item)
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(limiter._shared, "hit", hang)
    try:
        async with asyncio.timeout(30):
            assert [(await limiter.hit(THREE, "a")).remaining for _ in range(3)] == [2, 1, 0]
        assert len(asked) == 1
    finally:
        await limiter.close()


def test_the_figures() -> None:
    """What `docs/operating.md` says."""
    assert {(each.name, each.amount, each.minutes) for each in vars(limits).values() if isinstance(each, Limit)} == {
        ("anonymous", 60, 1),
        ("sign-in", 10, 1),
        ("pairing", 10, 1),
        ("code", 10, 1),
        ("check-in", 5, 1),
        ("staff", 6_000, 60),
        ("device", 6_000, 60),
        ("ticket", 60, 1),
        ("joining", 600, 1),
        ("join-code", 120, 1),
        ("phone", 60, 1),
        ("pages", 1_000, 60),
        ("joined", 100, 60),
        ("booked", 60, 60),
        ("booked-by-phone", 10, 60),
        ("held", 120, 60),
        ("subscribed", 20, 60),
        ("reports", 120, 1),
        ("refused", 100, 10),
        ("blocked", 1, 15),
    }


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(host: str, address: str) -> None:
    assert address_of(HTTPConnection({"type": "http", "headers": [], "client": (host, 1)})) == address


def test_a_socket_has_no_address() -> None:
    assert address_of(HTTPConnection({"type": "http", "headers": [], "client": None})) == ""
