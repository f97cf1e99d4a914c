"""A Redis Cluster of three nodes and a replica: slots move, nodes freeze and die, and messages and limits arrive again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from typer.testing import CliRunner

from server.cli import app
from server.live import redis_bus
from server.live.bus import channel
from server.live.redis_bus import NOT_SINGLE, RedisBus
from server.live.redis_cluster import ShardedPubSub, close_client, cluster_client
from server.live.redis_urls import cluster_address
from server.settings import BadSettings
from server.transport.access import limits
from server.transport.access.limits import Limit, Limiter
from tests.integration.test_redis_bus import Process
from tests.support.processes import wait_until
from tests.support.redis import Cluster, redis_cluster
from tests.support.server import environment, vault
from tests.support.worlds import small_clinic

pytestmark = pytest.mark.long

SECONDS = 90.0  # only ends a test that fails
SITES = range(1, 13)  # on every node
HOUR = Limit("hour", 40, minutes=60)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster"), replica=True, node_timeout=2_000) as made:
        yield made


@pytest.fixture
async def whole(cluster: Cluster) -> None:
    """Wait until every node sees all slots, also after a test that disturbed one."""
    await asyncio.to_thread(wait_until, lambda: cluster.whole(range(4)), "the cluster")


@pytest.fixture
async def processes(
    cluster: Cluster, whole: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes; the second one follows all sites."""
    monkeypatch.setattr(redis_bus, "CALL_SECONDS", 2.0)  # of a busy machine
    monkeypatch.setattr(redis_bus, "CLUSTER_CONNECT_SECONDS", 20.0)
    monkeypatch.setattr(redis_bus, "REST_SECONDS", 0.2)
    two = Process(cluster.url), Process(cluster.url)
    for each in two:
        await each.bus.start(each.listen, each.gap)
    for site_id in SITES:
        await two[1].bus.subscribe(site_id)
    await arrive(*two)
    yield two
    for each in two:
        await each.bus.stop()


async def arrive(one: Process, two: Process) -> None:
    """Publish until a message of every site has arrived: the bus works on each node."""
    log = small_clinic().log[:1]
    two.received.clear()
    async with asyncio.timeout(SECONDS):
        while {site_id for site_id, _, _ in two.received} != set(SITES):
            for site_id in SITES:
                one.bus.publish(site_id, "e1", log)
            await asyncio.sleep(0.2)


async def gap(process: Process, before: int) -> None:
    """Wait until a process has noticed that it may have lost messages."""
    async with asyncio.timeout(SECONDS):
        while process.gaps == before:  # noqa: ASYNC110 - the bus calls back, and has no event to wait for
            await asyncio.sleep(0.02)


async def test_moved_slot_is_a_gap_and_its_messages_come_from_the_new_node(
    cluster: Cluster, processes: tuple[Process, Process]
) -> None:
    """The old node has other channels of the process, and its probe: nothing but its farewell tells."""

    def move_the_last() -> None:
        owners = {site_id: cluster.owner(channel(site_id)) for site_id in SITES}
        moved = max(site_id for site_id in SITES if list(owners.values()).count(owners[site_id]) > 1)
        cluster.move(channel(moved), (owners[moved] + 1) % 3)

    before = processes[1].gaps
    await asyncio.to_thread(move_the_last)
    await gap(processes[1], before)
    await arrive(*processes)


@pytest.mark.usefixtures("whole")
async def test_silent_connection_to_one_node_is_lost_although_the_others_have_messages(cluster: Cluster) -> None:
    address = cluster_address(cluster.url)
    assert address is not None
    sender, pubsub = cluster_client(address, 30.0), ShardedPubSub(cluster_client(address, 30.0), "probe", 2.0)

    async def read() -> None:
        while True:
            await pubsub.get_message()

    async def publish() -> None:
        while True:
            for probe in pubsub.probes[1:]:
                await sender.spublish(probe, b"")
            await asyncio.sleep(0.1)

    publishing = None
    try:
        await pubsub.open()
        await pubsub.subscribe(*map(channel, SITES))
        assert len(pubsub.probes) == 3
        publishing = asyncio.create_task(publish())
        async with asyncio.timeout(SECONDS) as limit:
            with pytest.raises(TimeoutError):
                await read()
        assert not limit.expired()
    finally:
        if publishing is not None:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
        await pubsub.aclose()
        await close_client(sender)


async def test_frozen_node_is_a_gap(cluster: Cluster, processes: tuple[Process, Process]) -> None:
    """Its connections stay open, and other nodes have the other channels."""
    before = processes[1].gaps
    frozen = cluster.processes[2]
    frozen.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(SECONDS):
            while processes[1].bus.healthy:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        frozen.send_signal(signal.SIGCONT)
    await gap(processes[1], before)
    await arrive(*processes)


@pytest.mark.usefixtures("whole")
async def test_limits_count_together_on_all_nodes(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALL_SECONDS", 30.0)
    one, two = Limiter(cluster.url), Limiter(cluster.url)
    try:
        for who in map(str, range(12)):  # on every node
            left = [(await each.hit(HOUR, who)).remaining for each in (one, two, one)]
            assert left == [39, 38, 37]
            assert (await two.look(HOUR, who)).remaining == 37
    finally:
        await one.close()
        await two.close()


async def test_plain_address_of_a_node_is_refused_with_the_remedy(
    cluster: Cluster, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(os, "execv", None)  # a worker that is not refused would take the place of this process
    plain = f"redis://:{cluster.password}@127.0.0.1:{cluster.ports[0]}/0"
    assert await RedisBus(plain, vault().seal, vault().open).problem() == NOT_SINGLE
    for name, value in environment(sqlite_url, plain).items():
        monkeypatch.setenv(name, value)
    for command in (["serve", "--port", "1"], ["worker"]):
        refused = (await asyncio.to_thread(CliRunner().invoke, app, command)).exception
        assert isinstance(refused, BadSettings)
        assert "redis+cluster://" in str(refused)
        assert cluster.password not in str(refused)


# The last test: a node dies.


async def test_replica_takes_the_place_of_a_killed_node(cluster: Cluster, processes: tuple[Process, Process]) -> None:
    before = processes[1].gaps
    look = RedisBus(cluster.url, vault().seal, vault().open)
    assert await look.problem() is None
    counting = Limiter(cluster.url)

    async def counted_in_the_cluster() -> bool:
        for who in map(str, range(12)):  # on every node
            await counting.hit(HOUR, who)
        return counting.circuit.opened_at is None

    try:
        await counted_in_the_cluster()
        cluster.processes[0].kill()
        await gap(processes[1], before)
        await arrive(*processes)
        async with asyncio.timeout(SECONDS):
            while await look.problem() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            while not await counted_in_the_cluster():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await counting.close()
