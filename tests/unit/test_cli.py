"""The command line, without processes: what it refuses before it starts anything."""

from __future__ import annotations

import base64
import inspect
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server import uvicorn_server
from server.cli import app
from server.cli.servers import _options
from server.settings import BadSettings, Settings

# The secrets for development of version 0.1.0.
PUBLIC_SECRET = "for development only: anybody can read this"
PUBLIC_KEY = base64.b64encode(b"for development only, not secret").decode()
SECRET = "8f2c6a1b9d3e4f70a5b6c7d8e9f01234acbd"
KEY = "tvy/c0E3OgNhkMXBAjwGIJHUXP2y+KAY/GgW24mHV2Y="


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("NOWSERVING_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refused(*arguments: str) -> str:
    """Return why a command stops at its settings."""
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, BadSettings), result.output
    return str(result.exception)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7", "::ffff:192.0.2.7"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("SECRET_KEY", (PUBLIC_SECRET, KEY)),
        ("SECRET_KEY", (f"  {PUBLIC_SECRET.upper()} ", KEY)),
        ("SECRET_KEY", (base64.b64encode(PUBLIC_SECRET.encode()).decode(), KEY)),
        ("SECRET_KEY", ("a" * 40, KEY)),
        ("ENCRYPTION_KEYS", (SECRET, PUBLIC_KEY)),
        ("ENCRYPTION_KEYS", (SECRET, f"{PUBLIC_KEY[:-2]}R=")),  # another spelling of the same bytes
        ("ENCRYPTION_KEYS", (SECRET, f"{KEY},{PUBLIC_KEY}")),
    ],
)
def test_guessable_keys_are_refused_beyond_loopback(
    monkeypatch: pytest.MonkeyPatch, host: str, name: str, values: tuple[str, str]
) -> None:
    monkeypatch.setenv("NOWSERVING_SECRET_KEY", values[0])
    monkeypatch.setenv("NOWSERVING_ENCRYPTION_KEYS", values[1])
    why = refused("serve", "--host", host)
    assert f"NOWSERVING_{name}: " in why
    assert not any(value.strip() in why for value in values)


def test_demo_refuses_production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOWSERVING_ENV", "production")
    assert "NOWSERVING_ENV: the demo" in refused("demo", "--directory", str(tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


def test_production_with_a_database_server_makes_no_keys_for_one_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each machine would have keys of its own."""
    monkeypatch.setenv("NOWSERVING_ENV", "production")
    monkeypatch.setenv("NOWSERVING_ALLOWED_HOSTS", "queue.example.org")
    monkeypatch.setenv("NOWSERVING_DATABASE_URL", "mysql://u:p@127.0.0.1:1/x")
    assert "NOWSERVING_KEY_FILE" in refused("migrate")
    assert list(tmp_path.iterdir()) == []


def test_each_server_takes_every_option_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo, too: no setting is without effect there."""
    named = {"app", "host", "port", "workers", "factory"}  # by the command line
    assert set(_options(Settings())) | named == set(inspect.signature(uvicorn_server.run).parameters)
    given: dict[str, object] = {}
    monkeypatch.setattr(uvicorn_server, "run", lambda _, **options: given.update(options) or 0)
    monkeypatch.setenv("NOWSERVING_FROZEN_SECONDS", "7")
    monkeypatch.setenv("NOWSERVING_METRICS_FOLDER", "targets")
    assert CliRunner().invoke(app, ["serve"]).exit_code == 0
    assert (given["frozen_seconds"], given["metrics_folder"]) == (7, Path("targets"))
