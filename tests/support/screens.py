"""Screens for tests: each follows a live address as a browser does, and records its messages and cells."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import SSEError, connect_sse
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from tests.support.plain import PLAIN
from tests.support.processes import end, program

Message = tuple[str, str | None, dict[str, Any]]


def digest(cells: dict[str, Any]) -> int:
    """Return the digest of cells by the specification. This code is independent of the server's."""
    total = 0
    for key, cell in cells.items():
        text = key + json.dumps(cell, separators=(",", ":"), ensure_ascii=False)
        total ^= zlib.crc32(text.encode())
    return total


@dataclass
class Screen:
    """The messages and cells of one screen. It compares every heartbeat's digest with its own cells."""

    messages: list[Message] = field(default_factory=list)
    cells: dict[str, Any] = field(default_factory=dict)
    seq: int = 0
    last_id: str | None = None
    ended: bool = False
    disagreed: list[dict[str, Any]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, kind: str, identifier: str | None, body: dict[str, Any]) -> None:
        """Apply one message."""
        with self._changed:
            self.messages.append((kind, identifier, body))
            if kind == "snapshot":
                self.cells = dict(body["cells"])
            elif kind == "change":
                assert self.cells, "a change came before any snapshot"
                self.cells |= body["set"]
                for key in body["del"]:
                    self.cells.pop(key, None)
            elif kind == "heartbeat" and self.cells and body["digest"] != digest(self.cells):
                self.disagreed.append(body)
            if kind != "bye":
                assert body["seq"] >= self.seq, "the number of the stream decreased"
                self.seq = body["seq"]
            if identifier:
                self.last_id = identifier
            self._changed.notify_all()

    def end(self) -> None:
        """Note that the stream has ended."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait(self, reached: Callable[[Screen], object], seconds: float = 60, what: str = "it") -> float:
        """Wait until ``reached(self)`` is true; return the seconds that it took."""
        began = time.monotonic()
        with self._changed:
            if not self._changed.wait_for(lambda: reached(self), seconds):
                kinds = [kind for kind, _, _ in self.messages]
                raise AssertionError(f"{what} was not seen within {seconds} s; messages: {kinds}; cells: {self.cells}")
        return time.monotonic() - began

    def kinds(self) -> list[str]:
        """Return the kinds of the messages so far."""
        return [kind for kind, _, _ in self.messages]


@contextmanager
def sse(
    url: str,
    token: str | None = None,
    *,
    last_id: str | None = None,
    resume: Screen | None = None,
    query: str = "",
    verify: ssl.SSLContext = PLAIN,
) -> Iterator[Screen]:
    """Follow ``url`` over server-sent events; yield the screen. ``resume`` continues a screen that lost its connection.

    ``verify`` is for an address with TLS.
    """
    screen = _continued(resume)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if last_id or screen.last_id:
        headers["Last-Event-ID"] = last_id or screen.last_id or ""
    client = httpx.Client(timeout=httpx.Timeout(60), verify=verify)
    sockets: list[socket.socket] = []

    def follow() -> None:
        with (
            suppress(httpx.HTTPError, SSEError),
            connect_sse(client, "GET", f"{url}{query}", headers=headers) as source,
        ):
            sockets.append(source.response.extensions["network_stream"].get_extra_info("socket"))
            for event in source.iter_sse():
                if event.data:
                    screen.take(event.event, event.id or None, json.loads(event.data))
        screen.end()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield screen
    finally:
        for each in sockets:
            with suppress(OSError):  # the server may have closed it
                each.shutdown(socket.SHUT_RDWR)  # wakes the reader, which closes the socket
        thread.join(60)
        client.close()


@contextmanager
def websocket(
    url: str, token: str | None = None, *, resume: Screen | None = None, verify: ssl.SSLContext | None = None
) -> Iterator[Screen]:
    """Follow ``url`` over WebSocket; yield the screen. ``resume`` continues a screen that lost its connection.

    ``verify`` is for an address with TLS.
    """
    screen = _continued(resume)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = "ws" + url.removeprefix("http") + (f"?last_event_id={screen.last_id}" if screen.last_id else "")
    with connect_websocket(address, additional_headers=headers, compression=None, ssl=verify, open_timeout=60) as peer:

        def follow() -> None:
            with suppress(ConnectionClosed):
                for frame in peer:
                    body = json.loads(frame)
                    screen.take(body.pop("type"), body.pop("id", None), body)
            screen.end()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        yield screen


@contextmanager
def http2(url: str, token: str, *, resume: Screen | None = None) -> Iterator[Screen]:
    """Follow an address with TLS by server-sent events over HTTP/2; yield the screen."""
    screen = _continued(resume)
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": screen.last_id} if screen.last_id else {})
    process = subprocess.Popen(_http2_command(url, headers), stdout=subprocess.PIPE, text=True)

    def follow() -> None:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline() or '{"status": null, "protocol": null}')
        rest = ""
        if (answer["status"], answer["protocol"]) == (200, "h2"):
            for line in process.stdout:
                *blocks, rest = (rest + json.loads(line)["chunk"]).split("\n\n")
                for block in blocks:
                    fields = dict(each.split(": ", 1) for each in block.split("\n") if ": " in each)
                    if "data" in fields:
                        screen.take(fields["event"], fields.get("id"), json.loads(fields["data"]))
        screen.end()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield screen
    finally:
        end(process)
        thread.join(15)
        if process.stdout is not None:
            process.stdout.close()


def over_http2(url: str) -> dict[str, Any]:
    """Return the answer to a GET over HTTP/2: its ``protocol``, ``status`` and ``headers``."""
    done = subprocess.run(_http2_command(url, {}), capture_output=True, text=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return answer


def _http2_command(url: str, headers: dict[str, str]) -> list[str]:
    split = httpx.URL(url)
    script = Path(__file__).parents[1] / "npm/http2.mjs"
    origin = f"{split.scheme}://{split.netloc.decode()}"
    return [program("node", "nodejs"), str(script), origin, split.raw_path.decode(), json.dumps(headers)]


def _continued(before: Screen | None) -> Screen:
    if before is None:
        return Screen()
    return Screen(cells=dict(before.cells), seq=before.seq, last_id=before.last_id)
