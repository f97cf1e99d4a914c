"""The store of caches in Redis. Redis away or slow costs a request a moment, and after that a second nothing at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from server.caching.cache import Away
from server.outage import Outage

logger = structlog.get_logger(__name__)

CALL_SECONDS = 0.2
REST_SECONDS = 1.0  # the pause after a failed call
KEPT_SECONDS = 300
CONNECTIONS = 8
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
T = TypeVar("T")

Seal = Callable[[bytes, str], str]  # a value, and the name that it is bound to
Open = Callable[[str, str], bytes]  # raises `ValueError` for a value that was not sealed for this name


class RedisStore:
    """Keeps values in the Redis at ``url``, for `KEPT_SECONDS`. Opens no connection before the first use.

    Values are sealed and bound to their names: another user of that Redis can neither read a figure nor change one. Names
    in one call have the same hash tag. Call `close` when done.
    """

    def __init__(self, url: str, seal: Seal, opened: Open) -> None:
        self._url = url
        self._seal = seal
        self._open = opened
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=CALL_SECONDS,
            socket_connect_timeout=CALL_SECONDS,
            socket_timeout=CALL_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis(connection_pool=self._pool)
        self._cluster: RedisCluster | None = None
        self._client: Redis | RedisCluster | None = None  # None until Redis has said whether it is a cluster
        self._ask_again_at = 0.0
        self._failed: str | None = None  # the last failed call
        self._outage = Outage(logger, "the cache has no Redis: figures are computed for each request")

    async def read(self, names: Sequence[str]) -> list[bytes | None]:
        """As `server.caching.cache.Store.read`. A value of another installation is as if it were not there."""

        async def ask(client: Redis | RedisCluster) -> list[Any]:
            return list(await client.mget(names))

        values = await self._ask("read", ask)
        return [None if value is None else self._opened(name, value) for name, value in zip(names, values, strict=True)]

    async def write(self, values: Mapping[str, bytes]) -> None:
        """As `server.caching.cache.Store.write`."""
        sealed = {name: self._seal(value, name) for name, value in values.items()}

        async def ask(client: Redis | RedisCluster) -> None:
            pipeline: Any = client.pipeline() if isinstance(client, RedisCluster) else client.pipeline(transaction=False)
            async with pipeline:
                for name, value in sealed.items():
                    pipeline.set(name, value, ex=KEPT_SECONDS)
                await pipeline.execute()

        await self._ask("write", ask)

    async def close(self) -> None:
        """Close every connection."""
        with suppress(*_FAILURES):
            async with asyncio.timeout(CALL_SECONDS):
                await self._redis.aclose()
                await self._pool.aclose()
                if self._cluster is not None:
                    await self._cluster.aclose()

    async def _ask(self, what: Literal["read", "write"], call: Callable[[Redis | RedisCluster], Awaitable[T]]) -> T:
        if time.monotonic() < self._ask_again_at:
            raise Away
        try:
            async with asyncio.timeout(CALL_SECONDS):
                found = await call(self._client or await self._connect())
        except _FAILURES as error:
            self._ask_again_at = time.monotonic() + REST_SECONDS
            self._outage.failed(error, call=what)
            self._failed = what
            raise Away from error
        if what in ("write", self._failed):  # a Redis without space still reads: this is no end
            self._outage.ended()
            self._failed = None
        return found

    async def _connect(self) -> Redis | RedisCluster:
        if (await self._redis.info("cluster")).get("cluster_enabled"):
            if self._cluster is None:
                self._cluster = RedisCluster.from_url(self._url, socket_connect_timeout=CALL_SECONDS)
            await self._cluster.initialize()
            self._client = self._cluster
        else:
            self._client = self._redis
        return self._client

    def _opened(self, name: str, value: bytes) -> bytes | None:
        try:
            return self._open(value.decode(), name)
        except ValueError:
            return None
