"""Making a backup: written under a temporary name, restored into a scratch database, verified, and only then named."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from server import __version__
from server.backups import places, scratch, tools
from server.backups.errors import BackupFailed
from server.backups.framing import Facts, Opener, Sealer, mark_of, new_facts
from server.backups.tools import Stop
from server.domain.errors import NowServingError, Unavailable
from server.store import backups as records
from server.store import leases, migrate
from server.store import scratch as store
from server.store.backups import VerifiedBackup
from server.store.database import Database
from server.vault import Vault

LEASE = "backup"
LEASE_MICROSECONDS = 90_000_000
RENEW_SECONDS = 20.0
SUFFIX = ".backup"
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Made:
    """A verified backup: its file and its record. ``obstacle`` says why it does not name its place in the binary log."""

    file: Path
    record: VerifiedBackup
    obstacle: str | None


async def make(database: Database, vault: Vault, folder: Path, holder: str, stop: Stop) -> Made:
    """Make and verify a backup in ``folder``, and record it. ``holder`` names this process for the lease of backups.

    Raises `BackupFailed`: then the folder and the record are as before.
    """
    with told():
        async with held(database, holder):
            await scratch.sweep(database)
            part = _new_part(folder, f".nowserving-{mark_of(vault)[:8]}-part-")
            try:
                return await _make(database, vault, part, stop)
            finally:
                part.unlink(missing_ok=True)


def _new_part(folder: Path, prefix: str) -> Path:
    """Return a temporary name in ``folder``, and delete what killed processes left there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in store.files_of(folder, prefix):
        each.unlink(missing_ok=True)
    return folder / f"{prefix}{secrets.token_hex(8)}"


async def _make(database: Database, vault: Vault, part: Path, stop: Stop) -> Made:
    began, made_at = time.monotonic(), await database.now()
    async with database.read() as connection:
        revision = await connection.run_sync(migrate.revision)
    facts = new_facts(
        vault,
        made_at=made_at,
        engine=engine_of(database),
        version=__version__,
        revision=revision or "",
        database=Path(database.url.database or "").name,
    )
    obstacle = await _write(database, vault, facts, part, stop)
    heads, rows = await _verify(database, vault, part, stop)
    file = part.with_name(f"{_stamp(made_at)}-{facts.id[:6]}{SUFFIX}")
    size = _named(part, file)
    milliseconds = round((time.monotonic() - began) * 1000)
    record = VerifiedBackup(
        file.name, made_at, await database.now(), size, sum(rows.values()), milliseconds, scratch.heads_as_text(heads)
    )
    async with database.write() as connection:
        await records.add(connection, record)
    return Made(file, record, obstacle)


async def _write(database: Database, vault: Vault, facts: Facts, part: Path, stop: Stop) -> str | None:
    """Write the whole file under its temporary name, and bring it to the disk; return why it names no place."""
    if database.embedded:
        await _write_copy(database, vault, facts, part, stop)
        return None
    obstacle = await places.obstacle(database)
    named = obstacle is None
    place: str | None = None

    def write(still: places.Still | None) -> None:
        nonlocal place
        dump = tools.dump(database.url, with_place=named and still is None, check=stop.check)
        counter = tools.RowCounter()
        with _created(part) as file:
            sealer = Sealer(file, vault, facts)
            for content in tools.with_late_columns(dump) if facts.engine == "mysql" else dump:
                counter.pass_by(content)
                if still is not None and counter.counts:  # the first table is there: so is the view of all
                    place, still = still.end(), None
                sealer.write(content)
            rows = counter.end()
            place = place or counter.place
            sealer.end(rows, place)

    async with places.still(database) if named and facts.engine == "mysql" else nullcontext() as still:
        await in_thread(lambda: write(still), stop)
    if obstacle is None and place is None:
        obstacle = "its tables were in use for too long; the next backup may name it"
    return obstacle


async def _write_copy(database: Database, vault: Vault, facts: Facts, part: Path, stop: Stop) -> None:
    copies = scratch.private_folder(database)

    def write() -> None:
        copy = copies / "copy.db"
        with _created(part) as file:
            sealer = Sealer(file, vault, facts)
            rows = store.copy_out(Path(database.url.database or ""), copy, stop.check)
            for content in _content_of(copy, stop):
                sealer.write(content)
            sealer.end(rows, None)

    try:
        await in_thread(write, stop)
    finally:
        shutil.rmtree(copies, ignore_errors=True)


@contextmanager
def _created(part: Path) -> Iterator[IO[bytes]]:
    """Open a new file that only this user can read; at the end it is on the disk."""
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


async def _verify(
    database: Database, vault: Vault, part: Path, stop: Stop
) -> tuple[dict[str, tuple[int, str]], dict[str, int]]:
    """Restore the written file into a scratch database, and verify it there; return the heads and the counts."""
    async with scratch.scratch_of(database) as url:
        with part.open("rb") as file:
            opened = Opener(file, vault, "The written backup")
            await in_thread(lambda: scratch.fill(url, opened.content(), stop.check), stop)
        restored = Database(url.render_as_string(hide_password=False), pool_size=2)
        try:
            await scratch.demand_same_rows(restored, opened)
            return await scratch.demand_whole_chains(restored, vault), opened.rows
        finally:
            await restored.close()


def engine_of(database: Database) -> str:
    """Return the kind of a database that has been asked already: a backup of one kind restores only to the same."""
    if database.embedded:
        return "sqlite"
    return "mariadb" if places.is_mariadb(database) else "mysql"


@asynccontextmanager
async def held(database: Database, holder: str) -> AsyncIterator[None]:
    """Hold the lease of backups: of all processes, one makes or restores a backup. Raises `BackupFailed`, `Unavailable`."""
    if not await _take(database, holder):
        raise BackupFailed("Another process makes a backup now. Try again when it has ended.")
    renewing = asyncio.create_task(_renew(database, holder))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await leases.give_up(database, holder)


async def _take(database: Database, holder: str) -> bool:
    return await leases.hold(database, LEASE, holder, LEASE_MICROSECONDS)


async def _renew(database: Database, holder: str) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with suppress(NowServingError):  # the next turn may succeed; the lease outlasts three
            await _take(database, holder)


async def in_thread(work: tools.Work, stop: Stop) -> None:
    """Do blocking work in a thread. A cancellation stops the work, and waits for its end."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)
        raise


class told:
    """Turn the errors of disks and databases into `BackupFailed`, which says what failed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            where = f" at {error.filename}" if error.filename else ""
            raise BackupFailed(f"The backup could not be written or read{where}: {error.strerror or error}") from error
        if isinstance(error, sqlite3.Error):
            raise BackupFailed(f"The database could not be copied: {error}") from error
        if isinstance(error, Unavailable):
            raise BackupFailed(f"The database cannot be reached: {error.__cause__ or error.message}") from error


def _content_of(file: Path, stop: Stop) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while content := opened.read(READ_BYTES):
            stop.check()
            yield content


def _stamp(microseconds: int) -> str:
    """Return the name's part for an instant: names sort by time."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("nowserving-%Y%m%dT%H%M%SZ")


def _named(part: Path, file: Path) -> int:
    """Give the written file its name, also on the disk: after a power cut, the name must be there. Return its size."""
    size = part.stat().st_size
    part.rename(file)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size
