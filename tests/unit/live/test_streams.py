"""The open streams of a process, and the drain."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from server.domain.views import DisplayView, TicketView, View
from server.live import streams as module
from server.live.messages import Message
from tests.support.worlds import SITE_ID
from tests.unit.live.hubs import DESK, Processes, enrol, until


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    processes = Processes()
    yield processes
    await processes.stop()


async def test_drain_sends_a_bye_to_every_stream_in_time(processes: Processes) -> None:
    hub = await processes.hub(heartbeat=60)

    async def follow(number: int) -> list[Message]:
        view: View = (DESK, DisplayView(), TicketView(number))[number % 3]
        return [message async for message in hub.follow(SITE_ID, view, None, address="a", token=f"t{number}")]

    followers = [asyncio.create_task(follow(number)) for number in range(250)]
    await until(lambda: hub.streams_by_view().total() == 250)
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await hub.drain()
    assert time.monotonic() - begun < module.DRAIN_SECONDS
    heard = await asyncio.gather(*followers)
    assert all([message.kind for message in each] == ["snapshot", "bye"] for each in heard)
    byes = [json.loads(each[-1].payload) for each in heard]
    assert {bye["reason"] for bye in byes} == {"drain"}
    assert len({bye["retry_ms"] for bye in byes}) > 100  # spread, so that not all come back at once
    assert hub.streams_by_view().total() == 0


async def test_goodbyes_are_paced(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others take the screens back as fast as these leave, and a screen stays live until its own goodbye."""
    monkeypatch.setattr(module, "GOODBYES_A_SECOND", 0.1)
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 1_000)
    hub = await processes.hub(heartbeat=60)
    heard: list[list[str]] = [[], [], []]

    async def follow(number: int) -> None:
        async for message in hub.follow(SITE_ID, DESK, None, address="a", token=f"t{number}"):
            heard[number].append(message.kind)

    followers = [asyncio.create_task(follow(number)) for number in range(3)]
    await until(lambda: all(heard))
    draining = asyncio.create_task(hub.drain())
    await until(lambda: ["snapshot", "bye"] in heard)
    assert heard.count(["snapshot"]) == 2
    draining.cancel()
    for each in followers:
        each.cancel()
    await asyncio.gather(draining, *followers, return_exceptions=True)


async def test_stream_opened_during_a_drain_ends_at_once(processes: Processes) -> None:
    hub = await processes.hub()
    await hub.drain()
    assert hub.draining
    async with asyncio.timeout(2):
        kinds = [message.kind async for message in hub.follow(SITE_ID, DESK, None, address="a", token="t")]
    assert kinds == ["bye"]


async def test_drain_aborts_stalled_streams(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.2)
    hub = await processes.hub()
    await enrol(hub)  # nobody ever reads it
    begun = time.monotonic()
    await hub.drain()
    assert 0.2 <= time.monotonic() - begun < 1
