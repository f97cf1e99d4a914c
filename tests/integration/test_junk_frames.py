"""WebSocket clients that send invalid frames or messages: the server closes each one and disturbs no other client."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from server.seeding import Seed
from tests.support.screens import Screen, websocket
from tests.support.server import Server, environment, seed, serving
from tests.support.streams import head

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
# When uvicorn closes a connection, a peer that still sends may lose the bytes that it has not read.
PORTABLE = os.environ.get("NOWSERVING_TEST_HAND_OFF") == "off"
MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """Return a frame, also one that a client may not send."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        length = struct.pack("!BB", first, bit | len(payload))
    elif len(payload) < 1 << 16:
        length = struct.pack("!BBH", first, bit | 126, len(payload))
    else:
        length = struct.pack("!BBQ", first, bit | 127, len(payload))
    if not masked:
        return length + payload
    return length + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


JUNK = {
    "bad UTF-8": frame(TEXT, b'{"type":"\xff\xfe"}'),
    "bad UTF-8 in the second half": frame(TEXT, b"\xc3", final=False) + frame(CONTINUED, b"\x28"),
    "no JSON": frame(TEXT, b"{" * 1000),
    "deep JSON": frame(TEXT, b"[" * 60_000),
    "binary": frame(BINARY, b'{"type":"ack","seq":1}'),
    "huge": frame(TEXT, b"x" * 200_000),
    "huge, in fragments": b"".join(
        [frame(TEXT, b"x" * 30_000, final=False), *[frame(CONTINUED, b"x" * 30_000, final=False)] * 9]
    ),
    "an impossible length": struct.pack("!BBQ", 0x81, 0xFF, 1 << 62) + MASK,
    "a negative length": struct.pack("!BBQ", 0x81, 0xFF, (1 << 64) - 1) + MASK,
    "a continuation without a beginning": frame(CONTINUED, b"x"),
    "a second beginning": frame(TEXT, b"x", final=False) + frame(TEXT, b"y"),
    "an unknown opcode": frame(0x3, b"x"),
    "an unknown control opcode": frame(0xB, b"x"),
    "reserved bits": frame(TEXT, b'{"type":"ack","seq":1}', reserved=4),
    "unmasked": frame(TEXT, b'{"type":"ack","seq":1}', masked=False),
    "a ping in fragments": frame(PING, b"x", final=False),
    "a ping too long": frame(PING, b"x" * 200),
    "a close of one byte": frame(CLOSE, b"\x03"),
    "a close with an invalid code": frame(CLOSE, struct.pack("!H", 1005)),
    "no frames at all": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20,
    "a thousand equal messages": frame(TEXT, b'{"type":"disagreement","seq":1}') * 1000,
    "300,000 empty fragments": frame(TEXT, b"{", final=False) + frame(CONTINUED, final=False) * 300_000,
    "a thousand pings": frame(PING, b"x" * 125) * 1000,
    "a thousand pongs": frame(PONG) * 1000,
    "fragments, pings and pongs in turn": frame(TEXT, b"{", final=False)
    + (frame(CONTINUED, final=False) + frame(PING) + frame(PONG)) * 40,
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Seed]]:
    folder = tmp_path_factory.mktemp("junk")
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS="0.3")
    seeded = seed(env, points=1, tickets=2, displays=1)
    with serving(env, folder) as server:
        yield server, seeded


@pytest.fixture(scope="module")
def bystander(installation: tuple[Server, Seed]) -> Iterator[Screen]:
    """A screen that follows the same display during all tests."""
    server, seeded = installation
    display = seeded["displays"][0]
    with websocket(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen:
        screen.wait(lambda each: each.cells)
        yield screen


@contextmanager
def opened(installation: tuple[Server, Seed]) -> Iterator[socket.socket]:
    """Yield a raw connection whose WebSocket of a display has received its snapshot."""
    server, seeded = installation
    display = seeded["displays"][0]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        peer.sendall(head(f"/live/displays/{display['id']}", display["token"], websocket=True))
        received = b""
        while b'"type":"snapshot"' not in received:
            received += peer.recv(65536)
        yield peer


@pytest.mark.parametrize("junk", JUNK)
def test_junk_closes_only_its_own_connection(installation: tuple[Server, Seed], bystander: Screen, junk: str) -> None:
    with opened(installation) as peer:
        answer = b""
        try:
            peer.sendall(JUNK[junk])
            while chunk := peer.recv(65536):  # until the server closes; the socket raises after a minute without data
                answer += chunk
        except (BrokenPipeError, ConnectionResetError):
            assert PORTABLE, "the server reset the connection, so that the peer cannot read the close code"
        else:
            assert 0x88 in answer[-125:], "the answer contains no close frame"
    beats = bystander.kinds().count("heartbeat")
    bystander.wait(lambda each: each.kinds().count("heartbeat") > beats, what="a heartbeat")
    assert not bystander.ended
    assert bystander.disagreed == []
    assert "Traceback" not in installation[0].log.read_text()


def test_valid_fragments_ping_and_close_are_accepted(installation: tuple[Server, Seed], bystander: Screen) -> None:
    """The client sends a message in fragments with a ping in between, then a close frame, and the server answers both."""
    with opened(installation) as peer:
        peer.sendall(frame(TEXT, b'{"type":"ack",', final=False) + frame(PING, b"there?") + frame(CONTINUED, b'"seq":1}'))
        received = b""
        while received.count(b'"type":"heartbeat"') < 3:
            received += peer.recv(65536)
        assert b"\x8a\x06there?" in received
        peer.sendall(frame(CLOSE, struct.pack("!H", 1000)))
        while chunk := peer.recv(65536):
            received += chunk
        assert b"\x88\x02\x03\xe8" in received
    assert not bystander.ended


def test_unsolicited_pongs_count_also_one_by_one(installation: tuple[Server, Seed], bystander: Screen) -> None:
    server, seeded = installation
    display = seeded["displays"][0]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(head(f"/live/displays/{display['id']}", display["token"], websocket=True))
        received = b""
        while b'"type":"snapshot"' not in received:
            received += peer.recv(65536)
        closed = False
        for _ in range(3_000):
            try:
                peer.sendall(frame(PONG))
            except (BrokenPipeError, ConnectionResetError):
                closed = True
                break
            time.sleep(0.001)
        assert closed, "3,000 pongs were accepted"
    assert not bystander.ended


def test_answered_pings_cost_none_of_the_budget(installation: tuple[Server, Seed]) -> None:
    """The screen answers each ping of the server, and also sends as many frames as it may."""
    with opened(installation) as peer:
        peer.sendall(frame(TEXT, b'{"type":"ack","seq":1}') * 95)
        answered = 0
        while answered < 12:
            data = peer.recv(65536)
            assert data, "the server closed the connection"
            assert b"bad_request" not in data
            for _ in range(data.count(b"\x89\x00")):
                peer.sendall(frame(PONG))
                answered += 1
