"""Clients of all kinds: HTTP/1.0, thousands at once, and the libraries of other projects."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import httpx
from httpx_sse import connect_sse
from sseclient import SSEClient
from websocket import WebSocketException, create_connection

from tests.support.processes import end, program
from tests.support.screens import Message, Screen
from tests.support.server import environment, seed, serving
from tests.support.streams import Streams, allow_files, head

MANY = 2000


def test_http_1_0_stream_has_no_chunks_and_head_request_ends(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_HEARTBEAT_SECONDS="0.3")
    seeded = seed(env, points=1, tickets=1, displays=1)
    display = seeded["displays"][0]
    with serving(env, tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as old:
            path = f"/live/displays/{display['id']}?token={display['token']}"
            old.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
            received = b""
            while received.count(b"event: heartbeat") < 2:
                received += old.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert body.startswith(b"retry: ")
        events = [each for each in body.split(b"\n\n") if b"event: snapshot" in each]
        assert json.loads(events[0].partition(b"data: ")[2])["cells"]
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as old:
            old.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            received = b""
            while chunk := old.recv(65536):
                received += chunk
            assert received.endswith(b'\r\n\r\n{"status":"ok"}')
        with server.client(display["token"]) as client:
            for _ in range(2):  # the connection accepts another request
                answer = client.head(f"/live/displays/{display['id']}")
                assert (answer.status_code, answer.content) == (200, b"")


def test_thousands_of_streams_are_drained_in_time_and_resume_without_a_gap(sqlite_url: str, tmp_path: Path) -> None:
    """SIGTERM with 2,000 screens: a bye for each, exit status 0, and the next server sends each only the changes."""
    env = environment(sqlite_url, NOWSERVING_MAX_STREAMS_PER_TOKEN="3000")
    seeded = seed(env, points=1, tickets=3, displays=1)
    display = seeded["displays"][0]
    path = f"/live/displays/{display['id']}"

    def requests(ids: Iterable[str | None]) -> Iterator[bytes]:
        return (head(path, display["token"], websocket=not index % 4, last_id=last) for index, last in enumerate(ids))

    allow_files()
    with (
        serving(env, tmp_path, name="first") as server,
        serving(env, tmp_path, name="second") as other,
        Streams(other.port) as again,
    ):
        again.join(requests([None]))  # the other server already follows the site, and knows the later changes
        with Streams(server.port) as crowd:
            crowd.join(requests([None] * MANY))
            assert {tuple(each.kinds[:1]) for each in crowd.streams} == {("snapshot",)}
            server.process.send_signal(signal.SIGTERM)
            crowd.wait(lambda: all(each.ended for each in crowd.streams), 60, "the end of each")
            assert server.process.wait(60) == 0, server.log.read_text()[-2000:]
        assert {(each.kinds[-1], each.reason) for each in crowd.streams} == {("bye", "drain")}
        with other.client(other.sign_in(seeded, "receptionist")) as desk:
            done = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
        back = again.join(requests(each.last_id for each in crowd.streams))
        again.wait(lambda: all(each.seq >= done["seq"] for each in again.streams), 60, "the missed changes")
        kinds = Counter(kind for each in back for kind in each.kinds)
        assert kinds["snapshot"] == 0, kinds
        assert kinds["change"] >= MANY


# Clients of other projects

NPM = Path(__file__).parents[1] / "npm"
# The messages of one connection after an id, until the connection ends or the event is set.
Follow = Callable[[str, str | None, threading.Event], Generator[Message, None, None]]


def by_httpx_sse(url: str, last_id: str | None, _: threading.Event) -> Generator[Message, None, None]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with httpx.Client(timeout=60) as client, connect_sse(client, "GET", url, headers=headers) as source:
        for event in source.iter_sse():
            if event.data:
                yield event.event, event.id or None, event.json()


def by_sseclient(url: str, last_id: str | None, _: threading.Event) -> Generator[Message, None, None]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with httpx.Client(timeout=60) as client, client.stream("GET", url, headers=headers) as answer:
        for event in SSEClient(each for each in answer.iter_bytes()).events():
            yield event.event, event.id, json.loads(event.data)


def by_websocket_client(url: str, last_id: str | None, _: threading.Event) -> Generator[Message, None, None]:
    resumed = f"{url}&last_event_id={last_id}" if last_id else url
    connection = create_connection(resumed.replace("http", "ws", 1), timeout=60)
    try:
        while frame := connection.recv():
            body = json.loads(frame)
            yield body.pop("type"), body.pop("id", None), body
    finally:
        connection.shutdown()  # type: ignore[no-untyped-call]


def by_node(script: str) -> Follow:
    def follow(url: str, _: str | None, stop: threading.Event) -> Generator[Message, None, None]:
        """Follow until ``stop`` is set: the script reconnects by itself."""
        address = url if script == "eventsource" else url.replace("http", "ws", 1)
        command = [program("node", "nodejs"), str(NPM / f"{script}.mjs"), address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)

        def end_in_time() -> None:
            stop.wait()
            process.terminate()

        ender = threading.Thread(target=end_in_time)
        ender.start()
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                message = json.loads(line)
                yield message["kind"], message["id"], message["body"]
        stop.wait()
        ender.join()
        process.wait(60)

    return follow


CLIENTS: dict[str, Follow] = {
    "httpx-sse": by_httpx_sse,
    "sseclient-py": by_sseclient,
    "websocket-client": by_websocket_client,
    "eventsource": by_node("eventsource"),
    "ws": by_node("ws"),
}


@contextmanager
def following(client: Follow, url: str) -> Iterator[Screen]:
    """Follow a stream with a client, and reconnect after the last id, until the block ends."""
    screen, stop = Screen(), threading.Event()

    def follow() -> None:
        while not stop.is_set():
            with (
                suppress(httpx.HTTPError, WebSocketException, OSError),
                closing(client(url, screen.last_id, stop)) as messages,
            ):
                for kind, identifier, body in messages:
                    # An EventSource repeats the last id with a message that has no id.
                    screen.take(kind, None if kind == "bye" else identifier, body)
                    if stop.is_set():
                        break
            stop.wait(0.3)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield screen
    finally:
        stop.set()
        thread.join(30)


def test_clients_of_other_projects_follow_and_resume(sqlite_url: str, tmp_path: Path) -> None:
    """Each client sees a call, agrees with the digests, gets the server's bye, and resumes at the next server."""
    env = environment(sqlite_url, NOWSERVING_HEARTBEAT_SECONDS="0.5")
    seeded = seed(env, points=2, tickets=4, displays=1)
    display = seeded["displays"][0]
    with ExitStack() as stack:
        server = stack.enter_context(serving(env, tmp_path, name="first"))
        url = f"{server.url}/live/displays/{display['id']}?token={display['token']}"
        screens = {name: stack.enter_context(following(client, url)) for name, client in CLIENTS.items()}
        token = server.sign_in(seeded, "receptionist")
        for index, point_id in enumerate(seeded["point_ids"]):
            for name, screen in screens.items():
                screen.wait(lambda each: each.cells and not each.ended, what=f"{name}: a snapshot")
            with server.client(token) as desk:
                done = desk.post("/api/v1/commands/call-next", json={"point_id": point_id}).json()
            called = f"entry:{done['entry']['id']}"
            for name, screen in screens.items():
                screen.wait(lambda each, key=called: key in each.cells, what=f"{name}: the call")  # type: ignore[misc]
                beats = screen.kinds().count("heartbeat")
                screen.wait(lambda each, seen=beats: each.kinds().count("heartbeat") > seen + 1, what=f"{name}: a heartbeat")  # type: ignore[misc]
                assert screen.disagreed == [], name
                assert screen.kinds()[0] == "snapshot", name
            if index == 0:
                assert end(server.process) == 0
                for name, screen in screens.items():
                    screen.wait(lambda each: "bye" in each.kinds(), what=f"{name}: a bye")
                server = stack.enter_context(serving(env, tmp_path, name="second", port=server.port))
        assert len({json.dumps(screen.cells, sort_keys=True) for screen in screens.values()}) == 1
