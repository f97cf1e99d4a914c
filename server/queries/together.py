"""Look-ups of one moment that share a query: thousands of screens may come back at once, each with a token of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

MOST = 500  # keys in one query
T = TypeVar("T")


class Together(Generic[T]):
    """Looks up keys by ``find``, which returns what it finds for some keys at once.

    One query runs at a time: the keys that are asked for meanwhile share the next. No answer is kept, and each is as fresh
    as that of an own query.
    """

    def __init__(self, find: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]) -> None:
        self._find = find
        self._asked: dict[str, asyncio.Future[T | None]] = {}
        self._querying: asyncio.Task[None] | None = None

    async def get(self, key: str) -> T | None:
        """Return what is found for ``key``, or None. Raises as ``find`` does."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._querying is None:
                self._querying = asyncio.create_task(self._query())
        return await asyncio.shield(answer)  # a caller that is cancelled leaves the answer to the others

    async def _query(self) -> None:
        while self._asked:
            asked = {key: self._asked.pop(key) for key in list(self._asked)[:MOST]}
            try:
                found = await self._find(list(asked))
            except Exception as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # the callers may be gone: nobody misses it
            else:
                for key, answer in asked.items():
                    answer.set_result(found.get(key))
        self._querying = None
