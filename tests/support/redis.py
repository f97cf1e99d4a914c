"""A private Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, listens, program, running, wait_until


@contextmanager
def redis_process(
    folder: Path, port: int, *, cluster: bool = False, password: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a private Redis without persistence; yield its process when it answers."""
    command = [
        program("redis-server", "redis-server"),
        "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder),
        *(["--requirepass", password] if password else []),
    ]  # fmt: skip
    if cluster:
        command += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with running(command, folder / "redis.log") as process:
        wait_until(lambda: listens(port), "Redis", process)
        yield process


@contextmanager
def redis(folder: Path, port: int | None = None, *, cluster: bool = False, password: str | None = None) -> Iterator[str]:
    """Run a private Redis without persistence; yield its URL. A ``cluster`` has a single node with all slots."""
    port = port or free_port()
    with redis_process(folder, port, cluster=cluster, password=password):
        if cluster:
            asked = [program("redis-cli", "redis-tools"), "-p", str(port), "cluster"]
            subprocess.run([*asked, "addslotsrange", "0", "16383"], check=True, capture_output=True, timeout=60)
            wait_until(lambda: b"cluster_state:ok" in subprocess.check_output([*asked, "info"], timeout=60), "the cluster")
        yield f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"
