"""Replays in a process of their own: the same answer as here, one at a time, ended with the request and its limit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from server.domain.board import Board
from server.domain.commands import Complete, Start
from server.domain.errors import DayTooLarge, ReplayBusy, ReplayTooLong
from server.domain.events import Recorded, body_of
from server.domain.model.local_time import MINUTE
from server.domain.what_if import NO_CHANGE, Changed, Compared, Extra, Intake, PointChange, compared, observed
from server.queries import what_if
from server.queries.what_if import EventRow, Replays, told
from server.queries.what_if_process import changed_of
from tests.support.worlds import HOUR, World, small_clinic

ROOT = Path(__file__).resolve().parents[3]
CHANGES = (
    NO_CHANGE,
    Changed(Extra(7, 1, 2), {"return_lead": 3}, {5: PointChange(closed=True)}, intake=Intake(ends_at=9)),
    Changed(points={5: PointChange(queue_ids=(1, 2))}, every=PointChange(begins_later=-3 * MINUTE, ends_later=4)),
)


@pytest.mark.parametrize("changed", CHANGES)
def test_changes_arrive_as_they_were_sent(changed: Changed) -> None:
    assert changed_of(orjson.loads(orjson.dumps(told(changed)))) == changed


async def rows(log: Sequence[Recorded]) -> AsyncIterator[list[EventRow]]:
    for begin in range(0, len(log), 10):
        yield [
            (each.at, each.event.name_on_wire(), orjson.dumps(body_of(each.event)).decode())
            for each in log[begin : begin + 10]
        ]


def a_morning() -> tuple[World, Board, Sequence[Recorded], int]:
    """Return a world, its board in the morning, the log since then, and its end."""
    world = small_clinic()
    begin, begun = Board(world.board.site, world.board.records()), len(world.log)
    for queue_id in sorted(world.board.queues) * 4:
        world.ticket(queue_id)
    for _ in range(6):
        called = world.call(min(world.board.points))
        world.do(Start(entry_id=called.id))
        world.do(Complete(entry_id=called.id))
    return world, begin, world.log[begun:], world.now + HOUR


async def test_process_gives_the_same_answer_as_the_domain() -> None:
    world, begin, log, ends_at = a_morning()
    changed = Changed(points={min(world.board.points): PointChange(closed=True)})
    found = await Replays().compared(begin, rows(log), ends_at, changed)
    here = compared(observed(begin, log, ends_at), changed)
    assert isinstance(found, Compared)
    assert asdict(found) == asdict(here)
    assert found.rows.control != found.rows.changed


def processes(of: int = 0) -> list[int]:
    """Return the replays that a process runs, by default this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command = (each / "cmdline").read_bytes()
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if b"what_if_process" in command and parent == (of or os.getpid()):
            found.append(int(each.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return b"what_if_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.02)


async def test_second_replay_is_refused_and_a_cancelled_one_ends_its_process() -> None:
    _, begin, log, ends_at = a_morning()
    replays = Replays()
    first = asyncio.create_task(replays.compared(begin, waiting(), ends_at, NO_CHANGE))
    await until(processes)
    (pid,) = processes()
    await until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == 19)  # the clinic's commands come first
    with pytest.raises(ReplayBusy):
        await replays.compared(begin, rows(log), ends_at, NO_CHANGE)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert processes() == []
    assert (await replays.compared(begin, rows(log), ends_at, NO_CHANGE)).rows.real.called == 6


async def waiting(seconds: float = 3600) -> AsyncIterator[list[EventRow]]:
    """Yield nothing for so long."""
    await asyncio.sleep(seconds)
    yield []


async def test_replay_that_takes_too_long_is_ended() -> None:
    _, begin, _, ends_at = a_morning()
    began = time.monotonic()
    with pytest.raises(ReplayTooLong):
        await Replays(longest_seconds=0.3).compared(begin, waiting(), ends_at, NO_CHANGE)
    assert time.monotonic() - began < 15
    assert processes() == []


async def test_failing_log_ends_the_process() -> None:
    _, begin, _, ends_at = a_morning()

    async def failing() -> AsyncIterator[list[EventRow]]:
        yield []
        raise DayTooLarge(most=1)

    with pytest.raises(DayTooLarge):
        await Replays().compared(begin, failing(), ends_at, NO_CHANGE)
    assert processes() == []


async def test_process_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _, begin, log, ends_at = a_morning()
    monkeypatch.setattr(what_if, "encoded", lambda _: b"no board")
    with pytest.raises(RuntimeError, match="status 1"):
        await Replays().compared(begin, rows(log), ends_at, NO_CHANGE)


async def test_process_that_is_killed_at_its_limits_is_a_refusal() -> None:
    """As when the system has no memory left."""
    _, begin, _, ends_at = a_morning()
    replay = asyncio.create_task(Replays().compared(begin, waiting(0.5), ends_at, NO_CHANGE))
    await until(processes)
    (pid,) = processes()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ReplayTooLong):
        await replay


async def test_process_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOWSERVING_SECRET_KEY", "secret")
    _, begin, _, ends_at = a_morning()
    task = asyncio.create_task(Replays().compared(begin, waiting(), ends_at, NO_CHANGE))
    await until(processes)
    (pid,) = processes()
    await until(lambda: b"PYTHONPATH" in environment_of(pid))
    assert b"NOWSERVING" not in environment_of(pid)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


ORPHAN = """
import asyncio, sys
from tests.unit.queries.test_what_if import NO_CHANGE, Replays, a_morning, waiting
async def main():
    _, begin, _, ends_at = a_morning()
    await Replays().compared(begin, waiting(), ends_at, NO_CHANGE)
asyncio.run(main())
"""


async def test_process_ends_with_a_server_that_is_killed() -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHAN, cwd=ROOT)
    await until(lambda: processes(server.pid))
    (pid,) = processes(server.pid)
    server.kill()
    await server.wait()
    await until(lambda: not is_running(pid))
