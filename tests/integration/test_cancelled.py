"""Commands that are given up: wherever one is cut, all of it was done or nothing, and its repeat tells which."""

from __future__ import annotations

import asyncio

from server.domain.commands import IssueTicket
from server.execute import Executor
from server.queries.boards import Boards
from server.setup import Setup
from server.store import log
from server.store.database import Database
from server.store.vault import Vault

CUTS = 40
LONGEST_SECONDS = 0.03


async def test_a_command_cut_anywhere(database: Database, setup: Setup, vault: Vault) -> None:
    site = await setup.site("House", "Clinic")
    queue_id = await setup.queue(site.id, "Blood tests", "A")
    executor = Executor(database, vault, publish=lambda *_: None)
    command = IssueTicket(queue_id=queue_id)
    cut = 0
    for number in range(CUTS):
        try:
            async with asyncio.timeout(LONGEST_SECONDS * number / CUTS):
                await executor.execute(command, actor="staff:1", command_id=f"cut-{number}")
        except TimeoutError:
            cut += 1
    assert cut > CUTS / 8, "hardly any was cut: it proves nothing"
    answers = [await executor.execute(command, actor="staff:1", command_id=f"cut-{number}") for number in range(CUTS)]
    assert len({answer.body["entry"]["id"] for answer in answers}) == CUTS
    assert len({answer.body["token"] for answer in answers}) == CUTS
    assert any(answer.repeated for answer in answers)
    assert any(not answer.repeated for answer in answers)
    board = await Boards(database).board(site.id)
    assert len(board.entries) == len(board.visits) == CUTS
    async with database.read() as connection:
        recorded = await connection.run_sync(log.since, site.id, 0)
    assert [each.seq for each in recorded] == list(range(1, board.site.seq + 1))
    # Every connection is whole, and none is lost: as many as there are can be had at once.
    await asyncio.gather(*(database.now() for _ in range(20)))
    pool = database.engine.pool
    assert pool.status().count("Current Checked out connections: 0") == 1, pool.status()
