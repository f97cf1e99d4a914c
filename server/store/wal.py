"""The write-ahead log of an embedded database, followed: the pages of each commit, without a gap.

SQLite begins its log again when all of it is in the database file and nobody reads from it. A follower therefore has a read
transaction open all the time. It ends this transaction only while it holds the write lock and has taken every commit, and
begins the next one before it lets the lock go. So no commit of any process can be overwritten before it was taken.

    wal:  a header of 32 bytes, then frames: page, pages of the database, salt (8 bytes), checksum (8 bytes), content
    shm:  twice a header of 48 bytes: ..., size of a page (2), frames (4), pages (4), checksum (8), salt (8), checksum (8)
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.store.scratch import PAGES, sqlite_counts

BUSY_SECONDS = 30.0
REST_FRAMES = 1_000  # of the log, after which it may begin again: as many as SQLite itself takes
_HEADER_BYTES, _FRAME = 32, struct.Struct(">II8s8s")
_INDEX = struct.Struct("=14xHII8s8s8x")  # of the machine's own byte order; the salt is as in the file
_READS = 10


class Lost(Exception):
    """The log is not the one that was followed: somebody changed the mode of the database, or its files."""


@dataclass(slots=True)
class Pages:
    """Pages that changed, with their last content. ``size`` is the number of all pages, 0 if nothing changed."""

    page_bytes: int = 0
    size: int = 0
    content: dict[int, bytes] = field(default_factory=dict)

    def add(self, later: Pages) -> None:
        """Add the changes of a later moment."""
        if later.size:
            self.page_bytes, self.size = later.page_bytes, later.size
            self.content |= later.content


@dataclass(frozen=True, slots=True)
class _State:
    page_bytes: int
    frames: int
    size: int
    checksum: bytes
    salt: bytes


class Follower:
    """Follows the log of one database file. Call `close` when done. For one thread at a time.

    It needs a process of its own: a process that closes the index of the log loses all its locks on it (POSIX), also those
    of its other connections.

    Raises `Lost`, `sqlite3.Error` and `OSError`. After an error nothing is certain: close it, and begin with a new copy.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reader = _opened(file)
        self._locker = _opened(file)
        self._index = -1
        self._salt = b""
        self._frames = 0
        self._rested = 0  # how many frames were in the log at its last rest
        try:
            (mode,) = self._reader.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                raise Lost(f"the database is in the mode {mode}")
            self._locker.execute("BEGIN IMMEDIATE")
            self._begin_reading()
            self._index = os.open(f"{file}-shm", os.O_RDONLY)
            state = self._state()
            self._salt, self._frames = state.salt, state.frames
            self._locker.execute("ROLLBACK")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the log go its own way."""
        for each in (self._reader, self._locker):
            with suppress(sqlite3.Error):
                each.close()
        if self._index >= 0:  # after the connections, whose locks would end with it
            os.close(self._index)
            self._index = -1

    def copy(self, target: Path, check: Callable[[], None]) -> dict[str, int]:
        """Copy the state of the beginning to a new file; return its counts of rows. Call it before `rest`.

        ``check`` is called between two parts, and may raise.
        """
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        counts = sqlite_counts(self._reader)
        with closing(_opened(target)) as copy:
            self._reader.backup(copy, pages=PAGES, progress=lambda *_: check())
            copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file
        return counts

    def take(self) -> Pages:
        """Return what was committed since the last time."""
        state = self._state()
        if state.salt != self._salt:  # the log has begun again, after everything in it was taken
            self._salt, self._frames, self._rested = state.salt, 0, 0
        if state.frames == self._frames:
            return Pages()
        if state.frames < self._frames:
            raise Lost("the log is shorter than before")
        found = Pages(state.page_bytes, state.size)
        checksum = b""
        with Path(f"{self._file}-wal").open("rb") as log:
            log.seek(_HEADER_BYTES + self._frames * (_FRAME.size + state.page_bytes))
            for _ in range(state.frames - self._frames):
                number, _size, salt, checksum = _FRAME.unpack(log.read(_FRAME.size))
                if salt != state.salt:
                    raise Lost("the log was written over")
                found.content[number] = log.read(state.page_bytes)
        if _swapped(checksum) != state.checksum and checksum != state.checksum:
            raise Lost("the end of the log is another one")
        self._frames = state.frames
        return found

    def rest(self) -> Pages:
        """Bring a long log into the database, so that it can begin again. Return what was committed until then."""
        if self._frames - self._rested < REST_FRAMES:
            return Pages()
        found = self._take_and_read_again(checkpoint=False)
        self._locker.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # the bulk, while others write
        found.add(self._take_and_read_again(checkpoint=True))  # and the few commits since
        self._rested = self._frames
        return found

    def _take_and_read_again(self, *, checkpoint: bool) -> Pages:
        self._locker.execute("BEGIN IMMEDIATE")
        try:
            found = self.take()
            self._reader.execute("ROLLBACK")
            if checkpoint:
                self._reader.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._begin_reading()
        finally:
            self._locker.execute("ROLLBACK")
        return found

    def _begin_reading(self) -> None:
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()

    def _state(self) -> _State:
        """Return what the index of the log says of the last commit. Its two copies are equal unless one is being written."""
        for _ in range(_READS):
            both = os.pread(self._index, 96, 0)
            first, second = both[:48], both[48:]
            if first == second and len(second) == 48:
                page_bytes, frames, size, checksum, salt = _INDEX.unpack(first)
                return _State(65_536 if page_bytes == 1 else page_bytes, frames, size, checksum, salt)
        raise Lost("the index of the log cannot be read")


def put_pages(file: Path, pages: Pages) -> None:
    """Write changed pages into a copy that nobody has open."""
    with file.open("r+b") as opened:
        for number, content in pages.content.items():
            opened.seek((number - 1) * pages.page_bytes)
            opened.write(content)
        opened.truncate(pages.size * pages.page_bytes)


def _swapped(checksum: bytes) -> bytes:
    return checksum[3::-1] + checksum[7:3:-1]


def _opened(file: Path) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, timeout=BUSY_SECONDS, isolation_level=None, uri=True, check_same_thread=False)
