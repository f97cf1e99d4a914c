"""A reader that does not take what is written: nothing is put together for it, and in the end it is cut off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from server.domain.views import DeskView
from server.live import stream as module
from server.live.feed import Feed, Projection
from server.live.messages import Message
from server.live.stream import Stream
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)


class Tap:
    """An outlet that is turned off and on."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.running.set()
        self.aborted = False

    def stalled(self) -> bool:
        return not self.running.is_set()

    async def drain(self) -> None:
        await self.running.wait()

    def abort(self) -> None:
        self.aborted = True


class Line:
    """A feed, and one screen behind a tap."""

    def __init__(self, *, heartbeat: float = 60.0, stalled_seconds: float = 5.0) -> None:
        self.world = small_clinic()
        self.feed = Feed(SITE_ID, LogLoader(self.world))
        self.tap = Tap()
        self.heartbeat, self.stalled_seconds = heartbeat, stalled_seconds

    async def open(self) -> AsyncIterator[Message]:
        await self.feed.load()
        self.stream = Stream(
            self.feed, self.feed.projection(DESK), None, self.heartbeat, address="a", token="t", outlet=self.tap,
            stalled_seconds=self.stalled_seconds,
        )  # fmt: skip
        return aiter(self.stream)

    def tickets(self, count: int) -> None:
        begun = len(self.world.log)
        for _ in range(count):
            self.world.ticket(min(self.world.board.queues))
        self.feed.offer("e1", self.world.log[begun:])


async def read(messages: AsyncIterator[Message], within: float = 2.0) -> Message:
    async with asyncio.timeout(within):
        return await anext(messages)


async def test_nothing_is_put_together_for_a_reader_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(heartbeat=0.02)
    messages = await line.open()
    screen = Screen()
    screen.hear(await read(messages))
    line.tap.running.clear()
    made: list[int] = []
    change_since = Projection.change_since

    def counted(projection: Projection, seq: int) -> Message:
        made.append(seq)
        return change_since(projection, seq)

    monkeypatch.setattr(Projection, "change_since", counted)
    waiting = asyncio.ensure_future(anext(messages))
    for _ in range(20):
        line.tickets(5)
        await asyncio.sleep(0.005)
    assert not waiting.done(), "not even a heartbeat"
    assert line.stream.paused
    assert made == []
    line.tap.running.set()
    screen.hear(await asyncio.wait_for(waiting, 2))
    assert not line.stream.paused
    assert screen.kinds == ["snapshot", "change"]
    assert screen.position is not None
    assert screen.position.seq == line.feed.seq
    assert digest(screen.cells) == line.feed.projection(DESK).digest
    screen.hear(await read(messages))
    assert screen.kinds[-1] == "heartbeat"


async def test_a_reader_that_stands_still_for_too_long_is_cut_off() -> None:
    line = Line(stalled_seconds=0.1)
    messages = await line.open()
    await read(messages)
    line.tap.running.clear()
    began = time.monotonic()
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert 0.1 <= time.monotonic() - began < 1
    assert line.tap.aborted
    assert line.stream.cut
    assert line.stream.ending == "slow"


async def test_a_bye_that_is_not_taken_is_followed_by_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    line = Line()
    messages = await line.open()
    await read(messages)
    line.stream.end("drain")
    assert (await read(messages)).kind == "bye"
    line.tap.running.clear()  # it was written, and stays in the buffer
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert line.tap.aborted
    assert line.stream.ending == "drain"


async def test_who_stands_still_when_the_end_comes_is_cut_off_without_a_bye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    line = Line(stalled_seconds=60)
    messages = await line.open()
    await read(messages)
    line.tap.running.clear()
    waiting = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    line.stream.end("drain")
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 2)
    assert time.monotonic() - began < 1
    assert line.tap.aborted


async def test_a_bye_that_is_taken_cuts_nothing() -> None:
    line = Line()
    messages = await line.open()
    await read(messages)
    line.stream.end("revoked")
    assert json.loads((await read(messages)).payload)["reason"] == "revoked"
    with pytest.raises(StopAsyncIteration):
        await read(messages)
    assert not line.tap.aborted
