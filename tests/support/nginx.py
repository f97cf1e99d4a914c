"""A private nginx with the project's own configuration. The test rewrites only snippets that differ by deployment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificate import certificate
from tests.support.processes import free_port, listens, program, running, wait_until

CONFIGURATION = Path(__file__).parents[2] / "nginx"


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int
    tls_port: int
    access_log: Path
    error_log: Path

    @property
    def url(self) -> str:
        """The address of the proxy."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def nginx(
    folder: Path, upstream_ports: Sequence[int], trusted: str | None = None, *, upgrades: bool = True
) -> Iterator[Proxy]:
    """Run nginx in ``folder`` in front of servers on the given ports; yield it when it is ready.

    It also listens with TLS. ``trusted`` is the address of a proxy in front of it. Without ``upgrades`` it blocks WebSocket,
    as a proxy does that was never set up for it.
    """
    configuration, state = folder / "conf", folder / "state"
    shutil.copytree(CONFIGURATION, configuration)
    state.mkdir()
    port, tls_port = free_port(), free_port()
    proxy = Proxy(port, tls_port, state / "access.log", state / "error.log")
    servers = [f"server 127.0.0.1:{each} max_fails=3 fail_timeout=5s;\n" for each in upstream_ports]
    (configuration / "snippets/upstream.conf").write_text("".join(servers))
    public, private = certificate(folder)
    (configuration / "snippets/listen.conf").write_text(
        f"listen 127.0.0.1:{port};\nlisten 127.0.0.1:{tls_port} ssl;\nserver_name _;\n"
        f"ssl_certificate {public};\nssl_certificate_key {private};\n"
    )
    if trusted is not None:
        (configuration / "snippets/proxies.conf").write_text(f"{trusted} 1;\n")
    if not upgrades:
        whole, upgrading = configuration / "nginx.conf", '"~*^GET websocket$" websocket;'
        text = whole.read_text()
        assert upgrading in text
        whole.write_text(text.replace(upgrading, ""))
    command = [
        program("nginx", "nginx"), "-p", f"{state}/", "-c", str(configuration / "nginx.conf"), "-g", "daemon off;",
    ]  # fmt: skip
    with running(command, folder / "nginx.log") as process:
        wait_until(lambda: listens(port), "nginx", process)
        yield proxy
