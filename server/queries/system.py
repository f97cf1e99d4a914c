"""The state of an installation, as `nowserving check` and the administrator's pages list it.

Each check answers with a code. Its text and its remedy are here in English, and in the locales for the pages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from server import __version__
from server.certificates import CertificateFile
from server.domain.errors import NowServingError
from server.domain.model.local_time import tz_version
from server.queries import backups, messages
from server.queries.migrations import pending
from server.queries.reader import Reader

State = Literal["ok", "warning", "broken", "unknown"]
AWAY_MICROSECONDS = 5 * 60_000_000
HOUR_MICROSECONDS = 3_600_000_000
OLD_BACKUP_MICROSECONDS = 26 * HOUR_MICROSECONDS
YEARS_OF_ZONES = 1
DAY_MICROSECONDS = 86_400_000_000
DAYS_TO_RENEW = 21  # an ACME client renews thirty days before the end
YEAR_MICROSECONDS = 31_556_952_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that the composition root knows. ``bus_problem`` is None where no Redis is configured.

    ``encrypted`` says whether patients reach the server over HTTPS, ``exposed`` whether the installation is in production.
    """

    bus_problem: Callable[[], Awaitable[str | None]] | None
    encrypted: bool
    exposed: bool
    limited: bool
    certificate: CertificateFile | None = None  # the one that the settings name


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
    "tables_unknown": ("The tables could not be read.", "Restore the connection to the database first."),
    "clock_ok": ("The clock is right.", ""),
    "clock_wrong": ("The clock is wrong: {problem}", "Set the clock of the database's machine, then run nowserving clock."),
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
}


async def checks(database: Reader, facts: Facts) -> list[Check]:
    """Return the state of each part of an installation, always the same parts in the same order. Raises nothing."""
    away = await _problem_of(database)
    return [
        Check("version", "version", "ok", {"version": __version__}),
        Check("database", "database_ok", "ok")
        if away is None
        else Check("database", "database_away", "broken", {"problem": away}),
        await _tables(database) if away is None else Check("tables", "tables_unknown", "unknown"),
        _clock(database),
        await _bus(facts),
        await _workers(database, facts) if away is None else Check("workers", "workers_unseen", "unknown"),
        await _backup(database, facts) if away is None else Check("backup", "backup_unknown", "unknown"),
        _zones(database),
        _encryption(facts),
        _certificate(database, facts),
        Check("limits", "limits_ok", "ok") if facts.limited else Check("limits", "limits_off", _if_exposed(facts)),
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


async def _bus(facts: Facts) -> Check:
    if facts.bus_problem is None:
        return Check("bus", "bus_none", "ok")
    problem = await facts.bus_problem()
    return Check("bus", "bus_ok", "ok") if problem is None else Check("bus", "bus_away", "broken", {"problem": problem})


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


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).date().isoformat()


class Watch:
    """Checks an installation for its administrators, and remembers since when each check has its result in this process."""

    def __init__(self, database: Reader, facts: Facts) -> None:
        self._database = database
        self._facts = facts
        self._since: dict[str, tuple[str, int]] = {}

    async def checks(self, *, encrypted: bool) -> list[tuple[Check, int]]:
        """Return each check with the time since when it has its result (microseconds).

        ``encrypted``: the asking browser itself came over HTTPS.
        """
        found = await checks(self._database, replace(self._facts, encrypted=self._facts.encrypted or encrypted))
        now = self._database.clock.now()
        for each in found:
            code, _ = self._since.get(each.name, ("", 0))
            if code != each.code:
                self._since[each.name] = (each.code, now)
        return [(each, self._since[each.name][1]) for each in found]
