"""The tools of the MySQL family: one writes the statements of a database, the other does them. No shell takes part.

The password is in a file that only this user can read, for as long as the tool runs. Neither a command line nor the
environment has it. A tool that is missing, fails or is cut off raises `BackupFailed`.
"""

from __future__ import annotations

import re
import shutil
import subprocess  # nosec B404 # the dump tools, without a shell
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sqlalchemy import URL

from server.backups.errors import BackupFailed

READ_BYTES = 256 * 1024
PACKAGE = "mariadb-client"
_DUMP = ("mariadb-dump", "mysqldump")
_CLIENT = ("mariadb", "mysql")
_TLS = {"ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key"}
_TEXT = re.compile(rb"'(?:[^'\\]|\\.)*'")
_INTO = re.compile(rb"INSERT INTO `([^`]+)`[^']*? VALUES ?")
_PLACE = re.compile(rb"MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)")
_GENERATED = re.compile(rb"  (`\w+` [^(]*?(?:\([^)]*\))?[^(]*?)( GENERATED ALWAYS AS \(.*\) STORED)(.*?)(,?)$")
Check = Callable[[], None]
Work = Callable[[], None]


class RowCounter:
    """Counts the rows in the statements of a dump, by table, while the dump passes by."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.place: str | None = None  # in the binary log, where the dump names it
        self._rest = b""
        self._table: str | None = None
        self._ended = False

    def pass_by(self, content: bytes) -> None:
        """Count the whole lines so far. A text in a dump has no line break: the tool writes one as two characters."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._line(line)

    def end(self) -> dict[str, int]:
        """Return the counts of all tables. Raises `BackupFailed` if the dump has no end."""
        self._line(self._rest)
        if not self._ended:
            raise BackupFailed("The dump has no end: the dump tool stopped early.")
        return self.counts

    def _line(self, line: bytes) -> None:
        if line.startswith(b"CREATE TABLE `"):
            self.counts[line.split(b"`", 2)[1].decode()] = 0
        elif line.startswith(b"INSERT INTO `"):
            found = _INTO.match(line)
            if found is None:
                raise BackupFailed("The dump has a statement that nobody can count. Report the version of the dump tool.")
            self._table = found[1].decode()
            self._values(line[found.end() :])
        elif line.startswith(b"(") and self._table is not None:
            self._values(line)
        elif line.startswith(b"-- Dump completed"):
            self._ended = True
        elif self.place is None and (place := _PLACE.search(line)):
            self.place = f"{place[1].decode()}:{int(place[2])}"

    def _values(self, values: bytes) -> None:
        if values and self._table is not None:
            self.counts[self._table] = self.counts.get(self._table, 0) + _TEXT.sub(b"", values).count(b"(")


def with_late_columns(dump: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a dump whose generated columns are plain until the rows are there.

    MariaDB's tool writes values for generated columns, which MySQL refuses. MySQL can make a plain column a stored one.
    """
    rest, table, late = b"", b"", []
    for content in dump:
        *lines, rest = (rest + content).split(b"\n")
        for number, line in enumerate(lines):
            if line.startswith(b"CREATE TABLE `"):
                table = line.split(b"`", 2)[1]
            elif line.startswith(b"  `") and (found := _GENERATED.match(line)):
                column, rule, more, comma = found.groups()
                late.append(b"ALTER TABLE `%b` MODIFY COLUMN %b%b%b;\n" % (table, column, rule, more))
                lines[number] = b"  %b%b%b" % (column, more, comma)
            elif line.startswith(b"-- Dump completed"):
                lines[number] = b"".join(late) + line
        yield b"".join(line + b"\n" for line in lines)
    yield rest


def dump(url: URL, *, with_place: bool, check: Check) -> Iterator[bytes]:
    """Yield the statements that make a database: one consistent view of it, also while others write.

    With ``with_place``, the first lines name the place of this view in the binary log of MariaDB. Raises `BackupFailed`.
    """
    options = ["--single-transaction", "--quick", "--skip-lock-tables", "--no-tablespaces", "--skip-triggers"]
    options += ["--skip-add-locks", "--skip-dump-date", "--hex-blob", "--default-character-set=utf8mb4"]
    options += ["--loose-set-gtid-purged=OFF", "--loose-column-statistics=0"]  # of MySQL's own tool
    if with_place:
        options.append("--master-data=2")
    with _connecting(url) as connecting:
        command = [_program(_DUMP), connecting, *options, url.database or ""]
        yield from _output(command, "The dump", check)


def load(url: URL, statements: Iterable[bytes]) -> None:
    """Do the statements of a dump in a database. Raises `BackupFailed`, and the errors of ``statements``."""
    with _connecting(url) as connecting:
        command = [_program(_CLIENT), connecting, "--default-character-set=utf8mb4", "--binary-mode", url.database or ""]
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors) as process:  # nosec B603 # our own arguments, without a shell
                assert process.stdin is not None
                try:
                    with suppress(BrokenPipeError):  # the status tells why
                        for each in statements:
                            process.stdin.write(each)
                    with suppress(BrokenPipeError):
                        process.stdin.close()
                except BaseException:
                    process.kill()
                    with suppress(BrokenPipeError):
                        process.stdin.close()
                    raise
            _demand_success(process, errors, "The statements of the backup")


def _output(command: list[str], what: str, check: Check) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process:  # nosec B603 # our own arguments, without a shell
            assert process.stdout is not None
            try:
                while content := process.stdout.read(READ_BYTES):
                    check()
                    yield content
            except BaseException:
                process.kill()
                raise
        _demand_success(process, errors, what)


def _demand_success(process: subprocess.Popen[bytes], errors: IO[bytes], what: str) -> None:
    if process.returncode == 0:
        return
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    why = said[-1][:300] if said else f"status {process.returncode}"
    raise BackupFailed(f"{what} failed: {why}")


def _program(names: Sequence[str]) -> str:
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    raise BackupFailed(
        f"{' or '.join(names)} is not installed. Install the tools of the database: on Debian, the package {PACKAGE}."
    )


@contextmanager
def _connecting(url: URL) -> Iterator[str]:
    """Yield the option that tells a tool how to connect. Its file exists inside this block alone."""
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    lines = ["[client]", f"user={_quoted(url.username or '')}", f"password={_quoted(str(url.password or ''))}"]
    if "unix_socket" in query:
        lines.append(f"socket={_quoted(query['unix_socket'])}")
    else:
        lines += [f"host={_quoted(url.host or '127.0.0.1')}", f"port={url.port or 3306}", "protocol=tcp"]
    tls = [f"{option}={_quoted(query[name])}" for name, option in _TLS.items() if name in query]
    # The server itself connects without TLS unless its URL asks for it; each tool knows one of these words.
    lines += tls or ["loose-skip-ssl", "loose-ssl-mode=DISABLED", "loose-get-server-public-key"]
    with tempfile.TemporaryDirectory(prefix="nowserving-") as folder:
        file = Path(folder) / "client.cnf"
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n")
        yield f"--defaults-file={file}"


def _quoted(value: str) -> str:
    """Return a value of an option file. Between quotes, only the backslash and the quote are special."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Stop:
    """Tells the steps of a backup, which run in a thread, to end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End the present step soon."""
        self._event.set()

    def check(self) -> None:
        """Raise `BackupFailed` if the step must end."""
        if self._event.is_set():
            raise BackupFailed("The backup was stopped.")
