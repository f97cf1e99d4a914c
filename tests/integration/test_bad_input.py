"""The server refuses bad input with a 4xx in the error shape that names the field, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from server.seeding import Seed
from server.store import tables
from server.transport.http.bodies import MODELS
from tests.support.server import Server, environment, seed, serving

JSON = {"Content-Type": "application/json"}
Records = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-input")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=3, tickets=6, displays=2)


@pytest.fixture(scope="module")
def foreign(seeded: Seed, env: dict[str, str]) -> Seed:
    """A site of another organisation."""
    return seed(env, points=1, tickets=1, displays=1)


@pytest.fixture(scope="module")
def server(env: dict[str, str], foreign: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture(scope="module")
def entries(admin: httpx.Client, seeded: Seed) -> dict[str, int]:
    """One entry of the first site in each state that commands can reach."""
    found = {}
    for state, steps, point in (
        ("completed", ("start", "complete"), 0),
        ("no_show", ("no-show",), 0),
        ("called", (), 0),
        ("serving", ("start",), 1),
    ):
        answer = admin.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][point]})
        found[state] = answer.json()["entry"]["id"]
        for step in steps:
            assert admin.post(f"/api/v1/commands/{step}", json={"entry_id": found[state]}).status_code == 200
    board = admin.get(f"/api/v1/sites/{seeded['site_id']}/board").json()["cells"]
    waiting = [key for key, cell in board.items() if key.startswith("entry:") and cell["state"] == "waiting"]
    found["waiting"] = int(waiting[0].removeprefix("entry:"))
    return found


def assert_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert the error shape; return the error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    (key,) = answer.json()
    assert key == "error"
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id", "timestamp"}
    assert error["code"] == code, error
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert datetime.fromisoformat(error["timestamp"]).tzinfo is not None
    return error


@pytest.fixture(scope="module")
def records(env: dict[str, str], server: Server, seeded: Seed) -> Iterator[Records]:
    """A function that reads all records of the site."""
    with closing(sqlite3.connect(make_url(env["NOWSERVING_DATABASE_URL"]).database or "")) as connection:
        yield lambda: _records(connection, seeded["site_id"])


@pytest.fixture
def nothing_changed(records: Records, entries: dict[str, int]) -> Iterator[None]:
    """Assert that a test leaves every record of the site unchanged."""
    before = records()
    yield
    assert records() == before


# The clock runs on and renews the quotes. The comparison leaves out the columns and events that this changes; a site's proof
# covers the head of its log.
QUOTED = {"expect_from", "expect_until", "estimating", "next_tick_at", "quoted_at", "last_event_at", "chain", "seq"}
EXCEPT_CLOCK = {
    "events": "AND actor != 'clock'",
    "commands": "AND command_id NOT IN (SELECT command_id FROM events WHERE actor = 'clock')",
}


def _records(connection: sqlite3.Connection, site_id: int) -> list[tuple[Any, ...]]:
    """Return every row of a site except its audit, which records refusals. Fast, because hundreds of tests call it twice."""
    found: list[tuple[Any, ...]] = []
    for table in tables.metadata.sorted_tables:
        own = "id" if table is tables.sites else "site_id"
        if own not in table.columns or table is tables.audit:
            continue
        left_out = {tables.events: set(), tables.sites: QUOTED | {"proof"}}.get(table, QUOTED)
        columns = ", ".join(column.name for column in table.columns if column.name not in left_out)
        query = f"SELECT '{table.name}', {columns} FROM {table.name} WHERE {own} = ? {EXCEPT_CLOCK.get(table.name, '')}"
        found += connection.execute(query, (site_id,)).fetchall()
    return sorted(found, key=repr)


pytestmark = pytest.mark.usefixtures("nothing_changed")


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b'{"entry_id": NaN}', b'{"name": "\xff\xfe"}', b'{"name": "\\ud800"}', b"[1,2", b"\x00",
        b'{"a":1}{"b":2}', b"'x'",
    ],
)  # fmt: skip
def test_malformed_json_is_refused(admin: httpx.Client, name: str, body: bytes) -> None:
    assert_refused(admin.post(f"/api/v1/commands/{name}", content=body, headers=JSON), 400, "malformed_body")


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{}", "true"])
def test_json_that_is_not_a_command_body_is_refused(admin: httpx.Client, name: str, body: str) -> None:
    error = assert_refused(admin.post(f"/api/v1/commands/{name}", content=body, headers=JSON), 422, "invalid_body")
    assert error["details"]["fields"]


WRONG: tuple[Any, ...] = ("1", 1.5, True, None, {}, [[]], -1, 0, 2**60, 2**80, "\x00", " x", "x" * 201)
# Values of WRONG that are valid in these fields.
VALID_VALUES: dict[str, tuple[Any, ...]] = {
    "minutes": (0,),
    "weekday": (0,),
    "behind_entry_id": (None,),
    "message": (None, "1"),
    "provider_id": (None,),
    "to_provider_id": (None,),
}


def _good_body(name: str, seeded: Seed, entries: dict[str, int]) -> dict[str, Any]:
    queue_id, point_id = seeded["queue_ids"][0], seeded["point_ids"][2]
    bodies: dict[str, dict[str, Any]] = {
        "issue-ticket": {"queue_id": queue_id},
        "call-next": {"point_id": point_id},
        "recall": {"entry_id": entries["called"]},
        "start": {"entry_id": entries["called"]},
        "complete": {"entry_id": entries["serving"]},
        "no-show": {"entry_id": entries["called"]},
        "transfer": {"entry_id": entries["waiting"], "queue_id": queue_id},
        "call": {"entry_id": entries["waiting"], "point_id": point_id},
        **{name: {"entry_id": entries["waiting"]} for name in ("hold", "return", "leave", "undo", "reopen")},
        "cancel": {"entry_id": entries["waiting"], "reason": "asked for"},
        "reprioritise": {"entry_id": entries["waiting"], "priority": "urgent"},
        "move": {"entry_id": entries["waiting"], "behind_entry_id": None, "reason": "frail"},
        "running-late": {"entry_id": entries["waiting"], "minutes": 5},
        **{name: {"point_id": point_id} for name in ("open-point", "break-point", "close-point")},
        **{name: {"queue_id": queue_id} for name in ("open-queue", "pause-queue")},
        "broadcast-message": {"site_id": seeded["site_id"], "message": "Fire drill"},
        "announce-delay": {"site_id": seeded["site_id"], "minutes": 30},
        "withdraw-delay": {"site_id": seeded["site_id"]},
        "close-day": {"site_id": seeded["site_id"], "reason": "evening"},
        "add-queue": {"site_id": seeded["site_id"], "name": "New", "prefix": "Z"},
        "add-point": {"site_id": seeded["site_id"], "name": "New", "queue_ids": [queue_id]},
        **{f"add-{kind}": {"site_id": seeded["site_id"], "name": "New"} for kind in ("display", "kiosk", "provider")},
        "add-service": {"site_id": seeded["site_id"], "name": "New", "public_name": "New"},
        **{each: {"entry_id": entries["waiting"]} for each in ("amend-visit", "confirm")},
        "staff-point": {"point_id": point_id, "provider_id": None},
        "swap-points": {"point_id": point_id, "with_point_id": seeded["point_ids"][1]},
        "reassign-provider": {"provider_id": queue_id, "to_provider_id": None, "reason": "ill today"},
        "change-site": {"site_id": seeded["site_id"]},
        "change-service": {"service_id": queue_id},
        "change-provider": {"provider_id": queue_id},
        "change-queue": {"queue_id": queue_id},
        "change-point": {"point_id": point_id},
        "change-display": {"display_id": seeded["displays"][0]["id"]},
        "rename-device": {"device_id": seeded["displays"][0]["id"], "name": "New"},
        "renew-token": {"device_id": seeded["displays"][0]["id"]},
        "revoke-token": {"device_id": seeded["displays"][0]["id"]},
        "remove": {"record_id": queue_id},
        "change-kiosk": {"kiosk_id": seeded["displays"][0]["id"]},
        "ask-help": {"kiosk_id": seeded["displays"][0]["id"]},
        "answer-help": {"kiosk_id": seeded["displays"][0]["id"], "name": "Maria"},
        "arrange": {"site_id": seeded["site_id"], "record_ids": [queue_id]},
        **_bodies_of_appointments(seeded),
        "hide-checklist": {"site_id": seeded["site_id"]},
        "end-trial": {"site_id": seeded["site_id"]},
    }
    return bodies[name]


def _bodies_of_appointments(seeded: Seed) -> dict[str, dict[str, Any]]:
    site_id, queue_id = seeded["site_id"], seeded["queue_ids"][0]
    one = {"appointment_id": queue_id}  # the checked fields come before the look-up
    time = {"site_id": site_id, "service_id": queue_id, "local_start": "2030-01-07T09:00"}
    hours = {"weekday": 0, "from": "09:00", "until": "17:00", "slot_minutes": 15, "valid_from": "2030-01-01"}
    return {
        **dict.fromkeys(("check-in", "accept-offer", "decline-offer", "appointment-no-show", "amend-appointment"), one),
        "clear-unreached": {"subject_id": queue_id},
        "want-earlier": one | {"wants": True},
        "cancel-appointment": one | {"version": 1},
        "reschedule": one | {"version": 1, "local_start": "2030-01-07T09:00"},
        "hold-slot": time,
        "release-slot": {"site_id": site_id, "hold_token": "a hold"},
        "book": time | {"name": "Ada"},
        "book-series": time | {"name": "Ada", "provider_id": queue_id, "every_days": 7, "count": 2},
        "move-appointments": {"provider_id": queue_id, "date": "2030-01-07", "reason": "ill today"},
        "link-practitioner": {"provider_id": queue_id},
        "add-schedule": {"site_id": site_id, "provider_id": queue_id, "service_ids": [queue_id]} | hours,
        "change-schedule": {"schedule_id": queue_id, "from_date": "2030-01-07"},
        "end-schedule": {"schedule_id": queue_id, "last_date": "2030-01-07"},
        "add-exception": {"site_id": site_id, "date": "2030-01-07", "kind": "closed", "reason": "training"},
        "remove-exception": {"exception_id": queue_id},
    }


@pytest.mark.parametrize("name", sorted(MODELS))
def test_error_names_each_invalid_field(admin: httpx.Client, name: str, seeded: Seed, entries: dict[str, int]) -> None:
    """The error names a field with a wrong value, a missing field and an unknown field."""
    good = _good_body(name, seeded, entries)
    for field in good:
        for wrong in WRONG:
            if isinstance(good[field], str) and wrong == "1" and field != "prefix":
                continue  # a valid name
            if wrong in VALID_VALUES.get(field, ()) and not isinstance(wrong, bool):
                continue
            if isinstance(wrong, bool) and isinstance(good[field], bool):
                continue
            answer = admin.post(f"/api/v1/commands/{name}", json=good | {field: wrong})
            error = assert_refused(answer, 422, "invalid_body")
            assert any(each["field"].startswith(field) for each in error["details"]["fields"]), (field, wrong, error)
        missing = {key: value for key, value in good.items() if key != field}
        error = assert_refused(admin.post(f"/api/v1/commands/{name}", json=missing), 422, "invalid_body")
        assert [each["field"] for each in error["details"]["fields"]] == [field]
    error = assert_refused(admin.post(f"/api/v1/commands/{name}", json=good | {"colour": "red"}), 422, "invalid_body")
    assert [each["field"] for each in error["details"]["fields"]] == ["colour"]


@pytest.mark.parametrize(
    "extra",
    [
        {"priority": "vip"}, {"party_size": 0}, {"party_size": 21}, {"party_size": "2"}, {"name": ""}, {"name": "a\nb"},
        {"name": "x" * 81}, {"phone": "call me"}, {"language": "english"}, {"name_on_display": 1}, {"label": "A001"},
    ],
)  # fmt: skip
def test_error_names_the_invalid_ticket_field(admin: httpx.Client, seeded: Seed, extra: dict[str, Any]) -> None:
    answer = admin.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0]} | extra)
    error = assert_refused(answer, 422, "invalid_body")
    assert [each["field"] for each in error["details"]["fields"]] == list(extra)


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [
        ("issue-ticket", "queue_id", "queue_not_found"), ("call-next", "point_id", "point_not_found"),
        ("recall", "entry_id", "entry_not_found"), ("start", "entry_id", "entry_not_found"),
        ("complete", "entry_id", "entry_not_found"), ("no-show", "entry_id", "entry_not_found"),
        ("transfer", "entry_id", "entry_not_found"), ("transfer", "queue_id", "queue_not_found"),
    ],
)  # fmt: skip
def test_unknown_id_is_not_found(
    admin: httpx.Client,
    name: str,
    field: str,
    code: str,
    seeded: Seed,
    foreign: Seed,
    entries: dict[str, int],
) -> None:
    """The id is unused, of another kind, of no site, or of another organisation."""
    good = _good_body(name, seeded, entries)
    site_id = seeded["site_id"]
    for unknown in (site_id * 10**9 + 999_999, seeded["displays"][0]["id"]):
        assert_refused(admin.post(f"/api/v1/commands/{name}", json=good | {field: unknown}), 404, code)
    for elsewhere in (1, 2**53 - 1, foreign["queue_ids"][0], foreign["point_ids"][0]):
        answer = admin.post(f"/api/v1/commands/{name}", json=good | {field: elsewhere})
        if name == "transfer" and field == "queue_id":
            assert_refused(answer, 404, "queue_not_found")
        else:
            assert_refused(answer, 404, "site_not_found")


def test_site_id_of_another_site_is_refused(admin: httpx.Client, seeded: Seed, foreign: Seed) -> None:
    body = {"queue_id": seeded["queue_ids"][0], "site_id": foreign["site_id"]}
    error = assert_refused(admin.post("/api/v1/commands/issue-ticket", json=body), 422, "invalid_body")
    assert error["details"]["fields"][0]["field"] == "site_id"


@pytest.mark.parametrize(
    ("name", "states", "code"),
    [
        ("start", ("waiting", "serving", "completed", "no_show"), "entry_not_called"),
        ("recall", ("waiting", "serving", "completed", "no_show"), "entry_not_called"),
        ("no-show", ("waiting", "serving", "completed", "no_show"), "entry_not_called"),
        ("complete", ("waiting", "called", "completed", "no_show"), "entry_not_serving"),
    ],
)
def test_step_is_refused_in_a_wrong_state(
    admin: httpx.Client, entries: dict[str, int], name: str, states: tuple[str, ...], code: str
) -> None:
    for state in states:
        error = assert_refused(admin.post(f"/api/v1/commands/{name}", json={"entry_id": entries[state]}), 409, code)
        assert error["details"]["state"] == state


def test_transfer_of_an_ended_entry_is_refused(admin: httpx.Client, entries: dict[str, int], seeded: Seed) -> None:
    for state in ("completed", "no_show"):
        body = {"entry_id": entries[state], "queue_id": seeded["queue_ids"][2]}
        assert_refused(admin.post("/api/v1/commands/transfer", json=body), 409, "entry_not_open")


def test_call_next_is_refused_at_a_busy_point(admin: httpx.Client, entries: dict[str, int], seeded: Seed) -> None:
    answer = admin.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]})
    assert_refused(answer, 409, "point_busy")


@pytest.mark.parametrize("name", ["nonsense", "tick", "IssueTicket", "..%2f", "x" * 500])
def test_unknown_command_is_not_found(admin: httpx.Client, name: str) -> None:
    assert admin.post(f"/api/v1/commands/{name}", json={}).status_code == 404


def test_get_of_a_command_is_refused(admin: httpx.Client) -> None:
    assert_refused(admin.get("/api/v1/commands/call-next"), 405, "method_not_allowed")


def test_too_large_body_is_refused(admin: httpx.Client, seeded: Seed) -> None:
    answer = admin.post("/api/v1/commands/issue-ticket", content=b"x" * 10_000_000, headers=JSON)
    assert_refused(answer, 413, "body_too_large")
    answer = admin.post("/api/v1/commands/issue-ticket", content=(b"x" * 1000 for _ in range(100)), headers=JSON)
    assert_refused(answer, 413, "body_too_large")


@pytest.mark.parametrize("key", ["", "x" * 81, "a\tb", "caf\xe9"])
def test_invalid_idempotency_key_is_refused(admin: httpx.Client, seeded: Seed, key: str) -> None:
    answer = admin.post(
        "/api/v1/commands/issue-ticket",
        json={"queue_id": seeded["queue_ids"][0]},
        headers={b"Idempotency-Key": key.encode("latin-1")},
    )
    assert_refused(answer, 422, "invalid_body")


def test_command_needs_a_credential_and_a_permitted_role(server: Server, seeded: Seed, entries: dict[str, int]) -> None:
    """The server refuses a client without a token, with an invalid token, and with a role that lacks the right."""
    body = {"queue_id": seeded["queue_ids"][0]}
    with server.client() as nobody:
        assert_refused(nobody.post("/api/v1/commands/issue-ticket", json=body), 401, "not_signed_in")
    with server.client("e30.e30.e30") as forged:
        assert_refused(forged.post("/api/v1/commands/issue-ticket", json=body), 401, "not_signed_in")
    with server.client(seeded["displays"][0]["token"]) as display:
        assert_refused(display.post("/api/v1/commands/issue-ticket", json=body), 401, "not_signed_in")
    with server.client(server.sign_in(seeded, "clinician")) as clinician:
        assert_refused(clinician.post("/api/v1/commands/issue-ticket", json=body), 403, "not_allowed")
        queue = {"site_id": seeded["site_id"], "name": "Mine", "prefix": "Y"}
        assert_refused(clinician.post("/api/v1/commands/add-queue", json=queue), 403, "not_allowed")


def test_cookie_from_a_foreign_origin_is_refused(server: Server, seeded: Seed) -> None:
    token = server.sign_in(seeded, "receptionist")
    with httpx.Client(base_url=server.url, cookies={"nowserving_access": token}) as browser:
        body = {"point_id": seeded["point_ids"][0]}
        evil = {"Origin": "https://evil.example"}
        answer = browser.post("/api/v1/commands/call-next", json=body, headers=evil)
        assert_refused(answer, 403, "foreign_origin")
        answer = browser.post("/api/v1/commands/call-next", json=body, headers={"Origin": server.url})
        assert_refused(answer, 409, "point_busy")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "http://["}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_change_from_a_foreign_origin_is_refused_without_a_cookie(
    server: Server, seeded: Seed, headers: dict[str, str]
) -> None:
    """A form of another site cannot sign a browser in as somebody else, nor pair its screen."""
    member = seeded["staff"][0]
    sign_in = {"username": member["username"], "password": member["password"]}
    with server.client() as browser:
        for path, body in (("/api/v1/session", sign_in), ("/api/v1/session/refresh", {}), ("/api/v1/pairings", {})):
            answer = browser.post(path, json=body, headers=headers)
            assert_refused(answer, 403, "foreign_origin")
            assert "set-cookie" not in answer.headers
        ticket = f"/live/tickets/{seeded['tickets'][0]['token']}/disagreement"
        assert_refused(browser.post(ticket, json={"seq": 1}, headers=headers), 403, "foreign_origin")
        own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
        assert browser.post("/api/v1/session", json=sign_in, headers=own).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_form_of_another_site_cannot_sign_in(server: Server, seeded: Seed, kind: str | None) -> None:
    member = seeded["staff"][0]
    body = f'{{"username": "{member["username"]}", "password": "{member["password"]}"}}'.encode()
    with server.client() as browser:
        answer = browser.post("/api/v1/session", content=body, headers={"Content-Type": kind} if kind else {})
        assert_refused(answer, 415, "unsupported_media_type")


def test_sign_in_does_not_reveal_whether_the_user_exists(server: Server, seeded: Seed) -> None:
    username = seeded["staff"][0]["username"]
    with server.client() as client:
        for body in ({"username": username, "password": "wrong"}, {"username": "nobody", "password": "wrong"}):
            error = assert_refused(client.post("/api/v1/session", json=body), 401, "sign_in_failed")
            assert error["details"] == {}
        assert_refused(client.post("/api/v1/session", json={"username": username}), 422, "invalid_body")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/live/displays/1", 401, "not_signed_in"),
        ("/live/sites/1/desk", 401, "not_signed_in"),
        ("/live/tickets/nonsense", 404, "ticket_not_found"),
        ("/live/nowhere", 404, "not_found"),
        ("/api/v1/nowhere", 404, "not_found"),
        ("/api/v1/sites/1/board", 401, "not_signed_in"),
    ],
)
def test_streams_and_queries_refuse_with_the_error_shape(server: Server, path: str, status: int, code: str) -> None:
    with server.client() as client:
        assert_refused(client.get(path), status, code)


def test_display_cannot_follow_another_display(server: Server, seeded: Seed) -> None:
    first, second = seeded["displays"]
    with server.client(first["token"]) as client:
        assert_refused(client.get(f"/live/displays/{second['id']}"), 403, "not_allowed")


def test_site_of_another_organisation_is_not_found(admin: httpx.Client, foreign: Seed) -> None:
    for site_id in (foreign["site_id"], 10**6, 9_999_999_999_999_999):
        assert_refused(admin.get(f"/api/v1/sites/{site_id}/board"), 404, "site_not_found")
        assert_refused(admin.get(f"/live/sites/{site_id}/desk"), 404, "site_not_found")
    assert_refused(admin.get(f"/api/v1/sites/{10**30}/board"), 404, "not_found")
    assert foreign["site_id"] not in [site["id"] for site in admin.get("/api/v1/sites").json()["data"]]


def test_ticket_token_is_refused_for_other_tickets_and_staff_commands(
    server: Server, admin: httpx.Client, seeded: Seed
) -> None:
    """The token of a ticket gives access neither to other tickets nor to the commands of staff."""
    queue = {"queue_id": seeded["queue_ids"][0]}
    with server.client("1-" + "x" * 22) as nobody:
        assert_refused(nobody.post("/api/v1/commands/leave", json={"entry_id": 1}), 401, "not_signed_in")
    with server.client(seeded["tickets"][5]["token"]) as patient:
        assert_refused(patient.post("/api/v1/commands/issue-ticket", json=queue), 403, "not_allowed")
        board = admin.get(f"/api/v1/sites/{seeded['site_id']}/board").json()["cells"]
        others = [
            int(key.removeprefix("entry:"))
            for key, cell in board.items()
            if key.startswith("entry:") and cell["label"] != seeded["tickets"][5]["label"]
        ]
        for entry_id in (*others, 999_999_999_999):
            answer = patient.post("/api/v1/commands/leave", json={"entry_id": entry_id})
            assert_refused(answer, 404, "entry_not_found")
            answer = patient.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][2]})
            assert_refused(answer, 403, "not_allowed")
