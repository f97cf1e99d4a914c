"""Sharded pub/sub on a Redis Cluster: each channel is on the node that has its slot.

redis-py has this too, but it polls one node after the other, and it says nothing when a slot leaves a node: messages of its
channels would stop in silence. Here each node has a reader and a probe of its own, and whatever happens to one of them
is an error for the caller. The caller then opens everything again, with the present map of the slots.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from server.live.redis_urls import ClusterAddress, cluster_address
from server.supervision import end


class SlotLeft(RedisError):
    """A node has ended a subscription by itself: another node has the slot of this channel now."""


def cluster_client(address: ClusterAddress, call_seconds: float) -> RedisCluster:
    """Return a client of the cluster. It connects with its first call, and tries nothing twice by itself.

    After a failed call the next one reads the map of the slots again, from the nodes that ``address`` names.
    """
    return RedisCluster.from_url(
        address.url,
        startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
        # Nodes that get other addresses (pods) are found again by the names in the settings alone.
        dynamic_startup_nodes=False,
        require_full_coverage=False,  # the slots that are there work
        socket_connect_timeout=call_seconds,
        socket_timeout=call_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # the messages of a subscription come as plain answers
    )


def client_of(url: str, call_seconds: float, connections: int) -> Redis | RedisCluster:
    """Return a client of a single Redis, with at most ``connections``, or of a cluster. It connects with its first call."""
    address = cluster_address(url)
    if address is not None:
        return cluster_client(address, call_seconds)
    return Redis.from_pool(pool_of(url, call_seconds, connections))


def pool_of(url: str, call_seconds: float, connections: int) -> BlockingConnectionPool:
    """Return the connections of a client of a single Redis: at most ``connections``, none of which tries a call twice."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=call_seconds,
        socket_connect_timeout=call_seconds,
        socket_timeout=call_seconds,
        retry=Retry(NoBackoff(), 0),
    )


async def close_client(client: Redis | RedisCluster) -> None:
    """Close all connections of a client. The `aclose` of a cluster leaves those of a client whose last call has failed."""
    await client.aclose()
    if isinstance(client, RedisCluster):
        for nodes in ("nodes_cache", "startup_nodes"):
            await client.nodes_manager.aclose(nodes)


class ShardedPubSub:
    """Subscriptions to sharded channels, with the methods of redis-py's `PubSub` that the bus calls.

    Call `open` first. ``probe`` begins the names of `probes`, one for each node that has a subscription. The caller
    publishes to each probe more often than once in ``silent_seconds``; a node without any message for so long is lost.
    """

    def __init__(self, cluster: RedisCluster, probe: str, silent_seconds: float) -> None:
        self.probes: list[str] = []
        self._cluster = cluster
        self._probe = probe
        self._silent_seconds = silent_seconds
        self._connections: dict[str, Connection] = {}  # by the name of the node
        self._readers: list[asyncio.Task[None]] = []
        self._inbox: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self._leaving: Counter[bytes] = Counter()
        self._connecting = asyncio.Lock()

    async def open(self) -> None:
        """Read the map of the slots. Raises as redis-py does."""
        await self._cluster.initialize()
        await self._connection(self._probe)  # at least one node has a probe

    async def subscribe(self, *names: str) -> None:
        """Subscribe to channels. Raises as redis-py does; a slot that has moved is an error of `get_message`."""
        for name in names:
            await (await self._connection(name)).send_command("SSUBSCRIBE", name)

    async def unsubscribe(self, *names: str) -> None:
        """End subscriptions to channels."""
        for name in names:
            self._leaving[name.encode()] += 1
            await (await self._connection(name)).send_command("SUNSUBSCRIBE", name)

    async def get_message(self, **_: Any) -> dict[str, Any]:
        """Return the next message of any channel. Raises as soon as one node is lost, or a slot has left its node."""
        found = await self._inbox.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def aclose(self) -> None:
        """Close all connections. A waiting `get_message` raises."""
        self._inbox.put_nowait(ConnectionLost("the subscriptions are closed"))
        await end(self._readers)
        for connection in self._connections.values():
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
        await close_client(self._cluster)

    async def _connection(self, name: str) -> Connection:
        """Return the connection to the node that has a channel. A new connection gets a probe in the slot of the channel."""
        node = self._cluster.get_node_from_key(name)
        assert node is not None, "a slot without a node raises"
        async with self._connecting:
            connection = self._connections.get(node.name)
            if connection is None:
                connection = node.connection_class(
                    **node.connection_kwargs | {"socket_timeout": None, "retry": Retry(NoBackoff(), 0)}
                )
                probe = f"{self._probe}:{{{name}}}"  # Redis hashes the text in braces alone
                try:
                    await connection.connect()  # type: ignore[no-untyped-call]
                    await connection.send_command("SSUBSCRIBE", probe)
                except BaseException:
                    await connection.disconnect(nowait=True)
                    raise
                self._connections[node.name] = connection
                self.probes.append(probe)
                self._readers.append(asyncio.create_task(self._read(connection)))
        return connection

    async def _read(self, connection: Connection) -> None:
        try:
            while True:
                async with asyncio.timeout(self._silent_seconds):
                    kind, channel, data = await connection.read_response()
                if kind == b"smessage":
                    self._inbox.put_nowait({"channel": channel, "data": data})
                elif kind == b"sunsubscribe":
                    if not self._leaving[channel]:
                        raise SlotLeft(f"{channel.decode()} has moved to another node")
                    self._leaving[channel] -= 1
        except Exception as error:
            self._inbox.put_nowait(error)
