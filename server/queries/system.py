"""The state of an installation, as `nowserving check` and the administrator's pages list it.

Each check answers with a code. Its text and its remedy are here in English, and in the locales for the pages.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from server import __version__
from server.domain.errors import NowServingError
from server.domain.flags import FLAGS, is_overdue
from server.domain.model.hours import is_open
from server.domain.model.local_time import tz_version
from server.installation.certificates import CertificateFile
from server.installation.places import disk_space
from server.queries import archives, backups, channels, circuits, devices, flags, messages, webhooks
from server.queries.migrations import pending
from server.queries.reader import Reader
from server.store import findings, processes
from server.store.binary_logs import BinaryLogs
from server.store.findings import Finding
from server.store.migrate import NewerTables, UnfinishedMove

State = Literal["ok", "warning", "broken", "unknown"]
AWAY_MICROSECONDS = 5 * 60_000_000
HOUR_MICROSECONDS = 3_600_000_000
OLD_BACKUP_MICROSECONDS = 26 * HOUR_MICROSECONDS
LATE_ARCHIVE_SECONDS = 300  # ten times the pause between two records, and enough for the copy that begins each day
SETTLED_MICROSECONDS = 60_000_000  # a screen that reloads, and a webhook between two tries, are no problem yet
HEARTBEATS = 3  # a process that has been silent for longer is dead
LOW, FULL = 0.10, 0.02  # free parts of a disk
YEARS_OF_ZONES = 1
DAY_MICROSECONDS = 86_400_000_000
DAYS_TO_RENEW = 21  # an ACME client renews thirty days before the end
YEAR_MICROSECONDS = 31_556_952_000_000
_SERVICES = {"smtp": "SMTP", "smsapi": "SMSAPI", "infobip": "Infobip", "apprise": "Apprise"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that the composition root knows. ``bus_problem`` is None where no Redis is configured.

    ``encrypted`` says whether patients reach the server over HTTPS, ``exposed`` whether the installation is in production.
    ``serving`` says that this process is a server, and ``watched`` that the watchdog has addresses. ``data_folder`` is the
    folder of the embedded database or the keys, and ``archive_folder`` that of its archive, if it has one.
    """

    bus_problem: Callable[[], Awaitable[str | None]] | None
    encrypted: bool
    exposed: bool
    limited: bool
    certificate: CertificateFile | None = None  # the one that the settings name
    serving: bool = False
    watched: bool = False
    data_folder: Path | None = None
    archive_folder: Path | None = None
    heartbeat_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a server process tells about itself with each heartbeat, for the list that another process shows.

    ``bus`` is the problem of its bus, ``lost`` the number of its lost audit rows. ``used`` of ``size`` database connections
    are in use. ``free`` and ``total`` are the bytes of the disk of the data. The process ``explains`` waits: it knows the
    event `WaitsExplained`. Earlier versions do not say so.
    """

    bus: str | None = None
    lost: int = 0
    used: int = 0
    size: int = 0
    free: int | None = None
    total: int | None = None
    explains: bool = False

    def row(self) -> dict[str, Any]:
        """Return the report as it is stored."""
        return asdict(self)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Report:
        """Return a stored report, also one of another version of the server."""
        return cls(**{each.name: row[each.name] for each in fields(cls) if each.name in row})


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the installation. ``values`` fill in the texts of its ``code``."""

    name: str
    code: str
    state: State
    values: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the check has found, in English."""
        return TEXTS[self.code][0].format_map(self.values)

    @property
    def remedy(self) -> str:
        """What to do, in English. Empty if there is nothing to do."""
        return TEXTS[self.code][1].format_map(self.values)


# The names of the checks, in their order.
PARTS = (
    *("version", "database", "tables", "clock", "servers", "bus", "workers", "channels", "circuits", "webhooks"),
    *("screens", "disk", "audit", "pool", "backup", "archive", "watchdog", "zones"),
    *("encryption", "certificate", "limits", "flags"),
)

# By code: the text and the remedy. The locales have the same as `admin.check.{code}` and `admin.check.{code}.remedy`.
TEXTS: dict[str, tuple[str, str]] = {
    "version": ("Version {version} runs.", ""),
    "database_ok": ("The database answers.", ""),
    "database_away": (
        "The database cannot be reached: {problem}",
        "Check NOWSERVING_DATABASE_URL, and whether the database server runs.",
    ),
    "tables_ok": ("The database has the tables of this version.", ""),
    "tables_old": ("The database lacks tables: migrations are missing ({revisions}).", "Run nowserving migrate."),
    "tables_newer": (
        "The database has the tables of a newer version ({revision}).",
        "Replace this process by one of the newer version.",
    ),
    "tables_unfinished": (
        "The database is the target of a move that has not finished.",
        "Run nowserving move again, or set NOWSERVING_DATABASE_URL to another database.",
    ),
    "tables_unknown": ("The tables could not be read.", "Restore the connection to the database first."),
    "clock_ok": ("The clock is right.", ""),
    "clock_wrong": ("The clock is wrong: {problem}", "Set the clock of the database's machine, then run nowserving clock."),
    "unread": (
        "The database could not be asked.",
        "Restore the connection to the database first, then run nowserving migrate.",
    ),
    "unreported": ("No server process has reported it.", ""),
    "servers_ok": ("Server processes that run: {count}.", ""),
    "servers_none": ("No server process runs.", "Start the server, and look at its log."),
    "servers_unseen": ("No server process has run yet.", "Start the server: nowserving serve."),
    "bus_ok": ("Redis connects the server processes.", ""),
    "bus_none": ("One server process runs without Redis.", ""),
    "bus_away": (
        "Redis cannot be reached: {problem}",
        "Check NOWSERVING_REDIS_URL, and whether Redis runs. Screens stay right, up to a second later.",
    ),
    "workers_unseen": ("No worker has been seen. No message waits.", "Run nowserving worker to send messages."),
    "workers_within": ("The server sends the messages, while it runs. No message waits.", ""),
    "workers_channelless": (
        "{count} messages have no channel: nobody gets them.",
        "Connect a channel for them, or set NOWSERVING_RECORDING_PATH for a trial, and restart the workers.",
    ),
    "workers_late": (
        "{count} messages wait for more than five minutes.",
        "Run nowserving worker, or restart it. Without Redis, restart the server.",
    ),
    "workers_away": (
        "Nobody has looked for due messages for {minutes} minutes.",
        "Run nowserving worker, or restart it. Without Redis, restart the server.",
    ),
    "workers_ok": ("Messages are sent on time.", ""),
    "channels_ok": ("The channels accept messages.", ""),
    "channels_none": ("No channel for messages is connected.", ""),
    "channels_failing": (
        "Channels that fail: {count}.",
        "Open Message channels in /admin: each failing channel names the reason. Repair it, then send a test message.",
    ),
    "circuits_ok": ("No provider has failed several times in a row.", ""),
    "circuits_open": (
        "Providers that get no messages now, after failures in a row: {providers}.",
        "Look at the provider and at the network. Its messages wait, and one of them tries it every few minutes. "
        "After a repair, send a test message: Message channels in /admin.",
    ),
    "webhooks_ok": ("The webhooks get their events.", ""),
    "webhooks_none": ("No webhook is connected.", ""),
    "webhooks_failing": (
        "Webhooks that fail: {count}.",
        "Open Webhooks in /admin: each failing webhook names its error. Its events wait, and are sent again.",
    ),
    "webhooks_off": (
        "Webhooks that are off after failures: {count}.",
        "Repair the receiver, then switch the webhook on again: Webhooks in /admin. It then gets the waiting events.",
    ),
    "screens_ok": ("No screen is dark in the opening hours.", ""),
    "screens_dark": (
        "Screens that are dark in the opening hours: {count}.",
        "Switch these screens on, and check their network. Screens in /admin names them.",
    ),
    "disk_ok": ("The disk of the data has {free} of {total} free.", ""),
    "disk_low": (
        "The disk of the data has only {free} of {total} free.",
        "Delete old backups and logs, or give the disk more space.",
    ),
    "disk_full": (
        "The disk of the data is almost full: {free} of {total} are free.",
        "Free some space now. Without space, nobody can get a ticket.",
    ),
    "disk_unknown": ("The space on the disk of the data is not known.", ""),
    "audit_ok": ("No row of the audit was lost.", ""),
    "audit_lost": (
        "Rows of the audit that were lost: {count}.",
        "Look for an outage of the database in the log, then restart the server. The audit has a row with the number.",
    ),
    "pool_ok": ("Database connections in use: {used} of {size}.", ""),
    "pool_full": (
        "All {size} database connections of a server process are in use.",
        "If this lasts, raise NOWSERVING_DATABASE_POOL_SIZE. The database server must allow as many connections.",
    ),
    "watchdog_ok": ("The watchdog mails these problems to the administrator.", ""),
    "watchdog_off": (
        "The watchdog tells nobody about problems.",
        "Set NOWSERVING_WATCHDOG_MAIL to the administrator's e-mail address.",
    ),
    "watchdog_channelless": (
        "The watchdog has no way to send mail: no channel for e-mail is connected.",
        "Connect a mail server: Message channels in /admin.",
    ),
    "backup_ok": ("The last verified backup is {hours} hours old: {size}, {rows} rows.", ""),
    "backup_old": (
        "The last verified backup is {hours} hours old.",
        "Run nowserving backup, which tells why it fails. Nightly backups need NOWSERVING_BACKUP_FOLDER.",
    ),
    "backup_never": (
        "There is no verified backup.",
        "Set NOWSERVING_BACKUP_FOLDER, or run nowserving backup every day. Keep a copy of the keys elsewhere.",
    ),
    "backup_unknown": ("The backups could not be looked up.", "Restore the connection to the database first."),
    "archive_ok": ("The newest record of the archive is {seconds} seconds old.", ""),
    "archive_none": (
        "The database has no archive: a restore reaches the last backup.",
        "To restore any later second, too, set NOWSERVING_ARCHIVE_FOLDER.",
    ),
    "archive_late": (
        "The newest record of the archive is {minutes} minutes old: a restore reaches no later second.",
        "Look for the line 'the archive cannot be written' in the log of the server. Give the disk of the folder more "
        "space.",
    ),
    "archive_empty": (
        "The archive has no record yet.",
        "If this lasts, look for the line 'the archive cannot be written' in the log of the server, and whether one runs.",
    ),
    "archive_unread": (
        "The folder of the archive cannot be read: {problem}",
        "Check NOWSERVING_ARCHIVE_FOLDER, and whether its disk is there. The server makes a missing folder.",
    ),
    "archive_unknown": ("The archive could not be looked up.", "Restore the connection to the database first."),
    "binlogs_ok": ("The database server writes binary logs, and keeps each for {days} days.", ""),
    "binlogs_endless": ("The database server writes binary logs, and never deletes them.", ""),
    "binlogs_none": (
        "The database server writes no binary logs: a restore reaches the last backup.",
        "To restore any later instant, too, start the database server with log_bin and binlog_format=ROW.",
    ),
    "binlogs_hidden": ("The account of the database may not see its binary logs.", "{grant}"),
    "binlogs_unusable": (
        "A restore cannot use the binary logs of the database server.",
        "The database server has {problem}. Then take a backup.",
    ),
    "binlogs_short": (
        "The database server deletes its binary logs after {hours} hours: the next backup can come later.",
        "Set binlog_expire_logs_seconds of the database server to two days or more.",
    ),
    "binlogs_stopped": (
        "The database server no longer writes its binary log.",
        "Look at the error log and the disk of the database server, restart it, and take a backup.",
    ),
    "zones_ok": ("The time zones are those of {version}.", ""),
    "zones_old": (
        "The time zones are those of {version}: some may have changed.",
        "Install the newest version of Now Serving, or of its Python package tzdata.",
    ),
    "encryption_ok": ("Patients' links are encrypted (HTTPS).", ""),
    "encryption_trial": ("Patients' links are not encrypted, which is enough for a trial.", ""),
    "encryption_off": (
        "Patients' links are not encrypted.",
        "Put the server behind a proxy with a certificate, and set NOWSERVING_PUBLIC_URL to its https address.",
    ),
    "certificate_ok": ("The certificate is valid until {day} (UTC).", ""),
    "certificate_none": (
        "This list watches no certificate.",
        "If nginx has a certificate, set NOWSERVING_CERTIFICATE to its file: the list then shows when it ends.",
    ),
    "certificate_soon": (
        "The certificate ends on {day} (UTC), in {days} days.",
        "Renew the certificate and reload nginx. The operating guide describes both.",
    ),
    "certificate_expired": (
        "The certificate ended on {day} (UTC): browsers refuse every page.",
        "Renew the certificate and reload nginx. The operating guide describes both.",
    ),
    "certificate_early": (
        "The certificate is valid only from {day} (UTC): browsers refuse every page.",
        "Check the clock of this machine, then the certificate.",
    ),
    "certificate_unread": (
        "The certificate cannot be read: {problem}",
        "Check NOWSERVING_CERTIFICATE, and whether the server may read this file.",
    ),
    "limits_ok": ("Requests and guesses at passwords have limits.", ""),
    "limits_off": (
        "NOWSERVING_RATE_LIMITS is off: requests and guesses at passwords have no limit.",
        "Set NOWSERVING_RATE_LIMITS to on.",
    ),
    "flags_none": ("Every flag has its default.", ""),
    "flags_ok": ("Flags with a rule of an operator: {names}.", "nowserving flag list shows the rules."),
    "flags_unusable": (
        "Flags that this version cannot use: {names}. No server or worker starts.",
        "Run nowserving flag list, then nowserving flag clear for each of these flags.",
    ),
    "flags_expired": (
        "Flags with an expired rule: {names}. They have their defaults.",
        "Run nowserving flag clear, or nowserving flag set with a later end.",
    ),
    "flags_overdue": (
        "Flags that should not exist any more: {names}.",
        "Install the newest version of Now Serving. Clear the rules of these flags first: nowserving flag clear.",
    ),
}


async def checks(database: Reader, facts: Facts) -> list[Check]:
    """Return the state of each part of an installation, always the same parts in the same order. Raises nothing."""
    away = await _problem_of(database)
    tables = await _tables(database) if away is None else Check("tables", "tables_unknown", "unknown")
    readable = tables.state == "ok"
    reports = await _reports(database, facts) if readable else None

    async def read(name: str, look: Callable[[Reader, Facts], Awaitable[Check]]) -> Check:
        try:
            return await look(database, facts) if readable else Check(name, "unread", "unknown")
        except NowServingError:
            return Check(name, "unread", "unknown")

    return [
        Check("version", "version", "ok", {"version": __version__}),
        Check("database", "database_ok", "ok")
        if away is None
        else Check("database", "database_away", "broken", {"problem": away}),
        tables,
        _clock(database),
        await read("servers", _servers),
        await _bus(facts, reports or []),
        await _workers(database, facts) if readable else Check("workers", "workers_unseen", "unknown"),
        await read("channels", _channels),
        await read("circuits", _circuits),
        await read("webhooks", _webhooks),
        await read("screens", _screens),
        _disk(facts, reports or []),
        _audit(reports),
        _pool(reports),
        await _backup(database, facts) if readable else Check("backup", "backup_unknown", "unknown"),
        await _archive(database, facts),
        await read("watchdog", _watchdog),
        _zones(database),
        _encryption(facts),
        _certificate(database, facts),
        Check("limits", "limits_ok", "ok") if facts.limited else Check("limits", "limits_off", _if_exposed(facts)),
        await read("flags", _flags),
    ]


def _if_exposed(facts: Facts) -> State:
    """Return the state of a missing protection: a trial may do without it."""
    return "warning" if facts.exposed else "ok"


async def _problem_of(database: Reader) -> str | None:
    try:
        await database.now()
    except NowServingError as error:
        return str(error.__cause__ or error.message)
    return None


async def _tables(database: Reader) -> Check:
    try:
        lacking = await pending(database)
    except UnfinishedMove:
        return Check("tables", "tables_unfinished", "broken")
    except NewerTables as error:  # migrations first add, so this process goes on until it is replaced
        return Check("tables", "tables_newer", "warning", {"revision": error.at})
    except NowServingError:
        return Check("tables", "tables_unknown", "unknown")
    if lacking:
        return Check("tables", "tables_old", "broken", {"revisions": ", ".join(lacking)})
    return Check("tables", "tables_ok", "ok")


def _clock(database: Reader) -> Check:
    trouble = database.clock.trouble
    if trouble is None:
        return Check("clock", "clock_ok", "ok")
    return Check("clock", "clock_wrong", "warning", {"problem": trouble.removeprefix("degraded: ")})


async def _reports(database: Reader, facts: Facts) -> list[Report] | None:
    """Return the reports of the server processes that run, or None without an answer."""
    try:
        async with database.read() as connection:
            found = await processes.heard(connection, *_alive(database, facts))
    except NowServingError:
        return None
    return [Report.of(each) for each in found if each is not None]


def _alive(database: Reader, facts: Facts) -> tuple[int, int]:
    """Return the first and the last instant of a sign of life that counts."""
    now, patience = database.clock.now(), round(HEARTBEATS * facts.heartbeat_seconds * 1_000_000)
    return now - patience, now + patience


async def _servers(database: Reader, facts: Facts) -> Check:
    async with database.read() as connection:
        heard = len(await processes.heard(connection, *_alive(database, facts)))
        count = max(heard, int(facts.serving))  # a server that has just begun has told nobody yet
        if not count and not await processes.has_any(connection):
            return Check("servers", "servers_unseen", "unknown")
    if not count:
        return Check("servers", "servers_none", "warning")
    return Check("servers", "servers_ok", "ok", {"count": str(count)})


async def _bus(facts: Facts, reports: list[Report]) -> Check:
    """Judge the bus by the own look, and by the reports of the server processes."""
    if facts.bus_problem is None:
        return Check("bus", "bus_none", "ok")
    problem = await facts.bus_problem() or next((each.bus for each in reports if each.bus is not None), None)
    return Check("bus", "bus_ok", "ok") if problem is None else Check("bus", "bus_away", "broken", {"problem": problem})


async def _channels(database: Reader, _: Facts) -> Check:
    found = await channels.tally(database)
    if found.failing:
        return Check("channels", "channels_failing", "broken", {"count": str(found.failing)})
    return Check("channels", "channels_ok" if found.enabled else "channels_none", "ok")


async def _circuits(database: Reader, _: Facts) -> Check:
    """Judge the circuits before providers. Redis and the webhooks are parts of their own."""
    async with database.read() as connection:
        found = await circuits.of_providers(connection)
    if not found:
        return Check("circuits", "circuits_ok", "ok")
    named = Counter(each.service if each.kind == "push" else _SERVICES.get(each.kind, each.kind) for each in found)
    names = (name if count == 1 else f"{name} ({count})" for name, count in sorted(named.items()))
    return Check("circuits", "circuits_open", "warning", {"providers": ", ".join(names)})


async def _webhooks(database: Reader, _: Facts) -> Check:
    found = await webhooks.tally(database, database.clock.now() - SETTLED_MICROSECONDS)
    if found.off:
        return Check("webhooks", "webhooks_off", "broken", {"count": str(found.off)})
    if found.failing:
        return Check("webhooks", "webhooks_failing", "warning", {"count": str(found.failing)})
    return Check("webhooks", "webhooks_ok" if found.on else "webhooks_none", "ok")


async def _screens(database: Reader, _: Facts) -> Check:
    now = database.clock.now()
    dark = await devices.dark(database, now - SETTLED_MICROSECONDS)
    count = sum(devices_of for site, devices_of in dark if is_open(now, site.time_zone, site.rules))
    if count:
        return Check("screens", "screens_dark", "warning", {"count": str(count)})
    return Check("screens", "screens_ok", "ok")


def _disk(facts: Facts, reports: list[Report]) -> Check:
    """Judge the fullest disk of all server processes."""
    spaces = [(each.free, each.total) for each in reports if each.free is not None and each.total]
    own = disk_space(facts.data_folder) if facts.data_folder is not None else None
    if own is not None and own[1]:
        spaces.append(own)
    if not spaces:
        return Check("disk", "disk_unknown", "unknown")
    free, total = min(spaces, key=lambda space: space[0] / space[1])
    values = {"free": _size(free), "total": _size(total)}
    if free < FULL * total:
        return Check("disk", "disk_full", "broken", values)
    return Check("disk", "disk_low", "warning", values) if free < LOW * total else Check("disk", "disk_ok", "ok", values)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _audit(reports: list[Report] | None) -> Check:
    if not reports:
        return Check("audit", "unreported", "unknown")
    lost = sum(each.lost for each in reports)
    return Check("audit", "audit_lost", "warning", {"count": str(lost)}) if lost else Check("audit", "audit_ok", "ok")


def _pool(reports: list[Report] | None) -> Check:
    """Judge the process with the fewest free connections."""
    if not reports or not all(each.size for each in reports):
        return Check("pool", "unreported", "unknown")
    most = max(reports, key=lambda each: each.used / each.size)
    full = most.used >= most.size
    values = {"used": str(most.used), "size": str(most.size)}
    return Check("pool", "pool_full" if full else "pool_ok", "warning" if full else "ok", values)


async def _watchdog(database: Reader, facts: Facts) -> Check:
    if not facts.watched:
        return Check("watchdog", "watchdog_off", "unknown")
    if await channels.first_organisation(database, "email") is None:
        return Check("watchdog", "watchdog_channelless", "warning")
    return Check("watchdog", "watchdog_ok", "ok")


async def _workers(database: Reader, facts: Facts) -> Check:
    """Judge the workers by their rows in the database: a process that answers may send nothing."""
    try:
        found = await messages.health(database)
    except NowServingError:
        return Check("workers", "workers_unseen", "unknown")
    if found.without_channel:
        return Check("workers", "workers_channelless", "broken", {"count": str(found.without_channel)})
    if found.late:
        return Check("workers", "workers_late", "broken", {"count": str(found.late)})
    if found.swept is None:
        code = "workers_unseen" if facts.bus_problem is not None else "workers_within"
        return Check("workers", code, "unknown")
    if found.swept > AWAY_MICROSECONDS:
        return Check("workers", "workers_away", "warning", {"minutes": str(found.swept // 60_000_000)})
    return Check("workers", "workers_ok", "ok")


async def _backup(database: Reader, facts: Facts) -> Check:
    try:
        last = await backups.newest(database)
    except NowServingError:
        return Check("backup", "backup_unknown", "unknown")
    if last is None:
        return Check("backup", "backup_never", "warning" if facts.exposed else "unknown")
    age = max(0, database.clock.now() - last.made_at)
    hours = str(age // HOUR_MICROSECONDS)
    if age > OLD_BACKUP_MICROSECONDS:
        return Check("backup", "backup_old", "warning", {"hours": hours})
    size = f"{last.bytes / 1_000_000:.1f} MB"
    return Check("backup", "backup_ok", "ok", {"hours": hours, "size": size, "rows": str(last.rows_kept)})


async def _archive(database: Reader, facts: Facts) -> Check:
    """Judge the archive of an embedded database by its newest record, and binary logs by the settings of their server."""
    try:
        found = await archives.look(database, facts.archive_folder)
    except NowServingError:
        return Check("archive", "archive_unknown", "unknown")
    if found.logs is not None:
        return _binary_logs(found.logs)
    if found.age_seconds is None:
        return Check("archive", "archive_none", "ok")
    if found.problem is not None:
        return Check("archive", "archive_unread", "warning", {"problem": found.problem})
    if found.age_seconds == math.inf:
        return Check("archive", "archive_empty", "warning")
    if found.age_seconds > LATE_ARCHIVE_SECONDS:
        return Check("archive", "archive_late", "warning", {"minutes": str(int(found.age_seconds / 60))})
    return Check("archive", "archive_ok", "ok", {"seconds": str(round(found.age_seconds))})


def _binary_logs(logs: BinaryLogs) -> Check:
    if not logs.on:
        return Check("archive", "binlogs_none", "ok")
    if logs.wrong:
        return Check("archive", "binlogs_unusable", "warning", {"problem": logs.settings})
    if logs.grant:
        return Check("archive", "binlogs_hidden", "unknown", {"grant": logs.grant})
    if logs.place is None:
        return Check("archive", "binlogs_stopped", "warning")
    kept = logs.kept_seconds * 1_000_000
    if not kept:
        return Check("archive", "binlogs_endless", "ok")
    if kept < OLD_BACKUP_MICROSECONDS:
        return Check("archive", "binlogs_short", "warning", {"hours": str(kept // HOUR_MICROSECONDS)})
    return Check("archive", "binlogs_ok", "ok", {"days": str(kept // DAY_MICROSECONDS)})


def _zones(database: Reader) -> Check:
    version = tz_version()
    year = 1970 + database.clock.now() // YEAR_MICROSECONDS
    old = int(version[:4]) + YEARS_OF_ZONES < year
    return Check("zones", "zones_old" if old else "zones_ok", "warning" if old else "ok", {"version": version})


def _encryption(facts: Facts) -> Check:
    if facts.encrypted:
        return Check("encryption", "encryption_ok", "ok")
    if not facts.exposed:
        return Check("encryption", "encryption_trial", "ok")
    return Check("encryption", "encryption_off", "warning")


def _certificate(database: Reader, facts: Facts) -> Check:
    if facts.certificate is None:
        return Check("certificate", "certificate_none", "ok")
    found = facts.certificate.found or facts.certificate.look()
    if isinstance(found, str):
        return Check("certificate", "certificate_unread", "broken", {"problem": found})
    now = database.clock.now()
    if now < found.begins:
        return Check("certificate", "certificate_early", "broken", {"day": _day(found.begins)})
    values = {"day": _day(found.ends)}
    if now >= found.ends:
        return Check("certificate", "certificate_expired", "broken", values)
    days = (found.ends - now) // DAY_MICROSECONDS
    if days < DAYS_TO_RENEW:
        return Check("certificate", "certificate_soon", "warning", values | {"days": str(days)})
    return Check("certificate", "certificate_ok", "ok", values)


async def _flags(database: Reader, _: Facts) -> Check:
    """Judge the rules of the operator: those that stop a start, then expired ones, then flags past their last day."""
    found, now = await flags.every(database), database.clock.now()
    named = sorted(each.row.flag_key for each in found)
    if unusable := sorted(flags.problems_of(found)):
        return Check("flags", "flags_unusable", "broken", {"names": ", ".join(unusable)})
    if expired := sorted(each.row.flag_key for each in found if not each.counts(now)):
        return Check("flags", "flags_expired", "warning", {"names": ", ".join(expired)})
    if overdue := sorted(each.key for each in FLAGS.values() if is_overdue(each, _day(now))):
        return Check("flags", "flags_overdue", "warning", {"names": ", ".join(overdue)})
    return Check("flags", "flags_ok", "ok", {"names": ", ".join(named)}) if named else Check("flags", "flags_none", "ok")


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).date().isoformat()


async def noted(database: Reader) -> dict[str, Finding]:
    """Return by part what the watchdog has noted about it, as far as the database tells."""
    try:
        async with database.read() as connection:
            return await findings.of_parts(connection, PARTS)
    except Exception:  # also tables of another version: the list does without
        return {}


class Watch:
    """Checks an installation for its administrators, with the start of each result.

    The watchdog notes the starts for all processes. Until it has looked, the start is that of this process.
    """

    def __init__(self, database: Reader, facts: Facts) -> None:
        self._database = database
        self._facts = facts
        self._since: dict[str, tuple[str, int]] = {}

    async def checks(self, *, encrypted: bool) -> list[tuple[Check, int]]:
        """Return each check with the time since when it has its result (microseconds).

        ``encrypted``: the asking browser itself came over HTTPS.
        """
        found = await checks(self._database, replace(self._facts, encrypted=self._facts.encrypted or encrypted))
        known = await noted(self._database)
        now = self._database.clock.now()
        for each in found:
            finding = known.get(each.name)
            if finding is not None and finding.code == each.code:
                self._since[each.name] = (each.code, finding.since)
            elif self._since.get(each.name, ("", 0))[0] != each.code:
                self._since[each.name] = (each.code, now)
        return [(each, self._since[each.name][1]) for each in found]
