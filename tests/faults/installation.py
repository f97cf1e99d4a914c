"""The installation under stress: server processes, a Redis, and proxies between them. Each part can fail alone."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
from sqlalchemy import URL

from tests.support import databases, template
from tests.support.black_hole import BlackHole
from tests.support.lan import Lan, NoNamespace, lan
from tests.support.lossy_proxy import LossyProxy, lossy_proxy
from tests.support.plain import PLAIN
from tests.support.processes import Process, end, free_port, program
from tests.support.redis import redis_process
from tests.support.server import environment
from tests.support.set_clock import SettableClock
from tests.support.unruly_redis import UnrulyRedis
from tests.support.viewer import SMALL_BUFFER

HEARTBEAT_SECONDS = 1.0
STALLED_SECONDS = 1.5  # less than two heartbeats, after which the kernel gives up a peer that reads nothing
START_SECONDS = 60.0
DRAIN_SECONDS = 10.0


@contextmanager
def database_server(folder: Path) -> Iterator[tuple[URL, SettableClock | None]]:
    """Yield a private MariaDB and its clock, or the server that the environment names, whose clock nobody sets."""
    named = databases.named_server()
    if named is not None:
        yield named, None
        return
    clock = SettableClock(folder)
    with databases.mariadb(folder, variables=clock.variables) as url:
        yield url, clock


class Node:
    """A server with a fixed port. Its process can be replaced."""

    def __init__(self, index: int, env: dict[str, str], host: str, folder: Path) -> None:
        self.index = index
        self.host = host
        self.port = free_port()
        self.log = folder / f"node{index}.log"
        self._env = env
        self.process: Process | None = None

    @property
    def address(self) -> str:
        """The host and port of the server."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Start a process, without waiting until it is ready."""
        arguments = ["serve", "--host", self.host, "--port", str(self.port)]
        if template.usable(arguments, self._env):
            self.process = template.start(arguments, self.log, self._env)
            return
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server.cli", *arguments],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def until_ready(self) -> None:
        """Wait until the server reports that it is ready."""
        async with httpx.AsyncClient(verify=PLAIN) as client, asyncio.timeout(START_SECONDS):
            while True:
                assert self.process is not None
                if self.process.poll() is not None:
                    raise AssertionError(f"{self.log.name} ended\n{self.log.read_text()[-3000:]}")
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self.url}/health/ready", timeout=5)).status_code == 200:
                        return
                await asyncio.sleep(0.1)

    async def metrics(self) -> list[str]:
        """Return the lines of the server's metrics."""
        async with httpx.AsyncClient(verify=PLAIN) as client:
            # In a network namespace of its own, the server is on another machine: metrics need the token.
            answer = await client.get(
                f"{self.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}, timeout=30
            )
        return answer.raise_for_status().text.splitlines()

    async def paused(self) -> int:
        """Return the number of stalled readers: the paused streams, and the streams that the server has cut as slow."""
        lines = await self.metrics()
        slow = [line for line in lines if line.startswith("nowserving_streams_closed_total") and 'reason="slow"' in line]
        paused = [line for line in lines if line.startswith("nowserving_streams_paused")]
        return round(sum(float(line.rpartition(" ")[2]) for line in (*slow, *paused)))

    async def clock_step(self) -> float:
        """Return by how many seconds the server finds the database's clock set."""
        [line] = [line for line in await self.metrics() if line.startswith("nowserving_clock_step_seconds ")]
        return float(line.partition(" ")[2])

    def kill(self) -> None:
        """Kill the process."""
        assert self.process is not None
        self.process.kill()

    async def gone(self, seconds: float = DRAIN_SECONDS) -> int:
        """Wait until the process has ended; return its exit status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, seconds)

    def stop(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            end(self.process)


class Redis:
    """A Redis with a fixed port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start the Redis."""
        self._process = self._stack.enter_context(redis_process(self._folder, self.port))

    def stop(self) -> None:
        """Stop the Redis. It loses its data."""
        with suppress(ProcessLookupError):
            self.go_on()
        self._stack.close()

    def freeze(self) -> None:
        """Freeze the Redis: its connections stay open, and it answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the frozen Redis continue."""
        self._process.send_signal(signal.SIGCONT)

    def kill_clients(self) -> None:
        """Close every connection to the Redis."""
        for kind in ("pubsub", "normal"):
            command = [program("redis-cli", "redis-tools"), "-p", str(self.port), "client", "kill", "type", kind]
            subprocess.run(command, check=True, capture_output=True, timeout=10)


class Installation:
    """The servers, the Redis, and the proxies between them."""

    def __init__(
        self,
        nodes: list[Node],
        redis: Redis,
        hints: UnrulyRedis,
        commits: LossyProxy,
        cable: Lan | None,
        clock: SettableClock | None,
    ) -> None:
        self.nodes = nodes
        self.clock = clock
        self.redis = redis
        self.hints = hints
        self.commits = commits
        self.cable = cable
        self.holes: list[BlackHole] = []

    async def start(self) -> None:
        """Start every server, and wait until all are ready."""
        if self.cable is None:
            for node in self.nodes:
                self.holes.append(BlackHole(node.port))
                await self.holes[-1].start()
        for node in self.nodes:
            node.start()
        await asyncio.gather(*(node.until_ready() for node in self.nodes))

    async def stop(self) -> None:
        """Stop every server."""
        await asyncio.gather(*(asyncio.to_thread(node.stop) for node in self.nodes))
        for hole in self.holes:
            await hole.stop()

    # Connections of screens

    async def connect(self, node: Node, *, far: bool = False) -> tuple[socket.socket, str]:
        """Return a connection to a server, and the server's address. ``far`` connections can be cut."""
        port = node.port
        if far and self.cable is not None:
            made = self.cable.socket()
        else:
            made = socket.socket()
            port = self.holes[node.index].port if far else port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, (node.host, port))
        except BaseException:
            made.close()
            raise
        return made, node.address

    def cut(self) -> None:
        """Cut the far screens off silently: packets get lost, and no connection ends."""
        if self.cable is not None:
            self.cable.cut()
        for hole in self.holes:
            hole.cut()

    def mend(self) -> None:
        """Deliver the packets of far screens again."""
        if self.cable is not None:
            self.cable.mend()
        for hole in self.holes:
            hole.mend()


METRICS_TOKEN = "token of the metrics, for tests alone"


@asynccontextmanager
async def installation(
    database_url: str, folder: Path, servers: int, chance: random.Random, clock: SettableClock | None
) -> AsyncIterator[Installation]:
    """Run an installation on a migrated database of the MySQL family; yield it when its servers are ready.

    ``clock`` is the clock of the database, and becomes the clock of the last server.
    """
    with ExitStack() as stack:
        cable: Lan | None = None
        with suppress(NoNamespace):
            cable = stack.enter_context(lan())
        commits = stack.enter_context(lossy_proxy(database_url))
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.stop)
        hints = UnrulyRedis(redis.port, chance)
        await hints.start()
        nodes: list[Node] = []
        for index in range(servers):
            env = environment(
                commits.url if index == 0 else database_url,
                f"redis://127.0.0.1:{hints.port}/0",
                NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS),
                NOWSERVING_STALLED_SECONDS=str(STALLED_SECONDS),
                NOWSERVING_DRAIN_DELAY_SECONDS="0.2",
                NOWSERVING_MAX_STREAMS_PER_TOKEN="500",
                NOWSERVING_LOG_LEVEL="warning",
                NOWSERVING_METRICS_TOKEN=METRICS_TOKEN,
            )
            if clock is not None and index == servers - 1:
                env |= clock.variables
            nodes.append(Node(index, env, cable.host if cable else "127.0.0.1", folder))
        made = Installation(nodes, redis, hints, commits, cable, clock)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()
            await hints.stop()
