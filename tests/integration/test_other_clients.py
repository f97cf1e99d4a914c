"""Clients of all kinds: old HTTP, many at once, and what they are told when the server goes."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.real.server import environment, seed, serving
from tests.real.streams import Streams, allow_files, head

MANY = 2000


def test_http_1_0_gets_a_stream_without_chunks_and_head_ends(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_HEARTBEAT_SECONDS="0.3")
    seeded = seed(env, points=1, tickets=1, displays=1)
    display = seeded["displays"][0]
    with serving(env, tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as old:
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
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as old:
            old.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            received = b""
            while chunk := old.recv(65536):
                received += chunk
            assert received.endswith(b'\r\n\r\n{"status":"ok"}')
        with server.client(display["token"]) as client:
            for _ in range(2):  # the connection is good for another
                answer = client.head(f"/live/displays/{display['id']}")
                assert (answer.status_code, answer.content) == (200, b"")


def test_thousands_of_streams_are_drained_in_time_and_resume_without_a_gap(sqlite_url: str, tmp_path: Path) -> None:
    """SIGTERM with 2,000 screens: a bye for each, status 0, and the next server tells each only what it missed."""
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
        again.join(requests([None]))  # the other follows the site already: it knows what has changed since
        with Streams(server.port) as crowd:
            crowd.join(requests([None] * MANY))
            assert {tuple(each.kinds[:1]) for each in crowd.streams} == {("snapshot",)}
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            crowd.wait(lambda: all(each.ended for each in crowd.streams), 15, "the end of each")
            assert server.process.wait(15) == 0, server.log.read_text()[-2000:]
            assert time.monotonic() - began < 10
        assert {(each.kinds[-1], each.reason) for each in crowd.streams} == {("bye", "drain")}
        with other.client(other.sign_in(seeded, "receptionist")) as desk:
            done = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
        back = again.join(requests(each.last_id for each in crowd.streams))
        again.wait(lambda: all(each.seq >= done["seq"] for each in again.streams), 10, "what was missed")
        told = Counter(kind for each in back for kind in each.kinds)
        assert told["snapshot"] == 0, told
        assert told["change"] >= MANY
