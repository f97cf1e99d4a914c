"""Thousands of streams in one thread, at low cost: the reader looks only at the kind, id and reason of messages."""

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
_TAIL = 512  # longer than any name, id or reason
AT_ONCE = 200  # connections that are opened concurrently
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
    """One stream, and the kinds, last id and reason of its messages."""

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
        """The number of the last message with an id."""
        return int(self.last_id.rpartition(".")[2] or 0)

    def take(self, data: bytes) -> int:
        """Read received data; return the number of messages that begin in it."""
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
    """Streams to one server, closed with the context. ``heard`` gets each stream that received messages, and the time."""

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
        """Open a stream for each request; return the streams when each has received a message."""
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
                assert time.monotonic() < until, f"only {len(joined)} streams have opened"
                self.pump(0.05)
                waiting = [each for each in waiting if not each.kinds and not each.ended]
        self.streams += joined
        self.wait(lambda: all(each.kinds or each.ended for each in joined), until - time.monotonic(), "the first messages")
        return joined

    def pump(self, seconds: float) -> None:
        """Read the available data, waiting for it at most ``seconds``."""
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
        """Read until ``reached()``. Raises AssertionError after ``seconds``."""
        until = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < until, f"{what}: not within {seconds:.1f} s; {self.count()}"
            self.pump(0.05)

    def count(self) -> str:
        """Return the number of streams, ended streams and messages, as text."""
        ended = sum(each.ended for each in self.streams)
        received = Counter(kind for each in self.streams for kind in each.kinds)
        return f"{len(self.streams)} streams, {ended} ended, received {dict(received)}"

    def leave(self, one: OneStream) -> None:
        """Close one stream."""
        if not one.ended:
            one.ended = True
            with suppress(OSError):
                self._poll.unregister(one.socket)
            del self._by_number[one.socket.fileno()]
            one.socket.close()

    def close(self) -> None:
        """Close all streams."""
        for one in list(self._by_number.values()):
            self.leave(one)
        self._poll.close()


def allow_files() -> None:
    """Raise the limit of open files of this process and its children to the maximum."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
