"""The parts of a backup that need no database: its file, the counts of a dump, the nights, and the files that stay."""

from __future__ import annotations

import io
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from server.backups import tools
from server.backups.errors import BackupFailed
from server.backups.framing import PART_BYTES, Opener, Sealer, facts_of, new_facts
from server.backups.nightly import Kept, is_due, staying
from server.vault import Vault
from tests.support.vaults import VAULT

TAG = 16
ROWS = {"events": 812, "sites": 2}


def sealed(content: bytes, vault: Vault = VAULT) -> bytes:
    file = io.BytesIO()
    facts = new_facts(vault, made_at=7, engine="sqlite", version="1", revision="0035", database="x.db")
    sealer = Sealer(file, vault, facts)
    for begin in range(0, len(content), 100_000):
        sealer.write(content[begin : begin + 100_000])
    sealer.end(ROWS, "log.000001:4")
    return file.getvalue()


def opened(file: bytes, vault: Vault = VAULT) -> bytes:
    opener = Opener(io.BytesIO(file), vault, "it")
    content = b"".join(opener.content())
    assert (opener.rows, opener.binlog) == (ROWS, "log.000001:4")
    return content


def parts_of(file: bytes) -> tuple[bytes, list[bytes]]:
    """Return the lines of a backup, and its parts."""
    begin = file.index(b"\n", file.index(b"\n") + 1) + 1
    size = PART_BYTES + TAG
    return file[:begin], [file[at : at + size] for at in range(begin, len(file), size)]


@pytest.mark.parametrize("size", [0, 1, 1000, PART_BYTES, 3 * PART_BYTES + 5])
def test_content_comes_back(size: int) -> None:
    content = secrets.token_bytes(size)  # random: it does not get smaller
    assert opened(sealed(content)) == content


def test_every_length_of_the_last_part_opens() -> None:
    """The numbers behind the content begin in the last part, in the part before, or at the border of the two."""
    content = secrets.token_bytes(PART_BYTES)
    for shorter in range(0, 900, 7):
        assert opened(sealed(content[shorter:])) == content[shorter:]


def test_parts_keep_their_order_and_their_end() -> None:
    lines, parts = parts_of(sealed(secrets.token_bytes(3 * PART_BYTES)))
    assert len(parts) == 4
    foreign = parts_of(sealed(secrets.token_bytes(3 * PART_BYTES)))[1]
    first, second, third, last = parts
    for wrong in (
        [first, third, second, last],
        [first, second, third],
        [first, second, last],
        [first, first, second, third, last],
        [first, foreign[1], third, last],
        [first, second, third, last, last],
        [last],
        [],
    ):
        with pytest.raises(BackupFailed, match="damaged"):
            opened(lines + b"".join(wrong))


def test_changed_facts_open_nothing() -> None:
    file = sealed(b"content")
    for old, new in ((b'"made_at":7', b'"made_at":8'), (b'"sqlite"', b'"sqlitf"')):
        with pytest.raises(BackupFailed, match="damaged"):
            opened(file.replace(old, new, 1))
    with pytest.raises(BackupFailed, match="no backup of Now Serving"):
        opened(b"PK" + file)
    with pytest.raises(BackupFailed, match="facts cannot be read"):
        opened(file.replace(b'"made_at"', b'"made_on"', 1))


def test_file_has_neither_keys_nor_content_in_clear() -> None:
    file = sealed(b"the secret of a patient" * 10)
    facts = facts_of(io.BytesIO(file), "it")
    assert (facts.key, facts.made_at) == (VAULT.first_key, 7)
    for secret in (b"k" * 32, b"the tests' secret key", b"patient"):
        assert secret not in file


# The dump


DUMP = rb"""-- CHANGE MASTER TO MASTER_LOG_FILE='log.000007', MASTER_LOG_POS=812;
CREATE TABLE `sites` (
  `id` bigint(20)
);
INSERT INTO `sites` VALUES
(1,'a\'(1),(2)',NULL),
(2,'\\','INSERT INTO `x` VALUES (1)');
CREATE TABLE `empty` (
CREATE TABLE `events` (
INSERT INTO `events` (`id`, `body`) VALUES (1,'(\n(\"'),(2,_binary 0x28),(3,'\\\'(');
INSERT INTO `events` (`id`, `body`) VALUES (4,'');
-- Dump completed
"""


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_rows_of_a_dump_are_counted_in_both_layouts(step: int) -> None:
    counter = tools.RowCounter()
    for begin in range(0, len(DUMP), step):
        counter.pass_by(DUMP[begin : begin + step])
    assert counter.end() == {"sites": 2, "empty": 0, "events": 4}
    assert counter.place == "log.000007:812"


def test_dump_without_its_end_is_refused() -> None:
    counter = tools.RowCounter()
    counter.pass_by(DUMP.rpartition(b"--")[0])
    with pytest.raises(BackupFailed, match="no end"):
        counter.end()


OF_MYSQL = b"""CREATE TABLE `entries` (
  `id` bigint NOT NULL,
  `state` varchar(12) COLLATE utf8mb4_0900_bin NOT NULL,
  `busy` varchar(8) GENERATED ALWAYS AS ((case when (`state` = _utf8mb4'(x)') then `id` end)) STORED,
  `open` bigint GENERATED ALWAYS AS (`id`) STORED COMMENT 'a, (b)',
  PRIMARY KEY (`id`)
);
INSERT INTO `entries` VALUES (1,'  `x` bigint GENERATED ALWAYS AS (1) STORED',NULL,1);
-- Dump completed
"""


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_generated_columns_come_after_the_rows(step: int) -> None:
    parts = [OF_MYSQL[begin : begin + step] for begin in range(0, len(OF_MYSQL), step)]
    lines = b"".join(tools.with_late_columns(parts)).splitlines()
    assert lines[3] == b"  `busy` varchar(8),"
    assert lines[4] == b"  `open` bigint COMMENT 'a, (b)',"
    assert lines[7] == OF_MYSQL.splitlines()[7]
    begin = b"ALTER TABLE `entries` MODIFY COLUMN "
    assert lines[8:] == [
        begin + b"`busy` varchar(8) GENERATED ALWAYS AS ((case when (`state` = _utf8mb4'(x)') then `id` end)) STORED;",
        begin + b"`open` bigint GENERATED ALWAYS AS (`id`) STORED COMMENT 'a, (b)';",
        b"-- Dump completed",
    ]


def test_password_is_in_a_private_file_that_goes_away() -> None:
    url = make_url("mysql+aiomysql://u:p%22%5C%23w@db/x?ssl_ca=/ca.pem")
    with tools._connecting(url) as option:
        file = Path(option.removeprefix("--defaults-file="))
        text = file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert 'password="p\\"\\\\#w"' in text
    assert 'ssl-ca="/ca.pem"' in text
    assert "skip-ssl" not in text
    assert not file.parent.exists()


# The nights


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("now", "made", "due"),
    [
        ("2026-11-30T01:59", None, True),
        ("2026-11-30T01:59", "2026-11-29T02:01", False),
        ("2026-11-30T02:00", "2026-11-29T02:01", True),
        ("2026-11-30T02:30", "2026-11-30T02:01", False),
        ("2026-11-30T23:00", "2026-11-30T01:00", True),
        ("2026-12-05T12:00", "2026-11-30T02:01", True),
    ],
)
def test_backup_is_due_once_each_night(now: str, made: str | None, due: bool) -> None:
    assert is_due(at(now), 2, None if made is None else at(made)) is due


def test_newest_of_each_day_and_week_stays() -> None:
    files = {Path(f"11-{day:02}"): at(f"2026-11-{day:02}T02:00") for day in range(1, 31)}
    files |= {Path("11-30-noon"): at("2026-11-30T12:00"), Path("11-29-noon"): at("2026-11-29T12:01")}
    stay = {str(each) for each in staying(files, Kept(days=3, weeks=3))}
    # 30 November 2026 is a Monday: the Sundays before are the ends of their weeks.
    assert stay == {"11-30-noon", "11-30", "11-29-noon", "11-28", "11-22"}
    assert staying({}, Kept(7, 4)) == set()
    assert {str(each) for each in staying(files, Kept(days=1, weeks=0))} == {"11-30-noon", "11-30", "11-29-noon"}
