"""Rate limits of real servers. Each test sends from addresses of its own, as a proxy forwards them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from redis import Redis

from server.seeding import Seed
from server.transport.access import limits, places
from tests.support.processes import free_port, whole_lines
from tests.support.redis import redis
from tests.support.server import SECRETS, Server, environment, seed, serving

pytestmark = pytest.mark.measured

SITES = "/api/v1/sites"
READY = 10  # requests for readiness in a minute
_addresses = count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    more = {"NOWSERVING_RATE_LIMITS": "on", "NOWSERVING_LIMIT_HEALTH": str(READY)}
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", **more)


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=4, displays=1)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture
def address() -> str:
    """An address that no other test has used."""
    number = next(_addresses)
    return f"198.51.{number // 250}.{number % 250 + 1}"


def at(server: Server, address: str, token: str | None = None) -> httpx.Client:
    """Return a client whose requests come from ``address``: uvicorn trusts the proxy on this machine."""
    client = server.client(token)
    client.headers["X-Forwarded-For"] = address
    return client


def sign_in(client: httpx.Client, seeded: Seed, role: str = "receptionist", password: str | None = None) -> httpx.Response:
    member = next(each for each in seeded["staff"] if each["role"] == role)
    return client.post("/api/v1/session", json={"username": member["username"], "password": password or member["password"]})


def assert_limited(answer: httpx.Response, code: str) -> dict[str, Any]:
    """Assert that the request exceeded a limit; return the error."""
    assert answer.status_code == 429, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id", "timestamp"}
    assert error["code"] == code
    assert answer.headers["retry-after"] == str(error["details"]["retry_after"])
    assert int(answer.headers["retry-after"]) >= 1
    return error


def limit_and_rest(answer: httpx.Response) -> tuple[int, int]:
    """Return the limit that an answer states, and the number of requests that are left."""
    reset_in = int(answer.headers["x-ratelimit-reset"]) - time.time()
    assert -1 <= reset_in <= 3_602
    return int(answer.headers["x-ratelimit-limit"]), int(answer.headers["x-ratelimit-remaining"])


def test_address_has_sixty_requests_a_minute(server: Server, address: str) -> None:
    began = time.monotonic()
    with at(server, address) as guest, at(server, "203.0.113.9") as other:
        for left in range(59, -1, -1):
            answer = guest.get(SITES)
            assert answer.status_code == 401
            assert limit_and_rest(answer) == (60, left)
        answer = guest.get("/api/v1/whatever")
        assert_limited(answer, "too_many_requests")
        assert limit_and_rest(answer) == (60, 0)
        assert 59 - (time.monotonic() - began) <= int(answer.headers["retry-after"]) <= 60
        assert other.get(SITES).status_code == 401
        # Requests outside of the API are not counted, and still succeed.
        for path, status in (
            ("/", 200), ("/sign-in", 200), ("/static/js/shared/session.js", 200), ("/health", 200), ("/health/ready", 200),
            ("/metrics", 403), ("/live/tickets/7-nonsense", 404),
        ):  # fmt: skip
            answer = guest.get(path)
            assert answer.status_code == status
            assert "x-ratelimit-limit" not in answer.headers


def test_flood_for_readiness_is_limited_by_address_and_this_machine_is_not(server: Server, address: str) -> None:
    with at(server, address) as flood, at(server, address.replace("198", "203")) as probe, server.client() as here:
        assert [flood.get("/health/ready").status_code for _ in range(READY)] == [200] * READY
        # A minute that ends here lets the address ask again, once.
        answers = (flood.get("/health/ready") for _ in range(2 * READY))
        answer = next(each for each in answers if each.status_code != 200)
        assert_limited(answer, "too_many_requests")
        assert probe.get("/health/ready").status_code == 200
        assert flood.get("/health/live").status_code == 200, "liveness asks nobody"
        assert {here.get("/health/ready").status_code for _ in range(READY + 1)} == {200}


def test_ipv6_network_counts_as_one_address(server: Server) -> None:
    for host in range(60):
        with at(server, f"2001:db8:1:2::{host:x}") as guest:
            assert guest.get(SITES).status_code == 401
    with at(server, "2001:db8:1:2:ffff::1") as guest, at(server, "2001:db8:1:3::1") as neighbour:
        assert_limited(guest.get(SITES), "too_many_requests")
        assert neighbour.get(SITES).status_code == 401


def test_blocked_address_does_not_block_credentials(server: Server, seeded: Seed, address: str) -> None:
    """The clinic's Wi-Fi is one address: its guests do not affect staff, displays and patients."""
    with at(server, address) as desk:
        answer = sign_in(desk, seeded)
        assert answer.status_code == 200
        token = answer.json()["access_token"]
    ticket = seeded["tickets"][0]["token"]
    with at(server, address) as guest:
        while guest.get(SITES).status_code == 401:
            pass
        for _ in range(limits.REFUSED.amount + 5):
            answer = guest.get(SITES)
        assert_limited(answer, "address_blocked")
        assert 800 < int(answer.headers["retry-after"]) <= 900
        assert_limited(sign_in(guest, seeded), "address_blocked")
        # A client with a credential is not affected.
        with at(server, address, token) as desk:
            answer = desk.get(SITES)
            assert answer.status_code == 200
            assert limit_and_rest(answer) == (6_000, 5_999)
        with httpx.Client(base_url=server.url, cookies={"nowserving_access": token}) as browser:
            browser.headers["X-Forwarded-For"] = address
            assert limit_and_rest(browser.get(SITES)) == (6_000, 5_998)
        with at(server, address, ticket) as patient:
            answer = patient.post("/api/v1/commands/leave", json={"entry_id": 1})
            assert answer.status_code == 404  # another patient's entry; the request itself was accepted
            assert limit_and_rest(answer) == (60, 59)
        with at(server, address, seeded["displays"][0]["token"]) as display:
            answer = display.get(SITES)
            assert answer.status_code == 401  # displays have no right to this, but the request counts for the display
            assert limit_and_rest(answer) == (6_000, 5_999)
            display_id = seeded["displays"][0]["id"]
            with display.stream("GET", f"/live/displays/{display_id}") as stream:
                assert stream.status_code == 200
        # These requests do not count for the address, and an invented credential does not count as one.
        for invented in ("e30.e30.e30", "nk_" + "x" * 43, "d7-" + "x" * 22, "7-" + "x" * 22):
            with at(server, address, invented) as liar:
                assert_limited(liar.get(SITES), "address_blocked")
    assert _logged(server, "address blocked") == 1


def test_ticket_has_sixty_requests_a_minute(server: Server, seeded: Seed, address: str) -> None:
    with at(server, address, seeded["tickets"][1]["token"]) as patient:
        for left in range(59, -1, -1):
            assert limit_and_rest(patient.post("/api/v1/commands/leave", json={})) == (60, left)
        assert_limited(patient.post("/api/v1/commands/leave", json={}), "too_many_requests")
    with at(server, address, seeded["tickets"][2]["token"]) as neighbour, at(server, address) as guest:
        assert limit_and_rest(neighbour.post("/api/v1/commands/leave", json={})) == (60, 59)
        assert limit_and_rest(guest.get(SITES)) == (60, 59)


def test_reports_of_screens_are_counted(server: Server, seeded: Seed, address: str) -> None:
    """A report counts for the token in its address, which comes in the path, in the query or in a header."""
    ticket, display = seeded["tickets"][3]["token"], seeded["displays"][0]
    with at(server, address) as phone:
        for left in range(59, -1, -1):
            answer = phone.post(f"/live/tickets/{ticket}/disagreement", json={"seq": 1})
            assert answer.status_code == 204
            assert limit_and_rest(answer) == (60, left)
        assert_limited(phone.post(f"/live/tickets/{ticket}/disagreement", json={"seq": 1}), "too_many_requests")
        first = phone.post(f"/live/displays/{display['id']}/ack?token={display['token']}", json={"seq": 1})
        assert first.status_code == 204
        limit, left = limit_and_rest(first)
        assert limit == 6_000
        headers = {"Authorization": f"Bearer {display['token']}"}
        for path in ("ack", "disagreement"):
            left -= 1
            answer = phone.post(f"/live/displays/{display['id']}/{path}", json={"seq": 1}, headers=headers)
            assert limit_and_rest(answer) == (6_000, left)
        # An invented token counts for the address, and so does any other path.
        site = seeded["site_id"]
        for left, path in enumerate(("tickets/7-nonsense/disagreement", f"sites/{site}/desk/disagreement", "nowhere"), -59):
            answer = phone.post(f"/live/{path}", json={"seq": 1}, headers={"Cookie": f"nowserving_access={left}"})
            assert limit_and_rest(answer) == (60, -left)
        while (answer := phone.post("/live/nowhere", json={})).status_code == 404:
            pass
        assert_limited(answer, "too_many_requests")


def test_half_sent_reports_of_one_ticket_take_no_place_of_another(server: Server, seeded: Seed, address: str) -> None:
    tickets = [each["token"] for each in seeded["tickets"]]
    half = "POST /live/tickets/{} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
    with ExitStack() as open_ones, at(server, address) as phone:
        for _ in range(places.PER_CLIENT):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(half.format(f"{tickets[0]}/disagreement").encode())
        until = time.monotonic() + 60
        while (answer := phone.post(f"/live/tickets/{tickets[0]}/disagreement", json={"seq": 1})).status_code == 204:
            assert time.monotonic() < until
        assert_limited(answer, "too_many_requests")
        assert phone.post(f"/live/tickets/{tickets[2]}/disagreement", json={"seq": 1}).status_code == 204
    until = time.monotonic() + 60
    with at(server, address) as phone:  # the places are free again
        while phone.post(f"/live/tickets/{tickets[0]}/disagreement", json={"seq": 1}).status_code == 429:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_unknown_version_is_counted(server: Server, address: str) -> None:
    """Another spelling of the version leads to the same limits."""
    with at(server, address) as guest:
        for left, (path, header) in enumerate((("/api/v9/sites", {}), ("/api/sites", {"X-API-Version": "9"})), -59):
            answer = guest.get(path, headers=header)
            assert answer.json()["error"]["code"] == "unknown_version"
            assert limit_and_rest(answer) == (60, -left)
        assert limit_and_rest(guest.post("/api/session?api_version=1", json={}))[0] == limits.SIGN_IN.amount
        while guest.get("/api/v9/sites").status_code == 400:
            pass
        assert_limited(guest.get("/api/v9/sites"), "too_many_requests")


def test_sign_ins_are_counted_separately(server: Server, seeded: Seed, address: str) -> None:
    with at(server, address) as known:
        assert limit_and_rest(sign_in(known, seeded, "clinician")) == (10, 9)
        with at(server, address) as guest:
            for left in range(8, -1, -1):
                answer = guest.post("/api/v1/session", json={"username": f"nobody-{left}", "password": "wrong"})
                assert limit_and_rest(answer) == (10, left)
            answer = sign_in(guest, seeded, "clinician")
            assert_limited(answer, "too_many_requests")
            assert limit_and_rest(guest.get(SITES)) == (60, 59)
            # Anyone can take a ticket, so a ticket gives no additional attempts.
            with at(server, address, seeded["tickets"][3]["token"]) as patient:
                assert_limited(sign_in(patient, seeded, "clinician"), "too_many_requests")
        # A known browser has a count of its own.
        assert known.cookies.get("nowserving_browser")
        known.cookies.delete("nowserving_access")
        answer = sign_in(known, seeded, "clinician")
        assert answer.status_code == 200
        assert limit_and_rest(answer) == (10, 9)


def test_expired_access_token_still_counts_for_its_session(server: Server, seeded: Seed, address: str) -> None:
    """A page that is about to refresh its session does not count with the guests."""
    with at(server, address) as desk:
        token = sign_in(desk, seeded).json()["access_token"]
    secret = SECRETS["NOWSERVING_SECRET_KEY"]
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    old = jwt.encode(claims | {"exp": int(time.time()) - 60}, secret, "HS256")
    with at(server, address, old) as late:
        answer = late.get(SITES)
        assert answer.status_code == 401
        assert limit_and_rest(answer)[0] == 6_000


def test_sessions_of_one_member_share_a_limit(server: Server, seeded: Seed, address: str) -> None:
    """A further sign-in gives no further requests."""
    with at(server, address) as one, at(server, next_to(address)) as two:
        tokens = [sign_in(each, seeded, "clinician").json()["access_token"] for each in (one, two)]
    with at(server, address, tokens[0]) as one, at(server, next_to(address), tokens[1]) as two:
        _, before = limit_and_rest(one.get(SITES))
        assert limit_and_rest(two.get(SITES)) == (6_000, before - 1)
        assert limit_and_rest(one.get(SITES)) == (6_000, before - 2)


def next_to(address: str) -> str:
    return f"{address.rpartition('.')[0]}.251"


def test_api_key_is_counted_separately(server: Server, seeded: Seed, address: str) -> None:
    with at(server, address) as desk:
        token = sign_in(desk, seeded, "admin").json()["access_token"]
    with at(server, address, token) as admin:
        key = admin.post("/api/v1/api-keys", json={"name": "Practice software"}).json()["key"]
    with at(server, address, key) as other_system:
        assert limit_and_rest(other_system.get(SITES)) == (6_000, 5_999)


def test_limits_can_be_switched_off(env: dict[str, str], seeded: Seed, folder: Path) -> None:
    with serving(env | {"NOWSERVING_RATE_LIMITS": "off"}, folder) as server, server.client() as guest:
        answers = [guest.get(SITES) for _ in range(70)]
    assert {answer.status_code for answer in answers} == {401}
    assert not any("x-ratelimit-limit" in answer.headers for answer in answers)


def test_processes_share_their_counts_in_redis(mysql_url: str, redis_url: str, tmp_path: Path, address: str) -> None:
    env = environment(mysql_url, redis_url, NOWSERVING_RATE_LIMITS="on")
    seed(env, points=1, tickets=0)
    with (
        serving(env, tmp_path, name="one") as one,
        serving(env, tmp_path, name="two") as two,
        at(one, address) as first,
        at(two, address) as second,
    ):
        for each in range(30):
            assert limit_and_rest(first.get(SITES)) == (60, 59 - 2 * each)
            assert limit_and_rest(second.get(SITES)) == (60, 58 - 2 * each)
        assert_limited(first.get(SITES), "too_many_requests")
        assert_limited(second.get(SITES), "too_many_requests")


def test_limits_continue_without_redis(
    folder: Path, seeded: Seed, env: dict[str, str], tmp_path: Path, address: str
) -> None:
    """Without Redis, the process counts alone and logs this once. It uses Redis again as soon as Redis is back."""
    here, again = "limits are counted in this process", "limits are counted in Redis again"
    port = free_port()
    with redis(tmp_path, port) as url, serving(env | {"NOWSERVING_REDIS_URL": url}, tmp_path) as server:
        with at(server, address) as guest:
            assert limit_and_rest(guest.get(SITES)) == (60, 59)
            _freeze_and_kill_redis(url, guest)
            assert _logged(server, here) - _logged(server, again) == 1
        with redis(tmp_path, port), at(server, address) as guest:
            until = time.monotonic() + 150  # only ends a test that fails
            while not _logged(server, again):
                assert time.monotonic() < until, "the server never returned to Redis"
                assert guest.get("/api/v1/session").status_code in (401, 429)
                time.sleep(0.2)
            assert guest.get(SITES).status_code == 401
    # On a busy machine, Redis may be too slow once more after its return. The server logs this once, and its end once.
    logged = [line for line in _lines(server) if line.startswith((here, again))]
    assert [line.startswith(here) for line in logged] == [index % 2 == 0 for index in range(len(logged))], logged
    # The bus logs the begin and the end of the outage, not each failure.
    logged = [line for line in _lines(server) if line.startswith(("bus ", "the bus has no Redis"))]
    assert logged
    assert [line.endswith(": over") for line in logged] == [index % 2 == 1 for index in range(len(logged))], logged


def _freeze_and_kill_redis(url: str, guest: httpx.Client) -> None:
    """Freeze Redis, then kill it, while the guest continues to send requests."""
    with Redis.from_url(url) as client:
        process_id = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    answer = guest.get(SITES)
    assert answer.status_code == 401
    assert limit_and_rest(answer) == (60, 59)  # counted in this process
    quick = []
    for _ in range(20):
        began = time.monotonic()
        assert guest.get(SITES).status_code == 401
        quick.append(time.monotonic() - began)
    # Later requests do not wait for Redis. Those that do wait take at least so long, the others only on a busy machine.
    assert min(quick) < limits.CALL_SECONDS, quick
    os.kill(process_id, signal.SIGKILL)


def _logged(server: Server, what: str) -> int:
    """Return the number of events in a server's log that begin with ``what``."""
    return sum(line.startswith(what) for line in _lines(server))


def _lines(server: Server) -> list[str]:
    """Return the events of a server's log, line by line."""
    lines = whole_lines(server.log)
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]
