"""The bus over Redis pub/sub: one channel per site, and a probe message that this process sends to itself. On a Redis
Cluster the channels are sharded: each is on one node, and no node carries them all.

redis-py's pub/sub reconnects in silence, and loses the messages in between. Nothing here relies on it: a connection that
stays silent while probes are sent is closed, and every new connection counts as a gap. In a cluster, one lost node or one
moved slot counts as a gap of all sites.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from server.circuits import Circuit, Pace
from server.domain.events import Recorded
from server.live.bus import GapListener, Listener, channel, decode, encode, site_of_channel
from server.live.redis_cluster import ShardedPubSub, close_client, cluster_client
from server.live.redis_urls import cluster_address
from server.supervision import end, kept_running
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

CALL_SECONDS = 0.2
CONNECT_SECONDS = 1.0
CLUSTER_CONNECT_SECONDS = 3.0  # one of its nodes may not answer, and each node has a connection of its own
LOOK_SECONDS = 2.0
PROBE_SECONDS = 1.0
SILENT_SECONDS = 3.0
REST_SECONDS = 1.0  # the pause after a failed call
QUEUED = 1_000
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
NOT_SINGLE = "this Redis is a node of a cluster: write redis+cluster://:password@one:6379,two:6379,three:6379"

Seal = Callable[[bytes, str], str]  # a payload, and the channel that it is bound to
Open = Callable[[str, str], bytes]  # raises `ValueError` for a payload that was not sealed for this channel


class RedisBus:
    """A bus over the Redis at ``url``. An unavailable Redis is never an error here: messages drop, and the log heals.

    A URL like ``redis+cluster://one:6379,two:6379`` names the nodes of a cluster. Raises `ValueError` for a wrong one.
    Payloads are sealed: another user of that Redis can read no name, and can put nothing on a screen.
    """

    def __init__(self, url: str, seal: Seal, opened: Open) -> None:
        self._seal = seal
        self._open = opened
        self._address = cluster_address(url)
        self._redis: Redis | RedisCluster = self._client(url)
        self._probe = f"nowserving:probe:{secrets.token_hex(8)}"
        self._sites: set[int] = set()
        self._outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(QUEUED)
        self._pubsub: PubSub | ShardedPubSub | None = None
        self._received_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: Listener
        self._on_gap: GapListener
        self._outage = Outage(logger, "the bus has no Redis: screens follow the log once a second")
        # It shows what the reader finds: each new connection is a trial. Publishers never wait, so it holds nobody up.
        self.circuit = Circuit(Pace(failures=1, lasting=0.0, pause=REST_SECONDS, longest=REST_SECONDS))
        self.dropped = 0
        self.gaps = 0

    def _client(self, url: str) -> Redis | RedisCluster:
        if self._address is not None:
            return cluster_client(self._address, CALL_SECONDS)
        return Redis.from_url(
            url,
            socket_connect_timeout=LOOK_SECONDS,
            socket_timeout=None,  # the reader waits without a limit; each call has its own, which is shorter
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def healthy(self) -> bool:
        return time.monotonic() - self._received_at < SILENT_SECONDS

    async def start(self, listener: Listener, on_gap: GapListener) -> None:
        self._listener, self._on_gap = listener, on_gap
        loops = {"bus reader": self._read, "bus writer": self._write, "bus probe": self._send_probes}
        self._tasks = [asyncio.create_task(kept_running(name, loop)) for name, loop in loops.items()]

    async def stop(self) -> None:
        await end(self._tasks)
        await self._disconnect()
        with suppress(*_FAILURES):
            async with asyncio.timeout(CALL_SECONDS):
                await close_client(self._redis)

    async def problem(self) -> str | None:
        """Try the connection once, without starting the bus. Return the error text, or None."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                try:
                    return await self._look()
                finally:
                    await close_client(self._redis)
        except _FAILURES as error:
            return str(error) or f"no answer within {LOOK_SECONDS:.0f} s"

    async def _look(self) -> str | None:
        if isinstance(self._redis, RedisCluster):
            state = (await self._redis.cluster_info(target_nodes=RedisCluster.RANDOM))["cluster_state"]
            if state != "ok":
                return f"the state of the cluster is {state}: see `redis-cli cluster info` and `cluster nodes`"
            await self._redis.ping(target_nodes=RedisCluster.PRIMARIES)
            return None
        await self._refuse_node()
        return None

    async def _refuse_node(self) -> None:
        """Refuse a plain URL that leads to a cluster: limits and workers would fail there, one key after the other."""
        assert isinstance(self._redis, Redis)
        if (await self._redis.info("cluster")).get("cluster_enabled"):
            raise RedisClusterException(NOT_SINGLE)

    def publish(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        name = channel(site_id)
        self._enqueue(name, self._seal(encode(epoch, events), name).encode())

    def _enqueue(self, name: str, payload: bytes) -> None:
        try:
            self._outgoing.put_nowait((name, payload))
        except asyncio.QueueFull:
            self.dropped += 1

    async def subscribe(self, site_id: int) -> None:
        self._sites.add(site_id)
        await self._call("subscribe", site_id)

    async def unsubscribe(self, site_id: int) -> None:
        self._sites.discard(site_id)
        await self._call("unsubscribe", site_id)

    async def _call(self, call: str, site_id: int) -> None:
        if self._pubsub is None:
            return  # the next connection subscribes to every site
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await getattr(self._pubsub, call)(channel(site_id))
        except _FAILURES as error:
            self._failed(error, call)
            await self._disconnect()

    def _failed(self, error: Exception, call: str) -> None:
        self._outage.failed(error, call=call)
        self.circuit.failed(time.monotonic())

    async def _write(self) -> None:
        while True:
            name, payload = await self._outgoing.get()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    if isinstance(self._redis, RedisCluster):
                        await self._redis.spublish(name, payload)
                    else:
                        await self._redis.publish(name, payload)
            except _FAILURES as error:
                self.dropped += 1
                self._failed(error, "publish")
                await asyncio.sleep(REST_SECONDS)
                self.dropped += self._outgoing.qsize()
                while not self._outgoing.empty():  # stale hints: by now every process has read the log
                    self._outgoing.get_nowait()

    async def _send_probes(self) -> None:
        while True:
            for probe in self._pubsub.probes if isinstance(self._pubsub, ShardedPubSub) else [self._probe]:
                self._enqueue(probe, b"")
            await asyncio.sleep(PROBE_SECONDS)

    async def _read(self) -> None:
        while True:
            self.circuit.admits(time.monotonic())
            try:
                async with asyncio.timeout(CONNECT_SECONDS if self._address is None else CLUSTER_CONNECT_SECONDS):
                    pubsub = self._pubsub = await self._connect()
                    if self._sites:  # read now: from here on, a new site subscribes by itself
                        await pubsub.subscribe(*map(channel, self._sites))
                self.gaps += 1
                self._on_gap()
                await self._listen(pubsub)
            except _FAILURES as error:
                self._failed(error, "listen")
            await self._disconnect()
            await asyncio.sleep(REST_SECONDS)

    async def _connect(self) -> PubSub | ShardedPubSub:
        """Subscribe to the probe. In a cluster, read the present map of its slots."""
        if self._address is not None:
            sharded = ShardedPubSub(cluster_client(self._address, CALL_SECONDS), self._probe, SILENT_SECONDS)
            try:
                await sharded.open()
            except BaseException:
                await sharded.aclose()
                raise
            return sharded
        await self._refuse_node()
        assert isinstance(self._redis, Redis)
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        await pubsub.subscribe(self._probe)
        return pubsub

    async def _listen(self, pubsub: PubSub | ShardedPubSub) -> None:
        while True:
            async with asyncio.timeout(SILENT_SECONDS):  # our own probe comes every second, or the connection is dead
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
            if message is None:
                continue
            self._received_at = time.monotonic()
            name = _text(message["channel"])
            if name.startswith(self._probe):
                self.circuit.succeeded()
                if self._outage.quiet_seconds > SILENT_SECONDS:
                    self._outage.ended()
                continue
            try:
                epoch, events = decode(self._open(_text(message["data"]), name))
                site_id = site_of_channel(name)
            except (ValueError, KeyError, TypeError):
                logger.warning("foreign message on the bus", channel=name)
                continue
            self._listener(site_id, epoch, events)

    async def _disconnect(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(*_FAILURES):
                async with asyncio.timeout(CALL_SECONDS):
                    await pubsub.aclose()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
