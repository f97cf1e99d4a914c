"""Endless loops go on after a fault."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from server import housekeeping, supervision
from server.domain.commands import Tick
from server.domain.errors import NothingDue
from server.domain.flags import TIME_TO_LEAVE, Flag
from server.execute import Executor
from server.queries.boards import Boards
from server.supervision import kept_running


async def test_loop_that_a_fault_ended_starts_again_and_its_fault_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "REST_SECONDS", 0.0)
    starts = 0

    async def loop() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise ValueError("a fault")

    with capture_logs() as lines:
        await kept_running("ticks", loop)
    assert starts == 3
    assert [(line["event"], line["loop"], line["log_level"]) for line in lines] == [
        ("a loop ended by a fault, and starts again", "ticks", "error")
    ] * 2
    assert all(line["exc_info"] for line in lines)


async def test_loop_rests_longer_after_each_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 8:
            raise asyncio.CancelledError

    async def loop() -> None:
        raise ValueError

    monkeypatch.setattr(asyncio, "sleep", rest)
    with capture_logs(), pytest.raises(asyncio.CancelledError):
        await kept_running("ticks", loop)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_cancellation_ends_the_loop() -> None:
    began = asyncio.Event()

    async def loop() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(kept_running("ticks", loop))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_site_that_cannot_be_ticked_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "TICK_SECONDS", 0.0)
    ticked: list[int] = []

    class Due:
        async def due(self) -> list[int]:
            return [1, 2, 3]

    async def may_explain() -> bool:
        return True

    class Ticking:
        async def execute(self, command: Tick, **_: Any) -> None:
            ticked.append(command.site_id)
            if len(ticked) == 6:
                raise asyncio.CancelledError
            if command.site_id == 1:
                raise ValueError("a board that no rule expects")
            raise NothingDue

    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await housekeeping.tick_sites(cast(Boards, Due()), cast(Executor, Ticking()), may_explain)
    assert ticked == [1, 2, 3, 1, 2, 3]
    assert [(line["event"], line["site_id"]) for line in lines] == [("a site cannot be ticked", 1)]


async def test_flag_of_a_site_goes_with_its_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "TICK_SECONDS", 0.0)
    ticked: list[tuple[int, bool]] = []

    class Due:
        async def due(self) -> list[int]:
            return [1, 2]

    async def may_explain() -> bool:
        return True

    class Ticking:
        async def execute(self, command: Tick, **_: Any) -> None:
            ticked.append((command.site_id, command.leave))
            if len(ticked) == 2:
                raise asyncio.CancelledError
            raise NothingDue

    class OffAtOne:
        def is_on(self, flag: Flag, site_id: int) -> bool:
            return not (flag is TIME_TO_LEAVE and site_id == 1)

    with pytest.raises(asyncio.CancelledError):
        await housekeeping.tick_sites(cast(Boards, Due()), cast(Executor, Ticking()), may_explain, OffAtOne())
    assert ticked == [(1, False), (2, True)]


async def test_task_that_loses_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "CANCEL_SECONDS", 0.01)
    begun = asyncio.Event()

    async def deaf_once() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await begun.wait()
    async with asyncio.timeout(30):
        await supervision.end([task])
    assert task.cancelled()
    await supervision.end([])
