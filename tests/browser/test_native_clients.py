"""The browser's own EventSource and WebSocket, without our client code, follow a stream and resume it."""

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
    window.messages = [];
    const source = new EventSource(address);
    for (const kind of ["snapshot", "change", "heartbeat", "bye"])
        source.addEventListener(kind, event => messages.push({ by: "events", kind, body: JSON.parse(event.data) }));
    let last = null;
    const follow = () => {
        const socket = new WebSocket(address.replace("http", "ws") + (last ? `&last_event_id=${last}` : ""));
        socket.onmessage = ({ data }) => {
            const { type: kind, id, ...body } = JSON.parse(data);
            last = id ?? last;
            messages.push({ by: "websocket", kind, body });
        };
        socket.onclose = () => setTimeout(follow, 500);
    };
    follow();
}"""


def shown(page: Page, by: str) -> dict[str, Any]:
    """Return the cells after all messages of one client. Assert that each heartbeat's digest matches."""
    cells: dict[str, Any] = {}
    for message in page.evaluate("messages"):
        if message["by"] != by:
            continue
        match message["kind"]:
            case "snapshot":
                cells = dict(message["body"]["cells"])
            case "change":
                cells |= message["body"]["set"]
                for key in message["body"]["del"]:
                    cells.pop(key, None)
            case "heartbeat":
                assert message["body"]["digest"] == digest(cells)
    return cells


def until(page: Page, reached: str, argument: object = None) -> None:
    """Wait until a function returns true in the page. The page's policy blocks Playwright's own wait."""
    ends = time.monotonic() + 60
    while not page.evaluate(reached, argument):
        assert time.monotonic() < ends, page.evaluate("messages")
        page.wait_for_timeout(100)


def until_received(page: Page, kind: str, key: str = "") -> None:
    """Wait until both clients have received a message of a kind, with a cell."""
    until(
        page,
        """([kind, key]) => ["events", "websocket"].every(by => messages.some(each => each.by === by && each.kind === kind
            && (key === "" || key in (each.body.set ?? each.body.cells))))""",
        [kind, key],
    )


def test_native_clients_follow_and_resume(env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    """Both clients show a call, reconnect by themselves to a new server process, and show the next call."""
    display = seeded["displays"][0]
    first, second = seeded["point_ids"]
    with serving(env, tmp_path, name="native") as server:
        page = open_page(f"{server.url}/display/{display['id']}", allowed=("WebSocket", *AWAY))
        page.evaluate(FOLLOW, f"{server.url}/live/displays/{display['id']}?token={display['token']}")
        until_received(page, "snapshot")
        called = call(server, seeded, first)
        until_received(page, "change", called)
        until_received(page, "heartbeat")
        assert called in shown(page, "events")
        assert shown(page, "events") == shown(page, "websocket")
        assert end(server.process) == 0
        until_received(page, "bye")
        page.evaluate("messages.length = 0")
    with serving(env, tmp_path, name="again", port=server.port) as server:
        until(page, "() => new Set(messages.map(each => each.by)).size === 2")
        kinds = page.evaluate("messages.map(each => each.kind)")
        assert set(kinds) <= {"snapshot", "change", "heartbeat"}, kinds
        called = call(server, seeded, second)
        until_received(page, "change", called)
        page.close()  # before its server stops


def call(server: Server, seeded: Seed, point_id: int) -> str:
    """Call the next patient; return the key of the entry's cell."""
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        answer = desk.post("/api/v1/commands/call-next", json={"point_id": point_id})
    assert answer.status_code == 200, answer.text
    return f"entry:{answer.json()['entry']['id']}"
