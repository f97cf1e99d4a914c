"""The migrations create the tables that the code describes, on each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, func, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.commands import (
    AddProvider,
    CallNext,
    ChangeSite,
    IssueTicket,
    ReassignProvider,
    StaffPoint,
    Transfer,
)
from server.domain.errors import UserNamesCollide
from server.queries.migrations import pending
from server.queries.verification import verify, verify_rows
from server.seeding import Seeder
from server.store import boards, staff, tables
from server.store.database import Database
from server.store.migrate import _config, migrate
from server.store.proofs import prove_all
from server.store.tables import entries, event_entries, events, metadata
from tests.support import databases
from tests.support.migrated import bring_up, made
from tests.support.vaults import VAULT


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database that the migrations have created."""
    database = Database(database_url)
    await migrate(database)
    yield database
    await database.close()


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
async def test_copied_test_databases_equal_migrated_ones(engine: str, database_server: URL, tmp_path: Path) -> None:
    """The first database may be migrated, the second is a copy. The third is always migrated."""
    found = []
    for number, bring in enumerate((bring_up, bring_up, migrate)):
        with ExitStack() as stack:
            url = f"sqlite+aiosqlite:///{tmp_path / f'{number}.db'}"
            if engine == "mysql":
                url = stack.enter_context(databases.fresh_database(database_server))
            database = Database(url)
            await bring(database)
            assert await pending(database) == []
            async with database.engine.connect() as connection:
                found.append(await connection.run_sync(made))
            await database.close()
    first, copied, migrated = found
    assert first == copied == migrated
    assert len(migrated[0]) >= len(metadata.tables)
    assert "alembic_version" in migrated[1]


async def test_migrate_brings_an_empty_database_to_head(database_url: str) -> None:
    database = Database(database_url)
    try:
        lacking = await pending(database)
        assert lacking
        assert await migrate(database) == lacking
        assert await pending(database) == []
        assert await migrate(database) == []
    finally:
        await database.close()


async def test_migrated_tables_match_the_code(database: Database) -> None:
    """No table, column, type or key differs, and every generated column is generated."""

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
        return list(compare_metadata(context, metadata))

    def generated(connection: Connection) -> set[str]:
        return {column["name"] for column in inspect(connection).get_columns("entries") if "computed" in column}

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(generated) == {"busy_point_id", "open_visit_id"}


async def test_migration_fills_the_entries_of_older_events(setup: Seeder, database: Database) -> None:
    """After a downgrade and an upgrade, each event has its entries again, and the called entry its first call."""
    seed = await setup.seed(points=1, tickets=2, displays=1)
    site_id, point_id = seed["site_id"], seed["point_ids"][0]
    one, other = [
        (await setup.do(AddProvider(site_id=site_id, name=name)))["events"][-1]["provider_id"] for name in ("Ada", "Bea")
    ]
    await setup.do(StaffPoint(point_id=point_id, provider_id=one))
    theirs = (await setup.do(IssueTicket(queue_id=seed["queue_ids"][0], provider_id=one)))["entry"]["id"]
    await setup.do(ReassignProvider(provider_id=one, to_provider_id=other, reason="ill today"))
    called = (await setup.do(CallNext(point_id=point_id)))["entry"]["id"]
    await setup.do(Transfer(entry_id=called, queue_id=await setup.queue(site_id, "Next stage", "N")))

    async def known() -> list[list[tuple[object, ...]]]:
        async with database.read() as connection:
            return [
                sorted(tuple(row) for row in await connection.execute(statement))
                for statement in (
                    select(events.c.seq, events.c.type, func.coalesce(events.c.entry_id, 0)),
                    select(event_entries),
                    select(entries.c.id, func.coalesce(entries.c.first_called_at, 0)),
                )
            ]

    before = await known()
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "0005-1"))
        await connection.execute(update(entries).values(first_called_at=None))
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
    after = await known()
    assert after == before
    named = {kind for _, kind, entry_id in after[0] if entry_id}
    assert named == {"ticket-issued", "ticket-called", "ticket-transferred"}
    assert sum(entry_id == called for _, _, entry_id in after[0]) == 3
    assert [entry_id for entry_id, _ in after[1]] == [theirs]
    assert sum(bool(at) for _, at in after[2]) == 1


async def test_migration_chains_an_older_log(setup: Seeder, database: Database) -> None:
    """The migration computes the same chain for an older log that the commands compute."""
    seed = await setup.seed(points=1, tickets=2, displays=1)
    await setup.do(ChangeSite(site_id=seed["site_id"], names_on_display=True))
    await setup.do(IssueTicket(queue_id=seed["queue_ids"][0], name="Ada Lovelace", name_on_display=True))
    columns = (events.c.seq, events.c.body, events.c.display_name, events.c.hash)
    async with database.read() as connection:
        before = (await connection.execute(select(*columns).order_by(events.c.seq))).all()
    assert before[-1].display_name == "Ada L."
    chains = ScriptDirectory.from_config(_config()).get_revision("0006")
    assert chains is not None

    def without_chains(connection: Connection) -> list[str]:
        command.downgrade(_config(connection), str(chains.down_revision))
        return [column["name"] for column in inspect(connection).get_columns("events")]

    async with database.engine.begin() as connection:
        assert "hash" not in await connection.run_sync(without_chains)
    assert "0006" in await migrate(database)
    async with database.read() as connection:
        assert (await connection.execute(select(*columns).order_by(events.c.seq))).all() == before
    assert [each.broken async for each in verify(database, VAULT)] == ["event 1 has no proof"]
    assert await prove_all(database, VAULT) == len(before) + 5  # and the site, and its staff
    assert [each.problems async for each in verify_rows(database, VAULT) if each.problems] == []
    assert await prove_all(database, VAULT) == 0
    assert [each.broken async for each in verify(database, VAULT)] == [None]


async def test_migration_gives_user_names_their_normal_form(setup: Seeder, database: Database) -> None:
    """A collision stops the migration before its first change, and names each member. It succeeds after a new name."""
    organisation_id = (await setup.site("Clinic", "North")).organisation_id
    added: dict[str, int] = {}
    chains = ScriptDirectory.from_config(_config()).get_revision("0011")
    assert chains is not None
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), str(chains.down_revision)))
        for name in ("Eva", "eva ", "ｅＶＡ\u3000", "Ольга", "ada"):  # noqa: RUF001
            added[name] = await staff.create(
                connection, organisation_id=organisation_id, username=name, password_hash="x", role="manager"
            )

    async def names() -> dict[int, str]:
        async with database.read() as connection:
            return {
                row.id: row.username for row in await connection.execute(select(tables.staff.c.id, tables.staff.c.username))
            }

    before, lacking = await names(), await pending(database)
    for _ in range(2):
        with pytest.raises(UserNamesCollide) as refused:
            await migrate(database)
        for name in ("Eva", "eva ", "ｅＶＡ\u3000"):  # noqa: RUF001
            assert f"{name!r} (id {added[name]})" in refused.value.message
        assert "ada" not in refused.value.message
        assert "Nothing has changed" in refused.value.message
        assert (await names(), await pending(database)) == (before, lacking)
    async with database.write() as connection:
        for number, name in enumerate(("eva ", "ｅＶＡ\u3000")):  # noqa: RUF001
            await connection.execute(
                update(tables.staff).where(tables.staff.c.id == added[name]).values(username=f"EVA-{number}")
            )
    assert await migrate(database) == lacking
    assert sorted((await names()).values()) == ["ada", "eva", "eva-0", "eva-1", "ольга"]


async def test_migration_makes_padded_words_different(setup: Seeder, database: Database) -> None:
    """Rows and JSON survive, and the database then finds "reception " only by its space."""
    seed = await setup.seed(points=1, tickets=2, displays=1)

    name = seed["staff"][0]["username"]

    async def named(connection: AsyncConnection) -> list[str]:
        return list(await connection.scalars(select(tables.staff.c.username).where(tables.staff.c.username == f"{name} ")))

    async with database.engine.begin() as connection:
        before = await connection.run_sync(boards.of_site, seed["site_id"])
        assert await named(connection) == []
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "0010-1"))
        assert await named(connection) == ([] if database.embedded else [name])
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
        assert await named(connection) == []
        after = await connection.run_sync(boards.of_site, seed["site_id"])
    # A site from before the first run needs no first steps.
    assert after.site.milestones == ("checklist-hidden",)
    known = replace(after.site, milestones=before.site.milestones)
    assert (known, after.queues, after.points) == (before.site, before.queues, before.points)
