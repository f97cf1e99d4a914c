"""Hubs of several processes on one exchange, and streams of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from server.domain.commands import IssueTicket
from server.domain.views import DeskView, View
from server.live.admission import Limits
from server.live.bus import GapListener, Listener
from server.live.hub import Hub
from server.live.memory_bus import Exchange, MemoryBus
from server.live.messages import Message, Position
from server.live.stream import Stream
from tests.support.message_screen import Screen
from tests.support.worlds import SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)
HEARTBEAT = 0.05
ROOMY = Limits(1000, 1000, 1000, 1000)


class NotingBus(MemoryBus):
    """A bus that can report a gap, and notes every subscription."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        super().__init__(exchange)
        self.gap: GapListener = lambda: None
        self.subscribed: list[str] = []

    async def start(self, listener: Listener, on_gap: GapListener) -> None:
        self.gap = on_gap
        await super().start(listener, on_gap)

    async def subscribe(self, site_id: int) -> None:
        self.subscribed.append(f"+{site_id}")
        await super().subscribe(site_id)

    async def unsubscribe(self, site_id: int) -> None:
        self.subscribed.append(f"-{site_id}")
        await super().unsubscribe(site_id)


class Processes:
    """A world, a loader that reads its log, and the hubs of several processes on one exchange."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.queue_id = min(self.world.board.queues)
        self.loader = LogLoader(self.world)
        self.exchange = Exchange()
        self.hubs: list[Hub] = []
        self.buses: list[NotingBus] = []

    async def hub(self, limits: Limits = ROOMY, heartbeat: float = HEARTBEAT) -> Hub:
        """Start the hub of one more process."""
        self.buses.append(NotingBus(self.exchange))
        hub = Hub(self.loader, self.buses[-1], heartbeat, limits)
        await hub.start()
        self.hubs.append(hub)
        return hub

    def ticket(self, hub: Hub | None = None) -> None:
        """Issue a ticket, and publish it in one process. Without a hub it is committed, and the message is lost."""
        recorded = self.world.do(IssueTicket(queue_id=self.queue_id))
        if hub is not None:
            hub.publish(SITE_ID, self.world.board.site.epoch, recorded)

    async def stop(self) -> None:
        """Stop every hub."""
        self.loader.gate.set()
        for hub in self.hubs:
            await hub.stop()


async def enrol(
    hub: Hub,
    view: View = DESK,
    since: Position | None = None,
    address: str = "a",
    token: str = "t",
    site_id: int = SITE_ID,
    member: str | None = None,
) -> Stream:
    async with asyncio.timeout(3):
        return await hub.enrol(site_id, view, since, address=address, token=token, member=member)


async def read(messages: AsyncIterator[Message], within: float = 3.0) -> Message:
    async with asyncio.timeout(within):
        return await anext(messages)


async def read_until(screen: Screen, messages: AsyncIterator[Message], seq: int, within: float = 3.0) -> None:
    """Read until the screen shows the log number ``seq``."""
    async with asyncio.timeout(within):
        while screen.position is None or screen.position.seq < seq:
            screen.hear(await anext(messages))


async def until(holds: Callable[[], bool], within: float = 3.0) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)
