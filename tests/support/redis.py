"""A private Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import free_port, listens, program, running, wait_until


@contextmanager
def redis_process(
    folder: Path, port: int, *, password: str | None = None, options: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a private Redis without persistence and with further options; yield its process when it answers."""
    command = [
        program("redis-server", "redis-server"),
        "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder),
        *(["--requirepass", password, "--masterauth", password] if password else []),
        *options,
    ]  # fmt: skip
    with running(command, folder / "redis.log") as process:
        wait_until(lambda: listens(port), "Redis", process)
        yield process


@contextmanager
def redis(folder: Path, port: int | None = None, *, password: str | None = None) -> Iterator[str]:
    """Run a private Redis without persistence; yield its URL."""
    port = port or free_port()
    with redis_process(folder, port, password=password):
        yield f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"


@dataclass(frozen=True)
class Cluster:
    """A running Redis Cluster. Its nodes are named by their index: first the primaries, then perhaps a replica."""

    folder: Path
    ports: list[int]
    bus_ports: list[int]
    password: str
    node_timeout: int  # milliseconds
    processes: list[subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        """The URL for the settings, with every node."""
        return f"redis+cluster://:{self.password}@{','.join(f'127.0.0.1:{port}' for port in self.ports)}"

    def node(self, index: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run a node. After its death it comes back with its slots, or as the replica of its successor."""
        own, port = self.folder / str(index), self.ports[index]
        own.mkdir(exist_ok=True)
        options = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_ports[index])]
        options += ["--cluster-node-timeout", str(self.node_timeout)]
        return redis_process(own, port, password=self.password, options=options)

    def ask(self, *words: str, node: int = 0) -> str:
        """Run ``redis-cli`` with these words at a node; return what it prints."""
        command = [program("redis-cli", "redis-tools"), "--no-auth-warning", "-a", self.password]
        if words[0] != "--cluster":
            command += ["-h", "127.0.0.1", "-p", str(self.ports[node])]
        return subprocess.check_output([*command, *words], text=True, stderr=subprocess.STDOUT, timeout=120)

    def owner(self, channel: str, node: int = 0) -> int:
        """Return the index of the node that has the slot of a channel, as ``node`` knows it."""
        slot = int(self.ask("cluster", "keyslot", channel, node=node))
        for line in self.ask("cluster", "nodes", node=node).splitlines():
            _, address, flags, *rest = line.split()
            if "master" in flags and "fail" not in flags.split(","):
                for each in rest[5:]:
                    first, _, last = each.partition("-")
                    if first.isdigit() and int(first) <= slot <= int(last or first):
                        return self.ports.index(int(address.partition("@")[0].rpartition(":")[2]))
        raise AssertionError(f"no node has the slot {slot}")

    def move(self, channel: str, to: int) -> None:
        """Move the slot of a channel to another node, as ``redis-cli --cluster reshard`` does."""
        slot, source = self.ask("cluster", "keyslot", channel).strip(), self.owner(channel)
        to_id, from_id = (self.ask("cluster", "myid", node=each).strip() for each in (to, source))
        for node, words in (
            (to, ("importing", from_id)),
            (source, ("migrating", to_id)),
            (to, ("node", to_id)),
            (source, ("node", to_id)),
        ):
            self.ask("cluster", "setslot", slot, *words, node=node)

    def whole(self, nodes: Iterable[int]) -> bool:
        """Return whether each of these nodes sees all slots."""
        return all("cluster_state:ok" in self.ask("cluster", "info", node=each) for each in nodes)


@contextmanager
def redis_cluster(folder: Path, *, replica: bool = False, node_timeout: int = 15_000) -> Iterator[Cluster]:
    """Run a private Redis Cluster of three nodes with a password; yield it when every node sees all slots.

    With ``replica``, a fourth node repeats the first one, and takes its place ``node_timeout`` milliseconds after its death.
    """
    count = 3 + replica
    ports, bus_ports = ([free_port() for _ in range(count)] for _ in range(2))
    made = Cluster(folder, ports, bus_ports, "a-password-of-the-tests", node_timeout, [])
    with ExitStack() as nodes:
        made.processes.extend(nodes.enter_context(made.node(index)) for index in range(count))
        addresses = [f"127.0.0.1:{port}" for port in ports]
        made.ask("--cluster", "create", *addresses[:3], "--cluster-yes")
        if replica:
            wait_until(lambda: made.whole(range(3)), "the cluster without the replica")
            first = made.ask("cluster", "myid").strip()
            made.ask("--cluster", "add-node", addresses[3], addresses[0], "--cluster-slave", "--cluster-master-id", first)
            wait_until(lambda: "master_link_status:up" in made.ask("info", "replication", node=3), "the replica")
        wait_until(lambda: made.whole(range(count)), "the cluster")
        yield made
