"""The health of devices: lasting transitions are reported once, short ones not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from server.domain.commands import AddKiosk
from server.domain.errors import Unavailable
from server.domain.events import KioskAdded
from server.domain.views import DisplayView, KioskView
from server.live import devices
from server.live.devices import Devices, Health
from server.live.hub import Hub
from server.live.stream import Stream
from server.live.streams import Painted
from tests.support.worlds import SITE_ID
from tests.unit.live.hubs import Processes, enrol, until

LOOK, STEADY, ALLOWANCE = 0.01, 0.3, 5.0
SILENT = 0.4


class Hall:
    """The hub of one process, and the reports on its one display."""

    def __init__(self, processes: Processes, hub: Hub) -> None:
        self.processes = processes
        self.hub = hub
        self.error: Exception | None = None
        self.attempts = 0
        self.reports: list[Health] = []
        self.devices = Devices(hub, self._report, LOOK, STEADY, report_seconds=ALLOWANCE)
        (display,) = processes.world.board.displays.values()
        self.display_id, self._token_hash = display.id, display.token_hash
        self.subject = f"display:{display.id}"

    async def _report(self, health: Health) -> None:
        self.attempts += 1
        if self.error is not None:
            raise self.error
        self.reports.append(health)
        records = self.hub.board(SITE_ID)
        assert records is not None
        display = records.displays[health.device_id]
        records.displays[health.device_id] = replace(display, connected=bool(health.connected))

    async def open(self) -> Stream:
        name = self.subject
        return await self.hub.enrol(
            SITE_ID, DisplayView(), None, address="a", token=name, proof=self._token_hash, subject=name
        )

    def health(self, connected: bool | None, muted: bool | None = None, lag: int | None = None) -> Health:
        return Health(self.subject, connected, muted, None, lag)


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    processes = Processes()
    hall = Hall(processes, await processes.hub(heartbeat=60))
    running = asyncio.create_task(hall.devices.run())
    yield hall
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await processes.stop()


async def test_connection_and_loss_are_reported_once_each(hall: Hall) -> None:
    stream = await hall.open()
    await until(lambda: hall.reports == [hall.health(True)])
    await asyncio.sleep(2 * STEADY)
    hall.hub.leave(stream)
    await until(lambda: hall.reports == [hall.health(True), hall.health(False)])
    await asyncio.sleep(2 * STEADY)
    assert hall.attempts == 2


async def test_short_loss_is_not_reported(hall: Hall) -> None:
    stream = await hall.open()
    await until(lambda: len(hall.reports) == 1)
    hall.hub.leave(stream)
    await asyncio.sleep(STEADY / 4)
    await hall.open()
    await asyncio.sleep(3 * STEADY)
    assert False not in [report.connected for report in hall.reports]


async def test_acknowledgement_reports_lag_and_sound(hall: Hall) -> None:
    stream = await hall.open()
    hall.hub.acknowledged(hall.subject, Painted(stream.changed_at, muted=True))
    await until(lambda: hall.reports == [hall.health(True, muted=True, lag=0)])


async def test_number_above_the_feed_counts_as_the_last_one(hall: Hall) -> None:
    stream = await hall.open()
    hall.hub.acknowledged(hall.subject, Painted(2**53))
    await until(lambda: hall.reports == [hall.health(True, lag=0)])
    hall.processes.ticket(hall.hub)
    await until(lambda: stream.changed_at == hall.processes.world.board.site.seq)
    await until(lambda: bool(hall.devices._known[hall.subject].behind_since))  # it is behind, whatever it claimed


async def test_display_that_flips_its_sound_is_reported_rarely(hall: Hall) -> None:
    stream = await hall.open()
    muted = False
    reported_at: list[float] = []
    async with asyncio.timeout(30):
        while len(reported_at) < 4:
            muted = not muted
            hall.hub.acknowledged(hall.subject, Painted(stream.changed_at, muted))
            await asyncio.sleep(STEADY + 5 * LOOK)
            reported_at += [time.monotonic()] * (len(hall.reports) - len(reported_at))
    assert reported_at[3] - reported_at[0] > 0.8 * ALLOWANCE  # three at once, then one by one
    assert hall.reports[3].muted == muted  # the last value


async def test_failed_report_is_repeated(hall: Hall) -> None:
    hall.error = Unavailable()
    await hall.open()
    await until(lambda: hall.attempts > 1)
    assert hall.reports == []
    hall.error = None
    await until(lambda: hall.reports == [hall.health(True)])


async def test_streams_of_other_views_are_ignored(hall: Hall) -> None:
    await enrol(hall.hub)
    await asyncio.sleep(2 * STEADY)
    assert hall.attempts == 0


async def test_kiosk_that_falls_silent_is_reported_within_25_seconds() -> None:
    """The kiosk's connection stays open, as it does when its cable is pulled. An acknowledgement makes it live again."""
    assert devices.SILENT_SECONDS + devices.STEADY_SECONDS + 2 * devices.LOOK_SECONDS < 25
    processes = Processes()
    event = processes.world.do(AddKiosk(site_id=SITE_ID, name="Door"))[-1].event
    assert isinstance(event, KioskAdded)
    hub = await processes.hub(heartbeat=60)
    subject, reports = f"kiosk:{event.kiosk_id}", list[Health]()

    async def report(health: Health) -> None:
        reports.append(health)
        board = hub.board(SITE_ID)
        assert board is not None
        board.kiosks[health.device_id] = replace(board.kiosks[health.device_id], connected=bool(health.connected))

    watched = Devices(hub, report, LOOK, 5 * LOOK, report_seconds=ALLOWANCE, silent_seconds=SILENT)
    running = asyncio.create_task(watched.run())
    try:
        proof = processes.world.board.kiosks[event.kiosk_id].token_hash
        view = KioskView(event.kiosk_id)
        stream = await hub.enrol(SITE_ID, view, None, address="a", token=subject, proof=proof, subject=subject)
        await until(lambda: [each.connected for each in reports] == [True, False])
        hub.acknowledged(subject, Painted(stream.changed_at, printer="no_paper"))
        await until(lambda: reports[-1] == Health(subject, True, None, None, 0, "no_paper"))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await processes.stop()
