"""The composition root of a server process: its parts, each after the parts that it needs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from server import __version__, housekeeping
from server.audit import Audit, process_name
from server.backups.archiving import keep_archiving
from server.backups.nightly import Nightly
from server.caching import redis_store
from server.circuits import Circuit
from server.clock import SteadyClock
from server.execute import Executor
from server.identity.identity import build_identity
from server.installation.certificates import CertificateFile
from server.installation.keys import Keys
from server.installation.places import disk_space, web_folder
from server.live.admission import Limits
from server.live.bus import Bus
from server.live.devices import Devices
from server.live.hub import Hub
from server.live.memory_bus import MemoryBus
from server.live.redis_bus import RedisBus
from server.live.redis_cluster import client_of, close_client
from server.notifying.contacts import Contacts
from server.notifying.context import Context as Notifying
from server.notifying.context import channels_for
from server.notifying.feedback import PatientFeedback
from server.notifying.marks import Marks
from server.notifying.own_texts import OwnTexts
from server.notifying.reach import Reach
from server.notifying.repeats import Repeats
from server.notifying.report_mails import Composed, ReportMailer, ReportMails
from server.notifying.set_up import ChannelSetUp
from server.notifying.subscriptions import Subscriptions
from server.notifying.sweep import Sweeper
from server.notifying.watchdog import Watchdog
from server.notifying.webhooks.deliverer import Deliverer
from server.notifying.webhooks.set_up import WebhookSetUp
from server.outages import OutageWatch
from server.practitioners import Practitioners
from server.provisioning import NewSites
from server.queries.archives import LastArchived
from server.queries.backups import LastBackup
from server.queries.boards import Boards
from server.queries.circuits import CircuitTally
from server.queries.clinic_tally import ClinicTally
from server.queries.flags import KeptFlags
from server.queries.identity import Identities, SessionTerms
from server.queries.message_tally import MessageTally
from server.queries.past import Past
from server.queries.statistics import past_days
from server.queries.system import Facts, Report, Watch
from server.settings import Settings, database_of, keys_of, load_settings
from server.supervision import kept_running
from server.telemetry import tracing
from server.telemetry.clinic_totals import ClinicTotals
from server.telemetry.error_reports import reporter
from server.telemetry.logs import configure_logging
from server.transport.access.browsers import Browsers
from server.transport.access.gate import Gate
from server.transport.access.limits import Limiter, RequestLimits
from server.transport.access.phones import Phones
from server.transport.api.insights_report import mailed_report
from server.transport.application import application
from server.transport.context import Context
from server.transport.http.assets import Assets
from server.transport.http.checks import DependencyChecks, Floods
from server.transport.http.collectors import (
    ArchiveFigures,
    AuditFigures,
    BackupFigures,
    CacheFigures,
    CertificateFigures,
    CircuitFigures,
    ClinicFigures,
    ClockFigures,
    DatabaseFigures,
    DiskFigures,
    FlagFigures,
    LiveFigures,
    MessageFigures,
    TurnFigures,
)
from server.transport.http.figures import Figures
from server.transport.http.metrics import Metrics
from server.transport.poster import Posters
from server.transport.voice import Voice
from server.turns import Turns
from server.vault import Vault


def build_app(
    settings: Settings,
    keys: Keys,
    alongside: Sequence[Callable[[Context], Coroutine[Any, Any, None]]] = (),
    before: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application for these settings and keys. It opens nothing before its lifespan begins.

    ``alongside`` runs for as long as the application, and gets its parts: the demo's simulated day. ``before`` are routes
    that match before the application's own: the demo's index.
    """
    database = database_of(settings)
    vault = Vault(keys.encryption_keys, keys.secret_key)
    flags = KeptFlags(database.clock.now)
    boards = Boards(database)
    identities = Identities(database)
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    bus: Bus = RedisBus(redis_url, vault.seal, vault.open) if redis_url else MemoryBus()
    store = _store(redis_url, vault) if redis_url else None
    past = past_days(store)
    limits_on = settings.rate_limits == "on"
    limiter = Limiter(redis_url, request_limits(settings), database.clock.seconds) if limits_on else None
    limits = Limits(
        settings.max_streams,
        settings.max_streams_per_address,
        settings.max_streams_per_token,
        # One session may have all streams of its member.
        max(settings.max_streams_per_member, settings.max_streams_per_token),
    )
    terms = SessionTerms(
        longest=round(settings.session_hours * 3_600_000_000), idle_of_admin=round(settings.admin_idle_minutes * 60_000_000)
    )
    living = partial(identities.living_sessions, terms=terms)
    hub = Hub(boards, bus, settings.heartbeat_seconds, limits, living, settings.stalled_seconds, database.clock.now)
    totals = ClinicTotals()
    executor = Executor(database, vault, hub.publish, totals.count, Turns.within(settings.request_seconds))
    process_id = uuid.uuid4().hex
    outages = OutageWatch(database, executor, settings.heartbeat_seconds)
    devices = Devices(hub, partial(housekeeping.report_device, executor, process_id))
    audit = Audit(database, vault, process_name())
    identity = build_identity(database, identities, vault, executor, audit, keys.secret_key, terms)
    phones = Phones(keys.secret_key, database.clock.seconds)
    gate = Gate(identity, Browsers(keys.secret_key), phones, vault, audit, settings.cors_origins)
    web = web_folder()
    tally, clinics, last_backup, circuits = MessageTally(), ClinicTally(), LastBackup(), CircuitTally()
    archived = LastArchived(settings.archive_folder)
    metrics_token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    certificate = CertificateFile(settings.certificate) if settings.certificate else None
    collectors: list[Collector] = [
        LiveFigures(hub),
        AuditFigures(audit),
        ClockFigures(database.clock),
        MessageFigures(tally),
        DatabaseFigures(database),
        TurnFigures(executor.turns),
        ClinicFigures(totals, clinics),
        BackupFigures(last_backup, database.clock),
        ArchiveFigures(archived),
        DiskFigures(settings.data_folder),
        *([CacheFigures([past])] if store else []),
        FlagFigures(flags),
        CircuitFigures(_circuits_of(bus, limiter, store), circuits),
    ]
    if certificate is not None:
        collectors.append(CertificateFigures(certificate, database.clock))
    metrics = Metrics(collectors, metrics_token)
    checks = DependencyChecks(database, tally)
    facts = Facts(
        bus_problem=partial(_problem_of, bus) if redis_url else None,
        encrypted=settings.public_url.scheme == "https",
        exposed=settings.env == "production",
        limited=limits_on,
        certificate=certificate,
        serving=True,
        watched=bool(settings.watchdog_mail),
        data_folder=settings.data_folder,
        archive_folder=settings.archive_folder,
        heartbeat_seconds=settings.heartbeat_seconds,
    )

    def report() -> dict[str, Any]:
        pool = database.pool
        free, total = disk_space(settings.data_folder) or (None, None)
        away = None if redis_url is None or bus.healthy else "no answer"
        return Report(
            bus=away,
            lost=audit.lost,
            used=pool.in_use,
            size=pool.size + pool.overflow,
            free=free,
            total=total,
            explains=True,
        ).row()

    public_url = settings.public_address
    channels = channels_for(database, vault, public_url, settings.recording_path, settings.push_services)
    watchdog = Watchdog(database, channels, facts, settings.watchdog_mail, settings.link_base)
    senders: list[Sweeper | Deliverer | Watchdog | ReportMailer] = [watchdog]
    if not redis_url:  # with Redis, the workers send
        senders += [Sweeper(Notifying(database, vault, channels, settings.link_base, flags)), Deliverer(database, vault)]

    async def composed(site_id: int, month: str, language: str) -> Composed | None:
        return await mailed_report(context, site_id, month, language)

    # A report needs the pages' texts and typst, which only servers have: no worker mails it.
    mailer = ReportMailer(database, vault, channels, composed, settings.link_base)
    senders.append(mailer)
    context = Context(
        database=database,
        checks=checks,
        floods=Floods(settings.limit_health) if limits_on else None,
        figures=Figures(
            metrics=metrics,
            hub=hub,
            database=database,
            tally=tally,
            folder=settings.data_folder,
            backup_age=lambda: last_backup.age(database.clock.now()),
            archive_age=archived.age,
            certificate=partial(_seconds_left, certificate, database.clock),
            cache_hit_rate=lambda: past.hit_rate,
        ),
        vault=vault,
        executor=executor,
        hub=hub,
        boards=boards,
        identities=identities,
        identity=identity,
        new_sites=NewSites(database, vault, audit),
        practitioners=Practitioners(database, audit),
        channels=ChannelSetUp(
            database, vault, audit, public_url, _push_services=settings.push_services, _connected=mailer.connected
        ),
        subscriptions=Subscriptions(database, vault, settings.push_services, flags),
        webhooks=WebhookSetUp(database, vault, audit),
        repeats=Repeats(database, vault, audit),
        contacts=Contacts(database, vault, audit),
        reach=Reach(database, vault, channels, settings.link_base, flags),
        own_texts=OwnTexts(database, audit, settings.link_base),
        report_mails=ReportMails(database, vault, audit, channels, mailer.wake),
        feedback=PatientFeedback(database, vault),
        gate=gate,
        audit=audit,
        metrics=metrics,
        assets=Assets(web),
        voice=Voice(web),
        public_url=public_url,
        limiter=limiter,
        system=Watch(database, facts),
        posters=Posters(),
        past_days=past,
        past=Past(database, vault),
    )

    async def count_messages() -> None:  # one after the other: each at once would need a connection of its own
        await tally.update(database)
        await circuits.update(database)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await housekeeping.begin_clock(database)
        await housekeeping.begin_flags(database, flags)
        checks.prepare()
        await hub.start()
        await outages.begin()
        audit.start()
        loops: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "devices": devices.run,
            "clock": partial(housekeeping.watch_clock, database, settings.heartbeat_seconds),
            "ticks": partial(
                housekeeping.tick_sites,
                boards,
                executor,
                housekeeping.Peers(database, settings.heartbeat_seconds).explain,
                flags,
            ),
            "old rows": partial(housekeeping.forget_old_rows, database),
            "offers": partial(housekeeping.pass_offers, database, executor),
            "messages": partial(housekeeping.keep_figures, "messages not counted", count_messages),
            "clinics": partial(
                housekeeping.keep_figures, "clinics not counted", lambda: clinics.update(database, executor.site_ids)
            ),
            "flags": partial(housekeeping.keep_figures, "flags not read", partial(flags.update, database)),
            "backups": partial(housekeeping.keep_figures, "backups not looked for", partial(last_backup.update, database)),
            "checkpoints": partial(housekeeping.keep_checkpoints, database, vault, process_id),
            "archived": partial(housekeeping.keep_figures, "archive not looked for", partial(archived.update, database)),
            "daily sums": partial(housekeeping.keep_daily_sums, database, process_id),
            "zones": partial(housekeeping.rezone_sites, database, executor),
            "marks": Marks(database, executor).run,
            "dark devices": partial(
                housekeeping.find_dark_devices,
                database,
                executor,
                process_id,
                settings.heartbeat_seconds,
                report,
                outages.look,
            ),
        }
        if certificate:
            loops["certificate"] = partial(housekeeping.watch_certificate, certificate)
        if settings.backup_folder and not redis_url:  # with Redis, the workers make it
            loops["nightly backup"] = Nightly(database, settings.backup_hour).run
        if settings.archive_folder and database.embedded:
            loops["archive"] = keep_archiving
        tasks = [asyncio.create_task(kept_running(name, loop)) for name, loop in loops.items()]
        tasks += [asyncio.create_task(each(context)) for each in alongside]
        sending = [asyncio.create_task(each.run()) for each in senders]
        try:
            yield {"hub": hub}
        finally:
            for task in tasks:
                task.cancel()
            for sender in senders:
                sender.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            await hub.stop()
            if limiter is not None:
                await limiter.close()
            await past.close()
            if store is not None:
                await store.close()
            await audit.stop()
            await asyncio.gather(*sending, return_exceptions=True)  # the calls that have begun
            await channels.close()
            await database.close()
            await asyncio.to_thread(tracing.end)

    return application(
        context,
        lifespan,
        allowed_hosts=settings.allowed_hosts,
        cors_origins=settings.cors_origins,
        limiter=limiter,
        request_seconds=settings.request_seconds,
        slow_seconds=settings.slow_request_seconds,
        before=before,
    )


def _store(url: str, vault: Vault) -> redis_store.RedisStore:
    client = client_of(url, redis_store.CALL_SECONDS, redis_store.CONNECTIONS)
    return redis_store.RedisStore(client, vault.seal, vault.open, close_client)


def _circuits_of(bus: Bus, limiter: Limiter | None, store: redis_store.RedisStore | None) -> dict[str, Circuit]:
    """Return the circuits before Redis, by the names of their metrics."""
    if not isinstance(bus, RedisBus):
        return {}
    of_limits = {"redis-limits": limiter.circuit} if limiter is not None else {}
    of_cache = {f"redis-cache-{name}": each for name, each in store.circuits.items()} if store is not None else {}
    return {"redis-bus": bus.circuit} | of_limits | of_cache


def _seconds_left(certificate: CertificateFile | None, clock: SteadyClock) -> float | str:
    if certificate is None:
        return "NOWSERVING_CERTIFICATE names no certificate"
    return certificate.seconds_left(clock.now())


async def _problem_of(bus: Bus) -> str | None:
    return None if bus.healthy else "no answer"


def create_app() -> Starlette:
    """Return the application for the settings in the environment: the entry point of a server process."""
    settings = load_settings()
    observe(settings)
    return build_app(settings, keys_of(settings))


def observe(settings: Settings) -> None:
    """Begin the log, the traces and the reports of errors of this process."""
    dsn = settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None
    report = reporter(dsn, settings.env, __version__) if dsn else None
    configure_logging(json=settings.logs_json, level=settings.log_level, report=report)
    if settings.traces_url:
        tracing.begin(settings.traces_url.get_secret_value(), __version__)


def request_limits(settings: Settings) -> RequestLimits:
    """Return the limits on requests of these settings."""
    default = RequestLimits()
    return RequestLimits(
        anonymous=replace(default.anonymous, amount=settings.limit_anonymous),
        sign_in=replace(default.sign_in, amount=settings.limit_sign_in),
        pairing=replace(default.pairing, amount=settings.limit_pairing),
        code=replace(default.code, amount=settings.limit_code),
        staff=replace(default.staff, amount=settings.limit_staff),
        device=replace(default.device, amount=settings.limit_device),
        check_in=replace(default.check_in, amount=settings.limit_check_in),
        ticket=replace(default.ticket, amount=settings.limit_ticket),
        joining=replace(default.joining, amount=settings.limit_joining),
        join_code=replace(default.join_code, amount=settings.limit_join_code),
        pages=replace(default.pages, amount=settings.limit_pages),
        phone=replace(default.phone, amount=settings.limit_phone),
        joined=replace(default.joined, amount=settings.limit_joined),
        booked=replace(default.booked, amount=settings.limit_booked),
        booked_by_phone=replace(default.booked_by_phone, amount=settings.limit_booked_by_phone),
        held=replace(default.held, amount=settings.limit_held),
        subscribed=replace(default.subscribed, amount=settings.limit_subscribed),
        reports=replace(default.reports, amount=settings.limit_reports),
        refused=replace(default.refused, amount=settings.limit_refused),
        blocked=replace(default.blocked, minutes=settings.blocked_minutes),
    )
