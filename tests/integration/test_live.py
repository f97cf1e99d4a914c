"""The live stream through running servers: the messages of a screen, and its view after a failure."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.domain.views import DeskView
from server.live.projection import stamped
from server.seeding import Seed
from server.transport.http.metrics import MOST_KEPT_SECONDS
from tests.support.processes import end, free_port, wait_until
from tests.support.redis import redis
from tests.support.screens import Screen, digest, sse, websocket
from tests.support.server import Server, environment, seed, serving

pytestmark = [pytest.mark.long, pytest.mark.measured]

REFILLS = "nowserving_refills_total "
HEARTBEAT = 0.4
Follow = Callable[..., AbstractContextManager[Screen]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT))


@pytest.fixture(scope="module")
def server(env: dict[str, str], folder: Path) -> Iterator[Server]:
    seed(env, points=1, tickets=0)
    with serving(env, folder) as server:
        yield server


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """A site of its own for each test."""
    return seed(env, points=2, tickets=6, displays=1)


@pytest.fixture
def desk(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        yield client


def do(client: httpx.Client, command: str, /, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/commands/{command}", json=body)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def token_of(client: httpx.Client) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")


def display_address(server: Server, seeded: Seed) -> tuple[str, str]:
    display = seeded["displays"][0]
    return f"{server.url}/live/displays/{display['id']}", display["token"]


@pytest.mark.parametrize("follow", [sse, websocket])
def test_call_appears_on_every_screen(server: Server, seeded: Seed, desk: httpx.Client, follow: Follow) -> None:
    """One press of "next" changes the display, the desk and the patient's phone."""
    with ExitStack() as stack:
        display = stack.enter_context(follow(*display_address(server, seeded)))
        reception = stack.enter_context(follow(f"{server.url}/live/sites/{seeded['site_id']}/desk", token_of(desk)))
        ticket = seeded["tickets"][0]
        phone = stack.enter_context(follow(f"{server.url}/live/tickets/{ticket['token']}"))
        for screen in (display, reception, phone):
            screen.wait(lambda each: each.kinds()[:1] == ["snapshot"], what="a snapshot")
        assert phone.cells["ticket"]["state"] == "waiting"
        assert phone.cells["ahead"] == {"count": 0}

        done = do(desk, "call-next", point_id=seeded["point_ids"][0])
        key = f"entry:{done['entry']['id']}"
        assert done["entry"]["label"] == ticket["label"]
        for screen in (display, reception, phone):
            screen.wait(lambda each: each.seq >= done["seq"], what="the call")
        assert display.cells[key]["label"] == ticket["label"]
        assert display.cells[key]["point"] == seeded["point_ids"][0]
        assert reception.cells[key]["state"] == "called"
        assert reception.cells[f"point:{seeded['point_ids'][0]}"]["entry"] == done["entry"]["id"]
        assert phone.cells["ticket"] | {"since": 0} == phone.cells["ticket"] | {
            "since": 0, "state": "called", "point": "Room 1", "calls": 1,
        }  # fmt: skip
        assert "ahead" not in phone.cells
        do(desk, "start", entry_id=done["entry"]["id"])
        display.wait(lambda each: key not in each.cells, what="the end of the call")


@pytest.mark.parametrize("follow", [sse, websocket])
def test_law_holds_through_a_running_server(server: Server, seeded: Seed, desk: httpx.Client, follow: Follow) -> None:
    """After a sequence of commands every screen equals a fresh snapshot, and all its digests have agreed."""
    first, second = seeded["point_ids"]
    addresses = [
        display_address(server, seeded),
        (f"{server.url}/live/sites/{seeded['site_id']}/desk", token_of(desk)),
        *((f"{server.url}/live/tickets/{ticket['token']}", None) for ticket in seeded["tickets"][:4]),
    ]
    with ExitStack() as stack:
        screens = [stack.enter_context(follow(*address)) for address in addresses]
        for screen in screens:
            screen.wait(lambda each: each.cells, what="a snapshot")
        for _ in range(2):
            one = do(desk, "call-next", point_id=first)["entry"]["id"]
            other = do(desk, "call-next", point_id=second)["entry"]["id"]
            do(desk, "recall", entry_id=one)
            do(desk, "start", entry_id=one)
            do(desk, "no-show", entry_id=other)
            do(desk, "issue-ticket", queue_id=seeded["queue_ids"][0], name="Ada Lovelace", name_on_display=True)
            entry = do(desk, "transfer", entry_id=one, queue_id=_other_queue(desk, seeded, one))["entry"]
            last = do(desk, "call-next", point_id=first)
            do(desk, "start", entry_id=last["entry"]["id"])
            seq = do(desk, "complete", entry_id=last["entry"]["id"])["seq"]
            assert entry["state"] == "waiting"
        for screen, address in zip(screens, addresses, strict=True):
            screen.wait(lambda each: each.seq >= seq, what="the last number")
            with follow(*address) as fresh:
                fresh.wait(lambda each: each.cells, what="a snapshot")
                until = time.monotonic() + 60
                while True:  # between the two, the clock may renew quotes, or a display may be reported
                    at = max(fresh.seq, screen.seq)
                    for each in (fresh, screen):
                        each.wait(lambda one, to=at: one.seq >= to, what="the same number")  # type: ignore[misc]
                    if fresh.seq == screen.seq or time.monotonic() > until:
                        break
                assert screen.cells == fresh.cells
            beats = screen.kinds().count("heartbeat")
            screen.wait(lambda each, seen=beats: each.kinds().count("heartbeat") > seen, what="a heartbeat")  # type: ignore[misc]
            assert screen.disagreed == []
        until = time.monotonic() + 60
        while True:  # the same may happen between these two
            board = desk.get(f"/api/v1/sites/{seeded['site_id']}/board").json()
            screens[1].wait(lambda each, to=board["seq"]: each.seq >= to, what="the board's number")  # type: ignore[misc]
            if board["seq"] == screens[1].seq or time.monotonic() > until:
                break
        assert board["cells"] == screens[1].cells


def _other_queue(desk: httpx.Client, seeded: Seed, entry_id: int) -> int:
    cells = desk.get(f"/api/v1/sites/{seeded['site_id']}/board").json()["cells"]
    present = cells[f"entry:{entry_id}"]["queue"]
    return next(int(queue_id) for queue_id in seeded["queue_ids"] if queue_id != present)


def test_patient_reports_lateness_returns_and_leaves(server: Server, seeded: Seed, desk: httpx.Client) -> None:
    """The patient uses their own page, by the ticket's token. The desk sees each step at once, and call-next skips them."""
    first, second = seeded["tickets"][0], seeded["tickets"][1]
    with (
        sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token_of(desk)) as reception,
        sse(f"{server.url}/live/tickets/{first['token']}") as phone,
        server.client(first["token"]) as patient,
    ):
        reception.wait(lambda each: each.cells)
        phone.wait(lambda each: each.cells)
        (key,) = [key for key, cell in reception.cells.items() if cell.get("label") == first["label"]]
        entry_id = int(key.removeprefix("entry:"))
        do(patient, "running-late", entry_id=entry_id, minutes=10)
        reception.wait(lambda each: each.cells[key]["absent_until"] is not None, what="the lateness")
        called = do(desk, "call-next", point_id=seeded["point_ids"][0])
        assert called["entry"]["label"] == second["label"]
        do(patient, "running-late", entry_id=entry_id, minutes=0)
        phone.wait(lambda each: each.cells["ticket"]["absent_until"] is None, what="here again")
        do(patient, "leave", entry_id=entry_id)
        phone.wait(lambda each: each.cells["ticket"]["state"] == "left", what="the departure")
        reception.wait(lambda each: key not in each.cells, what="the departure")


@pytest.mark.parametrize("follow", [sse, websocket])
def test_resumed_screen_gets_only_the_changes(server: Server, seeded: Seed, desk: httpx.Client, follow: Follow) -> None:
    """A screen that resumes with its last id gets only the changes. Without any, it gets a heartbeat at once."""
    address = display_address(server, seeded)
    with follow(*address) as before:
        before.wait(lambda each: each.cells, what="a snapshot")
    done = do(desk, "call-next", point_id=seeded["point_ids"][0])
    with follow(*address, resume=before) as after:
        after.wait(lambda each: each.messages, what="the change")
        assert after.kinds()[0] == "change"
        assert set(after.messages[0][2]["set"]) == {
            f"entry:{done['entry']['id']}",
            f"queue:{seeded['queue_ids'][0]}",
            f"announcement:{done['events'][0]['announcement_id']}",
        }
        assert after.messages[0][2]["seq"] >= done["seq"]
    with follow(*address, resume=after) as again:
        again.wait(lambda each: each.messages, what="a heartbeat")
        assert again.kinds()[0] == "heartbeat"
        assert again.disagreed == []


def test_header_overrides_query_and_foreign_ids_get_a_snapshot(server: Server, seeded: Seed, desk: httpx.Client) -> None:
    url, token = display_address(server, seeded)
    with sse(url, token) as first:
        first.wait(lambda each: each.cells)
    assert first.last_id is not None
    epoch, shape, seq = first.last_id.split(".")
    with sse(url, token, query=f"?last_event_id={first.last_id}") as by_query:
        by_query.wait(lambda each: each.messages)
        assert by_query.kinds()[0] == "heartbeat"
    for foreign in (
        f"{'0' * len(epoch)}.{shape}.{seq}",
        f"{epoch}.{stamped(DeskView.shape)}.{seq}",
        f"{epoch}.{shape}.0",
        f"{epoch}.{shape}.{int(seq) + 1000}",
        "nonsense",
    ):
        with sse(url, token, last_id=foreign, query=f"?last_event_id={first.last_id}") as screen:
            screen.wait(lambda each: each.messages)
            assert screen.kinds()[0] == "snapshot", foreign


def test_heartbeats_are_on_time_with_the_digest_of_the_view(server: Server, seeded: Seed) -> None:
    with sse(*display_address(server, seeded)) as screen:
        screen.wait(lambda each: each.kinds().count("heartbeat") >= 5, what="five heartbeats")
        beats = [body for kind, _, body in screen.messages if kind == "heartbeat"]
        assert all(body["digest"] == digest(screen.cells) for body in beats)
        # Not a flood. A beat that the machine delays shortens one space, and not the sum of them.
        assert beats[4]["at"] - beats[0]["at"] >= 3 * HEARTBEAT * 1000
        assert abs(beats[-1]["at"] / 1000 - time.time()) < 60
        snapshot = screen.messages[0][2]
        assert snapshot["heartbeat_ms"] == HEARTBEAT * 1000


def test_event_stream_has_standard_headers_and_framing(server: Server, seeded: Seed) -> None:
    url, token = display_address(server, seeded)
    with server.client(token) as client, client.stream("GET", url) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        first = [next(lines) for _ in range(5)]
        assert first[0].startswith("retry: ")
        assert 2500 <= int(first[0].removeprefix("retry: ")) <= 7500
        assert first[1] == ""
        assert {line.partition(": ")[0] for line in first[2:5]} == {"id", "event", "data"}
    with server.client(token) as client:
        head = client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")


def test_stream_over_the_cap_is_refused(env: dict[str, str], folder: Path, server: Server, seeded: Seed) -> None:
    """Over the cap, an event stream gets status 200 and a bye, which an EventSource survives. A WebSocket gets 503.

    A screen that resumes in the free place gets a heartbeat at once: the server's next one comes minutes later.
    """
    capped = env | {"NOWSERVING_MAX_STREAMS_PER_TOKEN": "1", "NOWSERVING_HEARTBEAT_SECONDS": "300"}
    with serving(capped, folder, name="capped") as other:
        url, token = display_address(other, seeded)
        with sse(url, token) as first:
            first.wait(lambda each: each.cells)
            with sse(url, token) as second:
                second.wait(lambda each: each.ended, what="the end")
                assert second.kinds() == ["bye"]
                assert second.messages[0][2]["reason"] == "over-cap"
            with pytest.raises(InvalidStatus) as refusal:
                connect(url.replace("http", "ws"), additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=60)
            assert refusal.value.response.status_code == 503

        def is_let_in() -> bool:
            with sse(url, token) as third:
                third.wait(lambda each: each.messages)
                return third.kinds()[0] == "snapshot"

        wait_until(is_let_in, "a snapshot in the free place")

        def is_resumed(follow: Follow) -> bool:
            with suppress(InvalidStatus), follow(url, token, resume=first) as again:
                again.wait(lambda each: each.messages)
                return again.kinds()[0] == "heartbeat"
            return False

        for follow in (sse, websocket):
            wait_until(partial(is_resumed, follow), "a heartbeat at once")


def test_streams_of_a_member_are_counted_over_all_sessions(
    env: dict[str, str], folder: Path, server: Server, seeded: Seed
) -> None:
    """One member with many sessions leaves places to the others. A cap below the one of a session has no effect."""
    capped = env | {"NOWSERVING_MAX_STREAMS_PER_TOKEN": "2", "NOWSERVING_MAX_STREAMS_PER_MEMBER": "3"}
    with serving(capped, folder, name="capped") as other, ExitStack() as stack:
        desk = f"{other.url}/live/sites/{seeded['site_id']}/desk"
        console = f"{other.url}/live/points/{seeded['point_ids'][0]}"
        one, another = (other.sign_in(seeded, "receptionist") for _ in range(2))
        for url, token in ((desk, one), (desk, one), (console, another)):
            stack.enter_context(sse(url, token)).wait(lambda each: each.cells)
        with sse(desk, another) as fourth:
            fourth.wait(lambda each: each.ended, what="the end")
            assert (fourth.kinds(), fourth.messages[0][2]["reason"]) == (["bye"], "over-cap")
        with pytest.raises(InvalidStatus) as refusal:
            connect(
                console.replace("http", "ws"), additional_headers={"Authorization": f"Bearer {another}"}, open_timeout=60
            )
        assert refusal.value.response.status_code == 503
        for url, token in ((desk, other.sign_in(seeded, "admin")), display_address(other, seeded)):
            stack.enter_context(sse(url, token)).wait(lambda each: each.cells)
    with serving(env | {"NOWSERVING_MAX_STREAMS_PER_MEMBER": "1"}, folder, name="lower") as other, ExitStack() as stack:
        desk = f"{other.url}/live/sites/{seeded['site_id']}/desk"
        for token in [other.sign_in(seeded, "receptionist")] * 2:
            stack.enter_context(sse(desk, token)).wait(lambda each: each.cells)


def test_refused_websocket_gets_a_close_code(server: Server, seeded: Seed) -> None:
    url, _ = display_address(server, seeded)
    with connect(
        url.replace("http", "ws"), additional_headers={"Authorization": "Bearer d1-nonsense"}, open_timeout=60
    ) as socket:
        with pytest.raises(Exception, match="not_signed_in"):
            socket.recv(timeout=30)
        assert socket.close_code == 3500


def test_drain_sends_byes_and_screens_resume_elsewhere(
    env: dict[str, str], folder: Path, server: Server, seeded: Seed
) -> None:
    """At SIGTERM every bye says when to reconnect, the server exits with status 0, and screens resume elsewhere."""
    with serving(env, folder, name="drained") as other, ExitStack() as stack:
        screens = [stack.enter_context(sse(*display_address(other, seeded))) for _ in range(10)]
        screens += [stack.enter_context(websocket(*display_address(other, seeded))) for _ in range(5)]
        for screen in screens:
            screen.wait(lambda each: each.cells)
        assert end(other.process) == 0, other.log.read_text()[-2000:]
        for screen in screens:
            screen.wait(lambda each: each.ended, what="the end")
            kind, _, body = screen.messages[-1]
            assert kind == "bye"
            assert body["reason"] == "drain"
            assert 500 <= body["retry_ms"] <= 1500
        with sse(*display_address(server, seeded), resume=screens[0]) as resumed:
            resumed.wait(lambda each: each.messages)


@pytest.fixture
def pair(mysql_url: str, tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Server, Seed]]]:
    """Start two server processes on one MariaDB, with or without a bus."""
    with ExitStack() as stack:

        def start(redis_url: str | None) -> tuple[Server, Server, Seed]:
            env = environment(mysql_url, redis_url, NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT))
            seeded = seed(env, points=2, tickets=12, displays=1)
            first = stack.enter_context(serving(env, tmp_path, name="first"))
            second = stack.enter_context(serving(env, tmp_path, name="second"))
            return first, second, seeded

        yield start


def _see_calls(first: Server, second: Server, seeded: Seed, calls: int) -> float:
    """Send commands to the first server, and wait until the second server's display shows each call.

    Return how many times the second server read missing events from the log.
    """
    before = _refills(second)
    with (
        first.client(first.sign_in(seeded, "receptionist")) as desk,
        sse(*display_address(second, seeded)) as display,
    ):
        display.wait(lambda each: each.cells)
        for _ in range(calls):
            done = do(desk, "call-next", point_id=seeded["point_ids"][0])
            display.wait(lambda each, to=done["seq"]: each.seq >= to, what="the call")  # type: ignore[misc]
            do(desk, "start", entry_id=done["entry"]["id"])
            do(desk, "complete", entry_id=done["entry"]["id"])
        assert display.disagreed == []
    return _refills(second) - before


def _refills(server: Server) -> float:
    time.sleep(MOST_KEPT_SECONDS)
    (line,) = (each for each in httpx.get(f"{server.url}/metrics").text.splitlines() if each.startswith(REFILLS))
    return float(line.rpartition(" ")[2])


def test_redis_carries_changes_between_processes(pair: Any, redis_url: str) -> None:
    """The screens of another process show a command before the next check of the log, which would be a refill."""
    first, second, seeded = pair(redis_url)
    assert _see_calls(first, second, seeded, 5) < 5


def test_changes_reach_other_processes_without_a_bus(pair: Any) -> None:
    """Without a bus, an update comes with the next check of the log, but always comes."""
    first, second, seeded = pair(None)
    assert _see_calls(first, second, seeded, 4) >= 4


def test_screens_survive_a_frozen_and_a_killed_redis(pair: Any, tmp_path: Path) -> None:
    """Redis freezes, is killed and starts again: commands and screens continue. Afterwards the bus carries them again."""
    port = free_port()
    with ExitStack() as stack:
        url = stack.enter_context(redis(tmp_path, port))
        first, second, seeded = pair(url)
        _see_calls(first, second, seeded, 1)
        pid = _redis_pid(port)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert _see_calls(first, second, seeded, 2) >= 2
        finally:
            os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGKILL)
        assert _see_calls(first, second, seeded, 2) >= 2
        assert httpx.get(f"{second.url}/health/ready").status_code == 200, "a server without its bus is still ready"
        stack.enter_context(redis(tmp_path, port))
        _until_healthy(first, second)
        assert _see_calls(first, second, seeded, 3) < 3


def _redis_pid(port: int) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"redis-server" in command and f":{port}".encode() in command:
                return int(entry.name)
    raise AssertionError("no Redis listens on this port")


def _until_healthy(*servers: Server) -> None:
    until = time.monotonic() + 60
    for server in servers:
        while httpx.get(f"{server.url}/health/ready").json()["checks"]["bus"]["status"] != "ok":
            assert time.monotonic() < until, "the bus did not recover"
            time.sleep(0.1)


def test_call_survives_a_kill_between_commit_and_publish(pair: Any, redis_url: str) -> None:
    """kill -9 right after the answer: the other server's screens show the call, published or not."""
    first, second, seeded = pair(redis_url)
    with sse(*display_address(second, seeded)) as display, first.client(first.sign_in(seeded, "receptionist")) as desk:
        display.wait(lambda each: each.cells)
        with sse(*display_address(first, seeded)) as lost:
            lost.wait(lambda each: each.cells)
            done = do(desk, "call-next", point_id=seeded["point_ids"][0])
            first.process.kill()
            lost.wait(lambda each: each.ended, what="the end of the connection")
        display.wait(lambda each: f"entry:{done['entry']['id']}" in each.cells, what="the call")
        with sse(*display_address(second, seeded), resume=lost) as resumed:
            resumed.wait(lambda each: each.messages and each.cells == display.cells, what="the same board")
