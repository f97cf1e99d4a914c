"""The law of the stream through running servers: after its messages, each screen equals a fresh view of the rows.

Hypothesis generates the days: every command that a client can send, every view, both transports, both engines.
`tests/unit/domain/board/test_applying.py` tests the same law without servers, over many more days. It also shows that the
law fails if any one branch of `apply` is missing.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given

from server.domain.board import Board
from server.domain.commands import (
    AcceptOffer,
    AddProvider,
    AddSchedule,
    AddService,
    AppointmentNoShow,
    Book,
    CancelAppointment,
    CloseDay,
    Command,
    DeclineOffer,
)
from server.domain.views import (
    AppointmentView,
    CalendarView,
    ConfigurationView,
    DeskView,
    DisplayView,
    KioskView,
    PointView,
    TicketView,
    View,
)
from server.domain.watching import Single, Watch, dates_from
from server.queries.boards import Boards
from server.seeding import Seed
from server.store.database import Database
from tests.integration.test_everything_at_once import SENT
from tests.support.appointments import appointments_today
from tests.support.extent import examples, scaled
from tests.support.fresh import Fresh
from tests.support.plain import PLAIN
from tests.support.server import Server, environment, serving, vault
from tests.support.sites_in_databases import StoredSite
from tests.support.viewer import Place, Transport, Viewer
from tests.support.worlds import Step, scripts, wire_body

pytestmark = pytest.mark.long

HEARTBEAT_SECONDS = 1.2
SETTLED_SECONDS = 120.0  # only ends a test that fails
SLACK_SECONDS = 20.0  # of the clocks of screens
CHECKED_EVERY = 12  # commands
BEGUN = (-120, -105, -90, -75, -60, -45, -30, -15)  # appointments that patients can miss
WEEK = 7  # the days of a calendar
DAYS = scaled(8, 2)
TRANSPORTS: tuple[Transport, ...] = ("events", "websocket")
VIEWS = {
    AppointmentView,
    CalendarView,
    ConfigurationView,
    DeskView,
    DisplayView,
    KioskView,
    PointView,
    TicketView,
}
# Other commands need these first: an open site, a provider with a waiting patient, a room with a called one, a paused queue.
ENABLING = (
    *(
        "add-kiosk",
        "ask-help",
        "change-site",
        "break-point",
        "open-point",
        "add-provider",
        "staff",
        "pause-queue",
        "open-queue",
    ),
    *("issue", "issue", "call", "add-service", "add-schedule", "book", "hold-slot"),
)
SENDABLE = {action for action, _ in SENT.values()} | {"here-again"}


class Installation:
    """A running server, and the screens that follow one of its sites."""

    def __init__(self, server: Server, database_url: str, seeded: Seed) -> None:
        self.done: Counter[str] = Counter()
        self.followed: set[type[View]] = set()
        self._server = server
        self._database = Database(database_url)
        self._seeded = seeded
        self._site_id = seeded["site_id"]
        self._site = StoredSite(self._database, self._site_id, vault())
        self._displays = {each["id"]: each["token"] for each in seeded["displays"]}
        self._kiosks: dict[int, str] = {}
        self._visits: dict[int, str] = {}
        self._appointments: dict[int, str] = {}  # in the order in which they were booked
        self._watched: list[Watch] = []
        self._tokens = {role: server.sign_in(seeded, role) for role in ("admin", "receptionist", "manager")}
        self._sent = 0

    async def close(self) -> None:
        await self._database.close()

    async def board(self, watched: Sequence[Watch] = ()) -> Board:
        return await Boards(self._database).board(self._site_id, watched)

    def missing(self) -> list[str]:
        """Return the steps whose commands have not succeeded yet."""
        return [SENT[name][0] for name in SENT if name not in self.done]

    def booked(self, before_last: int = 0) -> int:
        """Return the id of the appointment that was booked last, or so many before."""
        return list(self._appointments)[-1 - before_last]

    async def run_day(self, steps: Iterable[Callable[[Board], Command] | Step]) -> None:
        """Open screens of every view, run the steps, and compare the screens with the rows after every few commands."""
        chance = random.Random(1)
        async with httpx.AsyncClient(base_url=self._server.url, timeout=30, verify=PLAIN) as client:
            for action, about in (("issue", 0), ("add-kiosk", 0), ("add-schedule", 0), ("book", 1), ("book", 2)):
                await self._do(client, (await self._site.world()).command(action, about))
            places = self._places(await self.board())
            self.followed |= {type(place.view) for place in places}
            viewers = [
                Viewer(place, each, self._connect, chance, least_silence_seconds=SETTLED_SECONDS)
                for place in places
                for each in TRANSPORTS
            ]
            tasks = [asyncio.create_task(viewer.run()) for viewer in viewers]
            try:
                await self._settle(viewers)
                for index, step in enumerate(steps, 1):
                    board = await self.board()
                    if callable(step):
                        await self._do(client, step(board))
                    elif step[0] in SENDABLE:
                        await self._do(client, (await self._site.world(board)).command(*step[:2]))
                    if index % CHECKED_EVERY == 0:
                        await self._settle(viewers)
                await self._settle(viewers)
                await self._check_digests(viewers)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self) -> tuple[socket.socket, str]:
        made = socket.socket()
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self._server.port))
        return made, f"127.0.0.1:{self._server.port}"

    def _places(self, board: Board) -> list[Place]:
        fresh, desk = Fresh(board), f"/live/sites/{self._site_id}/desk"
        opened = vault().open_personal
        found = [
            Place(desk, DeskView(opened), lambda: self._tokens["receptionist"]),
            Place(desk, DeskView(opened, "staff"), lambda: self._tokens["manager"]),
            Place(desk.replace("desk", "configuration"), ConfigurationView(opened), lambda: self._tokens["admin"]),
        ]
        today, site = board.site.business_day, f"/live/sites/{self._site_id}"
        found += [
            Place(f"{site}/calendar?date={today}", CalendarView(today, 1, opened), lambda: self._tokens["receptionist"]),
            Place(
                f"{site}/calendar?date={today}&days={WEEK}",
                CalendarView(today, WEEK, opened, "staff"),
                lambda: self._tokens["manager"],
            ),
        ]
        booked = list(self._appointments)[-2:]
        self._watched = [dates_from(today, WEEK), *map(Single, booked)]
        found += [
            Place(f"/live/appointments/{self._appointments[key]}", AppointmentView(key), lambda: None) for key in booked
        ]
        point = next((each for each in board.points.values() if not each.removed_at), None)
        if point is not None:
            view = PointView(point.id, opened)
            found.append(Place(f"/live/points/{point.id}", view, lambda: self._tokens["receptionist"], point.id))
        displays = [
            Place(f"/live/displays/{key}", DisplayView(key), partial(str, token), key)
            for key, token in self._displays.items()
        ]
        found += [place for place in displays if fresh.allows(place)][-1:]
        kiosks = [
            Place(f"/live/kiosks/{key}", KioskView(key), partial(str, token), key) for key, token in self._kiosks.items()
        ]
        found += [place for place in kiosks if fresh.allows(place)][-1:]
        visits = [key for key in self._visits if key in board.visits][-2:]
        return found + [Place(f"/live/tickets/{self._visits[key]}", TicketView(key), lambda: None, key) for key in visits]

    async def _do(self, client: httpx.AsyncClient, command: Command) -> None:
        if command.internal:
            return
        self._sent += 1
        headers = {"Authorization": f"Bearer {self._tokens['admin']}", "Idempotency-Key": f"law-{self._sent}"}
        name, body = command.name_on_wire(), wire_body(command)
        answer = await client.post(f"/api/v1/commands/{name}", json=body, headers=headers)
        refused = answer.status_code in (404, 409) or answer.json().get("error", {}).get("code") == "invalid_field"
        assert answer.status_code == 200 or refused, answer.text
        if answer.status_code == 200:
            self.done[name] += 1
            self._learn(answer.json())

    def _learn(self, body: dict[str, Any]) -> None:
        self._site.learn(body)
        if "token" not in body:
            return
        event = body["events"][-1]
        if "entry" in body:  # after a check-in, too: the token is that of the ticket
            self._visits[body["entry"]["visit_id"]] = body["token"]
        elif "appointment" in body:
            self._appointments[body["appointment"]["id"]] = body["token"]
        elif "display_id" in event or event.get("device_id") in self._displays:
            self._displays[event.get("display_id") or event["device_id"]] = body["token"]
        elif "kiosk_id" in event or event.get("device_id") in self._kiosks:
            self._kiosks[event.get("kiosk_id") or event["device_id"]] = body["token"]

    async def _settle(self, viewers: list[Viewer]) -> None:
        """Wait until every screen equals the rows, or has ended because it has lost its access."""
        until = time.monotonic() + SETTLED_SECONDS
        wrong = dict.fromkeys(viewers, "")
        while wrong:
            Fresh(await self.board(self._watched)).compare(wrong, SLACK_SECONDS)
            assert time.monotonic() < until, wrong.values()
            await asyncio.sleep(0.01)

    async def _check_digests(self, viewers: list[Viewer]) -> None:
        """Wait for a heartbeat, whose digest must agree. Assert that no screen has received a wrong message."""
        following = [viewer for viewer in viewers if viewer.over is None]
        beats = {viewer: viewer.shown.kinds["heartbeat"] for viewer in following}
        async with asyncio.timeout(SETTLED_SECONDS):
            while any(viewer.shown.kinds["heartbeat"] == beats[viewer] and viewer.over is None for viewer in following):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        for viewer in viewers:
            assert viewer.shown.wrongs == []
            assert viewer.shown.disagreements == 0
            assert viewer.over or viewer.attempts == 1, "a screen reconnected without a reason"


def tried(installation: Installation, times: int, before: Sequence[str] = ()) -> Iterator[Step]:
    """Yield the steps of each command that has not succeeded yet, each after the steps ``before``, until it succeeds."""
    for action in installation.missing():
        for about in range(times):
            if action in installation.missing():
                yield from ((each, about, 0) for each in (*before, action))


def missed(board: Board) -> Command:
    """Return the no-show of an appointment that has begun."""
    begun = [each.id for each in board.appointments.values() if each.state == "booked"]
    return AppointmentNoShow(appointment_id=begun[0])


def offers(booked: Callable[[int], int]) -> list[Callable[[Board], Command]]:
    """Return steps in which one patient declines the offer of an earlier time, and the next one accepts it.

    ``booked`` is `Installation.booked`. The clinician and the service are new, so that no other step is in the way.
    """

    def day(board: Board) -> date:
        return date.fromisoformat(board.site.business_day) + timedelta(days=5)

    def hours(board: Board) -> Command:
        return AddSchedule(
            site_id=board.site.id,
            provider_id=max(board.providers),
            service_ids=(max(board.services),),
            weekday=day(board).weekday(),
            from_="09:00",
            until="12:00",
            slot_minutes=15,
            valid_from=board.site.business_day,
        )

    def book(hour: str, *, wants_earlier: bool = False) -> Callable[[Board], Command]:
        return lambda board: Book(
            site_id=board.site.id,
            service_id=max(board.services),
            provider_id=max(board.providers),
            local_start=f"{day(board)}T{hour}",
            name="Ada Lovelace",
            wants_earlier=wants_earlier,
        )

    return [
        lambda board: AddService(site_id=board.site.id, name="Offers", public_name="Offers"),
        lambda board: AddProvider(site_id=board.site.id, name="Dr Offer"),
        hours,
        book("09:00"),
        book("10:00", wants_earlier=True),
        book("11:00", wants_earlier=True),
        lambda _: CancelAppointment(appointment_id=booked(2), version=1),
        lambda _: DeclineOffer(appointment_id=booked(1)),
        lambda _: AcceptOffer(appointment_id=booked(0)),
    ]


def test_law_holds_for_every_command_over_both_transports(database_url: str, tmp_path: Path) -> None:
    env = environment(database_url, NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS), NOWSERVING_LOG_LEVEL="warning")
    seeded = appointments_today(env, BEGUN, points=3, tickets=6, displays=2).seeded
    with serving(env, tmp_path) as server, asyncio.Runner() as runner:
        installation = Installation(server, database_url, seeded)
        with server.client(server.sign_in(seeded, "admin")) as admin:
            for name in ("Dr Ada", "Dr Bose"):
                assert admin.post("/api/v1/practitioners", json={"name": name}).status_code == 201

        @examples(DAYS)
        @given(scripts(60))
        def day_keeps_the_law(script: list[Step]) -> None:
            runner.run(installation.run_day(script))

        try:
            runner.run(installation.run_day([missed]))
            day_keeps_the_law()
            # Commands that no day has reached: alone, then after the commands that they may need. Last, the day closes.
            runner.run(installation.run_day(offers(installation.booked)))
            runner.run(installation.run_day(tried(installation, 40)))
            runner.run(installation.run_day(tried(installation, 8, ENABLING)))
            runner.run(installation.run_day([lambda board: CloseDay(site_id=board.site.id, reason="evening")]))
        finally:
            runner.run(installation.close())
    assert set(installation.done) == {*SENT, "close-day"}, f"never succeeded: {set(SENT) - set(installation.done)}"
    assert installation.followed == VIEWS
