"""A bus within one process: the real thing for one server process, and for tests with several feeds in one."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.events import Recorded
from server.live.bus import GapListener, Listener, decode, encode


class Exchange:
    """What the memory buses of one process have in common: who listens to what."""

    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []


class MemoryBus:
    """One party on an `Exchange`. Events go through the same encoding as over Redis, and arrive at once."""

    healthy = True

    def __init__(self, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or Exchange()
        self._sites: set[int] = set()
        self._listener: Listener | None = None

    async def start(self, listener: Listener, on_gap: GapListener) -> None:
        self._listener = listener
        self._exchange.buses.append(self)

    async def stop(self) -> None:
        self._exchange.buses.remove(self)

    def publish(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        others = [bus for bus in self._exchange.buses if bus is not self and site_id in bus._sites]
        if others:
            payload = encode(epoch, events)
            for bus in others:
                assert bus._listener is not None
                bus._listener(site_id, *decode(payload))

    async def subscribe(self, site_id: int) -> None:
        self._sites.add(site_id)

    async def unsubscribe(self, site_id: int) -> None:
        self._sites.discard(site_id)
