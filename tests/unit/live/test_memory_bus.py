"""The bus within one process."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.events import Recorded
from server.live.memory_bus import Exchange, MemoryBus
from tests.support.worlds import small_clinic


class Ear:
    """Listens on a bus of its own, and keeps what it hears."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.bus = MemoryBus(exchange)
        self.heard: list[tuple[int, str, list[Recorded]]] = []

    def hear(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        self.heard.append((site_id, epoch, list(events)))

    async def listen(self, *site_ids: int) -> Ear:
        await self.bus.start(self.hear, lambda: None)
        for site_id in site_ids:
            await self.bus.subscribe(site_id)
        return self


async def test_others_hear_and_oneself_does_not() -> None:
    exchange = Exchange()
    one, two, three = [await Ear(exchange).listen(7) for _ in range(3)]
    log = small_clinic().log
    one.bus.publish(7, "e1", log)
    assert one.heard == []
    assert two.heard == three.heard == [(7, "e1", log)]
    assert two.heard[0][2][0] is not log[0]  # encoded and decoded, as over a wire


async def test_only_who_listens_to_the_site_hears() -> None:
    exchange = Exchange()
    one, two = await Ear(exchange).listen(7), await Ear(exchange).listen(8)
    log = small_clinic().log
    one.bus.publish(7, "e1", log)
    assert two.heard == []
    one.bus.publish(8, "e1", log)
    assert len(two.heard) == 1
    await two.bus.unsubscribe(8)
    await two.bus.unsubscribe(8)
    one.bus.publish(8, "e1", log)
    assert len(two.heard) == 1
    await two.bus.subscribe(7)
    one.bus.publish(7, "e1", log)
    assert len(two.heard) == 2


async def test_who_has_stopped_hears_no_more() -> None:
    exchange = Exchange()
    one, two = await Ear(exchange).listen(7), await Ear(exchange).listen(7)
    await two.bus.stop()
    one.bus.publish(7, "e1", small_clinic().log)
    assert two.heard == []


async def test_a_bus_alone_is_healthy_and_silent() -> None:
    one, two = await Ear().listen(7), await Ear().listen(7)
    one.bus.publish(7, "e1", small_clinic().log)
    assert two.heard == []
    assert one.bus.healthy
