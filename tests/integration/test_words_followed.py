"""The words about waits on screens that lose messages, connections and their server: causes, times to leave, delays."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.domain.views import AppointmentView, DisplayView, TicketView
from server.queries.boards import Boards
from server.store.database import Database
from tests.support.fresh import Fresh
from tests.support.processes import free_port, wait_until
from tests.support.rows import rows
from tests.support.server import Server, environment, serving
from tests.support.viewer import Place, Transport, Viewer
from tests.support.words import Worded, worded

pytestmark = pytest.mark.long

SETTLED_SECONDS = 150.0  # only ends a test that fails
SLACK_SECONDS = 20.0
TRANSPORTS: tuple[Transport, ...] = ("events", "websocket")


def places_of(made: Worded) -> list[Place]:
    """Return the live addresses of two patients, of one with an appointment, and of a display."""
    screen = made.seeded["displays"][0]
    return [
        *(
            Place(f"/live/tickets/{each['token']}", TicketView(each["entry"]["visit_id"]), lambda: None)
            for each in made.tickets
        ),
        Place(f"/live/appointments/{made.booked['token']}", AppointmentView(made.booked["appointment"]["id"]), lambda: None),
        Place(f"/live/displays/{screen['id']}", DisplayView(screen["id"]), partial(str, screen["token"]), screen["id"]),
    ]


def words_of(viewers: list[Viewer]) -> set[tuple[str, Any]]:
    """Return what the screens say about waits."""
    found = set()
    for viewer in viewers:
        for cell in viewer.shown.cells.values():
            if cell.get("moved"):
                found.add(("cause", cell["moved"]["cause"]))
            found |= {(name, cell[name]) for name in ("leave_until", "leave_said", "late") if cell.get(name)}
    return found


async def settled(viewers: list[Viewer], database: Database, site_id: int) -> None:
    """Wait until every screen shows what the rows say."""
    until = time.monotonic() + SETTLED_SECONDS
    wrong = dict.fromkeys(viewers, "")
    while wrong:
        Fresh(await Boards(database).board(site_id)).compare(wrong, SLACK_SECONDS)
        assert time.monotonic() < until, wrong.values()
        await asyncio.sleep(0.05)


def test_words_on_screens_equal_the_board_after_faults(tmp_path: Path) -> None:
    """Screens lose messages and connections, and the server restarts, while a cause, times to leave and a delay change."""
    env = environment("", NOWSERVING_HEARTBEAT_SECONDS="1.2", NOWSERVING_LOG_LEVEL="warning")
    made = worded(env, tmp_path)
    port = free_port()

    async def connect() -> tuple[socket.socket, str]:
        line = socket.socket()
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
        return line, f"127.0.0.1:{port}"

    async def follow() -> None:
        database = Database(made.env["NOWSERVING_DATABASE_URL"])
        chance = random.Random(1)
        viewers = [Viewer(each, how, connect, chance) for each in places_of(made) for how in TRANSPORTS]
        tasks = [asyncio.create_task(viewer.run()) for viewer in viewers]
        check = partial(settled, viewers, database, made.seeded["site_id"])
        try:
            with serving(made.env, tmp_path, port=port) as server:
                await check()
                for viewer in viewers[::2]:
                    viewer.stall()  # the messages with the words are lost to these
                await asyncio.to_thread(made.tell, server)
                for viewer in viewers:
                    viewer.cut()
                for viewer in viewers[::2]:
                    viewer.go_on()
                await check()
                first = words_of(viewers)
                assert ("cause", "emergency") in first
                assert {name for name, _ in first} == {"cause", "leave_until", "leave_said", "late"}
                await asyncio.to_thread(leave_some, server)
            # The server is away, and another one continues from the rows.
            with serving(made.env, tmp_path, port=port, name="again") as server:
                await check()
                await asyncio.to_thread(leave_some, server)
                await check()
                last = words_of(viewers)
                assert {name for name, _ in last} == {"cause", "leave_until", "leave_said", "late"}
                assert last != first
            for viewer in viewers:
                assert viewer.shown.wrongs == []
                assert viewer.shown.disagreements == 0
                assert viewer.attempts >= 3
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await database.close()

    def leave_some(server: Server) -> None:
        """Let two patients ahead leave, and wait until the patient reads another time to leave."""
        me = made.tickets[0]["entry"]["id"]
        ahead = rows(made.env, "SELECT id FROM entries WHERE state = 'waiting' AND id < :me ORDER BY id LIMIT 2", me=me)
        before = leave_of(me)
        for (entry_id,) in ahead:
            made.do(server, "leave", entry_id=entry_id)
        wait_until(lambda: leave_of(me) != before, "another time to leave", server.process)

    def leave_of(entry_id: int) -> Any:
        return rows(made.env, "SELECT leave_until FROM entries WHERE id = :id", id=entry_id)

    asyncio.run(follow())
