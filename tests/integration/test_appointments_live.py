"""Appointments live, through running servers: each screen equals the rows, of today, of later days and of one patient."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.domain.board import Board
from server.domain.model import CELL, local_time
from server.domain.views import AppointmentView, CalendarView, ConfigurationView, DeskView, View
from server.domain.watching import dates_from
from server.queries.boards import Boards
from server.seeding import Seed
from server.store.database import Database
from tests.support.extent import scaled
from tests.support.fresh import Fresh
from tests.support.plain import PLAIN
from tests.support.screens import Screen, sse, websocket
from tests.support.server import Server, environment, seed, serving, vault
from tests.support.viewer import Place, Transport, Viewer

HEARTBEAT_SECONDS = 1.2
SETTLED_SECONDS = 120.0  # only ends a test that fails
SLACK_SECONDS = 20.0  # of the clocks of screens
COMMANDS = scaled(240, 90)
MOST_COMMANDS = 2_000  # what a command meets depends on the time of day: they go on until each was done that is sure to be
CHECKED_EVERY = 15
FARTHEST_DAYS = 12
PERSON = {"name": "Wilhelmina Xanthopoulou", "phone": "+49 171 5550199", "note": "afraid of needles"}


@dataclass
class Clinic:
    """An installation of two servers on one database, and its seeded site."""

    servers: list[Server]
    database_url: str
    seeded: Seed


@pytest.fixture
def clinic(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Clinic]:
    env = environment(
        database_url,
        None if database_url.startswith("sqlite") else redis_url,
        NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS),
        NOWSERVING_LOG_LEVEL="warning",
    )
    seeded = seed(env, points=2, tickets=2, displays=1, providers=2)
    count = 1 if database_url.startswith("sqlite") else 2
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(env, tmp_path, name=f"server{index}")) for index in range(count)]
        yield Clinic(servers, database_url, seeded)


class Days:
    """Random commands on the appointments of a site, and screens that show them."""

    def __init__(self, clinic: Clinic, chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self._clinic = clinic
        self._seeded = clinic.seeded
        self._site_id = clinic.seeded["site_id"]
        self._chance = chance
        self._database = Database(clinic.database_url)
        self._tokens = {
            role: clinic.servers[0].sign_in(clinic.seeded, role) for role in ("admin", "receptionist", "manager")
        }
        self._booked: dict[int, str] = {}  # the tokens of the appointments
        self._holds: list[str] = []

    async def close(self) -> None:
        await self._database.close()

    async def board(self) -> Board:
        """Return the board of the rows, with every appointment of the days around."""
        boards = Boards(self._database)
        today = (await boards.board(self._site_id)).site.business_day
        return await boards.board(self._site_id, [dates_from(_after(today, -3), 3 + 2 * FARTHEST_DAYS)])

    async def run(self) -> None:
        """Open screens of all kinds, send commands, and compare each screen with the rows now and then."""
        async with httpx.AsyncClient(timeout=30, verify=PLAIN) as client:
            await self._do(client, "change-site", day_turns_at_minutes=self._in_half_a_day(await self.board()))
            for _ in range(6):
                await self._do(client, "book")
            places = self._places(await self.board())
            viewers = [self._viewer(place, each) for place in places for each in ("events", "websocket")]
            tasks = [asyncio.create_task(viewer.run()) for viewer in viewers]
            try:
                await self._settle(viewers)
                for index in range(1, MOST_COMMANDS + 1):
                    if index > COMMANDS and self.done.keys() >= SURE:
                        break
                    await self._do(client, self._chance.choice(ACTIONS))
                    if index % CHECKED_EVERY == 0:
                        await self._settle(viewers)
                        late = self._viewer(self._chance.choice(places), self._chance.choice(("events", "websocket")))
                        viewers.append(late)
                        tasks.append(asyncio.create_task(late.run()))
                await self._settle(viewers)
                for viewer in viewers:
                    assert viewer.shown.wrongs == []
                    assert viewer.shown.disagreements == 0
                    assert viewer.attempts == 1, "a screen reconnected without a reason"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _places(self, board: Board) -> list[Place]:
        opened, site = vault().open_personal, f"/live/sites/{self._site_id}"
        today = board.site.business_day
        staff: list[tuple[str, View, str]] = [
            (f"{site}/desk", DeskView(opened), "receptionist"),
            (f"{site}/desk", DeskView(opened, "staff"), "manager"),
            (f"{site}/configuration", ConfigurationView(opened), "admin"),
            (f"{site}/calendar?date={today}", CalendarView(today, 1, opened), "receptionist"),
            (f"{site}/calendar?date={_after(today, 2)}&days=7", CalendarView(_after(today, 2), 7, opened), "receptionist"),
            (f"{site}/calendar?date={today}&days=7", CalendarView(today, 7, opened, "staff"), "manager"),
        ]
        found = [Place(path, view, lambda role=role: self._tokens[role]) for path, view, role in staff]  # type: ignore[misc]
        return found + [
            Place(f"/live/appointments/{token}", AppointmentView(key), lambda: None)
            for key, token in list(self._booked.items())[:3]
        ]

    def _viewer(self, place: Place, transport: Transport) -> Viewer:
        server = self._chance.choice(self._clinic.servers)

        async def connect() -> tuple[socket.socket, str]:
            made = socket.socket()
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", server.port))
            return made, f"127.0.0.1:{server.port}"

        return Viewer(place, transport, connect, self._chance, least_silence_seconds=SETTLED_SECONDS)

    def _in_half_a_day(self, board: Board) -> int:
        """Return the minutes after midnight in twelve hours: the present day is then as long as the test."""
        local = local_time.wall_clock(time.time_ns() // 1000, board.site.time_zone)
        return (local.hour * 60 + local.minute + 720) % 1440

    async def _do(self, client: httpx.AsyncClient, command: str, **more: Any) -> None:
        body = BODIES[command](self, await self.board())
        if body is None:
            return
        body |= more
        server = self._chance.choice(self._clinic.servers)
        headers = {"Authorization": f"Bearer {self._tokens['admin']}"}
        answer = await client.post(f"{server.url}/api/v1/commands/{command}", json=body, headers=headers)
        assert answer.status_code in (200, 404, 409), answer.text
        if answer.status_code != 200:
            self.refused[command, answer.json()["error"]["code"]] += 1
            return
        self.done[command] += 1
        made = answer.json()
        if command == "book":
            self._booked[made["appointment"]["id"]] = made["token"]
        elif command == "hold-slot":
            self._holds.append(made["token"])

    async def _settle(self, viewers: list[Viewer]) -> None:
        """Wait until every screen equals the rows."""
        until = time.monotonic() + SETTLED_SECONDS
        wrong = dict.fromkeys(viewers, "")
        while wrong:
            Fresh(await self.board()).compare(wrong, SLACK_SECONDS)
            assert time.monotonic() < until, wrong.values()
            await asyncio.sleep(0.01)

    # The bodies of commands

    def book(self, board: Board) -> dict[str, Any]:
        """Return the body of a booking, mostly of today: at any time, with a reason to overbook."""
        return {
            **self.hold(board),
            "name": f"Nora {self._chance.randrange(99)}",
            "overbook": "a long queue",
            "needs": ["step_free"],
            "anyway": True,
        }

    def hold(self, board: Board) -> dict[str, Any]:
        """Return the body of a hold."""
        chance = self._chance
        soon = (time.time_ns() // 1000 // CELL + 3 * chance.randrange(1, 12)) * CELL
        local = local_time.local_of(soon, board.site.time_zone).local
        return {
            "site_id": self._site_id,
            "service_id": self._seeded["service_ids"][0],
            "provider_id": chance.choice(self._seeded["provider_ids"]),
            "local_start": _after(local[:10], chance.choice((0, 0, 0, 1, 3, 5, FARTHEST_DAYS))) + local[10:],
        }

    def release(self, board: Board) -> dict[str, Any] | None:
        """Return the body that gives a hold back, or None without one."""
        return {"site_id": self._site_id, "hold_token": self._holds.pop()} if self._holds else None

    def of_appointment(self, board: Board, *states: str, **more: Any) -> dict[str, Any] | None:
        """Return the body of a command on an appointment in one of these states, or None without one."""
        found = [each for each in board.appointments.values() if each.state in states and each.id in self._booked]
        if not found:
            return None
        chosen = self._chance.choice(found)
        own = {"version": chosen.version} if more.pop("versioned", False) else {}
        return {"appointment_id": chosen.id} | own | more

    def reschedule(self, board: Board) -> dict[str, Any] | None:
        """Return the body of a move, or None without an appointment."""
        to = self.hold(board)
        moved = {"local_start": to["local_start"], "provider_id": to["provider_id"], "overbook": "a long queue"}
        return self.of_appointment(board, "booked", versioned=True, **moved)

    def close_hours(self, board: Board) -> dict[str, Any]:
        """Return the body of an exception."""
        day = _after(date.today().isoformat(), self._chance.randrange(1, 5))
        return {
            "site_id": self._site_id,
            "provider_id": self._chance.choice(self._seeded["provider_ids"]),
            "date": day,
            "kind": "closed",
            "from": "12:00",
            "until": "13:00",
            "reason": "a meeting",
            "stranded": "keep",
        }

    def change_rules(self, board: Board) -> dict[str, Any]:
        """Return the body of a change of the site's rules."""
        return {"site_id": self._site_id, "check_in_until": self._chance.randrange(60)}

    def call(self, board: Board) -> dict[str, Any]:
        """Return the body of a call of the next patient."""
        return {"point_id": self._chance.choice(self._seeded["point_ids"])}

    def of_entry(self, board: Board, *states: str) -> dict[str, Any] | None:
        """Return the body of a command on an entry in one of these states, or None without one."""
        found = [each.id for each in board.entries.values() if each.state in states]
        return {"entry_id": self._chance.choice(found)} if found else None


Body = Callable[[Days, Board], dict[str, Any] | None]
BODIES: dict[str, Body] = {
    "book": Days.book,
    "hold-slot": Days.hold,
    "release-slot": Days.release,
    "reschedule": Days.reschedule,
    "cancel-appointment": lambda days, board: days.of_appointment(board, "booked", versioned=True),
    "amend-appointment": lambda days, board: days.of_appointment(board, "booked", name=f"Ada {days._chance.randrange(99)}"),
    "check-in": lambda days, board: days.of_appointment(board, "booked", "no_show", anyway=True),
    "appointment-no-show": lambda days, board: days.of_appointment(board, "booked"),
    "add-exception": Days.close_hours,
    "change-site": Days.change_rules,
    "call-next": Days.call,
    "start": lambda days, board: days.of_entry(board, "called"),
    "complete": lambda days, board: days.of_entry(board, "serving"),
    "undo": lambda days, board: days.of_entry(board, "waiting", "called", "serving", "completed"),
}
ACTIONS = (
    *("book",) * 8,
    *("reschedule",) * 6,
    *("check-in",) * 5,
    *("hold-slot", "cancel-appointment", "amend-appointment", "call-next", "start", "complete", "undo") * 2,
    *("release-slot", "appointment-no-show", "add-exception", "change-site"),
)
# The time of day decides whether the others are possible.
SURE = {"book", "reschedule", "check-in", "cancel-appointment", "amend-appointment", "change-site", "call-next"}


def _after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def test_every_screen_of_appointments_equals_the_rows(clinic: Clinic) -> None:
    days = Days(clinic, random.Random(7))

    async def run() -> None:
        try:
            await days.run()
        finally:
            await days.close()

    asyncio.run(run())
    assert days.done.keys() >= SURE, days.refused


def booked(clinic: Clinic, **more: Any) -> dict[str, Any]:
    """Book an appointment of the day after tomorrow; return the answer."""
    server, seeded = clinic.servers[0], clinic.seeded
    day = (date.today() + timedelta(days=2)).isoformat()
    body = {
        "site_id": seeded["site_id"],
        "service_id": seeded["service_ids"][0],
        "provider_id": seeded["provider_ids"][0],
        "local_start": f"{day}T10:00",
        "overbook": "a test of the stream",
    }
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        answer = client.post("/api/v1/commands/book", json=body | PERSON | more)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


@pytest.mark.parametrize("follow", [sse, websocket])
def test_moved_appointment_leaves_one_calendar_and_enters_another(clinic: Clinic, follow: Any) -> None:
    server, seeded = clinic.servers[0], clinic.seeded
    made = booked(clinic)["appointment"]
    day = made["local_start"][:10]
    token, key = server.sign_in(seeded, "receptionist"), f"appointment:{made['id']}"
    address = f"{server.url}/live/sites/{seeded['site_id']}/calendar?date="
    screens: list[Screen] = []
    with (
        follow(address + day, token) as before,
        follow(address + _after(day, 7) + "&days=7", token) as after,
        server.client(token) as client,
    ):
        screens = [before, after]
        for screen in screens:
            screen.wait(lambda screen: bool(screen.cells))
        assert before.cells[key]["name"] == PERSON["name"]
        assert key not in after.cells
        moved = {"appointment_id": made["id"], "version": 1, "local_start": f"{_after(day, 8)}T10:00", "overbook": "a test"}
        answer = client.post("/api/v1/commands/reschedule", json=moved)
        assert answer.status_code == 200, answer.text
        before.wait(lambda screen: key not in screen.cells)
        after.wait(lambda screen: key in screen.cells)
        assert after.cells[key]["name"] == PERSON["name"]


def test_calendar_needs_a_date_of_at_most_seven_days(clinic: Clinic) -> None:
    server, seeded = clinic.servers[0], clinic.seeded
    address = f"/live/sites/{seeded['site_id']}/calendar"
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        for query in ("", "?date=2027-02-30", "?date=2027-01-15&days=8", "?date=2027-01-15&days=0", "?date=9999-12-31"):
            answer = client.get(address + query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_field"), query


def test_unknown_token_of_an_appointment_is_not_found(clinic: Clinic) -> None:
    token = booked(clinic)["token"]
    with clinic.servers[0].client() as client:
        for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], "x", "a1-" + "A" * 22):
            answer = client.get(f"/live/appointments/{wrong}")
            assert answer.status_code == 404
            assert answer.headers["X-NowServing-Refusal"] == "appointment_not_found"


def test_log_of_the_server_has_no_token_of_an_appointment(clinic: Clinic) -> None:
    server, token = clinic.servers[0], booked(clinic)["token"]
    with sse(f"{server.url}/live/appointments/{token}") as phone, server.client() as client:
        phone.wait(lambda screen: "appointment" in screen.cells)
        answer = client.post(f"/live/appointments/{token}/disagreement", json={"seq": 1})
        assert answer.status_code == 204, answer.text
        client.get(f"/live/appointments/{token}x")
    assert token not in server.log.read_text()
