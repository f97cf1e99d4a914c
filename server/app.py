"""The composition root of a server process: the parts, in the order in which they need each other."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from server.audit import Audit, process_name
from server.domain.commands import ReportDisplay, Tick
from server.domain.errors import DeviceNotFound, NothingChanged, NothingDue, NowServingError
from server.execute import Executor
from server.identity.identity import build_identity
from server.identity.sessions import IDLE_MICROSECONDS
from server.live.bus import Bus
from server.live.displays import Displays, Health
from server.live.hub import Hub, Limits
from server.live.memory_bus import MemoryBus
from server.live.redis_bus import RedisBus
from server.logs import configure_logging
from server.queries.boards import Boards
from server.queries.identity import Identities
from server.settings import Settings, load_settings
from server.store import answers, lockouts, processes
from server.store.database import Database
from server.transport.access.browsers import Browsers
from server.transport.access.gate import Gate
from server.transport.access.limits import Limiter
from server.transport.application import application
from server.transport.context import Context
from server.transport.http.assets import Assets
from server.transport.http.metrics import Metrics
from server.transport.voice import Voice
from server.vault import Vault

logger = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
FORGET_SECONDS = 3600.0
ANSWERS_KEPT_MICROSECONDS = 24 * 3_600_000_000


def build_app(
    settings: Settings,
    alongside: Sequence[Callable[[Context], Coroutine[Any, Any, None]]] = (),
    before: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application that these settings describe. Nothing is opened before its lifespan begins.

    ``alongside`` are run with the parts for as long as the application is, and ``before`` are routes that go before its
    own: the demo's simulated day, and its index.
    """
    database = Database(settings.database_url.get_secret_value(), settings.database_pool_size)
    vault = Vault(settings.key_bytes, settings.secret_key.get_secret_value())
    boards = Boards(database)
    identities = Identities(database)
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    bus: Bus = RedisBus(redis_url, vault.seal, vault.open) if redis_url else MemoryBus()
    limiter = Limiter(redis_url) if settings.rate_limits == "on" else None
    limits = Limits(settings.max_streams, settings.max_streams_per_address, settings.max_streams_per_token)
    living = partial(identities.living_sessions, idle_microseconds=IDLE_MICROSECONDS)
    hub = Hub(boards, bus, settings.heartbeat_seconds, limits, living, settings.stalled_seconds)
    executor = Executor(database, vault, hub.publish)
    process_id = uuid.uuid4().hex
    hub.displays = Displays(partial(report_display, executor, process_id))
    audit = Audit(database, vault, process_name())
    secret_key = settings.secret_key.get_secret_value()
    identity = build_identity(database, vault, executor, audit, secret_key)
    gate = Gate(identity, Browsers(secret_key), vault, audit)
    web = web_folder()
    public_url = str(settings.public_url) if "public_url" in settings.model_fields_set else None
    context = Context(
        database=database,
        vault=vault,
        executor=executor,
        hub=hub,
        boards=boards,
        identities=identities,
        identity=identity,
        gate=gate,
        audit=audit,
        metrics=Metrics(hub, audit),
        assets=Assets(web),
        voice=Voice(web),
        public_url=public_url,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await hub.start()
        audit.start()
        tasks = [
            asyncio.create_task(tick_sites(boards, executor)),
            asyncio.create_task(forget_what_is_old(database)),
            asyncio.create_task(find_dark_displays(database, executor, process_id, settings.heartbeat_seconds)),
        ]
        tasks.extend(asyncio.create_task(each(context)) for each in alongside)
        try:
            yield {"hub": hub}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await hub.stop()
            if limiter is not None:
                await limiter.close()
            await audit.stop()
            await database.close()

    return application(
        context,
        lifespan,
        allowed_hosts=settings.allowed_hosts,
        cors_origins=settings.cors_origins,
        limiter=limiter,
        request_seconds=settings.request_seconds,
        before=before,
    )


def create_app() -> Starlette:
    """Build the application from the environment: what a server process is started with."""
    settings = load_settings()
    configure_logging(json=settings.logs_json, level=settings.log_level)
    return build_app(settings)


async def tick_sites(boards: Boards, executor: Executor) -> None:
    """Once a second, tick the sites that the clock has something to do for. Every process does; one of them succeeds."""
    while True:
        try:
            for site_id in await boards.due():
                try:
                    await executor.execute(Tick(site_id=site_id), actor="clock", command_id=uuid.uuid4().hex)
                except NothingDue:
                    pass  # another process was first
        except NowServingError as error:
            logger.warning("sites not ticked", error=repr(error))
        await asyncio.sleep(TICK_SECONDS)


async def report_display(executor: Executor, process_id: str, health: Health) -> None:
    """Tell the site's log how a display is. Raises `Unavailable`."""
    command = ReportDisplay(
        display_id=health.display_id,
        heard_by=process_id,
        connected=health.connected,
        muted=health.muted,
        version=health.version,
        lag=health.lag,
    )
    with suppress(NothingChanged, DeviceNotFound):
        await executor.execute(command, actor=f"display:{health.display_id}", command_id=uuid.uuid4().hex)


async def find_dark_displays(database: Database, executor: Executor, process_id: str, heartbeat_seconds: float) -> None:
    """At every heartbeat, say that this process lives, and mark dark the displays that only a dead one has heard of."""
    while True:
        try:
            now = await database.now()
            async with database.write() as connection:
                await processes.live(connection, process_id, now)
            async with database.read() as connection:
                dead = await processes.dead(connection, now - round(3 * heartbeat_seconds * 1_000_000))
                lost = {each: await processes.displays_of(connection, each) for each in dead}
            for dead_id, display_ids in lost.items():
                for display_id in display_ids:
                    await report_display(executor, dead_id, Health(display_id, False, None, None, None))
                async with database.write() as connection:
                    await processes.forget(connection, dead_id)
        except NowServingError as error:
            logger.warning("dark displays not looked for", error=repr(error))
        await asyncio.sleep(heartbeat_seconds)


async def forget_what_is_old(database: Database) -> None:
    """Once an hour, forget the answers of commands that nobody can mean to repeat any more, and old failures to sign in."""
    while True:
        try:
            now = await database.now()
            async with database.write() as connection:
                forgotten = await answers.forget(connection, now - ANSWERS_KEPT_MICROSECONDS)
            async with database.write() as connection:
                forgotten += await lockouts.forget(connection, now - lockouts.FORGOTTEN_MICROSECONDS)
            logger.debug("old rows forgotten", count=forgotten)
        except NowServingError as error:
            logger.warning("old rows not forgotten", error=repr(error))
        await asyncio.sleep(FORGET_SECONDS)


def web_folder() -> Path:
    """Return where the pages are: beside this package in a checkout, inside it when installed."""
    packaged = Path(__file__).parent / "web"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "web"
