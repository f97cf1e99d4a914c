"""Traces and reports of errors: a collector and a Sentry get names and numbers, and nothing about a person."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.canaries import leaks
from tests.support.collector import collecting
from tests.support.processes import end, wait_until
from tests.support.screens import sse
from tests.support.server import command_line, environment, seed, serving

NAME, PHONE = "Wilhelmina Canaryname", "+491705550123"


def test_spans_name_routes_and_commands_and_no_person(sqlite_url: str, tmp_path: Path) -> None:
    with collecting() as collector:
        env = environment(sqlite_url, NOWSERVING_TRACES_URL=collector.traces_url)
        seeded = seed(env, points=1, tickets=0, displays=1)
        display = seeded["displays"][0]
        with serving(env, tmp_path) as server:
            token = server.sign_in(seeded, "receptionist")
            with (
                server.client(token) as desk,
                sse(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen,
            ):
                screen.wait(lambda each: each.cells)
                body = {"queue_id": seeded["queue_ids"][0], "name": NAME, "phone": PHONE}
                headers = {"X-Request-ID": "a-sane-request-id", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
                issued = desk.post("/api/v1/commands/issue-ticket", json=body, headers=headers).json()
                assert desk.get(f"/t/{issued['token']}").status_code == 200
                assert desk.get("/api/v1/sites", params={"q": NAME}).status_code in (200, 422)
                assert desk.get("/nowhere/" + PHONE).status_code == 404
                assert desk.get("/health/ready").status_code == 200
                screen.wait(lambda each: each.seq >= issued["seq"])
            assert end(server.process) == 0  # the last spans are sent at the stop
        spans = collector.spans()
        received = b"\n".join(collector.bodies)
    named = {each["name"]: each for each in spans}
    request, command = named["POST /api/v1/commands/{name}"], named["command issue-ticket"]
    assert request["attributes"] == {
        "http.route": "/api/v1/commands/{name}",
        "http.request.method": "POST",
        "http.response.status_code": "200",
        "request_id": "a-sane-request-id",
    }
    assert (command["parentSpanId"], command["traceId"]) == (request["spanId"], request["traceId"])
    assert "parentSpanId" not in request  # a stranger's trace is not continued
    assert int(request["startTimeUnixNano"]) <= int(command["startTimeUnixNano"])
    assert int(command["endTimeUnixNano"]) <= int(request["endTimeUnixNano"])
    assert "GET /t/{token}" in named
    assert "GET (none)" in named
    assert not [name for name in named if "live" in name or "health" in name]
    assert {key for each in spans for key in each["attributes"]} == set(request["attributes"])
    canaries = {"name": NAME, "phone": PHONE, "ticket": issued["token"], "session": token, "device": display["token"]}
    assert leaks(canaries, {"spans": received}, []) == []


def test_unexpected_error_is_reported_without_its_message(sqlite_url: str, tmp_path: Path) -> None:
    with collecting() as collector:
        env = environment(sqlite_url, NOWSERVING_SENTRY_DSN=collector.sentry_dsn)
        seeded = seed(env, points=1, tickets=0, displays=0)
        with serving(env, tmp_path) as server:
            token = server.sign_in(seeded, "receptionist")
            with server.client(token) as desk:
                issue = {"queue_id": seeded["queue_ids"][0], "name": NAME, "phone": PHONE}
                issued = desk.post("/api/v1/commands/issue-ticket", json=issue).json()
                broken = sqlite3.connect(tmp_path / "nowserving.db")
                with broken:  # a value that no command allows: the message of the error then has it
                    broken.execute("UPDATE sites SET time_zone = ?", (NAME,))
                broken.close()
            today = datetime.now(UTC).date()
            days = {"from": (today - timedelta(days=1)).isoformat(), "to": today.isoformat()}  # a business day ends at 4
            with server.client(server.sign_in(seeded, "manager")) as manager:
                address = f"/api/v1/sites/{seeded['site_id']}/statistics"
                headers = {"X-Request-ID": "a-sane-request-id", "Cookie": f"other={PHONE}"}
                answer = manager.get(address, headers=headers, params=days)
                assert answer.status_code == 500, answer.text

            def reports() -> list[dict[str, Any]]:
                found = [each for each in collector.events() if "exception" in each]
                return [each for each in found if each["tags"].get("request_id") == "a-sane-request-id"]

            wait_until(lambda: bool(reports()), "the report")
            assert NAME in server.log.read_text()  # the message of the error has it
        (event,) = reports()
        received = b"\n".join(collector.bodies)
        assert set(collector.paths) == {"/api/7/envelope/"}
    assert event["tags"]["request_id"] == "a-sane-request-id"
    assert "{" in event["tags"]["route"]
    last = event["exception"]["values"][-1]
    assert last["type"]
    assert set(last) == {"type", "module", "stacktrace"}
    assert any(each["module"].startswith("server.") for each in last["stacktrace"]["frames"])
    canaries = {"name": NAME, "phone": PHONE, "ticket": issued["token"], "session": token}
    assert leaks(canaries, {"report": received}, []) == []
    for key in ("request", "user", "breadcrumbs", "modules", "contexts", "extra"):
        assert not event.get(key), key
    assert event.get("server_name") in (None, "nowserving")


@pytest.mark.parametrize(
    ("setting", "value", "package", "extra"),
    [
        ("NOWSERVING_TRACES_URL", "http://127.0.0.1:1/v1/traces", "opentelemetry", "tracing"),
        ("NOWSERVING_SENTRY_DSN", "http://key@127.0.0.1:1/7", "sentry_sdk", "sentry"),
    ],
)
def test_setting_without_its_package_stops_the_start(
    sqlite_url: str, tmp_path: Path, setting: str, value: str, package: str, extra: str
) -> None:
    """The folder of `sitecustomize` comes first, and hides the package from the interpreter."""
    hiding = f"import sys\nsys.modules[{package!r}] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hiding)
    env = environment(sqlite_url, **{setting: value, "PYTHONPATH": str(tmp_path)})
    done = command_line(env, "serve")
    assert done.returncode == 2, done.stderr
    assert f"{setting}: its package is not installed" in done.stderr
    assert f"nowserving[{extra}]" in done.stderr.replace("\n", "")


def test_servers_without_the_settings_load_no_library(sqlite_url: str, tmp_path: Path) -> None:
    code = "import sys; from server.app import create_app; create_app(); print(*sys.modules)"
    env = environment(sqlite_url)
    seed(env, points=1, tickets=0, displays=0)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "server.telemetry.tracing" in loaded
    # The client of Redis loads the API of OpenTelemetry where it is installed, and uses it only when asked.
    assert [each for each in loaded if each.startswith(("opentelemetry.exporter", "sentry_sdk"))] == []
