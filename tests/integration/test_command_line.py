"""The command line, run in processes of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from alembic import command as alembic
from typer.testing import CliRunner

from server.cli import app
from server.identity.access_tokens import AccessTokens
from server.identity.browsers import Browser, browser_text
from server.installation.keys import Keys, read
from server.store.database import Database
from server.store.migrate import _config
from tests.support.migrated import bring_up
from tests.support.plain import answers
from tests.support.processes import end, free_port, running, wait_until
from tests.support.rows import rows
from tests.support.screens import Screen, sse
from tests.support.server import bare_environment, command_line, environment, serving

pytestmark = [pytest.mark.long, pytest.mark.measured]


def test_seeded_database_can_be_served(database_url: str, tmp_path: Path) -> None:
    env = environment(database_url)
    assert "0001" in command_line(env, "migrate").stdout
    assert "up to date" in command_line(env, "migrate").stdout
    done = command_line(env, "seed", "--points", "3", "--tickets", "5", "--displays", "2", "--json")
    assert done.returncode == 0, done.stderr
    seeded = json.loads(done.stdout)
    records = {"queue_ids", "point_ids", "displays", "tickets", "service_ids", "provider_ids", "staff"}
    assert set(seeded) == {"site_id"} | records
    assert [len(seeded[key]) for key in ("point_ids", "tickets", "displays")] == [3, 5, 2]
    assert {member["role"] for member in seeded["staff"]} >= {"admin", "receptionist", "clinician"}
    with serving(env, tmp_path) as server:
        display = seeded["displays"][1]
        with sse(f"{server.url}/live/displays/{display['id']}?token={display['token']}") as screen:
            screen.wait(lambda each: each.cells)
        with sse(f"{server.url}/live/tickets/{seeded['tickets'][4]['token']}") as phone:
            phone.wait(lambda each: each.cells)
            assert phone.cells["ticket"]["label"] == seeded["tickets"][4]["label"]
        for role in ("admin", "receptionist", "clinician"):
            with server.client(server.sign_in(seeded, role)) as client:
                who = client.get("/api/v1/session").json()
                assert who["user"]["role"] == role
                assert [site["id"] for site in who["sites"]] == [seeded["site_id"]]


def test_two_worker_processes_share_one_port(mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    """With ``--workers 2``, screens at either process receive every command, and SIGTERM ends both in order."""
    env = environment(mysql_url, redis_url)
    command_line(env, "migrate")
    seeded = json.loads(command_line(env, "seed", "--points", "2", "--tickets", "4", "--displays", "1", "--json").stdout)
    with serving(env, tmp_path, "--workers", "2") as server:
        assert "/welcome" not in server.log.read_text(), "there is an administrator"
        display = seeded["displays"][0]
        url = f"{server.url}/live/displays/{display['id']}"
        with (
            sse(url, display["token"]) as one,
            sse(url, display["token"]) as two,
            sse(url, display["token"]) as three,
            server.client(server.sign_in(seeded, "receptionist")) as desk,
        ):
            for screen in (one, two, three):
                screen.wait(lambda each: each.cells)
            seq = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()["seq"]
            for screen in (one, two, three):
                screen.wait(lambda each: each.seq >= seq)
            assert end(server.process) == 0, server.log.read_text()[-2000:]
            for screen in (one, two, three):
                screen.wait(lambda each: each.ended)
                assert screen.kinds()[-1] == "bye"


def test_added_user_can_sign_in(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url) | {"NOWSERVING_NEW_PASSWORD": "a long password"}
    seeded = json.loads(command_line(env, "seed", "--points", "1", "--tickets", "0", "--json").stdout)
    refused = command_line(env, "user", "eva", "--role", "receptionist", "--organisation", "No such")
    assert refused.returncode == 1
    assert "no organisation named No such" in refused.stderr
    assert command_line(env, "user", "eva", "--role", "king", "--organisation", "x").returncode == 2
    mark = seeded["staff"][0]["username"].rpartition("-")[2]
    added = command_line(env, "user", "eva", "--role", "receptionist", "--organisation", f"Seeded {mark}")
    assert added.returncode == 0, added.stderr
    assert "name eva is already" in command_line(
        env, "user", " EVA", "--role", "receptionist", "--organisation", f"Seeded {mark}"
    ).stderr.replace("\n", " ")
    for name, password, reason in (
        ("other", "password1234", "easy to guess"),
        ("e\u0432a", "a long password", "mixes letters of several scripts"),
    ):
        unfit = env | {"NOWSERVING_NEW_PASSWORD": password}
        refused = command_line(unfit, "user", name, "--role", "receptionist", "--organisation", f"Seeded {mark}")
        assert refused.returncode == 1
        assert reason in refused.stderr.replace("\n", " ")
    with serving(env, tmp_path) as server:
        answer = httpx.post(f"{server.url}/api/v1/session", json={"username": "Eva ", "password": "a long password"})
        assert answer.json()["user"]["role"] == "receptionist"


# The keys of an installation

PUBLIC_SECRET = "for development only: anybody can read this"  # of version 0.1.0
PASSWORD = "copper lantern ferry"


# An installation without a browser. The last command serves.
COMMANDS = [
    ("site", "Riverside Clinic", "--organisation", "Riverside Health", "--time-zone", "Europe/Berlin"),
    ("user", "eva", "--role", "admin", "--organisation", "Riverside Health"),
    ("serve", "--host", "0.0.0.0"),
]


def key_file_in(folder: Path) -> Keys:
    keys = read(folder / "var/nowserving.keys")
    assert keys is not None
    return keys


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
def test_installation_has_secrets_of_its_own(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str
) -> None:
    """The attack: forge a known browser and a session with the public secrets of version 0.1.0."""
    monkeypatch.chdir(tmp_path)
    env = bare_environment(NOWSERVING_NEW_PASSWORD=PASSWORD, NOWSERVING_DRAIN_DELAY_SECONDS="0")
    database_url = f"sqlite+aiosqlite:///{tmp_path}/var/nowserving.db"
    if engine == "mysql":
        database_url = env["NOWSERVING_DATABASE_URL"] = request.getfixturevalue("mysql_url")
    *preparations, (_, *arguments) = COMMANDS
    said = []
    for each in preparations:
        done = command_line(env, *each)
        assert done.returncode == 0, done.stderr
        said.append(done.stderr)
    keys = key_file_in(tmp_path)
    # The first command tells where the keys are, and the others are silent; the keys stay out of the output.
    assert f"{tmp_path}/var/nowserving.keys" in said[0]
    assert "Keep a copy" in said[0]
    assert said[1:] == [""] * len(said[1:])
    with serving(env, tmp_path, *arguments) as server, server.client() as client:
        answer = client.post("/api/v1/session", json={"username": "eva", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.cookies.clear()
        found = {"NOWSERVING_DATABASE_URL": database_url}
        [(session_id, staff_id)] = rows(found, "SELECT id, staff_id FROM sessions")
        for secret, status in ((PUBLIC_SECRET, 401), (keys.secret_key, 200)):
            token = AccessTokens(secret).issue(staff_id, session_id)
            assert client.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"}).status_code == status
        left = []
        for number in range(3):  # each a browser of its own, which would have a limit of its own
            forged = browser_text(Browser(f"{number:032x}", ("eva",)), PUBLIC_SECRET)
            guess = client.post(
                "/api/v1/session",
                json={"username": "eva", "password": "wrong"},
                headers={"Cookie": f"nowserving_browser={forged}"},
            )
            assert guess.status_code == 401
            left.append(int(guess.headers["X-RateLimit-Remaining"]))
        assert left == [left[0], left[0] - 1, left[0] - 2]
        modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "var").iterdir()}
        assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
        files = ["", "-wal", "-shm"] if engine == "sqlite" else []
        assert modes == {"nowserving.keys": 0o600} | {f"nowserving.db{each}": 0o600 for each in files}
    log = server.log.read_text() + "".join(said)
    assert not any(base64.b64encode(key).decode() in log for key in keys.encryption_keys)
    assert keys.secret_key not in log


def test_commands_that_start_at_once_share_one_key_file(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line(environment(mysql_url), "migrate").returncode == 0
    env = bare_environment(NOWSERVING_DATABASE_URL=mysql_url)
    with ThreadPoolExecutor(3) as threads:
        ended = list(threads.map(lambda _: command_line(env, "keys", "check"), range(3)))
    assert [each.returncode for each in ended] == [0, 0, 0], ended
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["nowserving.keys"]
    assert sum("new keys" in each.stderr for each in ended) == 1, ended
    assert len({each.stdout for each in ended}) == 1


def test_lost_key_file_stops_the_start(sqlite_url: str, tmp_path: Path) -> None:
    """New keys would silently make the data of a database with sites unreadable."""
    env = bare_environment(NOWSERVING_DATABASE_URL=sqlite_url)
    assert command_line(env, "seed", "--points", "1", "--tickets", "1", "--json").returncode == 0
    kept = tmp_path / "nowserving.keys"
    copy = kept.rename(tmp_path / "copy.keys")
    lost = command_line(env, "serve", "--port", str(free_port()))
    assert lost.returncode == 2
    assert str(kept) in lost.stderr
    assert "NOWSERVING_ENCRYPTION_KEYS" in lost.stderr
    assert "Traceback" not in lost.stderr
    assert not kept.exists()
    named = command_line(env | {"NOWSERVING_KEY_FILE": str(copy)}, "keys", "check")
    assert named.returncode == 0, named.stderr
    assert "unknown" not in named.stdout


@pytest.mark.parametrize("name", ["", "\u3164", "\u200d", "\u2800", "\ue000", "x" * 121])
def test_names_without_a_visible_character_are_refused(name: str) -> None:
    for arguments in (
        ("site", name, "--organisation", "Org", "--time-zone", "UTC"),
        ("site", "Main", "--organisation", name, "--time-zone", "UTC"),
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 2


def test_language_of_a_site_is_a_tag() -> None:
    arguments = ("site", "Main", "--organisation", "Org", "--time-zone", "UTC", "--language")
    result = CliRunner().invoke(app, [*arguments, "german_DE"])
    assert result.exit_code == 2
    assert "zh-Hant" in result.output


def test_check_names_each_problem(sqlite_url: str, redis_url: str) -> None:
    env = environment(sqlite_url, redis_url)
    lacking = command_line(env, "check")
    assert lacking.returncode == 1
    assert "migrations are missing" in lacking.stderr.replace("\n", " ")
    command_line(env, "migrate")
    good = command_line(env, "check")
    assert good.returncode == 0, good.stderr
    assert env["NOWSERVING_SECRET_KEY"] not in good.stdout + good.stderr
    away = environment(sqlite_url, f"redis://127.0.0.1:{free_port()}/0")
    assert "NOWSERVING_REDIS_URL" in command_line(away, "check").stderr
    nowhere = environment(f"mysql+aiomysql://u:p@127.0.0.1:{free_port()}/x")
    assert "NOWSERVING_DATABASE_URL" in command_line(nowhere, "check").stderr


@pytest.mark.parametrize(("limits", "warned"), [("on", False), ("off", True)])
def test_check_warns_of_limits_that_are_off_in_production(sqlite_url: str, limits: str, *, warned: bool) -> None:
    env = environment(sqlite_url, NOWSERVING_RATE_LIMITS=limits)
    assert command_line(env, "migrate").returncode == 0
    assert "RATE_LIMITS" not in command_line(env, "check").stderr  # development
    production = {"NOWSERVING_ENV": "production", "NOWSERVING_ALLOWED_HOSTS": "queue.example.org"}
    checked = command_line(env | production, "check")
    assert checked.returncode == 0, checked.stderr
    assert ("NOWSERVING_RATE_LIMITS is off" in checked.stderr) is warned


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOWSERVING_DATABASE_URL", "postgresql://x/y"),
        ("NOWSERVING_ENCRYPTION_KEYS", "c2hvcnQ="),
        ("NOWSERVING_HEARTBEAT_SECONDS", "soon"),
        ("NOWSERVING_ENV", "staging"),
        ("NOWSERVING_CONFIG", "/does/not/exist.toml"),
    ],
)
def test_invalid_setting_stops_the_start_with_its_name(sqlite_url: str, name: str, value: str) -> None:
    done = command_line(environment(sqlite_url) | {name: value}, "serve", "--port", str(free_port()))
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_misspelt_setting_is_reported(sqlite_url: str) -> None:
    done = command_line(environment(sqlite_url) | {"NOWSERVING_DATABSE_URL": "x"}, "migrate")
    assert "NOWSERVING_DATABSE_URL is not a setting" in done.stderr


def test_serve_requires_migrations(mysql_url: str) -> None:
    done = command_line(environment(mysql_url), "serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "nowserving migrate" in done.stderr


def test_tables_of_an_older_version_need_migrate(database_url: str) -> None:
    """Servers of that version may still use them. An empty database gets its tables: the installation above tests it."""
    env = environment(database_url) | {"NOWSERVING_NEW_PASSWORD": PASSWORD}
    asyncio.run(_bring_up_an_older_version(database_url))
    site = ("site", "Riverside", "--organisation", "Health", "--time-zone", "Europe/Berlin")
    for words in (site, ("user", "eva", "--role", "admin", "--organisation", "Health")):
        done = command_line(env, *words)
        assert done.returncode == 1
        assert "nowserving migrate" in done.stderr
    assert command_line(env, "migrate").returncode == 0
    assert command_line(env, *site).returncode == 0


async def _bring_up_an_older_version(url: str) -> None:
    database = Database(url)
    await bring_up(database)
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: alembic.downgrade(_config(sync), "-1"))
    await database.close()


def test_workers_require_redis(sqlite_url: str) -> None:
    for command in ("worker", "beat"):
        done = command_line(environment(sqlite_url), command)
        assert done.returncode == 2
        assert "NOWSERVING_REDIS_URL" in done.stderr


def test_screens_of_the_demo_change_by_themselves(tmp_path: Path) -> None:
    """The demo prints addresses and sign-ins, and its screens change."""
    port = free_port()
    log = tmp_path / "demo.log"
    command = [sys.executable, "-m", "server.cli", "demo", "--port", str(port), "--directory", str(tmp_path / "demo")]
    with running(command, log, environment("sqlite+aiosqlite:///unused.db")) as process:
        wait_until(lambda: "Stop with" in log.read_text(), "the demo", process)
        said = log.read_text()
        display = re.search(r"(http://\S+/display/\d+)\?token=(\S+)", said)
        patient = re.search(r"http://\S+/t/(\S+)", said)
        assert display is not None
        assert patient is not None
        assert "reception / clinic-demo-day" in said
        assert "HOST=0.0.0.0" in said, "the way to join with one's own phone"
        kiosk = re.search(r"http://\S+/kiosk/(\d+)\?token=(\S+)", said)
        assert kiosk is not None
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{base}/health/live"), "the demo's server", process)
        number = display[1].rpartition("/")[2]
        with (
            sse(f"{base}/live/displays/{number}?token={display[2]}") as screen,
            sse(f"{base}/live/tickets/{patient[1]}") as phone,
            sse(f"{base}/live/kiosks/{kiosk[1]}?token={kiosk[2]}") as door,
        ):
            door.wait(lambda each: each.cells)
            screen.wait(lambda each: len([key for key in each.cells if key.startswith("announcement:")]) >= 2)
            phone.wait(lambda each: each.cells)
            phone.wait(_moved_up, what="a patient moves up")
            screen.wait(lambda each: each.kinds().count("change") >= 10, what="a display that changes")
        assert end(process) == 0, log.read_text()
    keys = read(tmp_path / "demo/demo.keys")  # the demo's own, whatever the settings name
    assert keys is not None
    with closing(sqlite3.connect(tmp_path / "demo/demo.db")) as database, database:
        before = {entry_id for (entry_id,) in database.execute(OPEN_ENTRIES)}
        database.execute("UPDATE sites SET last_event_at = last_event_at - 75 * 60 * 1000000")  # as if stopped that long ago
    assert before
    with running(command, log, environment("sqlite+aiosqlite:///unused.db")) as process:  # again, with the kept database
        wait_until(lambda: answers(f"{base}/health/live"), "the demo's server", process)
        with sse(f"{base}/live/displays/{number}?token={display[2]}") as screen:
            screen.wait(lambda each: each.cells)
    with closing(sqlite3.connect(tmp_path / "demo/demo.db")) as database:
        assert not before & {entry_id for (entry_id,) in database.execute(OPEN_ENTRIES)}, "the old day has ended"


OPEN_ENTRIES = "SELECT id FROM entries WHERE state IN ('waiting', 'called', 'serving', 'held')"


def _moved_up(phone: Screen) -> bool:
    """Return whether the patient ever moved up. In the random day, more urgent patients may have moved ahead meanwhile."""
    cells = [(body.get("cells") or body.get("set") or {}).get("ahead") for _, _, body in phone.messages]
    places = [cell["count"] for cell in cells if cell is not None]
    return any(later < earlier for earlier, later in pairwise(places)) or phone.cells["ticket"]["state"] != "waiting"
