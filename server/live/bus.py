"""The bus: processes hint to each other that a site's log has grown. The log is the truth; a lost hint costs a second.

Channel names and payloads are built here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import orjson

from server.domain.events import Recorded, body_of, event_from

Listener = Callable[[int, str, Sequence[Recorded]], None]
GapListener = Callable[[], None]
_CHANNEL = "nowserving:site:"


class Bus(Protocol):
    """Carries events between processes; any of them may be lost, repeated or out of order."""

    @property
    def healthy(self) -> bool:
        """Whether a message has come through lately."""

    async def start(self, listener: Listener, on_gap: GapListener) -> None:
        """Start to deliver to ``listener``. Call ``on_gap`` whenever messages may be lost."""

    async def stop(self) -> None:
        """Stop delivering, and close every connection."""

    def publish(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        """Send events to every process that is subscribed to the site. Never block or raise: a full or broken bus drops."""

    async def subscribe(self, site_id: int) -> None:
        """Receive the events of a site. Returns within a moment, even if the bus is away."""

    async def unsubscribe(self, site_id: int) -> None:
        """Stop receiving the events of a site."""


def channel(site_id: int) -> str:
    """Return the name of a site's channel."""
    return f"{_CHANNEL}{site_id}"


def site_of_channel(name: str) -> int:
    """Return the id of the site whose channel has this name. Raises `ValueError` for any other name."""
    return int(name.removeprefix(_CHANNEL))


def encode(epoch: str, events: Sequence[Recorded]) -> bytes:
    """Return the payload of events. It holds personal data only as ciphertext."""
    return orjson.dumps(
        [
            epoch,
            [
                [e.seq, e.at, e.actor, e.event.name_on_wire(), body_of(e.event), getattr(e.event, "sealed", None)]
                for e in events
            ],
        ]
    )


def decode(payload: bytes) -> tuple[str, list[Recorded]]:
    """Return the epoch and the events of a payload. Raises `ValueError`, `KeyError` or `TypeError` for a foreign one."""
    epoch, rows = orjson.loads(payload)
    return epoch, [Recorded(seq, at, actor, event_from(name, body, sealed)) for seq, at, actor, name, body, sealed in rows]
