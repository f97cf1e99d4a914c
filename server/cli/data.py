"""The commands that keep, move and forget the data of an installation."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import ArgumentError

from server.audit import OPERATOR, Audit, process_name
from server.backups import archive as archives
from server.backups import nightly as nights
from server.backups.errors import BackupFailed
from server.backups.making import Made, make
from server.backups.restoring import Restored, Wanted
from server.backups.restoring import restore as put_back
from server.backups.tools import Stop
from server.cli.installation import (
    audited,
    brought_up,
    demand_this_version,
    instant_of,
    maintenance,
    opened,
    read_keys,
    read_settings,
    run_to_end,
    shown_instant,
    stoppable,
    vault_of,
    with_database,
)
from server.cli.root import app, console, error_console, logger
from server.installation.keys import BadKeys
from server.moving import Moved
from server.moving import move as move_database
from server.queries import flags, system
from server.settings import BadSettings, find_keys
from server.store.database import Database, database_url
from server.store.retention import Forgotten, forget


@app.command()
def migrate() -> None:
    """Migrate the database to the tables of this version."""
    settings = read_settings()
    keys = read_keys(settings)
    applied = run_to_end(brought_up(settings, keys))
    console.print(f"Applied: {', '.join(applied)}" if applied else "Nothing to do: the database is up to date.")
    try:
        run_to_end(with_database(settings, flags.demand_usable))
    except flags.BadFlags as error:  # told before the first server of this version refuses to start
        error_console.print(str(error), style="yellow", highlight=False, markup=False, soft_wrap=True)


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", help="The URL of an empty database: mysql+aiomysql://user:password@host/name.")],
    force: Annotated[
        bool, typer.Option("--force", help="Move although servers or workers run. Their later changes are lost.")
    ] = False,
) -> None:
    """Copy the whole installation to a database on MySQL or MariaDB, and verify the copy. Stop all servers first.

    Nothing changes in the present database. The target is unusable until it is verified; a stopped move can start again.
    """
    settings = read_settings(quiet=True)
    keys = read_keys(settings)
    try:
        wanted = database_url(to)
    except (ValueError, ArgumentError) as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    if wanted.get_backend_name() == "sqlite":
        raise typer.BadParameter("names an embedded database: move to MySQL or MariaDB", param_hint="--to")

    async def work() -> Moved:
        async with opened(settings) as source:
            if wanted == source.url:
                raise typer.BadParameter("is the present database", param_hint="--to")
            target = Database(to)
            try:
                vault, silent = vault_of(keys), system.HEARTBEATS * settings.heartbeat_seconds
                moved = await move_database(
                    source, target, vault, lambda line: print(line, flush=True), silent_seconds=silent, forced=force
                )
                audit = Audit(target, vault, process_name())
                audit.start()
                audit.note("move-database", OPERATOR)
                await audit.stop()
                return moved
            finally:
                await target.close()

    done = run_to_end(work())
    print(f"{done.rows} rows of {done.tables} tables are there and equal, and {done.chains} chains are whole.")
    print("Next: set NOWSERVING_DATABASE_URL to the new database for every process, and leave the keys as they are. Then")
    print("start the servers and workers, and run `nowserving check`. Keep the old database until the new one has a backup.")


@app.command()
def retention(
    days: Annotated[
        int | None, typer.Option(help="Age in days; the default is NOWSERVING_RETENTION_DAYS.", min=1, max=36_500)
    ] = None,
) -> None:
    """Delete personal data that is older: encrypted data, display names, search hashes, answers, sessions. The log stays."""
    settings = read_settings()
    kept_days = settings.retention_days if days is None else days
    if kept_days is None:
        print("Everything is kept: neither --days nor NOWSERVING_RETENTION_DAYS is set.")
        return
    keys = read_keys(settings)

    async def work() -> Forgotten:
        async with maintenance(settings, keys, "retention") as (database, vault):
            return await forget(database, vault, kept_days)

    done = run_to_end(work())
    print(f"Deleted, of more than {kept_days} days ago: {done.visits} visits, {done.appointments} appointments,")
    print(f"{done.events} events of the log, {done.searches} search hashes,")
    print(f"{done.answers} answers, {done.sessions} sessions, {done.links} links of accounts,")
    print(f"{done.messages} providers' names of messages, {done.subscriptions} subscriptions of phones,")
    print(f"{done.opinions} texts of feedback, {done.report_addresses} addresses of reports.")


@app.command()
def backup(
    to: Annotated[Path | None, typer.Option(help="The folder; the default is NOWSERVING_BACKUP_FOLDER.")] = None,
    nightly: Annotated[bool, typer.Option("--nightly", hidden=True)] = False,
    holder: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Make an encrypted backup of the database, and restore it into a scratch database to verify it. Servers may run.

    Status 1: no backup was made, and nothing is left behind. The keys are never inside: keep a copy of them elsewhere.
    """
    settings = read_settings(quiet=not nightly)
    folder = to or settings.backup_folder
    if folder is None:
        raise BadSettings("NOWSERVING_BACKUP_FOLDER: set it to the folder of the backups, or name one with --to.")
    keys = read_keys(settings)
    if nightly:
        nights.begin_quietly()

    async def work(stop: Stop) -> Made:
        async with opened(settings) as database:
            await demand_this_version(database)
            if nightly:  # the record of the backup says it; the audit gets no chain each night
                return await make(database, vault_of(keys), folder, holder or uuid.uuid4().hex, stop)
        async with audited(settings, keys) as (database, vault, audit):
            made = await make(database, vault, folder, holder or uuid.uuid4().hex, stop)
            audit.note("make-backup", OPERATOR, subject=f"backup:{made.file.name}")
            return made

    try:
        made = run_to_end(stoppable(work))
        gone = []
        if to is None:
            gone = nights.prune(folder, vault_of(keys), nights.Kept(settings.backups_kept, settings.backup_weeks_kept))
    except BackupFailed as error:
        if not nightly:
            raise
        logger.error("no backup was made", why=str(error))
        raise typer.Exit(1) from None
    record = made.record
    if nightly:
        about: dict[str, Any] = {"bytes": record.bytes, "rows": record.rows_kept, "seconds": record.milliseconds / 1000}
        about |= {"no_place": made.obstacle} if made.obstacle else {}
        logger.info("backup made", file=str(made.file), deleted=len(gone), **about)
        return
    print(f"{made.file}: {record.bytes} bytes, {record.rows_kept} rows, verified in {record.milliseconds / 1000:.1f} s")
    if made.obstacle:
        print(f"It does not name its place in the binary log, so `restore --until` cannot use it: {made.obstacle}")
    for each in gone:
        print(f"{each.name} is deleted: newer backups stay")


@app.command()
def archive(
    to: Annotated[Path | None, typer.Option(help="The folder; the default is NOWSERVING_ARCHIVE_FOLDER.")] = None,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Write each second's changes of an embedded database to an archive, until stopped. Servers may run.

    A server does this by itself if NOWSERVING_ARCHIVE_FOLDER is set.
    """
    settings = read_settings(quiet=not beside)
    folder = to or settings.archive_folder
    if folder is None:
        raise BadSettings("NOWSERVING_ARCHIVE_FOLDER: set it to the folder of the archive, or name one with --to.")
    keys, parent, stop = read_keys(settings), os.getppid(), threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())

    def stopped(seconds: float) -> bool:
        """A server that is killed cannot end the process that it has begun."""
        return stop.wait(seconds) or (beside and os.getppid() != parent)

    def check() -> None:
        if stop.is_set():
            raise BackupFailed("The command was stopped.")

    async def look() -> archives.Archive:
        async with opened(settings) as database:
            await demand_this_version(database)
            return await archives.archive_of(database, vault_of(keys), folder)

    writer = run_to_end(look())
    try:
        with writer.alone():
            goes_on = True
            while goes_on:
                writer.prune(settings.backups_kept)
                goes_on = writer.write_section(1.0, stopped, check)
    except (BackupFailed, OSError, sqlite3.Error) as error:
        if not beside:
            raise BackupFailed(f"The archive cannot be written: {error}") from error
        logger.error("the archive cannot be written", why=str(error))
        raise typer.Exit(1) from None


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup that `nowserving backup` made, or the folder of an archive.")],
    replace: Annotated[
        str | None, typer.Option(help="The name of the present database, if it has tables: they are lost.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Restore although servers use the database.")] = False,
    until: Annotated[
        str | None, typer.Option(help="Repeat the changes until this instant, like 2026-11-30T10:15:00Z.")
    ] = None,
    binlogs: Annotated[Path | None, typer.Option(help="With --until: the folder of the server's binary logs.")] = None,
) -> None:
    """Give the database the content of a backup. Stop servers and workers first. Needs the keys of that time.

    The file is verified wholly before anything changes. Status 1: nothing has changed.
    """
    settings = read_settings(quiet=True)
    keys = find_keys(settings)
    if keys is None:
        raise BadKeys(f"A backup opens only with the keys of its time. Put the key file back first: {settings.key_path}")
    patience = round(3 * settings.heartbeat_seconds * 1_000_000)
    instant = None if until is None else instant_of(until)
    section = None
    if file.is_dir():
        if instant is None:
            raise typer.BadParameter("is needed to restore from the folder of an archive", param_hint="--until")
        section = archives.section_of(file, vault_of(keys), instant)
        file = section.base
    wanted = Wanted(file, replace, force, instant, binlogs, patience, section)

    async def work(stop: Stop) -> Restored:
        async with opened(settings) as database:
            done = await put_back(database, vault_of(keys), wanted, stop, print)
        async with audited(settings, keys) as (_, _, audit):
            audit.note("restore-backup", OPERATOR, subject=f"backup:{file.name}"[:120])
        return done

    done = run_to_end(stoppable(work))
    renewed = done.renewed
    print(f"Restored: the state of {shown_instant(done.facts.made_at if wanted.until is None else wanted.until)}.")
    print(f"Of the backup: {done.rows} rows, of {renewed.sites} sites. Each site has a new epoch: its screens start afresh.")
    print(f"Ended: {renewed.sessions} sessions, {renewed.links} links of accounts, {done.holds} held times.")
    print(f"Messages whose fate is unknown: {renewed.messages}. Nobody sends them; the desk can repeat them.")
    if done.migrations:
        print(f"Migrated from version {done.facts.version}: {', '.join(done.migrations)}.")
