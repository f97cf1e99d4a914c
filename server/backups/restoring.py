"""Restoring a backup: verified as a whole in a scratch database, renewed there, and only then put in place."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import inspect

from server.backups import scratch, tools
from server.backups.errors import BackupFailed
from server.backups.framing import Facts, Opener
from server.backups.making import engine_of, held, in_thread, told
from server.backups.tools import Stop
from server.domain.commands import DropHold
from server.domain.errors import NothingDue
from server.execute import Executor
from server.queries.appointments import present_holds
from server.store import migrate, proofs
from server.store import scratch as store
from server.store.backups import VerifiedBackup
from server.store.database import Database
from server.store.restored import Renewed, renew, signs_of_life
from server.vault import Vault

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator wants to restore.

    ``replace`` names the present database, which may then have tables. With ``force``, servers may use it. ``until`` is an
    instant after the backup (microseconds): the binary logs in the folder ``binlogs`` lead there. A process that gave no
    sign of life for ``patience`` microseconds is dead.
    """

    file: Path
    replace: str | None = None
    force: bool = False
    until: int | None = None
    binlogs: Path | None = None
    patience: int = 45_000_000


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the facts of the backup, how much was renewed, the dropped holds, and the migrations."""

    facts: Facts
    rows: int
    renewed: Renewed
    holds: int
    migrations: list[str]


async def restore(database: Database, vault: Vault, wanted: Wanted, stop: Stop, tell: Callable[[str], None]) -> Restored:
    """Give ``database`` the content of a backup. ``tell`` gets what takes long, in words.

    Raises `BackupFailed`: then the database is as before.
    """
    with told(), wanted.file.open("rb") as file:
        opened = Opener(file, vault, wanted.file.name)
        in_use = await _refuse(database, opened.facts, wanted, tell)
        async with held(database, uuid.uuid4().hex) if in_use else nullcontext(), scratch.scratch_of(database) as url:
            tell("The backup is restored into a scratch database.")
            await in_thread(lambda: scratch.fill(url, opened.content(), stop.check), stop)
            restored = Database(url.render_as_string(hide_password=False), pool_size=2)
            try:
                await scratch.demand_same_rows(restored, opened)
                if wanted.until is not None:
                    tell("The changes after the backup are repeated.")
                    await _replay(restored, opened, wanted, stop)
                done = await _ready(restored, vault, wanted.file, opened, tell)
            finally:
                await restored.close()
            tell("The content verifies, and takes the place of the present database.")
            await _exchange(database, restored)
            return done


async def _refuse(database: Database, facts: Facts, wanted: Wanted, tell: Callable[[str], None]) -> bool:
    """Return whether the present database is one of ours. Raises `BackupFailed` if it may not be replaced."""
    async with database.read() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    if facts.engine != (engine := engine_of(database)):
        raise BackupFailed(f"{wanted.file.name} is of a database of the kind {facts.engine}; this one is {engine}.")
    if not migrate.knows(facts.revision):
        raise BackupFailed(
            f"{wanted.file.name} was made by version {facts.version}, whose tables this version does not know. Install that "
            "version, or a newer one."
        )
    if wanted.until is not None and (engine != "mariadb" or wanted.binlogs is None):
        raise BackupFailed("--until needs MariaDB, and --binlogs with the folder of its binary logs.")
    name = Path(database.url.database or "").name
    if not tables:
        return False
    if wanted.replace != name:
        raise BackupFailed(f"The database {name} has tables. To lose them for those of the backup: --replace {name}")
    if not {"processes", "leases"} <= tables:
        return False
    if not wanted.force:
        await _wait_for_end(database, wanted.patience, tell)
    return True


async def _wait_for_end(database: Database, patience: int, tell: Callable[[str], None]) -> None:
    """Return when no process uses the database. Raises `BackupFailed` at the first new sign of life."""
    first = await signs_of_life(database, await database.now(), patience)
    if first:
        seconds = -(-patience // 1_000_000)
        tell(f"A process used this database lately: waiting up to {seconds} s to see whether it still does.")
    last = first
    while last:
        await asyncio.sleep(LOOK_SECONDS)
        last = await signs_of_life(database, await database.now(), patience)
        if last - first:
            raise BackupFailed("Servers or workers use this database. Stop them first, or add --force.")


async def _ready(restored: Database, vault: Vault, file: Path, opened: Opener, tell: Callable[[str], None]) -> Restored:
    """Bring a filled scratch database to this version, verify it, and begin its new history."""
    migrations = await migrate.migrate(restored)
    if migrate.PROOFS in migrations:
        await proofs.prove_all(restored, vault)
    tell("Its chains are verified.")
    heads = await scratch.demand_whole_chains(restored, vault)
    now = await restored.now()
    rows = sum(opened.rows.values())
    size = (await asyncio.to_thread(file.stat)).st_size
    record = VerifiedBackup(file.name[:120], opened.facts.made_at, now, size, rows, 0, scratch.heads_as_text(heads))
    renewed = await renew(restored, vault, record, now)
    executor = Executor(restored, vault, publish=lambda *_: None)
    dropped = 0
    for hold_id in await present_holds(restored):
        with suppress(NothingDue):  # it has lapsed since
            await executor.execute(DropHold(appointment_id=hold_id), actor="clock", command_id=uuid.uuid4().hex)
            dropped += 1
    return Restored(opened.facts, rows, renewed, dropped, migrations)


async def _replay(restored: Database, opened: Opener, wanted: Wanted, stop: Stop) -> None:
    """Repeat the changes between the backup and the wanted instant from the binary logs."""
    assert wanted.until is not None
    assert wanted.binlogs is not None
    if opened.binlog is None:
        raise BackupFailed(
            f"{wanted.file.name} does not name its place in the binary log. The account needs the right BINLOG MONITOR when "
            "a backup is made, and the server needs log_bin."
        )
    if wanted.until < opened.facts.made_at:
        raise BackupFailed(f"{wanted.file.name} is of a later instant than --until. Take an earlier backup.")
    first, _, place = opened.binlog.partition(":")
    files = await asyncio.to_thread(_logs_from, wanted.binlogs, first)
    until = datetime.fromtimestamp(wanted.until / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    into = restored.url.database or ""
    changes = tools.binlog(files, int(place), until, opened.facts.database, into, stop.check)
    await in_thread(lambda: tools.load(restored.url, changes), stop)


def _logs_from(folder: Path, first: str) -> list[Path]:
    """Return the binary log with the name ``first`` and the later ones, in order. Raises `BackupFailed` at a gap."""
    stem, _, number = first.rpartition(".")
    numbered = {each.name: each for each in folder.iterdir()} if folder.is_dir() else {}
    found: list[Path] = []
    while (name := f"{stem}.{int(number) + len(found):0{len(number)}d}") in numbered:
        found.append(numbered[name])
    if not found:
        raise BackupFailed(f"The folder {folder} lacks the binary log {first}, in which the backup ends.")
    return found


async def _exchange(database: Database, restored: Database) -> None:
    """Give ``database`` the tables of the closed scratch database: all at once or not at all."""
    try:
        if database.embedded:
            source, target = Path(restored.url.database or ""), Path(database.url.database or "")
            await asyncio.to_thread(store.copy_in, source, target)
            return
        async with _other_schema(database) as old:
            await store.exchange(database, restored.url.database or "", old)
    except store.InUse:
        raise BackupFailed("Somebody holds the tables of this database. End what uses it, and try again.") from None


@asynccontextmanager
async def _other_schema(database: Database) -> AsyncIterator[str]:
    async with scratch.scratch_of(database) as url:
        yield url.database or ""
