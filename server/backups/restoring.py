"""Restoring a backup: verified as a whole in a scratch database, renewed there, and only then put in place."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from server.backups import archive, binlogs, scratch, tools
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
GROUPS = 200  # of repeated changes in one transaction: the scratch belongs to the restore alone


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator wants to restore.

    ``replace`` names the present database, which may then have tables. With ``force``, servers may use it. ``until`` is an
    instant after the backup (microseconds): the binary logs in the folder ``binlogs`` lead there, or the changes of the
    ``section`` of an archive whose copy is ``file``. A process that gave no sign of life for ``patience`` microseconds is
    dead.
    """

    file: Path
    replace: str | None = None
    force: bool = False
    until: int | None = None
    binlogs: Path | None = None
    patience: int = 45_000_000
    section: archive.Section | None = None


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
        if wanted.until is not None:
            tell("The changes after the backup are read.")
            await in_thread(lambda: _read_ahead(wanted, vault, stop.check), stop)
        async with held(database, uuid.uuid4().hex) if in_use else nullcontext(), scratch.scratch_of(database) as url:
            tell("The backup is restored into a scratch database.")
            await in_thread(lambda: scratch.fill(url, opened.content(), stop.check), stop)
            restored = Database(url.render_as_string(hide_password=False), pool_size=2)
            try:
                await scratch.demand_same_rows(restored, opened)
                if wanted.until is not None:
                    tell("The changes after the backup are repeated.")
                    await (
                        _repeat(restored, vault, wanted, stop) if wanted.section else _replay(restored, opened, wanted, stop)
                    )
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
    if wanted.until is not None and engine == "sqlite" and wanted.section is None:
        raise BackupFailed("--until needs the folder of an archive in place of a file, for an embedded database.")
    if wanted.until is not None and engine != "sqlite" and wanted.binlogs is None:
        raise BackupFailed("--until needs --binlogs with the folder of the binary logs of the database server.")
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


def _read_ahead(wanted: Wanted, vault: Vault, check: tools.Check) -> None:
    """Read everything that leads to the wanted instant, before anything is done. Raises `BackupFailed`."""
    assert wanted.until is not None
    if wanted.section is not None:
        archive.repeat(wanted.section, vault, wanted.until, None, check)
        return
    with wanted.file.open("rb") as file:
        opened = Opener(file, vault, wanted.file.name)
        if wanted.until < opened.facts.made_at:
            raise BackupFailed(f"{wanted.file.name} is of a later instant than --until. Take an earlier backup.")
        for _ in opened.content():  # its end names its place
            check()
        for _ in _changes(opened, wanted, opened.facts.database):
            check()


def _changes(opened: Opener, wanted: Wanted, into: str) -> Iterator[binlogs.Group]:
    """Return the changes between a backup whose content was read and the wanted instant, in the binary logs."""
    assert wanted.until is not None
    assert wanted.binlogs is not None
    if opened.binlog is None:
        raise BackupFailed(
            f"{wanted.file.name} does not name its place in the binary log. `nowserving backup` says why. Take another one."
        )
    first, _, place = opened.binlog.rpartition(":")
    wish = binlogs.Wish(opened.facts.database, into, wanted.until)
    return binlogs.changes(binlogs.logs_from(wanted.binlogs, first), int(place), wish)


async def _repeat(restored: Database, vault: Vault, wanted: Wanted, stop: Stop) -> None:
    """Repeat the changes between the copy of an archive and the wanted instant, in the closed scratch file."""
    assert wanted.section is not None
    assert wanted.until is not None
    section, until = wanted.section, wanted.until
    await restored.close()
    file = Path(restored.url.database or "")
    await in_thread(lambda: archive.repeat(section, vault, until, file, stop.check), stop)


async def _replay(restored: Database, opened: Opener, wanted: Wanted, stop: Stop) -> None:
    """Repeat the changes between the backup and the wanted instant from the binary logs."""
    changes = await asyncio.to_thread(_changes, opened, wanted, restored.url.database or "")
    connection = await (await restored.engine.connect()).execution_options(no_parameters=True)
    try:
        while groups := await asyncio.to_thread(lambda: list(islice(changes, GROUPS))):
            stop.check()
            for group in groups:
                if group.alone:
                    await connection.commit()
                for statement in group.statements:
                    await connection.exec_driver_sql(statement)
            await connection.commit()
    except DBAPIError as error:
        raise _not_repeated(error, restored) from error
    finally:
        await connection.invalidate()  # its session has variables of the repeated ones
        await connection.close()


def _not_repeated(error: DBAPIError, restored: Database) -> BackupFailed:
    number, *said = error.orig.args if error.orig is not None else (0, error)
    if number in (1044, 1227):  # access denied
        right = "BINLOG REPLAY" if engine_of(restored) == "mariadb" else "REPLICATION_APPLIER"
        return BackupFailed(
            "The account of the database may not repeat changes. As an administrator of the database server: "
            f"GRANT {right} ON *.* TO '{restored.url.username}'@'%';"
        )
    return BackupFailed(
        f"The changes in the binary logs do not fit the backup: {' '.join(map(str, said))[:300]}. The logs are of another "
        "server, or a part of them is missing."
    )


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
