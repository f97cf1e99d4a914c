"""Every way to install the product: a checkout, a wheel as pipx installs it, and the files of the image.

No test touches the network. The libraries come from the locked environment of the tests, by a ``.pth`` file, where a user's
pip downloads them. A container engine may be missing, so the test takes the files that the Dockerfile copies, builds its
package from them, and runs its command.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from server.transport.pages import PAGES
from tests.support.plain import answers
from tests.support.processes import end, free_port, running, wait_until
from tests.support.server import ROOT, bare_environment

PASSWORD = "copper lantern ferry"

pytestmark = pytest.mark.long


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each as its keyword and its arguments."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    pairs = (line.partition(" ") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [(word, rest) for word, _, rest in pairs]


def environment() -> dict[str, str]:
    """Return the environment of a user, without any path to this checkout."""
    env = bare_environment(NOWSERVING_NEW_PASSWORD=PASSWORD, NOWSERVING_DRAIN_DELAY_SECONDS="0")
    return {name: value for name, value in env.items() if name not in ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG")}


def run(*words: str | Path, cwd: Path, **more: str) -> str:
    """Run a command; return its standard output."""
    done = subprocess.run(words, cwd=cwd, env=environment() | more, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from exactly the files that the Dockerfile copies before its ``pip install``."""
    folder = tmp_path_factory.mktemp("build")
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
                    shutil.copytree(ROOT / source, folder / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, folder / target)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".", cwd=folder)
    [made] = (folder / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the programs of a fresh environment with the wheel, as pipx makes one for each application."""
    home = tmp_path_factory.mktemp("pipx") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin/python"
    [packages] = home.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib"))
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=home)
    where = run(python, "-c", "import server, workers; print(server.__file__, workers.__file__)", cwd=home).split()
    assert all(Path(each).is_relative_to(packages) for each in where), where
    return home / "bin"


@contextmanager
def serving(words: list[str | Path], cwd: Path, port: int, **more: str) -> Iterator[str]:
    """Run a command that serves at ``port``; yield the address when it is ready."""
    log = cwd / f"server-{port}.log"
    with running(["env", "-C", str(cwd), *map(str, words)], log, environment() | more) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(f"{url}/health/ready"), "the server", process)
        except AssertionError:
            raise AssertionError(log.read_text()[-3000:]) from None
        yield url
        assert end(process) == 0 or words[0] == "make"  # make itself fails when a signal ends it


def test_wheel_has_every_file_of_the_product(wheel: Path) -> None:
    listed = run("git", "ls-files", "server", "workers", "web", cwd=ROOT).split("\n")
    files = {f"server/{each}" if each.startswith("web/") else each for each in listed if each and (ROOT / each).exists()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {each for each in archive.namelist() if ".dist-info/" not in each}
        [entry] = [each for each in archive.namelist() if each.endswith("entry_points.txt")]
        assert "nowserving = server.cli:main" in archive.read(entry).decode()
    assert files - packed == set()
    assert "server/templates/dental.toml" in packed


def test_installed_wheel_sets_up_a_clinic_and_serves_it(installed: Path, tmp_path: Path) -> None:
    """The way of pipx, then the way of the image: its entry command and its health check, in a folder like its own."""
    program = installed / "nowserving"
    text = run(program, "--help", cwd=tmp_path)
    assert all(word in text for word in ("serve", "init", "apply", "export"))
    options = ("--name", "Zahnarzt", "--language", "es", "--time-zone", "Europe/Madrid", "--template", "dental")
    assert "may sign in" in run(program, "init", *options, "--username", "eva", cwd=tmp_path)
    last = dict(instructions())
    port = free_port()
    entry, command = (json.loads(last[word]) for word in ("ENTRYPOINT", "CMD"))
    assert (entry, command[0], command[-2:]) == ([program.name], "serve", ["--port", "8000"])
    health = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    with serving([program, *command[:-1], str(port)], tmp_path, port) as url, httpx.Client(base_url=url) as client:
        run(installed / health[0], health[1], health[2].replace(":8000/", f":{port}/"), cwd=tmp_path)
        assert client.get("/health/live").status_code == 200
        assert {client.get(path).status_code for path in PAGES if "{" not in path} == {200}
        files = set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', client.get("/reception").text))
        assert files
        assert {client.get(file).status_code for file in files} == {200}
        answer = client.post("/api/v1/session", json={"username": "eva", "password": PASSWORD})
        token = answer.json()["access_token"]
        sites = client.get("/api/v1/sites", headers={"Authorization": f"Bearer {token}"}).json()
        assert [site["name"] for site in sites["data"]] == ["Zahnarzt"]
    assert {path.name for path in (tmp_path / "var").iterdir()} >= {"nowserving.db", "nowserving.keys"}


def test_make_serve_runs_a_clinic_from_a_bare_checkout(tmp_path: Path) -> None:
    """The packages are installed already: the stamp of the lock says so. ``make run`` and ``make serve`` share this step."""
    for name in ("Makefile", "requirements.lock", "server", "workers", "web"):
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    (tmp_path / ".venv/.installed-run").touch()
    planned = run("make", "--dry-run", "serve", cwd=tmp_path)
    assert "pip" not in planned
    port = free_port()
    with serving(["make", "serve", f"PORT={port}"], tmp_path, port) as url:
        assert httpx.get(f"{url}/health/live").status_code == 200
        files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()}
    assert files["nowserving.db"] == files["nowserving.keys"] == 0o600
    (tmp_path / ".venv/.installed-run").unlink()
    assert "--require-hashes -r requirements.lock" in run("make", "--dry-run", "serve", cwd=tmp_path)
