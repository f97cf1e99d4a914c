"""The limits of nginx and of the application together, for a clinic behind one address, its guests, and strangers.

An hour is compressed into seconds: `FASTER` times the rate at nginx, where a burst keeps its size, and `FASTER` times each
amount of the application that counts by the minute. What counts by the hour keeps its amount: the whole hour is in one
window. The busiest minute is sent to an installation with the limits as they are.
"""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from server.seeding import DeviceSeed, Seed
from tests.support.nginx import Proxy, nginx, unverified
from tests.support.server import Server, environment, seed, serving

FASTER = 360
CLINIC, GUEST, FLOODER = "127.0.0.5", "127.0.0.6", "127.0.0.9"
PEOPLE, DISPLAYS = 60, 6
BY_THE_MINUTE = {
    "ANONYMOUS": 60, "SIGN_IN": 10, "PAIRING": 10, "CODE": 10, "TICKET": 60, "CHECK_IN": 5, "JOINING": 600, "JOIN_CODE": 120,
    "PHONE": 60,
}  # fmt: skip
SMALL_BURST, FEW_PAGES = 40, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_RATE_LIMITS="on")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=PEOPLE, displays=DISPLAYS)


@pytest.fixture
def server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    """A server with the limits as they are, but for pages with invented cookies."""
    with serving({**env, "NOWSERVING_LIMIT_PAGES": str(FEW_PAGES)}, folder) as server:
        yield server


@pytest.fixture
def fast_server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    """A server whose minutes are compressed."""
    fast = {f"NOWSERVING_LIMIT_{name}": str(amount * FASTER) for name, amount in BY_THE_MINUTE.items()}
    with serving(env | fast, folder) as server:
        yield server


def faster() -> dict[str, str]:
    """Return the edits of nginx.conf that compress its hour."""
    text = (Path(__file__).parents[2] / "nginx/nginx.conf").read_text()
    return {f"rate={each}r/m;": f"rate={int(each) * FASTER}r/m;" for each in re.findall(r"rate=(\d+)r/m;", text)}


def answers(proxy: Proxy, address: str, requests: Sequence[str]) -> Counter[int]:
    """Send requests from a local address on one connection with TLS, without a wait; return the count of each status."""
    last = requests[-1].replace("Host: x", "Host: x\r\nConnection: close")
    data = b""
    with (
        socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=60, source_address=(address, 0)) as plain,
        unverified().wrap_socket(plain) as connection,
    ):
        connection.sendall("".join([*requests[:-1], last]).encode())
        while chunk := connection.recv(65_536):
            data += chunk
    return Counter(int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", data))


def get(path: str, *headers: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""))


def follow(proxy: Proxy, path: str, open_ones: ExitStack) -> bytes:
    """Open a stream from the clinic, which stays open; return the beginning of its answer."""
    plain = socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=60, source_address=(CLINIC, 0))
    connection = open_ones.enter_context(unverified().wrap_socket(open_ones.enter_context(plain)))
    connection.sendall(get(path).encode())
    return connection.recv(64)


def browser(proxy: Proxy, address: str, *, tls: bool = True) -> httpx.Client:
    """Return a browser with cookies. The caller closes it."""
    transport = httpx.HTTPTransport(verify=unverified(), local_address=address)
    url = proxy.tls_url if tls else proxy.url
    return httpx.Client(base_url=url, transport=transport, headers={"Origin": url}, timeout=60)


def sign_in(client: httpx.Client, seeded: Seed) -> int:
    member = next(each for each in seeded["staff"] if each["role"] == "receptionist")
    body = {"username": member["username"], "password": member["password"]}
    return client.post("/api/v1/session", json=body).status_code


def phone(seeded: Seed, token: str) -> list[str]:
    """Return the requests of a phone that opens the pages for joining and of its ticket; their files have no limit."""
    site = seeded["site_id"]
    return [
        *(get(f"/join/{site}"), get(f"/api/v1/sites/{site}/joining")),
        *(get(f"/t/{token}"), get(f"/t/{token}/app.webmanifest")),
        *(get(f"/api/v1/tickets/{token}{each}") for each in ("", "/qr.svg", "/push")),
    ]


def report(display: DeviceSeed) -> str:
    """Return the report of a display that has no WebSocket."""
    body = '{"seq": 1, "muted": false, "version": "1.0"}'
    path = f"/live/displays/{display['id']}/ack?token={display['token']}"
    head = (f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*head, "", body))


def clinic(proxy: Proxy, seeded: Seed, *, opens: int, looks: int, reports: int) -> Counter[int]:
    """Send the traffic of a clinic from one address; return the count of each status."""
    found: Counter[int] = Counter()
    with ExitStack() as open_ones:
        for _ in range(2):  # the desks
            desk = open_ones.enter_context(browser(proxy, CLINIC))
            found[sign_in(desk, seeded)] += 1
            found[desk.post("/api/v1/session/refresh", json={}).status_code] += 1
            cookie = f"Cookie: __Host-nowserving_access={desk.cookies['__Host-nowserving_access']}"
            pages = [get(each, cookie) for each in ("/reception", "/api/v1/session") for _ in range(looks)]
            found += answers(proxy, CLINIC, pages)
        streams = [f"/live/displays/{each['id']}?token={each['token']}" for each in seeded["displays"]]
        streams += [f"/live/tickets/{each['token']}" for each in seeded["tickets"]]
        for each in streams:
            assert follow(proxy, each, open_ones).startswith(b"HTTP/1.1 200 ")
        for display in seeded["displays"]:
            found += answers(proxy, CLINIC, [get(f"/display/{display['id']}"), *[report(display)] * reports])
        phones = [each for ticket in seeded["tickets"] for each in phone(seeded, ticket["token"])]
        for _ in range(opens):
            found += answers(proxy, CLINIC, phones)
    return found


def test_clinic_behind_one_address_meets_no_limit_in_an_hour(fast_server: Server, seeded: Seed, tmp_path: Path) -> None:
    """60 phones that open their page twice, two desks with 600 requests, six displays. A flood has its limit."""
    with nginx(tmp_path, [fast_server.port], redirecting=True, edits=faster()) as proxy:
        with ThreadPoolExecutor(1) as stranger:
            flood = stranger.submit(flooded, proxy)
            found = clinic(proxy, seeded, opens=2, looks=150, reports=60)
            assert flood.result()[429] > 0
        assert found.total() > 1_500
        assert found[429] == 0, found
        assert found[200] > 1_200


def flooded(proxy: Proxy) -> Counter[int]:
    """Send requests from another address until some are refused; return the count of each status."""
    found: Counter[int] = Counter()
    end = time.monotonic() + 120
    while not found[429]:
        assert time.monotonic() < end, found
        found += answers(proxy, FLOODER, [get("/sign-in", "Accept-Encoding: gzip")] * 500)
    return found


def test_busiest_minute_of_a_clinic_meets_no_limit(server: Server, seeded: Seed, tmp_path: Path) -> None:
    with nginx(tmp_path, [server.port], redirecting=True) as proxy:
        found = clinic(proxy, seeded, opens=1, looks=30, reports=10)
        assert found.total() > 500
        assert found[429] == 0, found


def test_guest_keeps_no_signed_in_page_from_reloading(server: Server, seeded: Seed, tmp_path: Path) -> None:
    """Also after the quarter of an hour that an access cookie lives. Invented cookies lead round no limit."""
    small = {"burst=1000 ": f"burst={SMALL_BURST} "}
    with nginx(tmp_path, [server.port], edits=small) as proxy, ExitStack() as open_ones:
        desks = [open_ones.enter_context(browser(proxy, GUEST, tls=tls)) for tls in (True, False)]
        for desk in desks:
            assert sign_in(desk, seeded) == 200
            for name in [name for name in desk.cookies if name.endswith("nowserving_access")]:
                desk.cookies.delete(name)  # as the browser does after a quarter of an hour

        assert answers(proxy, GUEST, [get("/")] * (SMALL_BURST + 60))[429] > 0
        invented = [
            header
            for number in range(FEW_PAGES)
            for header in (
                f"Cookie: nowserving_browser=invented{number}",
                f"Cookie: __Host-nowserving_browser=invented{number}",
                f"Cookie: __Host-nowserving_refresh=invented{number}",
                f"Authorization: Bearer invented{number}",
            )
        ]
        found = answers(proxy, GUEST, [get("/reception", each) for each in invented])
        assert found == {200: FEW_PAGES, 429: len(invented) - FEW_PAGES}
        with browser(proxy, GUEST, tls=False) as new:
            assert 429 in {new.get("/reception").status_code for _ in range(SMALL_BURST)}

        for desk in desks:
            assert desk.get("/reception").status_code == 200
            assert desk.post("/api/v1/session/refresh", json={}).status_code == 200
            assert desk.get("/api/v1/session").status_code == 200
            assert desk.get("/reception").status_code == 200
