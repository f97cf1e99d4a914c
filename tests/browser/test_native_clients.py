"""The browser's own EventSource and WebSocket, without any of our code: they follow, and come back where they were."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from server.seeding import Seed
from tests.browser.conftest import AWAY, Open
from tests.support.processes import end
from tests.support.screens import digest
from tests.support.server import Server, serving

FOLLOW = """address => {
    window.told = [];
    const source = new EventSource(address);
    for (const kind of ["snapshot", "change", "heartbeat", "bye"])
        source.addEventListener(kind, event => told.push({ by: "events", kind, body: JSON.parse(event.data) }));
    let last = null;
    const follow = () => {
        const socket = new WebSocket(address.replace("http", "ws") + (last ? `&last_event_id=${last}` : ""));
        socket.onmessage = ({ data }) => {
            const { type: kind, id, ...body } = JSON.parse(data);
            last = id ?? last;
            told.push({ by: "websocket", kind, body });
        };
        socket.onclose = () => setTimeout(follow, 500);
    };
    follow();
}"""


def shown(page: Page, by: str) -> dict[str, Any]:
    """Return what one of the two has been told that the screen shows; its last digest must agree."""
    cells: dict[str, Any] = {}
    for told in page.evaluate("told"):
        if told["by"] != by:
            continue
        match told["kind"]:
            case "snapshot":
                cells = dict(told["body"]["cells"])
            case "change":
                cells |= told["body"]["set"]
                for key in told["body"]["del"]:
                    cells.pop(key, None)
            case "heartbeat":
                assert told["body"]["digest"] == digest(cells)
    return cells


def until(page: Page, reached: str, argument: object = None) -> None:
    """Wait until a function of the page's returns true. The page's own policy forbids that it waits by itself."""
    ends = time.monotonic() + 30
    while not page.evaluate(reached, argument):
        assert time.monotonic() < ends, page.evaluate("told")
        page.wait_for_timeout(100)


def until_told(page: Page, kind: str, key: str = "") -> None:
    """Wait until both have been told something of a kind, with a cell."""
    until(
        page,
        """([kind, key]) => ["events", "websocket"].every(by => told.some(each => each.by === by && each.kind === kind
            && (key === "" || key in (each.body.set ?? each.body.cells))))""",
        [kind, key],
    )


def test_they_follow_and_come_back(env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    """A call is seen; the server goes and another comes; the next call is seen, by what the browser does of itself."""
    display = seeded["displays"][0]
    first, second = seeded["point_ids"]
    with serving(env, tmp_path, name="native") as server:
        page = open_page(f"{server.url}/display/{display['id']}", allowed=("WebSocket", *AWAY))
        page.evaluate(FOLLOW, f"{server.url}/live/displays/{display['id']}?token={display['token']}")
        until_told(page, "snapshot")
        called = call(server, seeded, first)
        until_told(page, "change", called)
        until_told(page, "heartbeat")
        assert called in shown(page, "events")
        assert shown(page, "events") == shown(page, "websocket")
        assert end(server.process) == 0
        until_told(page, "bye")
        page.evaluate("told.length = 0")
    with serving(env, tmp_path, name="again", port=server.port) as server:
        until(page, "() => new Set(told.map(each => each.by)).size === 2")
        kinds = page.evaluate("told.map(each => each.kind)")
        assert set(kinds) <= {"snapshot", "change", "heartbeat"}, kinds
        called = call(server, seeded, second)
        until_told(page, "change", called)
        page.close()  # before its server goes


def call(server: Server, seeded: Seed, point_id: int) -> str:
    """Call the next; return the cell's key."""
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        answer = desk.post("/api/v1/commands/call-next", json={"point_id": point_id})
    assert answer.status_code == 200, answer.text
    return f"entry:{answer.json()['entry']['id']}"
