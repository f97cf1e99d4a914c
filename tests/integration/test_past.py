"""Past screens and replays with changes over HTTP, on a running server with both engines."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.seeding import Seed
from tests.integration.test_audit import audit_rows
from tests.support.processes import wait_until
from tests.support.server import Server, environment, seed, serving

Json = dict[str, Any]


def at(milliseconds: int) -> str:
    """Return an instant to the second, with an offset."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def do(client: httpx.Client, command: str, /, **body: Any) -> Json:
    answer = client.post(f"/api/v1/commands/{command}", json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def look(client: httpx.Client, site_id: int, **query: Any) -> Json:
    answer = client.get(f"/api/v1/sites/{site_id}/past", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def refusal(client: httpx.Client, site_id: int, what: str = "past", **query: Any) -> tuple[int, str]:
    answer = client.get(f"/api/v1/sites/{site_id}/{what}", params=query)
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    return environment(database_url)


def test_past_screens_equal_the_live_ones_of_then(env: dict[str, str], database_url: str, tmp_path: Path) -> None:
    mine = seed(env, points=2, tickets=3, displays=1)
    site_id, (point_id, *_), display = mine["site_id"], mine["point_ids"], mine["displays"][0]
    with serving(env, tmp_path) as server:
        tokens = {role: server.sign_in(mine, role) for role in ("admin", "manager", "receptionist")}
        with server.client(tokens["receptionist"]) as desk, server.client(tokens["admin"]) as admin:
            issued = do(desk, "issue-ticket", queue_id=mine["queue_ids"][0], name="Ada Lovelace")
            boards = []
            for name, body in (
                ("call", {"entry_id": issued["entry"]["id"], "point_id": point_id}),
                ("undo", {"entry_id": issued["entry"]["id"]}),
                ("call", {"entry_id": issued["entry"]["id"], "point_id": point_id}),
                ("start", {"entry_id": issued["entry"]["id"]}),
                ("complete", {"entry_id": issued["entry"]["id"]}),
            ):
                do(desk, name, **body)
                boards.append(desk.get(f"/api/v1/sites/{site_id}/board").json())
            for board in boards:
                found = look(admin, site_id, number=board["seq"])
                assert (found["seq"], found["cells"]) == (board["seq"], board["cells"])
            _check_steps(admin, site_id, boards)
            called = boards[2]["seq"]
            shown = look(admin, site_id, screen=f"display:{display['id']}", number=called)
            calls = [cell["point"] for key, cell in shown["cells"].items() if key.startswith("entry:")]
            assert calls == [point_id]
            room = look(admin, site_id, screen=f"point:{point_id}", number=called)
            assert room["cells"]["guest"]["name"] == "Ada Lovelace"
            with server.client(tokens["manager"]) as manager:
                for screen in ("desk", f"point:{point_id}"):
                    assert "Ada" not in json.dumps(look(manager, site_id, screen=screen, number=called, following=50))
            assert {each["screen"] for each in shown["screens"]} >= {"desk", "display", f"point:{point_id}"}
            for secret in (display["token"], "token_hash"):
                assert secret not in json.dumps([shown, room, found])
            _check_refusals(server, admin, site_id, tokens["receptionist"], shown)
        wait_until(lambda: _noted(database_url, f"point:{point_id}") is not None, "the audit of a look")
        noted = _noted(database_url, f"point:{point_id}")
        assert noted.site_id == site_id
        assert datetime.fromisoformat(noted.detail).timestamp() == room["at"] // 1000


def _noted(database_url: str, screen: str) -> Any:
    """Return the last row of the audit about a look at a screen, or None."""
    found = [row for row in audit_rows(database_url) if (row.action, row.subject) == ("replay-days", screen) and row.allowed]
    return found[-1] if found else None


def _check_steps(admin: httpx.Client, site_id: int, boards: list[Json]) -> None:
    """The events after the first board change it to the later ones; so does the instant of the last."""
    first = look(admin, site_id, number=boards[0]["seq"], following=200)
    cells, known = dict(first["cells"]), {board["seq"]: board["cells"] for board in boards}
    for event in first["following"]:
        cells |= event["set"]
        for key in event["gone"]:
            del cells[key]
        if event["seq"] in known:
            assert cells == known[event["seq"]]
    assert first["following"][0]["type"] == "step-undone"
    time.sleep(1)  # only instants that are past can be asked for
    last = look(admin, site_id, at=at(first["following"][-1]["at"] + 999))
    assert last["seq"] >= boards[-1]["seq"]


def _check_refusals(server: Server, admin: httpx.Client, site_id: int, receptionist: str, shown: Json) -> None:
    assert refusal(admin, site_id) == (422, "invalid_field")
    assert refusal(admin, site_id, number=1, at=at(shown["at"])) == (422, "invalid_field")
    assert refusal(admin, site_id, at="2026-11-30T10:42:00") == (422, "invalid_field")
    assert refusal(admin, site_id, at="2126-11-30T10:42:00+01:00") == (422, "invalid_field")
    assert refusal(admin, site_id, at="2001-11-30T10:42:00+01:00") == (404, "nothing_recorded")
    assert refusal(admin, site_id, number=10**9) == (404, "nothing_recorded")
    assert refusal(admin, site_id, number=1, screen="kitchen") == (422, "invalid_field")
    assert refusal(admin, site_id, number=1, screen="point:1") == (422, "invalid_field")
    unknown = shown["site_id"] * 1_000_000_000 + 999_999
    assert refusal(admin, site_id, number=1, screen=f"point:{unknown}") == (404, "point_not_found")
    assert refusal(admin, site_id, number=1, screen=f"display:{unknown}") == (404, "device_not_found")
    with server.client(receptionist) as desk:
        assert refusal(desk, site_id, number=1) == (403, "not_allowed")


def _check_changes(manager: httpx.Client, mine: Seed, day: Json, found: Json) -> None:
    site_id, point_id, queue_id = mine["site_id"], mine["point_ids"][0], mine["queue_ids"][0]

    def changed(**query: Any) -> Json:
        answer = manager.get(f"/api/v1/sites/{site_id}/what-if", params=day | query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert [each["queue"] for each in found["queues"]] == [queue_id]
    assert found["queues"][0]["real"] == found["real"]
    assert sum(each["real"]["called"] for each in found["hours"]) == 5
    closed = changed(closed_points=point_id)
    assert (closed["changed"]["called"], closed["changed"]["waiting"]) == (0, 6)
    assert closed["control"] == found["control"]
    away = changed(intake_until="2001-01-01T00:00+00:00", return_lead=0, begins_later=-5, hours_of=point_id)
    assert (away["turned_away"], away["changed"]["called"]) == (6, 0)
    other = mine["queue_ids"][1]
    assert changed(queues_of=point_id, queues=f"{other}")["changed"]["called"] == 0
    assert changed(queues_of=point_id, queues=f"{queue_id},{other}")["changed"] == found["control"]
    for wrong in (
        {"queues_of": point_id},
        {"queues": queue_id},
        {"closed_points": "1,2"},
        {"closed_points": ""},
        {"begins_later": "-241"},
        {"begins_later": "--1"},
        {"return_lead": "-1"},
        {"hours_of": 1},
        {"intake_from": "2026-01-01T10:00+00:00", "intake_until": "2026-01-01T10:00+00:00"},
    ):
        assert refusal(manager, site_id, "what-if", **day, **wrong) == (422, "invalid_field"), wrong


def _audited(database_url: str, changes: str) -> Any:
    """Return the first row of the audit about a replay whose detail begins with some changes, or None."""
    rows = [row for row in audit_rows(database_url) if row.action == "replay-with-changes" and row.allowed]
    return next((row for row in rows if (row.detail or "").startswith(changes)), None)


def test_replay_with_changes_over_http(env: dict[str, str], database_url: str, tmp_path: Path) -> None:
    mine = seed(env, points=2, tickets=0, displays=0)
    site_id, point_id = mine["site_id"], mine["point_ids"][0]
    with serving(env, tmp_path) as server:
        with server.client(server.sign_in(mine, "receptionist")) as desk:
            for _ in range(6):
                do(desk, "issue-ticket", queue_id=mine["queue_ids"][0])
            for _ in range(5):
                entry_id = do(desk, "call-next", point_id=point_id)["entry"]["id"]
                do(desk, "start", entry_id=entry_id)
                do(desk, "complete", entry_id=entry_id)
            site = desk.get(f"/api/v1/sites/{site_id}/board").json()["cells"]["site"]
        with server.client(server.sign_in(mine, "manager")) as manager:
            day = {"business_day": site["business_day"]}
            answer = manager.get(f"/api/v1/sites/{site_id}/what-if", params=day)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["real"] == found["control"] == found["changed"]
            assert (found["real"]["called"], found["real"]["waiting"], found["left_out"]) == (5, 1, [])
            now = datetime.now(UTC)
            extra = {"like_point": point_id, "from": "2001-01-01T00:00+00:00", "until": f"{now.year + 1}-01-01T00:00+00:00"}
            more = manager.get(f"/api/v1/sites/{site_id}/what-if", params=day | extra).json()
            assert more["changed"]["median_seconds"] <= more["control"]["median_seconds"]
            ruled = manager.get(f"/api/v1/sites/{site_id}/what-if", params=day | {"head_start_urgent": 0}).json()
            assert ruled["changed"] == found["control"]
            assert refusal(manager, site_id, "what-if") == (422, "invalid_field")
            assert refusal(manager, site_id, "what-if", **day, like_point=point_id) == (422, "invalid_field")
            assert refusal(manager, site_id, "what-if", **day, head_start_urgent=-1) == (422, "invalid_field")
            _check_changes(manager, mine, day, found)
            wait_until(lambda: _audited(database_url, "closed_points=") is not None, "the audit of a what-if")
            noted = _audited(database_url, "closed_points=")
            assert (noted.site_id, noted.subject) == (site_id, f"day:{site['business_day']}")
            assert noted.actor.startswith("staff:")
            assert noted.detail == f"closed_points={point_id}"
            assert refusal(manager, site_id, "what-if", business_day="0001-01-01") == (422, "invalid_field")
            assert refusal(manager, site_id, "what-if", business_day="2001-01-01") == (404, "nothing_recorded")
            assert refusal(manager, site_id, "what-if", business_day="2126-01-01") == (404, "nothing_recorded")
