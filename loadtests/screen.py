"""The cells of a screen and the proof of their truth. The module follows the description of the stream, not the server's
code, so that the two can disagree."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its name, its id (None if it has none), and its object."""

    name: str
    id: str | None
    data: dict[str, Any]


class EventParser:
    """Turns the bytes of an event stream into events; chunks may be cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that ``chunk`` completes. A ``retry`` or a comment alone is no event."""
        blocks = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            fields: dict[str, list[str]] = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            if "data" in fields:
                ids = fields.get("id", [])
                yield Event(
                    fields.get("event", ["message"])[-1],
                    ids[-1] if ids else None,
                    json.loads("\n".join(fields["data"])),
                )


class Untrue(Exception):
    """The stream broke its law: its messages and the resulting cells differ."""


@dataclass(slots=True)
class Screen:
    """The cells of one view, as one screen knows them.

    Times are seconds since 1970 on the screen's clock, which must agree with the server's.
    """

    id: str | None = None
    seq: int = 0
    heartbeat_seconds: float = 15.0
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    _digests: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> list[dict[str, Any]]:
        """Apply an event; return its new announcements.

        A snapshot announces nothing. Raises `Untrue` for an event with an earlier number than the last one, or with a digest
        that differs from the cells.
        """
        if event.name not in ("snapshot", "change", "heartbeat"):
            return []
        seq = int(event.data["seq"])
        if event.id is not None and self.id is not None and _epoch(event.id) == _epoch(self.id) and seq < self.seq:
            raise Untrue(f"{event.name} went back from {self.seq} to {seq}")
        self.id, self.seq = event.id, seq
        if event.name == "heartbeat":
            self._compare(int(event.data["digest"]))
            return []
        if event.name == "snapshot":
            self.heartbeat_seconds = event.data.get("heartbeat_ms", self.heartbeat_seconds * 1000) / 1000
            self.cells.clear()
            self._digests.clear()
            self._set(event.data["cells"])
            return []
        for key in event.data["del"]:
            self.cells.pop(key, None)
            self._digests.pop(key, None)
        fresh = [
            cell
            for key, cell in event.data["set"].items()
            if key.startswith("announcement:") and self.cells.get(key, {}).get("at") != cell["at"]
        ]
        self._set(event.data["set"])
        return fresh

    def _set(self, cells: dict[str, dict[str, Any]]) -> None:
        for key, cell in cells.items():
            self.cells[key] = cell
            content = json.dumps(cell, separators=(",", ":"), ensure_ascii=False).encode()
            self._digests[key] = zlib.crc32(content, zlib.crc32(key.encode()))

    def _compare(self, theirs: int) -> None:
        ours = 0
        for each in self._digests.values():
            ours ^= each
        if ours != theirs:
            raise Untrue(f"at {self.seq} the cells give {ours}, the heartbeat says {theirs}")


def _epoch(event_id: str) -> str:
    return event_id.partition(".")[0]
