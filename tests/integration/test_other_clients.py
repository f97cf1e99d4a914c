"""Clients of all kinds: old HTTP, many at once, and what they are told when the server goes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from pathlib import Path

import httpx
from httpx_sse import aconnect_sse

from tests.real.screens import sse
from tests.real.server import environment, seed, serving

MANY = 300


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


async def _follow(
    client: httpx.AsyncClient, url: str, token: str, ready: asyncio.Event, counts: list[int]
) -> tuple[str, str]:
    """Follow until the end; return the last id and the reason of the end."""
    last, reason = "", ""
    async with aconnect_sse(client, "GET", url, headers={"Authorization": f"Bearer {token}"}) as source:
        async for event in source.aiter_sse():
            if event.event == "snapshot":
                counts[0] += 1
                if counts[0] == MANY:
                    ready.set()
            if event.event == "bye":
                reason = event.json()["reason"]
            elif event.id:
                last = event.id
    return last, reason


def test_many_streams_are_drained_in_time_and_resume_without_a_gap(sqlite_url: str, tmp_path: Path) -> None:
    """SIGTERM with hundreds of screens: a bye for each, status 0, and the next server tells only what they missed."""
    env = environment(sqlite_url, NOWSERVING_MAX_STREAMS_PER_TOKEN="1000", NOWSERVING_DRAIN_DELAY_SECONDS="0.2")
    seeded = seed(env, points=1, tickets=3, displays=1)
    display = seeded["displays"][0]
    path = f"/live/displays/{display['id']}"

    async def drained(url: str, stop: list[float]) -> list[tuple[str, str]]:
        ready, counts = asyncio.Event(), [0]
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            following = [
                asyncio.create_task(_follow(client, url + path, display["token"], ready, counts)) for _ in range(MANY)
            ]
            await asyncio.wait_for(ready.wait(), 60)
            stop.append(time.monotonic())
            server.process.send_signal(signal.SIGTERM)
            return await asyncio.wait_for(asyncio.gather(*following), 15)

    stopped: list[float] = []
    with serving(env, tmp_path, name="first") as server, serving(env, tmp_path, name="second") as other:
        ends = asyncio.run(drained(server.url, stopped))
        assert server.process.wait(10) == 0, server.log.read_text()[-2000:]
        assert time.monotonic() - stopped[0] < 10
        assert {reason for _, reason in ends} == {"drain"}
        with other.client(other.sign_in(seeded, "receptionist")) as desk:
            done = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
        with sse(other.url + path, display["token"], last_id=ends[0][0]) as resumed:
            resumed.messages.clear()
            resumed.cells["site"] = {}
            resumed.wait(lambda each: each.seq >= done["seq"], 5, "what was missed")
            assert f"entry:{done['entry']['id']}" in resumed.cells
