"""A TCP relay that a test can interrupt: it drops data silently, like Wi-Fi out of range, or answers as a proxy does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

CHUNK = 65536


class Relay:
    """Forwards TCP connections to a loopback port while it is up."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._up = True
        self._closed = False
        self._status: int | None = None
        self.answered = 0  # requests that the relay has answered itself
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address of the server through this relay."""
        return f"http://127.0.0.1:{self.port}"

    def take_away(self) -> None:
        """Drop all data from now on, without closing connections."""
        self._up = False

    def answer_itself(self, status: int) -> None:
        """Answer every request with a status and a page from now on, as a proxy without its server. Drop all connections."""
        self._status = status
        self._drop()

    def bring_back(self) -> None:
        """Forward again. Close the earlier connections, since part of their data is lost."""
        self._drop()
        self._up, self._status = True, None

    def close(self) -> None:
        """Stop listening, and close all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._closed = True
        self._drop()

    def _keep(self, connection: socket.socket) -> bool:
        """Note a connection that has to be closed. Return False, and close it, if the relay is closed."""
        with self._lock:
            if not self._closed:
                self._open.add(connection)
                return True
        connection.close()
        return False

    def _drop(self) -> None:
        with self._lock:
            dropped, self._open = self._open, set()
        for each in dropped:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._keep(near):
                return
            if not self._up:
                continue  # the connection hangs, as it would without a network
            if self._status is not None:
                threading.Thread(target=self._answer, args=(near, self._status), daemon=True).start()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                near.close()
                continue
            if not self._keep(far):
                return
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _answer(self, near: socket.socket, status: int) -> None:
        page = b"<!doctype html><title>proxy</title>"
        head = (
            f"HTTP/1.1 {status} Proxy\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        )
        with near, suppress(OSError):
            if near.recv(CHUNK):
                self.answered += 1
                near.sendall(head.encode() + page)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self._up:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
