"""nginx with TLS before two server processes, with MariaDB and Redis: HTTP/2, renewal of the certificate, and proxies."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from sqlalchemy import URL

from server.seeding import Seed
from tests.support import databases
from tests.support.certificate import certificate
from tests.support.nginx import CONFIGURATION, Proxy, nginx, unverified
from tests.support.processes import free_port, program, running
from tests.support.screens import Screen, http2, over_http2, sse, websocket
from tests.support.server import Server, command_line, environment, seed, serving

HEARTBEAT = 0.5
NAMED_PROXY, STRANGER = "127.0.0.3", "127.0.0.4"
SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """The whole installation."""

    env: dict[str, str]
    seeded: Seed
    proxy: Proxy
    servers: tuple[Server, Server]
    token: str  # of the receptionist
    entry_id: int  # of a called patient

    @property
    def display_url(self) -> str:
        """The live address of the display, over TLS."""
        return f"{self.proxy.tls_url}/live/displays/{self.seeded['displays'][0]['id']}"

    @property
    def display_token(self) -> str:
        """The token of the display."""
        token: str = self.seeded["displays"][0]["token"]
        return token

    def client(self, address: str = "127.0.0.1", *, token: str | None = None) -> httpx.Client:
        """Return a client of the proxy over TLS, at a local address. The caller closes it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.HTTPTransport(verify=unverified(), local_address=address)
        return httpx.Client(base_url=self.proxy.tls_url, transport=transport, headers=headers, timeout=30)

    def recall(self) -> int:
        """Announce the called patient again, by a command over TLS; return the number of the event."""
        with self.client(token=self.token) as desk:
            answer = desk.post("/api/v1/commands/recall", json={"entry_id": self.entry_id})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["seq"])


@pytest.fixture(scope="module")
def stack(database_server: URL, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("tls")
    ports = [free_port(), free_port()]
    with (
        nginx(folder, ports, trusted=NAMED_PROXY, redirecting=True) as proxy,
        databases.fresh_database(database_server) as database_url,
    ):
        env = environment(
            database_url,
            redis_url,
            NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT),
            NOWSERVING_CERTIFICATE=str(proxy.certificate),
        )
        seeded = seed(env, points=1, tickets=2, displays=1)
        with serving(env, folder, port=ports[0]) as one, serving(env, folder, port=ports[1]) as two:
            token = one.sign_in(seeded, "receptionist")
            with one.client(token) as desk:
                called = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
            yield Stack(env, seeded, proxy, (one, two), token, called["entry"]["id"])


def until(seen: Callable[[], bool], what: str) -> None:
    """Wait until ``seen()``."""
    end = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < end, f"not seen within {SECONDS} s: {what}"
        time.sleep(0.05)


def shown_serial(port: int, context: ssl.SSLContext | None = None) -> int:
    """Return the serial number of the certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        (context or unverified()).wrap_socket(plain) as secured,
    ):
        found = secured.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number


def serial_of(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def reload(proxy: Proxy) -> None:
    """Replace the certificate, reload, and wait until every new connection meets the new workers."""
    certificate(proxy.certificate.parent)
    proxy.reload()
    until(
        lambda: all(shown_serial(proxy.tls_port) == serial_of(proxy.certificate) for _ in range(10)), "the new certificate"
    )


def test_page_comes_over_http2_with_each_protecting_header_once(stack: Stack) -> None:
    page = over_http2(f"{stack.proxy.tls_url}/sign-in")
    assert (page["protocol"], page["status"]) == ("h2", 200)
    assert page["headers"]["strict-transport-security"] == "max-age=31536000"
    with stack.client() as client:
        for path, status in (("/sign-in", 200), ("/static/css/base.css", 200), ("/api/v1/sites", 401), ("/%00", 400)):
            answer = client.get(path)
            assert answer.status_code == status
            for name in ("strict-transport-security", "x-content-type-options", "referrer-policy", "x-request-id"):
                assert len(answer.headers.get_list(name)) == 1, (path, name)
        too_large = client.post("/api/v1/commands/call-next", content=b"x" * 200_000)
        assert too_large.status_code == 413
        assert too_large.headers.get_list("strict-transport-security") == ["max-age=31536000"]


@pytest.mark.parametrize(
    ("version", "accepted"), [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False), ("TLSv1", False)]
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(stack: Stack, version: str, *, accepted: bool) -> None:
    context = unverified()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if accepted:
        assert shown_serial(stack.proxy.tls_port, context) == serial_of(stack.proxy.certificate)
        return
    with pytest.raises(ssl.SSLError):
        shown_serial(stack.proxy.tls_port, context)


def test_change_comes_at_once_on_every_transport(stack: Stack) -> None:
    """No stream ends for it, and no heartbeat pushes it: it comes before the next two of them."""
    with ExitStack() as open_ones:
        screens = followed(stack, open_ones)
        beats = {name: screen.kinds().count("heartbeat") for name, screen in screens.items()}
        number = stack.recall()
        for name, screen in screens.items():
            screen.wait(lambda each: each.seq >= number, what=f"the call over {name}")
            changed = next(place for place, kind in enumerate(screen.kinds()) if kind == "change")
            assert screen.messages[changed][2]["seq"] <= number
            assert not screen.ended
            assert beats[name] >= 1


def followed(stack: Stack, open_ones: ExitStack) -> dict[str, Screen]:
    """Open the display's stream on each transport over TLS; return the screens after their first heartbeats."""
    url, token = stack.display_url, stack.display_token
    screens = {
        "HTTP/2": open_ones.enter_context(http2(url, token)),
        "HTTP/1.1": open_ones.enter_context(sse(url, token, verify=unverified())),
        "WebSocket": open_ones.enter_context(websocket(url, token, verify=unverified())),
    }
    for name, screen in screens.items():
        screen.wait(lambda each: "heartbeat" in each.kinds(), what=f"a heartbeat over {name}")
    return screens


def test_reload_and_renewal_drop_no_stream(stack: Stack) -> None:
    with ExitStack() as open_ones:
        screens = followed(stack, open_ones)
        before = stack.proxy.workers()
        numbers = [stack.recall()]
        for _ in range(2):
            reload(stack.proxy)
            numbers.append(stack.recall())
        assert stack.proxy.workers() - before, "new workers serve new connections"
        for name, screen in screens.items():
            screen.wait(lambda each: each.seq >= numbers[-1], what=f"the last call over {name}")
            beats = screen.kinds().count("heartbeat")
            screen.wait(lambda each, beats=beats: each.kinds().count("heartbeat") > beats, what=f"a digest over {name}")  # type: ignore[misc]
            assert not screen.ended
            assert screen.kinds().count("snapshot") == 1
            seen = [body["seq"] for kind, _, body in screen.messages if kind == "change"]
            assert set(numbers) <= set(seen), f"{name} has a gap"
            assert screen.disagreed == []


def streams_of(server: Server) -> int:
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith("nowserving_streams{")))


def test_screen_resumes_at_the_other_server(stack: Stack) -> None:
    until(lambda: not any(map(streams_of, stack.servers)), "no stream of another test")
    upstream = stack.proxy.configuration / "snippets/upstream.conf"
    both = upstream.read_text()
    one, two = both.splitlines()
    try:
        upstream.write_text(one)
        reload(stack.proxy)
        with http2(stack.display_url, stack.display_token) as screen:
            screen.wait(lambda each: each.cells, what="the snapshot")
            until(lambda: streams_of(stack.servers[0]) == 1, "the stream at the first server")
        upstream.write_text(two)
        reload(stack.proxy)
        number = stack.recall()
        with http2(stack.display_url, stack.display_token, resume=screen) as resumed:
            resumed.wait(lambda each: each.seq >= number, what="the missed call")
            until(lambda: streams_of(stack.servers[1]) == 1, "the stream at the second server")
            resumed.wait(lambda each: "heartbeat" in each.kinds(), what="a digest")
            assert resumed.disagreed == []
    finally:
        upstream.write_text(both)
        reload(stack.proxy)


def test_plain_http_leads_to_https(stack: Stack) -> None:
    proxy = stack.proxy
    answers = proxy.state / "acme/.well-known/acme-challenge"
    answers.mkdir(parents=True, exist_ok=True)
    (answers / "token").write_text("token.thumbprint")
    with httpx.Client(base_url=proxy.url) as client:
        for method in ("GET", "POST"):
            answer = client.request(method, "/api/v1/session?next=%2Fadmin")
            assert answer.status_code == 308
            assert answer.headers["location"] == f"{proxy.tls_url}/api/v1/session?next=%2Fadmin"
            assert "strict-transport-security" not in answer.headers
        assert client.get("/.well-known/acme-challenge/token").text == "token.thumbprint"
        assert client.get("/.well-known/acme-challenge/other").status_code == 404
        assert client.get("/health/proxy").text == "ok\n"


def sign_in(client: httpx.Client, seeded: Seed, **headers: str) -> httpx.Response:
    member = next(each for each in seeded["staff"] if each["role"] == "receptionist")
    body = {"username": member["username"], "password": member["password"]}
    answer = client.post("/api/v1/session", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def addresses(proxy: Proxy, request_id: str) -> set[str]:
    """Return the addresses that the access log has for a request."""

    def found() -> set[str]:
        lines = [json.loads(line) for line in proxy.access_log.read_text().splitlines()]
        return {line["address"] for line in lines if line["request_id"] == request_id}

    until(lambda: bool(found()), f"the request {request_id} in the log")
    return found()


def test_only_a_named_proxy_names_the_client(stack: Stack) -> None:
    """And no claim about the scheme takes `Secure` from a cookie on a route with TLS."""
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Real-IP": "203.0.113.9"}
    for address, seen in ((STRANGER, "127.0.0.0"), (NAMED_PROXY, "203.0.113.0")):
        with stack.client(address) as client:
            answer = sign_in(client, stack.seeded, **said)
            cookies = answer.headers.get_list("set-cookie")
            assert {each.partition("=")[0] for each in cookies} == {
                *("__Host-nowserving_access", "__Host-nowserving_refresh", "__Host-nowserving_browser"),
            }
            assert all("; Secure" in each for each in cookies)
            assert addresses(stack.proxy, answer.headers["x-request-id"]) == {seen}


def test_server_and_check_tell_the_end_of_the_certificate(stack: Stack, tmp_path: Path) -> None:
    for server in stack.servers:
        with server.client() as client:
            found = re.search(r"^nowserving_certificate_seconds (\S+)$", client.get("/metrics").text, re.MULTILINE)
        assert found is not None
        assert 0 < float(found[1]) <= 86_400
    ended, _ = certificate(tmp_path, days=-3)
    checked = command_line(stack.env | {"NOWSERVING_CERTIFICATE": str(ended)}, "check")
    assert checked.returncode == 1
    assert "certificate: The certificate ended on " in checked.stderr
    assert "Renew the certificate" in checked.stderr


def test_watcher_reloads_nginx_after_a_renewal(tmp_path: Path) -> None:
    """The command of the compose file, without servers. A key that does not fit its certificate changes nothing."""
    configuration, state = tmp_path / "conf", tmp_path / "state"
    shutil.copytree(CONFIGURATION, configuration)
    state.mkdir()
    public, private = certificate(tmp_path)
    port = free_port()
    (configuration / "snippets/listen.conf").write_text(
        f"listen 127.0.0.1:{port} ssl http2;\nssl_certificate {public};\nssl_certificate_key {private};\n"
    )
    command = [
        "sh", str(configuration / "watch.sh"), str(public), program("nginx", "nginx"),
        "-e", "stderr", "-p", f"{state}/", "-c", str(configuration / "nginx.conf"), "-g", "daemon off;",
    ]  # fmt: skip

    def shown() -> int | None:
        try:
            return shown_serial(port)
        except OSError:
            return None

    env = os.environ | {"WATCH_SECONDS": "0.2"}
    with running(command, tmp_path / "watch.log", env=env) as process:
        first = serial_of(public)
        until(lambda: shown() == first, "the first certificate")
        other, _ = certificate(tmp_path / "other")
        shutil.copy(other, public)
        until(
            lambda: "key values mismatch" in (tmp_path / "watch.log").read_text(), "the refusal of a pair that does not fit"
        )
        assert shown() == first
        shutil.copy(tmp_path / "other/key.pem", private)
        until(lambda: shown() == serial_of(other), "the new certificate")
        assert process.poll() is None
