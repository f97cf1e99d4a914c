"""The binary logs of the MySQL family, read: the statements that repeat the changes of one database in another one.

    4 bytes of magic, a format event, then the groups of events: one for each transaction or change of tables
    event: 19 bytes (second, kind, server, size, end, flags), the body, and 4 bytes of CRC-32 where the format says so

The changes of rows become statements ``BINLOG '...'``: the events themselves, in which only the name of the database is
replaced. `mysqlbinlog` does the same, but it is not installed everywhere, its output differs with its maker, and it says
neither where a log ends nor what it leaves out. Everything that cannot be repeated exactly is refused.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from server.backups.errors import BackupFailed

MAGIC, ENCRYPTED = b"\xfebin", b"\xfdbin"
LONGEST_EVENT = 1 << 30
STATEMENT_BYTES = 2 * 1024 * 1024  # of events in one statement: a server takes 16 MiB at most by default
SECOND = 1_000_000
_HEADER = struct.Struct("<IBIIIH")
_CHECKSUM = 4
_QUERY, _FORMAT, _XID, _TABLE, _ENCRYPTION = 2, 15, 16, 19, 164
_MYSQL_GTIDS, _MYSQL_TAGGED_GTID, _MARIADB_GTID = (33, 34), 42, 162
_COMMITTED_AT = 42  # where the microsecond of its commit begins in the event that begins a group of MySQL
_ROWS = {23, 24, 25, 30, 31, 32, 39}
_SILENT = {
    3,
    4,
    5,
    13,
    14,
    27,
    28,
    29,
    35,
    36,
    37,
    41,
    160,
    161,
    163,
}  # ends of files, lists, notes, variables of statements
_COMPRESSED = {40, 165, 166, 167, 168, 169, 170, 171}
_IN_USE, _IGNORABLE, _STATEMENT_ENDS, _STANDALONE, _NO_FOREIGN_KEYS = 1, 0x80, 1, 1, 1 << 26
_HARMLESS = re.compile(
    r"(FLUSH|GRANT|REVOKE|ANALYZE|OPTIMIZE|CHECK|SET|SAVEPOINT|RELEASE)\b|(CREATE|ALTER|DROP|RENAME)\s+(USER|ROLE)\b"
    r"|(CREATE|DROP)\s+(/\*!\d+\s+)?TEMPORARY\b",
    re.IGNORECASE,
)
_TABLES = re.compile(r"(CREATE|ALTER|DROP|TRUNCATE)\s+(UNIQUE\s+)?(TABLE|INDEX)\b", re.IGNORECASE)
_CHANGES = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE|LOAD)\b", re.IGNORECASE)
_EXCHANGE = re.compile(r"RENAME\s+TABLE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """The changes that are wanted: of the database ``origin``, up to ``until`` (microseconds), as changes of ``into``."""

    origin: str
    into: str
    until: int


@dataclass(frozen=True, slots=True)
class Logs:
    """Binary logs that follow each other, and the name of the one that is missing behind them, if there are later ones."""

    files: list[Path]
    missing: str | None


@dataclass(slots=True)
class Group:
    """The statements of one transaction or of one change of tables, to be done in this order.

    Those ``alone`` cannot be done in a transaction.
    """

    alone: bool = False
    statements: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: int
    second: int
    flags: int
    raw: bytes
    body: bytes


def logs_from(folder: Path, first: str) -> Logs:
    """Return the binary log with the name ``first`` and the later ones, up to the first gap. Raises `BackupFailed`."""
    stem, _, number = first.rpartition(".")
    named = {each.name: each for each in folder.iterdir()} if folder.is_dir() else {}
    found: list[Path] = []
    while (name := f"{stem}.{int(number) + len(found):0{len(number)}d}") in named:
        found.append(named[name])
    if not found:
        raise BackupFailed(f"The folder {folder} lacks the binary log {first}, in which the backup ends.")
    later = any(each.startswith(f"{stem}.") and each[len(stem) + 1 :].isdecimal() and each > name for each in named)
    return Logs(found, name if later else None)


def changes(logs: Logs, start: int, wish: Wish) -> Iterator[Group]:
    """Yield the wanted changes in binary logs, from the place ``start`` of the first one.

    The first change at the instant or later ends them. MySQL's logs have microseconds. MariaDB's have seconds: no change of
    the instant's own second is yielded. Raises `BackupFailed`, also if the logs end before the instant.
    """
    newest = 0
    for number, file in enumerate(logs.files):
        reading = _Reading(wish, file.name)
        for event in _events(file, start if number == 0 else None, last=number == len(logs.files) - 1):
            newest = max(newest, event.second)
            yield from reading.take(event)
            if reading.ended:
                return
    if newest * SECOND < _whole(wish.until):
        if logs.missing is not None:
            raise BackupFailed(f"The binary log {logs.missing} is missing: there are later ones. Copy it, too.")
        told = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise BackupFailed(
            f"The binary logs end at {told} with {logs.files[-1].name}, before the wanted instant. Run FLUSH BINARY LOGS on "
            "the database server and copy its newer logs, or name an instant up to there."
        )


class _Reading:
    """Turns the events of one log into groups of statements."""

    def __init__(self, wish: Wish, name: str) -> None:
        self.ended = False
        self._wish = wish
        self._name = name
        self._format = b""
        self._has_checksums = False
        self._mariadb = False
        self._in_transaction = False
        self._group = Group()
        self._tables: dict[bytes, bytes] = {}  # by number: the events that name our tables, as the target's
        self._rows: list[tuple[bytes, bytes]] = []  # of the present statement: the table's number, the event

    def take(self, event: _Event) -> Iterator[Group]:
        if event.kind == _FORMAT:
            self._has_checksums = _has_checksums(event.raw)
            self._mariadb = b"MariaDB" in event.raw[21:71]
            yield Group(True, self._of_format(event))
        elif event.kind in (*_MYSQL_GTIDS, _MYSQL_TAGGED_GTID, _MARIADB_GTID):
            self._begin(event)
        elif event.kind == _TABLE:
            self._name_table(event)
        elif event.kind in _ROWS:
            self._change(event)
        elif event.kind == _QUERY:
            yield from self._query(event)
        elif event.kind == _XID:
            yield from self._commit()
        elif event.kind in _COMPRESSED:
            raise self._refusal(
                event,
                "compressed changes. Switch log_bin_compress or binlog_transaction_compression off, and take a backup",
            )
        elif event.kind not in _SILENT and not event.flags & _IGNORABLE:
            raise self._refusal(event, f"an event of the kind {event.kind}, which this version cannot repeat")

    def _of_format(self, event: _Event) -> list[str]:
        flags = struct.pack("<H", event.flags & ~_IN_USE)
        statements = [_binlog(event.raw[:17] + flags + event.raw[19:])]
        # Behind a format, MySQL expects the number of the next transaction. The repeated change is a new one here.
        return statements if self._mariadb else [*statements, "SET @@SESSION.GTID_NEXT = 'AUTOMATIC'"]

    def _begin(self, event: _Event) -> None:
        at, until = event.second * SECOND, _whole(self._wish.until)
        if event.kind in _MYSQL_GTIDS and len(event.body) >= _COMMITTED_AT + 7:
            exact = int.from_bytes(event.body[_COMMITTED_AT : _COMMITTED_AT + 7], "little") & ~(1 << 55)
            at, until = exact, self._wish.until
        if at >= until:
            self.ended = True
        self._in_transaction = event.kind == _MARIADB_GTID and not event.body[12] & _STANDALONE
        self._group = Group()
        self._tables.clear()
        self._rows.clear()

    def _name_table(self, event: _Event) -> None:
        length = event.body[8]
        if event.body[9 : 9 + length] != self._wish.origin.encode():
            return
        name = self._wish.into.encode()
        body = event.body[:8] + bytes([len(name)]) + name + event.body[9 + length :]
        self._tables[event.body[:6]] = self._made(event, body)

    def _change(self, event: _Event) -> None:
        number, (flags,) = event.body[:6], struct.unpack_from("<H", event.body, 6)
        if number in self._tables:
            self._rows.append((number, self._made(event, event.body)))
        if flags & _STATEMENT_ENDS:
            self._end_statement()

    def _end_statement(self) -> None:
        """Make the statements that repeat the rows of the present one, in parts that are not too large."""
        part: list[tuple[bytes, bytes]] = []
        for each in self._rows:
            if part and sum(len(raw) for _, raw in part) + len(each[1]) > STATEMENT_BYTES:
                self._add_rows(part)
                part = []
            part.append(each)
        if part:
            self._add_rows(part)
        self._rows.clear()
        self._tables.clear()

    def _add_rows(self, part: list[tuple[bytes, bytes]]) -> None:
        tables = [self._tables[number] for number in dict.fromkeys(number for number, _ in part)]
        *rows, last = [raw for _, raw in part]
        (flags,) = struct.unpack_from("<H", last, _HEADER.size + 6)
        at = _HEADER.size + 6
        last = last[:at] + struct.pack("<H", flags | _STATEMENT_ENDS) + last[at + 2 :]
        last = _checked(last[:-_CHECKSUM]) if self._has_checksums else last
        self._group.statements.append(_binlog(b"".join([*tables, *rows, last])))

    def _query(self, event: _Event) -> Iterator[Group]:
        length, variables = event.body[8], struct.unpack_from("<H", event.body, 11)[0]
        begin = 13 + variables
        database = event.body[begin : begin + length].decode(errors="replace")
        text = event.body[begin + length + 1 :].decode(errors="replace").strip()
        if text.upper() in ("BEGIN", "START TRANSACTION"):
            self._in_transaction = True
        elif text.upper() == "COMMIT":
            yield from self._commit()
        elif text.upper() == "ROLLBACK":
            self._begin_nothing()
        elif self._concerns_us(event, database, text):
            if variables >= 5 and event.body[13] == 0:  # the flags of the session are always the first variable
                (flags,) = struct.unpack_from("<I", event.body, 14)
                checks = 0 if flags & _NO_FOREIGN_KEYS else 1
                self._group.statements.append(f"SET SESSION foreign_key_checks = {checks}")
            self._group.statements.append(text)
            if not self._in_transaction:
                yield from self._commit()

    def _concerns_us(self, event: _Event, database: str, text: str) -> bool:
        """Return whether to repeat a statement. Raises `BackupFailed` for one of our database that cannot be repeated."""
        origin = re.escape(self._wish.origin)
        names_us = re.search(rf"(?<![\w`])`?{origin}`?\s*\.", text) is not None
        if _HARMLESS.match(text) or (database != self._wish.origin and not names_us):
            return False
        if _EXCHANGE.match(text):
            raise self._refusal(event, "an earlier restore. Take a backup from after it")
        if _CHANGES.match(text):
            raise self._refusal(event, "statements instead of rows. Set binlog_format=ROW, and take a backup")
        if names_us or not _TABLES.match(text):
            raise self._refusal(event, f"the statement {text[:40]!r}, which cannot be repeated. Take a backup from after it")
        return True

    def _commit(self) -> Iterator[Group]:
        self._end_statement()
        group = self._group
        self._begin_nothing()
        if group.statements:
            yield group

    def _begin_nothing(self) -> None:
        self._group, self._in_transaction = Group(), False
        self._rows.clear()
        self._tables.clear()

    def _made(self, event: _Event, body: bytes) -> bytes:
        """Return an event with another body."""
        second, kind, server, _, end, flags = _HEADER.unpack_from(event.raw)
        size = _HEADER.size + len(body) + (_CHECKSUM if self._has_checksums else 0)
        raw = _HEADER.pack(second, kind, server, size, end, flags) + body
        return _checked(raw) if self._has_checksums else raw

    def _refusal(self, event: _Event, what: str) -> BackupFailed:
        at = datetime.fromtimestamp(event.second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return BackupFailed(f"The binary log {self._name} contains, at {at}, {what}. Or name an instant before it.")


def _events(file: Path, start: int | None, *, last: bool) -> Iterator[_Event]:
    """Yield the format of a log, then its events from ``start`` on, or all. The last log may be in use, and end anywhere."""
    with file.open("rb") as log:
        magic = log.read(len(MAGIC))
        if magic == ENCRYPTED:
            raise BackupFailed(f"The binary log {file.name} is encrypted. Only the server itself can read it.")
        if magic != MAGIC:
            raise BackupFailed(f"{file.name} is no binary log.")
        has_checksums, place = False, len(MAGIC)
        if start is not None and start > file.stat().st_size:
            raise BackupFailed(f"The copy of {file.name} ends before the place of the backup. Copy it again.")
        while header := log.read(_HEADER.size):
            size = _HEADER.unpack(header)[3] if len(header) == _HEADER.size else 0
            if size > LONGEST_EVENT or 0 < size < _HEADER.size:
                raise _damaged(file, place)
            raw = header + log.read(max(0, size - len(header)))
            if size == 0 or len(raw) < size:
                if last:
                    return
                raise _damaged(file, place)
            second, kind, _, _, _, flags = _HEADER.unpack(header)
            if kind == _FORMAT:
                has_checksums = _has_checksums(raw)
            elif kind == _ENCRYPTION:
                raise BackupFailed(f"The binary log {file.name} is encrypted. Only the server itself can read it.")
            if has_checksums and not _is_whole(raw, kind, flags):
                raise _damaged(file, place)
            yield _Event(kind, second, flags, raw, raw[_HEADER.size : -_CHECKSUM if has_checksums else None])
            place += size
            if kind == _FORMAT and start is not None and start > place:
                place = log.seek(start)


def _is_whole(raw: bytes, kind: int, flags: int) -> bool:
    if kind == _FORMAT:  # its checksum is made before the server marks the file as in use
        raw = raw[:17] + struct.pack("<H", flags & ~_IN_USE) + raw[19:]
    return _checked(raw[:-_CHECKSUM]) == raw


def _checked(raw: bytes) -> bytes:
    return raw + struct.pack("<I", zlib.crc32(raw))


def _has_checksums(of_format: bytes) -> bool:
    return of_format[-_CHECKSUM - 1] == 1


def _damaged(file: Path, place: int) -> BackupFailed:
    return BackupFailed(f"The binary log {file.name} is damaged at {place}. Copy it again.")


def _whole(microseconds: int) -> int:
    return microseconds - microseconds % SECOND


def _binlog(events: bytes) -> str:
    return f"BINLOG '{base64.b64encode(events).decode()}'"
