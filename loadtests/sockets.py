"""Many screens in one process: raw sockets and epoll, so that whoever is measured is never waited on by the measuring."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Callable, Iterable

# A WebSocket ping with the four bytes that servers of Python send, none of which is in any text; and its answer, "masked".
PING, PONG = b"\x89\x04", b"\x8a\x84\0\0\0\0"
IP_BIND_ADDRESS_NO_PORT = 24  # of linux/in.h: Python 3.11 has no name for it
_PER_ADDRESS = 20_000  # connections from one loopback address to one port, well under the ephemeral ports there are


class TooSlow(Exception):
    """What was expected did not come in time."""


def allow(descriptors: int) -> None:
    """Raise this process's limit of open files, as far as it may; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < descriptors:  # only root may
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors, 1024), hard))


class Crowd:
    """Open connections to one server, that all take whatever they are sent and count the marker in it."""

    def __init__(self, port: int, marker: bytes, receive_buffer: int | None = None) -> None:
        self.port = port
        self.marker = marker
        self.received = 0  # markers
        self.bytes = 0
        self.lost = 0  # connections that the server closed
        self.last_at = 0.0  # when the last marker came (time.perf_counter)
        self.heard: Callable[[int, bytes], None] | None = None  # is told of each chunk, and on which descriptor
        self._receive_buffer = receive_buffer
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        self._buffer = bytearray(1 << 18)

    def __len__(self) -> int:
        return len(self._sockets)

    def connect(self, requests: Iterable[bytes], ready: bytes, at_once: int = 100, seconds: float = 120) -> None:
        """Open a connection for each request, some at a time, and wait until each has been sent ``ready``."""
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
        """Take what comes until ``until()``."""
        stop = time.monotonic() + seconds
        while not until():
            for descriptor, _ in self._poll.poll(0.05):
                self._read(descriptor)
            if time.monotonic() > stop:
                raise TooSlow(f"{self.received} of what was expected came in {seconds} s; {self.lost} connections were lost")

    def expect(self, count: int, seconds: float = 60) -> None:
        """Take until the marker has come ``count`` times in all."""
        self.take(lambda: self.received >= count, seconds)

    def rest(self, seconds: float) -> None:
        """Take what comes for a while."""
        end = time.monotonic() + seconds
        self.take(lambda: time.monotonic() >= end, seconds + 1)

    def close(self) -> None:
        """Close every connection, without a word."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        self._poll.close()

    def _open(self, request: bytes) -> int:
        peer = socket.socket()
        if self._receive_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)  # `connect` finds a port that is free towards there
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
            # After a pause of more than 200 ms the kernel would acknowledge the next sixteen segments at once, on loopback
            # at the writer's cost: two microseconds a delivery more or less, by how long a round happened to take.
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
        if ping >= 0:  # whoever does not answer is taken for dead after a while
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
