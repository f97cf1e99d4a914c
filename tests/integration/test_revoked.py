"""A stream ends at the loss of its rights, in every process, with a bye that says so.

`tests/unit/live/test_revocation.py` has the bound of two seconds, in simulated time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, update
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.seeding import Seed
from server.store.database import Database
from server.store.tables import sessions
from tests.support.databases import fresh_database
from tests.support.screens import Screen, sse, websocket
from tests.support.server import Server, environment, seed, serving

Two = tuple[Server, Server, Seed, str]


@pytest.fixture(scope="module")
def two(database_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two server processes on one database without a bus, the slowest exchange between them."""
    folder = tmp_path_factory.mktemp("revoked")
    with fresh_database(database_server) as url:
        env = environment(url)
        seeded = seed(env, points=1, tickets=2, displays=4)
        with serving(env, folder, name="first") as first, serving(env, folder, name="second") as second:
            yield first, second, seeded, url


@pytest.fixture
def admin(two: Two) -> Iterator[httpx.Client]:
    first, _, seeded, _ = two
    with first.client(first.sign_in(seeded, "admin")) as client:
        yield client


def assert_revoked(screens: list[Screen]) -> None:
    for screen in screens:
        screen.wait(lambda each: each.ended, what="the end")
        kind, _, body = screen.messages[-1]
        assert (kind, body["reason"]) == ("bye", "revoked")


def followers(two: Two, path: str, token: str, stack: ExitStack) -> list[Screen]:
    first, second, _, _ = two
    screens = [
        stack.enter_context(follow(f"{server.url}{path}", token))
        for server in (first, second)
        for follow in (sse, websocket)
    ]
    for screen in screens:
        screen.wait(lambda each: each.cells, what="a snapshot")
    return screens


def close_code(url: str, token: str, act: Callable[[], Any]) -> tuple[int | None, str | None]:
    """Return the code and the reason that close a WebSocket after ``act``."""
    with connect(
        url.replace("http", "ws"), additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=60
    ) as socket:
        socket.recv(timeout=30)
        act()
        with contextlib.suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=30)
        return socket.close_code, socket.close_reason


def test_sign_out_ends_the_streams_of_the_session_everywhere(two: Two) -> None:
    first, second, seeded, _ = two
    token, other = first.sign_in(seeded, "receptionist"), first.sign_in(seeded, "receptionist")
    path = f"/live/sites/{seeded['site_id']}/desk"
    with ExitStack() as stack:
        screens = followers(two, path, token, stack)
        stays = stack.enter_context(sse(f"{second.url}{path}", other))
        stays.wait(lambda each: each.cells)
        with first.client(token) as client:
            assert client.delete("/api/v1/session").status_code == 204
        assert_revoked(screens)
        assert httpx.get(f"{second.url}{path}", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        time.sleep(0.5)
        assert not stays.ended


def test_close_code_of_a_revocation_forbids_a_reconnect(two: Two, admin: httpx.Client) -> None:
    first, _, seeded, _ = two
    display = seeded["displays"][0]
    code = close_code(
        f"{first.url}/live/displays/{display['id']}",
        display["token"],
        lambda: admin.post("/api/v1/commands/revoke-token", json={"device_id": display["id"]}),
    )
    assert code == (3502, "revoked")


@pytest.mark.parametrize(("command", "field", "index"), [("renew-token", "device_id", 1), ("remove", "record_id", 2)])
def test_revoked_device_token_ends_its_streams_everywhere(
    two: Two, admin: httpx.Client, command: str, field: str, index: int
) -> None:
    _, second, seeded, _ = two
    display = seeded["displays"][index]
    with ExitStack() as stack:
        screens = followers(two, f"/live/displays/{display['id']}", display["token"], stack)
        answer = admin.post(f"/api/v1/commands/{command}", json={field: display["id"]})
        assert answer.status_code == 200
        assert_revoked(screens)
    if command == "renew-token":
        with sse(f"{second.url}/live/displays/{display['id']}", answer.json()["token"]) as fresh:
            fresh.wait(lambda each: each.cells)
            time.sleep(0.3)
            assert not fresh.ended


def test_idle_session_ends_its_streams(two: Two) -> None:
    """A stream ends with its session."""
    first, _, seeded, url = two
    token = first.sign_in(seeded, "clinician")

    async def make_sessions_idle() -> None:
        database = Database(url)
        try:
            async with database.write() as connection:
                await connection.execute(update(sessions).values(used_at=sessions.c.used_at - 61 * 60_000_000))
        finally:
            await database.close()

    with ExitStack() as stack:
        screens = followers(two, f"/live/sites/{seeded['site_id']}/desk", token, stack)
        asyncio.run(make_sessions_idle())
        assert_revoked(screens)


def test_deactivation_or_a_new_role_ends_the_streams_of_a_user(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server:
        path = f"{server.url}/live/sites/{seeded['site_id']}/desk"
        clinician, manager = server.sign_in(seeded, "clinician"), server.sign_in(seeded, "manager")
        with (
            sse(path, clinician) as one,
            websocket(path, manager) as two,
            sqlite3.connect(tmp_path / "nowserving.db") as rows,
        ):
            for screen in (one, two):
                screen.wait(lambda each: each.cells)
            rows.execute("UPDATE staff SET active = 0 WHERE role = 'clinician'")
            rows.execute("UPDATE staff SET role = 'receptionist' WHERE role = 'manager'")
            rows.commit()
            one.wait(lambda each: each.ended)
            two.wait(lambda each: each.ended)
            assert one.messages[-1][2]["reason"] == "revoked"
            assert two.messages[-1][2]["reason"] == "role"
        rows.close()
        with sse(path, manager) as again:  # with the new role, which may follow the desk
            again.wait(lambda each: each.cells)
