"""The commands that make clinics, and the people who work in them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

import typer

from server.audit import OPERATOR
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
from server.cli.installation import (
    audited,
    brought_up,
    brought_up_if_empty,
    checked_username,
    demand_this_version,
    name_check,
    open_seeder,
    opened,
    read_keys,
    read_settings,
    run_to_end,
    silent_executor,
    vault_of,
    welcome_address,
    with_database,
)
from server.cli.root import app, console, error_console
from server.clinics import Clinics, Plan
from server.domain import roles
from server.domain.commands.schedules import Stranded
from server.domain.model import languages
from server.domain.usernames import normal_username
from server.execute import Executor
from server.identity.errors import SecondFactorOff, UserNotFound
from server.identity.first_run import CODE_MINUTES, new_setup_code
from server.identity.hashing import Hashing
from server.identity.identity import build_identity
from server.identity.new_passwords import check_new_password
from server.identity.staff import StaffAccounts
from server.identity.usernames import new_username
from server.notifying import drafts
from server.phones import region_of_zone
from server.provisioning import create_site, organisation_named
from server.queries.administration import AccountNamed, account_named
from server.queries.identity import Identities, SessionTerms, has_admin
from server.seeding import Seed
from server.store.database import Database


@app.command("setup-code")
def setup_code() -> None:
    """Print a new one-time code for the page /welcome of an installation without an administrator. The old code ends."""
    settings = read_settings(quiet=True)
    keys = read_keys(settings)

    async def make() -> str:
        await brought_up_if_empty(settings, keys)
        async with audited(settings, keys) as (database, vault, audit):
            return await new_setup_code(database, vault, audit)

    code = run_to_end(make())
    print(f"The set-up code is {code}. It is valid for {CODE_MINUTES} minutes, and the code before it has ended.")
    public = settings.public_address
    if public:
        print(f"Open {welcome_address(public, code)}")
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
    settings = read_settings(quiet=as_json)
    keys = read_keys(settings)

    async def fill() -> Seed:
        async with open_seeder(settings, keys) as seeder:
            if seeder.database.embedded:
                await brought_up(settings, keys)
            return await seeder.seed(points, tickets, displays, providers)

    made = run_to_end(fill())
    if as_json:
        print(json.dumps(made))
        return
    console.print(f"Site {made['site_id']}: {points} points, {tickets} tickets, {displays} displays.")
    for member in made["staff"]:
        console.print(f"  {member['role']}: {member['username']} / {member['password']}", highlight=False)


@app.command()
def site(
    name: Annotated[str, typer.Argument(help="The site's name, as patients see it.", callback=name_check(120))],
    organisation: Annotated[str, typer.Option(help="The organisation. A new name creates one.", callback=name_check(120))],
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
    settings = read_settings()
    keys = read_keys(settings)

    async def create(database: Database) -> int:
        await brought_up_if_empty(settings, keys)
        return (await create_site(database, vault_of(keys), organisation, name, time_zone=time_zone, language=language)).id

    console.print(f"{name} is site {run_to_end(with_database(settings, create))}.", highlight=False)


@app.command()
def user(
    username: Annotated[str, typer.Argument(help="The user name for sign-in.", callback=checked_username)],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(roles.ROLES)}.")],
    organisation: Annotated[str, typer.Option(help="Name of the organisation, which must have a site.")],
    password: Annotated[
        str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, envvar="NOWSERVING_NEW_PASSWORD")
    ],
) -> None:
    """Add a member of staff. The command asks for the password, unless NOWSERVING_NEW_PASSWORD has it."""
    if role not in roles.ROLES:
        raise typer.BadParameter(f"one of {', '.join(roles.ROLES)}", param_hint="--role")
    settings = read_settings()
    keys = read_keys(settings)

    async def add() -> str:
        await brought_up_if_empty(settings, keys)
        async with audited(settings, keys) as (database, vault, audit):
            organisation_id = await organisation_named(database, organisation)
            accounts = StaffAccounts(database, vault, Hashing(), audit)
            _, name = await accounts.add(organisation_id, username, password, role, actor=OPERATOR)
            return name

    console.print(f"{run_to_end(add())} may sign in as {role}.", highlight=False)


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
    settings = read_settings(quiet=True)
    keys = read_keys(settings)
    run_to_end(brought_up_if_empty(settings, keys))
    if run_to_end(with_database(settings, has_admin)):
        error_console.print(
            "This installation has an administrator already. Use /admin, or `nowserving apply`.", soft_wrap=True
        )
        raise typer.Exit(1)
    clinic = _asked("The clinic's name", name, name_check(80))
    owner = organisation if organisation is not None else clinic
    tag = languages.usual(_asked("Its language (en, es, fr, ar, or another tag)", language, _tag, default="en"))
    zone = _asked("Its time zone", time_zone, _zone, default=_zone_of_this_machine())
    kind = _chosen_template(template, tag)
    user_name = _asked("The user name of the first administrator", username, checked_username)
    password = os.environ.get("NOWSERVING_NEW_PASSWORD") or typer.prompt(
        "The password", hide_input=True, confirmation_prompt=True
    )
    blueprint = kind.blueprint(name=clinic, time_zone=zone, region=region_of_zone(zone) or "", language=tag)

    async def set_up() -> str:
        accepted = new_username(user_name)
        await check_new_password(password, accepted)
        async with audited(settings, keys) as (database, vault, audit):
            clinics = Clinics(database, Executor(database, vault, publish=lambda *_: None))
            plan = await clinics.plan(ClinicFile(blueprint, name_check(120)(owner)))
            await clinics.apply(plan, remove=False, actor=OPERATOR)
            accounts = StaffAccounts(database, vault, Hashing(), audit)
            organisation_id = await organisation_named(database, plan.organisation)
            return (await accounts.add(organisation_id, accepted, password, "admin", actor=OPERATOR))[1]

    console.print(f"[green]{clinic} is set up.[/] {run_to_end(set_up())} may sign in as admin.", highlight=False)
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
    settings = read_settings(quiet=True)
    keys = read_keys(settings)

    async def plan(database: Database) -> Plan:
        await brought_up_if_empty(settings, keys)
        return await Clinics(database, silent_executor(database, keys)).plan(read, site)

    planned = run_to_end(with_database(settings, plan))
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
        async with audited(settings, keys) as (database, _, audit):
            clinics = Clinics(database, silent_executor(database, keys), audit)
            return await clinics.apply(planned, remove=remove, actor=OPERATOR, stranded=stranded)

    number = run_to_end(carry_out())
    console.print(f"[green]Done.[/] {what} is site {number}.", highlight=False)


@app.command()
def export(
    site: Annotated[int | None, typer.Option(help="The clinic's number, where there is more than one.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write, with mode 0600, in place of the output.")] = None,
) -> None:
    """Write the set-up file of a clinic. It has the true names of services: keep it where only staff can read it."""
    settings = read_settings(quiet=True)
    keys = read_keys(settings)

    async def find(database: Database) -> ClinicFile:
        return await Clinics(database, silent_executor(database, keys)).export(site)

    text = write(run_to_end(with_database(settings, find)))
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
    username: Annotated[str, typer.Argument(help="The user name of the member of staff.", callback=checked_username)],
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
    settings = read_settings()
    keys = read_keys(settings)
    run_to_end(with_database(settings, demand_this_version))

    async def find() -> AccountNamed:
        async with opened(settings) as database:
            found = await account_named(database, normal_username(username))
        if found is None:
            raise UserNotFound(username=username)
        return found

    account = run_to_end(find())
    if not link and password is None:
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)

    async def reset() -> str | None:
        async with audited(settings, keys) as (database, vault, audit):
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

    address = run_to_end(reset())
    removed = " The sign-in needs no code any more." if second_factor else ""
    if address is not None:
        print(f"{account.username} sets a new password here, once, within 24 hours:\n{address}")
        print(f"The present password works until then.{removed}")
        return
    print(f"{account.username} has a new password, and no open session.{removed}")
    if not account.active:
        print("The account is switched off. An administrator switches it on at Staff, or this command line adds another.")
