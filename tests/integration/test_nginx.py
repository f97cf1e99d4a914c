"""A real nginx, with two server processes behind it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server.seeding import Seed
from tests.support import databases
from tests.support.nginx import Proxy, nginx, unverified
from tests.support.processes import whole_lines
from tests.support.screens import sse, websocket
from tests.support.server import Server, environment, seed, serving

HEARTBEAT = 0.5


@pytest.fixture
def env(request: pytest.FixtureRequest, mysql_url: str, redis_url: str) -> dict[str, str]:
    heartbeat = getattr(request, "param", HEARTBEAT)
    return environment(mysql_url, redis_url, NOWSERVING_HEARTBEAT_SECONDS=str(heartbeat))


@pytest.fixture
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=8, displays=1)


@pytest.fixture
def servers(env: dict[str, str], seeded: Seed, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with serving(env, tmp_path, name="one") as one, serving(env, tmp_path, name="two") as two:
        yield one, two


@pytest.fixture
def proxy(servers: tuple[Server, Server], tmp_path: Path) -> Iterator[Proxy]:
    with nginx(tmp_path, [server.port for server in servers]) as proxy:
        yield proxy


@pytest.fixture
def desk(servers: tuple[Server, Server], proxy: Proxy, seeded: Seed) -> Iterator[httpx.Client]:
    token = servers[0].sign_in(seeded, "receptionist")
    with httpx.Client(base_url=proxy.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


@pytest.mark.parametrize("env", [300], indirect=True)
def test_nginx_does_not_delay_streams(proxy: Proxy, seeded: Seed, desk: httpx.Client) -> None:
    """Both transports show each call long before the next heartbeat: no later message pushes it through the proxy."""
    display = seeded["displays"][0]
    url = f"{proxy.url}/live/displays/{display['id']}"
    with sse(url, display["token"]) as screen, websocket(url, display["token"]) as other:
        for each in (screen, other):
            each.wait(lambda each: each.cells, what="a snapshot")
        for _ in range(3):
            done = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
            for each in (screen, other):
                each.wait(lambda each, to=done["seq"]: each.seq >= to, what="the call")  # type: ignore[misc]
            for step in ("start", "complete"):
                answer = desk.post(f"/api/v1/commands/{step}", json={"entry_id": done["entry"]["id"]})
                assert answer.status_code == 200
        assert screen.disagreed == other.disagreed == []


def test_screens_and_desk_survive_the_kill_of_one_server(
    proxy: Proxy, servers: tuple[Server, Server], seeded: Seed, desk: httpx.Client
) -> None:
    """kill -9 for one of two servers: its screens resume at the other by their last id, and the desk continues."""
    display = seeded["displays"][0]
    url = f"{proxy.url}/live/displays/{display['id']}"
    with sse(url, display["token"]) as first, sse(url, display["token"]) as second:
        for each in (first, second):
            each.wait(lambda each: each.cells, what="a snapshot")
        servers[0].process.kill()
        servers[0].process.wait()
        until = time.monotonic() + 60
        while not (first.ended or second.ended) and time.monotonic() < until:
            time.sleep(0.02)
        lost = first if first.ended else second
        assert lost.ended, "least_conn gave each server one of the two streams"
        key = {"Idempotency-Key": "pressed once"}
        body = {"point_id": seeded["point_ids"][0]}
        answers = [desk.post("/api/v1/commands/call-next", json=body, headers=key) for _ in range(4)]
        done = [answer.json() for answer in answers if answer.status_code == 200]
        assert done
        assert all(each == done[0] for each in done), "one key, one call"
        with sse(url, display["token"], resume=lost) as resumed:
            resumed.wait(lambda each: each.seq >= done[0]["seq"], what="the call")
            assert resumed.kinds()[0] in ("change", "heartbeat", "snapshot")
            assert f"entry:{done[0]['entry']['id']}" in resumed.cells


def test_refusals_have_the_shape_of_errors(proxy: Proxy, desk: httpx.Client) -> None:
    too_large = desk.post("/api/v1/commands/call-next", content=b"x" * 200_000, headers={"Content-Type": "application/json"})
    assert too_large.status_code == 413
    assert too_large.json()["error"]["code"] == "body_too_large"
    unknown = desk.get("/api/v1/nowhere")
    assert unknown.json()["error"]["code"] == "not_found"
    for answer in (too_large, unknown):
        assert answer.headers["x-nowserving-refusal"] == answer.json()["error"]["code"]


def test_logs_contain_no_token(proxy: Proxy, seeded: Seed, desk: httpx.Client) -> None:
    ticket, display = seeded["tickets"][0]["token"], seeded["displays"][0]
    assert desk.get(f"/t/{ticket}").status_code == 200
    with (
        sse(f"{proxy.url}/live/tickets/{ticket}") as phone,
        sse(f"{proxy.url}/live/displays/{display['id']}?token={display['token']}") as screen,
    ):
        phone.wait(lambda each: each.cells)
        screen.wait(lambda each: each.cells)
    until = time.monotonic() + 60
    while proxy.access_log.read_text().count("/live/") < 2 and time.monotonic() < until:
        time.sleep(0.05)
    lines = [json.loads(line) for line in whole_lines(proxy.access_log)]
    assert {"/t/-", "/live/tickets/-", f"/live/displays/{display['id']}"} <= {line["path"] for line in lines}
    logs = proxy.access_log.read_text() + proxy.error_log.read_text()
    for secret in (ticket, display["token"]):
        assert secret not in logs


def test_pages_are_compressed_and_streams_are_not(proxy: Proxy, seeded: Seed, desk: httpx.Client) -> None:
    file = desk.get("/static/css/base.css", headers={"Accept-Encoding": "gzip"})
    assert file.headers["content-encoding"] == "gzip"
    assert file.headers["x-content-type-options"] == "nosniff"
    page = desk.get("/sign-in", headers={"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    display = seeded["displays"][0]
    headers = {"Authorization": f"Bearer {display['token']}", "Accept-Encoding": "gzip"}
    with (
        httpx.Client(base_url=proxy.url, headers=headers) as client,
        client.stream("GET", f"/live/displays/{display['id']}") as answer,
    ):
        assert "content-encoding" not in answer.headers


@contextmanager
def busy_desk(desk: httpx.Client, seeded: Seed) -> Iterator[Counter[int]]:
    """Send commands, one after the other, until the block ends; yield the count of each status."""
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def work() -> None:
        while not over.is_set() or statuses.total() < 20:
            body = {"point_id": seeded["point_ids"][0]}
            statuses[desk.post("/api/v1/commands/call-next?preview=true", json=body).status_code] += 1

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work)
        try:
            yield statuses
        finally:
            over.set()
        done.result()


def report(site_id: int, cookie: str) -> bytes:
    """Return a desk's report with a malformed origin and an invented cookie, as anybody can send it."""
    lines = [
        f"POST /live/sites/{site_id}/desk/disagreement HTTP/1.1", "Host: x", "Origin: http://[",
        f"Cookie: nowserving_access={cookie}", "Content-Type: application/json", "Content-Length: 10",
    ]  # fmt: skip
    return "\r\n".join([*lines, "", '{"seq": 1}']).encode()


def all_answers(proxy: Proxy | Server, requests: list[bytes]) -> Counter[int]:
    """Send requests on one connection, without a wait for the answers; return the count of each status."""
    ends = requests[-1].replace(b"Host: x", b"Host: x\r\nConnection: close")
    data = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
        connection.sendall(b"".join([*requests[:-1], ends]))
        while chunk := connection.recv(65_536):
            data += chunk
    return Counter(int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", data))


def test_malformed_requests_of_a_stranger_cost_nobody_else_a_request(proxy: Proxy, seeded: Seed, desk: httpx.Client) -> None:
    """160 requests in a second: each gets its refusal, and every command of the desk succeeds."""
    attack = report(seeded["site_id"], "x")
    with busy_desk(desk, seeded) as statuses, ThreadPoolExecutor(16) as strangers:
        answers = sum(strangers.map(lambda _: all_answers(proxy, [attack] * 10), range(16)), Counter())
    assert answers == {403: 160}
    assert set(statuses) == {200}, statuses


def test_fault_of_a_server_costs_nobody_else_a_request(
    env: dict[str, str], servers: tuple[Server, Server], proxy: Proxy, seeded: Seed, desk: httpx.Client
) -> None:
    """A missing table makes one query fail with a 500, on connections that carry the requests of others too."""
    token = servers[0].sign_in(seeded, "admin")
    faulty = f"GET /api/v1/api-keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    good = faulty.replace(b"api-keys", b"sites")
    connection = databases.connect(make_url(env["NOWSERVING_DATABASE_URL"]))
    try:
        with connection.cursor() as cursor:
            cursor.execute("RENAME TABLE api_keys TO api_keys_away")
        with busy_desk(desk, seeded) as statuses, ThreadPoolExecutor(4) as askers:
            answers = sum(askers.map(lambda _: all_answers(proxy, [faulty] * 8), range(4)), Counter())
        assert all_answers(servers[0], [faulty, good, faulty, good]) == {500: 2, 200: 2}
    finally:
        connection.close()
    assert answers == {500: 32}
    assert set(statuses) == {200}, statuses


def test_nginx_limits_the_reports_of_screens(proxy: Proxy, seeded: Seed, desk: httpx.Client) -> None:
    """One sender has a rate, and a number of requests at once, for all posts below /live/."""
    answers = all_answers(proxy, [report(seeded["site_id"], "fast")] * 640)
    assert set(answers) == {403, 429}
    assert 600 <= answers[403] < 640
    half = report(seeded["site_id"], "slow").replace(b"Length: 10", b"Length: 50")
    with ExitStack() as open_ones, httpx.Client(base_url=proxy.url, cookies={"nowserving_access": "slow"}) as client:
        for _ in range(32):
            sender = open_ones.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=30))
            sender.sendall(half)
        until = time.monotonic() + 60
        while (answer := client.post("/live/nowhere", json={})).status_code != 429:
            assert time.monotonic() < until
        assert answer.json()["error"]["code"] == "too_many_requests"
        assert answer.headers["retry-after"] == "5"
        assert desk.post(f"/live/sites/{seeded['site_id']}/desk/disagreement", json={"seq": 1}).status_code == 204


# Cookies. They depend on the route of the browser: TLS or plain HTTP.

PLAIN_NAMES = {"nowserving_access", "nowserving_refresh", "nowserving_browser"}
TLS_NAMES = {f"__Host-{name}" for name in PLAIN_NAMES}


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Return the cookies that an answer sets or deletes, by name."""
    return {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}


def signed_in(client: httpx.Client, seeded: Seed, **headers: str) -> httpx.Response:
    member = next(each for each in seeded["staff"] if each["role"] == "receptionist")
    body = {"username": member["username"], "password": member["password"]}
    answer = client.post("/api/v1/session", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def test_cookies_are_bound_to_the_host_as_soon_as_the_route_is_tls(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    seeded = seed(env, points=1, tickets=1, displays=1)
    context = unverified()
    with serving(env, tmp_path) as server, nginx(tmp_path, [server.port], trusted="127.0.0.3") as proxy:
        over_tls = f"https://127.0.0.1:{proxy.tls_port}"
        stream = f"127.0.0.1:{proxy.tls_port}/live/sites/{seeded['site_id']}/desk"

        with httpx.Client(base_url=over_tls, verify=context) as client:
            cookies = cookies_of(signed_in(client, seeded))
            assert set(cookies) == TLS_NAMES
            for cookie in cookies.values():
                attributes = {each.strip().lower() for each in cookie.split(";")[1:]}
                assert {"secure", "httponly", "samesite=strict", "path=/"} <= attributes
                assert not any(each.startswith("domain") for each in attributes)
            assert client.get("/api/v1/session").status_code == 200
            refreshed = client.post("/api/v1/session/refresh", json={}, headers={"Origin": over_tls})
            assert refreshed.status_code == 200
            assert set(cookies_of(refreshed)) == {"__Host-nowserving_access", "__Host-nowserving_refresh"}
            token = client.cookies["__Host-nowserving_access"]
            with connect(
                f"wss://{stream}", ssl=context, additional_headers={"Cookie": f"__Host-nowserving_access={token}"}
            ) as screen:
                assert json.loads(screen.recv(60))

        # A plain cookie may come from anybody on the network: over TLS the server does not read it, and deletes it.
        with httpx.Client(base_url=over_tls, verify=context) as client:
            planted = "; ".join(f"{name}={token}" for name in sorted(PLAIN_NAMES))
            assert client.get("/api/v1/session", headers={"Cookie": planted}).status_code == 401
            with (
                pytest.raises((InvalidStatus, ConnectionClosed)),
                connect(f"wss://{stream}", ssl=context, additional_headers={"Cookie": f"nowserving_access={token}"}) as none,
            ):
                none.recv(60)
            cookies = cookies_of(signed_in(client, seeded, Cookie=planted))
            assert set(cookies) == TLS_NAMES | PLAIN_NAMES
            paths = {"nowserving_access": "/", "nowserving_refresh": "/api/v1/session", "nowserving_browser": "/"}
            for name, path in paths.items():
                attributes = {each.strip() for each in cookies[name].split(";")}
                assert {f'{name}=""', "Max-Age=0", f"Path={path}"} <= attributes
            out = client.request("DELETE", "/api/v1/session", headers={"Origin": over_tls})
            assert out.status_code == 204
            assert set(cookies_of(out)) == {"__Host-nowserving_access", "__Host-nowserving_refresh"}
            assert client.get("/api/v1/session").status_code == 401

        # Plain HTTP in the clinic's own network. A client's own claim about its scheme counts for nothing.
        with httpx.Client(base_url=proxy.url) as client:
            cookies = cookies_of(signed_in(client, seeded, **{"X-Forwarded-Proto": "https"}))
            assert set(cookies) == PLAIN_NAMES
            assert not any("secure" in cookie.lower() for cookie in cookies.values())
            assert client.get("/api/v1/session").status_code == 200

        # A proxy in front of nginx ends the TLS. Its address is named.
        with httpx.Client(base_url=proxy.url, transport=httpx.HTTPTransport(local_address="127.0.0.3")) as client:
            cookies = cookies_of(signed_in(client, seeded, **{"X-Forwarded-Proto": "https"}))
            assert set(cookies) == TLS_NAMES
            plain = cookies_of(signed_in(client, seeded, **{"X-Forwarded-Proto": "http"}))
            assert set(plain) == PLAIN_NAMES


def test_server_believes_the_scheme_of_named_addresses_alone(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url, FORWARDED_ALLOW_IPS="127.0.0.3")
    seeded = seed(env, points=1, tickets=1, displays=1)
    with serving(env, tmp_path) as server:
        for address, names in (("127.0.0.2", PLAIN_NAMES), ("127.0.0.3", TLS_NAMES)):
            transport = httpx.HTTPTransport(local_address=address)
            with httpx.Client(base_url=server.url, transport=transport) as client:
                assert set(cookies_of(signed_in(client, seeded, **{"X-Forwarded-Proto": "https"}))) == names
