"""Commands that are given up: wherever one is cut, all of it was done or nothing, and its repeat tells which."""

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
    """Does ``work`` in the task that awaits this, and cancels that task as ``work`` waits for the ``number``-th time."""

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
                task.cancel()  # which reaches it as soon as it waits
            thrown = None
            try:
                yield waited
            except BaseException as error:
                thrown = error
        raise AssertionError("unreachable")


async def test_a_command_cut_anywhere(database: Database, setup: Seeder, vault: Vault) -> None:
    """Once at each place where it waits for the database or for its turn, its connecting included."""
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
    assert cuts > LEAST_WAITS, "it waits for each of its statements"
    done = cuts + 1  # the last of them was longer than it waits, and so was not cut
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
    # Every connection is whole, and none is lost: as many as there are can be had at once.
    await asyncio.gather(*(database.now() for _ in range(20)))
    pool = database.engine.pool
    assert pool.status().count("Current Checked out connections: 0") == 1, pool.status()
