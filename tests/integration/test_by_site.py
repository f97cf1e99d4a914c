"""nginx groups the servers by site, as docs/scaling.md describes: one server for all streams of a site."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from server.domain.model.ids import IDS_PER_SITE
from tests.support.nginx import Proxy, nginx

GROUPING = Path(__file__).resolve().parents[2] / "deploy/nginx/by_site.conf"
SITES = range(1, 25)


@contextmanager
def server() -> Iterator[int]:
    """Run a server that answers with its own port; yield the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            port = str(made.server_port).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(port)))
            self.end_headers()
            self.wfile.write(port)

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made.server_port
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def grouping(folder: Path, ports: list[int]) -> AbstractContextManager[Proxy]:
    """Run nginx with the changes that the page describes, in front of these servers."""
    return nginx(
        folder,
        ports,
        edits={"least_conn;": "hash $grouped_by consistent;"},
        appended=GROUPING.read_text(encoding="utf-8"),
    )


def addresses(site: int) -> list[str]:
    """Return addresses of every kind that name a site."""
    token, record = "AAAAAAAAAAAAAAAAAAAAAA", site * IDS_PER_SITE + 17
    return [
        f"/live/sites/{site}/desk",
        f"/live/sites/{site}/calendar",
        f"/live/displays/{record}",
        f"/live/points/{record + 1}",
        f"/live/kiosks/{record + 2}",
        f"/live/tickets/{site}-{token}",
        f"/live/appointments/a{site}-{token}",
        f"/api/v1/sites/{site}/board",
        f"/api/v1/entries/{record}/history",
        f"/api/v1/tickets/{site}-{token}/feedback",
        f"/t/{site}-{token}",
        f"/a/a{site}-{token}",
        f"/join/{site}",
    ]


def chosen(proxy: Proxy) -> dict[int, str]:
    """Return the server of each site. All addresses of a site must lead to the same one."""
    found = {}
    with httpx.Client(base_url=proxy.url, timeout=120) as client:
        for site in SITES:
            answers = {client.get(each).text for each in addresses(site)}
            assert len(answers) == 1, (site, answers)
            found[site] = answers.pop()
    return found


def test_a_site_has_one_server_and_a_lost_server_moves_its_own_sites_alone(tmp_path: Path) -> None:
    with ExitStack() as running:
        ports = [running.enter_context(server()) for _ in range(3)]
        with grouping(tmp_path / "three", ports) as proxy:
            before = chosen(proxy)
            with httpx.Client(base_url=proxy.url, timeout=120) as client:
                without_site = {client.get("/api/v1/openapi.json").text for _ in range(60)}
        with grouping(tmp_path / "two", ports[:2]) as proxy:
            after = chosen(proxy)
    assert without_site == {str(port) for port in ports}, "a request without a site goes to any server"
    assert set(Counter(before.values())) == {str(port) for port in ports}
    stayed = [site for site in SITES if before[site] != str(ports[2])]
    assert {site: after[site] for site in stayed} == {site: before[site] for site in stayed}


def test_an_address_without_a_site_is_no_error(tmp_path: Path) -> None:
    with server() as port, grouping(tmp_path, [port]) as proxy:
        for path in ("/live/sites/x/desk", "/t/nobody", "/static/a.js", "/live/displays/17"):
            assert httpx.get(proxy.url + path, timeout=120).text == str(port)
