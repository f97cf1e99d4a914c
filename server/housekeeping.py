"""The periodic loops of a server process. Every process runs them all; each runs until it is cancelled.

A database that is unavailable ends none of them: the loop logs it, and the next pass tries again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import structlog

from server.clock import TOLERANCE_MICROSECONDS, boot_id
from server.domain.commands import PassOffer, ReportDevice, Rezone, Tick
from server.domain.errors import DeviceNotFound, NothingChanged, NothingDue, NowServingError
from server.domain.flags import DEFAULTS, TIME_TO_LEAVE, Flags
from server.execute import Executor
from server.installation.certificates import CertificateFile
from server.live.devices import Health
from server.queries import day_sums, message_sums
from server.queries.appointments import lapsed_offers, with_outdated_appointments
from server.queries.boards import Boards
from server.queries.day_sums import Clinic
from server.queries.flags import BadFlags, KeptFlags
from server.queries.past import prepare
from server.store import (
    answers,
    checkpoints,
    circuits,
    clock_anchors,
    daily_sums,
    leases,
    lockouts,
    processes,
    push_subscriptions,
    report_mails,
)
from server.store.database import Conflict, Database
from server.telemetry.outage import Outage
from server.vault import Vault

logger = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
FORGET_SECONDS = 3600.0
CHECKPOINTS = "checkpoints"  # the name of the lease
CHECKPOINT_SECONDS = 300.0
CHECKPOINT_PAUSE_SECONDS = 0.01  # after each batch of events: requests come first
CHECKPOINT_LEASE_MICROSECONDS = 900_000_000
REZONE_SECONDS = 3600.0
OFFER_SECONDS = 5.0
CIRCUITS_KEPT_MICROSECONDS = 86_400_000_000  # of providers that nobody has tried, such as those of removed channels
TALLY_SECONDS = 15.0
CERTIFICATE_SECONDS = 60.0
STOP_SECONDS = 3.0
PEER_HEARTBEATS = 4  # a server that has been silent for longer is dead
DAILY_SUMS_SECONDS = 30.0
DAILY_SUMS_LEASE = "daily-sums"
DAILY_SUMS_LEASE_MICROSECONDS = 120_000_000
ANSWERS_KEPT_MICROSECONDS = 24 * 3_600_000_000


async def begin_clock(database: Database) -> None:
    """Learn the right time before the first request. Without the database, it is this machine's for now."""
    with suppress(NowServingError):
        await database.now()


async def begin_flags(database: Database, flags: KeptFlags) -> None:
    """Read the flags before the first request. Without the database, they have their defaults for now.

    Raises `BadFlags`, and the process must not start.
    """
    try:
        await flags.begin(database)
    except NowServingError:
        return
    except BadFlags:
        await database.close()  # else the thread of an embedded database keeps the process
        raise


async def watch_clock(database: Database, heartbeat_seconds: float) -> None:
    """Keep the offset of the clock at every heartbeat and at every change of its state. Log an alarm while it is wrong."""
    stepped = Outage(logger, "the database's clock was set: the right time goes on without it")
    behind = Outage(logger, "the clock is behind the log of a site: the site's time goes on from its last event")
    boot, clock, keep_at, kept = boot_id(), database.clock, 0.0, (False, False)

    def wrong() -> tuple[bool, bool]:
        return clock.step != 0, clock.behind != 0

    while True:
        if boot is not None and (time.monotonic() >= keep_at or wrong() != kept):
            keep_at = time.monotonic() + heartbeat_seconds
            with suppress(NowServingError, Conflict):  # another loop logs an unavailable database; another process was first
                await database.now()
                state = wrong()
                async with database.write() as connection:
                    await clock_anchors.keep(connection, boot, clock)
                kept = state
        for alarm, microseconds in ((stepped, clock.step), (behind, clock.behind)):
            if microseconds:
                alarm.failed(by_seconds=round(microseconds / 1_000_000), remedy="nowserving clock")
            else:
                alarm.ended()
        await asyncio.sleep(TICK_SECONDS)


async def tick_sites(
    boards: Boards, executor: Executor, may_explain: Callable[[], Awaitable[bool]], flags: Flags = DEFAULTS
) -> None:
    """Once a second, send `Tick` for every site whose time of the next tick has come. Of all processes, one succeeds.

    ``may_explain`` answers whether all processes know the words about waits, ``flags`` whether a site promises
    times to leave.
    """

    async def tick(site_id: int) -> None:
        explain, leave = await may_explain(), flags.is_on(TIME_TO_LEAVE, site_id)
        with suppress(NothingDue):  # another process was first
            while await _tick(executor, site_id, explain, leave):
                pass

    await _site_by_site(
        boards.due, tick, TICK_SECONDS, Outage(logger, "sites not ticked"), Outage(logger, "a site cannot be ticked")
    )


async def _site_by_site(
    waiting: Callable[[], Awaitable[Iterable[int]]],
    work: Callable[[int], Awaitable[None]],
    pause_seconds: float,
    outage: Outage,
    fault: Outage,
) -> None:
    """Do ``work`` at each site that is ``waiting``, again and again. A site with a ``fault`` does not stop the others."""
    while True:
        try:
            fine = True
            for site_id in await waiting():
                try:
                    await work(site_id)
                except NowServingError:
                    raise
                except Exception as error:
                    fine = False
                    fault.failed(site_id=site_id, exc_info=error)
            if fine:
                fault.ended()
            outage.ended()
        except NowServingError as error:
            outage.failed(error)
        await asyncio.sleep(pause_seconds)


class Peers:
    """The other server processes: whether all of them know the words about waits.

    A server of an earlier version cannot read the event `WaitsExplained`. Once no such server runs, none starts again: such
    a server refuses the newer tables.
    """

    def __init__(self, database: Database, heartbeat_seconds: float) -> None:
        self._database = database
        self._patience = round(PEER_HEARTBEATS * heartbeat_seconds * 1_000_000)
        self._explain = False

    async def explain(self) -> bool:
        """Return whether all running servers know the words about waits. Raises `Unavailable`."""
        if not self._explain:
            now = self._database.clock.now()
            async with self._database.read() as connection:
                reports = await processes.heard(connection, now - self._patience, now + self._patience)
            self._explain = all(each is not None and each.get("explains", False) for each in reports)
        return self._explain


async def _tick(executor: Executor, site_id: int, explain: bool, leave: bool) -> bool:
    """Tick a site; return whether the line goes on, so that the next tick must come at once."""
    command = Tick(site_id=site_id, explain=explain, leave=leave)
    answer = await executor.execute(command, actor="clock", command_id=uuid.uuid4().hex)
    return any(event.get("more", False) for event in answer.body["events"])


async def pass_offers(database: Database, executor: Executor) -> None:
    """Every few seconds, pass on the earlier times that a patient did not answer in time. Of all processes, one succeeds."""
    outage = Outage(logger, "offers not passed on")
    while True:
        try:
            for hold_id in await lapsed_offers(database):
                with suppress(NothingDue):  # another process was first
                    await executor.execute(PassOffer(appointment_id=hold_id), actor="clock", command_id=uuid.uuid4().hex)
            outage.ended()
        except NowServingError as error:
            outage.failed(error)
        await asyncio.sleep(OFFER_SECONDS)


async def keep_figures(what: str, update: Callable[[], Awaitable[None]]) -> None:
    """Every quarter of a minute, ``update`` figures for the metrics. ``what`` is the log line of an unavailable database."""
    outage = Outage(logger, what)
    while True:
        try:
            await update()
            outage.ended()
        except NowServingError as error:
            outage.failed(error)
        await asyncio.sleep(TALLY_SECONDS)


async def watch_certificate(certificate: CertificateFile) -> None:
    """Once a minute, read the certificate of the proxy. The log has a line when it cannot be read."""
    outage = Outage(logger, "the certificate of the proxy could not be read")
    while True:
        found = certificate.look()
        if isinstance(found, str):
            outage.failed(problem=found)
        else:
            outage.ended()
        await asyncio.sleep(CERTIFICATE_SECONDS)


async def rezone_sites(database: Database, executor: Executor) -> None:
    """Once an hour, and at the start, derive the instants of appointments again whose zone data is another version now.

    Of all processes, one succeeds for each site.
    """
    outage = Outage(logger, "appointments not derived again")
    while True:
        try:
            for site_id in await with_outdated_appointments(database):
                with suppress(NothingDue):  # another process was first
                    while True:
                        await executor.execute(Rezone(site_id=site_id), actor="clock", command_id=uuid.uuid4().hex)
            outage.ended()
        except NowServingError as error:
            outage.failed(error)
        await asyncio.sleep(REZONE_SECONDS)


async def keep_checkpoints(database: Database, vault: Vault, process_id: str) -> None:
    """Every few minutes, save the boards of the turns that have none yet, for past screens. One process does it for all."""

    async def is_ours() -> bool:
        return await leases.hold(database, CHECKPOINTS, process_id, CHECKPOINT_LEASE_MICROSECONDS)

    async def waiting() -> list[int]:
        async with database.read() as connection:
            found = await checkpoints.unprepared(connection)
        return found if found and await is_ours() else []

    async def save(site_id: int) -> None:
        if await is_ours():
            await prepare(database, vault, site_id, CHECKPOINT_PAUSE_SECONDS, is_ours)

    await _site_by_site(
        waiting,
        save,
        CHECKPOINT_SECONDS,
        Outage(logger, "checkpoints not saved"),
        Outage(logger, "checkpoint not made"),  # of a log that this version cannot apply
    )


async def keep_daily_sums(database: Database, process_id: str) -> None:
    """Keep the sums of past business days for the reports of managers: at the turn of a day, and all days of the past once.

    Of all processes, one works at a time. It rests between two days for as long as one took.
    """
    done: dict[int, Clinic] = {}
    found: dict[int, Clinic] = {}

    async def waiting() -> list[int]:
        found.clear()
        found.update({each.site_id: each for each in await day_sums.clinics(database) if done.get(each.site_id) != each})
        return list(found) if found and await _has_lease(database, process_id) else []

    async def keep(site_id: int) -> None:
        if await _keep_sums_of(database, process_id, site_id):
            done[site_id] = found[site_id]

    await _site_by_site(
        waiting,
        keep,
        DAILY_SUMS_SECONDS,
        Outage(logger, "past days not counted"),
        Outage(logger, "the past days of a site cannot be counted"),
    )


async def _keep_sums_of(database: Database, process_id: str, site_id: int) -> bool:
    """Count and keep the days of a site, one after the other; return whether none is left.

    It ends before that if another process has the lease.
    """
    for part, day in await day_sums.damaged(database, site_id):
        async with database.write() as connection:
            await daily_sums.remove(connection, site_id, part, day)
    for find in (day_sums.next_kept, message_sums.next_kept):
        began = time.monotonic()
        while (kept := await find(database, site_id)) is not None:
            if not await _has_lease(database, process_id):
                return False
            async with database.write() as connection:
                await daily_sums.save(connection, kept)
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()
    return True


async def _has_lease(database: Database, process_id: str) -> bool:
    return await leases.hold(database, DAILY_SUMS_LEASE, process_id, DAILY_SUMS_LEASE_MICROSECONDS)


async def report_device(executor: Executor, process_id: str, health: Health) -> None:
    """Record a device's health in its site's log. Raises `Unavailable`."""
    command = ReportDevice(
        device_id=health.device_id,
        heard_by=process_id,
        connected=health.connected,
        muted=health.muted,
        version=health.version,
        lag=health.lag,
        printer=health.printer,
    )
    with suppress(NothingChanged, DeviceNotFound):
        await executor.execute(command, actor=health.subject, command_id=uuid.uuid4().hex)


async def find_dark_devices(
    database: Database,
    executor: Executor,
    process_id: str,
    heartbeat_seconds: float,
    report: Callable[[], dict[str, Any]],
    before: Callable[[], Awaitable[None]],
) -> None:
    """At every heartbeat, record that this process is alive, and mark dark the devices that only a dead process served.

    ``report`` returns what the process tells about itself, for the list of the system's state. ``before`` looks at the
    signs of life before this process adds its own.

    A process is dead when it has recorded nothing for three heartbeats. For as long after an operator accepted a step, no
    process is dead: the others may not know it yet. When cancelled, the process records that it stops, and gives up its
    leases: from then on it does not count as running.
    """
    try:
        await _find_dark_devices(database, executor, process_id, heartbeat_seconds, report, before)
    except asyncio.CancelledError:  # after a fault, the process goes on
        with suppress(NowServingError, TimeoutError):  # a dead process is found by its silence
            async with asyncio.timeout(STOP_SECONDS), database.write() as connection:
                await processes.stop(connection, process_id)
                await leases.leave(connection, process_id)
        raise


async def _find_dark_devices(
    database: Database,
    executor: Executor,
    process_id: str,
    heartbeat_seconds: float,
    report: Callable[[], dict[str, Any]],
    before: Callable[[], Awaitable[None]],
) -> None:
    outage = Outage(logger, "dark devices not looked for")
    clock, patience = database.clock, round(3 * heartbeat_seconds * 1_000_000)
    offset, judges_at = clock.offset, 0
    while True:
        try:
            now = await database.now()
            if abs(clock.offset - offset) > TOLERANCE_MICROSECONDS:
                judges_at = clock.steady() + patience
            offset = clock.offset
            await before()
            async with database.write() as connection:
                await processes.live(connection, process_id, now, report())
            async with database.read() as connection:
                judged = clock.steady() >= judges_at
                dead = await processes.dead(connection, now - patience, now + patience) if judged else []
                lost = {each: await processes.devices_of(connection, each) for each in dead}
            for dead_id, subjects in lost.items():
                for subject in subjects:
                    await report_device(executor, dead_id, Health(subject, connected=False))
                async with database.write() as connection:
                    await processes.forget(connection, dead_id)
            outage.ended()
            pause = heartbeat_seconds
        except NowServingError as error:
            outage.failed(error)
            pause = min(heartbeat_seconds, TICK_SECONDS)  # no screen may show an old call for long after an outage
        await asyncio.sleep(pause)


async def forget_old_rows(database: Database) -> None:
    """Once an hour, delete answers of commands that are too old to be repeated, old failed sign-ins and subscriptions."""
    while True:
        try:
            now = await database.now()
            async with database.write() as connection:
                forgotten = await answers.forget(connection, now - ANSWERS_KEPT_MICROSECONDS)
            async with database.write() as connection:
                forgotten += await lockouts.forget(connection, now - lockouts.FORGOTTEN_MICROSECONDS)
            async with database.write() as connection:
                forgotten += await clock_anchors.forget(connection, now)
            async with database.write() as connection:
                forgotten += await push_subscriptions.forget(connection, now)
            async with database.write() as connection:
                forgotten += await report_mails.forget(connection, now)
            async with database.write() as connection:
                forgotten += await circuits.forget(connection, now - CIRCUITS_KEPT_MICROSECONDS)
            logger.debug("old rows forgotten", count=forgotten)
        except NowServingError as error:
            logger.warning("old rows not forgotten", error=repr(error))
        await asyncio.sleep(FORGET_SECONDS)
