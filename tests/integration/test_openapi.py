"""The OpenAPI document against a running server: the document describes every answer, success or error.

The document alone drives the commands, so a new command is driven too. The bodies have ids of the site and values that the
schemas allow. The order changes until each command has succeeded once.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from server.domain.model.ids import IDS_PER_SITE, MAX_ID
from server.live.projection import stamped
from server.seeding import Seed
from tests.support.server import Server, command_line, environment, seed, serving
from tests.support.worlds import WANTED
from tests.unit.transport.spec.test_openapi import Checker

Json = dict[str, Any]
COMMANDS = "/api/v1/commands/"
JSON = {"Content-Type": "application/json"}
ROUNDS = 60
TRIES = 20  # of one command in a round, until it has succeeded
# Every round begins with these commands. Otherwise only chance would give the other commands a patient.
FIRST = [f"{COMMANDS}{name}" for name in ("open-queue", "open-point", "issue-ticket", "call-next")]
FIRST_TRIES = 4
# These need a week with free times, and each other: a test of their own sends them in order.
OF_APPOINTMENTS = {
    f"{COMMANDS}{name}"
    for name in (
        *("add-schedule", "change-schedule", "end-schedule", "add-exception", "remove-exception", "link-practitioner"),
        *("hold-slot", "release-slot", "book", "book-series", "reschedule", "amend-appointment", "want-earlier"),
        *("cancel-appointment", "accept-offer", "decline-offer", "check-in", "appointment-no-show", "move-appointments"),
        *("clear-unreached", "confirm"),
    )
}
REPEAT_CHANCE = 0.4  # that a later round repeats a command: undone, closed or paused records must be usable again


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openapi")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS="0.3")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=3, tickets=6, displays=2)


@pytest.fixture(scope="module")
def driven(env: dict[str, str], seeded: Seed) -> Seed:
    """Another site, for the test that changes all records."""
    return seed(env, points=3, tickets=6, displays=2)


@pytest.fixture(scope="module")
def server(env: dict[str, str], driven: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def checker(server: Server) -> Checker:
    """A checker of the document that this server serves."""
    answer = httpx.get(f"{server.url}/api/openapi.json", timeout=60)  # the first request makes the document
    assert answer.headers["cache-control"] == "no-cache"
    checker = Checker(answer.json())
    documented(checker, "get", "/api/openapi.json", answer)
    return checker


@pytest.fixture(scope="module")
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture(scope="module")
def driving(server: Server, driven: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(driven, "admin")) as client:
        yield client


def documented(checker: Checker, method: str, path: str, answer: httpx.Response) -> Json:
    """Assert that the document describes this answer of the operation; return its body."""
    responses = checker.document["paths"][path][method]["responses"]
    context = f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    assert str(answer.status_code) in responses, context
    response = checker.resolved(responses[str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        header = checker.resolved(header)
        assert name in answer.headers or not header.get("required"), f"{context}: no {name}"
        if name in answer.headers:
            assert checker.problems(answer.headers[name], header["schema"], name) == [], context
    if "content" not in response:
        assert answer.content == b"", context
        return {}
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in response["content"], f"{context}: {kind}"
    body = answer.json() if kind == "application/json" else answer.text
    assert checker.problems(body, response["content"][kind]["schema"], context) == []
    return body if isinstance(body, dict) else {}


class Driver:
    """Builds bodies for commands, from their schemas and from the records of the site."""

    def __init__(self, checker: Checker, seeded: Seed) -> None:
        self.checker = checker
        self.random = random.Random(7)
        self.made = 0
        self.known: dict[str, list[int]] = {
            "site": [seeded["site_id"]],
            "queue": list(seeded["queue_ids"]),
            "point": list(seeded["point_ids"]),
            "display": [each["id"] for each in seeded["displays"]],
            "entry": [],
        }

    def learn(self, cells: Json) -> None:
        """Remember the ids on a board, and some entries that have left it."""
        now: dict[str, list[int]] = {}
        for key, cell in cells.items():
            kind, _, identifier = key.partition(":")
            if identifier:
                now.setdefault(kind, []).append(int(identifier))
            if kind == "entry":
                now.setdefault(f"entry {cell['state']}", []).append(int(identifier))
        gone = [each for each in self.known["entry"] if each not in now.get("entry", [])]
        now["device"] = [*now.get("display", []), *now.get("kiosk", [])]
        now["record"] = now.get("kiosk", [])  # the removal of records that other commands need would end the day early
        self.known = {kind: known for kind, known in self.known.items() if not kind.startswith("entry ")}
        self.known |= now | {"entry": [*now.get("entry", []), *gone[-3:]]}

    def body(self, schema: Json, path: str) -> Json:
        """Return a body that the schema allows, with some of the optional fields."""
        fitting = [f"entry {state}" for state in WANTED.get(path.removeprefix(COMMANDS), ())]
        self.known["fitting"] = [each for kind in fitting for each in self.known.get(kind, [])]
        return {
            key: self._value(key, each, schema)
            for key, each in schema["properties"].items()
            if key in schema["required"] or (key != "site_id" and self.random.random() < 0.3)
        }

    def _value(self, key: str, schema: Json, whole: Json) -> Any:
        self.made += 1
        if key in ("hours", "closed_on", "unmet_needs", "needs"):
            return []  # always open, for every patient
        if key == "time_zone":
            # Zones of equal time: another one would turn the day, and end all entries.
            return self.random.choice(["UTC", "Africa/Abidjan"])
        if key == "day_turns_at_minutes":
            return 240  # for the same reason: in the small hours, an earlier time has already passed
        if key == "record_ids":
            return self.random.sample(self.known["queue"], len(self.known["queue"]))  # of one kind
        noun = key.removesuffix("s").removesuffix("_id").rpartition("_")[2]
        if key == "entry_id" and self.known["fitting"] and self.random.random() < 0.8:
            return self.random.choice(self.known["fitting"])
        if key.endswith(("_id", "_ids")) and self.known.get(noun):
            several = self.known[noun]
            return self.random.choice(several) if key.endswith("_id") else self.random.sample(several, min(2, len(several)))
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        kinds = schema.get("type", "string")
        if "boolean" in kinds:
            return self.random.random() < 0.5
        if "integer" in kinds:
            return self.random.randint(schema.get("minimum", 0), min(schema.get("maximum", 20), 20))
        plain = f"Made up {self.made}"
        return whole["examples"][0].get(key, plain) if self.checker.problems(plain, schema) else plain


def test_every_command_succeeds_and_answers_as_documented(checker: Checker, driving: httpx.Client, driven: Seed) -> None:
    driver = Driver(checker, driven)
    paths = [path for path in checker.document["paths"] if path.startswith(COMMANDS) and path not in OF_APPOINTMENTS]
    schemas = {
        path: checker.at(f"paths/{path.replace('/', '~1')}/post/requestBody/content/application~1json/schema")
        for path in paths
    }
    board = f"/api/v1/sites/{driven['site_id']}/board"
    lacking, refused = set(paths), set()

    def read_board() -> None:
        driver.learn(documented(checker, "get", "/api/v1/sites/{site_id}/board", driving.get(board))["cells"])

    read_board()
    for _ in range(ROUNDS):
        driver.random.shuffle(paths)
        for path in [*FIRST, *paths]:
            tries = (
                TRIES if path in lacking else FIRST_TRIES if path in FIRST else int(driver.random.random() < REPEAT_CHANCE)
            )
            for _ in range(tries):
                body = driver.body(checker.resolved(schemas[path]), path)
                assert checker.problems(body, schemas[path], path) == []
                answer = documented(checker, "post", path, sent := driving.post(path, json=body))
                if sent.status_code == 200:
                    lacking.discard(path)
                    read_board()
                    break
                refused.add((path, answer["error"]["code"]))
        if not lacking:
            break
    assert lacking == set(), f"never succeeded; refused as {sorted(each for each in refused if each[0] in lacking)}"
    assert len({code for _, code in refused}) >= 3


def test_commands_of_appointments_answer_as_documented(checker: Checker, server: Server, env: dict[str, str]) -> None:
    clinic = seed(env, points=1, tickets=0, displays=0, providers=2)
    site_id, service_id = clinic["site_id"], clinic["service_ids"][0]
    ada, ben = clinic["provider_ids"]
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    slot: Json = {"site_id": site_id, "service_id": service_id, "provider_id": ada, "local_start": f"{monday}T10:00"}
    hours: Json = {"weekday": 5, "from": "09:00", "until": "12:00", "slot_minutes": 15, "valid_from": f"{monday}"}
    sent = set()
    with server.client(server.sign_in(clinic, "admin")) as client:

        def send(command: str, status: int = 200, **body: Any) -> Json:
            path = f"{COMMANDS}{command}"
            answer = client.post(path, json=body)
            assert answer.status_code == status, f"{command}: {answer.text}"
            sent.add(path)
            return documented(checker, "post", path, answer)

        def book(clock: str, provider_id: int = ada, **more: Any) -> int:
            wanted = slot | {"local_start": f"{monday}T{clock}", "provider_id": provider_id, "name": "Ada Lovelace"}
            return int(send("book", **wanted, **more)["appointment"]["id"])

        person = documented(
            checker, "post", "/api/v1/practitioners", client.post("/api/v1/practitioners", json={"name": "Dr Ada"})
        )["id"]
        send("link-practitioner", provider_id=ada, practitioner_id=person)
        added = send("add-schedule", site_id=site_id, provider_id=ada, service_ids=[service_id], **hours)
        schedule_id = added["events"][-1]["schedule"]["id"]
        changed = send("change-schedule", schedule_id=schedule_id, from_date=f"{monday + timedelta(days=7)}", until="13:00")
        schedule_id = changed["events"][-1]["schedule"]["id"]
        send("end-schedule", schedule_id=schedule_id, last_date=f"{monday + timedelta(days=60)}")
        closed = send("add-exception", site_id=site_id, provider_id=ben, date=f"{monday}", kind="closed", reason="training")[
            "events"
        ][-1]["exception"]["id"]
        send("remove-exception", exception_id=closed)
        send("release-slot", site_id=site_id, hold_token=send("hold-slot", **slot)["token"])
        series = slot | {"every_days": 7, "count": 3, "name": "Grace Hopper"}
        preview = client.post(f"{COMMANDS}book-series?preview=true", json=series)
        assert documented(checker, "post", f"{COMMANDS}book-series", preview)["tokens"] == []
        send("book-series", **series)
        early, first, second = book("09:00"), book("15:00", wants_earlier=True), book("16:00")
        send("want-earlier", appointment_id=second, wants=True)
        send("amend-appointment", appointment_id=first, note="asks for a chair")
        send("cancel-appointment", appointment_id=early, version=1)
        send("decline-offer", appointment_id=first)
        send("accept-offer", appointment_id=second)
        send("reschedule", appointment_id=first, version=1, local_start=f"{monday}T11:00")
        send("move-appointments", provider_id=ada, date=f"{monday}", reason="ill that day")
        send("check-in", 409, appointment_id=first)
        send("appointment-no-show", 409, appointment_id=first)
        send("clear-unreached", 409, subject_id=first)
        send("confirm", 409, entry_id=send("issue-ticket", queue_id=clinic["queue_ids"][0])["entry"]["id"])  # no outage
    assert sent == OF_APPOINTMENTS | {f"{COMMANDS}book", f"{COMMANDS}issue-ticket"}


def test_commands_are_refused_as_documented(checker: Checker, driving: httpx.Client, server: Server, driven: Seed) -> None:
    paths = [path for path in checker.document["paths"] if path.startswith(COMMANDS)]
    home = driven["site_id"] * IDS_PER_SITE
    clinician = server.client(server.sign_in(driven, "clinician"))
    cookie = httpx.Client(base_url=server.url, cookies={"nowserving_access": server.sign_in(driven, "admin")})
    with clinician, cookie, server.client() as nobody:
        for path in paths:
            reference = checker.document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
            body = checker.resolved(reference)["examples"][0]  # of an unknown site
            ours = {
                key: value % IDS_PER_SITE + home if key.endswith("_id") and isinstance(value, int) else value
                for key, value in body.items()
            }
            if "site_id" in body:
                ours["site_id"] = driven["site_id"]
            for status, code, answer in (
                (400, "malformed_body", driving.post(path, content=b"{", headers=JSON)),
                (401, "not_signed_in", nobody.post(path, json=body)),
                (403, "foreign_origin", cookie.post(path, json=body, headers={"Origin": "https://evil.example"})),
                (404, "site_not_found", driving.post(path, json=body)),
                (413, "body_too_large", driving.post(path, content=b" " * 70_000, headers=JSON)),
                (415, "unsupported_media_type", driving.post(path, content=b"{}")),
                (422, "invalid_body", driving.post(path, json=body | {"nonsense": 1})),
                (422, "invalid_body", driving.post(path, json=ours, headers={"Idempotency-Key": "x" * 81})),
                (None, None, clinician.post(path, json=ours)),
                (None, None, driving.post(path, json=ours, headers={"Content-Type": "text/plain"})),
            ):
                error = documented(checker, "post", path, answer).get("error", {})
                assert code is None or (answer.status_code, error["code"]) == (status, code), (path, answer.text)
        issue = COMMANDS + "issue-ticket"
        assert (
            documented(checker, "post", issue, clinician.post(issue, json={"queue_id": driven["queue_ids"][0]}))["error"][
                "code"
            ]
            == "not_allowed"
        )


def test_preview_answers_as_documented_and_changes_nothing(checker: Checker, admin: httpx.Client, seeded: Seed) -> None:
    issue, body = COMMANDS + "issue-ticket", {"queue_id": seeded["queue_ids"][0]}
    previews = [
        documented(checker, "post", issue, admin.post(issue, json=body, params={"preview": "true"})) for _ in range(2)
    ]
    assert previews[0]["preview"] is True
    assert previews[0]["events"][-1]["label"] == previews[1]["events"][-1]["label"]
    assert "token" not in previews[0]
    wrong = documented(checker, "post", issue, admin.post(issue, json=body, params={"preview": "maybe"}))
    assert (wrong["error"]["code"], wrong["error"]["details"]["field"]) == ("invalid_field", "preview")


def test_repeated_idempotency_key_is_answered_as_documented(checker: Checker, admin: httpx.Client, seeded: Seed) -> None:
    issue, queue_id = COMMANDS + "issue-ticket", seeded["queue_ids"][0]
    key = {"Idempotency-Key": "once"}
    first = documented(checker, "post", issue, admin.post(issue, json={"queue_id": queue_id}, headers=key))
    assert documented(checker, "post", issue, admin.post(issue, json={"queue_id": queue_id}, headers=key)) == first
    other = admin.post(issue, json={"queue_id": queue_id, "party_size": 2}, headers=key)
    assert documented(checker, "post", issue, other)["error"]["code"] == "command_id_reused"


@pytest.mark.parametrize("key", ["!", "a b", "~" * 80, "x" + " " * 78 + "y", "", "x" * 81, "a\tb", "caf\xe9"])
def test_idempotency_key_matches_its_schema(checker: Checker, admin: httpx.Client, seeded: Seed, key: str) -> None:
    parameter = checker.at("components/parameters/IdempotencyKey")
    path = COMMANDS + "issue-ticket"
    answer = admin.post(path, json={"queue_id": seeded["queue_ids"][0]}, headers={b"Idempotency-Key": key.encode("latin-1")})
    documented(checker, "post", path, answer)
    assert (answer.status_code == 200) is (checker.problems(key, parameter["schema"]) == [])


def test_sessions_are_answered_as_documented(checker: Checker, server: Server, seeded: Seed) -> None:
    member = seeded["staff"][-1]
    path, refresh = "/api/v1/session", "/api/v1/session/refresh"
    right = {"username": member["username"], "password": member["password"]}
    with server.client() as client:
        for method, where, status, sending in (
            ("get", path, 401, {}),
            ("delete", path, 401, {}),
            ("post", path, 400, {"content": b"", "headers": JSON}),
            ("post", path, 401, {"json": right | {"password": "wrong"}}),
            ("post", path, 413, {"content": b" " * 70_000, "headers": JSON}),
            ("post", path, 422, {"json": {"username": ""}}),
            ("post", refresh, 400, {"content": b"", "headers": JSON}),
            ("post", refresh, 401, {"json": {}}),
            ("post", refresh, 401, {"json": {"refresh_token": "nonsense"}}),
            ("post", refresh, 422, {"json": {"refresh_token": 1}}),
            ("post", path, 200, {"json": right}),
            ("get", path, 200, {}),
            ("post", refresh, 403, {"json": {}, "headers": {"Origin": "https://evil.example"}}),
            ("post", refresh, 200, {"json": {}}),
            ("delete", path, 403, {"headers": {"Origin": "https://evil.example"}}),
            ("delete", path, 204, {}),
        ):
            answer = client.request(method, where, **sending)
            documented(checker, method, where, answer)
            assert answer.status_code == status, (method, where, answer.text)


def test_administration_is_answered_as_documented(
    checker: Checker, server: Server, admin: httpx.Client, seeded: Seed
) -> None:
    """Each operation on staff, sessions, keys and pairings, with successes and refusals."""
    staff, keys, pairings, sessions = "/api/v1/staff", "/api/v1/api-keys", "/api/v1/pairings", "/api/v1/sessions"
    password = "/api/v1/session/password"
    evil = {"headers": {"Origin": "https://evil.example"}}
    new = {"username": f"new-{seeded['site_id']}", "password": "long enough for all", "role": "manager"}
    token = admin.headers["authorization"].removeprefix("Bearer ")
    cookie = httpx.Client(base_url=server.url, cookies={"nowserving_access": token})
    with server.client() as nobody, server.client(server.sign_in(seeded, "clinician")) as clinician, cookie:
        begun = documented(checker, "post", pairings, nobody.post(pairings))
        made = documented(checker, "post", keys, admin.post(keys, json={"name": "x", "site_id": seeded["site_id"]}))
        added = documented(checker, "post", staff, admin.post(staff, json=new))
        session = documented(checker, "get", sessions, clinician.get(sessions))["data"][0]["id"]
        display = {"device_id": seeded["displays"][1]["id"]}
        code, secret = f"{pairings}/{begun['code']}", f"{pairings}/{begun['secret']}"
        for client, method, template, path, status, sending in (
            (admin, "get", staff, f"{staff}?page_size=1", 200, {}),
            (admin, "get", staff, f"{staff}?page_size=x", 422, {}),
            (nobody, "get", staff, staff, 401, {}),
            (clinician, "get", staff, staff, 403, {}),
            (admin, "post", staff, staff, 409, {"json": new}),
            (admin, "post", staff, staff, 422, {"json": {}}),
            (cookie, "post", staff, staff, 403, {"json": new} | evil),
            (admin, "patch", staff + "/{staff_id}", f"{staff}/{added['id']}", 200, {"json": {"active": False}}),
            (admin, "patch", staff + "/{staff_id}", f"{staff}/{added['id']}", 422, {"json": {"active": 1}}),
            (admin, "patch", staff + "/{staff_id}", f"{staff}/{MAX_ID}", 404, {"json": {}}),
            (admin, "patch", staff + "/{staff_id}", f"{staff}/x", 404, {"json": {}}),
            (admin, "get", keys, keys, 200, {}),
            (clinician, "post", keys, keys, 403, {"json": {"name": "x"}}),
            (admin, "post", keys, keys, 404, {"json": {"name": "x", "site_id": MAX_ID}}),
            (admin, "delete", keys + "/{api_key_id}", f"{keys}/{made['id']}", 204, {}),
            (admin, "delete", keys + "/{api_key_id}", f"{keys}/{made['id']}", 404, {}),
            (nobody, "get", pairings + "/{pairing}", secret, 200, {}),
            (admin, "post", pairings + "/{pairing}", code, 404, {"json": {"device_id": seeded["queue_ids"][0]}}),
            (admin, "post", pairings + "/{pairing}", code, 200, {"json": display}),
            (admin, "post", pairings + "/{pairing}", code, 200, {"json": display}),
            (clinician, "post", pairings + "/{pairing}", code, 403, {"json": display}),
            (nobody, "get", pairings + "/{pairing}", secret, 200, {}),
            (nobody, "get", pairings + "/{pairing}", secret, 404, {}),
            (clinician, "get", sessions, f"{sessions}?staff_id=1000", 403, {}),
            (admin, "get", sessions, f"{sessions}?staff_id=1000", 404, {}),
            (clinician, "post", password, password, 403, {"json": {"old_password": "x", "new_password": "x" * 12}}),
            (clinician, "post", password, password, 422, {"json": {"old_password": "x", "new_password": "short"}}),
            (admin, "delete", sessions + "/{session_id}", f"{sessions}/{session}", 204, {}),
            (admin, "delete", sessions + "/{session_id}", f"{sessions}/{session}", 404, {}),
            (clinician, "get", sessions, sessions, 401, {}),
            (admin, "get", sessions, f"{sessions}?api_version=7", 400, {}),
        ):  # fmt: skip
            answer = client.request(method, path, **sending)
            documented(checker, method, template, answer)
            assert answer.status_code == status, (method, path, answer.text)


def test_sites_and_boards_are_answered_as_documented(
    checker: Checker, admin: httpx.Client, server: Server, seeded: Seed
) -> None:
    path, board = "/api/v1/sites", "/api/v1/sites/{site_id}/board"
    with server.client() as nobody:
        assert documented(checker, "get", path, nobody.get(path))["error"]["code"] == "not_signed_in"
        assert documented(checker, "get", path, admin.get(path, params=[("page_size", "1"), ("page_size", "2")]))["data"]
        refused = documented(checker, "get", path, admin.get(path, params={"page": "2"}))["error"]
        assert (refused["code"], refused["details"]["field"]) == ("invalid_field", "page")
        for site_id, status in ((seeded["site_id"], 200), (0, 404), (MAX_ID, 404), ("x", 404), (-1, 404), (10**17, 404)):
            answer = admin.get(board.format(site_id=site_id))
            documented(checker, "get", board, answer)
            assert answer.status_code == status
        documented(checker, "get", board, nobody.get(board.format(site_id=1)))


def test_health_and_metrics_are_answered_as_documented(checker: Checker, server: Server) -> None:
    with server.client() as client:
        health = [f"/health{name}" for name in ("", "/live", "/ready", "/startup", "/metrics", "/streams")]
        for path in (*health, "/metrics", "/api/openapi.json"):
            answer = client.get(path)
            assert answer.status_code == 200
            documented(checker, "get", path, answer)
            head = client.head(path)
            assert (head.status_code, head.content) == (200, b"")


def test_unknown_paths_and_methods_are_answered_as_documented(server: Server, checker: Checker, admin: httpx.Client) -> None:
    """The introduction of the document describes these answers."""
    listed = checker.at("components/schemas/ErrorCode")["x-codes"]
    for method, path in (
        ("GET", "/api/v1/nowhere"),
        ("GET", "/api/v1/sites/"),
        ("PUT", "/api/v1/sites"),
        ("OPTIONS", "/metrics"),
        ("POST", COMMANDS + "nonsense"),
    ):
        answer = admin.request(method, path, json={})
        assert checker.problems(answer.json(), checker.at("components/schemas/Error")) == []
        assert listed[answer.json()["error"]["code"]]["status"] == answer.status_code
        assert ("allow" in answer.headers) is (answer.status_code == 405)


STREAMS = {
    "/live/sites/{site_id}/desk": "/live/sites/{site_id}/desk",
    "/live/displays/{display_id}": "/live/displays/{display_id}?token={display_token}",
    "/live/tickets/{token}": "/live/tickets/{ticket_token}",
}


def addresses(seeded: Seed) -> dict[str, str]:
    names = {
        "site_id": seeded["site_id"],
        "display_id": seeded["displays"][0]["id"],
        "display_token": seeded["displays"][0]["token"],
        "ticket_token": seeded["tickets"][0]["token"],
    }
    return {path: address.format(**names) for path, address in STREAMS.items()}


def test_streams_are_answered_as_documented(checker: Checker, admin: httpx.Client, server: Server, seeded: Seed) -> None:
    token = admin.headers["authorization"]
    for path, address in addresses(seeded).items():
        described = checker.document["paths"][path]["get"]
        headers = {"Authorization": token} if path.endswith("desk") else {}
        seen: dict[str, Json] = {}
        expected = {"snapshot", "heartbeat"} | ({"change"} if "tickets" not in path else set())
        with httpx.stream("GET", server.url + address, headers=headers, timeout=60) as answer:
            assert answer.headers["content-type"].partition(";")[0] in described["responses"]["200"]["content"]
            event = ""
            for line in islice(answer.iter_lines(), 200):
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    seen[event] = json.loads(value)
                    assert checker.problems(seen[event], described["x-messages"][event], event) == []
                    if event == "snapshot":
                        admin.post(COMMANDS + "issue-ticket", json={"queue_id": seeded["queue_ids"][0]})
                elif name == "id":
                    assert value.split(".")[1] == stamped(described["x-shape"])
                if expected <= set(seen):
                    break
        assert expected <= set(seen), path
        assert seen["snapshot"]["cells"]
        assert checker.problems(seen["snapshot"]["cells"], described["x-cells"]) == []
        with server.client() as nobody:
            wrong = re.sub(r"\?.*|[^/]+$", "", address) if path.endswith("{token}") else address.partition("?")[0]
            answer = nobody.get(wrong + ("7-nonsense" if path.endswith("{token}") else ""))
            documented(checker, "get", path, answer)
            assert answer.status_code in (401, 404)
    with server.client(seeded["displays"][0]["token"]) as display:
        path = "/live/displays/{display_id}"
        documented(checker, "get", path, display.get(path.format(display_id=seeded["displays"][1]["id"])))


def test_websockets_are_answered_as_documented(checker: Checker, server: Server, seeded: Seed) -> None:
    path = "/live/tickets/{token}"
    described = checker.document["paths"][path]["get"]
    assert "101" in described["responses"]

    async def first() -> Json:
        async with connect(server.url.replace("http", "ws") + addresses(seeded)[path], open_timeout=60) as socket:
            frame: Json = json.loads(await socket.recv())
            return frame

    frame = asyncio.run(first())
    kind = frame.pop("type")
    frame.pop("id")
    assert checker.problems(frame, described["x-messages"][kind]) == []


def test_command_line_prints_the_same_document(checker: Checker, env: dict[str, str]) -> None:
    printed = command_line(env, "openapi")
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == checker.document
