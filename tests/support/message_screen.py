"""A screen without a network: it applies messages to its cells, and uses no other source."""

from __future__ import annotations

import json
import zlib
from typing import Any

from server.live.messages import Message, Position


def compact(value: object) -> bytes:
    """Return compact JSON, as ``JSON.stringify`` writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def digest(cells: dict[str, Any]) -> int:
    """Return the digest of cells, as live-protocol.md defines it: the XOR of the CRC-32 of each key and compact JSON."""
    total = 0
    for key, content in cells.items():
        total ^= zlib.crc32(key.encode() + compact(content))
    return total


class Screen:
    """Applies messages to cells, and checks every heartbeat's digest."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.position: Position | None = None
        self.kinds: list[str] = []
        self.beats = 0

    def hear(self, message: Message) -> None:
        """Apply one message."""
        body = json.loads(message.payload)
        self.kinds.append(message.kind)
        match message.kind:
            case "snapshot":
                self.cells = body["cells"]
            case "change":
                assert not set(body["set"]) & set(body["del"])
                self.cells.update(body["set"])
                for key in body["del"]:
                    self.cells.pop(key, None)
            case "heartbeat":
                self.beats += 1
                assert body["digest"] == digest(self.cells)
            case "bye":
                return
        assert message.id is not None
        self.position = Position.parse(message.id)
        assert self.position is not None
        assert self.position.seq == body["seq"]
