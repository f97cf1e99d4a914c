"""The command line: ``nowserving serve | demo | migrate | seed | site | user | audit | keys | retention | check | ...``."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

import typer
from rich.console import Console
from rich.table import Table

from server.audit import OPERATOR, Audit, process_name
from server.domain import plain_text, roles
from server.domain.errors import NowServingError
from server.domain.model import languages
from server.execute import Executor
from server.identity.hashing import Hashing
from server.identity.staff import StaffAccounts
from server.keys import KEY_BYTES, PRIVATE_FOLDER, BadKeys, Keys, make, random_key
from server.logs import configure_logging
from server.provisioning import create_site, organisation_named
from server.queries.boards import Boards
from server.queries.migrations import is_empty, pending
from server.queries.sites import has_sites
from server.queries.verification import verify, verify_rows
from server.seeding import Seed, Seeder
from server.settings import BadSettings, Settings, find_keys, load_settings, unknown_names
from server.store import clock_anchors, sealed
from server.store.chain import START
from server.store.clock_anchors import Anchor
from server.store.database import Database
from server.store.migrate import migrate as bring_up
from server.store.proofs import prove_all
from server.store.retention import Forgotten, forget
from server.vault import Vault

T = TypeVar("T")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Now Serving: the same true queue on every screen.")
audit_commands = typer.Typer(no_args_is_help=True, help="The hash chains of the site logs and the audit.")
app.add_typer(audit_commands, name="audit")
key_commands = typer.Typer(no_args_is_help=True, help="The keys that encrypt personal data.")
app.add_typer(key_commands, name="keys")
clock_commands = typer.Typer(help="The clock of the database.")
app.add_typer(clock_commands, name="clock")
error_console = Console(stderr=True)
console = Console()
PROOFS = "0012"  # the migration that adds proofs, for which it has no key


def main() -> None:
    """Run the command line. A known error gives one line on standard error and status 1; bad settings give status 2."""
    try:
        app()
    except BadSettings as error:
        error_console.print(f"[red]The settings cannot be used.[/]\n{error}", highlight=False)
        sys.exit(2)
    except BadKeys as error:
        error_console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        sys.exit(2)
    except NowServingError as error:
        error_console.print(f"[red]{error.message}[/]", highlight=False)
        sys.exit(1)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl+C."""
    from server import uvicorn_server

    settings = _settings()
    _fit_for_processes(settings, workers)
    _fit_for_address(settings, host)
    keys = _keys(settings)
    if settings.database_file:
        _run(_bring_up(settings, keys))  # this process is the only one that uses the file
    else:
        _run(_with_database(settings, _demand_this_version))
    status = uvicorn_server.run(
        "server.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        drain_delay_seconds=settings.drain_delay_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        stalled_seconds=settings.stalled_seconds,
        hand_off=settings.hand_off == "on",
        event_loop=settings.event_loop,
    )
    raise typer.Exit(status)


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path("var/demo"),
) -> None:
    """Run a small clinic with a simulated day, for a first look."""
    from server import uvicorn_server
    from server.app import build_app
    from server.demo import YOURS, Doors, a_patient, open_clinic, own_keys
    from server.simulation import Simulation, end_old_day

    _refuse_demo_in(os.environ.get("NOWSERVING_ENV"))
    directory.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    os.environ["NOWSERVING_DATABASE_URL"] = f"sqlite+aiosqlite:///{(directory / 'demo.db').resolve()}"
    os.environ["NOWSERVING_DRAIN_DELAY_SECONDS"] = "0"
    os.environ.setdefault("NOWSERVING_LOG_LEVEL", "warning")
    os.environ.pop("NOWSERVING_REDIS_URL", None)
    settings = _settings()
    _refuse_demo_in(settings.env)
    keys = own_keys(directory)

    async def prepare() -> tuple[Any, str]:
        async with _seeder(settings, keys) as seeder:
            await _bring_up(settings, keys)
            clinic = await open_clinic(seeder, directory)
            boards = Boards(seeder.database)
            stopped_at = (await boards.board(clinic["site_id"])).site.last_event_at / 1e6
            await end_old_day(seeder.executor, boards, clinic["site_id"], time.time(), stopped_at)
            return clinic, await a_patient(seeder.executor, boards, clinic)

    clinic, patient = _run(prepare())
    base = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    display = clinic["display"]
    lines = [
        ("Start here", f"{base}/"),
        ("Waiting-room display", f"{base}/display/{display['id']}?token={display['token']}"),
        ("Reception", f"{base}/reception"),
        ("A patient's phone", f"{base}/t/{patient}"),
        *((f"Sign in as {each['role']}", f"{each['username']} / {each['password']}") for each in clinic["staff"]),
    ]
    print("\nNow Serving: a simulated day at Riverside Clinic\n")
    for what, where in lines:
        print(f"  {what:<24}{where}")
    print(f"\n{YOURS} is yours: choose it at the reception, and press n for the next patient.")
    print("Stop with Ctrl+C.\n", flush=True)

    doors = Doors(clinic, patient)
    application = build_app(
        settings,
        keys,
        alongside=(
            lambda parts: Simulation(parts.executor, parts.boards, clinic["site_id"], hands_off=frozenset({YOURS})).run(),
            doors.keep_a_patient,
        ),
        before=doors.routes,
    )
    status = uvicorn_server.run(
        application,
        host=host,
        port=port,
        drain_delay_seconds=settings.drain_delay_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        stalled_seconds=settings.stalled_seconds,
        hand_off=settings.hand_off == "on",
        event_loop=settings.event_loop,
    )
    raise typer.Exit(status)


@app.command()
def migrate() -> None:
    """Migrate the database to the tables of this version."""
    settings = _settings()
    keys = _keys(settings)
    applied = _run(_bring_up(settings, keys))
    console.print(f"Applied: {', '.join(applied)}" if applied else "Nothing to do: the database is up to date.")


@app.command()
def seed(
    points: Annotated[int, typer.Option(help="Service points.", min=1, max=1000)] = 4,
    tickets: Annotated[int, typer.Option(help="Tickets waiting.", min=0, max=100_000)] = 20,
    displays: Annotated[int, typer.Option(help="Displays.", min=0, max=10_000)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Create a site with data for tests and load. An embedded database also gets its tables."""
    settings = _settings(quiet=as_json)
    keys = _keys(settings)

    async def fill() -> Seed:
        async with _seeder(settings, keys) as seeder:
            if seeder.database.embedded:
                await _bring_up(settings, keys)
            return await seeder.seed(points, tickets, displays)

    made = _run(fill())
    if as_json:
        print(json.dumps(made))
        return
    console.print(f"Site {made['site_id']}: {points} points, {tickets} tickets, {displays} displays.")
    for member in made["staff"]:
        console.print(f"  {member['role']}: {member['username']} / {member['password']}", highlight=False)


def _name(most: int) -> Callable[[str], str]:
    """Return the check of a name on the command line, with at most ``most`` characters."""

    def check(name: str) -> str:
        if not 1 <= len(name) <= most:
            raise typer.BadParameter(f"1 to {most} characters")
        try:
            return plain_text.checked(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return check


@app.command()
def site(
    name: Annotated[str, typer.Argument(help="The site's name, as patients see it.", callback=_name(120))],
    organisation: Annotated[str, typer.Option(help="The organisation. A new name creates one.", callback=_name(120))],
    time_zone: Annotated[str, typer.Option(help="IANA name of the site's time zone: Europe/Berlin.")],
    language: Annotated[str, typer.Option(help="The site's language, as a BCP 47 tag: en, pt-BR, zh-Hant.")] = "en",
) -> None:
    """Create a site. An empty installation needs one first; the API then adds queues and points."""
    if time_zone not in available_timezones():
        raise typer.BadParameter(f"{time_zone} is no time zone", param_hint="--time-zone")
    if not languages.is_tag(language):
        raise typer.BadParameter(
            f"{language[:40]} is no language tag. Examples: en, pt-BR, zh-Hant", param_hint="--language"
        )
    settings = _settings()
    keys = _keys(settings)

    async def create(database: Database) -> int:
        await _bring_up_if_empty(settings, keys)
        return (await create_site(database, _vault(keys), organisation, name, time_zone=time_zone, language=language)).id

    console.print(f"{name} is site {_run(_with_database(settings, create))}.", highlight=False)


def _username(name: str) -> str:
    return _name(80)(name.strip())  # user names count without their outer spaces


@app.command()
def user(
    username: Annotated[str, typer.Argument(help="The user name for sign-in.", callback=_username)],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(roles.ROLES)}.")],
    organisation: Annotated[str, typer.Option(help="Name of the organisation, which must have a site.")],
    password: Annotated[
        str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, envvar="NOWSERVING_NEW_PASSWORD")
    ],
) -> None:
    """Add a member of staff. The command asks for the password, unless NOWSERVING_NEW_PASSWORD has it."""
    if role not in roles.ROLES:
        raise typer.BadParameter(f"one of {', '.join(roles.ROLES)}", param_hint="--role")
    settings = _settings()
    keys = _keys(settings)

    async def add() -> str:
        await _bring_up_if_empty(settings, keys)
        async with _audited(settings, keys) as (database, vault, audit):
            organisation_id = await organisation_named(database, organisation)
            accounts = StaffAccounts(database, vault, Hashing(), audit)
            _, name = await accounts.add(organisation_id, username, password, role, actor=OPERATOR)
            return name

    console.print(f"{_run(add())} may sign in as {role}.", highlight=False)


@audit_commands.command("verify")
def verify_audit(
    site: Annotated[int | None, typer.Option(help="Verify only this site's log. The default is every chain.")] = None,
    through: Annotated[
        str | None, typer.Option(help="With --site: a head from an earlier run, which must still be part of the log.")
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option(help="A file outside the database. All kept heads must still be there; then it keeps the new ones."),
    ] = None,
) -> None:
    """Verify every hash chain and every proven row. Servers may run. Status 1 if something is broken."""
    number, _, link = (through or "").partition(":")
    if through is not None and (site is None or not number.isdecimal() or len(link) != len(START)):
        raise typer.BadParameter("needs --site, and a head like 812:3fa9...", param_hint="--through")
    if kept is not None and site is not None:
        raise typer.BadParameter("is about every chain: leave --site out", param_hint="--kept")
    settings = _settings()
    vault = _vault(_keys(settings))
    earlier = _kept_heads(kept)
    heads: dict[str, tuple[int, str]] = {}

    async def follow(database: Database) -> tuple[int, int]:
        whole = broken = 0
        async for each in verify(database, vault, site, (int(number), link) if number else None, earlier):
            if each.broken is None:
                whole += 1
                heads[each.key] = (each.links, each.head)
                print(f"{each.chain}: {each.links} links are whole, the head is {each.links}:{each.head}")
            else:
                broken += 1
                print(f"{each.chain}: BROKEN after {each.links} links: {each.broken}")
        if site is None:
            async for table in verify_rows(database, vault):
                print(f"{table.table}: {table.rows} right")
                for problem in table.problems:
                    broken += 1
                    print(f"{table.table}: BROKEN: {problem}")
        return whole, broken

    whole, broken = _run(_with_database(settings, follow))
    print(f"{whole} chains are whole, {broken} are broken.")
    if broken:
        raise typer.Exit(1)
    if kept is not None:
        fresh = kept.with_name(f"{kept.name}.new")
        fresh.write_text(json.dumps(heads, indent=1))
        fresh.replace(kept)


def _kept_heads(file: Path | None) -> dict[str, tuple[int, str]]:
    """Return the heads that an earlier verification kept in ``file``, by the key of their chain."""
    if file is None or not file.exists():
        return {}
    try:
        return {str(key): (int(number), str(link)) for key, (number, link) in json.loads(file.read_text()).items()}
    except (ValueError, TypeError, AttributeError):
        raise typer.BadParameter(f"{file} has no heads of an earlier verification", param_hint="--kept") from None


@audit_commands.command("prove")
def prove_rows() -> None:
    """Prove the rows from the time before proofs. Changes until now stay unnoticed: run it once, after the migration."""
    settings = _settings()
    keys = _keys(settings)

    async def work() -> int:
        async with _maintenance(settings, keys, "prove-rows") as (database, vault):
            return await prove_all(database, vault)

    print(f"{_run(work())} rows have a proof now.")


@key_commands.command("new")
def new_key() -> None:
    """Print a new encryption key, for NOWSERVING_ENCRYPTION_KEYS or the key file."""
    print(random_key())


@key_commands.command("check")
def check_keys() -> None:
    """Print the number of rows that each key encrypts. Status 1 if no configured key decrypts some of them."""
    settings = _settings()
    vault = _vault(_keys(settings))

    async def count(database: Database) -> dict[str, dict[str, int]]:
        return {each.name: await sealed.count(database, each) for each in sealed.SEALED}

    counts = _run(_with_database(settings, count))
    unknown = sorted({key for each in counts.values() for key in each} - set(vault.keys))
    for key in (*vault.keys, *unknown):
        what = "unknown" if key in unknown else "seals" if key == vault.first_key else "opens only"
        rows = ", ".join(f"{name} {each[key]}" for name, each in counts.items() if key in each)
        print(f"{key} ({what}): {rows or 'nothing'}")
    if unknown:
        raise typer.Exit(1)


@key_commands.command("rotate")
def rotate_keys() -> None:
    """Encrypt all personal data again with the first key. Servers may run. A stopped run can start again."""
    settings = _settings()
    keys = _keys(settings)

    async def rotate() -> bool:
        opened = True
        async with _maintenance(settings, keys, "rotate-keys") as (database, vault):
            for each in sealed.SEALED:
                result = await sealed.reseal(database, vault, each)
                left = f"; no configured key opens {result.closed}" if result.closed else ""
                print(f"{each.name}: {result.done} rows resealed{left}")
                opened = opened and not result.closed
        return opened

    if not _run(rotate()):
        raise typer.Exit(1)


@app.command()
def retention(
    days: Annotated[
        int | None, typer.Option(help="Age in days; the default is NOWSERVING_RETENTION_DAYS.", min=1, max=36_500)
    ] = None,
) -> None:
    """Delete personal data that is older: encrypted data, display names, search hashes, answers, sessions. The log stays."""
    settings = _settings()
    kept_days = settings.retention_days if days is None else days
    if kept_days is None:
        print("Everything is kept: neither --days nor NOWSERVING_RETENTION_DAYS is set.")
        return
    keys = _keys(settings)

    async def work() -> Forgotten:
        async with _maintenance(settings, keys, "retention") as (database, vault):
            return await forget(database, vault, kept_days)

    done = _run(work())
    print(f"Deleted, of more than {kept_days} days ago: {done.visits} visits, {done.events} events of the log,")
    print(f"{done.searches} search hashes, {done.answers} answers, {done.sessions} sessions.")


@clock_commands.callback(invoke_without_command=True)
def show_clock(context: typer.Context) -> None:
    """Show the database's clock and the trusted time. Status 1 if they differ, or if the log of a site is ahead."""
    if context.invoked_subcommand is not None:
        return
    settings = _settings(quiet=True)

    async def look(database: Database) -> tuple[int, int, list[Anchor]]:
        trusted = await database.now()
        async with database.read() as connection:
            return trusted, trusted + database.clock.step, await clock_anchors.listed(connection)

    trusted, shown, anchors = _run(_with_database(settings, look))
    print(f"The database's clock: {_instant(shown)}")
    print(f"The trusted time:     {_instant(trusted)}")
    for each in anchors:
        state = "right"
        if each.step:
            state = f"set {abs(each.step) // 1_000_000} s {'ahead' if each.step > 0 else 'back'}; the right time goes on"
        elif each.behind:
            state = f"{each.behind // 1_000_000} s behind the log of a site"
        print(f"The servers on {each.host} saw at {_instant(each.noted_at)}: {state}")
    if shown != trusted or any(each.step or each.behind for each in anchors):
        print("Set the clock right, or run `nowserving clock accept` if it is right now. docs/operating.md explains more.")
        raise typer.Exit(1)


def _instant(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@clock_commands.command("accept")
def accept_clock() -> None:
    """Take the present clock of the database for right. Every server follows it within seconds."""
    settings = _settings()
    keys = _keys(settings)

    async def work() -> tuple[int, int]:
        async with _maintenance(settings, keys, "accept-clock") as (database, _):
            step = database.clock.step
            async with database.write() as connection:
                await clock_anchors.accept(connection)
            database.clock.learn(None)
            return step, await database.now()

    step, now = _run(work())
    print(f"The clock of the database is accepted: {_instant(now)}.")
    print(f"The servers change their time by {step // 1_000_000} s." if step else "No step is known on this machine.")


@app.command()
def check() -> None:
    """Print the effective settings with masked secrets, and try every connection."""
    settings = _settings()
    keys = find_keys(settings)
    table = Table(box=None, show_header=False)
    for name, value in settings.masked().items():
        table.add_row(f"NOWSERVING_{name.upper()}", value)
    console.print(table)
    if settings.named_keys is None:
        made = "has the keys" if keys else "does not exist yet; the first start makes it"
        console.print(f"The key file {settings.key_path} {made}.", highlight=False, soft_wrap=True)
    problems = _run(_connections(settings, keys))
    for problem in problems:
        error_console.print(f"[red]{problem}[/]", highlight=False)
    if settings.env == "production" and settings.public_url.scheme != "https":
        error_console.print("[yellow]NOWSERVING_PUBLIC_URL is not https: patients' links are not encrypted.[/]")
    if settings.env == "production" and settings.rate_limits == "off":
        error_console.print("[yellow]NOWSERVING_RATE_LIMITS is off: requests and guesses at passwords have no limit.[/]")
    if problems:
        raise typer.Exit(1)
    console.print("[green]Every configured connection works.[/]")


@app.command()
def openapi() -> None:
    """Print the description of the API, as OpenAPI 3.1."""
    from server.transport.spec.openapi import document

    print(json.dumps(document(), indent=2))


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(help="Tasks at the same time.", min=1, max=64)] = 2,
) -> None:
    """Run a worker, which sends notifications. Needs NOWSERVING_REDIS_URL."""
    _celery("worker", "--concurrency", str(concurrency), "--without-gossip", "--without-mingle")


@app.command()
def beat(
    schedule: Annotated[Path, typer.Option(help="File with the time of each task's last run.")] = Path("var/beat"),
) -> None:
    """Run the clock of the workers, exactly one in an installation. Needs NOWSERVING_REDIS_URL."""
    schedule.parent.mkdir(parents=True, exist_ok=True)
    _celery("beat", "--schedule", str(schedule))


def _celery(*arguments: str) -> None:
    settings = _settings()
    if settings.redis_url is None:
        raise BadSettings("NOWSERVING_REDIS_URL: workers need Redis")
    _keys(settings)
    os.execv(sys.executable, [sys.executable, "-m", "celery", "-A", "workers.app:app", *arguments, "--loglevel", "INFO"])


def _settings(*, quiet: bool = False) -> Settings:
    settings = load_settings()
    configure_logging(json=settings.logs_json, level="warning" if quiet else settings.log_level)
    for name in unknown_names():
        error_console.print(f"[yellow]{name} is not a setting; it is ignored.[/]", highlight=False)
    if (file := settings.database_file) is not None:
        file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return settings


def _keys(settings: Settings) -> Keys:
    """Return the keys of the installation. The first start makes them.

    A database with sites has data under the keys of an earlier start, so that new keys would lose this data.
    """
    found = find_keys(settings)
    if found is None and settings.env == "production" and settings.database_file is None and settings.key_file is None:
        raise BadSettings(
            "NOWSERVING_SECRET_KEY, NOWSERVING_ENCRYPTION_KEYS: all processes of this database need the same keys. Set "
            "both, or NOWSERVING_KEY_FILE to a file that all of them read."
        )
    if found is None and not _run(_with_database(settings, has_sites)) and make(settings.key_path):
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


def _fit_for_address(settings: Settings, host: str) -> None:
    """Refuse keys that a stranger could guess, unless only this machine can reach the server: then warn."""
    weak = [f"NOWSERVING_{name.upper()}: {why}" for name, why in settings.weak_keys().items()]
    if weak and not is_loopback(host):
        weak.append(f"Strangers can reach a server at {host or 'every address of this machine'}.")
        raise BadSettings("\n".join(weak))
    for each in weak:
        error_console.print(f"[yellow]{each}.[/]", highlight=False)


def is_loopback(host: str) -> bool:
    """Return whether a server at ``host`` is reachable from this machine alone."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    return all((getattr(each, "ipv4_mapped", None) or each).is_loopback for each in addresses)


def _refuse_demo_in(env: str | None) -> None:
    if env == "production":
        raise BadSettings("NOWSERVING_ENV: the demo shows its passwords to everybody and refuses `production`. Unset it.")


def _fit_for_processes(settings: Settings, workers: int) -> None:
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


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url.get_secret_value())
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _seeder(settings: Settings, keys: Keys) -> AsyncIterator[Seeder]:
    """Open the database for seeding. Running servers read the new events from the log within a second."""
    async with _opened(settings) as database:
        yield Seeder(database, Executor(database, _vault(keys), publish=lambda *_: None))


@contextlib.asynccontextmanager
async def _audited(settings: Settings, keys: Keys) -> AsyncIterator[tuple[Database, Vault, Audit]]:
    """Open the database for work of the operator that the audit notes."""
    vault = _vault(keys)
    async with _opened(settings) as database:
        await database.now()  # the audit uses the right time from its first row on
        audit = Audit(database, vault, process_name())
        audit.start()
        try:
            yield database, vault, audit
        finally:
            await audit.stop()


@contextlib.asynccontextmanager
async def _maintenance(settings: Settings, keys: Keys, action: str) -> AsyncIterator[tuple[Database, Vault]]:
    """Open the database for maintenance, and note in the audit that the operator did ``action``."""
    async with _audited(settings, keys) as (database, vault, audit):
        audit.note(action, OPERATOR)
        yield database, vault


async def _bring_up(settings: Settings, keys: Keys) -> list[str]:
    """Migrate the database; return the applied revisions. Then prove the rows from the time before proofs, once."""
    async with _opened(settings) as database:
        applied = await bring_up(database)
        if PROOFS in applied:
            await prove_all(database, _vault(keys))
    return applied


async def _bring_up_if_empty(settings: Settings, keys: Keys) -> None:
    """Create the tables of an empty database. Servers of an older version may use one with tables: that needs `migrate`."""
    async with _opened(settings) as database:
        if not await is_empty(database):
            await _demand_this_version(database)
            return
    await _bring_up(settings, keys)


async def _demand_this_version(database: Database) -> None:
    if await pending(database):
        error_console.print("The database lacks migrations: run [bold]nowserving migrate[/] first.")
        raise typer.Exit(1)


def _vault(keys: Keys) -> Vault:
    return Vault(keys.encryption_keys, keys.secret_key)


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async with _opened(settings) as database:
        return await work(database)


async def _connections(settings: Settings, keys: Keys | None) -> list[str]:
    """Try every configured connection; return a sentence for each one that fails."""
    problems = []
    try:
        lacking = await _with_database(settings, pending)
        if lacking:
            problems.append(
                f"NOWSERVING_DATABASE_URL: migrations are missing ({', '.join(lacking)}); run nowserving migrate"
            )
    except NowServingError as error:
        problems.append(f"NOWSERVING_DATABASE_URL: {error.__cause__ or error.message}")
    if settings.redis_url is not None:
        from server.live.redis_bus import RedisBus

        vault = _vault(keys or Keys("", (bytes(KEY_BYTES),)))  # a look at Redis seals nothing
        bus = RedisBus(settings.redis_url.get_secret_value(), vault.seal, vault.open)
        problem = await bus.problem()
        if problem:
            problems.append(f"NOWSERVING_REDIS_URL: {problem}")
    return problems


if __name__ == "__main__":
    main()
