"""Unique keys in the database refuse a second guest, open entry or label, independent of the code."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from sqlalchemy import insert, update

from server.domain.model import Entry, Visit
from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store.database import Conflict, Database
from server.store.tables import entries, visits


@pytest.fixture
async def seeded(setup: Seeder) -> Seed:
    return await setup.seed(points=2, tickets=3, displays=0)


async def _entries(database: Database, seeded: Seed) -> list[Entry]:
    board = await Boards(database).board(seeded["site_id"])
    return [board.entries[key] for key in sorted(board.entries)]


async def test_point_has_one_guest(database: Database, seeded: Seed) -> None:
    first, second, _ = await _entries(database, seeded)
    point = seeded["point_ids"][0]
    async with database.write() as connection:
        await connection.execute(update(entries).where(entries.c.id == first.id).values(state="serving", point_id=point))
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await connection.execute(update(entries).where(entries.c.id == second.id).values(state="called", point_id=point))
    async with database.write() as connection:  # once the first has left, the point is free
        await connection.execute(update(entries).where(entries.c.id == first.id).values(state="completed"))
        await connection.execute(update(entries).where(entries.c.id == second.id).values(state="called", point_id=point))


async def test_visit_has_one_open_entry(database: Database, seeded: Seed) -> None:
    first, *_ = await _entries(database, seeded)
    twin = replace(first, id=first.id + 1000)
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await connection.execute(insert(entries).values(**asdict(twin)))
    async with database.write() as connection:
        await connection.execute(update(entries).where(entries.c.id == first.id).values(state="transferred"))
        await connection.execute(insert(entries).values(**asdict(twin)))


async def test_label_is_unique_in_a_day(database: Database, seeded: Seed) -> None:
    board = await Boards(database).board(seeded["site_id"])
    visit: Visit = board.visits[min(board.visits)]
    twin = replace(visit, id=visit.id + 1000, token_hash="another")
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await connection.execute(insert(visits).values(**asdict(twin)))
    async with database.write() as connection:
        await connection.execute(insert(visits).values(**asdict(replace(twin, business_day="2001-01-01"))))
