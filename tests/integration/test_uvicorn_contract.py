"""The behaviour of the installed uvicorn that the handoff relies on, and each risk of the handoff.

A real server runs in a thread of this process, with timers so short that a test sees their later effects. The tests run on
uvloop and on asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from server.app import build_app
from server.live.hub import Hub
from server.seeding import Seed
from server.settings import load_settings
from server.transport.streams.handoff import HandOffWebSocketProtocol
from server.uvicorn_server import DrainingServer, StrictProtocol
from tests.support.certificate import certificate
from tests.support.processes import free_port, wait_until
from tests.support.server import KEYS, environment, seed

pytestmark = pytest.mark.long

KEEP_ALIVE = 1
PING = 0.3
HEARTBEAT = 0.5
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE += "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"


class LiveServer:
    """A server in a thread, and its seeded data."""

    def __init__(self, port: int, seeded: Seed, server: DrainingServer, tls: bool) -> None:
        self.port, self.seeded, self.server, self.tls = port, seeded, server, tls

    @property
    def hub(self) -> Hub:
        found: Hub = self.server.lifespan.state["hub"]
        return found

    @property
    def known(self) -> int:
        """The number of connections that uvicorn knows."""
        return len(self.server.server_state.connections)

    def request(self, *, upgrade: bool = False, method: str = "GET", version: str = "1.1") -> bytes:
        display = self.seeded["displays"][0]
        path = f"/live/displays/{display['id']}?token={display['token']}"
        more = UPGRADE if upgrade else ""
        return f"{method} {path} HTTP/{version}\r\nHost: 127.0.0.1:{self.port}\r\n{more}\r\n".encode()

    @contextmanager
    def connected(self, first: bytes = b"", *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
        with socket.socket() as plain:
            if receive_buffer is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.settimeout(60)
            plain.connect(("127.0.0.1", self.port))
            if not self.tls:
                plain.sendall(first)
                yield plain
                return
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(plain) as encrypted:
                encrypted.sendall(first)
                yield encrypted


@contextmanager
def running(folder: Path, loop: str, *, tls: bool = False) -> Iterator[LiveServer]:
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT))
    seeded = seed(env, points=1, tickets=120, displays=1)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            if name.startswith("NOWSERVING_"):
                patch.setenv(name, value)
        app = build_app(load_settings(), KEYS)
    port = free_port()
    more: dict[str, Any] = {}
    if tls:
        more["ssl_certfile"], more["ssl_keyfile"] = certificate(folder)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, loop=loop, log_config=None, access_log=False, http=StrictProtocol,
        ws=HandOffWebSocketProtocol, ws_per_message_deflate=False, timeout_keep_alive=KEEP_ALIVE, ws_ping_interval=PING,
        ws_ping_timeout=PING, **more,
    )  # fmt: skip
    config.drain_delay_seconds, config.silent_seconds, config.hand_off = 0, 60, True  # type: ignore[attr-defined]
    config.head_seconds, config.body_seconds, config.stalled_seconds = 10, 20, 30  # type: ignore[attr-defined]
    server = DrainingServer(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server")
        yield LiveServer(port, seeded, server, tls)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def live_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running(tmp_path_factory.mktemp("contract"), request.param) as live_server:
        yield live_server


def read_until(peer: socket.socket, marker: bytes, count: int = 1) -> bytes:
    found = b""
    while found.count(marker) < count:
        chunk = peer.recv(65536)
        if not chunk:
            raise AssertionError(f"ended without {marker!r}: {found[-300:]!r}")
        found += chunk
    return found


def frames_in(received: bytes) -> list[Frame]:
    peer = Protocol(CLIENT, state=OPEN, max_size=None)
    peer.receive_data(received.partition(b"\r\n\r\n")[2])
    return [each for each in peer.events_received() if isinstance(each, Frame)]


def wait_for_streams(live_server: LiveServer, count: int) -> None:
    wait_until(lambda: len(live_server.hub.streams()) == count, f"{count} streams")


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_uvicorn_forgets_a_handed_off_connection(live_server: LiveServer, upgrade: bool) -> None:
    """Uvicorn counts no connection, runs no task, and none of its timers closes the stream."""
    wait_for_streams(live_server, 0)
    wait_until(lambda: live_server.known == 0, "uvicorn to forget earlier connections")
    with live_server.connected(live_server.request(upgrade=upgrade)) as peer:
        read_until(peer, b'"cells":{')
        wait_for_streams(live_server, 1)
        (stream,) = live_server.hub.streams()
        assert stream.connection is not None, "handed off"
        wait_until(lambda: live_server.known == 0 and not live_server.server.server_state.tasks, "the request to be over")
        until = time.monotonic() + KEEP_ALIVE + 3 * PING
        beats = 0
        while time.monotonic() < until or beats < 3:  # a peer that answers no ping stays connected
            beats += read_until(peer, b'"digest":').count(b'"digest":')
        assert len(live_server.hub.streams()) == 1
    wait_for_streams(live_server, 0)


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_head_and_first_message_are_one_write(live_server: LiveServer, upgrade: bool) -> None:
    with live_server.connected(live_server.request(upgrade=upgrade)) as peer:
        first = peer.recv(65536)
        assert first.startswith(b"HTTP/1.1 101 " if upgrade else b"HTTP/1.1 200 ")
        assert b'"cells":{' in first


def test_request_behind_a_stream_is_dropped_and_the_head_says_close(live_server: LiveServer) -> None:
    second = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with live_server.connected(live_server.request() + second) as peer:
        received = read_until(peer, b'"digest":', 2)
        assert b"connection: close" in received.partition(b"\r\n\r\n")[0].lower()
        assert received.count(b"HTTP/1.1") == 1
        peer.sendall(second)
        received += read_until(peer, b'"digest":', 2)
        assert received.count(b"HTTP/1.1") == 1
        assert b'"status":"ok"' not in received


def test_stream_behind_a_pipelined_request_is_handed_off(live_server: LiveServer) -> None:
    """The handoff takes the connection at the stream's own request, after the answer to the earlier request."""
    first = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with live_server.connected(first + live_server.request()) as peer:
        received = read_until(peer, b'"digest":', 2)
        health, _, rest = received.partition(b'{"status":"ok"}')
        assert health.startswith(b"HTTP/1.1 200")
        assert rest.startswith(b"HTTP/1.1 200")
        assert b"event: snapshot" in rest


def test_frame_that_the_handoff_splits_is_parsed(live_server: LiveServer) -> None:
    """The handed-off connection parses the rest of a frame that uvicorn's parser has begun."""
    frame = Frame(Opcode.TEXT, b'{"type":"disagreement","seq":1}').serialize(mask=True)
    before = live_server.hub.disagreements["display"]
    with live_server.connected() as peer:
        head = live_server.request(upgrade=True)
        # The look-up of the display takes long enough for the first half to arrive before the handoff.
        peer.sendall(head)
        peer.sendall(frame[:7])
        read_until(peer, b'"cells":{')
        peer.sendall(frame[7:])
        wait_until(lambda: live_server.hub.disagreements["display"] == before + 1, "the message")
        peer.sendall(frame)
        wait_until(lambda: live_server.hub.disagreements["display"] == before + 2, "another message")


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_disconnected_peer_is_noticed(live_server: LiveServer, upgrade: bool, reset: bool) -> None:
    wait_for_streams(live_server, 0)
    with live_server.connected(live_server.request(upgrade=upgrade)) as peer:
        read_until(peer, b'"cells":{')
        wait_for_streams(live_server, 1)
        if reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    wait_for_streams(live_server, 0)


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_large_snapshot_buffered_at_the_handoff_arrives_whole(live_server: LiveServer, upgrade: bool) -> None:
    member = next(each for each in live_server.seeded["staff"] if each["role"] == "receptionist")
    body = json.dumps({"username": member["username"], "password": member["password"]}).encode()
    head = (
        f"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    with live_server.connected(f"{head}\r\nConnection: close\r\n\r\n".encode() + body) as peer:
        answer = json.loads(read_until(peer, b"refresh_token").partition(b"\r\n\r\n")[2])
    path, bearer = f"/live/sites/{live_server.seeded['site_id']}/desk", answer["access_token"]
    more = UPGRADE if upgrade else ""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n{more}\r\n".encode()
    wait_for_streams(live_server, 0)  # those of earlier tests have ended
    with live_server.connected(request, receive_buffer=4096) as peer:
        wait_for_streams(live_server, 1)
        (stream,) = live_server.hub.streams()
        wait_until(lambda: stream.paused, "the first unwritten byte")
        received = read_until(peer, b'"digest":', 2)
        text = bytes(frames_in(received)[0].data) if upgrade else received.partition(b"event: snapshot\ndata: ")[2]
        cells = json.JSONDecoder().raw_decode(text.decode())[0]["cells"]
        assert sum(key.startswith("entry:") for key in cells) == 120


def test_http_1_0_stream_is_raw_and_ends_with_the_connection(live_server: LiveServer) -> None:
    wait_for_streams(live_server, 0)
    with live_server.connected(live_server.request(version="1.0")) as peer:
        received = read_until(peer, b'"digest":', 2)
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert body.startswith(b"retry: ")
        (stream,) = live_server.hub.streams()
        live_server.server.servers[0].get_loop().call_soon_threadsafe(stream.end, "age")
        rest = b""
        while chunk := peer.recv(65536):
            rest += chunk
        assert rest.endswith(b"\n\n")
        assert b"event: bye" in rest


def test_head_request_is_answered_and_not_handed_off(live_server: LiveServer) -> None:
    wait_for_streams(live_server, 0)
    with live_server.connected(live_server.request(method="HEAD") * 2) as peer:
        received = read_until(peer, b"HTTP/1.1 200", 2)
        assert b"text/event-stream" in received
        assert b"\ndata:" not in received
        assert not live_server.hub.streams()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_descriptor_is_not_used_behind_tls(loop: str, upgrade: bool, tmp_path: Path) -> None:
    with (
        running(tmp_path, loop, tls=True) as live_server,
        live_server.connected(live_server.request(upgrade=upgrade)) as peer,
    ):
        received = read_until(peer, b'"digest":', 2)
        assert b'"cells":{' in received
        (stream,) = live_server.hub.streams()
        connection: Any = stream.connection
        assert connection is not None
        assert connection.descriptor == -1
        live_server.server.servers[0].get_loop().call_soon_threadsafe(stream.end, "age")
        assert b'"age"' in read_until(peer, b"bye")


def test_transport_with_zero_limit_pauses_before_a_short_write_returns() -> None:
    """Handed-off connections rely on this, on both event loops: a pause at once, a resume after the last byte."""
    for make in (asyncio.new_event_loop, uvloop.new_event_loop):
        calls: list[str] = []

        class Recorder(asyncio.Protocol):
            def pause_writing(self) -> None:
                calls.append("paused")  # noqa: B023

            def resume_writing(self) -> None:
                calls.append("resumed")  # noqa: B023

        async def check() -> None:
            ours, theirs = socket.socketpair()
            theirs.setblocking(False)
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            transport.set_write_buffer_limits(high=0)
            transport.set_protocol(Recorder())
            transport.write(b"x")
            assert calls == []  # noqa: B023
            assert transport.get_write_buffer_size() == 0
            transport.write(b"x" * 5_000_000)
            assert calls == ["paused"]  # noqa: B023
            left = 5_000_001
            async with asyncio.timeout(30):
                while left:
                    try:
                        left -= len(theirs.recv(1 << 20))
                    except BlockingIOError:
                        await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)
            assert calls == ["paused", "resumed"]  # noqa: B023
            transport.close()
            theirs.close()
            await asyncio.sleep(0.01)

        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(check())
