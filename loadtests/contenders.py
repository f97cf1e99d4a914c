"""The contenders of the benches: each starts a real server, makes requests to follow it, and publishes an event."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal, Protocol

from websockets.sync.client import connect as connect_websocket

from server.seeding import Seed
from tests.support.processes import free_port, listens, program, running, wait_until
from tests.support.redis import redis
from tests.support.server import Server, environment, seed, serving

Transport = Literal["events", "websocket"]
RIVALS = Path(__file__).parent / "rivals"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE += "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"
MANY = {
    "NOWSERVING_MAX_STREAMS": "100000",
    "NOWSERVING_MAX_STREAMS_PER_ADDRESS": "100000",
    "NOWSERVING_MAX_STREAMS_PER_TOKEN": "100000",
    "NOWSERVING_HEARTBEAT_SECONDS": "300",
    "NOWSERVING_LOG_LEVEL": "warning",
}


class Contender(Protocol):
    """A running server with followers."""

    port: int
    pid: int
    marker: bytes
    ready: bytes
    publisher: int | None  # the process that publishes, if it is another one

    def request(self, index: int) -> bytes:
        """Return the request of the subscriber with this number."""

    def publish(self) -> None:
        """Send one event to every subscriber."""


def get(path: str, port: int, transport: Transport, token: str | None = None) -> bytes:
    """Return the bytes of a request to follow."""
    more = UPGRADE if transport == "websocket" else "Accept: text/event-stream\r\n"
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}{more}\r\n".encode()


class Caller:
    """A member of staff with a persistent connection."""

    def __init__(self, server: Server, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def do(self, command: str, **body: Any) -> dict[str, Any]:
        """Run a command; return its answer, which must be 200."""
        headers = self._headers | {"Idempotency-Key": uuid.uuid4().hex}
        self._connection.request("POST", f"/api/v1/commands/{command}", json.dumps(body), headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{command}: {answer}")
        return answer


@dataclass
class Ours:
    """Our server: one process has the screens and another runs the commands, so that the bench measures only fan-out."""

    port: int
    pid: int
    seeded: Seed
    caller: Caller
    transport: Transport
    screens: Server
    publisher: int | None
    marker: bytes = b""
    ready: bytes = b'"cells":{'
    _entry: int | None = None

    def __post_init__(self) -> None:
        self.marker = b"event: change" if self.transport == "events" else b'"type":"change"'

    def request(self, index: int) -> bytes:
        display = self.seeded["displays"][0]
        return get(f"/live/displays/{display['id']}", self.port, self.transport, display["token"])

    def publish(self) -> None:
        """Recall the called patient: two cells of the display change."""
        if self._entry is None:
            self._entry = int(self.caller.do("call-next", point_id=self.seeded["point_ids"][0])["entry"]["id"])
        else:
            self.caller.do("recall", entry_id=self._entry)


@dataclass(frozen=True)
class Clinic:
    """A filled site in a closed database; each run gets a copy."""

    database: Path
    seeded: Seed


def clinic(folder: Path, tickets: int = 3) -> Clinic:
    """Return a filled site; thousands of tickets take minutes."""
    database = folder / "clinic.db"
    return Clinic(database, seed(environment(f"sqlite+aiosqlite:///{database}"), points=1, tickets=tickets, displays=1))


@contextmanager
def ours(folder: Path, transport: Transport, of: Clinic | None = None, **more: str) -> Iterator[Ours]:
    """Run two of our processes on one database and one Redis."""
    with ExitStack() as stack:
        of = of or clinic(folder)
        shutil.copy(of.database, folder / "x.db")
        url = stack.enter_context(redis(folder))
        env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", url) | MANY | more
        seeded = of.seeded
        screens = stack.enter_context(serving(env, folder, name="screens"))
        commands = stack.enter_context(serving(env, folder, name="commands"))
        caller = Caller(commands, commands.sign_in(seeded, "receptionist"))
        yield Ours(screens.port, screens.process.pid, seeded, caller, transport, screens, commands.process.pid)


@dataclass
class Rival:
    """The server of another project, or the floor."""

    port: int
    pid: int
    payload: bytes
    transport: Transport
    ready: bytes
    how: Literal["post", "raw", "websocket"]
    marker: bytes = b'"seq":'
    publisher: int | None = None

    def request(self, index: int) -> bytes:
        return get("/follow", self.port, self.transport)

    def publish(self) -> None:
        if self.how == "raw":
            with socket.create_connection(("127.0.0.1", self.port)) as peer:
                peer.sendall(b"PUB" + self.payload)
                peer.shutdown(socket.SHUT_WR)
                peer.recv(1)
        elif self.how == "post":
            connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request("POST", "/publish", self.payload, {"Content-Type": "text/plain"})
            connection.getresponse().read()
            connection.close()
        else:
            with connect_websocket(f"ws://127.0.0.1:{self.port}/publish", compression=None) as peer:
                peer.send(self.payload.decode())
                peer.recv(30)


@contextmanager
def _started(command: list[str], folder: Path, port: int) -> Iterator[int]:
    with running(command, folder / "rival.log") as process:
        wait_until(lambda: listens(port), command[0], process)
        yield process.pid


@contextmanager
def plain_events(folder: Path, payload: bytes) -> Iterator[Rival]:
    """Run an sse-starlette endpoint."""
    port = free_port()
    with _started([sys.executable, str(RIVALS / "events.py"), str(port)], folder, port) as pid:
        yield Rival(port, pid, payload, "events", b"data: ready", "post")


@contextmanager
def bare(folder: Path, size: int, transport: Transport) -> Iterator[Rival]:
    """Run a bare Starlette endpoint, which sends one message of ``size`` bytes to each follower."""
    port = free_port()
    with _started([sys.executable, str(RIVALS / "bare.py"), str(port), str(size)], folder, port) as pid:
        yield Rival(port, pid, b"", transport, b'"cells":{', "post")


@contextmanager
def broadcast(folder: Path, payload: bytes) -> Iterator[Rival]:
    """Run the broadcast server of the websockets library."""
    port = free_port()
    with _started([sys.executable, str(RIVALS / "broadcast.py"), str(port)], folder, port) as pid:
        yield Rival(port, pid, payload, "websocket", b"ready", "websocket")


@contextmanager
def nchan(folder: Path, payload: bytes, transport: Transport) -> Iterator[Rival]:
    """Run nginx with Debian's Nchan."""
    port = free_port()
    text = (RIVALS / "nchan.conf").read_text().replace("@folder@", str(folder)).replace("@port@", str(port))
    (folder / "nchan.conf").write_text(text)
    folder.chmod(0o755)
    with _started([program("nginx", "nginx"), "-c", str(folder / "nchan.conf"), "-p", str(folder)], folder, port) as master:
        children = Path(f"/proc/{master}/task/{master}/children")
        wait_until(lambda: bool(children.read_text().split()), "nginx's worker")
        worker = int(children.read_text().split()[0])
        yield Rival(port, worker, payload, transport, b": hi" if transport == "events" else b"101 Switching", "post")


@contextmanager
def floor(folder: Path, framed: bytes) -> Iterator[Rival]:
    """Compile the C loop and run it. ``framed`` is the message on the wire, with its framing."""
    compiler = shutil.which("cc") or program("gcc", "gcc")
    subprocess.run([compiler, "-O2", "-o", str(folder / "floor"), str(RIVALS / "floor.c")], check=True)
    port = free_port()
    with _started([str(folder / "floor"), str(port)], folder, port) as pid:
        yield Rival(port, pid, framed, "events", b"ready", "raw")
