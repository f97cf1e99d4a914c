"""A request gets the same answer however its bytes are split over the reads of its connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from server.transport.http.middleware import MAX_HEADER_BYTES
from server.uvicorn_server import StrictProtocol

LARGEST_READ = 256 * 1024  # of uvloop
HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
FIRST = HEAD + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1_000 + b"\r\n") * 100 + b"0\r\n\r\n"
ENDLESS = b"GET /x HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * (LARGEST_READ + 4 * MAX_HEADER_BYTES + 10)


class Connection(asyncio.Transport):
    """Keeps the bytes that the protocol writes."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """The test decides when the protocol gets bytes."""

    resume_reading = pause_reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing waits: the peer takes every byte."""

    def get_write_buffer_size(self) -> int:
        return 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a body of more than 64 KiB: one of a known length at once, another one when it has read too much."""
    length = int(dict(scope["headers"]).get(b"content-length", b"0"))
    more = length <= 65_536
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"] and length <= 65_536
    await send({"type": "http.response.start", "status": 413 if length > 65_536 else 200, "headers": []})
    await send({"type": "http.response.body", "body": b"."})


async def answers(reads: list[bytes]) -> list[int]:
    """Return the statuses of the answers to these reads of one connection. The application runs after each read."""
    config = uvicorn.Config(app, log_config=None, access_log=False)
    config.load()
    config.loaded_app = app
    config.head_seconds = config.body_seconds = config.stalled_seconds = config.silent_seconds = 30  # type: ignore[attr-defined]
    protocol, connection = StrictProtocol(config=config, server_state=ServerState(), app_state={}), Connection()
    protocol.connection_made(connection)
    for read in reads:
        if not connection.closed:
            protocol.data_received(read)
        for _ in range(5):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+)", connection.written)]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


def by_head(data: bytes, size: int) -> list[bytes]:
    """Split the head into reads of ``size`` bytes; the body is one read."""
    end = data.index(b"\r\n\r\n") + 4
    return [*pieces(data[:end], size), data[end:]]


SPLITS: dict[str, Callable[[bytes], list[bytes]]] = {
    "one read": lambda data: [data],
    "head and body": lambda data: by_head(data, 10_000),
    "each byte of the head": lambda data: by_head(data, 1),
    "head in pieces": lambda data: by_head(data, 7),
    "head with a part of the body": lambda data: [data[:5_000], data[5_000:]],
    **{f"reads of {size}": lambda data, size=size: pieces(data, size) for size in (100, 1_000, 4_096, 65_536)},  # type: ignore[misc]
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("request_bytes", [FIRST, CHUNKED], ids=["length", "chunks"])
async def test_too_large_body_is_refused_as_such(request_bytes: bytes, split: str) -> None:
    assert await answers(SPLITS[split](request_bytes)) == [413]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("size", [1, 60_000, 70_000, 200_000, 299_000])
async def test_rest_of_a_refused_body_does_not_count_for_the_next_request(size: int, split: str) -> None:
    """A client sends the next request when it has the refusal and the kernel has the rest of the refused body.

    A busy server reads both at once.
    """
    begin, rest = FIRST[:-size], FIRST[-size:]
    first, *others = SPLITS[split](CHUNKED)
    assert await answers([*pieces(begin, 65_536), rest + first, *others]) == [413, 413]


@pytest.mark.parametrize("size", [100, 1_000, 65_536, LARGEST_READ])
async def test_endless_head_is_refused_also_behind_another_request(size: int) -> None:
    first, *others = pieces(ENDLESS, size)
    assert await answers([first, *others]) == [431]
    begin, rest = FIRST[:-100_000], FIRST[-100_000:]
    assert await answers([begin, rest + first, *others]) == [413, 431]
    whole = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    assert await answers([whole, first, *others]) == [200, 431]
    assert await answers([whole + first, *others]) == [200, 431]


async def test_framing_of_a_body_has_a_bound() -> None:
    """Chunks of one byte with long extensions carry almost no content."""
    chunk = b"1;" + b"x" * 1_000 + b"\r\nx\r\n"
    assert (await answers(pieces(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 200, 50_000)))[-1] == 431
