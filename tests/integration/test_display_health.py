"""The health of displays on the desk: connected, muted, lag, and dark after the death of their server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.live.devices import STEADY_SECONDS
from server.seeding import Seed
from server.transport.http.metrics import MOST_KEPT_SECONDS
from tests.support.processes import wait_until
from tests.support.screens import Screen, sse
from tests.support.server import Server, environment, seed, serving

pytestmark = [pytest.mark.long, pytest.mark.measured]

HEARTBEAT = "0.5"


@pytest.fixture(scope="module")
def server_and_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("health")
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS=HEARTBEAT)
    seed(env, points=1, tickets=0, displays=0)
    with serving(env, folder) as server:
        yield server, env


@pytest.fixture
def server(server_and_env: tuple[Server, dict[str, str]]) -> Server:
    return server_and_env[0]


@pytest.fixture
def seeded(server_and_env: tuple[Server, dict[str, str]]) -> Seed:
    return seed(server_and_env[1], points=1, tickets=2, displays=1)


@pytest.fixture
def desk(server: Server, seeded: Seed) -> Iterator[Screen]:
    token = server.sign_in(seeded, "receptionist")
    with sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as desk:
        desk.wait(lambda each: each.cells)
        yield desk


def health(desk: Screen, seeded: Seed) -> dict[str, Any]:
    cell: dict[str, Any] = desk.cells[f"display:{seeded['displays'][0]['id']}"]
    return cell


def url_and_token(server: Server, seeded: Seed) -> tuple[str, str]:
    return f"{server.url}/live/displays/{seeded['displays'][0]['id']}", seeded["displays"][0]["token"]


def wait_for_health(desk: Screen, seeded: Seed, **wanted: Any) -> None:
    def reached(each: Screen) -> bool:
        return {name: health(each, seeded)[name] for name in wanted} == wanted

    desk.wait(reached, what=f"{wanted}")


def connect_websocket(url: str, token: str) -> ClientConnection:
    return connect(
        url.replace("http", "ws"), additional_headers={"Authorization": f"Bearer {token}"}, compression=None, open_timeout=60
    )


def test_desk_shows_when_a_display_connects_reports_and_disconnects(server: Server, seeded: Seed, desk: Screen) -> None:
    url, token = url_and_token(server, seeded)
    assert health(desk, seeded) == {
        "name": "Display 1", "paired": True, "connected": False, "since": None, "muted": False, "version": None, "lag": None,
        "queues": [], "points": [],
    }  # fmt: skip
    with connect_websocket(url, token) as socket:
        body = json.loads(socket.recv(timeout=30))
        wait_for_health(desk, seeded, connected=True)
        since = health(desk, seeded)["since"]
        assert since - body["at"] > 1500, "the desk shows a connection only after it has lasted"
        assert abs(since / 1000 - time.time()) < 60
        socket.send(json.dumps({"type": "ack", "seq": body["seq"], "muted": True, "version": "1.2.3"}))
        wait_for_health(desk, seeded, connected=True, muted=True, version="1.2.3", lag=0)
    wait_for_health(desk, seeded, connected=False, lag=None, muted=True)


def test_display_on_server_sent_events_reports_by_requests(server: Server, seeded: Seed, desk: Screen) -> None:
    url, token = url_and_token(server, seeded)
    with sse(url, token) as display, server.client(token) as client:
        display.wait(lambda each: each.cells)
        assert client.post(f"{url}/ack", json={"seq": display.seq, "muted": False, "version": "7"}).status_code == 204
        wait_for_health(desk, seeded, connected=True, muted=False, version="7", lag=0)
        for body, status in (({}, 422), ({"seq": -1}, 422), ({"seq": 1, "version": "<b>"}, 422), ({"seq": "1"}, 422)):
            assert client.post(f"{url}/ack", json=body).status_code == status
    assert httpx.post(f"{url}/ack", json={"seq": 1}).status_code == 401
    other = f"{server.url}/live/displays/{seeded['displays'][0]['id'] + 1}/ack"
    assert httpx.post(other, json={"seq": 1}, headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_short_disconnection_is_not_shown(server: Server, seeded: Seed, desk: Screen) -> None:
    url, token = url_and_token(server, seeded)
    with ExitStack() as stack:
        away_seconds = STEADY_SECONDS
        while away_seconds > STEADY_SECONDS / 2:  # again if this machine was too busy for a short disconnection
            stack.close()
            with sse(url, token) as display:
                display.wait(lambda each: each.cells)
                wait_for_health(desk, seeded, connected=True)
                since, seq = health(desk, seeded)["since"], desk.seq
            began = time.monotonic()
            time.sleep(0.5)
            display = stack.enter_context(sse(url, token))
            display.wait(lambda each: each.cells)
            away_seconds = time.monotonic() - began
        time.sleep(3)
        assert health(desk, seeded)["connected"]
        assert health(desk, seeded)["since"] == since
    key = f"display:{seeded['displays'][0]['id']}"
    changes = [body for kind, _, body in desk.messages if kind == "change" and body["seq"] > seq]
    assert [each for each in changes if key in each["set"]] == []  # only the clock's new quotes for waiting entries


@pytest.mark.parametrize("way", ["frame", "request"])
def test_disagreement_is_counted(server: Server, seeded: Seed, way: str) -> None:
    url, token = url_and_token(server, seeded)

    def counted() -> float:
        lines = [
            line
            for line in httpx.get(f"{server.url}/metrics").text.splitlines()
            if "nowserving_disagreements_total{" in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines if 'view="display"' in line)

    before = counted()
    if way == "request":
        assert httpx.post(f"{url}/disagreement", json={"seq": 3}).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(f"{url}/disagreement", json={"seq": 3}, headers=headers).status_code == 204
    else:
        with connect_websocket(url, token) as socket:
            socket.recv(timeout=30)
            socket.send('{"type":"disagreement","seq":3}')
    until = time.monotonic() + 60
    while counted() == before and time.monotonic() < until:
        time.sleep(0.05)
    assert counted() == before + 1


def test_ticket_that_reports_disagreements_without_end_counts_a_few_times(server: Server, seeded: Seed) -> None:
    """Each report would be a line of the log, and each client could raise the alarm as often as it likes."""

    def counted() -> tuple[float, int]:
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        metric = [line for line in lines if line.startswith('nowserving_disagreements_total{view="ticket"}')]
        log = server.log.read_text().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in metric), sum("screen disagreed" in line for line in log)

    before = counted()
    with server.client() as client:
        path = f"/live/tickets/{seeded['tickets'][0]['token']}/disagreement"
        for _ in range(150):
            assert client.post(path, json={"seq": 3}).status_code == 204
    wait_until(lambda: counted()[0] > before[0], "a counted report")
    time.sleep(MOST_KEPT_SECONDS)
    after = counted()
    assert 1 <= after[0] - before[0] <= 12  # the minute may turn in between
    assert after[1] - before[1] <= 12


def send_many_acks(socket: ClientConnection) -> None:
    for _ in range(150):
        socket.send('{"type":"ack","seq":1}')


JUNK: list[tuple[str, Callable[[ClientConnection], None], int]] = [
    ("no json", lambda socket: socket.send("{"), 3501),
    ("another type", lambda socket: socket.send('{"type":"hello"}'), 3501),
    ("a list", lambda socket: socket.send("[]"), 3501),
    ("more fields", lambda socket: socket.send('{"type":"ack","seq":1,"x":1}'), 3501),
    ("a number as text", lambda socket: socket.send('{"type":"ack","seq":"1"}'), 3501),
    ("bytes", lambda socket: socket.send(b'{"type":"ack","seq":1}'), 3501),
    ("bad text", lambda socket: socket.send(b"\xff\xfe", text=True), 1007),
    ("huge", lambda socket: socket.send("x" * 70_000), 1009),
    ("huge in fragments", lambda socket: socket.send(["x" * 30_000] * 4), 1009),
    ("too often", send_many_acks, 3501),
]


@pytest.mark.parametrize(("send", "code"), [(send, code) for _, send, code in JUNK], ids=[name for name, _, _ in JUNK])
def test_junk_closes_only_its_own_connection(
    server: Server, seeded: Seed, send: Callable[[ClientConnection], None], code: int
) -> None:
    url, token = url_and_token(server, seeded)
    with sse(url, token) as beside, connect_websocket(url, token) as socket:
        beside.wait(lambda each: each.cells)
        socket.recv(timeout=30)
        try:
            send(socket)
            while True:
                socket.recv(timeout=30)
        except ConnectionClosed:
            pass
        assert socket.close_code == code
        beats = beside.kinds().count("heartbeat")
        beside.wait(lambda each: each.kinds().count("heartbeat") > beats, what="a heartbeat on the other connection")
        assert not beside.ended


def test_fragmented_message_is_accepted(server: Server, seeded: Seed, desk: Screen) -> None:
    url, token = url_and_token(server, seeded)
    with connect_websocket(url, token) as socket:
        body = json.loads(socket.recv(timeout=30))
        socket.send(['{"type":"ack",', f'"seq":{body["seq"]}', "}"])
        wait_for_health(desk, seeded, connected=True, lag=0)


def test_display_goes_dark_after_its_server_is_killed(mysql_url: str, tmp_path: Path) -> None:
    """After kill -9 another process notices within a few heartbeats. A display that moved there stays connected."""
    env = environment(mysql_url, NOWSERVING_HEARTBEAT_SECONDS="1")
    seeded = seed(env, points=1, tickets=0, displays=2)
    first, second = seeded["displays"]
    with ExitStack() as stack:
        one = stack.enter_context(serving(env, tmp_path, name="one"))
        two = stack.enter_context(serving(env, tmp_path, name="two"))
        path = f"/live/sites/{seeded['site_id']}/desk"
        desk = stack.enter_context(sse(f"{two.url}{path}", two.sign_in(seeded, "receptionist")))
        screens = [
            stack.enter_context(sse(f"{one.url}/live/displays/{each['id']}", each["token"])) for each in (first, second)
        ]
        lit = [f"display:{each['id']}" for each in (first, second)]
        desk.wait(
            lambda each: each.cells and all(each.cells[key]["connected"] for key in lit), what="both displays connected"
        )
        one.process.kill()
        for screen in screens:
            screen.wait(lambda each: each.ended)
        stack.enter_context(sse(f"{two.url}/live/displays/{second['id']}", second["token"]))
        desk.wait(lambda each: not each.cells[lit[0]]["connected"], what="one display dark")
        time.sleep(2.5)
        desk.wait(lambda each: each.cells[lit[1]]["connected"], what="the display that moved connected")
        assert not desk.cells[lit[0]]["connected"]
