"""Database connections are killed during commands: no command takes effect in part or twice."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy import select

from server.domain.commands import BroadcastMessage, Command
from server.domain.errors import InvalidField, NotFound, Refused, Unavailable
from server.execute import Executor
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store.database import Database
from server.store.migrate import migrate
from server.store.tables import events
from server.vault import Vault
from tests.support.databases import kill_connections
from tests.support.sites_in_databases import StoredSite, StoredWorld
from tests.support.worlds import ACTIONS, facts

SECONDS = 8.0
CALLERS = 6
LEAST_KILLED = 20
LEAST_ANSWERED = 50


async def test_killed_connections_neither_lose_nor_repeat_commands(mysql_url: str, vault: Vault) -> None:
    """Two executors and six callers use every kind of command, while their connections are killed repeatedly.

    A caller repeats after "unavailable" with the same id, as a client does, and finally gets an answer or a refusal.
    """
    databases = [Database(mysql_url), Database(mysql_url)]
    await migrate(databases[0])
    executors = [Executor(each, vault, publish=lambda *_: None) for each in databases]
    seeded = await Seeder(databases[0], executors[0]).seed(points=4, tickets=20, displays=0)
    site_id = seeded["site_id"]
    stored = [StoredSite(each, site_id, vault) for each in databases]
    answered: dict[str, dict[str, Any]] = {}
    stumbles = 0
    stop = asyncio.Event()

    async def caller(number: int) -> None:
        nonlocal stumbles
        chance = random.Random(number)
        executor = executors[number % 2]
        for turn in range(10_000):
            if stop.is_set():
                return
            board = executor._boards.get(site_id)
            if board is None:
                try:
                    board = await Boards(databases[number % 2]).board(site_id)
                except Unavailable:
                    continue
            try:
                command = _command(await stored[number % 2].world(board), chance)
            except Unavailable:
                continue
            command_id = f"{number}-{turn}"
            for _ in range(50):
                try:
                    answer = await executor.execute(command, actor=f"staff:{number}", command_id=command_id)
                    answered[command_id] = answer.body
                    stored[number % 2].learn(answer.body)
                    break
                except Unavailable:
                    stumbles += 1
                    await asyncio.sleep(0.05)
                except (Refused, NotFound, InvalidField):
                    break
            else:
                pytest.fail("no answer after fifty repeats")

    killed: list[int] = []
    killer = asyncio.create_task(asyncio.to_thread(kill_connections, mysql_url, stop, killed))
    callers = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
    await asyncio.sleep(SECONDS)
    async with asyncio.timeout(300):  # a busy machine needs longer
        while len(killed) < LEAST_KILLED or len(answered) < LEAST_ANSWERED:  # noqa: ASYNC110 - threads and tasks add to both
            await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*callers, killer)

    done: dict[str, list[int]] = defaultdict(list)
    async with databases[0].read() as connection:
        rows = (
            await connection.execute(
                select(events.c.seq, events.c.command_id).where(events.c.site_id == site_id).order_by(events.c.seq)
            )
        ).all()
    for row in rows:
        done[row.command_id].append(row.seq)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    for command_id, answer in answered.items():
        assert done[command_id] == [event["seq"] for event in answer["events"]], "done once, with the events of the answer"
    callers_ids = {command_id for command_id in done if command_id.partition("-")[0] in map(str, range(CALLERS))}
    assert callers_ids <= set(answered), "every recorded command was answered"
    for executor in executors:
        await executor.execute(_harmless_command(site_id), actor="staff:0", command_id=f"last-{id(executor)}")
    fresh = await Boards(databases[0]).board(site_id)
    assert facts(executors[1]._boards[site_id]) == facts(fresh)
    for database in databases:
        await database.close()


def _command(world: StoredWorld, chance: random.Random) -> Command:
    action = chance.choice([each for each in ACTIONS if each not in ("night", "tick", "close-day", "close-point")])
    return world.command(action, chance.randrange(1000))


def _harmless_command(site_id: int) -> Command:
    return BroadcastMessage(site_id=site_id, message=None)
