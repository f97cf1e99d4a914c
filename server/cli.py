"""The command line: ``nowserving serve | demo | migrate | seed | user | backup | restore | audit | keys | check | ...``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

import httpx
import segno
import structlog
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import ArgumentError

from server import certificates, diagnosis
from server.addresses import address_here, address_on_network, is_loopback
from server.audit import OPERATOR, Audit, process_name
from server.backups import archive as archives
from server.backups import nightly as nights
from server.backups.errors import BackupFailed
from server.backups.making import Made, make
from server.backups.restoring import Restored, Wanted
from server.backups.restoring import restore as put_back
from server.backups.tools import Stop
from server.blueprints import (
    BadClinicFile,
    ClinicFile,
    Template,
    read,
    shown,
    template_named,
    templates,
    write,
)
from server.clinics import Clinics, Plan
from server.domain import plain_text, roles
from server.domain.commands.schedules import Stranded
from server.domain.errors import NowServingError
from server.domain.flags import FLAGS, MOST_SITES, Rule, Variant
from server.domain.model import languages
from server.domain.usernames import normal_username
from server.execute import Executor
from server.identity.errors import SecondFactorOff, SetupClosed, UserNotFound
from server.identity.first_run import CODE_MINUTES, new_setup_code
from server.identity.hashing import Hashing
from server.identity.identity import build_identity
from server.identity.new_passwords import check_new_password
from server.identity.staff import StaffAccounts
from server.identity.usernames import new_username
from server.keys import KEY_BYTES, PRIVATE_FOLDER, BadKeys, Keys, random_key
from server.keys import make as make_keys
from server.logs import configure_logging
from server.moving import Moved, MoveFailed
from server.moving import move as move_database
from server.notifying import drafts
from server.phones import region_of_zone
from server.provisioning import create_site, organisation_named
from server.queries import flags, system, table_counts
from server.queries.administration import AccountNamed, account_named
from server.queries.boards import Boards
from server.queries.identity import Identities, SessionTerms, has_admin
from server.queries.migrations import is_empty, pending
from server.queries.replaying import verify_time
from server.queries.sites import all_ids, has_sites
from server.queries.verification import verify, verify_rows
from server.seeding import Seed, Seeder
from server.settings import BadSettings, Settings, database_of, find_keys, load_settings, unknown_names
from server.store import clock_anchors, sealed
from server.store import flags as flag_rows
from server.store.chain import START
from server.store.clock_anchors import Anchor
from server.store.database import Database, database_url
from server.store.findings import Finding
from server.store.migrate import PROOFS, NewerTables, UnfinishedMove
from server.store.migrate import migrate as bring_up
from server.store.proofs import prove_all
from server.store.retention import Forgotten, forget
from server.vault import Vault

T = TypeVar("T")

logger = structlog.get_logger(__name__)

MOST_DAYS_OF_RULE = 366  # of a flag: a rule is for the time of a trial, not for ever

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Now Serving: the same true queue on every screen.")
audit_commands = typer.Typer(no_args_is_help=True, help="The hash chains of the site logs and the audit.")
app.add_typer(audit_commands, name="audit")
key_commands = typer.Typer(no_args_is_help=True, help="The keys that encrypt personal data.")
app.add_typer(key_commands, name="keys")
clock_commands = typer.Typer(help="The clock of the database.")
app.add_typer(clock_commands, name="clock")
flag_commands = typer.Typer(no_args_is_help=True, help="The flags: capabilities that a rule switches for some sites.")
app.add_typer(flag_commands, name="flag")
error_console = Console(stderr=True)
console = Console()


def main() -> None:
    """Run the command line. A known error gives one line on standard error and status 1; bad settings give status 2."""
    try:
        app()
    except BadSettings as error:
        error_console.print(f"[red]The settings cannot be used.[/]\n{escape(str(error))}", highlight=False)
        sys.exit(2)
    except BadKeys as error:
        error_console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        sys.exit(2)
    except (BackupFailed, MoveFailed, NewerTables, UnfinishedMove, flags.BadFlags) as error:
        error_console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
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
    _fit_for_redis(settings)
    _fit_for_address(settings, host)
    keys = _keys(settings)
    if settings.database_file:
        _run(_bring_up(settings, keys))  # this process is the only one that uses the file
    else:
        _run(_with_database(settings, _demand_this_version))
    _run(_with_database(settings, flags.demand_usable))
    _run(_show_setup_code(settings, keys, host, port))
    status = uvicorn_server.run(
        "server.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        metrics_folder=settings.metrics_folder,
        drain_delay_seconds=settings.drain_delay_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        stalled_seconds=settings.stalled_seconds,
        frozen_seconds=settings.frozen_seconds,
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
    from server.demo import YOURS, Doors, a_patient, an_appointment, open_clinic, open_hours, own_keys, ring_phones
    from server.simulation import Simulation, end_old_day

    _refuse_demo_in(os.environ.get("NOWSERVING_ENV"))
    directory.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    os.environ["NOWSERVING_DATABASE_URL"] = f"sqlite+aiosqlite:///{(directory / 'demo.db').resolve()}"
    os.environ["NOWSERVING_DRAIN_DELAY_SECONDS"] = "0"
    os.environ.setdefault("NOWSERVING_LOG_LEVEL", "warning")
    os.environ.pop("NOWSERVING_REDIS_URL", None)
    phones = address_on_network(host, port)
    if phones is not None:
        os.environ.setdefault("NOWSERVING_PUBLIC_URL", phones)  # the codes on the screens lead phones there
    settings = _settings()
    _refuse_demo_in(settings.env)
    keys = own_keys(directory)

    async def prepare() -> tuple[Any, str, str]:
        async with _seeder(settings, keys) as seeder:
            await _bring_up(settings, keys)
            clinic = await open_clinic(seeder, directory)
            boards = Boards(seeder.database)
            stopped_at = (await boards.board(clinic["site_id"])).site.last_event_at / 1e6
            await end_old_day(seeder.executor, boards, clinic["site_id"], time.time(), stopped_at)
            await open_hours(seeder, boards, clinic)
            await ring_phones(seeder, boards, clinic)
            ticket = await a_patient(seeder.executor, boards, clinic)
            return clinic, ticket, await an_appointment(seeder.executor, boards, clinic)

    clinic, patient, appointment = _run(prepare())
    base = address_here(host, port)
    display, kiosk = clinic["display"], clinic["kiosk"]
    lines = [
        ("Start here", f"{base}/"),
        ("Waiting-room display", f"{base}/display/{display['id']}?token={display['token']}"),
        ("Kiosk", f"{base}/kiosk/{kiosk['id']}?token={kiosk['token']}"),
        ("Reception", f"{base}/reception"),
        ("Administration", f"{base}/admin"),
        ("A patient's phone", f"{base}/t/{patient}"),
        ("An appointment", f"{base}/a/{appointment}"),
        ("Book an appointment", f"{base}/book/{clinic['site_id']}"),
        ("Calendar", f"{base}/calendar"),
        *((f"Sign in as {each['role']}", f"{each['username']} / {each['password']}") for each in clinic["staff"]),
    ]
    print("\nNow Serving: a simulated day at Riverside Clinic\n")
    for what, where in lines:
        print(f"  {what:<24}{where}")
    print(f"\n{YOURS} is yours: choose it at the reception, and press n for the next patient.")
    _print_way_for_phones(phones, clinic["site_id"])
    print("Stop with Ctrl+C.\n", flush=True)

    doors = Doors(clinic, patient, appointment)
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


def _print_way_for_phones(phones: str | None, site_id: int) -> None:
    """Print how one's own phone joins a queue of the demo: the address and, in a terminal, its QR code."""
    if phones is None:
        print("To join with your own phone, start the demo with HOST=0.0.0.0: the phone's network then reaches it.")
        return
    address = f"{phones}/join/{site_id}"
    print(f"Join with your own phone, on the same network: {address}")
    print("The display and the kiosk show the code that the page asks for.")
    if sys.stdout.isatty():
        segno.make(address, micro=False).terminal(compact=True)


@app.command()
def migrate() -> None:
    """Migrate the database to the tables of this version."""
    settings = _settings()
    keys = _keys(settings)
    applied = _run(_bring_up(settings, keys))
    console.print(f"Applied: {', '.join(applied)}" if applied else "Nothing to do: the database is up to date.")
    try:
        _run(_with_database(settings, flags.demand_usable))
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
    settings = _settings(quiet=True)
    keys = _keys(settings)
    try:
        wanted = database_url(to)
    except (ValueError, ArgumentError) as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    if wanted.get_backend_name() == "sqlite":
        raise typer.BadParameter("names an embedded database: move to MySQL or MariaDB", param_hint="--to")

    async def work() -> Moved:
        async with _opened(settings) as source:
            if wanted == source.url:
                raise typer.BadParameter("is the present database", param_hint="--to")
            target = Database(to)
            try:
                vault, silent = _vault(keys), system.HEARTBEATS * settings.heartbeat_seconds
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

    done = _run(work())
    print(f"{done.rows} rows of {done.tables} tables are there and equal, and {done.chains} chains are whole.")
    print("Next: set NOWSERVING_DATABASE_URL to the new database for every process, and leave the keys as they are. Then")
    print("start the servers and workers, and run `nowserving check`. Keep the old database until the new one has a backup.")


@app.command("setup-code")
def setup_code() -> None:
    """Print a new one-time code for the page /welcome of an installation without an administrator. The old code ends."""
    settings = _settings(quiet=True)
    keys = _keys(settings)

    async def make() -> str:
        await _bring_up_if_empty(settings, keys)
        async with _audited(settings, keys) as (database, vault, audit):
            return await new_setup_code(database, vault, audit)

    code = _run(make())
    print(f"The set-up code is {code}. It is valid for {CODE_MINUTES} minutes, and the code before it has ended.")
    public = settings.public_address
    if public:
        print(f"Open {_welcome(public, code)}")
    else:
        print("Type it on the page /welcome of the server.")


@app.command()
def seed(
    points: Annotated[int, typer.Option(help="Service points.", min=1, max=1000)] = 4,
    tickets: Annotated[int, typer.Option(help="Tickets waiting.", min=0, max=100_000)] = 20,
    displays: Annotated[int, typer.Option(help="Displays.", min=0, max=10_000)] = 1,
    providers: Annotated[int, typer.Option(help="Providers with schedules.", min=0, max=1000)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Create a site with data for tests and load. An embedded database also gets its tables."""
    settings = _settings(quiet=as_json)
    keys = _keys(settings)

    async def fill() -> Seed:
        async with _seeder(settings, keys) as seeder:
            if seeder.database.embedded:
                await _bring_up(settings, keys)
            return await seeder.seed(points, tickets, displays, providers)

    made = _run(fill())
    if as_json:
        print(json.dumps(made))
        return
    console.print(f"Site {made['site_id']}: {points} points, {tickets} tickets, {displays} displays.")
    for member in made["staff"]:
        console.print(f"  {member['role']}: {member['username']} / {member['password']}", highlight=False)


@app.command()
def certificate(
    folder: Annotated[Path, typer.Argument(help="The folder for certificate.pem and key.pem.")],
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name or an address of the server; repeat it for more. Default: the settings'."),
    ] = None,
    days: Annotated[int, typer.Option(help="The days for which it is valid.", min=1, max=397)] = 90,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a certificate that is there.")] = False,
) -> None:
    """Make a certificate for a trial of TLS in nginx, signed by itself: browsers warn of it. One that is there stays."""
    there = folder / certificates.CERTIFICATE_FILE
    if there.exists() and not replace:
        console.print(f"{there} stays as it is.", highlight=False, soft_wrap=True)
        return
    if not names:
        settings = _settings(quiet=True)
        names = list(dict.fromkeys([settings.public_url.host or "localhost", *settings.allowed_hosts]))
    try:
        made = certificates.make(folder, names, days)
    except (OSError, ValueError) as error:
        error_console.print(f"No certificate was made: {error}", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"Made {made[0]} and {made[1]} for {', '.join(names)}.", highlight=False, soft_wrap=True)


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


@app.command()
def init(
    name: Annotated[str | None, typer.Option(help="The clinic's name, as patients see it.")] = None,
    organisation: Annotated[str | None, typer.Option(help="The organisation; the default is the clinic's name.")] = None,
    language: Annotated[str | None, typer.Option(help="The clinic's language, as a BCP 47 tag.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA name of the clinic's time zone: Europe/Berlin.")] = None,
    template: Annotated[str | None, typer.Option(help="The kind of clinic: one of the templates, or `empty`.")] = None,
    username: Annotated[str | None, typer.Option(help="The user name of the first administrator.")] = None,
) -> None:
    """Set up a new installation: a clinic from a template, and its first administrator.

    Asks for the values that no option gives. NOWSERVING_NEW_PASSWORD may have the password.
    """
    settings = _settings(quiet=True)
    keys = _keys(settings)
    _run(_bring_up_if_empty(settings, keys))
    if _run(_with_database(settings, has_admin)):
        error_console.print(
            "This installation has an administrator already. Use /admin, or `nowserving apply`.", soft_wrap=True
        )
        raise typer.Exit(1)
    clinic = _asked("The clinic's name", name, _name(80))
    owner = organisation if organisation is not None else clinic
    tag = languages.usual(_asked("Its language (en, es, fr, ar, or another tag)", language, _tag, default="en"))
    zone = _asked("Its time zone", time_zone, _zone, default=_zone_of_this_machine())
    kind = _chosen_template(template, tag)
    user_name = _asked("The user name of the first administrator", username, _username)
    password = os.environ.get("NOWSERVING_NEW_PASSWORD") or typer.prompt(
        "The password", hide_input=True, confirmation_prompt=True
    )
    blueprint = kind.blueprint(name=clinic, time_zone=zone, region=region_of_zone(zone) or "", language=tag)

    async def set_up() -> str:
        accepted = new_username(user_name)
        await check_new_password(password, accepted)
        async with _audited(settings, keys) as (database, vault, audit):
            clinics = Clinics(database, Executor(database, vault, publish=lambda *_: None))
            plan = await clinics.plan(ClinicFile(blueprint, _name(120)(owner)))
            await clinics.apply(plan, remove=False, actor=OPERATOR)
            accounts = StaffAccounts(database, vault, Hashing(), audit)
            organisation_id = await organisation_named(database, plan.organisation)
            return (await accounts.add(organisation_id, accepted, password, "admin", actor=OPERATOR))[1]

    console.print(f"[green]{clinic} is set up.[/] {_run(set_up())} may sign in as admin.", highlight=False)
    console.print("Start the server with [bold]nowserving serve[/], then open the address that it prints.", highlight=False)


@app.command()
def apply(
    file: Annotated[str, typer.Argument(help="A set-up file, or - for standard input.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply the changes without a question.")] = False,
    check: Annotated[bool, typer.Option("--check", "--dry-run", help="Only show the changes; status 3 if any.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the records that the file lacks.")] = False,
    stranded: Annotated[
        Stranded | None,
        typer.Option(help="Keep or cancel the booked appointments on days that become closed."),
    ] = None,
    site: Annotated[
        int | None, typer.Option(help="The clinic's number; without it, its name identifies the clinic.")
    ] = None,
) -> None:
    """Bring a clinic to its set-up file: show the differences, ask, and apply them, all or none.

    Status 0: nothing to change, or applied. 1: a mistake or a refusal, and nothing has changed. 3: changes, with --check.
    """
    read = _read_clinic_file(file)
    settings = _settings(quiet=True)
    keys = _keys(settings)

    async def plan(database: Database) -> Plan:
        await _bring_up_if_empty(settings, keys)
        return await Clinics(database, _silent_executor(database, keys)).plan(read, site)

    planned = _run(_with_database(settings, plan))
    what = f"{planned.file.blueprint.name} ({planned.organisation})"
    if not planned.pending(remove=remove) and not planned.is_new and not (planned.missing and not yes and not check):
        _show(planned, remove=remove)
        console.print(f"Nothing to change: {what} is like the file.", highlight=False, markup=False)
        return
    console.print(f"{'New clinic' if planned.is_new else 'Changes to'} {what}:", highlight=False, markup=False)
    _show(planned, remove=remove)
    if check:
        raise typer.Exit(3 if planned.is_new or planned.pending(remove=remove) else 0)
    if planned.stranded is not None and stranded is None:
        error_console.print("Say what happens to these appointments: --stranded keep, or --stranded cancel.", soft_wrap=True)
        raise typer.Exit(1)
    if not yes:
        if planned.missing and not remove:
            remove = typer.confirm("Remove the records that the file lacks, too?", default=False)
        if not planned.is_new and not planned.pending(remove=remove):
            console.print("Nothing to change.")
            return
        typer.confirm("Apply these changes?", abort=True)

    async def carry_out() -> int:
        async with _audited(settings, keys) as (database, _, audit):
            clinics = Clinics(database, _silent_executor(database, keys), audit)
            return await clinics.apply(planned, remove=remove, actor=OPERATOR, stranded=stranded)

    number = _run(carry_out())
    console.print(f"[green]Done.[/] {what} is site {number}.", highlight=False)


@app.command()
def export(
    site: Annotated[int | None, typer.Option(help="The clinic's number, where there is more than one.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write, with mode 0600, in place of the output.")] = None,
) -> None:
    """Write the set-up file of a clinic. It has the true names of services: keep it where only staff can read it."""
    settings = _settings(quiet=True)
    keys = _keys(settings)

    async def find(database: Database) -> ClinicFile:
        return await Clinics(database, _silent_executor(database, keys)).export(site)

    text = write(_run(_with_database(settings, find)))
    if output is None:
        print(text, end="")
        return
    fresh = output.with_name(f"{output.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(output)


def _problem_of_text(template: str, language: str, text: str) -> str | None:
    """Return why a message cannot be made of a clinic's own text, or None."""
    problem = drafts.problem_of(template, language, text)
    return None if problem is None else problem.told(template)


def _read_clinic_file(file: str) -> ClinicFile:
    """Return the content of a set-up file. Each mistake gives one line on standard error, and the status is 1."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return read(text, _problem_of_text)
    except OSError as error:
        error_console.print(f"{file} cannot be read: {error.strerror}", highlight=False, markup=False, soft_wrap=True)
    except UnicodeDecodeError:
        error_console.print(f"{file} is not text in UTF-8", highlight=False, markup=False, soft_wrap=True)
    except BadClinicFile as error:
        name = "standard input" if file == "-" else file
        error_console.print(error.listed(f"{name}:"), highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _show(plan: Plan, *, remove: bool) -> None:
    if plan.changes:
        console.print(shown(plan.changes, is_new=plan.is_new, remove=remove), soft_wrap=True)
    if (booked := plan.stranded) is not None:
        first = ", ".join(booked.first) + (", ..." if booked.count > len(booked.first) else "")
        what = f"Booked appointments on days that become closed: {booked.count} ({first})"
        console.print(what, highlight=False, markup=False, soft_wrap=True)


def _silent_executor(database: Database, keys: Keys) -> Executor:
    """Return an executor that publishes nothing. Running servers read the new events from the log within a second."""
    return Executor(database, _vault(keys), publish=lambda *_: None)


def _asked(question: str, given: str | None, check: Callable[[str], str], default: str | None = None) -> str:
    """Return a given value, or ask until the answer passes ``check``. A given value that does not pass ends the command."""
    if given is not None:
        return check(given)
    while True:
        try:
            return check(str(typer.prompt(question, default=default)).strip())
        except typer.BadParameter as error:
            error_console.print(str(error), highlight=False, markup=False, soft_wrap=True)


def _tag(language: str) -> str:
    if not languages.is_tag(language):
        raise typer.BadParameter(f"{language[:40]} is no language tag. Examples: en, pt-BR, zh-Hant")
    return language


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise typer.BadParameter(f"{name} is no time zone. Examples: Europe/Berlin, America/New_York")
    return name


def _zone_of_this_machine() -> str:
    """Return the time zone of this machine as far as it is known, else UTC."""
    linked = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return next((each for each in (os.environ.get("TZ", ""), linked) if each in available_timezones()), "UTC")


def _chosen_template(given: str | None, language: str) -> Template:
    """Return the template with the key ``given``, or ask for one by its number."""
    known = templates()
    if given is None:
        for number, each in enumerate(known, start=1):
            console.print(f"  {number}  {each.title([language])}: {each.description([language])}", highlight=False)

    def check(answer: str) -> str:
        key = known[int(answer) - 1].key if answer in map(str, range(1, len(known) + 1)) else answer
        if template_named(key) is None:
            raise typer.BadParameter(f"{answer} is no template: one of {', '.join(each.key for each in known)}")
        return key

    chosen = template_named(_asked("The kind of clinic", given, check, default="1"))
    assert chosen is not None
    return chosen


@app.command("reset-password")
def reset_password(
    username: Annotated[str, typer.Argument(help="The user name of the member of staff.", callback=_username)],
    link: Annotated[
        bool, typer.Option("--link", help="Print a link with which the member sets the password within 24 hours.")
    ] = False,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Also remove the second factor, for example of a lost phone.")
    ] = False,
    password: Annotated[
        str | None, typer.Option(help="The new password. Without it, the command asks.", envvar="NOWSERVING_NEW_PASSWORD")
    ] = None,
) -> None:
    """Set a new password for a member of staff who cannot sign in. All sessions of the member end.

    The command asks for the password, unless NOWSERVING_NEW_PASSWORD has it. It works for the last administrator too.
    """
    settings = _settings()
    keys = _keys(settings)
    _run(_with_database(settings, _demand_this_version))

    async def find() -> AccountNamed:
        async with _opened(settings) as database:
            found = await account_named(database, normal_username(username))
        if found is None:
            raise UserNotFound(username=username)
        return found

    account = _run(find())
    if not link and password is None:
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)

    async def reset() -> str | None:
        async with _audited(settings, keys) as (database, vault, audit):
            executor = Executor(database, vault, publish=lambda *_: None)
            identity = build_identity(
                database, Identities(database), vault, executor, audit, keys.secret_key, SessionTerms()
            )
            where = (account.organisation_id, account.id)
            if link:
                made = await identity.links.reset(*where, actor=OPERATOR)
            else:
                await identity.staff.change(*where, actor=OPERATOR, password=password)
            if second_factor:
                with contextlib.suppress(SecondFactorOff):
                    await identity.second_factors.remove_of(*where, actor=OPERATOR)
            return f"{settings.link_base}/account/reset#{made.secret}" if link else None

    address = _run(reset())
    removed = " The sign-in needs no code any more." if second_factor else ""
    if address is not None:
        print(f"{account.username} sets a new password here, once, within 24 hours:\n{address}")
        print(f"The present password works until then.{removed}")
        return
    print(f"{account.username} has a new password, and no open session.{removed}")
    if not account.active:
        print("The account is switched off. An administrator switches it on at Staff, or this command line adds another.")


@app.command("verify")
def verify_times(
    site: Annotated[int | None, typer.Option(help="Verify only this site. The default is every site.")] = None,
) -> None:
    """Rebuild the busy time of appointments from each site's log, and compare. Servers may run. Status 1 if they differ."""

    async def work(database: Database) -> int:
        broken = 0
        for site_id in [site] if site is not None else await all_ids(database):
            found = await verify_time(database, site_id)
            print(f"site {site_id}: {found.cells} busy cells are right, {len(found.problems)} are wrong")
            for problem in found.problems:
                print(f"site {site_id}: BROKEN: {problem}")
            broken += len(found.problems)
        return broken

    if _run(_with_database(_settings(), work)):
        raise typer.Exit(1)


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
    print(f"Deleted, of more than {kept_days} days ago: {done.visits} visits, {done.appointments} appointments,")
    print(f"{done.events} events of the log, {done.searches} search hashes,")
    print(f"{done.answers} answers, {done.sessions} sessions, {done.links} links of accounts,")
    print(f"{done.messages} providers' names of messages, {done.subscriptions} subscriptions of phones,")
    print(f"{done.opinions} texts of feedback.")


@app.command()
def backup(
    to: Annotated[Path | None, typer.Option(help="The folder; the default is NOWSERVING_BACKUP_FOLDER.")] = None,
    nightly: Annotated[bool, typer.Option("--nightly", hidden=True)] = False,
    holder: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Make an encrypted backup of the database, and restore it into a scratch database to verify it. Servers may run.

    Status 1: no backup was made, and nothing is left behind. The keys are never inside: keep a copy of them elsewhere.
    """
    settings = _settings(quiet=not nightly)
    folder = to or settings.backup_folder
    if folder is None:
        raise BadSettings("NOWSERVING_BACKUP_FOLDER: set it to the folder of the backups, or name one with --to.")
    keys = _keys(settings)
    if nightly:
        nights.begin_quietly()

    async def work(stop: Stop) -> Made:
        async with _opened(settings) as database:
            await _demand_this_version(database)
            if nightly:  # the record of the backup says it; the audit gets no chain each night
                return await make(database, _vault(keys), folder, holder or uuid.uuid4().hex, stop)
        async with _audited(settings, keys) as (database, vault, audit):
            made = await make(database, vault, folder, holder or uuid.uuid4().hex, stop)
            audit.note("make-backup", OPERATOR, subject=f"backup:{made.file.name}")
            return made

    try:
        made = _run(_stoppable(work))
        gone = []
        if to is None:
            gone = nights.prune(folder, _vault(keys), nights.Kept(settings.backups_kept, settings.backup_weeks_kept))
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
    settings = _settings(quiet=not beside)
    folder = to or settings.archive_folder
    if folder is None:
        raise BadSettings("NOWSERVING_ARCHIVE_FOLDER: set it to the folder of the archive, or name one with --to.")
    keys, parent, stop = _keys(settings), os.getppid(), threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())

    def stopped(seconds: float) -> bool:
        """A server that is killed cannot end the process that it has begun."""
        return stop.wait(seconds) or (beside and os.getppid() != parent)

    def check() -> None:
        if stop.is_set():
            raise BackupFailed("The command was stopped.")

    async def look() -> archives.Archive:
        async with _opened(settings) as database:
            await _demand_this_version(database)
            return await archives.archive_of(database, _vault(keys), folder)

    writer = _run(look())
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
    settings = _settings(quiet=True)
    keys = find_keys(settings)
    if keys is None:
        raise BadKeys(f"A backup opens only with the keys of its time. Put the key file back first: {settings.key_path}")
    patience = round(3 * settings.heartbeat_seconds * 1_000_000)
    instant = None if until is None else _instant_of(until)
    section = None
    if file.is_dir():
        if instant is None:
            raise typer.BadParameter("is needed to restore from the folder of an archive", param_hint="--until")
        section = archives.section_of(file, _vault(keys), instant)
        file = section.base
    wanted = Wanted(file, replace, force, instant, binlogs, patience, section)

    async def work(stop: Stop) -> Restored:
        async with _opened(settings) as database:
            done = await put_back(database, _vault(keys), wanted, stop, print)
        async with _audited(settings, keys) as (_, _, audit):
            audit.note("restore-backup", OPERATOR, subject=f"backup:{file.name}"[:120])
        return done

    done = _run(_stoppable(work))
    renewed = done.renewed
    print(f"Restored: the state of {_instant(done.facts.made_at if wanted.until is None else wanted.until)}.")
    print(f"Of the backup: {done.rows} rows, of {renewed.sites} sites. Each site has a new epoch: its screens start afresh.")
    print(f"Ended: {renewed.sessions} sessions, {renewed.links} links of accounts, {done.holds} held times.")
    print(f"Messages whose fate is unknown: {renewed.messages}. Nobody sends them; the desk can repeat them.")
    if done.migrations:
        print(f"Migrated from version {done.facts.version}: {', '.join(done.migrations)}.")


def _instant_of(text: str) -> int:
    """Return an instant of the command line in microseconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter("is an instant with its zone, like 2026-11-30T10:15:00Z", param_hint="--until")
    return round(found.timestamp() * 1_000_000)


async def _stoppable(work: Callable[[Stop], Coroutine[Any, Any, T]]) -> T:
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


@flag_commands.command("list")
def list_flags(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """List the flags of this version, and the rules of the installation. Status 1 if this version cannot use a rule."""
    settings = _settings(quiet=as_json)

    async def look(database: Database) -> tuple[list[flags.SetFlag], int]:
        await _demand_this_version(database)
        return await flags.every(database), await database.now()

    found, now = _run(_with_database(settings, look))
    rules = {each.row.flag_key: each for each in found}
    if as_json:
        print(json.dumps({key: _shown_flag(key, rules.get(key), now) for key in sorted({*FLAGS, *rules})}))
    else:
        for key in sorted({*FLAGS, *rules}):
            shown = _shown_flag(key, rules.get(key), now)
            print(f"{key}: {shown['state']}")
            for name in ("rule", "reason", "author", "set_at", "until", "problem", "description", "affects", "remove_by"):
                if (value := shown[name]) is not None:
                    print(f"  {name.replace('_', ' ')}: {value}")
    if flags.problems_of(found):
        raise typer.Exit(1)


def _shown_flag(key: str, found: flags.SetFlag | None, now: int) -> dict[str, str | None]:
    """Return a flag and its rule for an operator. ``now`` is in microseconds."""
    flag = FLAGS.get(key)
    state = f"default {flag.default}" if flag is not None else "unknown to this version"
    if found is not None and found.problem is None:
        assert found.rule is not None
        state = found.rule.told() if found.counts(now) else f"{state} (the rule has expired)"
    row = None if found is None else found.row
    return {
        "state": state,
        "default": None if flag is None else flag.default,
        "rule": None if found is None else found.rule.told() if found.rule is not None else found.row.rule[:200],
        "default_then": None if row is None else row.default_variant,
        "reason": None if row is None else row.reason,
        "author": None if row is None else row.author,
        "set_at": None if row is None else _instant(row.set_at),
        "until": None if row is None else _instant(row.expires_at),
        "problem": None if found is None or found.problem is None else f"the row {found.problem}",
        "description": None if flag is None else flag.description,
        "affects": None if flag is None else flag.affects,
        "remove_by": None if flag is None else flag.remove_by,
    }


@flag_commands.command("set")
def set_flag(
    key: Annotated[str, typer.Argument(metavar="NAME", help="The flag: `nowserving flag list` lists them.")],
    variant: Annotated[Variant, typer.Argument(help="The variant at these sites; every other site has the other one.")],
    until: Annotated[str, typer.Option(help="The end of the rule: a day like 2027-03-31 (UTC), or a number of days: 30d.")],
    reason: Annotated[str, typer.Option(help="The reason, for the next reader.", callback=_name(200))],
    sites: Annotated[str, typer.Option(help="Only these sites, by their numbers: 3,7.")] = "",
    percent: Annotated[int | None, typer.Option(help="Only this percentage of the sites.", min=0, max=100)] = None,
    exempt: Annotated[str, typer.Option("--except", help="Never these sites: 12.")] = "",
) -> None:
    """Set the rule of a flag, in place of a former rule. Running servers and workers follow within 15 seconds.

    With --sites and --percent, the variant is that of the sites of both. Without them, it is that of all sites.
    """
    flag = FLAGS.get(key)
    if flag is None:
        known = ", ".join(FLAGS) or "none"
        raise typer.BadParameter(f"{key[:60]} is no flag of this version: {known}", param_hint="NAME")
    chosen, never = _sites_of(sites, "--sites"), _sites_of(exempt, "--except")
    if chosen & never:
        raise typer.BadParameter("names sites of --sites", param_hint="--except")
    rule = Rule(variant, chosen, percent, never)
    settings = _settings(quiet=True)
    keys = _keys(settings)

    async def put() -> int:
        async with _opened(settings) as database:
            await _demand_this_version(database)
            unknown = (chosen | never) - set(await all_ids(database))
        if unknown:
            raise typer.BadParameter(f"no such site: {', '.join(map(str, sorted(unknown)))}", param_hint="--sites, --except")
        async with _audited(settings, keys) as (database, _, audit):
            now = await database.now()
            row = flag_rows.FlagRow(
                flag_key=key,
                rule=json.dumps(rule.stored()),
                default_variant=flag.default,
                author=OPERATOR,
                reason=reason,
                set_at=now,
                expires_at=_end_of(until, now),
            )
            async with database.write() as connection:
                await flag_rows.put(connection, row)
            audit.note("set-flag", OPERATOR, subject=f"flag:{key}", detail=rule.told()[:120])
            return row.expires_at

    print(f"{key}: {rule.told()}, until {_instant(_run(put()))}.")


@flag_commands.command("clear")
def clear_flag(key: Annotated[str, typer.Argument(metavar="NAME", help="The flag, also one of another version.")]) -> None:
    """Delete the rule of a flag: it has its default again. Running servers and workers follow within 15 seconds."""
    settings = _settings(quiet=True)
    keys = _keys(settings)

    async def clear() -> bool:
        async with _opened(settings) as database:
            await _demand_this_version(database)
            if all(each.row.flag_key != key for each in await flags.every(database)):
                return False
        async with _audited(settings, keys) as (database, _, audit):
            async with database.write() as connection:
                cleared = await flag_rows.clear(connection, key)
            audit.note("clear-flag", OPERATOR, subject=f"flag:{key}"[:120])
            return cleared

    print(f"{key} has no rule any more." if _run(clear()) else f"{key} has no rule: nothing to clear.")


def _sites_of(text: str, option: str) -> frozenset[int]:
    """Return the numbers of sites in an option like ``3,7``."""
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if any(not (each.isascii() and each.isdecimal()) for each in parts):
        raise typer.BadParameter("is a list of the numbers of sites, like 3,7", param_hint=option)
    if len(parts) > MOST_SITES:
        raise typer.BadParameter(f"lists more than {MOST_SITES} sites: use --percent", param_hint=option)
    return frozenset(map(int, parts))


def _end_of(text: str, now: int) -> int:
    """Return the end of a rule in microseconds: the end of a day, or a number of days from ``now``."""
    wrong = typer.BadParameter("is a day like 2027-03-31, or a number of days like 30d", param_hint="--until")
    day = 86_400_000_000
    days, unit = text[:-1], text[-1:]
    if unit == "d" and days.isascii() and days.isdecimal():
        end = now + int(days[:6]) * day
    else:
        try:
            end = round(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1_000_000 + day
        except ValueError:
            raise wrong from None
    if not now < end <= now + MOST_DAYS_OF_RULE * day:
        raise typer.BadParameter(f"is from now on, and at most {MOST_DAYS_OF_RULE} days ahead", param_hint="--until")
    return end


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
    found = _run(_checked(settings, keys))
    for each, since in found:
        start = "" if since is None else f" (since {_instant(since)})"
        line = f"{each.name}: {each.text}{start} {each.remedy}".rstrip()
        if each.state in ("ok", "unknown"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            colour = "red" if each.state == "broken" else "yellow"
            error_console.print(line, style=colour, highlight=False, markup=False, soft_wrap=True)
    if any(each.state == "broken" for each, _ in found):
        raise typer.Exit(1)
    console.print("[green]Every configured connection works.[/]")


@app.command()
def diagnose(
    output: Annotated[Path | None, typer.Option(help="The file to write. The default has the time in its name.")] = None,
    server: Annotated[str, typer.Option(help="The address of a running server process.")] = "http://127.0.0.1:8000",
    log: Annotated[Path | None, typer.Option(help="A log of a server or a worker, in JSON.")] = None,
) -> None:
    """Write a bundle for support: versions, state, counts, metrics and the end of a log, without personal data and secrets.

    The command works without the database and without a server, and says so.
    """
    settings = _settings(quiet=True)
    try:
        keys = find_keys(settings)
    except BadKeys:
        keys = None
        print("The key file cannot be used.")
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    file = output or Path(f"nowserving-diagnosis-{stamp}.zip")

    async def look(database: Database) -> tuple[dict[str, Any], dict[str, Any], str | None]:
        try:
            counts = await table_counts.counts(database)
            return counts, {"lacking": await pending(database)}, await table_counts.server_version(database)
        except NewerTables as error:
            print(error)
            newer = {"problem": "the database has the tables of a newer version"}
            return newer, newer, None
        except (NowServingError, UnfinishedMove):
            print("The database is away: the bundle has no counts.")
            away = {"problem": "the database is away"}
            return away, away, None

    checks = _run(_checked(settings, keys))
    counts, migrations, version = _run(_with_database(settings, look))
    parts: dict[str, Any] = {
        "versions.json": diagnosis.versions(version),
        "settings.json": settings.for_strangers(),
        "state.json": diagnosis.state(checks),
        "counts.json": counts,
        "migrations.json": migrations,
        "machine.json": diagnosis.machine(settings.data_folder),
    }
    metrics = _metrics_of(server, settings)
    if metrics is None:
        print(f"No server answers at {server}: the bundle has no metrics.")
    else:
        parts["metrics.txt"] = diagnosis.metrics(metrics)
    if log is not None:
        try:
            parts["log.jsonl"] = diagnosis.log(diagnosis.log_end(log))
        except OSError as error:
            print(f"{log} cannot be read ({error.strerror}): the bundle has no log.")
    diagnosis.write(file, parts)
    print(f"The bundle is {file}. It has no personal data and no secrets. Look through it before you pass it on.")


def _metrics_of(server: str, settings: Settings) -> str | None:
    token = settings.metrics_token
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    try:
        answer = httpx.get(f"{server.rstrip('/')}/metrics", headers=headers, timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return None
    return answer.text if answer.is_success else None


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
    """Wake the workers every few seconds. Two do no harm; without one, messages come later. Needs NOWSERVING_REDIS_URL."""
    schedule.parent.mkdir(parents=True, exist_ok=True)
    _celery("beat", "--schedule", str(schedule))


def _celery(*arguments: str) -> None:
    settings = _settings()
    if settings.redis_url is None:
        raise BadSettings("NOWSERVING_REDIS_URL: workers need Redis")
    _fit_for_redis(settings)
    _keys(settings)
    command = [sys.executable, "-m", "celery", "-A", "workers.app:app", *arguments, "--loglevel", "INFO"]
    os.execv(sys.executable, command)  # nosec B606 # our own interpreter, without a shell


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
    if found is None and not _run(_with_database(settings, has_sites)) and make_keys(settings.key_path):
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


def _welcome(address: str, code: str) -> str:
    """Return the address of the first run. A browser sends no fragment, so no log and no other site learns the code."""
    return f"{address}/welcome#code={code}"


async def _show_setup_code(settings: Settings, keys: Keys, host: str, port: int) -> None:
    """Print where the first administrator sets the installation up, if it has none. For the operator's eyes: no log."""
    if await _with_database(settings, has_admin):
        return  # most starts: the audit gets no chain for them
    async with _audited(settings, keys) as (database, vault, audit):
        try:
            code = await new_setup_code(database, vault, audit)
        except SetupClosed:
            return
    public = settings.public_address
    here = public or address_here(host, port)
    network = None if public else address_on_network(host, port)
    print("\nNow Serving has no administrator yet. Set it up in your browser:\n")
    print(f"  {_welcome(here, code)}\n")
    if network is not None and network != here:
        print("Or from another computer on the same network:\n")
        print(f"  {_welcome(network, code)}\n")
    print(f"The code {code} is valid for {CODE_MINUTES} minutes. `nowserving setup-code` prints a new one.\n", flush=True)


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


def _fit_for_redis(settings: Settings) -> None:
    """Refuse a plain URL that leads to a Redis Cluster. A Redis that is away is no reason to refuse."""
    if settings.redis_url is None:
        return
    from server.live.redis_bus import NOT_SINGLE

    if _run(_look_at_redis(settings.redis_url, None)()) == NOT_SINGLE:
        raise BadSettings(f"NOWSERVING_REDIS_URL: {NOT_SINGLE}")


def _look_at_redis(redis_url: SecretStr, keys: Keys | None) -> Callable[[], Coroutine[Any, Any, str | None]]:
    from server.live.redis_bus import RedisBus

    vault = _vault(keys or Keys("", (bytes(KEY_BYTES),)))  # a look at Redis seals nothing
    return RedisBus(redis_url.get_secret_value(), vault.seal, vault.open).problem


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = database_of(settings)
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


async def _checked(settings: Settings, keys: Keys | None) -> list[tuple[system.Check, int | None]]:
    """Return the checks of the installation, the same list as on the administrator's pages, and their known starts."""
    facts = _facts(settings, keys)

    async def look(database: Database) -> list[tuple[system.Check, int | None]]:
        found = await system.checks(database, facts)
        known = await system.noted(database)
        starts = {name: each.since for name, each in known.items()}
        return [(each, starts[each.name] if _is_noted(each, known) else None) for each in found]

    return await _with_database(settings, look)


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
        heartbeat_seconds=settings.heartbeat_seconds,
    )


if __name__ == "__main__":
    main()
