"""Random days through the real store, on each engine: every command, in a random order."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from sqlalchemy import select

from server.domain.commands import COMMANDS, Hold, IssueTicket, Undo
from server.domain.errors import InvalidField, NotFound, Refused
from server.queries.boards import Boards
from server.queries.replaying import verify_time
from server.seeding import Seeder
from server.store import event_log
from server.store.database import Database
from server.store.tables import intervals
from tests.support.sites_in_databases import StoredSite
from tests.support.worlds import ACTIONS, facts

TURNS, MOST_TURNS = 400, 2_000
# The share of the kinds of commands that have to succeed. The time of day decides which of them can.
ENOUGH = 0.7


@pytest.mark.parametrize("seed", [1, 2])
async def test_rows_equal_the_log_after_random_commands(setup: Seeder, database: Database, seed: int) -> None:
    """After every few commands, the board that follows the log equals the board of the rows. The numbers have no gap."""
    chance = random.Random(seed)
    seeded = await setup.seed(points=3, tickets=6, displays=0)
    site_id = seeded["site_id"]
    done: set[str] = set()
    site = StoredSite(database, site_id, setup.executor.vault)
    compared = 0
    actions = [action for action in ACTIONS if action not in ("night", "close-day", "tick")] + ["close-day"]
    for turn in range(MOST_TURNS):
        if turn >= TURNS and len(done) > ENOUGH * len(COMMANDS):
            break
        kept = setup.executor._boards.get(site_id)  # None after a refusal, if the clock had to act first
        board = await Boards(database).board(site_id) if turn % 20 == 0 or kept is None else kept
        if kept is not None and turn % 20 == 0:
            assert facts(kept) == facts(board)
            compared += 1
        command = (await site.world(board)).command(chance.choice(actions), chance.randrange(1000))
        with suppress(Refused, NotFound, InvalidField):
            answer = await setup.do(command)
            done.add(command.name_on_wire())
            site.learn(answer)
    async with database.read() as connection:
        recorded = await connection.run_sync(event_log.since, site_id, 0)
    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    assert (await verify_time(database, site_id)).problems == []
    assert compared > 5
    assert len(done) > ENOUGH * len(COMMANDS), done


async def test_undone_step_ends_no_interval(setup: Seeder, database: Database) -> None:
    """A hold is undone: the wait continues, and its interval is counted once, as a whole."""
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    entry_id = (await setup.do(IssueTicket(queue_id=seeded["queue_ids"][0])))["entry"]["id"]
    before = (await Boards(database).board(seeded["site_id"])).entries[entry_id]
    await setup.do(Hold(entry_id=entry_id))
    await setup.do(Undo(entry_id=entry_id))
    async with database.read() as connection:
        assert (await connection.execute(select(intervals))).all() == []
    await setup.do(Hold(entry_id=entry_id))
    async with database.read() as connection:
        (row,) = (await connection.execute(select(intervals))).all()
    assert (row.state, row.started_at) == ("waiting", before.since)
