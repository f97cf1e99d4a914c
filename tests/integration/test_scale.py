"""Beyond one machine: three servers, a Redis Cluster of three nodes, and two groups of organisations with a database each.

nginx chooses the group by host name and the server by site, with the files of deploy/nginx. Both groups share the cluster,
although docs/scaling.md advises against it: even so, no organisation sees the other database.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from server.live.bus import channel
from server.seeding import Seed
from tests.support import databases
from tests.support.nginx import Proxy, nginx
from tests.support.processes import free_port
from tests.support.redis import Cluster, redis_cluster
from tests.support.screens import Screen, sse, websocket
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.long

FILES = Path(__file__).resolve().parents[2] / "deploy/nginx"
SECONDS = 120.0  # only ends a test that fails
NORTH, SOUTH = "127.0.0.1", "localhost"  # the host names of the groups
OTHER_KEYS = {
    "NOWSERVING_SECRET_KEY": "another secret key that only this test uses, and long enough",
    "NOWSERVING_ENCRYPTION_KEYS": base64.b64encode(b"another key of only these tests!").decode(),
}


@dataclass(frozen=True)
class Group:
    """A group of organisations: its address behind nginx, its own servers, and a clinic in its database."""

    url: str
    servers: list[Server]
    seeded: Seed
    token: str  # of the receptionist

    @property
    def display(self) -> str:
        """The live path of the display."""
        return f"/live/displays/{self.seeded['displays'][0]['id']}"

    @property
    def display_token(self) -> str:
        """The token of the display."""
        return self.seeded["displays"][0]["token"]

    def do(self, command: str, **body: Any) -> dict[str, Any]:
        """Run a command through nginx; return its answer. nginx sends it to any server of the group."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.post(f"{self.url}/api/v1/commands/{command}", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        done: dict[str, Any] = answer.json()
        return done

    def call(self, screens: list[Screen]) -> None:
        """Call and serve a patient; return when each screen has shown the call, and has followed to the end."""
        called = self.do("call-next", point_id=self.seeded["point_ids"][0])
        key = f"entry:{called['entry']['id']}"
        for screen in screens:
            screen.wait(lambda each: each.seq >= called["seq"] and key in each.cells, SECONDS, "the call")
        self.do("start", entry_id=called["entry"]["id"])
        done = self.do("complete", entry_id=called["entry"]["id"])
        for screen in screens:
            screen.wait(lambda each: each.seq >= done["seq"], SECONDS, "the end of the call")


@dataclass(frozen=True)
class Stack:
    """The whole: two groups behind one nginx, and the Redis Cluster of both."""

    proxy: Proxy
    cluster: Cluster
    north: Group
    south: Group


@pytest.fixture
def stack(database_server: URL, tmp_path: Path) -> Iterator[Stack]:
    ports = [free_port() for _ in range(3)]
    (tmp_path / "redis").mkdir()
    by_group = (FILES / "by_group.conf").read_text(encoding="utf-8")
    by_group = by_group.replace("south.example.org", SOUTH).replace("10.0.0.21:8000", f"127.0.0.1:{ports[2]}")
    with (
        databases.fresh_database(database_server) as north_database,
        databases.fresh_database(database_server) as south_database,
        redis_cluster(tmp_path / "redis", node_timeout=2_000) as cluster,
        nginx(
            tmp_path / "nginx",
            ports[:2],
            edits={"least_conn;": "hash $grouped_by consistent;", "proxy_pass http://server;": "proxy_pass http://$group;"},
            appended=(FILES / "by_site.conf").read_text(encoding="utf-8") + by_group,
        ) as proxy,
        ExitStack() as running,
    ):
        shared = {"NOWSERVING_BROKER_URL": "redis://127.0.0.1:1/0", "NOWSERVING_HEARTBEAT_SECONDS": "1"}
        north = environment(north_database, cluster.url, **shared)
        south = environment(south_database, cluster.url, **shared, **OTHER_KEYS)
        groups = []
        for env, host, own in ((north, NORTH, ports[:2]), (south, SOUTH, ports[2:])):
            seeded = seed(env, points=1, tickets=12, displays=1)
            servers = [running.enter_context(serving(env, tmp_path, port=port)) for port in own]
            token = servers[0].sign_in(seeded, "receptionist")
            groups.append(Group(f"http://{host}:{proxy.port}", servers, seeded, token))
        yield Stack(proxy, cluster, *groups)


def until(seen: Callable[[], bool], what: str) -> None:
    """Wait until ``seen()``."""
    end = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < end, f"not seen within {SECONDS} s: {what}"
        time.sleep(0.1)


def bus_of(server: Server) -> str:
    status: str = httpx.get(f"{server.url}/health/ready", timeout=60).json()["checks"]["bus"]["status"]
    return status


def test_three_servers_a_redis_cluster_and_two_databases(stack: Stack) -> None:
    north, south, cluster = stack.north, stack.south, stack.cluster
    assert north.seeded["site_id"] == south.seeded["site_id"], "both databases use the same numbers, and the same channels"
    with ExitStack() as opened, ExitStack() as restarted:
        of_north, of_south = (
            [
                opened.enter_context(sse(f"{url}{group.display}", group.display_token))
                for url in (*(server.url for server in group.servers), group.url)
            ]
            for group in (north, south)
        )
        of_south.append(opened.enter_context(websocket(f"{south.url}{south.display}", south.display_token)))
        for screen in (*of_north, *of_south):
            screen.wait(lambda each: each.cells, SECONDS, "the first cells")
        until(lambda: all(bus_of(each) == "ok" for each in (*north.servers, *south.servers)), "the bus")

        # Commands go to any server, and the screens of all servers of the group show them. The other group sees none.
        for _ in range(3):
            north.call(of_north)
        assert not any(key.startswith("announcement:") for each in of_south for key in each.cells)
        south.call(of_south)
        assert_apart(north, south)

        # A slot of the site moves to another node.
        name = channel(north.seeded["site_id"])
        source = cluster.owner(name)
        to = (source + 1) % 3
        cluster.move(name, to)
        north.call(of_north)
        south.call(of_south)

        # The node with the site dies. Without a replica, the cluster refuses everything until it is back.
        cluster.processes[to].kill()
        cluster.processes[to].wait(60)
        north.call(of_north)
        until(lambda: all(bus_of(each) == "degraded" for each in north.servers), "a bus without its node")
        north.call(of_north)
        south.call(of_south)
        restarted.enter_context(cluster.node(to))
        until(lambda: cluster.whole(range(3)), "the whole cluster")
        until(lambda: all(bus_of(each) == "ok" for each in (*north.servers, *south.servers)), "the bus")
        north.call(of_north)
        south.call(of_south)

        # Each screen is right: its digests agree, and it has the cells of a new screen.
        for group, all_screens in ((north, of_north), (south, of_south)):
            fresh = opened.enter_context(sse(f"{group.url}{group.display}", group.display_token))
            fresh.wait(lambda each: each.cells, SECONDS, "the cells")
            for screen in all_screens:
                beats = screen.kinds().count("heartbeat")
                screen.wait(lambda each, beats=beats: each.kinds().count("heartbeat") > beats, SECONDS, "a heartbeat")  # type: ignore[misc]
                assert (screen.cells, screen.disagreed, screen.ended) == (fresh.cells, [], False)


def assert_apart(north: Group, south: Group) -> None:
    """No token of one group opens anything in the other one."""
    for here, there in ((north, south), (south, north)):
        with httpx.Client(base_url=there.url, timeout=60) as client:
            foreign = {"Authorization": f"Bearer {here.token}"}
            assert client.get("/api/v1/sites", headers=foreign).status_code == 401
            assert client.get(here.display, headers={"Authorization": f"Bearer {here.display_token}"}).status_code == 401
            own = client.get("/api/v1/sites", headers={"Authorization": f"Bearer {there.token}"})
            assert own.status_code == 200
            (member,) = (each for each in here.seeded["staff"] if each["role"] == "receptionist")
            answer = client.post("/api/v1/session", json={"username": member["username"], "password": member["password"]})
            assert answer.status_code == 401
