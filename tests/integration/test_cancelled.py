"""Cancelled commands: each is done completely or not at all, and a repeat with the same id gets the one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from itertools import count
from typing import Any, Generic, TypeVar

from server.domain.commands import IssueTicket
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store import event_log
from server.store.database import Database
from server.vault import Vault

LEAST_WAITS = 10
T = TypeVar("T")


class CutAt(Generic[T]):
    """Awaitable that does ``work`` in the awaiting task, and cancels this task at wait ``number`` of ``work``, from 0."""

    def __init__(self, work: Coroutine[Any, Any, T], number: int) -> None:
        self.work, self.number = work, number

    def __await__(self) -> Generator[Any, None, T]:
        task = asyncio.current_task()
        assert task is not None
        thrown: BaseException | None = None
        for waits in count():
            try:
                waited = self.work.throw(thrown) if thrown else self.work.send(None)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            if waits == self.number:
                task.cancel()  # takes effect at the next wait
            thrown = None
            try:
                yield waited
            except BaseException as error:
                thrown = error
        raise AssertionError("unreachable")


async def test_command_cancelled_at_any_wait_is_done_completely_or_not_at_all(
    database: Database, setup: Seeder, vault: Vault
) -> None:
    """The test cancels the command once at each wait for the database or for the lock, connecting included."""
    site = await setup.site("House", "Clinic")
    queue_id = await setup.queue(site.id, "Blood tests", "A")
    executor = Executor(database, vault, publish=lambda *_: None)
    command = IssueTicket(queue_id=queue_id)

    async def cut(number: int) -> bool:
        try:
            await CutAt(executor.execute(command, actor="staff:1", command_id=f"cut-{number}"), number)
        except asyncio.CancelledError:
            return True
        return False

    cuts = 0
    while await asyncio.create_task(cut(cuts)):
        cuts += 1
    assert cuts > LEAST_WAITS, "the command waits for each of its statements"
    done = cuts + 1  # the last cut was beyond the last wait, so its command was completed
    answers = [await executor.execute(command, actor="staff:1", command_id=f"cut-{number}") for number in range(done)]
    assert len({answer.body["entry"]["id"] for answer in answers}) == done
    assert len({answer.body["token"] for answer in answers}) == done
    assert any(answer.repeated for answer in answers)
    assert any(not answer.repeated for answer in answers)
    board = await Boards(database).board(site.id)
    assert len(board.entries) == len(board.visits) == done
    async with database.read() as connection:
        recorded = await connection.run_sync(event_log.since, site.id, 0)
    assert [each.seq for each in recorded] == list(range(1, board.site.seq + 1))
    # No connection is broken or lost: the pool can hand out all of them at once.
    await asyncio.gather(*(database.now() for _ in range(20)))
    pool = database.engine.pool
    assert pool.status().count("Current Checked out connections: 0") == 1, pool.status()
