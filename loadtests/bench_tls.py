"""Measure the whole path through nginx with TLS: latency, a reload with a new certificate, and a roll of the servers.

    python loadtests/bench_tls.py
    python loadtests/bench_tls.py --only latency

Two server processes, MariaDB, Redis and nginx run on this machine. Half of the screens use server-sent events and half
WebSocket, all over TLS. Each screen reconnects as a page does, at its last position.

- **latency**: from the sending of a command to the first byte of its change, with one screen of each kind.
- **reload**: streams through ``nginx -s reload`` with a new certificate, while commands come; then after its workers died.
- **roll**: streams and commands while each server is replaced. Every answered command must be in the log.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import make_url

from loadtests.contenders import MANY, UPGRADE, Caller, Transport
from loadtests.processes import cpu_seconds
from loadtests.screen import EventParser
from loadtests.sockets import allow
from server.seeding import Seed
from tests.support import databases
from tests.support.certificate import certificate
from tests.support.nginx import Proxy, nginx, unverified
from tests.support.processes import free_port
from tests.support.redis import redis
from tests.support.server import Server, environment, seed, serving

PARTS = ("latency", "reload", "roll")
PER_ADDRESS = 1_000  # nginx allows 2,000 streams of one address
LOST_RETRY_SECONDS = 1.0
WARM_ROUNDS = 5
PARTIES = ("nginx", "the servers", "this client")
TLS = unverified()


@dataclass(slots=True)
class Screen:
    """One screen: its connection, its position, and when it got there."""

    index: int
    websocket: bool
    peer: socket.socket | None = None
    seq: int = 0
    last_id: str | None = None
    progress: list[tuple[float, int]] = field(default_factory=list)  # (time.perf_counter, number)
    numbers: set[int] = field(default_factory=set)  # of its changes
    connections: int = 0
    went_back: int = 0
    retry_at: float | None = 0.0
    rest: bytes = b""
    asked: bool = False  # the request has been sent
    head: bool = False  # the head of the answer has come
    session: ssl.SSLSession | None = None
    parser: EventParser = field(default_factory=EventParser)


class Screens:
    """Screens of one display, read by one thread with epoll. Every other one uses WebSocket, or those of ``transport``."""

    def __init__(
        self, port: int, display: dict[str, Any], count: int, *, tls: bool = True, transport: Transport | None = None
    ) -> None:
        self.all = [
            Screen(index, index % 2 == 1 if transport is None else transport == "websocket") for index in range(count)
        ]
        self._port, self._display, self._tls = port, display, tls
        self._poll = select.epoll()
        self._by_descriptor: dict[int, Screen] = {}

    @property
    def connected(self) -> int:
        """The number of screens with a connection that has answered."""
        return sum(each.peer is not None and each.head for each in self.all)

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Read and reconnect until ``until()``; return whether it came true within ``seconds``."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                return False
            now = time.monotonic()
            for screen in self.all:
                if screen.peer is None and screen.retry_at is not None and screen.retry_at <= now:
                    self._connect(screen)
            for descriptor, _ in self._poll.poll(0.02):
                if descriptor in self._by_descriptor:
                    self._read(self._by_descriptor[descriptor])
        return True

    def close(self) -> None:
        """Close every connection."""
        for screen in self.all:
            if screen.peer is not None:
                screen.peer.close()
        self._poll.close()

    def _connect(self, screen: Screen) -> None:
        peer = socket.socket()
        try:
            peer.settimeout(10)
            peer.bind((f"127.0.0.{2 + screen.index // PER_ADDRESS}", 0))
            peer.connect(("127.0.0.1", self._port))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                peer.setblocking(False)
                peer = TLS.wrap_socket(peer, do_handshake_on_connect=False, session=screen.session)
        except OSError:
            peer.close()
            screen.retry_at = time.monotonic() + LOST_RETRY_SECONDS * random.uniform(0.5, 1)
            return
        peer.setblocking(False)
        screen.asked = False
        screen.peer, screen.head, screen.rest, screen.parser = peer, False, b"", EventParser()
        screen.connections += 1
        self._by_descriptor[peer.fileno()] = screen
        self._poll.register(peer.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        self._ask(screen)

    def _ask(self, screen: Screen) -> None:
        """Go on with the handshake, and send the request behind it. All screens do this at the same time."""
        assert screen.peer is not None
        try:
            if isinstance(screen.peer, ssl.SSLSocket):
                screen.peer.do_handshake()
            screen.peer.sendall(self._request(screen))
            screen.asked = True
        except (ssl.SSLWantReadError, BlockingIOError):
            return  # the next bytes of the peer call this again
        except OSError:
            self._lose(screen, LOST_RETRY_SECONDS * random.uniform(0.5, 1))

    def _request(self, screen: Screen) -> bytes:
        path = f"/live/displays/{self._display['id']}"
        token = f"Host: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._display['token']}\r\n"
        if screen.websocket:
            query = f"?last_event_id={screen.last_id}" if screen.last_id else ""
            return f"GET {path}{query} HTTP/1.1\r\n{token}{UPGRADE}\r\n".encode()
        position = f"Last-Event-ID: {screen.last_id}\r\n" if screen.last_id else ""
        return f"GET {path} HTTP/1.0\r\n{token}Accept: text/event-stream\r\n{position}\r\n".encode()  # 1.0: no chunks

    def _read(self, screen: Screen) -> None:
        if not screen.asked:
            self._ask(screen)
        while screen.peer is not None and screen.asked:
            try:
                chunk = screen.peer.recv(65_536)
            except (ssl.SSLWantReadError, BlockingIOError):
                return
            except OSError:
                chunk = b""
            if not chunk:
                self._lose(screen, LOST_RETRY_SECONDS * random.uniform(0.5, 1))
                return
            if not screen.head:
                head, found, chunk = (screen.rest + chunk).partition(b"\r\n\r\n")
                if not found:
                    screen.rest = head
                    continue
                screen.rest = b""
                if b" 101 " not in head[:20] and b" 200 " not in head[:20]:
                    self._lose(screen, LOST_RETRY_SECONDS * random.uniform(0.5, 1))
                    return
                screen.head = True
            for kind, identifier, body in self._messages(screen, chunk):
                if kind == "bye":
                    self._lose(screen, body["retry_ms"] / 1000)
                    return
                self._take(screen, kind, identifier, body)

    def _messages(self, screen: Screen, chunk: bytes) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        if not screen.websocket:
            for event in screen.parser.feed(chunk):
                yield event.name, event.id, event.data
            return
        screen.rest += chunk
        while len(screen.rest) >= 2:
            size, begin = screen.rest[1], 2
            if size >= 126:
                begin = 4 if size == 126 else 10
                size = int.from_bytes(screen.rest[2:begin], "big")
            if len(screen.rest) < begin + size:
                return
            opcode, text = screen.rest[0] & 15, screen.rest[begin : begin + size]
            screen.rest = screen.rest[begin + size :]
            if opcode == 9 and screen.peer is not None:
                screen.peer.send(bytes([0x8A, 0x80 | len(text), 0, 0, 0, 0]) + text)
            elif opcode == 1:
                body = json.loads(text)
                yield body["type"], body.get("id"), body

    def _take(self, screen: Screen, kind: str, identifier: str | None, body: dict[str, Any]) -> None:
        seq = int(body["seq"])
        if seq < screen.seq:
            screen.went_back += 1
        if seq > screen.seq:
            screen.progress.append((time.perf_counter(), seq))
        screen.seq, screen.last_id = seq, identifier or screen.last_id
        if kind == "change":
            screen.numbers.add(seq)

    def _lose(self, screen: Screen, retry_seconds: float) -> None:
        if screen.peer is not None:
            if isinstance(screen.peer, ssl.SSLSocket):
                screen.session = screen.peer.session or screen.session  # browsers resume, too
            self._poll.unregister(screen.peer.fileno())
            del self._by_descriptor[screen.peer.fileno()]
            screen.peer.close()
        screen.peer, screen.retry_at = None, time.monotonic() + retry_seconds


class Desk:
    """Sends recalls through nginx with TLS, as a page does: a command without an answer is repeated with its key."""

    def __init__(self, port: int, token: str, entry_id: int) -> None:
        self.answered: list[tuple[int, float]] = []  # (number, time.perf_counter)
        self.repeated = 0
        self._port, self._token, self._entry_id = port, token, entry_id
        self._connection: HTTPSConnection | None = None

    def recall(self) -> int:
        """Send one command until it is answered with 200; return its number."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = uuid.uuid4().hex
        while True:
            try:
                if self._connection is None:
                    self._connection = HTTPSConnection("127.0.0.1", self._port, timeout=10, context=TLS)
                body = json.dumps({"entry_id": self._entry_id})
                self._connection.request("POST", "/api/v1/commands/recall", body, headers)
                answer = self._connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    number = int(json.loads(text)["seq"])
                    self.answered.append((number, time.perf_counter()))
                    return number
                if answer.status < 500:
                    raise RuntimeError(f"{answer.status} {text[:300]!r}")
            except (OSError, HTTPException):
                self._connection = None
            self.repeated += 1
            time.sleep(0.25)

    @contextmanager
    def busy(self, each_seconds: float) -> Iterator[None]:
        """Send a command at an interval, in a thread, during a block."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(each_seconds):
                self.recall()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@dataclass
class Stack:
    """The installation, with servers that can be replaced."""

    env: dict[str, str]
    seeded: Seed
    folder: Path
    ports: list[int]
    running: list[ExitStack]
    servers: list[Server]
    proxy: Proxy
    token: str
    entry_id: int

    @property
    def display(self) -> dict[str, Any]:
        """The display that all screens show."""
        return dict(self.seeded["displays"][0])

    def desk(self) -> Desk:
        """Return a desk behind nginx."""
        return Desk(self.proxy.tls_port, self.token, self.entry_id)

    def replace(self, index: int) -> None:
        """Stop a server as an operator does, and start its successor at the same port."""
        self.running[index].close()
        self.servers[index] = self.running[index].enter_context(serving(self.env, self.folder, port=self.ports[index]))

    def route(self, indexes: Sequence[int]) -> None:
        """Let nginx use these servers for new requests."""
        lines = [f"server 127.0.0.1:{self.ports[each]} max_fails=3 fail_timeout=5s;\n" for each in indexes]
        (self.proxy.configuration / "snippets/upstream.conf").write_text("".join(lines))
        before = self.proxy.workers()
        self.proxy.reload()
        while not self.proxy.workers() - before:
            time.sleep(0.05)
        time.sleep(1)


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run the installation."""
    ports = [free_port(), free_port()]
    edits = {"rate=100r/m": "rate=60000r/m", "worker_processes auto;": "worker_processes 2;"}
    for each in ("mariadb", "redis", "nginx"):
        (folder / each).mkdir()
    with (
        databases.mariadb(folder / "mariadb") as database,
        databases.fresh_database(database) as url,
        redis(folder / "redis") as redis_url,
        nginx(folder / "nginx", ports, edits=edits) as proxy,
        ExitStack() as one,
        ExitStack() as two,
    ):
        env = environment(url, redis_url) | MANY | {"NOWSERVING_DRAIN_DELAY_SECONDS": "2"}
        seeded = seed(env, points=1, tickets=3, displays=1)
        servers = [each.enter_context(serving(env, folder, port=port)) for each, port in zip((one, two), ports, strict=True)]
        token = servers[0].sign_in(seeded, "receptionist")
        called = Caller(servers[0], token).do("call-next", point_id=seeded["point_ids"][0])
        yield Stack(env, seeded, folder, ports, [one, two], servers, proxy, token, called["entry"]["id"])


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


def latency(parts: Stack, rounds: int) -> None:
    """Print the time from a command, its sending and its answer, to the first byte of its change."""
    screens = Screens(parts.proxy.tls_port, parts.display, 2)
    desk = parts.desk()
    took: dict[str, list[float]] = {}
    try:
        assert screens.run(lambda: all(each.seq for each in screens.all), 60)
        for index in range(WARM_ROUNDS + rounds):
            began = time.perf_counter()
            sending = threading.Thread(target=desk.recall)
            sending.start()
            screens.run(lambda sending=sending: not sending.is_alive(), 30)  # type: ignore[misc]
            number, answered = desk.answered[-1]
            assert screens.run(lambda number=number: all(each.seq >= number for each in screens.all), 30)  # type: ignore[misc]
            if index < WARM_ROUNDS:
                continue
            took.setdefault("the answer", []).append((answered - began) * 1000)
            for screen in screens.all:
                seen = next(at for at, seq in screen.progress if seq >= number)
                name = "WebSocket" if screen.websocket else "SSE"
                took.setdefault(f"first byte, {name}", []).append((seen - began) * 1000)
                took.setdefault(f"the same after the answer, {name}", []).append((seen - answered) * 1000)
            screens.run(lambda: False, 0.05)
    finally:
        screens.close()
    print(f"\nlatency, {rounds} commands on a quiet site, ms from the sending of the command: median, p99")
    for name, values in took.items():
        print(f"  {name:38}{percentiles(values)[0]:8.1f}{percentiles(values)[1]:8.1f}")


def lags(screens: Screens, desk: Desk) -> list[float]:
    """Return, for each command and screen, the seconds from the answer until the screen had it; 0 if it had it before."""
    found = []
    for screen in screens.all:
        place = 0
        for number, answered in desk.answered:
            while place < len(screen.progress) and screen.progress[place][1] < number:
                place += 1
            at = screen.progress[place][0] if place < len(screen.progress) else float("inf")
            found.append(max(0.0, at - answered))
    return found


def verdict(screens: Screens, desk: Desk) -> str:
    """Return the truth about the numbers: of screens that kept their connection, and of all."""
    wanted = {number for number, _ in desk.answered}
    kept = [each for each in screens.all if each.connections == 1]
    gaps = sum(not wanted <= each.numbers for each in kept)
    last = max(wanted)
    return (
        f"{len(kept)} of {len(screens.all)} streams kept their connection, {gaps} of these with a gap; "
        f"{sum(each.went_back for each in screens.all)} numbers went back; "
        f"{sum(each.seq < last for each in screens.all)} screens without the last command; {desk.repeated} repeats"
    )


def reload(parts: Stack, streams: int) -> None:
    """Print how streams pass a reload with a new certificate, and a restart of nginx."""
    screens, desk = Screens(parts.proxy.tls_port, parts.display, streams), parts.desk()
    try:
        assert screens.run(lambda: all(each.seq for each in screens.all), 180)
        with desk.busy(0.5):
            certificate(parts.proxy.certificate.parent)
            parts.proxy.reload()
            screens.run(lambda: False, 10)
        assert screens.run(lambda: all(each.seq >= desk.answered[-1][0] for each in screens.all), 30)
        print(f"\nreload with a new certificate, {streams} streams, {len(desk.answered)} commands")
        print(f"  {verdict(screens, desk)}")
        found = lags(screens, desk)
        print(f"  answer to a screen: p99 {percentiles(found)[1]:.2f} s, longest {max(found):.2f} s")
        # Old workers end at once: the harsh case, as after a crash of nginx.
        began, old = time.monotonic(), parts.proxy.workers()

        def shares() -> list[float]:
            return [
                sum(map(cpu_seconds, parts.proxy.workers() - old)),
                sum(cpu_seconds(each.process.pid) for each in parts.servers),
                time.process_time(),
            ]

        before = shares()
        for worker in old:
            os.kill(worker, signal.SIGKILL)
        screens.run(lambda: screens.connected < streams, 10)
        assert screens.run(lambda: screens.connected == streams, 120)
        back = time.monotonic() - began
        spent = [b - a for a, b in zip(before, shares(), strict=True)]
        number = desk.recall()
        assert screens.run(lambda: all(each.seq >= number for each in screens.all), 30)
        print(f"  all workers of nginx killed: all streams back after {back:.1f} s")
        parties = ", ".join(f"{who} {each * 1000 / streams:.2f}" for who, each in zip(PARTIES, spent, strict=True))
        print(f"  ms of CPU for each stream that came back: {parties}; load of the machine {os.getloadavg()[0]:.0f}")
    finally:
        screens.close()


def roll(parts: Stack, streams: int) -> None:
    """Print how streams and commands pass the replacement of each server."""
    screens, desk = Screens(parts.proxy.tls_port, parts.display, streams), parts.desk()
    try:
        assert screens.run(lambda: all(each.seq for each in screens.all), 180)
        done = threading.Event()

        def work() -> None:
            for index in range(len(parts.servers)):
                parts.replace(index)
                time.sleep(3)
            done.set()

        with desk.busy(0.2):
            began = time.monotonic()
            rolling = threading.Thread(target=work)
            rolling.start()
            screens.run(done.is_set, 180)
            rolling.join()
            took = time.monotonic() - began
        number = desk.answered[-1][0]
        right = time.monotonic()
        assert screens.run(lambda: all(each.seq >= number for each in screens.all), 60)
        right = time.monotonic() - right
        url = make_url(parts.env["NOWSERVING_DATABASE_URL"])
        with databases.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM events WHERE site_id = %s", (parts.seeded["site_id"],))
            logged = {row[0] for row in cursor.fetchall()}
        lost = {number for number, _ in desk.answered} - logged
        found = lags(screens, desk)
        late = sum(each > 2 for each in found) / len(found)
        print(f"\nroll of {len(parts.servers)} servers in {took:.0f} s, {streams} streams, {len(desk.answered)} commands")
        print(f"  {len(lost)} answered commands are missing in the log; {verdict(screens, desk)}")
        print(f"  answer to a screen: p99 {percentiles(found)[1]:.2f} s, longest {max(found):.2f} s, {late:.2%} after 2 s")
        print(f"  all screens right {right:.2f} s after the roll; load of the machine {os.getloadavg()[0]:.0f}")
    finally:
        screens.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=200, help="of the latency")
    parser.add_argument("--streams", type=int, default=2_000, help="through the reload; the roll has half of it")
    arguments = parser.parse_args()
    allow(4 * arguments.streams + 2_000)
    with tempfile.TemporaryDirectory() as name, stack(Path(name)) as parts:
        if "latency" in arguments.only:
            latency(parts, arguments.rounds)
        if "reload" in arguments.only:
            reload(parts, arguments.streams)
        if "roll" in arguments.only:
            roll(parts, arguments.streams // 2)


if __name__ == "__main__":
    main()
