"""The command line, run in processes of its own."""

from __future__ import annotations

import json
import re
import sys
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.support.plain import answers
from tests.support.processes import end, free_port, running, wait_until
from tests.support.screens import Screen, sse
from tests.support.server import command_line, environment, serving

pytestmark = [pytest.mark.long, pytest.mark.measured]


def test_seeded_database_can_be_served(database_url: str, tmp_path: Path) -> None:
    env = environment(database_url)
    assert "0001" in command_line(env, "migrate").stdout
    assert "up to date" in command_line(env, "migrate").stdout
    done = command_line(env, "seed", "--points", "3", "--tickets", "5", "--displays", "2", "--json")
    assert done.returncode == 0, done.stderr
    seeded = json.loads(done.stdout)
    assert set(seeded) == {"site_id", "queue_ids", "point_ids", "displays", "tickets", "staff"}
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
                screen.wait(lambda each: each.seq >= seq, 3)
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
        env, "user", "eva", "--role", "receptionist", "--organisation", f"Seeded {mark}"
    ).stderr.replace("\n", " ")
    with serving(env, tmp_path) as server:
        answer = httpx.post(f"{server.url}/api/v1/session", json={"username": "eva", "password": "a long password"})
        assert answer.json()["user"]["role"] == "receptionist"


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


def test_workers_require_redis(sqlite_url: str) -> None:
    for command in ("worker", "beat"):
        done = command_line(environment(sqlite_url), command)
        assert done.returncode == 2
        assert "NOWSERVING_REDIS_URL" in done.stderr


def test_screens_of_the_demo_change_by_themselves(tmp_path: Path) -> None:
    """The demo prints addresses and sign-ins, and its screens change within seconds."""
    port = free_port()
    log = tmp_path / "demo.log"
    command = [sys.executable, "-m", "server.cli", "demo", "--port", str(port), "--directory", str(tmp_path / "demo")]
    began = time.monotonic()
    with running(command, log, environment("sqlite+aiosqlite:///unused.db")) as process:
        wait_until(lambda: "Stop with" in log.read_text(), "the demo", process)
        said = log.read_text()
        display = re.search(r"(http://\S+/display/\d+)\?token=(\S+)", said)
        patient = re.search(r"http://\S+/t/(\S+)", said)
        assert display is not None
        assert patient is not None
        assert "reception / demo-clinic" in said
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{base}/health/live"), "the demo's server", process)
        number = display[1].rpartition("/")[2]
        with (
            sse(f"{base}/live/displays/{number}?token={display[2]}") as screen,
            sse(f"{base}/live/tickets/{patient[1]}") as phone,
        ):
            screen.wait(lambda each: len([key for key in each.cells if key.startswith("announcement:")]) >= 2, 30)
            phone.wait(lambda each: each.cells, 30)
            phone.wait(_moved_up, 60, "a patient moves up")
            screen.wait(lambda each: each.kinds().count("change") >= 10, 60, "a display that changes")
        assert time.monotonic() - began < 120
        assert end(process) == 0, log.read_text()
    with running(command, log, environment("sqlite+aiosqlite:///unused.db")) as process:  # again, with the kept database
        wait_until(lambda: answers(f"{base}/health/live"), "the demo's server", process)
        with sse(f"{base}/live/displays/{number}?token={display[2]}") as screen:
            screen.wait(lambda each: each.cells)


def _moved_up(phone: Screen) -> bool:
    """Return whether the patient ever moved up. In the random day, more urgent patients may have moved ahead meanwhile."""
    cells = [(body.get("cells") or body.get("set") or {}).get("ahead") for _, _, body in phone.messages]
    places = [cell["count"] for cell in cells if cell is not None]
    return any(later < earlier for earlier, later in pairwise(places)) or phone.cells["ticket"]["state"] != "waiting"
