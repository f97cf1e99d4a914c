"""The certificate of the proxy: one for a trial, and the reading of any."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from typer.testing import CliRunner

from server import housekeeping
from server.cli import app
from server.clock import SteadyClock
from server.installation import certificates
from server.installation.certificates import CertificateFile, Validity, make, validity
from server.transport.http.collectors import CertificateFigures

DAY = 86_400_000_000


def figure(file: CertificateFile) -> float | None:
    registry = CollectorRegistry()
    registry.register(CertificateFigures(file, SteadyClock()))
    lines = generate_latest(registry).decode().splitlines()
    values = [line.split()[1] for line in lines if line.startswith("nowserving_certificate_seconds ")]
    return float(values[0]) if values else None


def test_certificate_of_a_trial_is_complete(tmp_path: Path) -> None:
    public, private = make(tmp_path / "new", ["queue.example.org", "192.0.2.7", "2001:db8::7"], 90)
    assert private.stat().st_mode & 0o777 == 0o600
    assert public.stat().st_mode & 0o777 == 0o644
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(public, private)
    found = validity(public.read_bytes())
    now = time.time_ns() // 1000
    assert found.begins < now
    assert abs(found.ends - now - 90 * DAY) < DAY
    before = public.read_bytes()
    make(tmp_path / "new", ["queue.example.org"], 90)
    assert public.read_bytes() != before
    assert sorted(each.name for each in public.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_first_certificate_of_a_chain_counts(tmp_path: Path) -> None:
    own, _ = make(tmp_path / "own", ["queue.example.org"], 30)
    issuer, _ = make(tmp_path / "issuer", ["issuer.example.org"], 300)
    assert validity(own.read_bytes() + issuer.read_bytes()) == validity(own.read_bytes())


def test_metric_is_the_time_that_is_left(tmp_path: Path) -> None:
    file = CertificateFile(make(tmp_path, ["queue.example.org"], 10)[0])
    assert figure(file) is None  # nobody has looked yet
    file.look()
    left = figure(file)
    assert left is not None
    assert 9 * 86_400 < left < 11 * 86_400
    make(tmp_path, ["queue.example.org"], -2)
    file.look()
    left = figure(file)
    assert left is not None
    assert left < -86_400
    (tmp_path / "certificate.pem").unlink()
    file.look()
    assert figure(file) is None


def test_server_reads_the_file_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CERTIFICATE_SECONDS", 0.01)
    file = CertificateFile(tmp_path / "certificate.pem")

    async def found(kind: type) -> None:
        for _ in range(6_000):
            if isinstance(file.found, kind):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"not found: {kind}, but {file.found}")

    async def watch() -> None:
        watching = asyncio.create_task(housekeeping.watch_certificate(file))
        try:
            await found(str)
            make(tmp_path, ["queue.example.org"], 90)
            await found(Validity)
        finally:
            watching.cancel()

    asyncio.run(watch())


def test_command_makes_a_certificate_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOWSERVING_PUBLIC_URL", "https://queue.example.org")
    monkeypatch.setenv("NOWSERVING_ALLOWED_HOSTS", "queue.example.org,desk.example.org")
    first = CliRunner().invoke(app, ["certificate", str(tmp_path)])
    assert first.exit_code == 0, first.output
    assert "queue.example.org, desk.example.org." in first.output
    made = (tmp_path / certificates.CERTIFICATE_FILE).read_bytes()
    again = CliRunner().invoke(app, ["certificate", str(tmp_path), "--name", "127.0.0.1"])
    assert (again.exit_code, (tmp_path / certificates.CERTIFICATE_FILE).read_bytes()) == (0, made)
    replaced = CliRunner().invoke(app, ["certificate", str(tmp_path), "--name", "127.0.0.1", "--replace"])
    assert replaced.exit_code == 0
    assert (tmp_path / certificates.CERTIFICATE_FILE).read_bytes() != made


def test_command_refuses_a_name_that_no_certificate_can_have(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["certificate", str(tmp_path), "--name", "Ärztehaus"])
    assert refused.exit_code == 1
    assert not list(tmp_path.iterdir())
