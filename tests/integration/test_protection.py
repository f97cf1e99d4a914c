"""The edge: hostile and odd requests, versions of the API, and requests that take too long."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, make_url

from server.seeding import Seed
from tests.support import databases
from tests.support.processes import wait_until
from tests.support.rows import rows
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.measured

ISSUE = "/api/v1/commands/issue-ticket"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("protection")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    origins = "https://portal.example"
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_CORS_ORIGINS=origins)


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=1, tickets=1, displays=1)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def desk(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        yield client


def raw(server: Server, request: bytes, *, until_closed: bool = True) -> tuple[int, dict[str, str], Any]:
    """Send raw bytes; return the status, the headers and the JSON of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has refused the request before its end
        data = b""
        while chunk := connection.recv(65_536):
            data += chunk
            head, _, body = data.partition(b"\r\n\r\n")
            if not until_closed and body.endswith(b"}"):
                break
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, json.loads(body)


def assert_shape(status: int, headers: dict[str, str], body: Any, code: str) -> None:
    assert 400 <= status < 500
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-api-version"] == "1"
    error = body["error"]
    assert set(error) == {"code", "message", "details", "request_id", "timestamp"}
    assert error["code"] == code, error
    assert error["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on the plain port
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Odd: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX Odd: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"FROBNICATE / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_bytes_that_are_not_http_are_refused(server: Server, request_bytes: bytes) -> None:
    assert_shape(*raw(server, request_bytes), "malformed_request")


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (b"Authorization: Bearer a\r\nAuthorization: Bearer b", 400, "bad_header"),
        (b"authorization: Bearer a\r\nAUTHORIZATION: Bearer a", 400, "bad_header"),
        (b"Host: other.example", 400, "bad_header"),
        (b"Idempotency-Key: a\r\nIdempotency-Key: b", 400, "bad_header"),
        (b"Authorization: Bearer caf\xe9", 400, "bad_header"),
        (b"X-HTTP-Method-Override: DELETE", 400, "bad_header"),
        (b"X-Method-Override: DELETE", 400, "bad_header"),
        (b"X-HTTP-Method: PUT", 400, "bad_header"),
        (b"X-Long: " + b"x" * 17_000, 431, "headers_too_large"),
        (b"\r\n".join(b"X-Many-%d: x" % each for each in range(2_000)), 431, "headers_too_large"),
        (b"Authorization: Bearer " + b"x" * 5_000, 401, "not_signed_in"),
        (b"Authorization: Basic YTpi", 401, "not_signed_in"),
        (b"Authorization:", 401, "not_signed_in"),
        (b"Cookie: nowserving_access=\xff\xfe; =; ;;; nowserving_browser=%00", 401, "not_signed_in"),
        (b"X-Request-ID: ../../etc/passwd", 401, "not_signed_in"),
        (b"X-Forwarded-For: nonsense, 1.2.3.4", 401, "not_signed_in"),
        (b"Content-Length: 99999999999999999999", 400, "malformed_request"),
    ],
)
def test_hostile_headers_get_errors_of_the_common_shape(server: Server, header: bytes, status: int, code: str) -> None:
    request = b"GET /api/v1/sites HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n\r\n"
    answer = raw(server, request)
    assert answer[0] == status
    assert_shape(*answer, code)


def test_endless_headers_are_refused(server: Server) -> None:
    """The refusal comes before endless headers fill the memory."""
    request = b"GET /api/v1/sites HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * 70_000
    assert_shape(*raw(server, request), "headers_too_large")


def test_body_does_not_count_as_headers(desk: httpx.Client) -> None:
    answer = desk.post(ISSUE, content=b" " * 60_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "CONNECT", "PROPFIND", "OPTIONS"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    target = "x:80" if method == "CONNECT" else "/api/v1/sites"
    request = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, headers, body = raw(server, request.encode(), until_closed=False)
    assert status in (400, 404, 405)
    assert_shape(status, headers, body, body["error"]["code"])


def test_cors_admits_only_the_named_origin(server: Server, desk: httpx.Client, seeded: Seed) -> None:
    """The named origin may send and read. The answers to other origins contain no permission."""
    named = "Authorization, X-API-Version, X-Request-ID"
    asking = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": named}
    right, wrong = {"Origin": "https://portal.example"}, {"Origin": "https://evil.example"}
    with server.client() as client:
        preflight = client.options("/api/v1/staff/1", headers=asking | right)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == right["Origin"]
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        refused = client.options("/api/v1/staff/1", headers=asking | wrong)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "preflight_refused"
        assert "access-control-allow-origin" not in refused.headers
        member = seeded["staff"][0]
        body = {"username": member["username"], "password": member["password"]}
        assert client.post("/api/v1/session", json=body, headers=right).status_code == 200
        assert client.post("/api/v1/session", json=body, headers=wrong).status_code == 403
        assert "access-control-allow-credentials" not in preflight.headers
    answer = desk.get("/api/v1/sites", headers=right)
    assert answer.headers["access-control-allow-origin"] == right["Origin"]
    assert "X-RateLimit-Remaining" in answer.headers["access-control-expose-headers"]
    assert "X-NowServing-Refusal" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in desk.get("/api/v1/sites", headers=wrong).headers


# Versions


@pytest.mark.parametrize(
    ("path", "header", "status", "code"),
    [
        ("/api/v1/sites", None, 200, None),
        ("/api/v1/sites", "1", 200, None),
        ("/api/v1/sites?api_version=1", "1", 200, None),
        ("/api/sites", "1", 200, None),
        ("/api/sites?api_version=1", None, 200, None),
        ("/api/sites", None, 404, "not_found"),
        ("/api/v1/sites", "2", 400, "unknown_version"),
        ("/api/v1/sites?api_version=2", None, 400, "unknown_version"),
        ("/api/v1/sites?api_version=1&api_version=2", None, 400, "unknown_version"),
        ("/api/v2/sites", None, 400, "unknown_version"),
        ("/api/v2/sites", "1", 400, "unknown_version"),
        ("/api/sites", "v1", 400, "unknown_version"),
        ("/api/sites", "", 400, "unknown_version"),
        ("/api/sites?api_version=%00", None, 400, "unknown_version"),
        ("/api/openapi.json?api_version=1", None, 200, None),
        ("/api/openapi.json?api_version=9", None, 400, "unknown_version"),
        ("/api/v1x/sites", None, 404, "not_found"),
    ],
)
def test_api_version_comes_from_path_query_or_header(
    desk: httpx.Client, path: str, header: str | None, status: int, code: str | None
) -> None:
    answer = desk.get(path, headers={} if header is None else {"X-API-Version": header})
    assert answer.status_code == status, answer.text
    assert answer.headers["x-api-version"] == "1"
    assert "deprecation" not in answer.headers
    if code is not None:
        assert answer.json()["error"]["code"] == code
    if code == "unknown_version":
        assert answer.json()["error"]["details"]["versions"] == ["1"]


def test_command_takes_its_version_from_the_header(desk: httpx.Client, seeded: Seed) -> None:
    body = {"queue_id": seeded["queue_ids"][0]}
    answer = desk.post("/api/commands/issue-ticket", json=body, headers={"X-API-Version": "1"})
    assert answer.status_code == 200


# Time


@pytest.fixture(scope="module")
def impatient(database_server: URL, folder: Path) -> Iterator[tuple[dict[str, str], Seed, Server]]:
    """A server on MariaDB with a request timeout of three seconds and three connections to its database."""
    with databases.fresh_database(database_server) as url:
        env = environment(url, NOWSERVING_REQUEST_SECONDS="3", NOWSERVING_DATABASE_POOL_SIZE="3")
        seeded = seed(env, points=1, tickets=0)
        with serving(env, folder, name="impatient") as server:
            yield env, seeded, server


def assert_timed_out(answer: httpx.Response, key: str) -> None:
    assert answer.status_code == 503, answer.text
    error = answer.json()["error"]
    assert error["code"] == "took_too_long"
    assert error["details"] == {"seconds": 3.0, "command_id": key}
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["x-request-id"] == error["request_id"]


def state(env: dict[str, str], site_id: int) -> list[Any]:
    """Return the row counts of the tables that a command writes, and the last numbers of the site."""
    tables = ("events", "visits", "entries", "counters", "commands", "intervals")
    found = [rows(env, f"SELECT COUNT(*) FROM {table} WHERE site_id = :id", id=site_id) for table in tables]
    return [*found, rows(env, "SELECT seq, last_id FROM sites WHERE id = :id", id=site_id)]


@contextmanager
def held_locks(env: dict[str, str], statement: str, *values: object) -> Iterator[None]:
    """Hold the locks of a statement, in a transaction of another connection."""
    connection = databases.connect(make_url(env["NOWSERVING_DATABASE_URL"]))
    try:
        connection.begin()
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
        yield
        connection.rollback()
    finally:
        connection.close()


# The locks that stop a command before its first write, and before it writes its answer.
LOCKS = {
    "before": "SELECT id FROM sites WHERE id = %s FOR UPDATE",
    "after": "INSERT INTO commands (site_id, command_id, body_hash, answer, at) VALUES (%s, %s, '', '', 0)",
}


@pytest.mark.parametrize("where", LOCKS)
def test_timed_out_command_leaves_nothing_and_can_be_repeated(
    impatient: tuple[dict[str, str], Seed, Server], where: str
) -> None:
    """The command times out while it waits for the site's lock, or with everything written except its answer.

    The timeout leaves no writes, and a repeat takes effect once.
    """
    env, seeded, server = impatient
    site_id, body = seeded["site_id"], {"queue_id": seeded["queue_ids"][0]}
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        before = state(env, site_id)
        for each in range(4):  # more than the pool has connections: none of them is lost
            key = {"Idempotency-Key": f"{where}-{each}"}
            with held_locks(env, LOCKS[where], site_id, *([key["Idempotency-Key"]] if where == "after" else [])):
                began = time.monotonic()
                assert_timed_out(desk.post(ISSUE, json=body, headers=key), key["Idempotency-Key"])
                assert time.monotonic() - began > 2.9
        assert desk.get("/api/v1/sites").status_code == 200
        assert state(env, site_id) == before
        done = desk.post(ISSUE, json=body, headers=key)
        assert done.status_code == 200, done.text
        assert desk.post(ISSUE, json=body, headers=key).json() == done.json()
        assert state(env, site_id)[2] == [(before[2][0][0] + 1,)]


def test_timeout_names_the_generated_idempotency_key(impatient: tuple[dict[str, str], Seed, Server]) -> None:
    env, seeded, server = impatient
    body = {"queue_id": seeded["queue_ids"][0]}
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        with held_locks(env, LOCKS["before"], seeded["site_id"]):
            details = desk.post(ISSUE, json=body).json()["error"]["details"]
        assert desk.post(ISSUE, json=body, headers={"Idempotency-Key": details["command_id"]}).status_code == 200


def test_flood_is_answered_with_the_time_to_come_back(impatient: tuple[dict[str, str], Seed, Server]) -> None:
    """The site stands still. All commands get an answer: the one that runs is cut, and the others are refused before it."""
    env, seeded, server = impatient
    body, keys = {"queue_id": seeded["queue_ids"][0]}, [f"flood-{index}" for index in range(20)]
    before = state(env, seeded["site_id"])
    with server.client(server.sign_in(seeded, "receptionist")) as desk, ThreadPoolExecutor(len(keys)) as threads:
        with held_locks(env, LOCKS["before"], seeded["site_id"]):
            answers = list(threads.map(lambda key: desk.post(ISSUE, json=body, headers={"Idempotency-Key": key}), keys))
        assert {each.status_code for each in answers} == {503}
        busy = [each for each in answers if each.headers["x-nowserving-refusal"] == "busy"]
        assert len(busy) > len(keys) / 2
        for each in busy:
            assert 1 <= int(each.headers["retry-after"]) <= 30
            assert each.json()["error"]["details"] == {"retry_after": int(each.headers["retry-after"])}
        assert state(env, seeded["site_id"]) == before
        for key in keys:
            assert desk.post(ISSUE, json=body, headers={"Idempotency-Key": key}).status_code == 200
        assert state(env, seeded["site_id"])[2] == [(before[2][0][0] + len(keys),)]
    refused = f'nowserving_commands_refused_total{{why="busy"}} {len(busy)}.0'
    with server.client() as monitor:
        wait_until(lambda: refused in monitor.get("/metrics").text.splitlines(), "the metric of the refused commands")
        assert "nowserving_commands_waiting 0.0" in monitor.get("/metrics").text.splitlines()


def test_request_timeout_does_not_cut_streams(impatient: tuple[dict[str, str], Seed, Server]) -> None:
    _, seeded, server = impatient
    token = server.sign_in(seeded, "receptionist")
    with server.client(token) as desk, desk.stream("GET", f"/live/sites/{seeded['site_id']}/desk") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        lasting = threading.Timer(4.5, lambda: desk.post(ISSUE, json={"queue_id": seeded["queue_ids"][0]}))
        lasting.start()
        assert any(line == "event: change" for line in lines)
        lasting.join()


def test_missing_body_times_out(impatient: tuple[dict[str, str], Seed, Server]) -> None:
    _, seeded, server = impatient
    token = server.sign_in(seeded, "receptionist")
    head = f"POST {ISSUE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: 50\r\n\r\n{{"
    status, headers, body = raw(server, request.encode(), until_closed=False)
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "took_too_long", "2")


def test_missing_body_of_a_report_times_out(impatient: tuple[dict[str, str], Seed, Server]) -> None:
    """A screen's report beside its stream has the limit of any request."""
    _, seeded, server = impatient
    token = server.sign_in(seeded, "receptionist")
    head = f"POST /live/sites/{seeded['site_id']}/desk/disagreement HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
    status, headers, body = raw(server, request.encode(), until_closed=False)
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "took_too_long", "2")
