"""`nowserving diagnose`: the bundle of an installation in use, and of one whose database is away."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.canaries import leaks
from tests.support.processes import free_port
from tests.support.server import SECRETS, command_line, environment, seed, serving

PATIENT = {
    "name": "Philippa Ottersbach",
    "phone": "+491705550123",
    "email": "philippa.otter@canary.example",
    "date_of_birth": "1931-07-19",
    "notes": "Bienenstichallergie und Pollenflug",
}
READER = "verwalter.kastanie@canary.example"
ALLOWED: list[tuple[str, str]] = []


def unpacked(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as bundle:
        return {each.rpartition("/")[2]: bundle.read(each) for each in bundle.namelist()}


def test_bundle_has_no_personal_data_and_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "sehr-privater-ordner"
    folder.mkdir()
    more = {
        "NOWSERVING_METRICS_TOKEN": "geheimes-zeichen-der-zahlen",
        "NOWSERVING_WATCHDOG_MAIL": READER,
        "NOWSERVING_PUBLIC_URL": "https://kastanienpraxis.example",
        "NOWSERVING_LOG_LEVEL": "debug",
    }
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", **more)
    seeded = seed(env, points=1, tickets=0, displays=1)
    mail = {
        "host": "post.kastanienpraxis.example",
        "port": 9,
        "security": "none",
        "sender": "absender@canary.example",
        "username": "postkonto",
        "password": "postkonto-geheimnis-4711",
    }
    canaries: dict[str, Any] = {f"patient {name}": value for name, value in PATIENT.items()}
    canaries |= {f"mail {name}": str(value) for name, value in mail.items() if len(str(value)) > 8}
    canaries |= {"reader": READER, "host": "kastanienpraxis", "folder": "sehr-privater-ordner"}
    canaries |= {"metrics token": more["NOWSERVING_METRICS_TOKEN"]}
    canaries |= {name: value for name, value in SECRETS.items() if name.endswith(("KEY", "KEYS"))}
    file, log = tmp_path / "bundle.zip", tmp_path / "log.jsonl"
    with serving(env, folder) as server:
        token = server.sign_in(seeded, "admin")
        with server.client(token) as admin:
            assert admin.put("/api/v1/channels/email/smtp", json=mail).is_success
            hook = admin.post("/api/v1/webhooks", json={"url": "https://kastanienpraxis.example/geheime-adresse"}).json()
            issued = admin.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0], **PATIENT})
            assert issued.is_success, issued.text
            admin.get(f"/t/{quote(PATIENT['name'])}")
        canaries |= {"access token": token, "ticket token": issued.json()["token"], "webhook secret": hook["secret"]}
        canaries |= {"webhook address": "geheime-adresse", "display token": seeded["displays"][0]["token"]}
        for each in seeded["staff"]:
            canaries |= {f"user name of {each['role']}": each["username"], f"password of {each['role']}": each["password"]}
        hostile = [
            PATIENT["name"],
            json.dumps({"logger": "another.library", "event": f"hello {PATIENT['name']}", "level": "error"}),
            json.dumps({"logger": "server.x", "event": "x failed", "error": f"ValueError('{PATIENT['phone']}')"}),
            json.dumps({"logger": "server.x", "event": "x failed", "path": f"/t/{issued.json()['token']}"}),
            json.dumps({"logger": "server.x", "event": "x failed", "exception": f"KeyError: {PATIENT['notes']}"}),
        ]
        log.write_text(server.log.read_text() + "\n".join(hostile))
        done = command_line(env, "diagnose", "--output", str(file), "--server", server.url, "--log", str(log))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    parts = unpacked(file)
    assert leaks(canaries, parts, ALLOWED) == []
    assert set(parts) == {
        *("README.txt", "versions.json", "settings.json", "state.json", "counts.json", "migrations.json", "machine.json"),
        *("metrics.txt", "log.jsonl"),
    }
    assert json.loads(parts["counts.json"])["visits"] == 1
    assert json.loads(parts["migrations.json"]) == {"lacking": []}
    assert b"nowserving_requests" in parts["metrics.txt"] or b"nowserving_request_seconds" in parts["metrics.txt"]
    assert b"nowserving_disk_free_bytes" in parts["metrics.txt"]
    assert {each["name"] for each in json.loads(parts["state.json"])} >= {"database", "disk", "watchdog"}
    assert json.loads(parts["settings.json"])["watchdog_mail"] == "set"
    events = [json.loads(each) for each in parts["log.jsonl"].decode().splitlines()]
    assert sum(each.get("event") == "x failed" for each in events) == 3
    assert events[-1]["left_out"] >= 1


def test_bundle_without_database_and_server_says_so(tmp_path: Path) -> None:
    url = f"mysql+aiomysql://konto-der-klinik:kennwort-der-klinik@127.0.0.1:{free_port()}/datenbank-der-klinik"
    env = environment(url, f"redis://:redis-kennwort@127.0.0.1:{free_port()}/0")
    file = tmp_path / "bundle.zip"
    nobody = f"http://127.0.0.1:{free_port()}"
    done = command_line(env, "diagnose", "--output", str(file), "--server", nobody, "--log", str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    for said in ("The database is away", "No server answers", "cannot be read"):
        assert said in done.stdout
    parts = unpacked(file)
    canaries = {"account": "konto-der-klinik", "password": "kennwort-der-klinik", "database": "datenbank-der-klinik"}
    canaries |= {"redis password": "redis-kennwort", "address": url.rpartition("@")[2].partition("/")[0]}
    assert leaks(canaries, parts, []) == []
    found = {each["name"]: each for each in json.loads(parts["state.json"])}
    assert (found["database"]["code"], found["bus"]["code"]) == ("database_away", "bus_away")
    assert json.loads(parts["counts.json"]) == {"problem": "the database is away"}
    assert json.loads(parts["settings.json"])["database_url"] == "mysql+aiomysql:(hidden)"
