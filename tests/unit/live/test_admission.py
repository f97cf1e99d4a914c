"""Caps: streams that are refused, and places that become free again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.live.admission import Limits, OverCap
from tests.support.worlds import SITE_ID
from tests.unit.live.hubs import DESK, Processes, enrol, read


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    processes = Processes()
    yield processes
    await processes.stop()


@pytest.mark.parametrize(
    ("limits", "crowd"),
    [
        (Limits(3, 9, 9, 9), [("a", "1"), ("b", "2"), ("c", "3")]),
        (Limits(9, 3, 9, 9), [("a", "1"), ("a", "2"), ("a", "3")]),
        (Limits(9, 9, 3, 9), [("a", "1"), ("b", "1"), ("c", "1")]),
    ],
    ids=["streams", "address", "token"],
)
async def test_stream_over_a_cap_is_refused_until_another_leaves(
    processes: Processes, limits: Limits, crowd: list[tuple[str, str]]
) -> None:
    hub = await processes.hub(limits)
    streams = [await enrol(hub, address=address, token=token) for address, token in crowd]
    address, token = ("a" if limits.per_address == 3 else "z"), ("1" if limits.per_token == 3 else "9")
    for _ in range(2):
        with pytest.raises(OverCap):
            await enrol(hub, address=address, token=token)
    hub.leave(streams[0])
    hub.leave(streams[0])  # a second `leave` frees no second place
    streams[0] = await enrol(hub, address=address, token=token)
    with pytest.raises(OverCap):
        await enrol(hub, address=address, token=token)
    for stream in streams:
        hub.leave(stream)
    assert hub.streams_by_view().total() == 0
    for name, other in crowd:
        await enrol(hub, address=name, token=other)


async def test_all_sessions_of_a_member_have_one_cap(processes: Processes) -> None:
    hub = await processes.hub(Limits(9, 9, 9, 2))
    first = await enrol(hub, token="session:1", member="staff:3")
    await enrol(hub, token="session:2", member="staff:3")
    with pytest.raises(OverCap):
        await enrol(hub, token="session:3", member="staff:3")
    for token, member in (("session:4", "staff:4"), ("display:1", None), ("display:2", None), ("display:3", None)):
        await enrol(hub, token=token, member=member)
    hub.leave(first)
    await enrol(hub, token="session:3", member="staff:3")


async def test_caps_do_not_affect_other_addresses_and_tokens(processes: Processes) -> None:
    hub = await processes.hub(Limits(9, 1, 1, 9))
    await enrol(hub, address="a", token="1")
    await enrol(hub, address="b", token="2")
    for address, token in (("a", "3"), ("c", "1")):
        with pytest.raises(OverCap):
            await enrol(hub, address=address, token=token)
    await enrol(hub, address="c", token="3")


async def test_stream_over_a_cap_loads_nothing(processes: Processes) -> None:
    hub = await processes.hub(Limits(0, 9, 9, 9))
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    with pytest.raises(OverCap):
        await read(messages)
    assert processes.loader.boards_read == 0


@pytest.mark.parametrize("how", ["bye", "aclose", "cancel"])
async def test_place_is_free_however_a_stream_ends(processes: Processes, how: str) -> None:
    hub = await processes.hub(Limits(1, 1, 1, 1))
    messages = hub.follow(SITE_ID, DESK, None, address="a", token="t")
    await read(messages)
    if how == "bye":
        next(iter(hub.streams())).end("age")
        async with asyncio.timeout(2):
            kinds = [message.kind async for message in messages]
        assert kinds[-1] == "bye"
    elif how == "aclose":
        await messages.aclose()  # type: ignore[attr-defined]
    else:

        async def go_on() -> None:
            async for _ in messages:
                pass

        task = asyncio.create_task(go_on())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await enrol(hub)
