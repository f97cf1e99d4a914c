"""Look-ups of one moment share a query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from server.queries.together import MOST, Together


class Found:
    """Finds the length of each key but `missing`, and notes each query."""

    def __init__(self) -> None:
        self.queries: list[Sequence[str]] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, keys: Sequence[str]) -> dict[str, int]:
        self.queries.append(keys)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: len(key) for key in keys if key != "missing"}


async def test_keys_of_one_moment_share_a_query_and_no_answer_is_kept() -> None:
    found = Found()
    together = Together(found.find)
    asked = ("a", "bb", "missing", "a")
    assert await asyncio.gather(*(together.get(key) for key in asked)) == [1, 2, None, 1]
    assert [list(keys) for keys in found.queries] == [["a", "bb", "missing"]]
    assert await together.get("a") == 1
    assert len(found.queries) == 2


async def test_keys_asked_for_during_a_query_share_the_next() -> None:
    found = Found()
    together = Together(found.find)
    found.gate.clear()
    first = asyncio.create_task(together.get("a"))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(together.get(key)) for key in ("a", "bb")]
    await asyncio.sleep(0.01)
    assert len(found.queries) == 1  # at a time
    found.gate.set()
    assert await asyncio.gather(first, *later) == [1, 1, 2]
    assert [list(keys) for keys in found.queries] == [["a"], ["a", "bb"]]


async def test_many_keys_are_divided_into_queries() -> None:
    found = Found()
    together = Together(found.find)
    keys = [str(number) for number in range(2 * MOST + 1)]
    assert await asyncio.gather(*map(together.get, keys)) == [len(key) for key in keys]
    assert [len(query) for query in found.queries] == [MOST, MOST, 1]


async def test_an_error_reaches_every_caller_and_none_after_it() -> None:
    found = Found()
    together = Together(found.find)
    found.error = ConnectionError("away")
    failed = await asyncio.gather(together.get("a"), together.get("bb"), return_exceptions=True)
    assert [*failed] == [found.error] * 2
    found.error = None
    assert await together.get("a") == 1


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    found = Found()
    together = Together(found.find)
    found.gate.clear()
    first, second = (asyncio.create_task(together.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    found.gate.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first
