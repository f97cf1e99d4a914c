"""Scratch databases: where a backup is restored and verified before it counts, and before a restore replaces anything.

Of an embedded database, a scratch is a file beside it. Of a server, it is another schema there, named after the database.
A restore exchanges the tables of both in one statement, or copies the pages in one transaction.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from server.store.database import Database, translated

INFIX = "_scratch_"
LONGEST_NAME = 64  # of a schema
PAGES = 2_000  # between two looks at whether to stop
BUSY_SECONDS = 30.0
LOCK_SECONDS = 60


class NoScratch(Exception):
    """The account may not create a scratch schema. ``database`` is the name of the installation's own."""

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(database)


class InUse(Exception):
    """The tables are locked for too long by somebody who uses them."""


def table_counts(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table, by its name."""
    quote = connection.dialect.identifier_preparer.quote
    names = sorted(inspect(connection).get_table_names())
    return {name: int(connection.execute(text(f"SELECT COUNT(*) FROM {quote(name)}")).scalar_one()) for name in names}  # noqa: S608 # nosec B608 # names of our own tables


# A server of the MySQL family


def schemas_of(database: str) -> str:
    """Return the beginning of the names of a database's scratch schemas."""
    return f"{database[: LONGEST_NAME - len(INFIX) - 16]}{INFIX}"


async def create_schema(database: Database) -> URL:
    """Create an empty scratch schema on the server of ``database``; return its URL. Raises `NoScratch`, `Unavailable`."""
    own = database.url.database or ""
    name = f"{schemas_of(own)}{secrets.token_hex(8)}"
    with translated():
        async with database.engine.connect() as connection:
            try:
                await connection.exec_driver_sql(f"CREATE DATABASE `{name}`")
            except DBAPIError as error:
                if error.orig is not None and error.orig.args[:1] in ((1044,), (1227,)):  # access denied
                    raise NoScratch(own) from None
                raise
    return database.url.set(database=name)


async def drop_schema(database: Database, name: str) -> None:
    """Drop a scratch schema of ``database``. Raises `Unavailable`."""
    assert name.startswith(schemas_of(database.url.database or "")), "only scratch schemas are dropped"
    with translated():
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql(f"DROP DATABASE IF EXISTS `{name}`")


async def forgotten_schemas(database: Database) -> list[str]:
    """Return the scratch schemas that killed processes left. The caller holds the lease of backups. Raises `Unavailable`."""
    prefix = schemas_of(database.url.database or "")
    with translated():
        async with database.engine.connect() as connection:
            rows = await connection.exec_driver_sql("SELECT schema_name FROM information_schema.schemata")
            return [str(name) for (name,) in rows if str(name).startswith(prefix)]


async def exchange(database: Database, scratch: str, old: str) -> None:
    """Give ``database`` the tables of the schema ``scratch``, and the schema ``old`` its own ones, in one statement.

    Raises `InUse`, `Unavailable`.
    """
    own = database.url.database or ""
    with translated():
        async with database.engine.connect() as connection:
            moves = []
            for source, target in ((own, old), (scratch, own)):
                rows = await connection.exec_driver_sql(
                    "SELECT table_name FROM information_schema.tables"
                    " WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY table_name",
                    (source,),
                )
                moves += [f"`{source}`.`{name}` TO `{target}`.`{name}`" for (name,) in rows]
            await connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
            try:
                await connection.exec_driver_sql(f"RENAME TABLE {', '.join(moves)}")
            except DBAPIError as error:
                if error.orig is not None and error.orig.args[:1] == (1205,):
                    raise InUse() from error
                raise


# An embedded database


def sqlite_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of every table, by its name."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    names = [str(name) for (name,) in connection.execute(tables)]
    return {name: int(connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]) for name in names}  # noqa: S608 # nosec B608 # names of our own tables


def copy_out(source: Path, target: Path, check: Callable[[], None]) -> dict[str, int]:
    """Copy an embedded database in use to the new file ``target``; return the counts of the copied state.

    ``check`` is called between two parts, and may raise. Raises `sqlite3.Error`, `OSError`.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_opened(source)) as origin, closing(_opened(target)) as copy:
        origin.execute("BEGIN")  # the copy has the state of the first read, also while others write
        counts = sqlite_counts(origin)
        origin.backup(copy, pages=PAGES, progress=lambda *_: check())
        origin.execute("COMMIT")
        copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file
    return counts


def copy_in(source: Path, target: Path) -> None:
    """Give the embedded database ``target`` the content of ``source``, in one transaction: all or nothing.

    Raises `InUse` if somebody else holds the file, `sqlite3.Error`, `OSError`.
    """
    if not target.exists():
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_opened(source)) as origin, closing(_opened(target)) as own:
        try:
            origin.backup(own, pages=-1)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise InUse() from error
            raise


def files_of(folder: Path, prefix: str) -> list[Path]:
    """Return what killed processes left in a folder: the entries whose names begin with ``prefix``."""
    return [each for each in folder.iterdir() if each.name.startswith(prefix)] if folder.is_dir() else []


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", timeout=BUSY_SECONDS, isolation_level=None, uri=True)
