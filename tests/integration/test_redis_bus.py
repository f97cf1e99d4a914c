"""The bus over a real Redis, alone and as a cluster: messages reach the subscribers of their site, and no others."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.domain.events import Recorded
from server.live import redis_bus as module
from server.live.redis_bus import RedisBus
from tests.support.processes import free_port, program
from tests.support.redis import redis, redis_cluster
from tests.support.server import vault
from tests.support.worlds import small_clinic


@dataclass(frozen=True)
class Backend:
    """A running Redis, or the nodes of a cluster."""

    url: str
    nodes: list[list[str]]  # for each, the command that asks it
    cluster: bool

    def channels(self, kind: str) -> str:
        """Return the channels that have subscribers, one in each line."""
        asked = (subprocess.check_output([*node, "pubsub", kind], text=True, timeout=60) for node in self.nodes)
        return "".join(asked)


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "cluster"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder, client = tmp_path_factory.mktemp("bus"), program("redis-cli", "redis-tools")
    if not request.param:
        with redis(folder) as url:
            port = url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]
            yield Backend(url, [[client, "-p", port]], cluster=False)
        return
    with redis_cluster(folder) as cluster:
        asking = [[client, "--no-auth-warning", "-a", cluster.password, "-p", str(port)] for port in cluster.ports]
        yield Backend(cluster.url, asking, cluster=True)


class Process:
    """One process on the bus, and the messages that it has received."""

    def __init__(self, url: str) -> None:
        self.bus = RedisBus(url, vault().seal, vault().open)
        self.received: list[tuple[int, str, list[int]]] = []
        self.gaps = 0

    def listen(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        self.received.append((site_id, epoch, [event.seq for event in events]))

    def gap(self) -> None:
        self.gaps += 1

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.received) < count:  # noqa: ASYNC110 - the bus calls back, and has no event to wait for
                await asyncio.sleep(0.005)


@pytest.fixture
async def processes(server: Backend, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes that wait for a Redis on a busy machine: no message is dropped, and no connection counts as lost."""
    monkeypatch.setattr(module, "CALL_SECONDS", 30.0)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 30.0)
    monkeypatch.setattr(module, "CLUSTER_CONNECT_SECONDS", 30.0)
    monkeypatch.setattr(module, "SILENT_SECONDS", 60.0)
    two = Process(server.url), Process(server.url)
    for each in two:
        await each.bus.start(each.listen, each.gap)
    async with asyncio.timeout(30):
        while not all(each.bus.healthy for each in two):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield two
    for each in two:
        await each.bus.stop()


async def test_messages_reach_only_subscribed_processes(server: Backend, processes: tuple[Process, Process]) -> None:
    one, two = processes
    log = small_clinic().log
    for site_id in range(1, 9):  # in a cluster, in many slots
        await two.bus.subscribe(site_id)
    for site_id in range(1, 12):
        one.bus.publish(site_id, "e1", log)
    await two.until(8)
    assert sorted(site_id for site_id, _, _ in two.received) == list(range(1, 9))
    assert all(seqs == [event.seq for event in log] for _, _, seqs in two.received)
    assert one.received == []
    await two.bus.unsubscribe(3)
    async with asyncio.timeout(30):
        while "nowserving:site:3\n" in server.channels("shardchannels" if server.cluster else "channels"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    two.received.clear()
    for site_id in (3, 4):
        one.bus.publish(site_id, "e1", log[:1])
    await two.until(1)
    await asyncio.sleep(0.1)
    assert [site_id for site_id, _, _ in two.received] == [4]
    assert (one.bus.dropped, one.gaps, two.gaps) == (0, 1, 1)


async def test_channels_are_sharded_only_in_a_cluster(server: Backend, processes: tuple[Process, Process]) -> None:
    await processes[0].bus.subscribe(7)
    name = "nowserving:site:7\n"
    async with asyncio.timeout(60):
        while name not in server.channels("shardchannels") + server.channels("channels"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (name in server.channels("shardchannels")) == server.cluster
    assert (name in server.channels("channels")) == (not server.cluster)


def cut_subscriptions(node: list[str]) -> None:
    subprocess.run([*node, "client", "kill", "type", "pubsub"], check=True, capture_output=True, timeout=60)


async def test_lost_connection_reports_a_gap_and_subscribes_again(
    server: Backend, processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection to one node is enough."""
    monkeypatch.setattr(module, "REST_SECONDS", 0.05)
    monkeypatch.setattr(module, "SILENT_SECONDS", 1.5)
    one, two = processes
    for site_id in range(1, 9):  # on every node of the cluster
        await two.bus.subscribe(site_id)
    await asyncio.to_thread(cut_subscriptions, server.nodes[-1])
    async with asyncio.timeout(30):
        while two.gaps < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    log = small_clinic().log[:1]
    received: set[int] = set()
    async with asyncio.timeout(30):
        while received != set(range(1, 9)):
            for site_id in range(1, 9):
                one.bus.publish(site_id, "e1", log)
            await asyncio.sleep(0.1)
            received |= {site_id for site_id, _, _ in two.received}


async def test_circuit_opens_while_redis_is_away_and_closes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_SECONDS", 30.0)
    monkeypatch.setattr(module, "SILENT_SECONDS", 60.0)
    port = free_port()
    with redis(tmp_path, port) as url:
        process = Process(url)
        await process.bus.start(process.listen, process.gap)
        await _until_state(process, "closed", openings=0)
        async with asyncio.timeout(60):
            while not process.bus.healthy:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    try:
        await _until_state(process, "open", openings=1)
        with redis(tmp_path, port):
            await _until_state(process, "closed", openings=1)
    finally:
        await process.bus.stop()


async def _until_state(process: Process, state: str, openings: int) -> None:
    circuit = process.bus.circuit
    async with asyncio.timeout(60):
        while circuit.state(time.monotonic()) != state:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert circuit.openings == openings


async def test_site_that_is_followed_while_the_bus_connects_is_not_forgotten(
    server: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody subscribes for it later: without this, its changes would come a second late until the next lost connection."""
    monkeypatch.setattr(module, "CALL_SECONDS", 30.0)
    monkeypatch.setattr(module, "CLUSTER_CONNECT_SECONDS", 30.0)
    process = Process(server.url)
    connect = process.bus._connect

    async def slowly() -> object:
        made = await connect()
        await process.bus.subscribe(11)
        return made

    monkeypatch.setattr(process.bus, "_connect", slowly)
    await process.bus.subscribe(10)
    await process.bus.start(process.listen, process.gap)
    try:
        log = small_clinic().log[:1]
        async with asyncio.timeout(30):
            while {site_id for site_id, _, _ in process.received} != {10, 11}:
                for site_id in (10, 11):
                    process.bus.publish(site_id, "e1", log)
                await asyncio.sleep(0.1)
        assert process.gaps == 1
    finally:
        await process.bus.stop()
