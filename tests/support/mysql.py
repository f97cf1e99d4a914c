"""A private MySQL that `tests/mysql.sh` unpacked, and pytest on it: ``python -m tests.support.mysql FOLDER TESTS``."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.support.processes import free_port, listens, program, running, wait_until

LIBRARIES = "usr/lib/x86_64-linux-gnu"
ACCOUNT = "tests"
UNPACKED = "NOWSERVING_TEST_MYSQL"  # the variable that names the unpacked MySQL, for tests with a server of their own


@contextmanager
def mysql(unpacked: Path, folder: Path, *options: str) -> Iterator[URL]:
    """Run the MySQL of ``unpacked`` with its data in ``folder``; yield the URL of an account that may do everything.

    Without extra ``options`` it has no binary log.
    """
    data, port, password = folder / "data", free_port(), secrets.token_hex(12)
    first = folder / "first.sql"
    # A login by TCP has the host 127.0.0.1; the account of a new data directory has localhost.
    first.write_text(
        f"CREATE USER IF NOT EXISTS '{ACCOUNT}'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO '{ACCOUNT}'@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    command = [
        *_loaded(unpacked, "usr/sbin/mysqld"),
        "--no-defaults",
        f"--basedir={unpacked / 'usr'}",
        f"--lc-messages-dir={unpacked / 'usr/share/mysql'}",
        f"--datadir={data}",
        *(["--user=root"] if os.geteuid() == 0 else []),
    ]
    made = subprocess.run([*command, "--initialize-insecure"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    command += [
        f"--init-file={first}",
        f"--socket={folder / 's'}",
        f"--pid-file={folder / 'pid'}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--mysqlx=OFF",
        "--secure-file-priv=NULL",  # Debian's folder for this is not there
        "--skip-name-resolve",
        *(options or ["--disable-log-bin"]),
        "--performance-schema=OFF",
        "--innodb-flush-log-at-trx-commit=2",  # a crash of the machine is not part of any test
        "--innodb-doublewrite=OFF",
        "--innodb-buffer-pool-size=64M",
        "--max-connections=300",
    ]
    with running(command, folder / "mysql.log") as process:
        wait_until(lambda: listens(port), "MySQL", process)
        yield URL.create("mysql+aiomysql", ACCOUNT, password, "127.0.0.1", port)


def put_tools(folder: Path) -> None:
    """Put the tools `mysqldump` and `mysql` into a folder: of the unpacked MySQL, or MariaDB's under these names."""
    unpacked = os.environ.get(UNPACKED)
    for name, other in (("mysqldump", "mariadb-dump"), ("mysql", "mariadb")):
        tool = folder / name
        if unpacked is None:
            tool.symlink_to(program(other, "mariadb-client"))
            continue
        command = " ".join(shlex.quote(each) for each in _loaded(Path(unpacked), f"usr/bin/{name}"))
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        tool.chmod(0o755)


def _loaded(unpacked: Path, name: str) -> list[str]:
    """Return the command of an unpacked program, with its own loader: its libraries are newer than those of this machine."""
    library = unpacked / LIBRARIES
    return [str(library / "ld-linux-x86-64.so.2"), "--library-path", str(library), str(unpacked / name)]


def main(unpacked: Path, arguments: list[str]) -> int:
    """Run pytest on a private MySQL; return its status."""
    with tempfile.TemporaryDirectory(prefix="mysql-") as folder, mysql(unpacked, Path(folder)) as url:
        variables = {
            **os.environ,
            "NOWSERVING_TEST_DATABASE_URL": url.render_as_string(hide_password=False),
            UNPACKED: str(unpacked),
        }
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
