"""The store of caches in Redis. Redis away or slow costs one request a moment, and for a second the others nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from server.caching.cache import Away
from server.circuits import Circuit, Pace
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

CALL_SECONDS = 0.2
REST_SECONDS = 1.0  # the pause after a failed call
KEPT_SECONDS = 300
CONNECTIONS = 8  # of a single Redis
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
T = TypeVar("T")

Seal = Callable[[bytes, str], str]  # a value, and the name that it is bound to
Open = Callable[[str, str], bytes]  # raises `ValueError` for a value that was not sealed for this name


class _Way:
    """The calls of one kind, behind a circuit of their own: a Redis without space still reads. ``effect`` is for the log."""

    def __init__(self, effect: str) -> None:
        self.circuit = Circuit(Pace(failures=1, lasting=0.0, pause=REST_SECONDS, longest=REST_SECONDS, trial=REST_SECONDS))
        self._outage = Outage(logger, effect)

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``call``. Raises `Away` if it fails, or if the circuit admits none now."""
        if not self.circuit.admits(time.monotonic()):
            raise Away
        try:
            async with asyncio.timeout(CALL_SECONDS):
                found = await call()
        except _FAILURES as error:
            self.circuit.failed(time.monotonic())
            self._outage.failed(error)
            raise Away from error
        self.circuit.succeeded()
        self._outage.ended()
        return found


class RedisStore:
    """Keeps values in a Redis or a cluster, for `KEPT_SECONDS`. ``client`` connects with its first call; ``end`` closes it.

    Values are sealed and bound to their names: another user of that Redis can neither read a figure nor change one. Names
    in one call have the same hash tag. Call `close` when done.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        seal: Seal,
        opened: Open,
        end: Callable[[Redis | RedisCluster], Awaitable[None]],
    ) -> None:
        self._client = client
        self._seal = seal
        self._open = opened
        self._end = end
        self._reads = _Way("the cache has no Redis: figures are computed for each request")
        self._writes = _Way("the cache keeps nothing: Redis takes no figures")
        self.circuits = {"reads": self._reads.circuit, "writes": self._writes.circuit}

    async def read(self, names: Sequence[str]) -> list[bytes | None]:
        """As `server.caching.cache.Store.read`. A value of another installation is as if it were not there."""

        async def ask() -> list[Any]:
            return list(await self._client.mget(names))

        values = await self._reads.ask(ask)
        return [None if value is None else self._opened(name, value) for name, value in zip(names, values, strict=True)]

    async def write(self, values: Mapping[str, bytes]) -> None:
        """As `server.caching.cache.Store.write`."""
        sealed = {name: self._seal(value, name) for name, value in values.items()}

        async def ask() -> None:
            client = self._client
            pipeline: Any = client.pipeline() if isinstance(client, RedisCluster) else client.pipeline(transaction=False)
            async with pipeline:
                for name, value in sealed.items():
                    pipeline.set(name, value, ex=KEPT_SECONDS)
                await pipeline.execute()

        await self._writes.ask(ask)

    async def close(self) -> None:
        """Close every connection."""
        with suppress(*_FAILURES):
            async with asyncio.timeout(CALL_SECONDS):
                await self._end(self._client)

    def _opened(self, name: str, value: bytes) -> bytes | None:
        try:
            return self._open(value.decode(), name)
        except ValueError:
            return None
