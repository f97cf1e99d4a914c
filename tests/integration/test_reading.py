"""The API's answers about today and past days, on each engine, from a real server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import statistics as plain
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.domain.model import State
from server.seeding import Seed
from server.store import sites
from server.store.database import Database
from tests.integration.test_openapi import documented
from tests.support import past_visits
from tests.support.engines import installed
from tests.support.past_visits import PastEntry
from tests.support.server import Server, seed, serving
from tests.support.vaults import VAULT
from tests.unit.transport.spec.test_openapi import Checker

pytestmark = pytest.mark.measured

Json = dict[str, Any]
SECOND = 1_000_000
DAYS, PER_DAY = 4, 60
NAME, PHONE = "Wilhelmina Canary", "+491705550123"
FORMULAS = ("=HYPERLINK(A1)", "\uff1dHYPERLINK(A1)", "\uff0b1", "\uff0d1", "\uff20A1", "\u200d=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading")


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, str]]:
    with installed(request, request.param, folder) as env:
        yield env


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=0, displays=1)


@pytest.fixture(scope="module")
def foreign(env: dict[str, str]) -> Seed:
    """A site of another organisation."""
    return seed(env, points=1, tickets=1, displays=1)


@pytest.fixture(scope="module")
def history(env: dict[str, str], seeded: Seed) -> list[PastEntry]:
    """Past days of the seeded site."""

    async def fill() -> list[PastEntry]:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            async with database.write() as connection:
                today = (await connection.run_sync(sites.load, seeded["site_id"])).business_day
                days = past_visits.days_before(today, DAYS)
                queue_ids, point_id = seeded["queue_ids"], seeded["point_ids"][0]
                return await past_visits.fill(connection, seeded["site_id"], queue_ids, point_id, days, PER_DAY)
        finally:
            await database.close()

    return asyncio.run(fill())


@pytest.fixture(scope="module")
def server(env: dict[str, str], foreign: Seed, history: list[PastEntry], folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: Server, seeded: Seed) -> Iterator[dict[str, httpx.Client]]:
    """A client for each role."""
    made = {role: server.client(server.sign_in(seeded, role)) for role in ("admin", "manager", "receptionist", "clinician")}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(scope="module")
def checker(server: Server) -> Checker:
    return Checker(httpx.get(f"{server.url}/api/openapi.json").json())


@dataclass
class Story:
    """A visit with two stages: called out of order, recalled, undone, started, transferred, served."""

    visit_id: int
    first: int
    second: int
    cancelled: int
    waiting: int


@pytest.fixture(scope="module")
def story(clients: dict[str, httpx.Client], seeded: Seed) -> Story:
    desk, doctor = clients["receptionist"], clients["clinician"]
    (first_queue, second_queue), (room, other) = seeded["queue_ids"][:2], seeded["point_ids"]

    def do(client: httpx.Client, name: str, /, **body: Any) -> Json:
        answer = client.post(f"/api/v1/commands/{name}", json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    waiting = do(desk, "issue-ticket", queue_id=first_queue)["entry"]
    mine = do(desk, "issue-ticket", queue_id=first_queue, priority="assisted", name=NAME, phone=PHONE)["entry"]
    moved = do(desk, "issue-ticket", queue_id=first_queue)["entry"]
    do(desk, "move", entry_id=moved["id"], behind_entry_id=mine["id"], reason="a bus to catch")
    do(desk, "cancel", entry_id=moved["id"], reason="came on the wrong day")
    do(doctor, "call-next", point_id=room)
    do(doctor, "recall", entry_id=mine["id"])
    do(doctor, "start", entry_id=mine["id"])
    do(doctor, "undo", entry_id=mine["id"])
    do(doctor, "start", entry_id=mine["id"])
    second = do(doctor, "transfer", entry_id=mine["id"], queue_id=second_queue)["entry"]
    do(desk, "call", entry_id=second["id"], point_id=other)
    do(desk, "start", entry_id=second["id"])
    do(desk, "complete", entry_id=second["id"])
    return Story(mine["visit_id"], mine["id"], second["id"], moved["id"], waiting["id"])


def every_page(client: httpx.Client, address: str, checker: Checker, path: str, **params: Any) -> list[Json]:
    """Return all rows of a list, read page by page."""
    rows: list[Json] = []
    while True:
        body = documented(checker, "get", path, client.get(address, params=params))
        rows += body["data"]
        params["after"] = body["pagination"]["next"]
        if params["after"] is None:
            assert body["pagination"]["total"] == len(rows)
            return rows
        assert len(body["data"]) == body["pagination"]["page_size"] == params["page_size"]


ENTRIES = "/api/v1/sites/{site_id}/entries"


def test_entries_are_listed_once_newest_first(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry], story: Story
) -> None:
    address = ENTRIES.format(site_id=seeded["site_id"])
    rows = every_page(clients["clinician"], address, checker, ENTRIES, page_size=7)
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    assert set(ids) == {each.id for each in history} | {story.waiting, story.first, story.second, story.cancelled}
    assert clients["clinician"].get(address).json()["pagination"]["page_size"] == 50
    assert [row["id"] for row in clients["clinician"].get(address).json()["data"]] == ids[:50]


def test_past_entry_has_its_recorded_values(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry]
) -> None:
    rows = every_page(
        clients["manager"], ENTRIES.format(site_id=seeded["site_id"]), checker, ENTRIES, page_size=200,
        business_day=history[0].business_day,
    )  # fmt: skip
    by_id = {row["id"]: row for row in rows}
    of_day = [each for each in history if each.business_day == history[0].business_day]
    assert set(by_id) == {each.id for each in of_day}
    for each in of_day:
        row = by_id[each.id]
        started = None if each.served is None else (each.called_at or 0) + (each.walked or 0)
        ended = each.joined_at + each.waited + (each.walked or 0) + (each.served or 0)
        assert (row["visit_id"], row["label"], row["queue_id"]) == (each.visit_id, each.label, each.queue_id)
        assert (row["state"], row["priority"], row["site_id"]) == (each.state, "standard", seeded["site_id"])
        assert row["joined_at"] == each.joined_at // 1000
        assert row["first_called_at"] == row["called_at"] == (None if each.called_at is None else each.called_at // 1000)
        assert row["started_at"] == (None if started is None else started // 1000)
        assert row["ended_at"] == ended // 1000
        assert row["waited_seconds"] == each.waited // SECOND
        assert row["served_seconds"] == (None if each.served is None else each.served // SECOND)
        assert (row["quoted_from"], row["quoted_until"]) == (each.quoted_from // 1000, each.quoted_until // 1000)


def test_exactly_full_page_is_the_last(clients: dict[str, httpx.Client], seeded: Seed, history: list[PastEntry]) -> None:
    address, day = ENTRIES.format(site_id=seeded["site_id"]), history[0].business_day

    def page(size: int, **more: str) -> tuple[int, str | None]:
        query = {"business_day": day, "page_size": str(size)} | more
        body = clients["admin"].get(address, params=query).json()
        return len(body["data"]), body["pagination"]["next"]

    assert page(PER_DAY) == (PER_DAY, None)
    count, after = page(PER_DAY - 1)
    assert count == PER_DAY - 1
    assert after is not None
    assert page(PER_DAY, after=after) == (1, None)


@pytest.mark.parametrize("day", [False, True])
@pytest.mark.parametrize("queue", [False, True])
@pytest.mark.parametrize("state", [None, "completed", "expired"])
def test_filters_work_alone_and_together(
    clients: dict[str, httpx.Client],
    checker: Checker,
    seeded: Seed,
    history: list[PastEntry],
    story: Story,
    *,
    day: bool,
    queue: bool,
    state: State | None,
) -> None:
    wanted: Json = {"page_size": 11}
    expected = [each for each in history if state in (None, each.state)]
    if state is not None:
        wanted["state"] = state
    if day:
        wanted["business_day"] = history[-1].business_day
        expected = [each for each in expected if each.business_day == history[-1].business_day]
    if queue:
        wanted["queue_id"] = seeded["queue_ids"][1]
        expected = [each for each in expected if each.queue_id == seeded["queue_ids"][1]]
    rows = every_page(clients["admin"], ENTRIES.format(site_id=seeded["site_id"]), checker, ENTRIES, **wanted)
    found = [row["id"] for row in rows if row["id"] <= history[-1].id]
    assert found == sorted((each.id for each in expected), reverse=True)
    assert found


def test_label_filter_selects_one_business_day(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry], story: Story
) -> None:
    client, address = clients["receptionist"], ENTRIES.format(site_id=seeded["site_id"])
    today = every_page(client, address, checker, ENTRIES, page_size=50, label="A002")
    assert [row["id"] for row in today] == [story.second, story.first]
    then = next(each for each in history if each.label == "A002")
    rows = every_page(client, address, checker, ENTRIES, page_size=50, label="A002", business_day=then.business_day)
    assert [row["id"] for row in rows] == [then.id]
    other = {"label": "A002", "business_day": then.business_day, "page_size": 50}
    assert every_page(client, address, checker, ENTRIES, **other, state="serving") == []
    assert every_page(client, address, checker, ENTRIES, page_size=50, label="Z999") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=nonsense", "after"),
        ("after=", "after"),
        ("after=WzFd.00000000000000000000000000000000", "after"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("business_day=yesterday", "business_day"),
        ("queue_id=1", "queue_id"),
        ("state=asleep", "state"),
        ("label=%00", "label"),
    ],
)
def test_refusal_names_the_invalid_field(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, query: str, field: str
) -> None:
    answer = clients["admin"].get(ENTRIES.format(site_id=seeded["site_id"]) + "?" + query)
    error = documented(checker, "get", ENTRIES, answer)["error"]
    assert (answer.status_code, error["code"], error["details"]["field"]) == (422, "invalid_field", field)


def test_cursor_of_another_list_is_refused(
    clients: dict[str, httpx.Client], server: Server, seeded: Seed, foreign: Seed, history: list[PastEntry]
) -> None:
    address = ENTRIES.format(site_id=seeded["site_id"])
    cursor = clients["admin"].get(address, params={"page_size": 1}).json()["pagination"]["next"]
    assert clients["admin"].get(address, params={"after": cursor}).status_code == 200
    with server.client(server.sign_in(foreign, "admin")) as other:
        answer = other.get(ENTRIES.format(site_id=foreign["site_id"]), params={"after": cursor})
        assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, "after")
    assert clients["admin"].get("/api/v1/sites", params={"after": cursor}).status_code == 422


HISTORY = "/api/v1/entries/{entry_id}/history"


def test_history_is_the_same_from_either_stage_of_a_visit(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, story: Story
) -> None:
    body = documented(checker, "get", HISTORY, clients["receptionist"].get(HISTORY.format(entry_id=story.first)))
    assert documented(checker, "get", HISTORY, clients["receptionist"].get(HISTORY.format(entry_id=story.second))) == body
    assert body["visit_id"] == story.visit_id
    names = {each["role"]: each["username"] for each in seeded["staff"]}
    desk, doctor = names["receptionist"], names["clinician"]
    assert [(step["type"], step["entry_id"], step["username"]) for step in body["steps"]] == [
        ("ticket-issued", story.first, desk),
        ("ticket-called", story.first, doctor),
        ("ticket-recalled", story.first, doctor),
        ("service-started", story.first, doctor),
        ("step-undone", story.first, doctor),
        ("service-started", story.first, doctor),
        ("ticket-transferred", story.first, doctor),
        ("ticket-called", story.second, desk),
        ("service-started", story.second, desk),
        ("service-completed", story.second, desk),
    ]
    numbers = [step["seq"] for step in body["steps"]]
    assert numbers == sorted(set(numbers))
    called = body["steps"][1]
    assert called["reason"] == "A002 before A001: assisted, 20 min head start"
    assert called["point_id"] == seeded["point_ids"][0]
    assert body["steps"][4]["step"] == "service-started"
    assert body["steps"][6]["new_entry_id"] == story.second
    assert body["steps"][7]["reason"] == "A002: called by name"
    first, second = body["entries"]
    assert [first["entry"]["id"], second["entry"]["id"]] == [story.first, story.second]
    for stage, ended in ((first, "transferred"), (second, "completed")):
        assert stage["entry"]["state"] == ended
        spans = stage["intervals"]
        assert [each["state"] for each in spans] == ["waiting", "called", "serving"], "an undone step ends no interval"
        assert [each["ended_at"] for each in spans[:-1]] == [each["started_at"] for each in spans[1:]]
        assert {each["ended_by"] for each in spans} < set(numbers)
        assert all(0 <= each["seconds"] - (each["ended_at"] - each["started_at"]) // 1000 <= 1 for each in spans)
    assert NAME not in str(body)


def test_history_has_the_reasons_of_moves_and_cancellations(
    clients: dict[str, httpx.Client], checker: Checker, story: Story
) -> None:
    body = documented(checker, "get", HISTORY, clients["admin"].get(HISTORY.format(entry_id=story.cancelled)))
    assert [(step["type"], step["reason"]) for step in body["steps"]] == [
        ("ticket-issued", None),
        ("entry-moved", "a bus to catch"),
        ("entry-cancelled", "came on the wrong day"),
    ]


def test_reassignment_is_in_the_history_of_each_entry(
    clients: dict[str, httpx.Client], checker: Checker, server: Server, foreign: Seed
) -> None:
    """A doctor falls ill: one event reassigns all waiting entries of the doctor, and each of their histories has it."""
    with server.client(server.sign_in(foreign, "admin")) as admin:

        def do(name: str, /, **body: Any) -> Json:
            answer = admin.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()
            return found

        queue_id = foreign["queue_ids"][0]
        ill, other = [
            do("add-provider", site_id=foreign["site_id"], name=name)["events"][-1]["provider_id"] for name in ("Ada", "Bea")
        ]
        theirs = [do("issue-ticket", queue_id=queue_id, provider_id=ill)["entry"]["id"] for _ in range(3)]
        nobodys = do("issue-ticket", queue_id=queue_id)["entry"]["id"]
        done = do("reassign-provider", provider_id=ill, to_provider_id=other, reason="ill today")
        for entry_id in theirs:
            steps = documented(checker, "get", HISTORY, admin.get(HISTORY.format(entry_id=entry_id)))["steps"]
            assert [step["type"] for step in steps] == ["ticket-issued", "provider-reassigned"]
            step = steps[-1]
            assert (step["seq"], step["entry_id"], step["own"]) == (done["seq"], entry_id, False)
            assert (step["reason"], step["provider_id"], step["to_provider_id"]) == ("ill today", ill, other)
            assert steps[0]["own"] is True
        assert len(admin.get(HISTORY.format(entry_id=nobodys)).json()["steps"]) == 1


def test_statistics_are_grouped_by_service(checker: Checker, server: Server, foreign: Seed) -> None:
    """Two queues have one service. The export has its public name, and no answer has the true one."""
    with server.client(server.sign_in(foreign, "admin")) as admin:

        def do(name: str, /, **body: Any) -> Json:
            answer = admin.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            event: Json = answer.json()["events"][-1]
            return event

        site_id = foreign["site_id"]
        about = {"name": "Canary-oncology", "public_name": "@Care"}
        service_id = do("add-service", site_id=site_id, **about)["service_id"]
        queue_ids = [
            do("add-queue", site_id=site_id, name=f"Care {prefix}", prefix=prefix, service_id=service_id)["queue_id"]
            for prefix in ("Y", "Z")
        ]
        for queue_id in (*queue_ids, queue_ids[0]):
            do("issue-ticket", queue_id=queue_id)
        site = documented(checker, "get", SITE, admin.get(SITE.format(site_id=site_id)))
        assert site["services"] == [{"id": service_id, "names": {}} | about]
        query = {"from": site["business_day"], "to": site["business_day"]}
        body = documented(checker, "get", STATISTICS, admin.get(STATISTICS.format(site_id=site_id), params=query))
        (service,) = body["services"]
        assert (service["service_id"], service["public_name"]) == (service_id, about["public_name"])
        assert (service["figures"]["tickets"], service["figures"]["open"]) == (3, 3)
        exported = admin.get(STATISTICS.format(site_id=site_id) + ".csv", params=query).text
        cells = {line["queue_id"]: line["service"] for line in csv.DictReader(io.StringIO(exported, newline=""))}
        assert [cells[str(queue_id)] for queue_id in queue_ids] == ["'@Care", "'@Care"]
        assert about["name"] not in exported + str(body)


def test_past_entry_has_a_history(clients: dict[str, httpx.Client], checker: Checker, history: list[PastEntry]) -> None:
    served = next(each for each in history if each.state == "completed")
    body = documented(checker, "get", HISTORY, clients["admin"].get(HISTORY.format(entry_id=served.id)))
    assert [step["type"] for step in body["steps"]] == ["ticket-called", "service-started", "service-completed"]
    assert [each["seconds"] for each in body["entries"][0]["intervals"]] == [
        served.waited // SECOND,
        (served.walked or 0) // SECOND,
        (served.served or 0) // SECOND,
    ]


def test_history_hides_user_names_from_clinicians(clients: dict[str, httpx.Client], story: Story) -> None:
    steps = clients["clinician"].get(HISTORY.format(entry_id=story.first)).json()["steps"]
    assert {step["username"] for step in steps} == {None}
    assert {step["actor"].partition(":")[0] for step in steps} == {"staff"}
    assert clients["manager"].get(HISTORY.format(entry_id=story.first)).status_code == 403


ENTRY, VISIT = "/api/v1/entries/{entry_id}", "/api/v1/visits/{visit_id}"


def test_entry_and_visit_show_personal_data_by_role(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, story: Story
) -> None:
    for role, sees in (("receptionist", True), ("clinician", True), ("admin", True), ("manager", False)):
        answer = clients[role].get(ENTRY.format(entry_id=story.first))
        entry = documented(checker, "get", ENTRY, answer)
        visit = documented(checker, "get", VISIT, clients[role].get(VISIT.format(visit_id=story.visit_id)))
        assert entry["visit"] == visit["visit"]
        assert entry["entry"] == visit["entries"][0]
        assert [each["id"] for each in visit["entries"]] == [story.first, story.second]
        personal = visit["visit"]["personal"]
        assert personal is None or (personal["name"], personal["phone"]) == (NAME, PHONE)
        assert (personal is not None) is sees
        assert "token" not in (personal or {})
        assert (visit["visit"]["label"], visit["visit"]["priority"]) == ("A002", "assisted")
        assert answer.headers["cache-control"] == "no-store"


SLIP = "/api/v1/entries/{entry_id}/slip"


def test_slip_can_be_printed_again(
    clients: dict[str, httpx.Client], checker: Checker, server: Server, seeded: Seed, story: Story
) -> None:
    """The token of the slip opens the patient's page."""
    answer = clients["receptionist"].get(SLIP.format(entry_id=story.first))
    slip = documented(checker, "get", SLIP, answer)
    assert (slip["label"], slip["entry_id"]) == ("A002", story.first)
    assert (slip["language"], slip["site_language"]) == ("en", "en")
    assert answer.headers["cache-control"] == "no-store"
    with server.client() as patient, patient.stream("GET", f"/live/tickets/{slip['token']}") as stream:
        assert stream.status_code == 200
        data = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["cells"]["ticket"]["label"] == "A002"


def test_unknown_and_foreign_ids_are_not_found(
    clients: dict[str, httpx.Client], checker: Checker, server: Server, seeded: Seed, foreign: Seed, story: Story
) -> None:
    base = seeded["site_id"] * 10**9
    with server.client(server.sign_in(foreign, "admin")) as other:
        for path, name, mine, code in (
            (ENTRY, "entry_id", story.first, "entry_unknown"),
            (HISTORY, "entry_id", story.first, "entry_unknown"),
            (SLIP, "entry_id", story.first, "entry_unknown"),
            (VISIT, "visit_id", story.visit_id, "visit_unknown"),
        ):
            for client, identifier, expected in (
                (clients["admin"], base + 999_999_999, code),
                (clients["admin"], 0, "site_not_found"),
                (clients["admin"], 2**53 - 1, "site_not_found"),
                (clients["admin"], 2**53, "site_not_found"),
                (other, mine, "site_not_found"),
            ):
                answer = client.get(path.format(**{name: identifier}))
                assert (answer.status_code, documented(checker, "get", path, answer)["error"]["code"]) == (404, expected)
        for path in (ENTRIES, SITE, STATISTICS, STATISTICS + ".csv", DAY):
            answer = other.get(path.format(site_id=seeded["site_id"]))
            assert (answer.status_code, documented(checker, "get", path, answer)["error"]["code"]) == (404, "site_not_found")
    with server.client() as nobody:
        for path in (ENTRY, HISTORY, SLIP, VISIT, ENTRIES, SITE, STATISTICS, STATISTICS + ".csv", DAY):
            answer = nobody.get(path.format(site_id=1, entry_id=1, visit_id=1))
            assert documented(checker, "get", path, answer)["error"]["code"] == "not_signed_in"


SITE = "/api/v1/sites/{site_id}"


def test_site_lists_its_queues_points_and_displays(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, story: Story
) -> None:
    body = documented(checker, "get", SITE, clients["clinician"].get(SITE.format(site_id=seeded["site_id"])))
    assert [queue["id"] for queue in body["queues"]] == seeded["queue_ids"]
    assert body["queues"][0]["waiting"] == 1
    assert [point["id"] for point in body["points"]] == seeded["point_ids"]
    assert body["displays"] == [{"id": seeded["displays"][0]["id"], "name": "Display 1", "paired": True}]
    assert seeded["displays"][0]["token"] not in str(body)


STATISTICS, DAY = "/api/v1/sites/{site_id}/statistics", "/api/v1/sites/{site_id}/day"


def check_figures(figures: Json, expected: list[PastEntry]) -> None:
    """Compare figures with a plain computation from the entries."""
    states = {"served": "completed", "no_shows": "no_show", "left": "left", "cancelled": "cancelled", "expired": "expired"}
    for name, state in states.items():
        assert figures[name] == sum(each.state == state for each in expected)
    assert (figures["tickets"], figures["entries"], figures["open"]) == (len(expected), len(expected), 0)
    for kind, durations in (
        ("wait", [each.waited for each in expected if each.called_at is not None]),
        ("walk", [each.walked for each in expected if each.served is not None and each.walked is not None]),
        ("service", [each.served for each in expected if each.served is not None]),
    ):
        ordered = sorted(durations)
        assert figures[kind] == {
            "count": len(ordered),
            "mean_seconds": int(plain.mean(ordered)) // SECOND,
            "median_seconds": plain.median_low(ordered) // SECOND,
            "p90_seconds": ordered[ceil(len(ordered) * 0.9) - 1] // SECOND,
            "longest_seconds": ordered[-1] // SECOND,
        }
    called = [(each, each.called_at) for each in expected if each.called_at is not None]
    promises = figures["promises"]
    assert promises["count"] == len(called)
    assert promises["held_percent"] == round(100 * sum(at <= each.quoted_until for each, at in called) / len(called))
    assert promises["early_percent"] == round(100 * sum(at < each.quoted_from for each, at in called) / len(called))
    assert promises["missed_by_most_seconds"] == max(max(0, at - each.quoted_until) for each, at in called) // SECOND


def test_statistics_match_the_past_entries(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry]
) -> None:
    days = sorted({each.business_day for each in history})
    address = STATISTICS.format(site_id=seeded["site_id"])
    answer = clients["manager"].get(address, params={"from": days[0], "to": days[-1]})
    body = documented(checker, "get", STATISTICS, answer)
    assert (body["from"], body["to"], body["time_zone"]) == (days[0], days[-1], "UTC")
    check_figures(body["figures"], history)
    for each in body["queues"]:
        check_figures(each["figures"], [entry for entry in history if entry.queue_id == each["queue_id"]])
    assert [each["business_day"] for each in body["days"]] == days
    for day in body["days"]:
        of_day = [entry for entry in history if entry.business_day == day["business_day"]]
        check_figures(day["figures"], of_day)
        assert sum(hour["arrivals"] for hour in day["hours"]) == PER_DAY
        for each in day["queues"]:
            check_figures(each["figures"], [entry for entry in of_day if entry.queue_id == each["queue_id"]])
    assert sum(hour["calls"] for hour in body["hours"]) == sum(each.called_at is not None for each in history)
    assert [hour["hour"] for hour in body["hours"]] == list(range(8, 19))
    busy = sum((each.walked or 0) + (each.served or 0) for each in history)
    assert body["points"] == [
        {
            "point_id": seeded["point_ids"][0],
            "name": "Room 1",
            "calls": sum(each.called_at is not None for each in history),
            "busy_seconds": busy // SECOND,
        }
    ]


def test_csv_matches_the_statistics(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry]
) -> None:
    site_id, days = seeded["site_id"], sorted({each.business_day for each in history})
    query = {"from": days[0], "to": days[-1]}
    path = STATISTICS + ".csv"
    answer = clients["admin"].get(path.format(site_id=site_id), params=query)
    documented(checker, "get", path, answer)
    assert answer.headers["content-disposition"] == f'attachment; filename="statistics-{site_id}-{days[0]}-{days[-1]}.csv"'
    assert "charset=utf-8" in answer.headers["content-type"]
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))
    body = clients["admin"].get(STATISTICS.format(site_id=site_id), params=query).json()
    pairs = [(day["business_day"], each) for day in body["days"] for each in day["queues"]]
    assert len(lines) == len(pairs) == DAYS * len(seeded["queue_ids"])
    for line, (day, each) in zip(lines, pairs, strict=True):
        assert (line["business_day"], line["queue_id"], line["queue"]) == (day, str(each["queue_id"]), each["name"])
        assert int(line["wait_p90_seconds"]) == each["figures"]["wait"]["p90_seconds"]
        assert int(line["promises_held_percent"]) == each["figures"]["promises"]["held_percent"]
        assert int(line["served"]) == each["figures"]["served"]


def test_csv_exports_a_formula_in_a_queue_name_as_text(
    clients: dict[str, httpx.Client], server: Server, foreign: Seed
) -> None:
    site_id, expected = foreign["site_id"], {}
    with server.client(server.sign_in(foreign, "admin")) as admin:
        for name, prefix in zip(FORMULAS, "STUVWX", strict=True):
            body = {"site_id": site_id, "name": name, "prefix": prefix}
            queue_id = admin.post("/api/v1/commands/add-queue", json=body).json()["events"][-1]["queue_id"]
            admin.post("/api/v1/commands/issue-ticket", json={"queue_id": queue_id}).raise_for_status()
            expected[str(queue_id)] = f"'{name}"
        today = admin.get(SITE.format(site_id=site_id)).json()["business_day"]
        answer = admin.get(STATISTICS.format(site_id=site_id) + ".csv", params={"from": today, "to": today})
    cells = {line["queue_id"]: line["queue"] for line in csv.DictReader(io.StringIO(answer.text, newline=""))}
    assert {queue_id: cells[queue_id] for queue_id in expected} == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "from"),
        ("from=2024-01-01", "to"),
        ("from=2024-01-02&to=2024-01-01", "to"),
        ("from=2024-01-01&to=2025-02-04", "to"),
        ("from=x&to=2025-02-04", "from"),
    ],
)
def test_invalid_days_of_statistics_are_refused(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, query: str, field: str
) -> None:
    for path in (STATISTICS, STATISTICS + ".csv"):
        answer = clients["manager"].get(f"{path.format(site_id=seeded['site_id'])}?{query}")
        error = documented(checker, "get", path, answer)["error"]
        assert (answer.status_code, error["details"]["field"]) == (422, field)


def test_day_report_covers_today_and_a_past_day(
    clients: dict[str, httpx.Client], checker: Checker, seeded: Seed, history: list[PastEntry], story: Story
) -> None:
    address = DAY.format(site_id=seeded["site_id"])
    today = documented(checker, "get", DAY, clients["receptionist"].get(address))
    assert today["is_over"] is False
    assert today["open"] == {"waiting": 1, "called": 0, "serving": 0, "held": 0}
    first, second = today["queues"]
    assert [each["entry_id"] for each in first["left"]] == [story.waiting]
    assert (first["figures"]["transferred"], first["figures"]["cancelled"], first["figures"]["tickets"]) == (1, 1, 3)
    assert (second["figures"]["served"], second["figures"]["tickets"], second["left"]) == (1, 0, [])

    last = history[-1].business_day
    then = documented(checker, "get", DAY, clients["manager"].get(address, params={"business_day": last}))
    assert (then["business_day"], then["is_over"]) == (last, True)
    check_figures(then["figures"], [each for each in history if each.business_day == last])
    refused = clients["manager"].get(address, params={"business_day": "today"})
    assert documented(checker, "get", DAY, refused)["error"]["details"]["field"] == "business_day"


def test_roles_limit_each_query(
    clients: dict[str, httpx.Client], seeded: Seed, story: Story, history: list[PastEntry]
) -> None:
    day = history[0].business_day
    query = f"?from={day}&to={day}"
    for path, allowed in (
        (ENTRIES, "amrc"),
        (SITE, "amrc"),
        (ENTRY, "amrc"),
        (VISIT, "amrc"),
        (HISTORY, "arc"),
        (SLIP, "ar"),
        (STATISTICS, "am"),
        (STATISTICS + ".csv", "am"),
        (DAY, "amr"),
    ):
        address = path.format(site_id=seeded["site_id"], entry_id=story.first, visit_id=story.visit_id)
        for role, client in clients.items():
            answer = client.get(address + (query if path.startswith(STATISTICS) else ""))
            assert answer.status_code == (200 if role[0] in allowed else 403), (role, path)


def test_sites_are_listed_page_by_page_in_the_order_of_names(
    env: dict[str, str], clients: dict[str, httpx.Client], checker: Checker
) -> None:
    """An organisation's sites come in the order of their names, for any page size."""
    first = documented(checker, "get", "/api/v1/sites", clients["manager"].get("/api/v1/sites"))["data"]

    async def add() -> None:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            async with database.write() as connection:
                mark = first[0]["name"].removeprefix("Seeded clinic ")
                own = await sites.organisation(connection, f"Seeded {mark}")
                for name in ("Nord", "Süd", "Nord", "nord", "Ost", "West", "Zoo"):  # two of one name
                    own = await sites.organisation(connection, f"Seeded {mark}")
                    await sites.create(
                        connection, VAULT, organisation_id=own, name=name, time_zone="UTC", language="de", now=10**15
                    )
        finally:
            await database.close()

    asyncio.run(add())
    rows = every_page(clients["manager"], "/api/v1/sites", checker, "/api/v1/sites", page_size=2)
    assert [row["name"] for row in rows] == sorted([first[0]["name"], "Nord", "Süd", "Nord", "nord", "Ost", "West", "Zoo"])
    assert len({row["id"] for row in rows}) == 8
