"""The four messages of the stream, encoded. Their names and layouts are defined here and nowhere else.

A payload is JSON in bytes, encoded once and framed by each transport (`server.transport.streams.framing`).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

RETRY_MILLISECONDS = 5_000
# Why a stream ends. After a final reason a client does not come back: it would be refused, or get the same end.
Reason = Literal["age", "drain", "ended", "over-cap", "revoked", "role", "slow"]
REASONS: tuple[Reason, ...] = get_args(Reason)
FINAL: frozenset[str] = frozenset({"ended", "revoked"})
DRAIN_RETRY_MILLISECONDS = 1_000  # short: another process is ready, or is soon


Now = Callable[[], int]  # the server's time in microseconds since 1970; messages carry milliseconds


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, its resume id (None for a ``bye``), and its JSON object."""

    kind: Literal["snapshot", "change", "heartbeat", "bye"]
    id: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a screen: history, layout of the view, log number. Its text is ``{epoch}.{shape}.{seq}``."""

    epoch: str
    shape: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.shape}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Return the position in ``text``, or None if the text is not valid: such a screen gets a snapshot."""
        epoch, _, rest = text.partition(".")
        shape, _, seq = rest.partition(".")
        if not (epoch and shape and seq.isascii() and seq.isdigit() and len(seq) <= 16):
            return None
        return cls(epoch, shape, int(seq))


def encode(cell: Mapping[str, Any]) -> bytes:
    """Return a cell's compact JSON, for keeping.

    The bytes are a copy, because an object that orjson returns holds the kilobytes of its write buffer.
    """
    return b"%b" % orjson.dumps(cell)


def digest_of(key: str, content: bytes) -> int:
    """Return a cell's share of the view's digest: the CRC-32 of the key followed by the cell's compact JSON."""
    return zlib.crc32(content, zlib.crc32(key.encode()))


def snapshot(at: Position, cells: bytes, heartbeat_seconds: float, now_milliseconds: int) -> Message:
    """Return a snapshot, which replaces the screen's state: all cells (`joined`), the server's time, the interval of
    heartbeats."""
    heartbeat_milliseconds = round(heartbeat_seconds * 1000)
    body = b'{"seq":%d,"at":%d,"heartbeat_ms":%d,"cells":%b}' % (
        at.seq,
        now_milliseconds,
        heartbeat_milliseconds,
        cells,
    )
    return Message("snapshot", str(at), body)


def change(at: Position, changed: Iterable[tuple[str, bytes]], gone: list[str]) -> Message:
    """Return a change: the cells that are new or different, and the keys of removed cells."""
    body = b'{"seq":%d,"set":%b,"del":%b}' % (at.seq, joined(changed), orjson.dumps(gone))
    return Message("change", str(at), body)


def change_around(at: Position, key: str) -> tuple[bytes, bytes]:
    """Return the bytes before and after the content of a `change` of one cell. Built once, they serve many screens."""
    return b'{"seq":%d,"set":{"%b":' % (at.seq, key.encode()), b'},"del":[]}'


def heartbeat(at: Position, now_milliseconds: int, digest: int) -> Message:
    """Return a heartbeat: the server's time, and the digest that the screen's cells must have."""
    return Message("heartbeat", str(at), b'{"seq":%d,"at":%d,"digest":%d}' % (at.seq, now_milliseconds, digest))


def bye(reason: str) -> Message:
    """Return a bye, the last message of a stream. Its ``retry_ms`` is random, so that not all screens come back at once."""
    usual = DRAIN_RETRY_MILLISECONDS if reason == "drain" else RETRY_MILLISECONDS
    return Message("bye", None, orjson.dumps({"retry_ms": jittered_retry(usual), "reason": reason}))


def jittered_retry(usual: int = RETRY_MILLISECONDS) -> int:
    """Return a random reconnection delay between half and one and a half of ``usual``, in milliseconds."""
    return random.randint(usual // 2, usual * 3 // 2)  # nosec B311 # spreads load, keeps no secret


def joined(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the JSON object of these keys and encoded cells."""
    return b"{" + b",".join(b'"' + key.encode() + b'":' + content for key, content in pairs) + b"}"
