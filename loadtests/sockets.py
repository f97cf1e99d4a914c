"""Many screens in one process, with raw sockets and epoll, so that the measuring client never slows the server."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Callable, Iterable

# A WebSocket ping with four bytes of data, as Python servers send it (these bytes occur in no text), and its masked answer.
PING, PONG = b"\x89\x04", b"\x8a\x84\0\0\0\0"
IP_BIND_ADDRESS_NO_PORT = 24  # from linux/in.h; Python 3.11 has no name for it
_PER_ADDRESS = 20_000  # connections from one loopback address to one port, well below the number of ephemeral ports


class TooSlow(Exception):
    """The expected data did not come in time."""


def allow(descriptors: int) -> None:
    """Raise this process's limit of open files as far as allowed; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < descriptors:  # only root may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors, 1024), hard))


class Crowd:
    """Open connections to one server, which read all data and count a marker in the data."""

    def __init__(self, port: int, marker: bytes, receive_buffer: int | None = None) -> None:
        self.port = port
        self.marker = marker
        self.received = 0  # markers
        self.bytes = 0
        self.lost = 0  # connections that the server closed
        self.last_at = 0.0  # arrival of the last marker (time.perf_counter)
        self.heard: Callable[[int, bytes], None] | None = None  # called with each descriptor and chunk
        self._receive_buffer = receive_buffer
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        self._buffer = bytearray(1 << 18)

    def __len__(self) -> int:
        return len(self._sockets)

    def connect(self, requests: Iterable[bytes], ready: bytes, at_once: int = 100, seconds: float = 120) -> None:
        """Open a connection for each request, some at a time, and wait until each has received ``ready``."""
        until = time.monotonic() + seconds
        waiting: dict[int, bytes] = {}
        iterator = iter(requests)
        more = True
        while more or waiting:
            while more and len(waiting) < at_once:
                request = next(iterator, None)
                if request is None:
                    more = False
                    break
                waiting[self._open(request)] = b""
            for descriptor, _ in self._poll.poll(0.5):
                chunk = self._read(descriptor)
                if descriptor in waiting:
                    waiting[descriptor] += chunk
                    if ready in waiting[descriptor]:
                        del waiting[descriptor]
                    elif not chunk:
                        raise TooSlow(f"refused: {waiting[descriptor][:300]!r}")
            if time.monotonic() > until:
                raise TooSlow(f"{len(waiting)} were not answered in {seconds} s")

    def take(self, until: Callable[[], bool], seconds: float = 60) -> None:
        """Read until ``until()`` is true. Raises `TooSlow` after ``seconds``."""
        stop = time.monotonic() + seconds
        while not until():
            for descriptor, _ in self._poll.poll(0.05):
                self._read(descriptor)
            if time.monotonic() > stop:
                raise TooSlow(f"{self.received} of what was expected came in {seconds} s; {self.lost} connections were lost")

    def expect(self, count: int, seconds: float = 60) -> None:
        """Read until the marker has come ``count`` times in all. Raises `TooSlow` after ``seconds``."""
        self.take(lambda: self.received >= count, seconds)

    def rest(self, seconds: float) -> None:
        """Read for ``seconds``."""
        end = time.monotonic() + seconds
        self.take(lambda: time.monotonic() >= end, seconds + 1)

    def close(self) -> None:
        """Close every connection."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        self._poll.close()

    def _open(self, request: bytes) -> int:
        peer = socket.socket()
        if self._receive_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)  # `connect` chooses a port that is free for this peer
        peer.bind((f"127.0.0.{2 + len(self._sockets) // _PER_ADDRESS}", 0))
        peer.connect(("127.0.0.1", self.port))
        peer.sendall(request)
        peer.setblocking(False)
        self._sockets[peer.fileno()] = peer
        self._poll.register(peer.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        return peer.fileno()

    def _read(self, descriptor: int) -> bytes:
        buffer = self._buffer
        peer = self._sockets[descriptor]
        try:
            size = peer.recv_into(buffer)
            # After a pause of more than 200 ms the kernel would acknowledge each of the next sixteen segments at once, on
            # loopback at the writer's cost: two microseconds per delivery, depending on the length of a round.
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        except BlockingIOError:
            return b""
        except OSError:
            size = 0
        if not size:
            self._poll.unregister(descriptor)
            self._sockets.pop(descriptor).close()
            self.lost += 1
            return b""
        self.bytes += size
        chunk = bytes(memoryview(buffer)[:size])
        ping = chunk.find(PING)
        if ping >= 0:  # the server drops a peer that does not answer
            self._sockets[descriptor].send(PONG + chunk[ping + 2 : ping + 6])
        if self.heard is not None:
            self.heard(descriptor, chunk)
        tail = self._tails.pop(descriptor, None)
        text = chunk if tail is None else tail + chunk
        found = text.count(self.marker)
        if found:
            self.received += found
            self.last_at = time.perf_counter()
        if not chunk.endswith(b"\n") and not found:
            self._tails[descriptor] = text[-(len(self.marker) - 1) :]  # a marker may have been cut in two
        return chunk
