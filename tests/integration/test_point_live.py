"""The console of a room through a running server: its rights and its view."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.screens import sse, websocket
from tests.support.server import environment, seed, serving


def test_console_follows_its_room_and_ends_with_it(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    seeded, elsewhere = seed(env, points=2, tickets=4), seed(env, points=1, tickets=1)
    one, other = seeded["point_ids"]
    with serving(env, tmp_path) as server:
        clinician, manager = server.sign_in(seeded, "clinician"), server.sign_in(seeded, "manager")
        admin = server.sign_in(seeded, "admin")
        path = f"{server.url}/live/points/{one}"
        with (
            server.client(clinician) as room,
            server.client(admin) as office,
            sse(path, clinician) as console,
            websocket(path, admin) as beside,
            sse(f"{server.url}/live/points/{other}", clinician) as colleague,
        ):
            for screen in (console, beside, colleague):
                screen.wait(lambda each: each.cells)
            expected = console.cells["next"]["first"][0]
            done = room.post("/api/v1/commands/call-next", json={"point_id": one}).json()
            assert done["entry"]["label"] == expected["label"]
            for screen in (console, beside):
                screen.wait(lambda each: each.cells.get("guest", {}).get("entry") == done["entry"]["id"], what="the guest")
            assert "guest" not in colleague.cells
            for command in ("start", "complete"):
                answer = room.post(f"/api/v1/commands/{command}", json={"entry_id": done["entry"]["id"]}).json()
            console.wait(lambda each: each.seq >= answer["seq"])
            assert console.cells["day"] == {"served": 1, "no_shows": 0}
            assert "guest" not in console.cells
            assert office.post("/api/v1/commands/remove", json={"record_id": one}).status_code == 200
            for screen in (console, beside):
                screen.wait(lambda each: each.ended, what="the end")
                assert screen.messages[-1][2]["reason"] == "ended"
                assert set(screen.cells) == {"site"}
            assert console.disagreed == []
        for token, address, status in (
            (None, path, 401),
            (manager, path, 403),
            (admin, f"{server.url}/live/points/{elsewhere['point_ids'][0]}", 404),
            (admin, f"{path}99", 404),
            (admin, path, 404),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            assert httpx.get(address, headers=headers).status_code == status, address
