"""The files below `monitoring/`: a real Prometheus finds and scrapes running servers, and answers every panel's query."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import URL

from server.seeding import Seed
from tests.support import databases
from tests.support.processes import program, wait_until
from tests.support.prometheus import Prometheus, prometheus
from tests.support.screens import sse
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "monitoring"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(MONITORING.glob("grafana/dashboards/*.json"))}
RULES = [
    rule for group in yaml.safe_load((MONITORING / "rules/alerts.yml").read_text())["groups"] for rule in group["rules"]
]
NAME = re.compile(r"\b(?:nowserving|process)_[a-z_]+\b")
# Metrics without a series on a healthy day or on this machine: a query of theirs may have no result.
WITHOUT_SERIES = {
    "nowserving_archive_age_seconds": "a database server has no archive",
    "nowserving_backup_age_seconds": "no backup was made",
    "nowserving_binary_logs_usable": "the database server of the tests writes no binary logs",
    "nowserving_certificate_seconds": "no setting names a certificate",
    "nowserving_messages_swept_seconds": "with Redis the workers sweep, and none runs here",
}


@dataclass
class Installation:
    """Two server processes behind one port, and the Prometheus that has found both."""

    server: Server
    seeded: Seed
    watch: Prometheus
    targets: Path


def panels() -> list[dict[str, Any]]:
    return [panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]]


def queries() -> list[str]:
    """Return the query of every panel, as Grafana sends it at a short range."""
    return [target["expr"].replace("$__rate_interval", "1m") for panel in panels() for target in panel["targets"]]


def configured(folder: Path, source: str, scrape: dict[str, Any], interval: str = "15s") -> Path:
    """Copy a configuration and the rules into a folder, with another way to find or to enter the servers."""
    made = yaml.safe_load((MONITORING / source).read_text())
    made["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    made["scrape_configs"][0] |= scrape
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/alerts.yml").write_text((MONITORING / "rules/alerts.yml").read_text())
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(made))
    return path


def promtool(*arguments: str) -> str:
    """Run promtool and return its output. Raises AssertionError if it finds a fault."""
    done = subprocess.run(
        [program("promtool", "prometheus"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installation(database_server: URL, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("monitoring")
    targets = folder / "targets"
    with databases.fresh_database(database_server) as url:
        env = environment(
            url,
            redis_url,
            NOWSERVING_METRICS_FOLDER=str(targets),
            NOWSERVING_HEARTBEAT_SECONDS="1",
            NOWSERVING_RECORDING_PATH=str(folder / "sent.jsonl"),
        )
        seeded = seed(env, points=1, tickets=2, displays=1)
        found = {"file_sd_configs": [{"files": [f"{targets}/*.json"], "refresh_interval": "1s"}]}
        path = configured(folder, "prometheus.yml", found, "1s")
        with serving(env, folder, "--workers", "2") as server, prometheus(path) as watch:
            yield Installation(server, seeded, watch, targets)


def a_patient(desk: httpx.Client, seeded: Seed) -> None:
    """Issue a ticket, call the next patient and serve the patient; one call in two is a no-show."""

    def do(name: str, **body: Any) -> dict[str, Any]:
        answer = desk.post(f"/api/v1/commands/{name}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    point = seeded["point_ids"][0]
    for last in ("complete", "no-show"):
        do("issue-ticket", queue_id=seeded["queue_ids"][0])
        entry = do("call-next", point_id=point)["entry"]["id"]
        if last == "complete":
            do("start", entry_id=entry)
        do(last, entry_id=entry)
    assert desk.post("/api/v1/commands/no-show", json={"entry_id": entry}).status_code == 409


def test_every_process_is_found_and_every_panel_gets_an_answer(installation: Installation) -> None:
    server, seeded, watch = installation.server, installation.seeded, installation.watch
    wait_until(lambda: len(watch.query("up == 1")) == 2, "both processes of --workers 2")
    asked = queries()
    display = seeded["displays"][0]
    token = server.sign_in(seeded, "admin")
    with server.client(token) as desk, sse(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen:
        screen.wait(lambda each: each.cells)
        with sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as other:  # a stream that ends
            other.wait(lambda each: each.cells)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            a_patient(desk, seeded)
            past = {"from": "2020-01-01", "to": "2020-01-31"}
            desk.get(f"/api/v1/sites/{seeded['site_id']}/statistics", params=past).raise_for_status()
            time.sleep(2)
            unanswered = [each for each in asked if not watch.query(each)]
            if all(set(NAME.findall(each)) & WITHOUT_SERIES.keys() for each in unanswered):
                break
        else:
            pytest.fail("without an answer: " + "\n".join(unanswered))
    known = set(watch.get("label/__name__/values"))
    for each in unanswered:
        assert not (set(NAME.findall(each)) - WITHOUT_SERIES.keys()) - known, each
    for query in (
        'sum(nowserving_patients_total{step="no-show"}) > 0',
        'sum(nowserving_patients_total{step="served"}) > 0',
        "sum(nowserving_wait_seconds_count) > 0",
        "sum(nowserving_promises_total) > 0",
        "sum(nowserving_shown_seconds_count) > 0",
        "max(nowserving_waiting) == 2",
        'sum(nowserving_commands_total{command="no-show",outcome="refused"}) > 0',
        "max by (site) (nowserving_screens_dark) == 1",  # the display, whose stream has ended
    ):
        wait_until(lambda query=query: bool(watch.query(query)), query)  # type: ignore[misc]


def test_prometheus_evaluates_every_rule(installation: Installation) -> None:
    watch = installation.watch

    def rules() -> list[dict[str, Any]]:
        return [rule for group in watch.get("rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), "the rules")
    assert [(rule["name"], rule["health"]) for rule in rules()] == [(rule["alert"], "ok") for rule in RULES]


def test_each_process_has_an_address_of_its_own_until_it_ends(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "targets"
    folder.mkdir()
    killed = subprocess.Popen(["true"])
    killed.wait()
    (folder / f"{killed.pid}.json").write_text("[]")
    env = environment(sqlite_url, NOWSERVING_METRICS_FOLDER=str(folder))
    seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server:
        (path,) = folder.glob("*")
        ((address,),) = (each["targets"] for each in json.loads(path.read_text()))
        assert address != f"127.0.0.1:{server.port}"
        assert "process_resident_memory_bytes" in httpx.get(f"http://{address}/metrics").text
    assert list(folder.glob("*")) == []


@pytest.mark.parametrize("source", ["prometheus.yml", "compose/prometheus.yml"])
def test_promtool_accepts_the_configuration(source: str, tmp_path: Path) -> None:
    scrape: dict[str, Any] = {}
    if source.startswith("compose"):
        token = tmp_path / "token"
        token.write_text("x")
        scrape = {"authorization": {"credentials_file": str(token)}}
    assert "SUCCESS" in promtool("check", "config", str(configured(tmp_path, source, scrape)))


def test_rules_pass_their_tests() -> None:
    promtool("check", "rules", str(MONITORING / "rules/alerts.yml"))
    promtool("test", "rules", str(MONITORING / "tests/alerts.yml"))
    tested = yaml.safe_load((MONITORING / "tests/alerts.yml").read_text())["tests"]
    raised = {case["alertname"] for each in tested for case in each["alert_rule_test"] if case["exp_alerts"]}
    assert raised == {rule["alert"] for rule in RULES}
    (healthy,) = (each for each in tested if each["name"] == "healthy")
    assert {case["alertname"] for case in healthy["alert_rule_test"]} == raised


def test_every_alert_has_a_line_in_the_operating_guide() -> None:
    guide = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    section = guide[guide.index("\n## Alerts\n") :].removeprefix("\n## Alerts\n").partition("\n## ")[0]
    rows = re.findall(r"^\| `(NowServing\w+)` \|([^|]+)\|([^|]+)\|$", section, re.MULTILINE)
    assert [name for name, _, _ in rows] == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook"] == "docs/operating.md#alerts"


def test_dashboards_have_the_shape_that_grafana_reads() -> None:
    (source,) = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert set(DASHBOARDS) == {"clinic", "streams", "commands", "database", "workers"}
    assert len({each["uid"] for each in DASHBOARDS.values()}) == len(DASHBOARDS)
    for name, dashboard in DASHBOARDS.items():
        assert dashboard["uid"] == f"nowserving-{name}"
        assert dashboard["schemaVersion"] >= 39
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(numbers)) == len(numbers)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            assert panel["type"] in ("stat", "timeseries")
            assert panel["title"]
            assert panel["description"].endswith(".")
            for each in (panel, *panel["targets"]):
                assert each["datasource"] == {"type": source["type"], "uid": source["uid"]}
            letters = [each["refId"] for each in panel["targets"]]
            assert len(set(letters)) == len(letters) > 0
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells


def test_totals_are_counters_and_queries_use_them_as_such() -> None:
    """A total is read with its growth; a gauge ends in no `_total`."""
    for query in (*queries(), *(rule["expr"] for rule in RULES)):
        for total in re.finditer(r"\w+_total\b(?:\{[^}]*\})?", query):
            assert query[total.end() :].startswith("["), query
