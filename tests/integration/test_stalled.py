"""Stalled screens: they do not delay other screens, later get one value per cell, and are finally cut."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.live.streams import DRAIN_SECONDS
from server.seeding import Seed
from server.transport.http.metrics import MOST_KEPT_SECONDS
from server.transport.streams.handoff import SEND_BUFFER_BYTES
from tests.support.processes import end
from tests.support.screens import digest, sse
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.long

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"
)


@contextmanager
def reader(server: Server, path: str, token: str, *, upgrade: bool) -> Iterator[socket.socket]:
    """Open a stream on a socket with a small receive buffer; read no data."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(60)
        peer.connect(("127.0.0.1", server.port))
        more = UPGRADE if upgrade else ""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        peer.sendall(head.encode())
        yield peer


def read_to_end(peer: socket.socket) -> bytes:
    found = b""
    try:
        while chunk := peer.recv(65536):
            found += chunk
    except (ConnectionResetError, TimeoutError):
        pass
    return found


def bodies(received: bytes, kind: str) -> list[dict[str, Any]]:
    """Return the messages of a kind in received bytes, in either framing."""
    text = received.decode(errors="replace")
    marker = f'"type":"{kind}"' if "101 Switching" in text else f"event: {kind}\ndata: "
    found = []
    for piece in text.split(marker)[1:]:
        start = piece.index("{") if marker.endswith("data: ") else None
        try:
            if start is None:
                found.append(json.JSONDecoder().raw_decode('{"type":0' + piece)[0])
            else:
                found.append(json.JSONDecoder().raw_decode(piece[start:])[0])
        except json.JSONDecodeError:
            continue  # an incomplete message
    return found


def metric(server: Server, name: str) -> float:
    lines = [line for line in httpx.get(f"{server.url}/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def resident(server: Server) -> int:
    """Return the resident memory of a server, in bytes."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def issue(desk: httpx.Client, seeded: Seed, count: int) -> int:
    seq = 0
    for index in range(count):
        answer = desk.post(
            "/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0], "name": f"Ada {index} Lovelace"}
        )
        assert answer.status_code == 200, answer.text
        seq = answer.json()["seq"]
    return seq


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_stalled_reader_gets_one_change_and_delays_no_other(sqlite_url: str, tmp_path: Path, upgrade: bool) -> None:
    env = environment(sqlite_url, NOWSERVING_STALLED_SECONDS="600")
    seeded = seed(env, points=1, tickets=150, displays=0)
    path = f"/live/sites/{seeded['site_id']}/desk"
    with serving(env, tmp_path) as server, ExitStack() as stack:
        token = server.sign_in(seeded, "receptionist")
        desk = stack.enter_context(server.client(token))
        live = stack.enter_context(sse(f"{server.url}{path}", token))
        live.wait(lambda each: each.cells)
        peer = stack.enter_context(reader(server, path, token, upgrade=upgrade))
        issue(desk, seeded, 40)
        until = time.monotonic() + 60
        while metric(server, "nowserving_streams_paused") < 1:
            assert time.monotonic() < until, "the stall was never noticed"
            time.sleep(0.05)
        stalled_at = time.time_ns() // 1_000_000
        before = resident(server)
        time.sleep(MOST_KEPT_SECONDS)  # the server keeps the text of its metrics for so long
        delivered = metric(server, 'nowserving_delivered_total{kind="change"}')
        seq = issue(desk, seeded, 100)
        live.wait(lambda each: each.seq >= seq, what="the last ticket")
        time.sleep(MOST_KEPT_SECONDS)
        assert metric(server, "nowserving_streams_paused") == 1, "the other reader has all, and this one is still stalled"
        seen = metric(server, 'nowserving_delivered_total{kind="change"}') - delivered
        assert seen <= 110, "only the reading screen gets messages"
        assert resident(server) - before < 8_000_000
        # The reader reads again: first the messages already written, then one change with all the rest.
        reads_at = time.time_ns() // 1_000_000
        received = b""
        while seq not in [each["seq"] for each in bodies(received, "change")]:
            received += peer.recv(65536)
        snapshots, changes = bodies(received, "snapshot"), bodies(received, "change")
        assert len(snapshots) == 1
        cells = dict(snapshots[0]["cells"])
        for change in changes:
            cells |= change["set"]
            for key in change["del"]:
                cells.pop(key, None)
        assert digest(cells) == digest(live.cells)
        assert len(changes[-1]["set"]) >= 100
        # There may be heartbeats before and after the stall, but none during the stall.
        assert not [each for each in bodies(received, "heartbeat") if stalled_at < each["at"] < reads_at]


@pytest.mark.parametrize("upgrade", [False, True], ids=["sse", "websocket"])
def test_stalled_reader_is_cut_and_does_not_delay_the_drain(sqlite_url: str, tmp_path: Path, upgrade: bool) -> None:
    env = environment(sqlite_url, NOWSERVING_STALLED_SECONDS="1.5")
    seeded = seed(env, points=1, tickets=200, displays=0)
    path = f"/live/sites/{seeded['site_id']}/desk"
    with serving(env, tmp_path) as server, ExitStack() as stack:
        token = server.sign_in(seeded, "receptionist")
        desk = stack.enter_context(server.client(token))
        peer = stack.enter_context(reader(server, path, token, upgrade=upgrade))
        issue(desk, seeded, 40)
        until = time.monotonic() + 60
        while metric(server, 'nowserving_streams_closed_total{reason="slow",view="desk"}') < 1:
            assert time.monotonic() < until, "the reader was never cut"
            time.sleep(0.05)
        assert metric(server, "nowserving_streams{") == 0
        assert bodies(read_to_end(peer), "bye") == []
        with reader(server, path, token, upgrade=upgrade):
            issue(desk, seeded, 40)
            until = time.monotonic() + 60
            while metric(server, "nowserving_streams_paused") < 1 and time.monotonic() < until:
                time.sleep(0.05)
            began = time.time()
            assert end(server.process) == 0, server.log.read_text()[-2000:]
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if "stream closed" in line]
        # By itself, as the server's own clock says: it did not wait for the end of the drain.
        assert datetime.fromisoformat(lines[-1]["timestamp"]).timestamp() - began < DRAIN_SECONDS


READERS = 150
COPIES = 5


def test_stalled_reader_costs_no_more_than_its_view_and_its_socket(sqlite_url: str, tmp_path: Path) -> None:
    """Many readers stall while all entries change many times: the memory for each is bounded, for a stall of any length.

    ASGI copies a snapshot several times: as the message, as text, as an event, as a chunk, and as bytes that wait for the
    socket.
    """
    env = environment(sqlite_url, NOWSERVING_MAX_STREAMS_PER_TOKEN=str(READERS + 10))
    seeded = seed(env, points=1, tickets=200, displays=0)
    path = f"/live/sites/{seeded['site_id']}/desk"
    with serving(env, tmp_path) as server, ExitStack() as stack:
        token = server.sign_in(seeded, "receptionist")
        desk = stack.enter_context(server.client(token))
        live = stack.enter_context(sse(f"{server.url}{path}", token))
        live.wait(lambda each: each.cells)
        before = resident(server)
        for _ in range(READERS):
            stack.enter_context(reader(server, path, token, upgrade=False))
        until = time.monotonic() + 60
        while metric(server, "nowserving_streams_paused") < READERS:
            assert time.monotonic() < until, "not all stalls were noticed"
            time.sleep(0.05)
        standing = resident(server)
        view = len(json.dumps(live.cells, ensure_ascii=False))
        issue(desk, seeded, 150)
        assert standing - before < READERS * (COPIES * view + SEND_BUFFER_BYTES), "a reader costs its view and its socket"
        assert resident(server) - standing < READERS * 2_000 + 8_000_000, "later changes cost no more memory"
