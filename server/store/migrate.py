"""Migrations: bringing a database to the tables of this version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from server.store.database import Database, translated


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database) -> list[str]:
    """Bring the database to this version; return the revisions that were applied. Raises `Unavailable`."""
    lacking = await pending(database)
    if lacking:
        with translated():
            async with database.engine.begin() as connection:
                await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
    return lacking


async def pending(database: Database) -> list[str]:
    """Return the revisions that the database still lacks, in order. Raises `Unavailable`."""
    scripts = ScriptDirectory.from_config(_config())

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    with translated():
        async with database.engine.connect() as connection:
            at = await connection.run_sync(current)
    revisions = [script.revision for script in scripts.iterate_revisions("head", at or "base")]
    return revisions[::-1]
