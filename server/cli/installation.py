"""Opening the installation that a command works on: its settings, its keys, and its database."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import SecretStr

from server.audit import OPERATOR, Audit, process_name
from server.backups.errors import BackupFailed
from server.backups.tools import Stop
from server.cli.root import T, error_console
from server.domain import plain_text
from server.execute import Executor
from server.installation import certificates
from server.installation.addresses import is_loopback
from server.installation.keys import KEY_BYTES, PRIVATE_FOLDER, BadKeys, Keys
from server.installation.keys import make as make_keys
from server.queries import system
from server.queries.migrations import is_empty, pending
from server.queries.sites import has_sites
from server.seeding import Seeder
from server.settings import BadSettings, Settings, database_of, find_keys, load_settings, unknown_names
from server.store.database import Database
from server.store.findings import Finding
from server.store.migrate import PROOFS
from server.store.migrate import migrate as bring_up
from server.store.proofs import prove_all
from server.telemetry.logs import configure_logging
from server.vault import Vault


def name_check(most: int) -> Callable[[str], str]:
    """Return the check of a name on the command line, with at most ``most`` characters."""

    def check(name: str) -> str:
        if not 1 <= len(name) <= most:
            raise typer.BadParameter(f"1 to {most} characters")
        try:
            return plain_text.checked(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return check


def checked_username(name: str) -> str:
    return name_check(80)(name.strip())  # user names count without their outer spaces


def silent_executor(database: Database, keys: Keys) -> Executor:
    """Return an executor that publishes nothing. Running servers read the new events from the log within a second."""
    return Executor(database, vault_of(keys), publish=lambda *_: None)


def instant_of(text: str) -> int:
    """Return an instant of the command line in microseconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter("is an instant with its zone, like 2026-11-30T10:15:00Z", param_hint="--until")
    return round(found.timestamp() * 1_000_000)


async def stoppable(work: Callable[[Stop], Coroutine[Any, Any, T]]) -> T:
    """Do work that SIGTERM ends like Ctrl+C: it removes its temporary files first."""
    stop, task = Stop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        stop.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        return await work(stop)
    except asyncio.CancelledError:
        raise BackupFailed("The command was stopped.") from None


def shown_instant(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_settings(*, quiet: bool = False) -> Settings:
    settings = load_settings()
    configure_logging(json=settings.logs_json, level="warning" if quiet else settings.log_level)
    for name in unknown_names():
        error_console.print(f"[yellow]{name} is not a setting; it is ignored.[/]", highlight=False)
    if (file := settings.database_file) is not None:
        file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return settings


def read_keys(settings: Settings) -> Keys:
    """Return the keys of the installation. The first start makes them.

    A database with sites has data under the keys of an earlier start, so that new keys would lose this data.
    """
    found = find_keys(settings)
    if found is None and settings.env == "production" and settings.database_file is None and settings.key_file is None:
        raise BadSettings(
            "NOWSERVING_SECRET_KEY, NOWSERVING_ENCRYPTION_KEYS: all processes of this database need the same keys. Set "
            "both, or NOWSERVING_KEY_FILE to a file that all of them read."
        )
    if found is None and not run_to_end(with_database(settings, has_sites)) and make_keys(settings.key_path):
        error_console.print(
            f"This installation has new keys, in {settings.key_path}. Keep a copy of this file apart from the backups: "
            "without it, the names and phone numbers of the patients are lost.",
            highlight=False,
            soft_wrap=True,
        )
    found = found or find_keys(settings)  # another process may have been first
    if found is None:
        raise BadKeys(
            f"The key file {settings.key_path} is missing, but the database has data under earlier keys. Put the copy of "
            "the file back, or set NOWSERVING_SECRET_KEY and NOWSERVING_ENCRYPTION_KEYS to the earlier keys. "
            "docs/operating.md explains the keys."
        )
    return found


def fit_for_address(settings: Settings, host: str) -> None:
    """Refuse keys that a stranger could guess, unless only this machine can reach the server: then warn."""
    weak = [f"NOWSERVING_{name.upper()}: {why}" for name, why in settings.weak_keys().items()]
    if weak and not is_loopback(host):
        weak.append(f"Strangers can reach a server at {host or 'every address of this machine'}.")
        raise BadSettings("\n".join(weak))
    for each in weak:
        error_console.print(f"[yellow]{each}.[/]", highlight=False)


def welcome_address(address: str, code: str) -> str:
    """Return the address of the first run. A browser sends no fragment, so no log and no other site learns the code."""
    return f"{address}/welcome#code={code}"


def refuse_demo_in(env: str | None) -> None:
    if env == "production":
        raise BadSettings("NOWSERVING_ENV: the demo shows its passwords to everybody and refuses `production`. Unset it.")


def fit_for_processes(settings: Settings, workers: int) -> None:
    """Refuse in production, and warn in development, when several processes cannot share the database or the bus."""
    if workers == 1:
        return
    lacking = []
    if settings.redis_url is None:
        lacking.append("NOWSERVING_REDIS_URL: more than one process needs Redis between them")
    if settings.database_file:
        lacking.append("NOWSERVING_DATABASE_URL: more than one process needs MySQL or MariaDB")
    if lacking and settings.env == "production":
        raise BadSettings("\n".join(lacking))
    for each in lacking:
        error_console.print(f"[yellow]{each}.[/]", highlight=False)


def fit_for_redis(settings: Settings) -> None:
    """Refuse a plain URL that leads to a Redis Cluster. A Redis that is away is no reason to refuse."""
    if settings.redis_url is None:
        return
    from server.live.redis_bus import NOT_SINGLE

    if run_to_end(_look_at_redis(settings.redis_url, None)()) == NOT_SINGLE:
        raise BadSettings(f"NOWSERVING_REDIS_URL: {NOT_SINGLE}")


def _look_at_redis(redis_url: SecretStr, keys: Keys | None) -> Callable[[], Coroutine[Any, Any, str | None]]:
    from server.live.redis_bus import RedisBus

    vault = vault_of(keys or Keys("", (bytes(KEY_BYTES),)))  # a look at Redis seals nothing
    return RedisBus(redis_url.get_secret_value(), vault.seal, vault.open).problem


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    database = database_of(settings)
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def open_seeder(settings: Settings, keys: Keys) -> AsyncIterator[Seeder]:
    """Open the database for seeding. Running servers read the new events from the log within a second."""
    async with opened(settings) as database:
        yield Seeder(database, Executor(database, vault_of(keys), publish=lambda *_: None))


@contextlib.asynccontextmanager
async def audited(settings: Settings, keys: Keys) -> AsyncIterator[tuple[Database, Vault, Audit]]:
    """Open the database for work of the operator that the audit notes."""
    vault = vault_of(keys)
    async with opened(settings) as database:
        await database.now()  # the audit uses the right time from its first row on
        audit = Audit(database, vault, process_name())
        audit.start()
        try:
            yield database, vault, audit
        finally:
            await audit.stop()


@contextlib.asynccontextmanager
async def maintenance(settings: Settings, keys: Keys, action: str) -> AsyncIterator[tuple[Database, Vault]]:
    """Open the database for maintenance, and note in the audit that the operator did ``action``."""
    async with audited(settings, keys) as (database, vault, audit):
        audit.note(action, OPERATOR)
        yield database, vault


async def brought_up(settings: Settings, keys: Keys) -> list[str]:
    """Migrate the database; return the applied revisions. Then prove the rows from the time before proofs, once."""
    async with opened(settings) as database:
        applied = await bring_up(database)
        if PROOFS in applied:
            await prove_all(database, vault_of(keys))
    return applied


async def brought_up_if_empty(settings: Settings, keys: Keys) -> None:
    """Create the tables of an empty database. Servers of an older version may use one with tables: that needs `migrate`."""
    async with opened(settings) as database:
        if not await is_empty(database):
            await demand_this_version(database)
            return
    await brought_up(settings, keys)


async def demand_this_version(database: Database) -> None:
    if await pending(database):
        error_console.print("The database lacks migrations: run [bold]nowserving migrate[/] first.")
        raise typer.Exit(1)


def vault_of(keys: Keys) -> Vault:
    return Vault(keys.encryption_keys, keys.secret_key)


async def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async with opened(settings) as database:
        return await work(database)


async def checks_of(settings: Settings, keys: Keys | None) -> list[tuple[system.Check, int | None]]:
    """Return the checks of the installation, the same list as on the administrator's pages, and their known starts."""
    facts = _facts(settings, keys)

    async def look(database: Database) -> list[tuple[system.Check, int | None]]:
        found = await system.checks(database, facts)
        known = await system.noted(database)
        starts = {name: each.since for name, each in known.items()}
        return [(each, starts[each.name] if _is_noted(each, known) else None) for each in found]

    return await with_database(settings, look)


def _is_noted(check: system.Check, known: Mapping[str, Finding]) -> bool:
    return check.name in known and known[check.name].code == check.code


def _facts(settings: Settings, keys: Keys | None) -> system.Facts:
    bus_problem = None
    if settings.redis_url is not None:
        bus_problem = _look_at_redis(settings.redis_url, keys)
    return system.Facts(
        bus_problem=bus_problem,
        encrypted=settings.public_url.scheme == "https",
        exposed=settings.env == "production",
        limited=settings.rate_limits == "on",
        certificate=certificates.CertificateFile(settings.certificate) if settings.certificate else None,
        watched=bool(settings.watchdog_mail),
        data_folder=settings.data_folder,
        archive_folder=settings.archive_folder,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
