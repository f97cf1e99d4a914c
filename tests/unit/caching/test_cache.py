"""A cache over a store in memory: what is computed, once or again, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from server.caching.cache import Away, Cache, Form

FORM: Form[int] = Form(1, lambda number: number, int)


class Memory:
    """A store in memory. While ``away`` it does not answer."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.away = False

    async def read(self, names: Sequence[str]) -> list[bytes | None]:
        if self.away:
            raise Away
        return [self.values.get(name) for name in names]

    async def write(self, values: Mapping[str, bytes]) -> None:
        if self.away:
            raise Away
        self.values |= values


class Work:
    """Computes the length of each key, when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None

    async def find(self, keys: Collection[str]) -> dict[str, int]:
        self.asked.append(list(keys))
        self.begun.set()
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return {key: len(key) for key in keys}


def counts(cache: Cache[int]) -> tuple[int, int, int]:
    return cache.hits, cache.misses, cache.bypasses


async def settled(cache: Cache[int]) -> None:
    """Wait until the store has what was computed: a request does not wait for this."""
    await asyncio.gather(*cache._tasks)


async def test_kept_results_are_not_computed_again() -> None:
    store, work = Memory(), Work()
    cache = Cache("lengths", FORM, store)
    assert await cache.get(7, "a", ["x", "yy"], work.find) == {"x": 1, "yy": 2}
    await settled(cache)
    other = Cache("lengths", FORM, store)  # that of another process
    assert await other.get(7, "a", ["yy", "zzz"], work.find) == {"yy": 2, "zzz": 3}
    assert work.asked == [["x", "yy"], ["zzz"]]
    assert (counts(cache), counts(other)) == ((0, 2, 0), (1, 1, 0))
    assert (cache.hit_rate, other.hit_rate) == (0.0, 0.5)


@pytest.mark.parametrize("other", [(8, "a", FORM), (7, "b", FORM), (7, "a", Form(2, lambda number: number, int))])
async def test_another_site_question_or_version_shares_nothing(other: tuple[int, str, Form[int]]) -> None:
    store, work = Memory(), Work()
    first = Cache("lengths", FORM, store)
    await first.get(7, "a", ["x"], work.find)
    await settled(first)
    site_id, about, form = other
    assert await Cache("lengths", form, store).get(site_id, about, ["x"], work.find) == {"x": 1}
    assert len(work.asked) == 2


async def test_values_that_cannot_be_read_are_computed() -> None:
    store, work = Memory(), Work()
    first = Cache("lengths", FORM, store)
    await first.get(7, "a", ["x"], work.find)
    await settled(first)
    (name,) = store.values
    other = Memory()
    await _kept(Cache("lengths", Form(2, lambda number: number, int), other))
    for value in (b"", b"no archive", *other.values.values()):
        store.values[name] = value
        cache = Cache("lengths", FORM, store)
        assert await cache.get(7, "a", ["x"], work.find) == {"x": 1}
        await settled(cache)
        assert counts(cache) == (0, 1, 0)
        assert store.values[name] != value


async def _kept(cache: Cache[int]) -> None:
    await cache.get(7, "a", ["x"], Work().find)
    await settled(cache)


async def test_requests_of_one_moment_compute_a_result_once() -> None:
    work = Work()
    work.free.clear()
    cache = Cache("lengths", FORM, Memory())
    first = asyncio.create_task(cache.get(7, "a", ["x", "yy"], work.find))
    await work.begun.wait()
    second = asyncio.create_task(cache.get(7, "a", ["yy", "zzz"], work.find))
    while len(work.asked) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    work.free.set()
    assert await first == {"x": 1, "yy": 2}
    assert await second == {"yy": 2, "zzz": 3}
    assert work.asked == [["x", "yy"], ["zzz"]]
    assert counts(cache) == (0, 3, 0)


async def test_a_caller_that_leaves_takes_no_result_from_others() -> None:
    work = Work()
    work.free.clear()
    cache = Cache("lengths", FORM, Memory())
    first = asyncio.create_task(cache.get(7, "a", ["x"], work.find))
    await work.begun.wait()
    second = asyncio.create_task(cache.get(7, "a", ["x"], work.find))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    work.free.set()
    assert await second == {"x": 1}
    assert work.asked == [["x"]]


async def test_an_error_reaches_every_caller_and_is_not_kept() -> None:
    work = Work()
    work.error = RuntimeError("no database")
    cache = Cache("lengths", FORM, Memory())
    asking = [cache.get(7, "a", ["x", "yy"], work.find), cache.get(7, "a", ["x"], work.find)]
    failed = await asyncio.gather(*asking, return_exceptions=True)
    assert failed == [work.error, work.error]
    work.error = None
    assert await cache.get(7, "a", ["x"], work.find) == {"x": 1}


async def test_a_store_that_is_away_is_bypassed_and_counted() -> None:
    store, work = Memory(), Work()
    store.away = True
    cache = Cache("lengths", FORM, store)
    assert await cache.get(7, "a", ["x", "yy"], work.find) == {"x": 1, "yy": 2}
    await settled(cache)
    assert counts(cache) == (0, 0, 2)
    assert cache.hit_rate == "nothing has been asked yet"
    store.away = False
    assert await cache.get(7, "a", ["x"], work.find) == {"x": 1}
    assert counts(cache) == (0, 1, 2)


async def test_without_a_store_every_result_is_computed() -> None:
    work = Work()
    cache: Cache[int] = Cache("lengths", FORM, None)
    for _ in range(2):
        assert await cache.get(7, "a", ["x"], work.find) == {"x": 1}
    assert work.asked == [["x"], ["x"]]
    assert counts(cache) == (0, 0, 0)
    assert cache.hit_rate == "there is no cache without Redis"


async def test_close_ends_a_computation_that_nobody_waits_for() -> None:
    work = Work()
    work.free.clear()
    cache = Cache("lengths", FORM, Memory())
    asking = asyncio.create_task(cache.get(7, "a", ["x"], work.find))
    await work.begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await cache.close()
    assert not cache._asked
