"""The systemd units agree with systemd, with the command line and with the settings, and give little to an intruder.

No systemd runs here: `systemd-analyze` reads the units in a folder of their own, as it would on a machine of a clinic.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from server.cli import app
from server.live.streams import DRAIN_SECONDS
from server.settings import Settings, load_settings, secret_files

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy/systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
TIMERS = sorted(path.name for path in UNITS.glob("*.timer"))
NGINX = "nginx.service"
MOST_EXPOSED = {NGINX: 3.0}  # Debian's unit starts it as root
MOST_EXPOSED_OF_OURS = 1.5
PROGRAM = "/opt/nowserving/bin/nowserving"
# The units of Debian that ours name.
OF_DEBIAN = (
    *("basic.target", "multi-user.target", "network-online.target", "network.target", "remote-fs.target"),
    *("nss-lookup.target", "shutdown.target", "sysinit.target", "system.slice", "time-sync.target", "time-set.target"),
    *("timers.target", "-.mount", "tmp.mount"),
)


def lines(name: str) -> list[tuple[str, str]]:
    """Return the settings of a file of units, in order: a key may come several times."""
    found = re.findall(r"^(\w+)=(.*)$", (UNITS / name).read_text(encoding="utf-8"), re.MULTILINE)
    return [(key, value.strip()) for key, value in found]


def of(name: str, key: str) -> list[str]:
    common = "nowserving-.service.d/10-common.conf"
    return [value for each, value in [*lines(common), *lines(name)] if each == key]


def environment(name: str) -> dict[str, str]:
    pairs = (pair.partition("=") for value in of(name, "Environment") for pair in shlex.split(value))
    return {key: value for key, _, value in pairs}


def command_lines(name: str) -> list[list[str]]:
    """Return the command lines of a unit, with its own variables filled in."""
    values = environment(name)
    found = [value for key in ("ExecStartPre", "ExecStart", "ExecReload") for each, value in lines(name) if each == key]
    return [shlex.split(re.sub(r"\$\{(\w+)\}", lambda word: values[word[1]], each)) for each in found if each]


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(min|h|)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"": 1, "min": 60, "h": 3600}[unit]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that looks like the root of a machine with our units and the programs that they start."""
    root = tmp_path_factory.mktemp("machine")
    ours = root / "etc/systemd/system"
    shutil.copytree(UNITS, ours)
    theirs = root / "usr/lib/systemd/system"
    theirs.mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for name in OF_DEBIAN:
        if (found := Path("/lib/systemd/system") / name).exists():
            shutil.copy(found, theirs / name)
    # Debian's own unit, as far as the drop-in depends on it.
    (theirs / NGINX).write_text(
        "[Unit]\nDescription=nginx\n[Service]\nType=forking\nPIDFile=/run/nginx.pid\nExecStart=/usr/sbin/nginx\n"
        "ExecStop=-/sbin/start-stop-daemon --stop\nKillMode=mixed\n"
    )
    for program in (PROGRAM, "/usr/sbin/nginx", "/bin/kill"):
        file = root / program.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    return root


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program is not None, "the Debian package systemd is missing"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("name", [*SERVICES, *TIMERS, NGINX])
def test_systemd_accepts_the_unit(machine: Path, name: str) -> None:
    done = analyze("verify", f"--root={machine}", "--recursive-errors=no", "--man=no", name)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_a_wrong_line_of_a_unit_would_be_found(machine: Path, tmp_path: Path) -> None:
    other = shutil.copytree(machine, tmp_path / "machine", symlinks=True)
    common = other / "etc/systemd/system/nowserving-.service.d/10-common.conf"
    common.write_text(common.read_text().replace("PrivateTmp=", "PrivateTemp="))
    done = analyze("verify", f"--root={other}", "--recursive-errors=no", "--man=no", "nowserving-server.service")
    assert "PrivateTemp" in done.stderr


@pytest.mark.parametrize("name", [*SERVICES, NGINX])
def test_exposure_of_the_unit_is_small(machine: Path, name: str) -> None:
    done = analyze("security", "--offline=yes", f"--root={machine}", name)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED.get(name, MOST_EXPOSED_OF_OURS), done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_command_line_of_the_unit_parses(name: str) -> None:
    found = command_lines(name)
    assert found
    for program, *arguments in found:
        assert program == PROGRAM
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands"):
            word = arguments.pop(0)
            assert word in command.commands, f"nowserving has no command {word}"
            command = command.commands[word]
        command.make_context(command.name, arguments)  # a wrong option or value raises


@pytest.mark.parametrize("name", TIMERS)
def test_each_timer_starts_a_unit(name: str) -> None:
    assert f"{name.removesuffix('.timer')}.service" in SERVICES
    [calendar] = [value for key, value in lines(name) if key == "OnCalendar"]
    done = analyze("calendar", "--iterations=2", calendar)
    assert done.returncode == 0, done.stderr
    form = re.search(r"Normalized form: (.+)", done.stdout)
    assert form, done.stdout
    hourly = name == "nowserving-backup.timer"  # the nightly one is made by the server or a worker
    assert bool(re.fullmatch(r"\*-\*-\* \*:00:00", form[1])) == hourly, form[1]
    assert hourly or re.fullmatch(r"\*-\*-\* 0\d:\d\d:00", form[1]), form[1]


@pytest.mark.parametrize("name", SERVICES)
def test_unit_names_existing_settings(name: str) -> None:
    settings = {f"NOWSERVING_{field.upper()}" for field in Settings.model_fields}
    template = (UNITS / "nowserving.env.example").read_text(encoding="utf-8")
    named = set(environment(name)) | set(re.findall(r"^#?([A-Z_]+)=", template, re.MULTILINE))
    assert {each for each in named if each.startswith("NOWSERVING_")} <= settings
    unit_variables = {
        word for each in SERVICES for value in of(each, "ExecStart") for word in re.findall(r"\$\{(\w+)\}", value)
    }
    assert {each for each in named if each.startswith("SERVER_")} <= unit_variables


@pytest.mark.parametrize("name", secret_files().values())
def test_file_of_settings_names_every_secret(name: str) -> None:
    template = (UNITS / "nowserving.env.example").read_text(encoding="utf-8")
    assert re.search(rf"^#?NOWSERVING_{name.upper()}=", template, re.MULTILINE)


def test_server_accepts_the_completed_file_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NOWSERVING_")]:
        monkeypatch.delenv(name)
    template = (UNITS / "nowserving.env.example").read_text(encoding="utf-8")
    filled = {"NOWSERVING_PUBLIC_URL": "https://queue.example.org", "NOWSERVING_ALLOWED_HOSTS": "queue.example.org"}
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", template, re.MULTILINE))
    assert {name for name, value in given.items() if not value} == set(filled)
    for key, value in {**given, **filled}.items():
        monkeypatch.setenv(key, value)
    settings = load_settings()
    assert settings.env == "production"
    [state] = of("nowserving-server.service", "WorkingDirectory")
    assert settings.database_file is not None
    assert str(settings.database_file.parent) == str(settings.key_path.parent) == state
    assert f"/var/lib/{of('nowserving-server.service', 'StateDirectory')[0]}" == state


def test_every_written_path_is_below_a_state_folder() -> None:
    for name in SERVICES:
        folders = tuple(f"/var/lib/{value}/" for value in of(name, "StateDirectory"))
        paths = [word for line in command_lines(name) for word in line[1:] if word.startswith("/")]
        assert all(path.startswith(folders) for path in paths), name


def test_stopping_takes_longer_than_the_drain_and_the_calls_of_a_worker() -> None:
    drain = Settings.model_fields["drain_delay_seconds"].default + DRAIN_SECONDS
    assert seconds(dict(lines("nowserving-server.service"))["TimeoutStopSec"]) > drain + 5
    assert seconds(dict(lines("nowserving-worker.service"))["TimeoutStopSec"]) >= 90
    for name in ("nowserving-server.service", "nowserving-worker.service"):
        assert dict(lines(name))["KillMode"] == "mixed"


def test_server_may_open_more_files_than_streams() -> None:
    assert int(dict(lines("nowserving-server.service"))["LimitNOFILE"]) > Settings.model_fields["max_streams"].default


def test_password_hashes_may_step_back_and_the_boot_is_known() -> None:
    """The filter of system calls lets sign-in lower the priority of its threads; /proc/sys stays readable."""
    assert "setpriority" in of("nowserving-server.service", "SystemCallFilter")
    assert of("nowserving-server.service", "ProcSubset") == []
