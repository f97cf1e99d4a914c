"""The commands that tell the state of an installation, and set it right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from server import diagnosis
from server.cli.installation import (
    checks_of,
    maintenance,
    read_keys,
    read_settings,
    run_to_end,
    shown_instant,
    with_database,
)
from server.cli.root import app, clock_commands, console, error_console
from server.domain.errors import NowServingError
from server.installation import certificates
from server.installation.keys import BadKeys
from server.queries import table_counts
from server.queries.migrations import pending
from server.settings import Settings, find_keys
from server.store import clock_anchors
from server.store.clock_anchors import Anchor
from server.store.database import Database
from server.store.migrate import NewerTables, UnfinishedMove


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
        settings = read_settings(quiet=True)
        names = list(dict.fromkeys([settings.public_url.host or "localhost", *settings.allowed_hosts]))
    try:
        made = certificates.make(folder, names, days)
    except (OSError, ValueError) as error:
        error_console.print(f"No certificate was made: {error}", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"Made {made[0]} and {made[1]} for {', '.join(names)}.", highlight=False, soft_wrap=True)


@clock_commands.callback(invoke_without_command=True)
def show_clock(context: typer.Context) -> None:
    """Show the database's clock and the trusted time. Status 1 if they differ, or if the log of a site is ahead."""
    if context.invoked_subcommand is not None:
        return
    settings = read_settings(quiet=True)

    async def look(database: Database) -> tuple[int, int, list[Anchor]]:
        trusted = await database.now()
        async with database.read() as connection:
            return trusted, trusted + database.clock.step, await clock_anchors.listed(connection)

    trusted, shown, anchors = run_to_end(with_database(settings, look))
    print(f"The database's clock: {shown_instant(shown)}")
    print(f"The trusted time:     {shown_instant(trusted)}")
    for each in anchors:
        state = "right"
        if each.step:
            state = f"set {abs(each.step) // 1_000_000} s {'ahead' if each.step > 0 else 'back'}; the right time goes on"
        elif each.behind:
            state = f"{each.behind // 1_000_000} s behind the log of a site"
        print(f"The servers on {each.host} saw at {shown_instant(each.noted_at)}: {state}")
    if shown != trusted or any(each.step or each.behind for each in anchors):
        print("Set the clock right, or run `nowserving clock accept` if it is right now. docs/operating.md explains more.")
        raise typer.Exit(1)


@clock_commands.command("accept")
def accept_clock() -> None:
    """Take the present clock of the database for right. Every server follows it within seconds."""
    settings = read_settings()
    keys = read_keys(settings)

    async def work() -> tuple[int, int]:
        async with maintenance(settings, keys, "accept-clock") as (database, _):
            step = database.clock.step
            async with database.write() as connection:
                await clock_anchors.accept(connection)
            database.clock.learn(None)
            return step, await database.now()

    step, now = run_to_end(work())
    print(f"The clock of the database is accepted: {shown_instant(now)}.")
    print(f"The servers change their time by {step // 1_000_000} s." if step else "No step is known on this machine.")


@app.command()
def check() -> None:
    """Print the effective settings with masked secrets, and try every connection."""
    settings = read_settings()
    keys = find_keys(settings)
    table = Table(box=None, show_header=False)
    for name, value in settings.masked().items():
        table.add_row(f"NOWSERVING_{name.upper()}", value)
    console.print(table)
    if settings.named_keys is None:
        made = "has the keys" if keys else "does not exist yet; the first start makes it"
        console.print(f"The key file {settings.key_path} {made}.", highlight=False, soft_wrap=True)
    found = run_to_end(checks_of(settings, keys))
    for each, since in found:
        start = "" if since is None else f" (since {shown_instant(since)})"
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
    settings = read_settings(quiet=True)
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

    checks = run_to_end(checks_of(settings, keys))
    counts, migrations, version = run_to_end(with_database(settings, look))
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
