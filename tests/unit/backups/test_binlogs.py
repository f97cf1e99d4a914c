"""Binary logs, made by hand as MySQL and MariaDB write them: what is repeated, what is left out, and what is refused."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import pytest

from server.backups.binlogs import MAGIC, STATEMENT_BYTES, Wish, changes, logs_from
from server.backups.errors import BackupFailed

MARIADB, MYSQL = b"10.11.6-MariaDB-log", b"8.4.3"
QUERY, FORMAT, XID, TABLE, WRITE, GTID = 2, 15, 16, 19, 30, 162
WISH = Wish("clinic", "clinic_scratch", 2_000_000_000)  # second 2000


def event(kind: int, body: bytes, second: int = 1000, flags: int = 0) -> bytes:
    raw = struct.pack("<IBIIIH", second, kind, 1, 19 + len(body) + 4, 0, flags) + body
    return raw + struct.pack("<I", zlib.crc32(raw))


def beginning(version: bytes = MARIADB, flags: int = 0) -> bytes:
    body = struct.pack("<H50sIB", 4, version, 0, 19) + bytes(40) + b"\1"
    whole = event(FORMAT, body)
    return MAGIC + whole[:17] + struct.pack("<H", flags) + whole[19:]  # the server marks the file without a new checksum


def group(second: int = 1000, *, standalone: bool = False) -> bytes:
    return event(GTID, struct.pack("<QIB6x", 1, 0, int(standalone)), second)


def query(text: bytes, database: bytes = b"clinic", flags: int = 0) -> bytes:
    variables = b"\0" + struct.pack("<I", flags)
    return event(QUERY, struct.pack("<IIBHH", 1, 0, len(database), 0, len(variables)) + variables + database + b"\0" + text)


def table(number: int, database: bytes) -> bytes:
    return event(TABLE, number.to_bytes(6, "little") + b"\1\0" + bytes([len(database)]) + database + b"\0\5sites\0")


def rows(number: int, content: bytes = b"row", *, ends: bool = True) -> bytes:
    return event(WRITE, number.to_bytes(6, "little") + struct.pack("<H", int(ends)) + content)


def repeated(folder: Path, *logs: bytes, start: int = 4, wish: Wish = WISH) -> list[list[str]]:
    for number, content in enumerate(logs, 7):
        (folder / f"log.{number:06}").write_bytes(content)
    return [each.statements for each in changes(logs_from(folder, "log.000007"), start, wish)]


def events_of(statement: str) -> list[bytes]:
    """Return the events of a statement, whose checksums are right."""
    content, found = base64.b64decode(statement.removeprefix("BINLOG '").removesuffix("'")), []
    while content:
        size = struct.unpack_from("<I", content, 9)[0]
        found.append(content[:size])
        assert struct.unpack("<I", content[size - 4 : size])[0] == zlib.crc32(content[: size - 4])
        content = content[size:]
    return found


def test_rows_of_our_database_get_another_name_and_others_stay_out(tmp_path: Path) -> None:
    ours = group() + table(5, b"clinic") + table(6, b"other") + rows(5, ends=False) + rows(6) + event(XID, bytes(8))
    others = group() + table(6, b"other") + rows(6) + event(XID, bytes(8))
    end = group(2000)
    _, found = repeated(tmp_path, beginning(flags=1) + others + ours + end + ours)
    (statement,) = found
    assert events_of(statement) == [table(5, b"clinic_scratch"), rows(5)]


def test_large_statement_is_repeated_in_parts(tmp_path: Path) -> None:
    large = [bytes([number]) * (STATEMENT_BYTES // 2) for number in range(4)]
    events = [rows(5, each, ends=number == 3) for number, each in enumerate(large)]
    log = beginning() + group() + table(5, b"clinic") + b"".join(events) + event(XID, bytes(8)) + group(2000)
    _, found = repeated(tmp_path, log)
    parts = [events_of(each) for each in found]
    assert all(part[0] == table(5, b"clinic_scratch") for part in parts)
    assert [each for part in parts for each in part[1:]] == [rows(5, each) for each in large]


def test_change_of_tables_is_repeated(tmp_path: Path) -> None:
    text = b"ALTER TABLE sites ADD x INT"
    log = beginning() + group(standalone=True) + query(text, flags=1 << 26) + group(standalone=True) + query(text, b"other")
    _, found = repeated(tmp_path, log + group(2000))
    assert found == ["SET SESSION foreign_key_checks = 0", text.decode()]


def test_rolled_back_group_and_harmless_statements_stay_out(tmp_path: Path) -> None:
    undone = group() + table(5, b"clinic") + rows(5) + query(b"ROLLBACK")
    harmless = [b"FLUSH TABLES", b"GRANT ALL ON clinic.* TO x", b"DROP TEMPORARY TABLE IF EXISTS t", b"ANALYZE TABLE sites"]
    log = beginning() + undone + b"".join(group(standalone=True) + query(each) for each in harmless)
    assert len(repeated(tmp_path, log + group(2000))) == 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (query(b"UPDATE sites SET name = 'x'"), "statements instead of rows"),
        (query(b"RENAME TABLE clinic.sites TO old.sites"), "an earlier restore"),
        (query(b"DROP TABLE `clinic`.`sites`", b"other"), "cannot be repeated"),
        (query(b"CREATE TRIGGER t"), "cannot be repeated"),
        (event(40, b"x"), "compressed"),
        (event(38, b"x"), "kind 38"),
    ],
    ids=["statement", "restore", "qualified", "trigger", "compressed", "unknown"],
)
def test_what_cannot_be_repeated_is_refused(tmp_path: Path, statement: bytes, told: str) -> None:
    with pytest.raises(BackupFailed, match=told) as caught:
        repeated(tmp_path, beginning() + group(standalone=True) + statement + group(2000))
    assert "1970-01-01T00:16:40Z" in str(caught.value)


def test_next_log_goes_on(tmp_path: Path) -> None:
    change = group() + table(5, b"clinic") + rows(5) + event(XID, bytes(8))
    assert len(repeated(tmp_path, beginning() + change, beginning() + change + group(2000))) == 4


def test_mysql_gets_a_number_of_its_own_and_stops_at_the_microsecond(tmp_path: Path) -> None:
    def at(microseconds: int) -> bytes:
        committed = (microseconds | 1 << 55).to_bytes(7, "little")
        return event(34, bytes(42) + committed, microseconds // 1_000_000)

    change = query(b"BEGIN") + table(5, b"clinic") + rows(5) + event(XID, bytes(8))
    log = beginning(MYSQL) + at(1_999_999_999) + change + at(2_000_000_500) + change + at(2_000_000_501) + change
    first, *found = repeated(tmp_path, log, wish=Wish("clinic", "clinic_scratch", 2_000_000_501))
    assert first[1] == "SET @@SESSION.GTID_NEXT = 'AUTOMATIC'"
    assert len(found) == 2


def test_logs_that_end_too_early_are_refused(tmp_path: Path) -> None:
    log = beginning() + group(1500)
    with pytest.raises(BackupFailed, match=r"end at 1970-01-01T00:25:00Z with log.000007"):
        repeated(tmp_path, log)
    (tmp_path / "log.000009").write_bytes(log)
    with pytest.raises(BackupFailed, match=r"log.000008 is missing"):
        repeated(tmp_path, log)
    with pytest.raises(BackupFailed, match=r"lacks the binary log log.000006"):
        logs_from(tmp_path, "log.000006")
    with pytest.raises(BackupFailed, match="ends before the place"):
        repeated(tmp_path, log, start=100_000)


@pytest.mark.parametrize("content", [b"\xfdbin" + bytes(100), beginning() + event(164, b"x")], ids=["mysql", "mariadb"])
def test_encrypted_log_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BackupFailed, match="encrypted"):
        repeated(tmp_path, content)


def test_damaged_log_is_refused(tmp_path: Path) -> None:
    log = beginning() + group(1500) + group(2000)
    for content in (b"text", log[:150] + bytes([log[150] ^ 1]) + log[151:], log[:-30] + bytes(30)):
        with pytest.raises(BackupFailed, match=r"damaged|no binary log|end at"):
            repeated(tmp_path, content)
    with pytest.raises(BackupFailed, match="damaged"):  # only the last log may end anywhere
        repeated(tmp_path, (beginning() + group(1500))[:-3], beginning())
