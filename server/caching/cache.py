"""A cache of results that cost much to compute. It never decides what is right: without it, results are the same.

The name of a result holds everything that the result depends on. So a kept result is never changed or deleted: after a
change, the question has another name, and the old result ends by its age.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson

from server import __version__

PREFIX = "nowserving:cache"
T = TypeVar("T")


class Away(Exception):
    """The store does not answer. The cache is bypassed."""


class Store(Protocol):
    """Keeps bytes by name for all processes, for some minutes. It may forget them at any time."""

    async def read(self, names: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under each name, in their order; None if nothing is. Raises `Away` within a moment."""

    async def write(self, values: Mapping[str, bytes]) -> None:
        """Keep these values. Raises `Away` within a moment."""


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How a result is kept, as plain lists. A change of the form, or of what it means, needs another ``version``.

    ``read`` raises `ValueError`, `TypeError` or `LookupError` for another form.
    """

    version: int
    plain: Callable[[T], Any]
    read: Callable[[Any], T]


class Cache(Generic[T]):
    """Keeps results of one kind. ``name`` is that of the metrics. Without a ``store`` each result is computed.

    The counts are of results, since this process began: ``hits`` were kept, ``misses`` were not, and for ``bypasses`` the
    store was away. A result that several requests share counts once. Call `close` when done.
    """

    def __init__(self, name: str, form: Form[T], store: Store | None) -> None:
        self.name = name
        self.hits = self.misses = self.bypasses = 0
        self._form = form
        self._store = store
        self._asked: dict[str, asyncio.Future[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def hit_rate(self) -> float | str:
        """The share of the results that were kept, or the reason for which it is unknown."""
        if self._store is None:
            return "there is no cache without Redis"
        asked = self.hits + self.misses
        return self.hits / asked if asked else "nothing has been asked yet"

    async def get(
        self, site_id: int, about: str, keys: Collection[str], find: Callable[[Collection[str]], Awaitable[Mapping[str, T]]]
    ) -> Mapping[str, T]:
        """Return the result of each key; ``find`` computes those that are missing, and raises as it likes.

        A result depends on the site, on ``about``, on its key, and on nothing else that can change. Requests of one
        moment share the computation of a key, and the result: do not change it.
        """
        if self._store is None:
            return await find(keys)
        names = {key: self._name(site_id, about, key) for key in keys}
        mine = {key: name for key, name in names.items() if name not in self._asked}
        answers = {key: self._asked[name] for key, name in names.items() if key not in mine}
        if mine:
            loop = asyncio.get_running_loop()
            answers |= {key: self._asked.setdefault(name, loop.create_future()) for key, name in mine.items()}
            # A caller that is cancelled leaves the results to the others, and to the next request.
            task = asyncio.create_task(self._answer(self._store, mine, find))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return {key: await asyncio.shield(answers[key]) for key in keys}

    async def close(self) -> None:
        """End the computations that nobody waits for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(
        self,
        store: Store,
        names: Mapping[str, str],
        find: Callable[[Collection[str]], Awaitable[Mapping[str, T]]],
    ) -> None:
        try:
            kept = await self._kept(store, names)
            for key, result in kept.items():
                self._asked[names[key]].set_result(result)
            missing = [key for key in names if key not in kept]
            found = await find(missing) if missing else {}
            for key in missing:
                self._asked[names[key]].set_result(found[key])
            if missing:
                await self._keep(store, {names[key]: found[key] for key in missing})
        except BaseException as error:
            for name in names.values():
                answer = self._asked[name]
                if not answer.done():
                    _refuse(answer, error)
        finally:
            for name in names.values():
                del self._asked[name]

    async def _kept(self, store: Store, names: Mapping[str, str]) -> dict[str, T]:
        try:
            values = await store.read(list(names.values()))
        except Away:
            self.bypasses += len(names)
            return {}
        kept: dict[str, T] = {}
        for key, value in zip(names, values, strict=True):
            try:
                if value is not None:
                    kept[key] = self._read(value)
            except (ValueError, TypeError, LookupError, zlib.error):
                continue  # of another version, or not ours: as if it were not there
            await asyncio.sleep(0)  # between two results, this process serves other requests
        self.hits += len(kept)
        self.misses += len(names) - len(kept)
        return kept

    async def _keep(self, store: Store, results: Mapping[str, T]) -> None:
        values: dict[str, bytes] = {}
        for name, result in results.items():
            values[name] = zlib.compress(orjson.dumps([self._form.version, self._form.plain(result)]), 1)
            await asyncio.sleep(0)
        try:
            await store.write(values)
        except Away:
            return  # the next request computes again

    def _read(self, value: bytes) -> T:
        version, plain = orjson.loads(zlib.decompress(value))
        if version != self._form.version:
            raise ValueError(f"version {version}")
        return self._form.read(plain)

    def _name(self, site_id: int, about: str, key: str) -> str:
        # The braces keep all names of a site on one node of a cluster.
        return f"{PREFIX}:{{{site_id}}}:{self.name}:{__version__}.{self._form.version}:{about}:{key}"


def _refuse(answer: asyncio.Future[Any], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        answer.cancel()
    else:
        answer.set_exception(error)
        answer.exception()  # the callers may be gone: nobody misses it
