"""A private MariaDB, or the server that ``NOWSERVING_TEST_DATABASE_URL`` names; and fresh databases on it."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
from sqlalchemy import URL, make_url

from tests.support.processes import free_port, listens, program, running, wait_until

NOTHING: Mapping[str, str] = {}


@contextmanager
def mariadb(folder: Path, *options: str, buffer_pool: str = "64M", variables: Mapping[str, str] = NOTHING) -> Iterator[URL]:
    """Run a private MariaDB in ``folder`` with extra ``options``; yield the URL of its root account, without a database.

    ``variables`` are added to the environment of its process.
    """
    port = free_port()
    install_mariadb(folder)
    with mariadb_process(folder, port, *options, buffer_pool=buffer_pool, variables=variables):
        yield URL.create("mysql+aiomysql", "root", "", "127.0.0.1", port)


def install_mariadb(folder: Path) -> None:
    """Make the data of an empty MariaDB in ``folder``."""
    data = folder / "data"
    # A MariaDB that starts deletes every temporary table in its temporary folder, also those of the others there.
    own = folder / "tmp"
    own.mkdir(parents=True)
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    installed = subprocess.run(
        [
            program("mariadb-install-db", "mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={own}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *as_root,
        ],
        check=False,  # the assertion shows what it says
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr


@contextmanager
def mariadb_process(
    folder: Path, port: int, *options: str, buffer_pool: str = "64M", variables: Mapping[str, str] = NOTHING
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the MariaDB of `install_mariadb`; yield its process when it answers."""
    data, log, own = folder / "data", folder / "mariadb.log", folder / "tmp"
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    command = [
        program("mariadbd", "mariadb-server"),
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={folder / 's'}",
        f"--pid-file={folder / 'pid'}",
        f"--tmpdir={own}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=2",  # a crash of the machine is not part of any test
        f"--innodb-buffer-pool-size={buffer_pool}",
        "--max-connections=300",
        *options,
        *as_root,
    ]
    with running(command, log, {**os.environ, **variables}) as process:
        wait_until(lambda: listens(port), "MariaDB", process)
        yield process


def connect(url: URL) -> pymysql.Connection:
    """Return a blocking connection with autocommit to a server of the MySQL family."""
    return pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        autocommit=True,
    )


@contextmanager
def fresh_database(server: URL) -> Iterator[str]:
    """Yield the URL of an empty database on ``server``, dropped afterwards.

    If the account has no right to create databases, its own database is used, after its tables are dropped.
    """
    name = f"nowserving_test_{secrets.token_hex(6)}"
    connection = connect(server)
    try:
        with connection.cursor() as cursor:
            try:
                cursor.execute(f"CREATE DATABASE {name}")
            except pymysql.err.OperationalError:
                if server.database is None:
                    raise
                _empty(connection, server.database)
                yield server.render_as_string(hide_password=False)
                return
            try:
                yield server.set(database=name).render_as_string(hide_password=False)
            finally:
                cursor.execute("SET SESSION lock_wait_timeout = 60")  # a transaction that a failed test left open
                cursor.execute(f"DROP DATABASE {name}")
    finally:
        connection.close()


def _empty(connection: pymysql.Connection, database: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (database,))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE `{database}`.`{table}`")


def named_server() -> URL | None:
    """Return the server that the environment names, or None."""
    url = os.environ.get("NOWSERVING_TEST_DATABASE_URL")
    return make_url(url) if url else None


_OTHERS = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"


def kill_connections(url: str, stop: asyncio.Event, killed: list[int]) -> None:
    """Kill other connections to the database at random until ``stop`` is set; note each in ``killed``."""
    chance = random.Random(7)
    name = make_url(url).database
    connection = connect(make_url(url))
    try:
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(_OTHERS, (name,))
                for (identifier,) in cursor.fetchall():
                    if chance.random() < 0.5:
                        with suppress(pymysql.err.OperationalError):  # already closed
                            cursor.execute(f"KILL {int(identifier)}")
                            killed.append(int(identifier))
                time.sleep(chance.uniform(0.02, 0.3))
    finally:
        connection.close()
