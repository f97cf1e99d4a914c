"""Health, metrics and logs of a running server, and the data that none of them contains."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from server.transport.http.checks import KEPT_SECONDS
from server.transport.http.metrics import MOST_KEPT_SECONDS
from tests.support.processes import end
from tests.support.screens import sse
from tests.support.server import Server, environment, seed, serving

CANARIES = ("Wilhelmina Canary", "Wilhelmina", "+491705550123", "5550123")


TOKEN = "a token of the monitoring"
ELSEWHERE = {"X-Forwarded-For": "198.51.100.7"}  # uvicorn trusts the proxy on this machine


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("readable")
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_METRICS_TOKEN=TOKEN)
    seed(env, points=1, tickets=0, displays=0)
    with serving(env, folder) as server:
        yield server


def _figures(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample that Prometheus would read, by name and labels."""
    time.sleep(MOST_KEPT_SECONDS)
    text = httpx.get(f"{url}/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_move_and_logs_are_json_without_personal_data(sqlite_url: str, tmp_path: Path) -> None:
    pool = {"NOWSERVING_DATABASE_POOL_SIZE": "3", "NOWSERVING_DATABASE_POOL_OVERFLOW": "2"}
    env = environment(sqlite_url, NOWSERVING_LOG_LEVEL="debug", **pool)
    seeded = seed(env, points=1, tickets=1, displays=1)
    display = seeded["displays"][0]
    with serving(env, tmp_path) as server:
        before = _figures(server.url)
        token = server.sign_in(seeded, "receptionist")
        with server.client(token) as desk, sse(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen:
            screen.wait(lambda each: each.cells)
            issued = desk.post(
                "/api/v1/commands/issue-ticket",
                json={"queue_id": seeded["queue_ids"][0], "name": CANARIES[0], "phone": CANARIES[2]},
                headers={"X-Request-ID": "a-sane-request-id"},
            )
            assert issued.headers["x-request-id"] == "a-sane-request-id"
            screen.wait(lambda each: each.seq >= issued.json()["seq"])
            for odd in ("BREW", "X" * 50, "PROPFIND", "M-SEARCH"):
                assert desk.request(odd, "/api/v1/sites").status_code in (400, 405)
            insane = desk.get("/api/v1/sites", headers={"X-Request-ID": "x\ty"})
            assert len(insane.headers["x-request-id"]) == 32
            during = _figures(server.url)
            for_people = httpx.get(f"{server.url}/health/metrics").json()
            streams = httpx.get(f"{server.url}/health/streams").json()
            with sse(f"{server.url}/live/tickets/{issued.json()['token']}") as phone:
                phone.wait(lambda each: each.cells)
            with connect(f"ws://127.0.0.1:{server.port}/live/tickets/{issued.json()['token']}", open_timeout=60) as phone:
                phone.recv(60)
            assert desk.get(f"/live/tickets/{issued.json()['token'][:-1]}").status_code == 404
            ready = httpx.get(f"{server.url}/health/ready").json()
        for path in ("/health", "/health/live"):
            assert httpx.get(server.url + path).json() == {"status": "ok"}
        assert end(server.process) == 0
    assert ready["status"] == "ok"
    assert set(ready["checks"]) == {"database", "migrations", "messages", "bus", "clock", "draining"}
    assert streams["open"] == [{"view": "display", "transport": "events", "streams": 1}]
    assert (streams["paused"], streams["closed"]) == (0, [])
    assert for_people["streams"] == {"open": 1, "paused": 0, "lag_seconds": for_people["streams"]["lag_seconds"]}
    assert for_people["bus"] == {"kind": "memory", "healthy": True, "dropped": 0, "gaps": 0}
    assert (for_people["pool"]["size"], for_people["pool"]["overflow"]) == (3, 2)
    assert for_people["requests"]["answered"] > 5
    assert 0 < for_people["requests"]["p50_seconds"] <= for_people["requests"]["p99_seconds"]
    assert for_people["memory_bytes"] > 10_000_000
    assert 0 < for_people["disk_free_bytes"] < for_people["disk_total_bytes"]

    command = ("nowserving_commands_total", (("command", "issue-ticket"), ("outcome", "done")))
    assert (before.get(command, 0), during[command]) == (0, 1)
    assert during["nowserving_streams", (("transport", "events"), ("view", "display"))] == 1
    assert during["nowserving_streams_paused", ()] == 0
    assert (during["nowserving_pool_size", ()], during["nowserving_pool_overflow", ()]) == (3, 2)
    assert 0 <= during["nowserving_pool_in_use", ()] <= 5
    assert during["nowserving_pool_waited_total", ()] >= 0
    assert during["nowserving_delivered_bytes_total", (("kind", "snapshot"),)] > 100
    assert during["nowserving_delivered_total", (("kind", "snapshot"),)] == 1
    assert during["nowserving_delivered_total", (("kind", "change"),)] >= 1
    route = (
        "nowserving_request_seconds_count",
        (("method", "POST"), ("route", "/api/v1/commands/{name}"), ("status", "200")),
    )
    assert (before.get(route, 0), during[route]) == (0, 1)

    methods = {dict(labels)["method"] for name, labels in during if name == "nowserving_request_seconds_count"}
    assert methods <= {"GET", "POST", "OTHER"}
    assert "OTHER" in methods  # a word that the HTTP parser knows, such as PROPFIND

    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    commands = [line for line in lines if line.get("route") == "/api/v1/commands/{name}"]
    assert [(line["request_id"], line["status"]) for line in commands] == [("a-sane-request-id", 200)]
    refused = [(line["route"], line["status"]) for line in lines if line.get("route", "").startswith("/live/")]
    assert refused == [("/live/tickets/{token}", 404)]
    opened = [(line["view"], line["transport"]) for line in lines if line["event"] == "stream opened"]
    assert opened == [("display", "events"), ("ticket", "events"), ("ticket", "websocket")]
    assert not [
        line for line in lines if line["event"] in ("connection open", "connection closed")
    ]  # one line each is enough
    assert all(len(line["request_id"]) == 32 for line in lines if line["event"] == "stream opened")
    ended = [line for line in lines if line["event"] == "stream closed"]
    assert sorted((line["view"], line["transport"]) for line in ended) == opened
    assert all(line["reason"] and line["seconds"] > 0 for line in ended)
    closed = {line["view"]: line for line in lines if line["event"] == "stream closed"}
    assert closed["display"]["reason"] == closed["ticket"]["reason"] == "left"
    assert 0 < closed["display"]["seconds"] < 60
    for secret in (*CANARIES, token, display["token"], issued.json()["token"], seeded["staff"][0]["password"]):
        assert secret not in log
    figures = str(during)
    for secret in (*CANARIES, issued.json()["token"]):
        assert secret not in figures


def test_slow_requests_and_statements_are_logged_and_counted_without_personal_data(sqlite_url: str, tmp_path: Path) -> None:
    tiny = {"NOWSERVING_SLOW_REQUEST_SECONDS": "0.000001", "NOWSERVING_SLOW_QUERY_SECONDS": "0.000001"}
    env = environment(sqlite_url, **tiny)
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server:
        token = server.sign_in(seeded, "receptionist")
        with server.client(token) as desk:
            body = {"queue_id": seeded["queue_ids"][0], "name": CANARIES[0], "phone": CANARIES[2]}
            headers = {"X-Request-ID": "of-a-slow-request"}
            issued = desk.post("/api/v1/commands/issue-ticket", json=body, headers=headers)
            assert desk.get(f"/t/{issued.json()['token']}").status_code == 200
        figures = _figures(server.url)
        assert end(server.process) == 0
    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "slow request"]
    (command,) = [line for line in requests if line["route"] == "/api/v1/commands/{name}"]
    assert (command["request_id"], command["method"], command["status"]) == ("of-a-slow-request", "POST", 200)
    assert 0 < command["seconds"] < 60
    assert "/t/{token}" in {line["route"] for line in requests}
    statements = [line for line in lines if line["event"] == "slow query" and line.get("request_id") == "of-a-slow-request"]
    assert any(line["statement"].startswith("INSERT INTO events") for line in statements)
    assert all(line["seconds"] >= 0 and not line["failed"] for line in statements)
    for secret in (*CANARIES, token, issued.json()["token"], seeded["staff"][0]["password"], seeded["staff"][0]["username"]):
        assert secret not in log
    assert figures["nowserving_slow_requests_total", (("route", "/api/v1/commands/{name}"),)] == 1
    assert figures["nowserving_slow_queries_total", ()] >= len(statements)


def test_readiness_names_the_failed_check(sqlite_url: str, tmp_path: Path) -> None:
    """Readiness names a database of another version. Liveness checks nothing."""
    env = environment(sqlite_url)
    seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server, server.client() as client:
        database = sqlite3.connect(tmp_path / "nowserving.db")
        with database:
            database.execute("UPDATE alembic_version SET version_num = '0001'")
        database.close()
        time.sleep(KEPT_SECONDS)
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert checks["migrations"]["status"] == "failed"
        assert checks["migrations"]["detail"].startswith("behind by")
        assert checks["database"]["status"] == "ok"
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/startup").json() == {"status": "ok"}, "it has started, whatever comes later"
        stranger = client.get("/health/ready", headers=ELSEWHERE)
        assert stranger.status_code == 503
        assert {name: each["status"] for name, each in stranger.json()["checks"].items()} == {
            name: each["status"] for name, each in checks.items()
        }
        assert "behind" not in stranger.text


@pytest.mark.parametrize("path", ["/health/ready", "/metrics"])
def test_endless_requests_of_a_monitor_cost_little(readable: Server, path: str) -> None:
    """Anybody may ask for readiness. The checks run once a second, and the metrics take a twentieth of the time."""

    def cpu_seconds() -> float:
        fields = Path(f"/proc/{readable.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    spent: Counter[str] = Counter()
    with readable.client() as client:
        client.get(path)
        for asked in ("/health/live", path) * 10:
            before = cpu_seconds()
            for _ in range(50):
                assert client.get(asked).status_code == 200
            spent[asked] += cpu_seconds() - before  # type: ignore[assignment]
    # Other work on the machine slows every request down, also one that checks nothing.
    assert spent[path] / 500 < max(0.002, 3 * spent["/health/live"] / 500)


@pytest.mark.parametrize(
    ("path", "figure"),
    [("/metrics", "nowserving_streams"), ("/health/metrics", "uptime_seconds"), ("/health/streams", "lag_seconds")],
)
def test_metrics_need_a_token_from_elsewhere(readable: Server, path: str, figure: str) -> None:
    with readable.client() as client:
        assert client.get(path).status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            answer = client.get(path, headers=ELSEWHERE | headers)
            assert answer.status_code == 403
            assert figure not in answer.text
        answer = client.get(path, headers=ELSEWHERE | {"Authorization": f"Bearer {TOKEN}"})
        assert figure in answer.text


def test_unknown_host_names_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    """Health and metrics accept any host name: a monitor addresses a process directly, by another name."""
    env = environment(sqlite_url, NOWSERVING_ALLOWED_HOSTS="clinic.example,*.clinic.example")
    with serving(env, tmp_path) as server, server.client() as client:
        for name in ("clinic.example", "CLINIC.example:8443", "a.clinic.example", "b.a.clinic.example:80"):
            assert client.get("/welcome", headers={"Host": name}).status_code == 200
        for name in ("evil.example", "clinic.example.evil", "xclinic.example", ".clinic.example.evil:80", ""):
            answer = client.get("/", headers={"Host": name})
            assert answer.status_code == 400, name
            assert answer.json()["error"]["code"] == "unknown_host"
        for path in ("/health/live", "/health/ready", "/health/startup", "/health/streams", "/metrics"):
            assert client.get(path, headers={"Host": "10.0.0.7"}).status_code == 200
