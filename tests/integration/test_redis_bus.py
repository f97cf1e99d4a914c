"""The bus over a real Redis, alone and as a cluster: messages reach the subscribers of their site, and no others."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from server.domain.events import Recorded
from server.live import redis_bus as module
from server.live.redis_bus import RedisBus
from tests.support.processes import free_port, program
from tests.support.redis import redis
from tests.support.server import vault
from tests.support.worlds import small_clinic


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "cluster"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bool]]:
    with redis(tmp_path_factory.mktemp("bus"), cluster=request.param) as url:
        yield url, request.param


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
async def processes(server: tuple[str, bool], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes that wait for a Redis on a busy machine: no message is dropped, and no connection counts as lost."""
    monkeypatch.setattr(module, "CALL_SECONDS", 30.0)
    monkeypatch.setattr(module, "SILENT_SECONDS", 60.0)
    two = Process(server[0]), Process(server[0])
    for each in two:
        await each.bus.start(each.listen, each.gap)
    async with asyncio.timeout(30):
        while not all(each.bus.healthy for each in two):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield two
    for each in two:
        await each.bus.stop()


def channels(url: str, kind: str) -> bytes:
    """Return the channels of a Redis that have subscribers, one in each line."""
    port = url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]
    return subprocess.check_output([program("redis-cli", "redis-tools"), "-p", port, "pubsub", kind], timeout=60)


async def test_messages_reach_only_subscribed_processes(
    server: tuple[str, bool], processes: tuple[Process, Process]
) -> None:
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
        while b"nowserving:site:3\n" in channels(server[0], "shardchannels" if server[1] else "channels"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    two.received.clear()
    for site_id in (3, 4):
        one.bus.publish(site_id, "e1", log[:1])
    await two.until(1)
    await asyncio.sleep(0.1)
    assert [site_id for site_id, _, _ in two.received] == [4]
    assert (one.bus.dropped, one.gaps, two.gaps) == (0, 1, 1)


async def test_channels_are_sharded_only_in_a_cluster(server: tuple[str, bool], processes: tuple[Process, Process]) -> None:
    url, cluster = server
    await processes[0].bus.subscribe(7)
    name = b"nowserving:site:7"
    async with asyncio.timeout(60):
        while name not in channels(url, "shardchannels") + channels(url, "channels"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (name in channels(url, "shardchannels")) == cluster
    assert (name in channels(url, "channels")) == (not cluster)


def cut_subscriptions(port: str) -> None:
    command = [program("redis-cli", "redis-tools"), "-p", port, "client", "kill", "type", "pubsub"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


async def test_lost_connection_reports_a_gap_and_subscribes_again(
    server: tuple[str, bool], processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_SECONDS", 0.05)
    monkeypatch.setattr(module, "SILENT_SECONDS", 1.5)
    one, two = processes
    await two.bus.subscribe(5)
    port = server[0].rsplit(":", 1)[1].split("/")[0]
    await asyncio.to_thread(cut_subscriptions, port)
    async with asyncio.timeout(30):
        while two.gaps < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    log = small_clinic().log[:1]
    async with asyncio.timeout(30):
        while not two.received:
            one.bus.publish(5, "e1", log)
            await asyncio.sleep(0.1)
    assert two.received[0][0] == 5


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
