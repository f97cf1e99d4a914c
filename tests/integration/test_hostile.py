"""The server refuses hostile input in the error shape, reveals no internals, changes nothing, and keeps running."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server.audit import REFUSALS_LISTED, WRITE_SECONDS
from server.seeding import Seed
from server.store import event_log
from server.store.database import Database
from server.transport.http.bodies import MODELS
from tests.support.processes import forget_peak, peak_mib, wait_until
from tests.support.rows import rows
from tests.support.server import Server, environment, seed, serving
from tests.support.streams import UPGRADE

COMMANDS = "/api/v1/commands/"
JSON = {"Content-Type": "application/json"}
ISSUE = COMMANDS + "issue-ticket"
INSIDE = re.compile(
    r"traceback|\.py\b|site-packages|sqlalchemy|sqlite|mysql|starlette|uvicorn|httptools|h11|pydantic|orjson|"
    r"SELECT |INSERT |/home/|/usr/|/tmp/|/work/|0x[0-9a-f]{6}",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(
        f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('hostile') / 'x.db'}",
        NOWSERVING_REQUEST_SECONDS="10",
        NOWSERVING_HEAD_SECONDS="5",
        NOWSERVING_BODY_SECONDS="12",
        NOWSERVING_STALLED_SECONDS="5",
    )


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=3, displays=1)


@pytest.fixture(scope="module")
def foreign(env: dict[str, str], seeded: Seed) -> Seed:
    """A site of another organisation."""
    return seed(env, points=2, tickets=3, displays=1)


@pytest.fixture(scope="module")
def server(env: dict[str, str], foreign: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(env, tmp_path_factory.mktemp("hostile-server")) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture(scope="module")
def theirs(server: Server, foreign: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(foreign, "admin")) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_changed(env: dict[str, str], seeded: Seed, foreign: Seed, server: Server, admin: httpx.Client) -> Iterator[None]:
    """Assert that a test leaves both sites unchanged, logs no unexpected error, and leaves the server running."""
    before = [_log(env, each["site_id"]) for each in (seeded, foreign)]
    yield
    assert [_log(env, each["site_id"]) for each in (seeded, foreign)] == before
    assert admin.get(f"/api/v1/sites/{seeded['site_id']}/board").status_code == 200
    assert "unexpected error" not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def _log(env: dict[str, str], site_id: int) -> list[str]:
    async def read() -> list[str]:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            async with database.read() as connection:
                recorded = await connection.run_sync(event_log.since, site_id, 0)
            return [repr(each) for each in recorded if each.actor != "clock"]  # the clock renews the quotes
        finally:
            await database.close()

    return asyncio.run(read())


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """Assert that an answer is a refusal in the error shape without internals; return the error."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    assert not statuses or answer.status_code in statuses, (answer.status_code, answer.text[:500])
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id", "timestamp"}
    assert not INSIDE.search(answer.text), answer.text
    assert len(answer.content) < 4_000
    return error


def raw(server: Server, *pieces: bytes, pause: float = 0) -> list[tuple[int, bytes]]:
    """Send bytes, and return the status and body of each answer until the connection is closed or silent for 1.5 s.

    The first answer may take longer: the machine may be busy.
    """
    data = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        connection.settimeout(60)
        with suppress(TimeoutError, ConnectionResetError):
            while chunk := connection.recv(65_536):
                data += chunk
                connection.settimeout(1.5)
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), head
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length else len(data)
        found.append((int(head.split()[1]), data[:size]))
        data = data[size:]
    return found


def all_refused(answers: list[tuple[int, bytes]]) -> None:
    assert answers, "the server did not answer"
    for status, body in answers:
        assert 400 <= status < 500, (status, body)
        assert set(json.loads(body)) == {"error"}
        assert not INSIDE.search(body.decode()), body


# Bodies

DEEP = 100_000
BODIES = {
    "arrays in arrays": b"[" * DEEP + b"]" * DEEP,
    "arrays without end": b"[" * 60_000,
    "objects in objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "arrays that fit": b"[" * 30_000 + b"]" * 30_000,
    "deep in a field": b'{"queue_id": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a huge whole number": b'{"queue_id": ' + b"9" * 50_000 + b"}",
    "a huge number": b'{"queue_id": 1e99999}',
    "minus zero": b'{"queue_id": -0}',
    "beyond 64 bits": b'{"queue_id": 18446744073709551617}',
    "a key twice": b'{"queue_id": 1, "queue_id": "x"}',
    "a key of 60 KB": b'{"' + b"k" * 60_000 + b'": 1}',
    "2000 unknown keys": json.dumps({f"k{each}": 1 for each in range(2000)}).encode(),
    "a lone surrogate": b'{"name": "\\udfff"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "overlong slash": b'{"name": "\xc0\xaf"}',
    "overlong NUL": b'{"name": "\xc0\x80"}',
    "beyond Unicode": b'{"name": "\xf4\x90\x80\x80"}',
    "NUL": b'{"name": "a\x00b"}',
    "escaped NUL": b'{"name": "a\\u0000b"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"queue_id": 1}',
    "a comment": b'{"queue_id": 1 /* one */}',
    "Infinity": b'{"queue_id": Infinity}',
    "a prototype": b'{"__proto__": {"role": "admin"}, "constructor": 1}',
    "a form": b"queue_id=1&name=x",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("path", [ISSUE, COMMANDS + "add-service", "/api/v1/session", "/api/v1/staff"])
def test_hostile_body_is_refused(admin: httpx.Client, path: str, what: str) -> None:
    refused(admin.post(path, content=BODIES[what], headers=JSON), 400, 413, 422)


def test_repeated_json_key_counts_as_its_last_value(admin: httpx.Client, seeded: Seed, foreign: Seed) -> None:
    """The server authorises and executes the same value of the repeated key."""
    own, other = seeded["queue_ids"][0], foreign["queue_ids"][0]
    refused(admin.post(ISSUE, content=f'{{"queue_id": {own}, "queue_id": {other}}}', headers=JSON), 404)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "zstd"])
def test_compression_bomb_is_refused_unopened(server: Server, admin: httpx.Client, encoding: str) -> None:
    bomb = gzip.compress(b" " * 40_000_000)
    forget_peak(server.process.pid)
    before = peak_mib(server.process.pid)
    refused(admin.post(ISSUE, content=bomb, headers=JSON | {"Content-Encoding": encoding}), 400, 413, 415)
    assert peak_mib(server.process.pid) - before < 10


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x" * 500, "\x7f", ""]
)
def test_other_content_type_is_refused(admin: httpx.Client, kind: str) -> None:
    refused(admin.post(ISSUE, content=b'{"queue_id": 1}', headers={"Content-Type": kind}), 400, 415)


JSON_LINE = "Content-Type: application/json"


def _head(token: str, *lines: str) -> bytes:
    return "\r\n".join(
        [f"POST {ISSUE} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", JSON_LINE, *lines, "", ""]
    ).encode()


def test_body_of_ten_megabytes_is_refused(server: Server, admin: httpx.Client) -> None:
    token = admin.headers["Authorization"][7:]
    large = b"x" * 10_000_000
    all_refused(raw(server, _head(token, "Content-Length: 10000000"), large)[:1])
    all_refused(raw(server, _head(token, "Transfer-Encoding: chunked"), b"989680\r\n" + large + b"\r\n0\r\n\r\n")[:1])
    all_refused(raw(server, _head(token, "Content-Length: 10000000"), pause=0.1))  # only announced
    slow = raw(server, _head(token, "Content-Length: 1000000"), *[b"x" * 1000] * 20, pause=0.02)
    all_refused(slow[:1])


def test_trickling_body_times_out(server: Server, admin: httpx.Client) -> None:
    answers = raw(server, _head(admin.headers["Authorization"][7:], "Content-Length: 50"), *[b" "] * 36, pause=0.3)
    assert [status for status, _ in answers] == [503]  # like any request that takes too long
    assert json.loads(answers[0][1])["error"]["code"] == "took_too_long"


# Slow and silent clients

HEAD = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
POST = b"POST " + ISSUE.encode() + b" HTTP/1.1\r\nHost: x\r\n"
# The bytes that a client sends at once, and the bytes that it repeats for ever.
SLOW = {
    "nothing": (b"", b""),
    "an empty line": (b"\r\n", b"\r\n"),
    "half a head": (HEAD, b""),
    "a head without end": (HEAD, b"X: y\r\n"),
    "half an upgrade": (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b""),
    "half a head after an answer": (HEAD + b"\r\n" + HEAD, b""),
    "empty lines after an answer": (HEAD + b"\r\n", b"\r\n"),
    "a body that never comes": (POST + b"Content-Length: 50\r\n\r\n", b""),
    "a body that is refused": (POST + b"Content-Length: 9000000\r\n\r\n", b"x"),
    "chunks without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "trailers without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "another upgrade": (HEAD + b"Connection: Upgrade\r\nUpgrade: other\r\n\r\n", b"\r\n"),
}


def _established(server: Server, peer: socket.socket) -> bool:
    """Return whether the server's side of a connection is open, as the kernel says."""
    wanted = f":{server.port:04X} ", f":{peer.getsockname()[1]:04X} 01 "
    return any(all(each in line for each in wanted) for line in Path("/proc/net/tcp").read_text().splitlines())


def test_slow_clients_are_disconnected(server: Server) -> None:
    """The server closes each connection by itself, and those that sent a part of a request get an answer first.

    A client that reads nothing of its answers is disconnected too, in the same time.
    """
    with ExitStack() as stack:
        reads_nothing = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        reads_nothing.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        assert _established(server, reads_nothing)
        peers = {
            what: stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30)) for what in SLOW
        }
        answers = dict.fromkeys(SLOW, b"")
        for what, peer in peers.items():
            peer.sendall(SLOW[what][0])
            peer.settimeout(0.01)
        until = time.monotonic() + 120
        while peers or _established(server, reads_nothing):
            assert time.monotonic() < until, f"still open: {list(peers)}, or the connection of the client that reads nothing"
            for what, peer in list(peers.items()):
                try:
                    if SLOW[what][1]:
                        peer.sendall(SLOW[what][1])
                    data = peer.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    data = b""
                answers[what] += data
                if not data:
                    del peers[what]
            time.sleep(0.05)
    for what in ("half a head", "half an upgrade", "a head without end"):
        assert answers[what].startswith(b"HTTP/1.1 408 "), (what, answers[what])
        assert b'"request_too_slow"' in answers[what]
    assert answers["nothing"] == b""


def test_trailers_are_no_headers(server: Server, admin: httpx.Client) -> None:
    """A proxy checks the headers only, and an endpoint may read them before the trailers come."""
    token = admin.headers["Authorization"]
    trailers = f"Authorization: {token}\r\nX-Request-ID: from-the-trailer\r\nOrigin: http://evil.example\r\n"
    request = "GET /api/v1/sites HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(f"{request}{trailers}\r\n".encode())
        answer = b""
        while chunk := peer.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"from-the-trailer" not in answer


def _send_slowly(peer: socket.socket, pieces: list[bytes]) -> None:
    for piece in pieces:
        peer.sendall(piece)
        time.sleep(0.01)


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"1;"], ids=["trailer", "extension of a chunk"])
def test_endless_framing_of_a_body_is_cut(server: Server, endless: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + endless)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _send_slowly(peer, 50 * [b"y" * 100_000])


# Malformed and ambiguous HTTP


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 4"),
        (b"Content-Length: 4", b"Content-Length: 5"),
        (b"Content-Length: 4, 5",),
        (b"Content-Length: +4",),
        (b"Content-Length: 0x4",),
        (b"Content-Length: 4 4",),
        (b"Content-Length:",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"X-Folded: a", b" b"),
        (b"X-Folded: a", b"\tTransfer-Encoding: chunked"),
        (b"X-Bare: a\rX-Other: b",),
        (b"X-Null: a\x00b",),
        (b"X\x00Null: ab",),
        (b"Host: y",),
        (b": nameless",),
        (b"no colon",),
    ],
)
def test_smuggled_request_is_not_answered(server: Server, lines: tuple[bytes, ...]) -> None:
    """The server answers once, with a refusal, and does not read the bytes after the head as a second request."""
    inner = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b"0\r\n\r\n" + inner
    head = b"\r\n".join([b"POST " + ISSUE.encode() + b" HTTP/1.1", b"Host: x", *lines, b"", b""])
    answers = raw(server, head + body)
    all_refused(answers)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"GET /\x00 HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /api/v1/sites/%00 HTTP/1.1", b"GET /static/%00 HTTP/1.1",
        b"GET /static/js%00.js HTTP/1.1", b"GET /t/%ff%fe HTTP/1.1", b"GET /t/%c0%af HTTP/1.1", b"GET /t/%ed%a0%80 HTTP/1.1",
        b"GET /static/%ed%a0%80 HTTP/1.1", b"GET /static/%ff HTTP/1.1", b"GET /static/" + b"a/" * 2000 + b" HTTP/1.1",
        b"GET /static/" + b"a" * 5000 + b" HTTP/1.1", b"GET http://evil.example/nowhere HTTP/1.1",
        b"GET http://evil.example/api/v1/sites HTTP/1.1", b"GET //evil.example/x HTTP/1.1", b"GET nowhere HTTP/1.1",
        b"GET http:///x HTTP/1.1", b"GET /x#y HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT evil.example:443 HTTP/1.1",
        b"PRI * HTTP/2.0", b"GET /api/v1/sites", b"GET /api/v1/sites HTTP/1.1 HTTP/1.1", b"GET  /x HTTP/1.1",
        b"get /api/v1/sites HTTP/1.1", b"TRACE /api/v1/sites HTTP/1.1", b"TRACK /api/v1/sites HTTP/1.1",
        b"DELETE /api/v1/sites HTTP/1.1", b"MOVE /static/css/base.css HTTP/1.1", b"PUT /static/x HTTP/1.1",
        b"POST /static/css/base.css HTTP/1.1", b"DELETE / HTTP/1.1", b"POST /health HTTP/1.1", b"POST /metrics HTTP/1.1",
        b"GET /live/tickets/%00 HTTP/1.1", b"GET /live/tickets/1-%ff HTTP/1.1", b"GET /api/v1/sites?after=%00%ff HTTP/1.1",
    ],
)  # fmt: skip
def test_hostile_request_line_is_refused(server: Server, line: bytes) -> None:
    answers = raw(server, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    if line.startswith(b"GET /t/"):  # the page is the same for any token; the requests of the page are refused
        assert [status for status, _ in answers] == [200]
    else:
        assert len(answers) == 1
        if line.split()[0] != b"TRACE" and line.split()[0] != b"CONNECT":
            all_refused(answers)
        assert 400 <= answers[0][0] < 500


# Headers

ODD = (
    b"", b"[", b"http://[", b"http://[::1", b"null", b"\xff\xfe", b"\xb2", b"%ff%00", b",;=", b'"', b"x:a", b"-1",
    b"9" * 5000, b"Bearer e.e.e", b"[::1]:x",
)  # fmt: skip
READ = (
    "Host", "Origin", "Cookie", "Authorization", "Content-Type", "Content-Length", "Transfer-Encoding", "Accept", "Upgrade",
    "Accept-Encoding", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "X-API-Version", "X-Request-ID", "Expect",
    "Range", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Sec-Fetch-Site", "Sec-WebSocket-Key",
    "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection",
    "Access-Control-Request-Method",
)  # fmt: skip
HANDSHAKE = {
    "Upgrade": b"websocket", "Connection": b"Upgrade", "Sec-WebSocket-Version": b"13",
    "Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def first_status(server: Server, line: str, headers: dict[str, bytes], body: bytes = b"") -> int:
    """Send a request with raw headers; return the status of the answer, or 0 if the server closes without one."""
    head = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\n".encode() + head + b"\r\n" + body)
        answer = connection.recv(4096)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize(
    "kind",
    [
        "page",
        "no page",
        "query",
        "sign-in",
        "refresh",
        "command",
        "drawing",
        "desk report",
        "ticket report",
        "stream",
        "socket",
    ],
)
def test_malformed_header_is_no_fault_of_the_server(server: Server, admin: httpx.Client, seeded: Seed, kind: str) -> None:
    """The server answers each request, with any malformed value in any header that it reads, and never with a 500."""
    site, ticket = seeded["site_id"], seeded["tickets"][0]["token"]
    line = {
        "page": "GET /",
        "no page": "GET /nowhere",
        "query": "GET /api/v1/sites",
        "sign-in": "POST /api/v1/session",
        "refresh": "POST /api/v1/session/refresh",
        "command": f"POST {COMMANDS}recall",
        "drawing": f"GET /api/v1/tickets/{ticket}/qr.svg",
        "desk report": f"POST /live/sites/{site}/desk/disagreement",
        "ticket report": f"POST /live/tickets/{ticket}/disagreement",
        "stream": f"GET /live/tickets/{ticket}",
        "socket": f"GET /live/sites/{site}/desk",
    }[kind]
    usual = {"Host": b"x", "Cookie": b"nowserving_access=" + admin.headers["Authorization"][7:].encode()}
    body = b'{"odd": 41}' if line.startswith("POST") else b""
    usual |= {"Content-Type": b"application/json", "Content-Length": b"%d" % len(body)} if body else {}
    usual |= HANDSHAKE if kind == "socket" else {}
    wrong = []
    for name in READ:
        for value in ODD:
            # Without its whole body a request is not at its end: the server waits for it.
            if name == "Content-Length" and body and not value.strip(b"9"):
                continue
            status = first_status(server, line, usual | {name: value}, body)
            if not 100 <= status < 500:
                wrong.append((name, value, status))
    assert wrong == []


@pytest.mark.parametrize(
    "extra",
    [
        {f"X-{each}": b"x" for each in range(140)}, {"X-Long": b"x" * 9000}, {"Content-Length": b"0"},
        {"Transfer-Encoding": b"chunked"}, {"X-Odd": b"\x01"},
    ],
    ids=["many", "long", "a body", "chunks", "a control character"],
)  # fmt: skip
def test_malformed_handshake_is_answered(server: Server, seeded: Seed, extra: dict[str, bytes]) -> None:
    """The server closes no connection without an answer: a proxy would take it for a dead server."""
    address = f"/live/tickets/{seeded['tickets'][0]['token']}"
    assert first_status(server, f"GET {address}", {"Host": b"x"} | HANDSHAKE | extra) in (101, 400)
    assert first_status(server, f"POST {address}", {"Host": b"x"} | HANDSHAKE | extra) in (400, 405)


def failures(server: Server) -> list[str]:
    """Return the server's counts of its 5xx answers so far: a busy machine sheds some requests of other tests."""
    return re.findall(r'nowserving_request_seconds_count\{[^}]*status="5.*', httpx.get(f"{server.url}/metrics").text)


def test_client_that_hangs_up_in_mid_body_is_no_error(server: Server, admin: httpx.Client, seeded: Seed) -> None:
    token, ticket = admin.headers["Authorization"][7:], seeded["tickets"][0]["token"]
    before, failed = server.log.read_text(), failures(server)
    for address in (ISSUE, "/api/v1/session", f"/live/tickets/{ticket}/disagreement"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            head = f"POST {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{JSON_LINE}\r\n"
            connection.sendall(f'{head}Content-Length: 50\r\n\r\n{{"'.encode())
            time.sleep(0.1)
    until = time.monotonic() + 60
    while (said := server.log.read_text()[len(before) :]).count('"status":499') < 3 or not said.endswith("\n"):
        assert time.monotonic() < until, said
        time.sleep(0.05)
    assert said.count('"status":499') == 3, said
    assert said.count("\n") == 3, said
    assert failures(server) == failed


# Files

TRAVERSALS = [
    "../pyproject.toml", "..%2fpyproject.toml", "%2e%2e/pyproject.toml", "%2e%2e%2fpyproject.toml",
    "%252e%252e%252fpyproject.toml",
    "..%5cpyproject.toml", "..\\pyproject.toml", "js/../../pyproject.toml", "js/%2e%2e/%2e%2e/pyproject.toml",
    "....//pyproject.toml", "..;/pyproject.toml", "/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd",
    "%c0%ae%c0%ae/pyproject.toml",
    "css/base.css%00.js", "css", "", ".", "..", "%2e", "css/base.css/..", "~root", "C:%5cwindows%5cwin.ini",
]  # fmt: skip


@pytest.mark.parametrize("walk", TRAVERSALS)
def test_file_outside_the_static_folder_is_refused(server: Server, walk: str) -> None:
    ((status, body),) = raw(server, f"GET /static/{walk} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert b"[project]" not in body
    assert b"root:" not in body
    all_refused([(status, body)])


# Ids and tokens of another organisation


def test_commands_refuse_ids_of_another_organisation(admin: httpx.Client, seeded: Seed, foreign: Seed) -> None:
    """The test tries each field that takes an id. The server refuses the command and reveals only "not found"."""
    tried = 0
    others = _ids(foreign)
    for name, model in sorted(MODELS.items()):
        schema = model.model_json_schema()["properties"]
        fields = [each for each in schema if each.endswith(("_id", "_ids"))]
        for field in fields:
            kind = field.removesuffix("s").removesuffix("_id").rpartition("_")[2]
            other = others.get(kind, others["entry"])
            own = _ids(seeded)
            good: dict[str, Any] = {
                each: own.get(each.removesuffix("_id").rpartition("_")[2], own["entry"]) for each in fields
            }
            good = {each: [value] if each.endswith("_ids") else value for each, value in good.items()}
            if field != "site_id" and name not in _SITE_COMMANDS:
                good.pop("site_id", None)
            wrong = good | {field: [other] if field.endswith("_ids") else other} | _OTHER_FIELDS.get(name, {})
            error = refused(admin.post(COMMANDS + name, json=wrong), 404, 409, 422)
            assert error["code"].endswith("_not_found") or error["code"] == "invalid_body", (name, field, error)
            assert "Seeded" not in str(error)
            tried += 1
    assert tried > 60


_SITE_COMMANDS = {
    *("add-queue", "add-point", "add-display", "add-kiosk", "add-service", "add-provider", "broadcast-message"),
    *("close-day", "change-site", "arrange", "hide-checklist", "end-trial", "announce-delay", "withdraw-delay"),
}
_JOINING = "/api/v1/sites/{site_id}/joining"
_REASON = {"reason": "a reason"}
_NAME = {"name": "New"}
_OTHER_FIELDS: dict[str, dict[str, Any]] = {
    "cancel": _REASON, "move": _REASON, "reassign-provider": _REASON, "close-day": _REASON,
    "reprioritise": {"priority": "urgent"}, "running-late": {"minutes": 5}, "broadcast-message": {"message": "x"},
    "announce-delay": {"minutes": 30},
    "add-queue": _NAME | {"prefix": "Z"}, "add-point": _NAME, "add-display": _NAME, "add-kiosk": _NAME,
    "add-provider": _NAME, "answer-help": _NAME,
    "add-service": _NAME | {"public_name": "New"}, "rename-device": _NAME,
}  # fmt: skip


def _ids(seeded: Seed) -> dict[str, int]:
    """Return one id of each kind. The ids of the first visit and entry follow the highest id of queue, point and display."""
    highest = max(*seeded["queue_ids"], *seeded["point_ids"], *(each["id"] for each in seeded["displays"]))
    return {
        "site": seeded["site_id"], "queue": seeded["queue_ids"][1], "point": seeded["point_ids"][0],
        "device": seeded["displays"][0]["id"], "record": seeded["queue_ids"][0], "visit": highest + 1, "entry": highest + 2,
        "provider": highest + 3, "service": highest + 3,
    }  # fmt: skip


def test_addresses_refuse_ids_of_another_organisation(
    server: Server, admin: httpx.Client, theirs: httpx.Client, foreign: Seed
) -> None:
    ids = _ids(foreign)
    with server.client() as client:
        document = client.get("/api/openapi.json").json()["paths"]
    assert theirs.get(f"/api/v1/entries/{ids['entry']}").status_code == 200, "the ids exist"
    tried = []
    for path, operations in document.items():
        named = re.findall(r"{(\w+)}", path)
        if not any(each.endswith("_id") for each in named):
            continue
        filled = re.sub(
            r"{(\w+)}", lambda each: str(ids.get(each[1].removesuffix("_id"), foreign["displays"][0]["id"])), path
        )
        for method in operations:
            if method in ("get", "delete", "patch"):
                known = {each.get("name") for each in operations[method].get("parameters", [])}
                query = {"from": "2026-01-01", "to": "2026-01-02", "name": "anna"}
                asked = {key: value for key, value in query.items() if key in known}
                body: dict[str, Any] | None = {} if method == "patch" else None
                answer = admin.request(method.upper(), filled, params=asked, json=body)
                if filled.startswith(("/display/", "/t/")) or path == _JOINING:
                    continue  # the same for every client
                refused(answer, 401, 404, 403)
                tried.append(path)
    assert len(tried) > 8, tried


def test_cursor_of_another_list_is_refused(admin: httpx.Client, theirs: httpx.Client, seeded: Seed, foreign: Seed) -> None:
    entries = "/api/v1/sites/{}/entries"
    cursor = theirs.get(entries.format(foreign["site_id"]) + "?page_size=1").json()["pagination"]["next"]
    staff = admin.get("/api/v1/staff?page_size=1").json()["pagination"]["next"]
    own = admin.get(entries.format(seeded["site_id"]) + "?page_size=1").json()["pagination"]["next"]
    assert all((cursor, staff, own))
    text, _, signature = own.partition(".")
    hostile = [
        cursor, staff, text, f"{text}.", f".{signature}", own[:-1], own + "0", own.swapcase(), own * 3, "\x00", "é",
        "\udcff", "=" * 9,
        "x" * 5000, f"{text}=.{signature}", "W10.", f"{text}.{signature}.{signature}",
    ]  # fmt: skip
    for each in hostile:
        inside = quote(each, safe="", errors="surrogateescape")
        answer = admin.get(f"{entries.format(seeded['site_id'])}?after={inside}")
        assert refused(answer, 422)["details"]["field"] == "after"


def test_token_of_another_kind_or_organisation_is_refused(
    env: dict[str, str], server: Server, seeded: Seed, foreign: Seed
) -> None:
    display, ticket = foreign["displays"][0]["token"], foreign["tickets"][0]["token"]
    session = server.sign_in(foreign, "receptionist")
    (kept,) = rows(env, "SELECT token_hash FROM displays WHERE id = :id", id=foreign["displays"][0]["id"])
    own = seeded["site_id"]
    moved = re.sub(r"\d+", str(own), ticket, count=1)
    head, payload, signature = session.split(".")
    nothing = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    hostile = [display, ticket, session, moved, kept[0], f"{nothing}.{payload}.", f"{head}.{payload}.",
               f"{head}..{signature}",
               "null", "undefined", "x" * 9000, "d1-", "1-" + "A" * 22, "nk_" + "A" * 43, "nk_"]  # fmt: skip
    for token in hostile:
        with server.client(token) as client:
            for path in (f"/api/v1/sites/{own}/board", f"/live/sites/{own}/desk", f"/api/v1/sites/{own}/statistics.csv",
                         f"/live/displays/{seeded['displays'][0]['id']}"):  # fmt: skip
                refused(client.get(path), 401, 403, 404)
            refused(client.post(COMMANDS + "call-next", json={"point_id": seeded["point_ids"][0]}), 401, 403, 404)
            refused(client.get(f"/live/tickets/{quote(token, safe='')}x"), 404)


def test_malformed_id_is_refused(admin: httpx.Client) -> None:
    for wrong in (
        "0",
        "-1",
        "1e3",
        "0x1",
        "1.0",
        "%31x",
        "9" * 16,
        "9" * 17,
        "9" * 4000,
        "\u0661",
        "%00",
        "null",
        "1;drop",
        "1'--",
        "%20",
    ):
        for path in (
            "/api/v1/sites/{}/board",
            "/api/v1/entries/{}",
            "/api/v1/visits/{}",
            "/live/sites/{}/desk",
            "/live/displays/{}",
        ):
            refused(admin.get(path.format(wrong)), 401, 404)
        for query in ("queue_id", "page_size", "business_day", "state", "label"):
            refused(admin.get(f"/api/v1/sites/1/entries?{query}={wrong}&after=x"), 404, 422)


# WebSocket


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "file://", "http://127.0.0.1.evil.example:1"]
)
def test_websocket_from_a_foreign_origin_receives_no_message(server: Server, seeded: Seed, origin: str) -> None:
    """The server closes the WebSocket before the first message, although the cookie is valid."""
    address = f"ws://127.0.0.1:{server.port}/live/sites/{seeded['site_id']}/desk"
    cookie = {"Cookie": f"nowserving_access={server.sign_in(seeded, 'receptionist')}", "Origin": origin}
    received: list[str | bytes] = []
    with suppress(InvalidStatus, ConnectionClosed), connect(address, additional_headers=cookie, open_timeout=60) as socket_:
        received.extend(socket_)
    assert received == []


def test_flood_of_foreign_upgrades_leaves_few_audit_rows(server: Server, env: dict[str, str], seeded: Seed) -> None:
    count = "SELECT count(*) FROM audit WHERE action = 'foreign-origin'"
    before = rows(env, count)[0][0]
    headers = f"Host: x\r\nOrigin: http://evil.example\r\nCookie: nowserving_access=x\r\n{UPGRADE}\r\n"
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
            peer.sendall(f"GET /live/sites/{seeded['site_id']}/desk HTTP/1.1\r\n{headers}".encode())
            assert peer.recv(65536)
    wait_until(lambda: rows(env, count)[0][0] > 0, "an audit row")
    time.sleep(2 * WRITE_SECONDS)
    after = rows(env, count)[0][0]
    assert 1 <= after <= before + 2 * REFUSALS_LISTED  # the minute may turn in between; earlier tests may have filled it


@pytest.mark.parametrize(
    "path", ["/live/nowhere", "/api/v1/sites", "/live/tickets/x", "/", "/static/css/base.css", "/live/displays/1"]
)
def test_upgrade_of_an_address_without_stream_receives_no_message(server: Server, path: str) -> None:
    received: list[str | bytes] = []
    with (
        suppress(InvalidStatus, ConnectionClosed),
        connect(f"ws://127.0.0.1:{server.port}{path}", open_timeout=60) as socket_,
    ):
        received.extend(socket_)
    assert received == []


@pytest.mark.parametrize("message", ["{" * 1000, b"\xff\xfe\x00", "x" * 200_000], ids=["no JSON", "no text", "too long"])
def test_invalid_websocket_message_closes_the_connection(server: Server, seeded: Seed, message: str | bytes) -> None:
    """The close code gives the reason. The server may close the connection while the client still sends."""
    display = seeded["displays"][0]
    address = f"ws://127.0.0.1:{server.port}/live/displays/{display['id']}?token={display['token']}"
    with connect(address, compression=None, open_timeout=60) as connection:
        connection.recv(timeout=30)
        with suppress(ConnectionClosed):
            connection.send(message)
        with pytest.raises(ConnectionClosed) as ended:
            deque((connection.recv(timeout=30) for _ in range(50)), maxlen=0)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code in {1009, 3501}
