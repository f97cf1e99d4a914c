"""The four messages of the stream, as they are written. Their names and layouts are made here and nowhere else.

A payload is JSON in bytes, encoded once and framed by each transport (`server.transport.streams.sse`, `.websocket`).
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

RETRY_MILLISECONDS = 5_000
# Why a stream ends. After the final ones there is nothing to come back for: who asks again is refused, or shown the same.
Reason = Literal["age", "drain", "ended", "over-cap", "revoked", "role", "slow"]
REASONS: tuple[Reason, ...] = get_args(Reason)
FINAL: frozenset[str] = frozenset({"ended", "revoked"})
DRAIN_RETRY_MILLISECONDS = 1_000  # another process is ready, or soon will be: a screen should not stand still for long


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, the resume id it carries (None for a ``bye``), and its JSON object."""

    kind: Literal["snapshot", "change", "heartbeat", "bye"]
    id: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a screen is: which history, which layout, and how far. Its text is ``{epoch}.{shape}.{seq}``."""

    epoch: str
    shape: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.shape}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Return the position that ``text`` names, or None if it is none of ours: such a screen gets a snapshot."""
        epoch, _, rest = text.partition(".")
        shape, _, seq = rest.partition(".")
        if not (epoch and shape and seq.isascii() and seq.isdigit() and len(seq) <= 16):
            return None
        return cls(epoch, shape, int(seq))


def encode(cell: Mapping[str, Any]) -> bytes:
    """Return a cell's compact JSON, to be kept.

    What orjson returns keeps the kilobytes that it was written into: no harm in what is sent at once, but in what stays.
    """
    return b"%b" % orjson.dumps(cell)


def digest_of(key: str, content: bytes) -> int:
    """Return one cell's part of a view's digest: the CRC-32 of the key followed by the cell's compact JSON."""
    return zlib.crc32(content, zlib.crc32(key.encode()))


def snapshot(at: Position, cells: Mapping[str, bytes], heartbeat_seconds: float, now_milliseconds: int) -> Message:
    """All cells: replaces what the screen knows. It also says the server's time, and how often to expect a heartbeat."""
    heartbeat_milliseconds = round(heartbeat_seconds * 1000)
    body = b'{"seq":%d,"at":%d,"heartbeat_ms":%d,"cells":%b}' % (
        at.seq,
        now_milliseconds,
        heartbeat_milliseconds,
        _object(cells.items()),
    )
    return Message("snapshot", str(at), body)


def change(at: Position, changed: Iterable[tuple[str, bytes]], gone: list[str]) -> Message:
    """The cells that are new or other than before, and the keys of those that are gone."""
    body = b'{"seq":%d,"set":%b,"del":%b}' % (at.seq, _object(changed), orjson.dumps(gone))
    return Message("change", str(at), body)


def change_around(at: Position, key: str) -> tuple[bytes, bytes]:
    """What stands before and after the content of a `change` of one cell, made once where many have one of their own."""
    return b'{"seq":%d,"set":{"%b":' % (at.seq, key.encode()), b'},"del":[]}'


def heartbeat(at: Position, now_milliseconds: int, digest: int) -> Message:
    """A sign of life on a quiet view, the server's time, and the digest the screen's own cells must have."""
    return Message("heartbeat", str(at), b'{"seq":%d,"at":%d,"digest":%d}' % (at.seq, now_milliseconds, digest))


def bye(reason: str) -> Message:
    """The last message of a stream: come back after ``retry_ms``, spread so that not all come at once."""
    usual = DRAIN_RETRY_MILLISECONDS if reason == "drain" else RETRY_MILLISECONDS
    return Message("bye", None, orjson.dumps({"retry_ms": jittered_retry(usual), "reason": reason}))


def jittered_retry(usual: int = RETRY_MILLISECONDS) -> int:
    """Return a reconnection delay in milliseconds, spread over half to one and a half of the ``usual`` one."""
    return random.randint(usual // 2, usual * 3 // 2)


def now_milliseconds() -> int:
    """Return the server's clock as messages tell it."""
    return time.time_ns() // 1_000_000


def _object(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(b'"' + key.encode() + b'":' + content for key, content in pairs) + b"}"
