"""The bus within one process."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.events import Recorded
from server.live.memory_bus import Exchange, MemoryBus
from tests.support.worlds import small_clinic


class Receiver:
    """Listens on a bus of its own, and keeps the events."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.bus = MemoryBus(exchange)
        self.received: list[tuple[int, str, list[Recorded]]] = []

    def receive(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        self.received.append((site_id, epoch, list(events)))

    async def listen(self, *site_ids: int) -> Receiver:
        await self.bus.start(self.receive, lambda: None)
        for site_id in site_ids:
            await self.bus.subscribe(site_id)
        return self


async def test_event_reaches_other_buses_and_not_the_sender() -> None:
    exchange = Exchange()
    one, two, three = [await Receiver(exchange).listen(7) for _ in range(3)]
    log = small_clinic().log
    one.bus.publish(7, "e1", log)
    assert one.received == []
    assert two.received == three.received == [(7, "e1", log)]
    assert two.received[0][2][0] is not log[0]  # encoded and decoded, as over a network


async def test_only_subscribed_buses_receive() -> None:
    exchange = Exchange()
    one, two = await Receiver(exchange).listen(7), await Receiver(exchange).listen(8)
    log = small_clinic().log
    one.bus.publish(7, "e1", log)
    assert two.received == []
    one.bus.publish(8, "e1", log)
    assert len(two.received) == 1
    await two.bus.unsubscribe(8)
    await two.bus.unsubscribe(8)
    one.bus.publish(8, "e1", log)
    assert len(two.received) == 1
    await two.bus.subscribe(7)
    one.bus.publish(7, "e1", log)
    assert len(two.received) == 2


async def test_stopped_bus_receives_nothing() -> None:
    exchange = Exchange()
    one, two = await Receiver(exchange).listen(7), await Receiver(exchange).listen(7)
    await two.bus.stop()
    one.bus.publish(7, "e1", small_clinic().log)
    assert two.received == []


async def test_single_bus_is_healthy_and_silent() -> None:
    one, two = await Receiver().listen(7), await Receiver().listen(7)
    one.bus.publish(7, "e1", small_clinic().log)
    assert two.received == []
    assert one.bus.healthy
