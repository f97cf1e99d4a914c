"""The fault day: everything that can fail in a clinic fails once, and people see the effect that operations promise.

    python -m loadtests.fault_day
    python -m loadtests.fault_day --only "redis gone" "nginx killed"

One installation runs on this machine: two servers behind nginx with TLS, a worker, MariaDB and Redis. Rooms and a reception
work, and screens of every kind follow over both transports. Each fault declares its effect for these people, and the day
checks it. After each fault, within a bound:

- every screen equals a fresh snapshot, with heartbeats that agree, and no number went back;
- every answered command is in the log once, with the events of its answer.

At the end the whole log must give the rows, without a gap in its numbers. The day ends with status 1 if anything is not as
declared. Heartbeats come every two seconds here, not every fifteen, so that a dead connection is noticed soon.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import zoneinfo
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pymysql
import tzdata

from loadtests.clinic_day import LIMITED, OK, REFUSED, SILENT, Clinic, NotSeen, until
from loadtests.hospital import SCHEMA, Disk, Hospital, Part, hospital, own_mounts
from tests.support import databases
from tests.support.certificate import certificate
from tests.support.nginx import unverified
from tests.support.plain import PLAIN
from tests.support.processes import program
from tests.support.set_clock import SettableClock
from tests.support.truth import truth_of

HEARTBEAT_SECONDS = 2.0
WITHIN_SECONDS = 60.0  # until every screen is right again, the back-off of screens included
SEEN_SECONDS = 60.0  # until an expected effect shows, on a busy machine
FROZEN_SECONDS = 8.0  # until a process that hangs ends itself
FOUND_AGAIN_SECONDS = 6.0  # nginx asks a server that was away again after five seconds
RUN_IN_SECONDS = 1.0
PAUSE_SECONDS = 0.5  # of the rooms and the reception, on average
HOUR = 3600
OFF_SECONDS = 420  # without power: more than the shortest outage after which staff are asked
FLOODING, SLOW = "127.0.0.9", "127.0.0.8"
FLOODS, FLOOD_REQUESTS = 6, 400


class Day:
    """The clinic on its fault day, and the present fault as people see it."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.hospital = clinic.hospital
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.possible = True
        self.zone, self.later_zone = zone_at_noon(), zone_at_noon(1)
        self._before: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._attempts = 0

    def begin(self) -> None:
        """Begin a fault."""
        self.problems, self.notes, self.possible = [], [], True
        self._before = self.clinic.tally.outcomes.copy()
        self._codes = self.clinic.tally.codes.copy()
        self._attempts = self.clinic.attempts

    @property
    def codes(self) -> Counter[str]:
        """The refusals with 503 since the begin of the fault, by their code."""
        return self.clinic.tally.codes - self._codes

    def count(self, outcome: str) -> int:
        """Return the attempts at commands with this outcome since the begin of the fault."""
        return self.clinic.tally.outcomes[outcome] - self._before[outcome]

    @property
    def reconnected(self) -> int:
        """The connections that screens have tried since the begin of the fault."""
        return self.clinic.attempts - self._attempts

    def expect(self, seen: bool, problem: str) -> None:
        """Note a problem unless ``seen``."""
        if not seen:
            self.problems.append(problem)

    async def see(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until people see an effect. Raises `NotSeen`."""
        await until(reached, what, SEEN_SECONDS)

    async def see_commands(self, count: int = 3) -> None:
        """Wait until ``count`` further commands are answered."""
        wanted = self.count(OK) + count
        await self.see(lambda: self.count(OK) >= wanted, f"{count} answered commands")

    async def see_screens_back(self) -> None:
        """Wait until every screen is live."""
        await self.see(lambda: self.clinic.dark == 0, "live screens")

    def expect_work_goes_on(self) -> None:
        """Expect that no command was refused and no screen lost its stream."""
        self.expect(self.count(REFUSED) + self.count(SILENT) + self.count(LIMITED) == 0, "a command had no answer at first")
        self.expect(self.reconnected == 0, "a screen lost its stream")


@dataclass(frozen=True)
class Fault:
    """A fault: its effect in the words of the people, and the function that causes and ends it."""

    name: str
    effect: str
    cause: Callable[[Day], Awaitable[None]]
    needs: str = ""  # "disk" or "clock"


FAULTS: dict[str, Fault] = {}


def fault(name: str, effect: str, needs: str = "") -> Callable[[Callable[[Day], Awaitable[None]]], None]:
    """Add a function to the faults of the day."""

    def add(cause: Callable[[Day], Awaitable[None]]) -> None:
        FAULTS[name] = Fault(name, effect, cause, needs)

    return add


# The database


@fault(
    "database restarted", "commands get 503 with Retry-After and succeed later; screens keep their streams and their board"
)
async def _(day: Day) -> None:
    await asyncio.to_thread(day.hospital.database.stop)
    try:
        await day.see(lambda: day.count(REFUSED) > 0, "a refused command")
    finally:
        await asyncio.to_thread(day.hospital.database.start)
    await day.see_commands()
    day.expect(day.reconnected == 0, "a screen lost its stream")


@fault("database frozen", "commands wait, then get 503 or are repeated; screens keep their streams and their board")
async def _(day: Day) -> None:
    day.hospital.database.freeze()
    try:
        await day.see(lambda: day.count(REFUSED) + day.count(SILENT) > 0, "a command without success")
    finally:
        day.hospital.database.go_on()
    await day.see_commands()
    day.expect(day.reconnected == 0, "a screen lost its stream")


@fault("database out of connections", "commands get 503 with Retry-After and succeed later; screens keep their streams")
async def _(day: Day) -> None:
    over = threading.Event()
    taking = asyncio.create_task(asyncio.to_thread(_take_all_connections, day.hospital, over))
    try:
        await day.see(lambda: day.count(REFUSED) > 0, "a refused command")
    finally:
        over.set()
        await taking
    await day.see_commands()
    day.expect(day.reconnected == 0, "a screen lost its stream")


def _take_all_connections(hospital: Hospital, over: threading.Event) -> None:
    held: list[pymysql.Connection] = []
    try:
        while not over.wait(0.02):
            try:
                held.append(databases.connect(hospital.root))
            except pymysql.err.OperationalError:
                ours = {each.thread_id() for each in held}
                with held[0].cursor() as cursor:
                    cursor.execute("SELECT id FROM information_schema.processlist WHERE command <> 'Daemon'")
                    for (number,) in cursor.fetchall():
                        if number not in ours:
                            with suppress(pymysql.err.OperationalError):  # it has ended
                                cursor.execute(f"KILL {int(number)}")
    finally:
        for each in held:
            each.close()


@fault(
    "disk full",
    "commands that need space get 503 with Retry-After and succeed later; screens keep their streams",
    needs="disk",
)
async def _(day: Day) -> None:
    disk = day.hospital.disk
    assert isinstance(disk, Disk)
    await asyncio.to_thread(disk.fill)
    try:
        await day.see(lambda: day.count(REFUSED) > 0, "a refused command")
    finally:
        disk.free()
    await day.see_commands()
    day.expect(day.reconnected == 0, "a screen lost its stream")


# Redis


@fault("redis gone", "nothing: commands and screens go on, a change reaches a screen of the other server a second later")
async def _(day: Day) -> None:
    await asyncio.to_thread(day.hospital.redis.kill)
    try:
        await day.see_commands(6)
    finally:
        await asyncio.to_thread(day.hospital.redis.start)
    day.expect_work_goes_on()


@fault("redis flushed", "nothing: commands and screens go on")
async def _(day: Day) -> None:
    for words in (["flushall"], ["client", "kill", "type", "pubsub"]):
        command = [program("redis-cli", "redis-tools"), "-p", str(day.hospital.redis_port), *words]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=60)
    await day.see_commands(6)
    day.expect_work_goes_on()


# nginx


@fault("nginx reloaded", "nothing: screens keep their streams, new connections get the new certificate")
async def _(day: Day) -> None:
    proxy = day.hospital.proxy
    await asyncio.to_thread(certificate, proxy.certificate.parent)
    os.kill(day.hospital.nginx.pid, signal.SIGHUP)
    await _until_certificate(day, proxy.certificate)
    await day.see_commands()
    day.expect_work_goes_on()


@fault("nginx killed", "nobody reaches the clinic; screens keep their board, grey, and come back by themselves")
async def _(day: Day) -> None:
    await asyncio.to_thread(day.hospital.nginx.kill)
    try:
        await day.see(lambda: day.clinic.dark == len(day.clinic.viewers), "only grey screens")
        await day.see(lambda: day.count(SILENT) > 0, "a command without an answer")
    finally:
        await asyncio.to_thread(day.hospital.nginx.start)
    await day.see_screens_back()
    await day.see_commands()


@fault("certificate expired", "open screens go on; browsers refuse every new page until the renewal", needs="")
async def _(day: Day) -> None:
    proxy = day.hospital.proxy
    try:
        await asyncio.to_thread(certificate, proxy.certificate.parent, -3)
        os.kill(day.hospital.nginx.pid, signal.SIGHUP)
        await _until_certificate(day, proxy.certificate)
        day.expect("expired" in await asyncio.to_thread(_verified, proxy.tls_port, proxy.certificate), "no browser refuses")
        await day.see_commands()
    finally:
        await asyncio.to_thread(certificate, proxy.certificate.parent)
        os.kill(day.hospital.nginx.pid, signal.SIGHUP)
    await _until_certificate(day, proxy.certificate)
    verdict = await asyncio.to_thread(_verified, proxy.tls_port, proxy.certificate)
    day.expect(verdict == "", f"a browser refuses the new certificate: {verdict}")
    day.expect_work_goes_on()


async def _until_certificate(day: Day, path: Path) -> None:
    """Wait until new connections get the certificate of this file."""
    end = time.monotonic() + SEEN_SECONDS
    while not await asyncio.to_thread(_gets_certificate, day.hospital.proxy.tls_port, path):
        if time.monotonic() > end:
            raise NotSeen("new connections do not get the new certificate")
        await asyncio.sleep(0.1)


def _gets_certificate(port: int, path: Path) -> bool:
    """Return whether each of three new connections gets the certificate of this file."""
    wanted = ssl.PEM_cert_to_DER_cert(path.read_text())
    for _ in range(3):
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                unverified().wrap_socket(plain) as secured,
            ):
                if secured.getpeercert(binary_form=True) != wanted:
                    return False
        except OSError:
            return False
    return True


def _verified(port: int, path: Path) -> str:
    """Return the verdict of a browser that trusts this issuer: empty, or its error."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=ssl.create_default_context(cafile=path))
    try:
        connection.connect()
    except ssl.SSLError as error:
        return str(error)
    finally:
        connection.close()
    return ""


# Servers and the worker


@fault("server killed", "its screens reconnect to the other server and resume; commands are repeated and done once")
async def _(day: Day) -> None:
    await asyncio.to_thread(day.hospital.servers[0].kill)
    try:
        await day.see(lambda: day.reconnected > 0, "a screen that reconnects")
        await day.see_commands()
        await day.see_screens_back()
    finally:
        await asyncio.to_thread(day.hospital.servers[0].start)


@fault("server frozen", "its screens turn grey; commands that reach it wait; all is right when it goes on")
async def _(day: Day) -> None:
    server = await _busiest(day)
    server.freeze()
    try:
        await day.see(lambda: day.reconnected > 0, "a screen that reconnects")
        await day.see(lambda: day.count(SILENT) > 0, "a command without an answer")
        day.notes.append(f"{day.clinic.dark} screens grey and {day.count(OK)} commands answered meanwhile")
    finally:
        server.go_on()
    await _back(day, server)


@fault("server hangs", "its screens turn grey; its process ends itself, and they reconnect elsewhere")
async def _(day: Day) -> None:
    server = await _busiest(day)
    if not server.hang():
        day.possible = False
        return
    await day.see(lambda: server.has_ended, "the end of a process that hangs")
    await _back(day, server)


async def _busiest(day: Day) -> Part:
    """Return the server with the most streams."""
    counts = []
    async with httpx.AsyncClient(verify=PLAIN, timeout=30) as client:
        for port in day.hospital.server_ports:
            lines = (await client.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
            counts.append(sum(float(each.rpartition(" ")[2]) for each in lines if each.startswith("nowserving_streams{")))
    return day.hospital.servers[counts.index(max(counts))]


async def _back(day: Day, server: Part) -> None:
    """Wait until the clinic works. Start the server again if it has ended or ends now, as its supervisor does."""

    async def supervise() -> None:
        while not server.has_ended:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    supervising = asyncio.create_task(supervise())
    try:
        await asyncio.sleep(RUN_IN_SECONDS)
        await day.see_screens_back()
        await day.see_commands()
    finally:
        if server.has_ended or not server.runs:
            await supervising
        supervising.cancel()


@fault("worker killed", "nothing: messages wait until a worker runs, and none is sent twice")
async def _(day: Day) -> None:
    await asyncio.to_thread(day.hospital.worker.kill)
    await day.see_commands()
    await asyncio.to_thread(day.hospital.worker.start)
    day.expect_work_goes_on()


# The clock and the zones


@fault("clock an hour ahead", "nothing: times stay right, and the administrator gets an alarm", needs="clock")
async def _(day: Day) -> None:
    await _set_clock(day, HOUR)


@fault("clock an hour back", "nothing: times stay right, and the administrator gets an alarm", needs="clock")
async def _(day: Day) -> None:
    await _set_clock(day, -HOUR)


async def _set_clock(day: Day, seconds: int) -> None:
    clock = day.hospital.clock
    assert isinstance(clock, SettableClock)
    clock.set(day.clinic.clock_ahead + seconds)
    try:
        await _until_stepped(day, seconds)
        await day.see_commands()
    finally:
        clock.set(day.clinic.clock_ahead)
    await _until_stepped(day, 0)
    day.expect_work_goes_on()


async def _until_stepped(day: Day, seconds: int) -> None:
    """Wait until every server finds the database's clock set by so many seconds."""
    end = time.monotonic() + SEEN_SECONDS
    async with httpx.AsyncClient(verify=PLAIN, timeout=30) as client:
        for port in day.hospital.server_ports:
            while True:
                lines = (await client.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
                [line] = [each for each in lines if each.startswith("nowserving_clock_step_seconds ")]
                if abs(float(line.partition(" ")[2]) - seconds) < 30:
                    break
                if time.monotonic() > end:
                    raise NotSeen(f"a server does not notice a clock that is {seconds} s off: {line}")
                await asyncio.sleep(0.3)


@fault("zone data changed", "booked times stay as the clock on the wall shows them; all screens agree")
async def _(day: Day) -> None:
    folder = day.hospital.folder / "zones"
    await asyncio.to_thread(_other_zone_data, folder, day.zone, day.later_zone)
    for index, part in enumerate(day.hospital.servers):
        day.hospital.more[index]["PYTHONPATH"] = str(folder)
        await asyncio.to_thread(part.stop)
        await asyncio.to_thread(part.start)
        await asyncio.sleep(FOUND_AGAIN_SECONDS)
        await day.see_commands()
    _use_zone_data(folder)  # the reference of the screens
    await day.see(lambda: _shown_starts(day) == {"10:00"}, "appointments at ten")


def _other_zone_data(folder: Path, zone: str, other: str) -> None:
    """Make a release of the zone data in which ``zone`` has the rules of the ``other`` one."""
    found = Path(tzdata.__file__).parent
    shutil.copytree(found, folder / "tzdata")
    zones = folder / "tzdata" / "zoneinfo"
    shutil.copy(zones / other, zones / zone)
    for about in (folder / "tzdata/__init__.py", zones / "tzdata.zi"):
        about.write_text(about.read_text().replace(tzdata.IANA_VERSION, "2099a", 1))


def _use_zone_data(folder: Path) -> None:
    """Let this process use other zone data, like a server that starts."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "tzdata"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    zoneinfo.ZoneInfo.clear_cache()
    for name, module in list(sys.modules.items()):
        if name.startswith("server.domain"):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()


def _shown_starts(day: Day) -> set[str]:
    """Return the times of day at which the screens show the appointment."""
    cells = [
        cell for viewer in day.clinic.viewers for key, cell in viewer.shown.cells.items() if key.startswith("appointment")
    ]
    return {cell["local_start"][-5:] for cell in cells if "local_start" in cell}


# Strangers, slow clients, and the power


@fault("flood", "nothing: the flooding address gets 429, the staff go on")
async def _(day: Day) -> None:
    flooding = [asyncio.to_thread(_flood, day.hospital.proxy.tls_port) for _ in range(FLOODS)]
    statuses: Counter[int] = Counter()
    for found in await asyncio.gather(*flooding):
        statuses += found
    await day.see_commands()
    day.expect(statuses[429] > statuses.total() // 4, f"the flood was answered {dict(statuses)}")
    day.notes.append(f"{statuses[429]} of {statuses.total()} requests of the flood got 429")
    day.expect_work_goes_on()


def _flood(port: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=60, context=unverified(), source_address=(FLOODING, 0)
    )
    for _ in range(FLOOD_REQUESTS):
        try:
            connection.request("GET", "/api/v1/sites")
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        except (OSError, http.client.HTTPException):
            statuses[0] += 1
            connection.close()
    connection.close()
    return statuses


@fault(
    "slow readers and writers", "a stalled screen is right as soon as it reads; slow senders are cut; nobody else notices"
)
async def _(day: Day) -> None:
    stalled = list(day.clinic.viewers)[::3]
    writing = [asyncio.create_task(_write_slowly(day.hospital.proxy.tls_port)) for _ in range(20)]
    for viewer in stalled:
        viewer.stall()
    try:
        await day.see_commands(8)
        await day.see(lambda: all(each.done() for each in writing), "the end of the slow requests")
        grey = [each for each in day.clinic.viewers if each not in stalled and not each.live]
        day.expect(not grey, f"{len(grey)} other screens lost their streams")
    finally:
        for viewer in stalled:
            viewer.go_on()
        for each in writing:
            each.cancel()
    day.expect(day.count(REFUSED) + day.count(SILENT) == 0, "a command had no answer at first")


async def _write_slowly(port: int) -> None:
    """Send the head of a request byte by byte, until nginx cuts the connection."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=unverified(), server_hostname="", local_addr=(SLOW, 0)
        )
        reading = asyncio.create_task(reader.read())
        try:
            writer.write(b"POST /api/v1/commands/issue-ticket HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            while not reading.done():
                writer.write(b"a")
                await asyncio.sleep(0.5)
        finally:
            reading.cancel()
            writer.transport.abort()


@fault(
    "power loss",
    "everything is dark; after the cold start all screens come back, no answered command is lost, and calls from before "
    "it ask the staff",
    needs="clock",
)
async def _(day: Day) -> None:
    clock, clinic = day.hospital.clock, day.clinic
    assert isinstance(clock, SettableClock)
    await _pause_with_a_patient(day)
    for part in day.hospital.parts:
        part.cut()
    for part in day.hospital.parts:
        await asyncio.to_thread(part.kill)
    clinic.flowing.set()
    await day.see(lambda: clinic.dark == len(clinic.viewers), "only grey screens")
    await day.see(lambda: day.count(SILENT) > 0, "a command without an answer")
    clinic.clock_ahead += OFF_SECONDS
    clock.set(clinic.clock_ahead)
    guests: set[int] = set()
    for part in day.hospital.parts:
        await asyncio.to_thread(part.start)
        if part is day.hospital.database:
            guests = await asyncio.to_thread(_begin_another_boot, day.hospital)
    await day.see_screens_back()
    await day.see_commands()
    asked = await asyncio.to_thread(_asked_about, day.hospital)
    day.expect(bool(guests) and guests <= asked, f"staff were not asked about {guests - asked or 'anybody'}")
    day.notes.append(f"staff were asked about the {len(guests)} patients at the points")


async def _pause_with_a_patient(day: Day) -> None:
    """Let the people pause while a patient is called or in service."""
    end = time.monotonic() + SEEN_SECONDS
    while True:
        day.clinic.flowing.clear()
        await day.clinic.until_answered()
        if await asyncio.to_thread(_guests, day.hospital):
            return
        if time.monotonic() > end:
            raise NotSeen("a patient at a point")
        day.clinic.flowing.set()
        await day.see_commands(1)


def _guests(hospital: Hospital) -> set[int]:
    """Return the entries that are called or in service."""
    return _ids(hospital, "SELECT id FROM entries WHERE busy_point_id IS NOT NULL")


def _begin_another_boot(hospital: Hospital) -> set[int]:
    """Let the machines have no kept offset of their clocks, as after a boot. Return the entries that are at the points."""
    with databases.connect(hospital.root) as connection, connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SCHEMA}.clock_anchors")  # nosec B608 - a constant
        connection.commit()
    return _guests(hospital)


def _asked_about(hospital: Hospital) -> set[int]:
    """Return the entries about which staff were asked whether they are still valid."""
    return _ids(hospital, "SELECT entry_id FROM events WHERE type = 'entry-doubted'")


def _ids(hospital: Hospital, statement: str) -> set[int]:
    with databases.connect(hospital.root) as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {SCHEMA}")
        cursor.execute(statement)
        return {int(row[0]) for row in cursor.fetchall()}


def zone_at_noon(later: int = 0) -> str:
    """Return a zone in which it is about noon now, or so many hours ``later``: no business day begins meanwhile."""
    hours = 12 + later - time.gmtime().tm_hour  # of this zone, ahead of UTC; the names of these zones have the other sign
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"


# The day


@dataclass
class Row:
    """The line of one fault in the table."""

    name: str
    seconds: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    reconnected: int = 0
    screens: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tried: bool = True


async def day_of(running: Hospital, names: Sequence[str], chance: random.Random, say: Callable[[str], None]) -> list[Row]:
    """Let the faults happen one after the other; return their rows, and a last one about the whole log."""
    clinic = Clinic(running, chance, heartbeat_seconds=HEARTBEAT_SECONDS)
    day = Day(clinic)
    rows: list[Row] = []
    async with clinic.opened():
        await clinic.do("change-site", role="admin", site_id=clinic.site_id, time_zone=day.zone, message_ways=["sms"])
        clinic.flowing.set()
        people = [asyncio.create_task(clinic.room(each, PAUSE_SECONDS)) for each in running.seeded["point_ids"]]
        people.append(asyncio.create_task(clinic.reception(PAUSE_SECONDS)))
        try:
            await until(lambda: len(clinic.tickets) >= 2, "tickets", SEEN_SECONDS)
            await clinic.open_usual_screens()
            await until(lambda: clinic.dark == 0, "live screens", SEEN_SECONDS)
            for name in names:
                rows.append(await _one(day, FAULTS[name], people))
                say(_line(rows[-1]))
        finally:
            for task in people:
                task.cancel()
            await asyncio.gather(*people, return_exceptions=True)
    rows.append(await _whole_log(running))
    return rows


async def _one(day: Day, each: Fault, people: Sequence[asyncio.Task[None]]) -> Row:
    row = Row(each.name)
    if (each.needs == "disk" and day.hospital.disk is None) or (each.needs == "clock" and day.hospital.clock is None):
        row.tried = False
        return row
    clinic = day.clinic
    clinic.flowing.set()
    await asyncio.sleep(RUN_IN_SECONDS)
    day.begin()
    first = len(clinic.sent)
    try:
        await each.cause(day)
    except (NotSeen, AssertionError, httpx.HTTPError) as problem:
        day.problems.append(repr(problem))
    ended = time.monotonic()
    row.reconnected, row.screens = day.reconnected, len(clinic.viewers)
    try:
        row.seconds, wrong = await clinic.settle(ended, WITHIN_SECONDS)
        row.problems += [f"not right within {WITHIN_SECONDS:.0f} s: {text}" for text in wrong]
        lost = await clinic.lost_commands(first)
        row.lost = len(lost)
        row.problems += lost
    except NotSeen as problem:
        row.problems.append(str(problem))
    row.outcomes = {name: day.count(name) for name in (OK, REFUSED, LIMITED, SILENT)}
    row.problems += [*day.problems, *clinic.broken_laws(), *clinic.tally.wrongs]
    row.notes, row.tried = day.notes, day.possible
    if day.codes:
        row.notes.append("503: " + ", ".join(f"{code} {count}" for code, count in day.codes.items()))
    clinic.tally.wrongs.clear()
    for task in people:
        if task.done():
            task.result()
    await clinic.renew_phones()
    return row


async def _whole_log(running: Hospital) -> Row:
    """Follow the whole log of the day, and look at the messages that were sent."""
    row = Row("the whole log")
    try:
        truth = await truth_of(running.database_url, running.seeded["site_id"])
        row.notes.append(f"{len(truth.recorded)} events without a gap give the rows")
    except AssertionError as problem:
        row.problems.append(str(problem))
    sent = await asyncio.to_thread(_sent_messages, Path(running.env["NOWSERVING_RECORDING_PATH"]))
    row.problems += [f"the message {key} was sent {times} times" for key, times in sent.items() if times > 1]
    row.notes.append(f"{len(sent)} different messages")
    return row


def _sent_messages(record: Path) -> Counter[str]:
    return Counter(json.loads(line)["key"] for line in record.read_text().splitlines()) if record.exists() else Counter()


HEAD = (
    f"{'fault':28}{'right after':>12}{'answered':>10}{'503':>6}{'429':>6}{'silent':>8}{'lost':>6}{'reconnects':>12}  verdict"
)


def _line(row: Row) -> str:
    if not row.tried:
        return f"{row.name:28}{'':60}  not tried: this machine does not allow it"
    seconds = f"{row.seconds:10.1f} s" if row.seconds is not None else f"{'-':>12}"
    counts = row.outcomes
    cells = "".join(f"{counts.get(name, 0):>{width}}" for name, width in ((OK, 10), (REFUSED, 6), (LIMITED, 6), (SILENT, 8)))
    cells += f"{row.lost:>6}"
    text = f"{row.name:28}{seconds}{cells}{row.reconnected:>9}/{row.screens:<2}  {'FAIL' if row.problems else 'pass'}"
    return "\n".join(
        [text, *(f"    note: {each}" for each in row.notes), *(f"    WRONG: {each}" for each in row.problems[:12])]
    )


def main() -> int:
    """Run the day; print its table; return 1 if anything was not as declared."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.fault_day", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(FAULTS), default=list(FAULTS), metavar="FAULT", help=", ".join(FAULTS)
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names: list[str] = arguments.only
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # leaves all contexts, which stops the started processes
    mounts = any(FAULTS[each].needs == "disk" for each in names) and own_mounts()
    clock = any(FAULTS[each].needs == "clock" for each in names)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-day-") as name:
        folder = Path(name)
        settings = {
            "NOWSERVING_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "NOWSERVING_RATE_LIMITS": "on",
            "NOWSERVING_LIMIT_STAFF": "1000000",  # three people do the work of many
            "NOWSERVING_RECORDING_PATH": str(folder / "sent.jsonl"),
            "NOWSERVING_FROZEN_SECONDS": str(FROZEN_SECONDS),
            "NOWSERVING_DRAIN_DELAY_SECONDS": "1",
        }
        with hospital(folder, mounts=mounts, clock=clock, settings=settings) as running:
            print(f"installed after {time.monotonic() - began:.0f} s\n{HEAD}", flush=True)
            rows = asyncio.run(day_of(running, names, random.Random(arguments.seed), lambda text: print(text, flush=True)))
            print(_line(rows[-1]))
            # Celery logs each loss of Redis with a traceback, so its log does not count.
            tracebacks = [log.name for log in sorted(folder.glob("server-*.log")) if "Traceback" in log.read_text()]
    failed = [row.name for row in rows if row.problems] + [f"{each} has a traceback" for each in tracebacks]
    print("\nthe effect that people see")
    for row in rows:
        if row.name in FAULTS:
            print(f"  {row.name}: {FAULTS[row.name].effect}")
    print(f"\n{len(rows) - 1} faults in {time.monotonic() - began:.0f} s; load of the machine {os.getloadavg()[0]:.0f}")
    print(f"FAILED: {', '.join(failed)}" if failed else "all as declared")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
