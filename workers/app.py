"""The composition root of the workers: ``celery -A workers.app:app``, or ``nowserving worker`` and ``nowserving beat``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init, worker_process_shutdown

from server import __version__
from server.domain.errors import NowServingError
from server.installation.keys import Keys
from server.live.redis_bus import RedisBus
from server.notifying.context import Context, channels_for
from server.notifying.watchdog import Watchdog
from server.queries.flags import BadFlags, demand_usable
from server.queries.system import Facts
from server.settings import BadSettings, Settings, database_of, keys_of, load_settings
from server.telemetry import tracing
from server.telemetry.error_reports import reporter
from server.telemetry.logs import configure_logging
from server.vault import Vault
from workers import process
from workers.schedule import SCHEDULE


def build_parts(settings: Settings, keys: Keys) -> Context:
    """Return the parts for these settings and keys."""
    database = database_of(settings)
    vault = Vault(keys.encryption_keys, keys.secret_key)
    channels = channels_for(database, vault, settings.public_address, settings.recording_path, settings.push_services)
    return Context(database, vault, channels, settings.link_base)


def build_watchdog(settings: Settings, context: Context) -> Watchdog:
    """Return the watchdog of a worker process. It sees a server that is gone."""
    assert settings.redis_url is not None, "workers have Redis"
    bus = RedisBus(settings.redis_url.get_secret_value(), context.vault.seal, context.vault.open)
    facts = Facts(
        bus_problem=bus.problem,
        encrypted=settings.public_url.scheme == "https",
        exposed=settings.env == "production",
        limited=settings.rate_limits == "on",
        watched=bool(settings.watchdog_mail),
        data_folder=settings.data_folder,
        archive_folder=settings.archive_folder,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    return Watchdog(context.database, context.channels, facts, settings.watchdog_mail, settings.link_base)


def build_celery(settings: Settings) -> Celery:
    """Return the Celery application for these settings. Raises `BadSettings` without Redis."""
    if settings.redis_url is None:
        raise BadSettings("NOWSERVING_REDIS_URL: workers need Redis")
    broker = (settings.broker_url or settings.redis_url).get_secret_value()
    celery = Celery("nowserving", broker=broker, include=["workers.tasks.notifications"])
    celery.conf.update(
        beat_schedule=SCHEDULE,
        broker_connection_retry_on_startup=True,
        # Without the broker a worker goes on sending by itself; it must not end because the broker stays away.
        broker_connection_max_retries=None,
        # A task is acknowledged before it runs, so that none runs twice: its row is the memory, and a lost task is no loss.
        broker_transport_options={"visibility_timeout": 300},
        task_default_queue="nowserving",
        task_ignore_result=True,
        task_time_limit=60,
        timezone="UTC",
        worker_prefetch_multiplier=1,
    )
    return celery


_settings = load_settings()
app = build_celery(_settings)
_keys = keys_of(_settings)
process.configure(
    lambda: build_parts(_settings, _keys),
    lambda context: build_watchdog(_settings, context),
    _settings.backup_hour if _settings.backup_folder else None,
)


@worker_init.connect  # type: ignore[untyped-decorator]
def _demand_usable_flags(**_: object) -> None:
    """End the worker before it begins if it cannot use a row of the flags. Without the database, it begins."""

    async def look() -> None:
        database = database_of(_settings)
        try:
            with suppress(NowServingError):
                await demand_usable(database)
        finally:
            await database.close()

    try:
        asyncio.run(look())
    except BadFlags as error:
        sys.exit(str(error))


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin(**_: object) -> None:
    if _settings.traces_url:
        tracing.begin(_settings.traces_url.get_secret_value(), __version__)
    process.begin()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    process.end()
    tracing.end()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _use_our_logging(**_: object) -> None:
    dsn = _settings.sentry_dsn.get_secret_value() if _settings.sentry_dsn else None
    report = reporter(dsn, _settings.env, __version__) if dsn else None
    configure_logging(json=_settings.logs_json, level=_settings.log_level, report=report)
