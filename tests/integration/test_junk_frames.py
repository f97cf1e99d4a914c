"""WebSockets that send what is no WebSocket, or no message: each is closed, and touches nothing else."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from server.seeding import Seed
from tests.support.screens import Screen, websocket
from tests.support.server import Server, environment, seed, serving
from tests.support.streams import head

TEXT, BINARY, CONTINUED, CLOSE, PING = 0x1, 0x2, 0x0, 0x8, 0x9
# uvicorn's own way to close may take from a peer that still sends what it was told.
PORTABLE = os.environ.get("NOWSERVING_TEST_HAND_OFF") == "off"
MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """Return a frame as a client sends it, or as none may."""
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
    "a length that nobody has": struct.pack("!BBQ", 0x81, 0xFF, 1 << 62) + MASK,
    "a negative length": struct.pack("!BBQ", 0x81, 0xFF, (1 << 64) - 1) + MASK,
    "continued before it began": frame(CONTINUED, b"x"),
    "begun twice": frame(TEXT, b"x", final=False) + frame(TEXT, b"y"),
    "an opcode that there is not": frame(0x3, b"x"),
    "a control opcode that there is not": frame(0xB, b"x"),
    "reserved bits": frame(TEXT, b'{"type":"ack","seq":1}', reserved=4),
    "unmasked": frame(TEXT, b'{"type":"ack","seq":1}', masked=False),
    "a ping in fragments": frame(PING, b"x", final=False),
    "a ping too long": frame(PING, b"x" * 200),
    "a close of one byte": frame(CLOSE, b"\x03"),
    "a close with a code that there is not": frame(CLOSE, struct.pack("!H", 1005)),
    "no frames at all": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20,
    "the same word a thousand times": frame(TEXT, b'{"type":"disagreement","seq":1}') * 1000,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Seed]]:
    folder = tmp_path_factory.mktemp("junk")
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS="0.3")
    seeded = seed(env, points=1, tickets=2, displays=1)
    with serving(env, folder) as server:
        yield server, seeded


@pytest.fixture(scope="module")
def bystander(house: tuple[Server, Seed]) -> Iterator[Screen]:
    """A screen that follows the same display all the while."""
    server, seeded = house
    display = seeded["displays"][0]
    with websocket(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen:
        screen.wait(lambda each: each.cells)
        yield screen


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_closed_and_touches_nothing_else(house: tuple[Server, Seed], bystander: Screen, junk: str) -> None:
    server, seeded = house
    display = seeded["displays"][0]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
        peer.sendall(head(f"/live/displays/{display['id']}", display["token"], websocket=True))
        received = b""
        while b'"type":"snapshot"' not in received:
            received += peer.recv(65536)
        told = b""
        try:
            peer.sendall(JUNK[junk])
            while chunk := peer.recv(65536):  # to the end, which must come: the socket's limit is ten seconds of silence
                told += chunk
        except (BrokenPipeError, ConnectionResetError):
            assert PORTABLE, "a line hangs up so that the peer can read why"
        else:
            assert 0x88 in told[-125:], "it is told why"
    beats = bystander.kinds().count("heartbeat")
    bystander.wait(lambda each: each.kinds().count("heartbeat") > beats, 10, "a heartbeat")
    assert not bystander.ended
    assert bystander.disagreed == []
    assert "Traceback" not in server.log.read_text()


def test_what_is_in_order_is_not_closed(house: tuple[Server, Seed], bystander: Screen) -> None:
    """A message in fragments with a ping in between, and a goodbye that is answered."""
    server, seeded = house
    display = seeded["displays"][0]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
        peer.sendall(head(f"/live/displays/{display['id']}", display["token"], websocket=True))
        received = b""
        while b'"type":"snapshot"' not in received:
            received += peer.recv(65536)
        peer.sendall(frame(TEXT, b'{"type":"ack",', final=False) + frame(PING, b"there?") + frame(CONTINUED, b'"seq":1}'))
        while received.count(b'"type":"heartbeat"') < 3:
            received += peer.recv(65536)
        assert b"\x8a\x06there?" in received
        peer.sendall(frame(CLOSE, struct.pack("!H", 1000)))
        while chunk := peer.recv(65536):
            received += chunk
        assert b"\x88\x02\x03\xe8" in received
    assert not bystander.ended
