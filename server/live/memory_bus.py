"""A bus within one process: the production bus of a single server process, and of tests with several hubs."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.events import Recorded
from server.live.bus import GapListener, Listener, decode, encode


class Exchange:
    """Connects the memory buses of one process."""

    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []


class MemoryBus:
    """One bus on an `Exchange`. Events are encoded as over Redis, and arrive at once."""

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
