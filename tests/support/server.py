"""Server processes, started by the command line as an operator does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from server.execute import Executor
from server.installation.keys import Keys, decoded
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.vault import Vault
from tests.support import template
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.plain import PLAIN, answers
from tests.support.processes import Process, free_port, running, wait_until

SECRETS = {
    "NOWSERVING_SECRET_KEY": "a secret key that only the tests use, and long enough",
    "NOWSERVING_ENCRYPTION_KEYS": "WalEftTjRag3Nf9S1OJPqbUObrZ9QEScSVagz0h3TkU=",
}
KEYS = Keys(SECRETS["NOWSERVING_SECRET_KEY"], (decoded(SECRETS["NOWSERVING_ENCRYPTION_KEYS"]),))


ROOT = Path(__file__).parents[2]


def bare_environment(**settings: str) -> dict[str, str]:
    """Return the environment of an operator who has set these settings only."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NOWSERVING_")}
    return env | {"PYTHONUNBUFFERED": "1"} | settings


def environment(database_url: str, redis_url: str | None = None, **more: str) -> dict[str, str]:
    """Return the environment of one installation, without the settings of this process."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NOWSERVING_")}
    env |= SECRETS | {
        "NOWSERVING_DATABASE_URL": database_url,
        "NOWSERVING_DRAIN_DELAY_SECONDS": "0",
        "NOWSERVING_LOG_FORMAT": "json",
        "NOWSERVING_RATE_LIMITS": "off",  # tests send more requests than any user; tests of limits switch them on
        # A busy machine must not add lines to the logs that tests read.
        "NOWSERVING_SLOW_REQUEST_SECONDS": "300",
        "NOWSERVING_SLOW_QUERY_SECONDS": "300",
        "NOWSERVING_FROZEN_SECONDS": "300",  # a server that a test freezes must go on
        "PYTHONUNBUFFERED": "1",
    }
    if redis_url is not None:
        env["NOWSERVING_REDIS_URL"] = redis_url
    # `make paths` runs the tests of streams with each event loop, and with and without the handoff.
    for name in ("HAND_OFF", "EVENT_LOOP"):
        if (value := os.environ.get(f"NOWSERVING_TEST_{name}")) is not None:
            env[f"NOWSERVING_{name}"] = value
    return env | more


def _anywhere(env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` for an interpreter that finds the server from any working folder."""
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))}


def command_line(env: Mapping[str, str], *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``nowserving`` with arguments; return its exit status and its output."""
    if template.usable(arguments, env):
        return template.run(arguments, env, stdin, timeout=120)
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments],
        env=_anywhere(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def vault(env: Mapping[str, str] = SECRETS) -> Vault:
    """Return the vault of every installation that `environment` describes, or of one with other keys."""
    keys = tuple(decoded(each) for each in env["NOWSERVING_ENCRYPTION_KEYS"].split(","))
    return Vault(keys, env["NOWSERVING_SECRET_KEY"])


def seed(
    env: Mapping[str, str], points: int = 4, tickets: int = 12, displays: int = 1, providers: int | None = None
) -> Seed:
    """Create the tables and a filled site in the installation's database, as ``nowserving seed`` does; return the seed."""

    async def fill() -> Seed:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            await bring_up(database)
            executor = Executor(database, vault({**SECRETS, **env}), publish=lambda *_: None)
            with quick_passwords():
                return await Seeder(database, executor).seed(points, tickets, displays, providers)
        finally:
            await database.close()

    # In its own thread: the browser driver already runs an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(fill())).result()


@dataclass
class Server:
    """A running server."""

    port: int
    process: Process
    log: Path

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client, signed in by ``token``. The caller closes it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=PLAIN)

    def sign_in(self, seeded: Seed, role: str) -> str:
        """Return an access token of the seed's staff member with this role."""
        member = next(each for each in seeded["staff"] if each["role"] == role)
        with self.client() as client:
            answer = client.post("/api/v1/session", json={"username": member["username"], "password": member["password"]})
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token


def nowserving(arguments: list[str], log: Path, env: Mapping[str, str]) -> AbstractContextManager[Process]:
    """Run ``nowserving``: in a test as a fork of the template where this is possible, else in a fresh interpreter."""
    if template.usable(arguments, env):
        return template.running(arguments, log, env)
    return running([sys.executable, "-m", "server.cli", *arguments], log, _anywhere(env))


@contextmanager
def serving(
    env: Mapping[str, str], folder: Path, *arguments: str, name: str = "server", port: int | None = None
) -> Iterator[Server]:
    """Run a server at ``port``, or at a free one; yield it when it is ready."""
    port = port or free_port()
    log = folder / f"{name}-{port}.log"
    with nowserving(["serve", "--port", str(port), *arguments], log, env) as process:
        server = Server(port, process, log)
        try:
            wait_until(lambda: answers(f"{server.url}/health/ready"), f"the server ({log.name})", process)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text()[-3000:]}") from None
        yield server
