"""`nowserving backup` and `restore` as an operator runs them: where something is missing, nothing is left behind."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from server.installation.keys import random_key
from tests.support.databases import connect, fresh_database
from tests.support.mysql import put_tools
from tests.support.processes import wait_until
from tests.support.server import ROOT, command_line, environment, nowserving, seed, serving

PASSWORD = "a\"b'c#d\\e f$;`x`"


@pytest.fixture(params=["sqlite", "mysql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the environment of an installation with a site, a folder for backups, and one backup in it."""
    env = environment(request.getfixturevalue(f"{request.param}_url"), NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=2, displays=1)
    made = command_line(env, "backup")
    assert made.returncode == 0, made.stderr
    return env


def backups_of(env: Mapping[str, str]) -> list[str]:
    return sorted(each.name for each in Path(env["NOWSERVING_BACKUP_FOLDER"]).iterdir())


def last_of(env: Mapping[str, str]) -> str:
    """Return the line of `nowserving check` about backups."""
    checked = command_line(env, "check")
    return next(line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("backup: "))


def refused(env: Mapping[str, str], **options: Any) -> str:
    """Run `nowserving backup`, which must fail, and change neither the folder nor the record; return what it said."""
    files, last = backups_of(env), last_of(env)
    command = [sys.executable, "-m", "server.cli", "backup"]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT), **env}, capture_output=True, text=True, check=False, timeout=120, **options
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (backups_of(env), last_of(env)) == (files, last)
    return done.stderr


def test_full_disk_gives_no_backup(installation: dict[str, str], tmp_path: Path) -> None:
    """A limit on the size of each file refuses the bytes of the backup, as a full disk does."""
    embedded = "sqlite" in installation["NOWSERVING_DATABASE_URL"]
    most = 400_000 if embedded else 8_192
    said = refused(installation, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    assert "could not be" in said
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("way", ["removed", "dies", "early"])
def test_dump_tool_that_fails_gives_no_backup(mysql_url: str, tmp_path: Path, way: str) -> None:
    env = environment(mysql_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    assert command_line(env, "backup").returncode == 0
    tools = tmp_path / "tools"
    tools.mkdir()
    if way == "removed":
        said = refused(env | {"PATH": str(tools)})
        assert "is not installed" in said
        assert "mariadb-client" in said
        return
    shim(tools, f'/usr/bin/mariadb-dump "$@" 2>/dev/null | head -c 20000\n{"kill -9 $$" if way == "dies" else ""}')
    said = refused(env | {"PATH": f"{tools}:{env['PATH']}"})
    assert ("failed: status -9" if way == "dies" else "no end") in said


def test_tools_of_mysql_do_the_same(mysql_url: str, tmp_path: Path) -> None:
    """Where MariaDB's tools are not installed, `mysqldump` and `mysql` dump and restore."""
    env = environment(mysql_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    tools = tmp_path / "tools"
    tools.mkdir()
    put_tools(tools)
    alone = env | {"PATH": str(tools)}
    made = command_line(alone, "backup")
    assert made.returncode == 0, made.stderr
    restored = command_line(
        alone, "restore", str(next((tmp_path / "b").iterdir())), "--replace", str(make_url(mysql_url).database)
    )
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert command_line(env, "audit", "verify").returncode == 0


def shim(folder: Path, script: str) -> None:
    """Put a dump tool with this script into a folder."""
    tool = folder / "mariadb-dump"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.fixture
def account(database_server: URL) -> Iterator[str]:
    """Yield the URL of an account with all rights on its one database, and no others, and a difficult password."""
    with fresh_database(database_server) as url:
        own = make_url(url)
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        name = f"u{(own.database or '')[-8:]}"
        connection = connect(database_server)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{quoted}'")
                cursor.execute(f"GRANT ALL ON `{own.database}`.* TO '{name}'@'%'")
                yield own.set(username=name, password=PASSWORD).render_as_string(hide_password=False)
                cursor.execute(f"DROP USER '{name}'@'%'")
        finally:
            connection.close()


def test_account_of_one_database_is_told_what_it_lacks(account: str, database_server: URL, tmp_path: Path) -> None:
    """The remedy in the message works. No command line and no environment of a tool has the password."""
    env = environment(account, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    failed = command_line(env, "backup")
    assert failed.returncode == 1
    assert list((tmp_path / "b").iterdir()) == []
    remedy = failed.stderr.partition("GRANT")[2].partition(";")[0].replace("\n", " ")
    connection = connect(database_server)
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT{remedy}")
    connection.close()
    tools = tmp_path / "tools"
    tools.mkdir()
    shim(tools, f'{{ printf "%s\\n" "$@"; env; }} > {tmp_path}/seen\nexec /usr/bin/mariadb-dump "$@"')
    made = command_line(env | {"PATH": f"{tools}:{env['PATH']}"}, "backup")
    assert made.returncode == 0, made.stderr
    seen = [line for line in (tmp_path / "seen").read_text().splitlines() if not line.startswith("NOWSERVING_")]
    assert "--single-transaction" in seen
    assert not any("b'c#d" in line or "%27c" in line for line in seen)
    restored = command_line(
        env, "restore", str(next((tmp_path / "b").iterdir())), "--replace", str(make_url(account).database)
    )
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert command_line(env, "audit", "verify").returncode == 0


def test_backup_moves_to_another_machine_with_its_keys(sqlite_url: str, tmp_path: Path) -> None:
    """An empty machine needs the keys of the old one; other keys open nothing."""
    env = environment(sqlite_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=2, displays=1)
    assert command_line(env, "backup").returncode == 0
    (file,) = (tmp_path / "b").iterdir()
    there = env | {"NOWSERVING_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'there.db'}"}
    other = there | {"NOWSERVING_ENCRYPTION_KEYS": random_key()}
    refused = command_line(other, "restore", str(file))
    assert refused.returncode == 1
    assert "sealed with the key" in refused.stderr
    without = {name: value for name, value in there.items() if not name.endswith(("_KEY", "_KEYS"))}
    lacking = command_line(without, "restore", str(file))
    assert lacking.returncode == 2
    assert "Put the key file back first" in lacking.stderr
    done = command_line(there, "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "new epoch" in done.stdout
    assert command_line(there, "audit", "verify").returncode == 0
    assert "hours old" in last_of(there)
    assert command_line(env, "restore", str(tmp_path / "none")).returncode == 1


def test_server_makes_the_nightly_backup_and_keeps_its_database(sqlite_url: str, tmp_path: Path) -> None:
    """Without Redis the server makes it. `/metrics` tells its age, and a restore waits until the server has ended."""
    env = environment(sqlite_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"), NOWSERVING_HEARTBEAT_SECONDS="0.5")
    seed(env, points=1, tickets=2, displays=1)
    with serving(env, tmp_path) as server, server.client() as client:
        wait_until(lambda: list((tmp_path / "b").glob("*.backup")) != [], "the nightly backup")
        (file,) = (tmp_path / "b").glob("*.backup")
        wait_until(lambda: "nowserving_backup_age_seconds" in client.get("/metrics").text, "the metric")
        running = command_line(env, "restore", str(file), "--replace", "nowserving.db")
        assert running.returncode == 1
        assert "Stop them first" in running.stderr
    done = command_line(env, "restore", str(file), "--replace", "nowserving.db")
    assert done.returncode == 0, done.stdout + done.stderr


def test_worker_makes_the_nightly_backup(mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    """With Redis a worker makes it: of its processes, one."""
    env = environment(mysql_url, redis_url, NOWSERVING_BACKUP_FOLDER=str(tmp_path / "b"))
    seed(env, points=1, tickets=1, displays=0)
    log = tmp_path / "worker.log"
    with nowserving(["worker", "--concurrency", "2"], log, env):
        wait_until(lambda: "backup made" in log.read_text(), "the nightly backup")
    assert len(backups_of(env)) == 1
    (line,) = (each for each in log.read_text().splitlines() if "backup made" in each)
    assert json.loads(line[line.index("{") :])["rows"] > 0
    assert os.path.basename(backups_of(env)[0]) in line
