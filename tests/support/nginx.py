"""A private nginx with the project's own configuration. The test rewrites only snippets that differ by deployment."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificate import certificate
from tests.support.processes import free_port, listens, program, running, wait_until

CONFIGURATION = Path(__file__).parents[2] / "nginx"
NO_EDITS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Proxy:
    """A running nginx. Its certificate and its settings may change while it runs: call `reload` afterwards."""

    port: int
    tls_port: int
    state: Path
    configuration: Path
    certificate: Path
    key: Path
    process: subprocess.Popen[bytes]

    @property
    def access_log(self) -> Path:
        """The log of requests."""
        return self.state / "access.log"

    @property
    def error_log(self) -> Path:
        """The log of errors."""
        return self.state / "error.log"

    @property
    def url(self) -> str:
        """The address of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The address of the proxy over TLS."""
        return f"https://127.0.0.1:{self.tls_port}"

    def reload(self) -> None:
        """Ask nginx to read its files again, as ``nginx -s reload`` does. The caller waits for the effect."""
        self.process.send_signal(signal.SIGHUP)

    def workers(self) -> set[int]:
        """Return the process ids of the workers: the present ones, and those that serve old streams to their end."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))


def unverified() -> ssl.SSLContext:
    """Return a TLS client that accepts the test's own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def nginx(
    folder: Path,
    upstream_ports: Sequence[int],
    trusted: str | None = None,
    *,
    upgrades: bool = True,
    redirecting: bool = False,
    edits: Mapping[str, str] = NO_EDITS,
    appended: str = "",
) -> Iterator[Proxy]:
    """Run nginx in ``folder`` in front of servers on the given ports; yield it when it is ready.

    It also listens with TLS. ``redirecting`` uses the files of ``nginx/tls``: plain HTTP leads to https. ``trusted`` is the
    address of a proxy in front of it. Without ``upgrades`` it blocks WebSocket, as a proxy does that was never set up for
    it. ``edits`` are further texts of nginx.conf, and what takes their places. ``appended`` goes to the end of
    snippets/paths.conf, as files of deploy/nginx do.
    """
    configuration, state = folder / "conf", folder / "state"
    shutil.copytree(CONFIGURATION, configuration)
    state.mkdir()
    port, tls_port = free_port(), free_port()
    public, private = certificate(folder)
    snippets = configuration / "snippets"
    servers = [f"server 127.0.0.1:{each} max_fails=3 fail_timeout=5s;\n" for each in upstream_ports]
    (snippets / "upstream.conf").write_text("".join(servers))
    if redirecting:
        shutil.copy(configuration / "tls/listen.conf", snippets)
        shutil.copy(configuration / "tls/redirect.conf", snippets)
        _edit(
            snippets / "listen.conf",
            {
                "listen 8443 ": f"listen 127.0.0.1:{tls_port} ",
                "/etc/nowserving/certificate.pem": str(public),
                "/etc/nowserving/key.pem": str(private),
            },
        )
        _edit(snippets / "redirect.conf", {"listen 8080 ": f"listen 127.0.0.1:{port} ", "$host$": f"$host:{tls_port}$"})
    else:
        (snippets / "listen.conf").write_text(
            f"listen 127.0.0.1:{port} backlog=4096;\nlisten 127.0.0.1:{tls_port} ssl http2 backlog=4096;\nserver_name _;\n"
            f"ssl_certificate {public};\nssl_certificate_key {private};\n"
        )
    if trusted is not None:
        (snippets / "proxies.conf").write_text(f"{trusted} 1;\n")
        with (snippets / "listen.conf").open("a") as file:
            file.write(f"set_real_ip_from {trusted};\nreal_ip_header X-Forwarded-For;\n")
    with (snippets / "paths.conf").open("a") as file:
        file.write(appended)
    upgrading = '"~*^GET websocket$" websocket;'
    _edit(configuration / "nginx.conf", {**edits, **({} if upgrades else {upgrading: ""})})
    # Workers of root would be `nobody`, who cannot open the folders of tests.
    globally = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    command = [
        program("nginx", "nginx"), "-p", f"{state}/", "-c", str(configuration / "nginx.conf"), "-g", globally,
    ]  # fmt: skip
    with running(command, folder / "nginx.log") as process:
        wait_until(lambda: listens(port), "nginx", process)
        yield Proxy(port, tls_port, state, configuration, public, private, process)


def _edit(path: Path, edits: Mapping[str, str]) -> None:
    text = path.read_text()
    for old, new in edits.items():
        assert old in text, f"{path.name} has no {old}"
        text = text.replace(old, new)
    path.write_text(text)
