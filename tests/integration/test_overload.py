"""More commands than a site can do: some are refused at once and have done nothing, the others keep their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select

from server.domain.commands import CallNext, Command, IssueTicket, Tick
from server.domain.errors import Busy, NothingDue
from server.execute import Answer, Executor
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store import event_log
from server.store.database import Database
from server.store.tables import sites
from server.turns import FIRST_GUESS_SECONDS, Turns
from server.vault import Vault

ACCEPTED = 4  # guests that may wait


@asynccontextmanager
async def standing_still(database: Database, site_id: int) -> AsyncIterator[None]:
    """Hold the lock of a site for the length of the block: its commands wait."""
    async with database.write() as connection:
        await connection.execute(select(sites.c.id).where(sites.c.id == site_id).with_for_update())
        yield


async def test_flood_is_refused_at_once_and_its_repeats_are_done(database: Database, setup: Seeder, vault: Vault) -> None:
    seeded = await setup.seed(points=1, tickets=1, displays=0)
    site_id, queue_id = seeded["site_id"], seeded["queue_ids"][0]
    before = await Boards(database).board(site_id)
    turns = Turns(queue_seconds=(ACCEPTED + 0.5) * FIRST_GUESS_SECONDS, now=lambda: 0.0)
    executor = Executor(database, vault, lambda *_: None, turns=turns)

    def send(command: Command, actor: str, key: str) -> asyncio.Task[Answer]:
        return asyncio.create_task(executor.execute(command, actor=actor, command_id=key))

    issue = IssueTicket(queue_id=queue_id)
    async with asyncio.timeout(60), standing_still(database, site_id):
        guests = [send(issue, f"key:{index}", f"guest-{index}") for index in range(20)]
        refused, waiting = guests[ACCEPTED + 1 :], guests[: ACCEPTED + 1]
        await asyncio.wait(refused)
        assert all(isinstance(each.exception(), Busy) for each in refused)
        assert turns.waiting == ACCEPTED

        staff = send(CallNext(point_id=seeded["point_ids"][0]), "staff:1", "staff")
        newest = waiting.pop()
        await asyncio.wait([newest])
        assert isinstance(newest.exception(), Busy), "the member of staff has the place of the newest guest"
        clock = send(Tick(site_id=site_id), "clock", "tick")
        hung_up = waiting.pop()
        hung_up.cancel()
        await asyncio.wait([hung_up])

    done = await asyncio.gather(*waiting, staff)
    try:
        await clock
    except NothingDue:
        pass  # the clock was let in, and had nothing to do
    assert turns.waiting == 0
    assert turns.refused == 16
    first, *others, called = [each.body["seq"] for each in done]
    assert first < called < min(others), "the member of staff came before the guests that waited"
    assert others == sorted(others)
    async with database.read() as connection:
        log = await connection.run_sync(event_log.since, site_id, before.site.seq)
    assert {each.actor for each in log} <= {"key:0", "key:1", "key:2", "staff:1", "clock"}, "the others have done nothing"

    for index in range(20):
        again = await executor.execute(issue, actor=f"key:{index}", command_id=f"guest-{index}")
        assert again.repeated == (index < len(waiting))
    after = await Boards(database).board(site_id)
    assert len(after.entries) == len(before.entries) + 20
