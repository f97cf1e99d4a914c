"""The archive of an embedded database: a copy, and behind it the pages that changed in each second.

    FOLDER/20261201T020000Z-3fa91c.base       a backup as `nowserving backup` writes it, but not verified
    FOLDER/20261201T020000Z-3fa91c.changes    what follows: two lines, then records

    nowserving changes 1
    {"id": "...", "key": "3fa9..."}
    length (4 bytes), sealed record; length, sealed record; ...

A record has the instant up to which all commits are in it, and the changed pages. It is sealed as a part of a backup is: its
nonce is its number, so that no record can be changed, left out or moved. An archive has no end that could be marked, and
a killed process leaves a part of a record there. So the instant of a restore has to be covered by a later record.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import secrets
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import __version__
from server.backups.errors import BackupFailed
from server.backups.framing import Sealer, facts_of, mark_of, new_facts
from server.installation.archive_folder import BASE, CHANGES
from server.store import migrate
from server.store.database import Database
from server.store.wal import Follower, Lost, Pages, put_pages
from server.vault import Vault

MAGIC = b"nowserving changes 1\n"
PART = ".part"
IDLE_SECONDS = 30  # without a change: a record says that there was none
SECTION_MICROSECONDS = 86_400_000_000  # then a new copy begins
READ_BYTES = 1024 * 1024
_LENGTH = struct.Struct(">I")
_RECORD = struct.Struct(">QII")
_LONGEST_FACTS = 4096
Now = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Section:
    """A copy and its changes. ``made_at`` is the instant of the copy (microseconds)."""

    base: Path
    changes: Path
    made_at: int


@dataclass(frozen=True, slots=True)
class _Opening:
    id: str
    key: str


class Archive:
    """Writes the archive of one embedded database. Only one process writes to a folder: enter it as a context first."""

    def __init__(self, database: Path, vault: Vault, folder: Path, revision: str, now: Now) -> None:
        self._database = database
        self._vault = vault
        self._folder = folder
        self._revision = revision
        self._now = now

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises `BackupFailed` if another process writes to the folder."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupFailed(f"Another process writes the archive in {self._folder}.") from None
            for left in self._folder.glob(f".*{PART}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def write_section(self, seconds: float, stopped: Callable[[float], bool], check: Callable[[], None]) -> bool:
        """Write one copy and the changes of a day behind it; return whether to go on with the next one.

        ``stopped`` waits up to so many seconds, and returns whether to stop. It is asked every ``seconds``. Raises
        `BackupFailed`, `OSError`, `sqlite3.Error`: the next section begins with a new copy.
        """
        try:
            follower = Follower(self._database)
            try:
                return self._write_section(follower, seconds, stopped, check)
            finally:
                follower.close()
        except Lost as error:
            raise BackupFailed(f"The database cannot be followed: {error}.") from error

    def _write_section(
        self, follower: Follower, seconds: float, stopped: Callable[[float], bool], check: Callable[[], None]
    ) -> bool:
        made_at = self._now()
        name = datetime.fromtimestamp(made_at // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ") + f"-{secrets.token_hex(3)}"
        self._write_base(follower, made_at, self._folder / f"{name}{BASE}", check)
        changes = self._folder / f"{name}{CHANGES}"
        descriptor = os.open(changes, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            opening = _Opening(secrets.token_hex(16), self._vault.first_key)
            lines = MAGIC + orjson.dumps(asdict(opening)) + b"\n"
            file.write(lines)
            cipher = AESGCM(self._vault.file_key(opening.key, hashlib.sha256(lines).digest()))
            number, ends = 0, False
            told_at = 0.0
            while True:
                pages = follower.take()
                pages.add(follower.rest())
                at = self._now()
                if pages.size or ends or time.monotonic() - told_at >= IDLE_SECONDS:
                    record = cipher.encrypt(number.to_bytes(12, "big"), _packed(at, pages), None)
                    file.write(_LENGTH.pack(len(record)) + record)
                    os.fsync(file.fileno())
                    _demand_in_place(changes, file.fileno())
                    number, told_at = number + 1, time.monotonic()
                    if number == 1:
                        _sync_folder(self._folder)
                if ends:
                    return False
                if at - made_at >= SECTION_MICROSECONDS:
                    return True
                ends = stopped(seconds)

    def _write_base(self, follower: Follower, made_at: int, file: Path, check: Callable[[], None]) -> None:
        copies = self._folder / f".{file.name}{PART}s"
        part = self._folder / f".{file.name}{PART}"
        copies.mkdir(mode=0o700)
        try:
            rows = follower.copy(copies / "copy.db", check)
            facts = new_facts(
                self._vault,
                made_at=made_at,
                engine="sqlite",
                version=__version__,
                revision=self._revision,
                database=self._database.name,
            )
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                sealer = Sealer(target, self._vault, facts)
                with (copies / "copy.db").open("rb") as source:
                    while content := source.read(READ_BYTES):
                        check()
                        sealer.write(content)
                sealer.end(rows, None)
                target.flush()
                os.fsync(target.fileno())
            part.rename(file)
        finally:
            shutil.rmtree(copies, ignore_errors=True)
            part.unlink(missing_ok=True)

    def prune(self, days: int) -> None:
        """Delete the sections that are not needed for any instant of the last ``days``."""
        oldest = self._now() - days * 86_400_000_000
        sections = sections_of(self._folder, self._vault)
        for section, following in itertools.pairwise(sections):
            if following.made_at < oldest:
                section.base.unlink(missing_ok=True)
                section.changes.unlink(missing_ok=True)


async def archive_of(database: Database, vault: Vault, folder: Path) -> Archive:
    """Return the archive of an embedded database in ``folder``. Its clock is the trusted one. Raises `BackupFailed`."""
    if not database.embedded:
        raise BackupFailed("Only an embedded database has an archive. For MySQL and MariaDB, copy the binary logs.")
    await database.now()
    async with database.read() as connection:
        revision = await connection.run_sync(migrate.revision)
    return Archive(Path(database.url.database or ""), vault, folder, revision or "", database.clock.now)


def sections_of(folder: Path, vault: Vault) -> list[Section]:
    """Return the sections of this installation in an archive, the oldest first."""
    found = []
    for base in folder.glob(f"*{BASE}"):
        with base.open("rb") as opened:
            facts = facts_of(opened, base.name)
        if facts.mark == mark_of(vault):
            found.append(Section(base, base.with_suffix(CHANGES), facts.made_at))
    return sorted(found, key=lambda each: (each.made_at, each.base.name))


def section_of(folder: Path, vault: Vault, until: int) -> Section:
    """Return the section that has an instant. Raises `BackupFailed`."""
    sections = sections_of(folder, vault)
    if not sections:
        raise BackupFailed(f"The folder {folder} has no archive of this installation.")
    before = [each for each in sections if each.made_at <= until]
    if not before:
        raise BackupFailed(f"The archive begins at {_told(sections[0].made_at)}, after --until. Take an earlier backup.")
    return before[-1]


def repeat(section: Section, vault: Vault, until: int, scratch: Path | None, check: Callable[[], None]) -> None:
    """Bring the filled scratch to the state of the instant ``until``. Without a scratch, only read everything.

    Raises `BackupFailed`, also if no record covers the instant.
    """
    at = section.made_at
    for record_at, pages in records_of(section.changes, vault):
        check()
        if record_at > until:
            return
        if pages.size and scratch is not None:
            put_pages(scratch, pages)
        at = record_at
    raise BackupFailed(
        f"The archive {section.changes.name} ends at {_told(at)}, before --until. Name an instant up to there."
    )


def records_of(file: Path, vault: Vault) -> Iterator[tuple[int, Pages]]:
    """Yield the instants and pages of the whole records, in order. Raises `BackupFailed`."""
    if not file.exists():
        return
    with file.open("rb") as opened:
        lines = opened.readline(_LONGEST_FACTS)
        lines += opened.readline(_LONGEST_FACTS)
        try:
            opening = _Opening(**orjson.loads(lines.removeprefix(MAGIC)))
            cipher = AESGCM(vault.file_key(opening.key, hashlib.sha256(lines).digest()))
        except (ValueError, TypeError):
            raise BackupFailed(f"{file.name} is damaged, or of other keys.") from None
        number = 0
        while len(length := opened.read(_LENGTH.size)) == _LENGTH.size:
            record = opened.read(_LENGTH.unpack(length)[0])
            if len(record) < _LENGTH.unpack(length)[0]:
                return  # what a killed process wrote last
            try:
                yield _unpacked(cipher.decrypt(number.to_bytes(12, "big"), record, None))
            except (InvalidTag, ValueError, zlib.error, struct.error):
                raise BackupFailed(f"{file.name} is damaged: record {number} is changed, moved or missing.") from None
            number += 1


def _packed(at: int, pages: Pages) -> bytes:
    content = b"".join(number.to_bytes(4, "big") + page for number, page in pages.content.items())
    return _RECORD.pack(at, pages.size, pages.page_bytes) + zlib.compress(content, 1)


def _unpacked(record: bytes) -> tuple[int, Pages]:
    at, size, page_bytes = _RECORD.unpack_from(record)
    content = zlib.decompress(record[_RECORD.size :])
    step = 4 + page_bytes
    pages = {
        int.from_bytes(content[begin : begin + 4], "big"): content[begin + 4 : begin + step]
        for begin in range(0, len(content), step)
    }
    return at, Pages(page_bytes, size, pages)


def _demand_in_place(file: Path, descriptor: int) -> None:
    """Raise `BackupFailed` if an open file has no name any more: everything written to it would be lost at its close."""
    try:
        in_place = os.path.samestat(os.stat(file), os.fstat(descriptor))
    except OSError:
        in_place = False
    if not in_place:
        raise BackupFailed(f"The file {file} was removed while it was written.")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
