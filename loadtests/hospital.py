"""One installation as in production, on this machine: nginx with TLS, two servers, a worker, MariaDB and Redis.

Each part can be stopped, killed, frozen and started again. `own_mounts` gives the database a small disk of its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import URL, make_url

from server.seeding import Seed
from server.store.database import Database
from tests.support import databases
from tests.support.nginx import Proxy, nginx
from tests.support.processes import Process, free_port, listens, running, wait_until
from tests.support.redis import redis_process
from tests.support.server import environment, seed, serving
from tests.support.set_clock import SettableClock, note_this_boot

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
DISK_MEGABYTES = 320
MOST_CONNECTIONS = 60
SCHEMA = "nowserving"
# Few sessions do the work of many: nginx would take them for a flood.
EDITS = {"rate=100r/m": "rate=60000r/m", "worker_processes auto;": "worker_processes 2;"}


class Part:
    """A program of the installation, with its children. ``run`` starts it, and yields its process when it is ready."""

    def __init__(self, run: Callable[[], AbstractContextManager[Process]]) -> None:
        self._run = run
        self._stack = ExitStack()
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None, "it runs"
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def runs(self) -> bool:
        """Whether it has been started, and neither stopped nor killed."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._process = self._stack.enter_context(self._run())

    def stop(self) -> None:
        """Stop it as an operator does."""
        self.go_on()
        self._process = None
        self._stack.close()

    def kill(self) -> None:
        """Kill it and its children, without a goodbye."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(60)
        self._process = None
        self._stack.close()

    def cut(self) -> None:
        """Kill it and its children as a power loss does, without waiting for the end: `kill` does this afterwards."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Freeze it: its connections stay open, and it answers nothing."""
        self._signal(signal.SIGSTOP)

    def hang(self) -> bool:
        """Stop the first thread of the process alone, as an endless loop does. Only `kill` and its own end are left.

        To be called in the main thread, which then traces the process. Returns False if this machine forbids it.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(PTRACE_SEIZE, self.pid, None, None) != 0:
            return False
        libc.ptrace(PTRACE_INTERRUPT, self.pid, None, None)
        os.waitpid(self.pid, 0)  # the stop: to `subprocess` it would look like an end
        return True

    def go_on(self) -> None:
        """Let it continue."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


@dataclass(frozen=True)
class Disk:
    """The disk of the database."""

    folder: Path

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self) -> None:
        """Write until nothing fits."""
        with suppress(OSError), self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


@dataclass
class Hospital:
    """The running installation."""

    env: dict[str, str]
    database_url: str
    seeded: Seed
    proxy: Proxy
    database: Part
    redis: Part
    servers: list[Part]
    server_ports: list[int]
    worker: Part
    nginx: Part
    redis_port: int
    folder: Path
    disk: Disk | None  # None: this user may not mount one
    clock: SettableClock | None
    more: list[dict[str, str]]  # variables of the next process of each server

    @property
    def root(self) -> URL:
        """The account of MariaDB that may do everything."""
        return make_url(self.database_url)

    @property
    def parts(self) -> list[Part]:
        """All parts, in the order in which they start."""
        return [self.database, self.redis, *self.servers, self.worker, self.nginx]


def own_mounts() -> bool:
    """Let this process and its children mount disks that nobody else sees, and that end with them.

    To be called before the first thread starts. Returns False if this user or this machine cannot do it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS | (0 if user == 0 else CLONE_NEWUSER)) != 0:
        return False
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return _mounts("--make-rprivate", "/")


@contextmanager
def hospital(
    folder: Path,
    *,
    mounts: bool = False,
    clock: bool = False,
    points: int = 2,
    tickets: int = 12,
    displays: int = 2,
    servers: int = 2,
    settings: Mapping[str, str] = databases.NOTHING,
) -> Iterator[Hospital]:
    """Run an installation with a seeded site. ``settings`` are environment of the servers and the worker.

    With ``mounts`` (see `own_mounts`) the database has a disk of its own. With ``clock`` the database, the servers and the
    worker have a clock that can be set.
    """
    for each in ("mariadb", "redis", "nginx"):
        (folder / each).mkdir()
    settable = SettableClock(folder) if clock else None
    variables = settable.variables if settable is not None else {}
    redis_port, ports = free_port(), [free_port() for _ in range(servers)]
    with ExitStack() as stack:
        disk = stack.enter_context(_disk(folder / "mariadb")) if mounts else None
        database, root = _database(folder / "mariadb", variables)
        stack.callback(database.stop)
        database.start()
        with databases.connect(root) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {SCHEMA}")
        url = root.set(database=SCHEMA).render_as_string(hide_password=False)
        redis = Part(partial(redis_process, folder / "redis", redis_port))
        stack.callback(redis.stop)
        redis.start()
        proxy = stack.enter_context(nginx(folder / "nginx", ports, edits=EDITS))
        env = environment(
            url,
            f"redis://127.0.0.1:{redis_port}/0",
            NOWSERVING_PUBLIC_URL=proxy.tls_url,
            NOWSERVING_CERTIFICATE=str(proxy.certificate),
            NOWSERVING_LOG_LEVEL="warning",
            **dict(settings),
        )
        seeded = seed(env, points=points, tickets=tickets, displays=displays, providers=1)
        if clock:
            asyncio.run(_note_this_boot(url))
        more: list[dict[str, str]] = [{} for _ in ports]
        made = Hospital(
            env | variables,
            url,
            seeded,
            proxy,
            database,
            redis,
            [Part(partial(_server, env | variables, folder, port, more[index])) for index, port in enumerate(ports)],
            ports,
            Part(partial(_worker, env | variables, folder)),
            Part(partial(_proxy, proxy, [proxy.process])),
            redis_port,
            folder,
            disk,
            settable,
            more,
        )
        for part in (*made.servers, made.worker, made.nginx):
            stack.callback(part.stop)
            part.start()
        yield made


def _database(folder: Path, variables: Mapping[str, str]) -> tuple[Part, URL]:
    port = free_port()
    databases.install_mariadb(folder)
    options = (
        "--innodb-flush-log-at-trx-commit=1",  # the last option counts: a power loss is part of the day
        "--innodb-log-file-size=8M",
        f"--max-connections={MOST_CONNECTIONS}",
    )
    part = Part(partial(databases.mariadb_process, folder, port, *options, variables=variables))
    return part, URL.create("mysql+aiomysql", "root", "", "127.0.0.1", port)


async def _note_this_boot(url: str) -> None:
    database = Database(url)
    try:
        await note_this_boot(database)
    finally:
        await database.close()


@contextmanager
def _server(env: Mapping[str, str], folder: Path, port: int, more: Mapping[str, str]) -> Iterator[Process]:
    with serving({**env, **more}, folder, port=port) as server:
        yield server.process


@contextmanager
def _worker(env: Mapping[str, str], folder: Path) -> Iterator[Process]:
    command = [sys.executable, "-m", "server.cli", "worker", "--concurrency", "1"]
    with running(command, folder / "worker.log", dict(env)) as process:
        yield process


@contextmanager
def _proxy(proxy: Proxy, first: list[Process]) -> Iterator[Process]:
    """Take over the nginx that already runs; later start others with its command."""
    if first:
        yield first.pop()
        return
    with running(list(map(str, proxy.process.args)), proxy.state.parent / "nginx.log") as process:  # type: ignore[arg-type]
        wait_until(lambda: listens(proxy.port), "nginx", process)
        yield process


@contextmanager
def _disk(folder: Path) -> Iterator[Disk | None]:
    if not _mounts("-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)):
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _mounts(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
