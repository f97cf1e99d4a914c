"""The commands that run the processes of an installation."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import segno
import typer

from server.cli.installation import (
    audited,
    brought_up,
    demand_this_version,
    fit_for_address,
    fit_for_processes,
    fit_for_redis,
    open_seeder,
    read_keys,
    read_settings,
    refuse_demo_in,
    run_to_end,
    welcome_address,
    with_database,
)
from server.cli.root import app
from server.identity.errors import SetupClosed
from server.identity.first_run import CODE_MINUTES, new_setup_code
from server.installation.addresses import address_here, address_on_network
from server.installation.keys import PRIVATE_FOLDER, Keys
from server.queries import flags
from server.queries.boards import Boards
from server.queries.identity import has_admin
from server.settings import BadSettings, Settings


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl+C."""
    from server import uvicorn_server

    settings = read_settings()
    fit_for_processes(settings, workers)
    fit_for_redis(settings)
    fit_for_address(settings, host)
    keys = read_keys(settings)
    if settings.database_file:
        run_to_end(brought_up(settings, keys))  # this process is the only one that uses the file
    else:
        run_to_end(with_database(settings, demand_this_version))
    run_to_end(with_database(settings, flags.demand_usable))
    run_to_end(_show_setup_code(settings, keys, host, port))
    status = uvicorn_server.run(
        "server.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        **_options(settings),
    )
    raise typer.Exit(status)


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path("var/demo"),
    past_days: Annotated[int, typer.Option(help="Days that a new demo has behind it, for the figures.", min=0, max=60)] = 0,
) -> None:
    """Run a small clinic with a simulated day, for a first look."""
    from server import uvicorn_server
    from server.app import build_app
    from server.demo import (
        YOURS,
        Doors,
        a_patient,
        an_appointment,
        is_open,
        live_past_days,
        open_clinic,
        open_hours,
        own_keys,
        ring_phones,
    )
    from server.simulation import Simulation, end_old_day

    refuse_demo_in(os.environ.get("NOWSERVING_ENV"))
    directory.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    os.environ["NOWSERVING_DATABASE_URL"] = f"sqlite+aiosqlite:///{(directory / 'demo.db').resolve()}"
    os.environ["NOWSERVING_DRAIN_DELAY_SECONDS"] = "0"
    os.environ.setdefault("NOWSERVING_LOG_LEVEL", "warning")
    os.environ.pop("NOWSERVING_REDIS_URL", None)
    phones = address_on_network(host, port)
    if phones is not None:
        os.environ.setdefault("NOWSERVING_PUBLIC_URL", phones)  # the codes on the screens lead phones there
    settings = read_settings()
    refuse_demo_in(settings.env)
    keys = own_keys(directory)

    async def prepare() -> tuple[Any, str, str]:
        async with open_seeder(settings, keys) as seeder:
            await brought_up(settings, keys)
            if past_days and not is_open(directory):
                await live_past_days(seeder, directory, past_days)
            clinic = await open_clinic(seeder, directory)
            boards = Boards(seeder.database)
            stopped_at = (await boards.board(clinic["site_id"])).site.last_event_at / 1e6
            await end_old_day(seeder.executor, boards, clinic["site_id"], time.time(), stopped_at)
            await open_hours(seeder, boards, clinic)
            await ring_phones(seeder, boards, clinic)
            ticket = await a_patient(seeder.executor, boards, clinic)
            return clinic, ticket, await an_appointment(seeder.executor, boards, clinic)

    clinic, patient, appointment = run_to_end(prepare())
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
        **_options(settings),
    )
    raise typer.Exit(status)


def _options(settings: Settings) -> dict[str, Any]:
    """Return the options that every server takes from the settings."""
    return {
        "drain_delay_seconds": settings.drain_delay_seconds,
        "heartbeat_seconds": settings.heartbeat_seconds,
        "head_seconds": settings.head_seconds,
        "body_seconds": settings.body_seconds,
        "stalled_seconds": settings.stalled_seconds,
        "frozen_seconds": settings.frozen_seconds,
        "metrics_folder": settings.metrics_folder,
        "hand_off": settings.hand_off == "on",
        "event_loop": settings.event_loop,
    }


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
    settings = read_settings()
    if settings.redis_url is None:
        raise BadSettings("NOWSERVING_REDIS_URL: workers need Redis")
    fit_for_redis(settings)
    read_keys(settings)
    command = [sys.executable, "-m", "celery", "-A", "workers.app:app", *arguments, "--loglevel", "INFO"]
    os.execv(sys.executable, command)  # nosec B606 # our own interpreter, without a shell


async def _show_setup_code(settings: Settings, keys: Keys, host: str, port: int) -> None:
    """Print where the first administrator sets the installation up, if it has none. For the operator's eyes: no log."""
    if await with_database(settings, has_admin):
        return  # most starts: the audit gets no chain for them
    async with audited(settings, keys) as (database, vault, audit):
        try:
            code = await new_setup_code(database, vault, audit)
        except SetupClosed:
            return
    public = settings.public_address
    here = public or address_here(host, port)
    network = None if public else address_on_network(host, port)
    print("\nNow Serving has no administrator yet. Set it up in your browser:\n")
    print(f"  {welcome_address(here, code)}\n")
    if network is not None and network != here:
        print("Or from another computer on the same network:\n")
        print(f"  {welcome_address(network, code)}\n")
    print(f"The code {code} is valid for {CODE_MINUTES} minutes. `nowserving setup-code` prints a new one.\n", flush=True)
