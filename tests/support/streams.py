"""Thousands of streams in one thread, at little cost: of what comes only the kinds and the ids are looked at."""

from __future__ import annotations

import re
import resource
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

_EVENT = re.compile(rb'event: (\w+)\n|"type":"(\w+)"')
_ID = re.compile(rb'id: ([^\s"]+)\n|"id":"([^"]+)"')
_REASON = re.compile(rb'"reason":"([a-z-]+)"')
_TAIL = 512  # no name, id or reason is longer
AT_ONCE = 200  # connecting at the same time
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"
)


def head(path: str, token: str = "", *, websocket: bool = False, last_id: str | None = None) -> bytes:
    """Return the request that opens a stream."""
    lines = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    lines += f"Authorization: Bearer {token}\r\n" if token else ""
    lines += f"Last-Event-ID: {last_id}\r\n" if last_id else ""
    return f"{lines}{UPGRADE if websocket else ''}\r\n".encode()


class OneStream:
    """One of them."""

    __slots__ = ("_tail", "ended", "kinds", "last_id", "reason", "request", "socket")

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.socket = socket.socket()
        self.kinds: list[str] = []
        self.last_id = ""
        self.reason = ""
        self.ended = False
        self._tail = b""

    @property
    def seq(self) -> int:
        """How far it has been told."""
        return int(self.last_id.rpartition(".")[2] or 0)

    def take(self, data: bytes) -> int:
        """Take what came; return how many messages were in it."""
        text = self._tail + data
        end, before = 0, len(self.kinds)
        for found in _EVENT.finditer(text):
            self.kinds.append((found[1] or found[2]).decode())
            end = found.end()
        for found in _ID.finditer(text):
            self.last_id = (found[1] or found[2]).decode()
            end = max(end, found.end())
        if (reason := _REASON.search(text)) is not None:
            self.reason = reason[1].decode()
        self._tail = text[max(end, len(text) - _TAIL) :]
        return len(self.kinds) - before


class Streams:
    """Streams to one server, closed with the context. ``heard`` is called with each that was told something, and when."""

    def __init__(self, port: int, heard: Callable[[OneStream, float], None] | None = None) -> None:
        self.streams: list[OneStream] = []
        self.messages = 0
        self._port = port
        self._heard = heard
        self._poll = select.epoll()
        self._by_number: dict[int, OneStream] = {}
        allow_files()

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def join(self, requests: Iterable[bytes], seconds: float = 120) -> list[OneStream]:
        """Open a stream for each request; return them when each has been told something."""
        until = time.monotonic() + seconds
        joined: list[OneStream] = []
        waiting: list[OneStream] = []
        for request in requests:
            one = OneStream(request)
            one.socket.connect(("127.0.0.1", self._port))
            one.socket.sendall(request)
            one.socket.setblocking(False)
            self._by_number[one.socket.fileno()] = one
            self._poll.register(one.socket, select.EPOLLIN)
            joined.append(one)
            waiting.append(one)
            while len(waiting) >= AT_ONCE:
                assert time.monotonic() < until, f"{len(joined)} have joined"
                self.pump(0.05)
                waiting = [each for each in waiting if not each.kinds and not each.ended]
        self.streams += joined
        self.wait(lambda: all(each.kinds or each.ended for each in joined), until - time.monotonic(), "the first messages")
        return joined

    def pump(self, seconds: float) -> None:
        """Read what there is, waiting at most so long for it."""
        for number, _ in self._poll.poll(seconds):
            one = self._by_number[number]
            try:
                data = one.socket.recv(262_144)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self.leave(one)
            elif count := one.take(data):
                self.messages += count
                if self._heard is not None:
                    self._heard(one, time.monotonic())

    def wait(self, reached: Callable[[], bool], seconds: float, what: str) -> None:
        """Read until ``reached``."""
        until = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < until, f"{what}: not within {seconds:.1f} s; {self.count()}"
            self.pump(0.05)

    def count(self) -> str:
        """Return how they are, for people."""
        ended = sum(each.ended for each in self.streams)
        told = Counter(kind for each in self.streams for kind in each.kinds)
        return f"{len(self.streams)} streams, {ended} ended, told {dict(told)}"

    def leave(self, one: OneStream) -> None:
        """Close one."""
        if not one.ended:
            one.ended = True
            with suppress(OSError):
                self._poll.unregister(one.socket)
            del self._by_number[one.socket.fileno()]
            one.socket.close()

    def close(self) -> None:
        """Close all."""
        for one in list(self._by_number.values()):
            self.leave(one)
        self._poll.close()


def allow_files() -> None:
    """Let this process, and those that it starts, have as many open files as they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
