"""Migrations: they give a database the tables of this version."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from server.store.database import Database, translated

PROOFS = "0012"  # the migration that adds proofs, for which it has no key
UNFINISHED = "unfinished-move"  # the version of a database while `nowserving move` fills it


class UnfinishedMove(Exception):
    """The database is the target of a move that has not finished. No client sees this: such a server does not start."""

    def __init__(self) -> None:
        super().__init__(
            "This database is the target of a move that has not finished. Run `nowserving move` again, or use another "
            "database."
        )


class NewerTables(Exception):
    """The database has the tables of a newer version. No client sees this: such a server does not start.

    A server that runs already goes on beside them, because migrations first add.
    """

    def __init__(self, at: str) -> None:
        self.at = at
        super().__init__(
            f"The database has the tables of a newer version (migration {at}). Install that version, or restore a backup "
            "that this version made."
        )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@cache
def _scripts() -> ScriptDirectory:
    """Return the scripts of this version. They do not change while a process runs, and reading them all takes time."""
    return ScriptDirectory.from_config(_config())


async def migrate(database: Database) -> list[str]:
    """Migrate the database to this version; return the revisions that were applied.

    Raises `Unavailable`, `NewerTables`.
    """
    async with database.read() as connection:
        revisions = lacking(await connection.run_sync(revision))
    if revisions:
        with translated():
            async with database.engine.begin() as writing:
                await writing.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
    return revisions


def revision(connection: Connection) -> str | None:
    """Return the revision of the database, or None if it has no tables. Raises `UnfinishedMove`."""
    found = version_of(connection)
    if found == UNFINISHED:
        raise UnfinishedMove()
    return found


def version_of(connection: Connection) -> str | None:
    """Return the version that the database has, which can be `UNFINISHED`."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(at: str) -> bool:
    """Return whether this version has the revision ``at``: a newer version may have made it."""
    return any(script.revision == at for script in _scripts().walk_revisions())


def lacking(at: str | None) -> list[str]:
    """Return the revisions from ``at``, which is applied, to this version, in order. Raises `NewerTables`."""
    if at is not None and not knows(at):
        raise NewerTables(at)
    return [script.revision for script in _scripts().iterate_revisions("head", at or "base")][::-1]
