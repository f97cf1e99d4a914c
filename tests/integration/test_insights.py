"""The figures for managers from a real server: the answer, the export, and the sums that housekeeping keeps."""

from __future__ import annotations

import asyncio
import csv
import io
import statistics as plain
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from server.queries import insights
from server.seeding import Seed
from server.store import sites
from server.store.database import Database
from server.transport.api.insights import LANGUAGE
from server.transport.api.insights_export import VIEWS
from tests.integration.test_openapi import documented
from tests.support import past_visits
from tests.support.engines import installed
from tests.support.past_visits import PastEntry
from tests.support.rows import rows
from tests.support.server import Server, seed, serving
from tests.unit.transport.spec.test_openapi import Checker

Json = dict[str, Any]
SECOND = 1_000_000
DAYS, PER_DAY = 4, 60
INSIGHTS = "/api/v1/sites/{site_id}/insights"
THIRD_NEXT, ARCHIVE = f"{INSIGHTS}/third-next", f"{INSIGHTS}.zip"


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with installed(request, request.param, tmp_path_factory.mktemp("insights")) as env:
        yield env


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=3, displays=0)


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
def server(env: dict[str, str], history: list[PastEntry], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(env, tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def manager(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "manager")) as client:
        yield client


@pytest.fixture(scope="module")
def checker(server: Server) -> Checker:
    return Checker(httpx.get(f"{server.url}/api/openapi.json").json())


def check(group: Json, expected: list[PastEntry]) -> None:
    """Compare a group with a plain computation from the entries; a hidden family with its reason."""
    states = Counter(each.state for each in expected)
    entries = group["entries"]
    assert entries["hidden"] is None
    assert (entries["count"], entries["tickets"], entries["open"]) == (len(expected), len(expected), 0)
    outcomes = (states["completed"], states["no_show"], states["left"], states["cancelled"], states["expired"])
    assert tuple(entries[name] for name in ("served", "no_shows", "left", "cancelled", "expired")) == outcomes
    for name, durations in (
        ("wait", [each.waited for each in expected if each.called_at is not None]),
        ("walk", [each.walked for each in expected if each.served is not None and each.walked is not None]),
        ("service", [each.served for each in expected if each.served is not None]),
        ("gave_up", [each.waited for each in expected if each.called_at is None]),
    ):
        found = group[name]
        if found["hidden"] is None:
            assert found["count"] == len(durations)
            exact = plain.median_low(durations) // SECOND if durations else None
            assert found["median_seconds"] == exact or 0 <= exact - found["median_seconds"] < 60
    called = [(each, each.called_at) for each in expected if each.called_at is not None]
    promises = group["promises"]
    held, early = sum(at <= each.quoted_until for each, at in called), sum(at < each.quoted_from for each, at in called)
    assert (promises["count"], promises["held"], promises["early"]) == (len(called), held, early)


def test_figures_match_the_past_entries(
    manager: httpx.Client, checker: Checker, seeded: Seed, history: list[PastEntry]
) -> None:
    days = sorted({each.business_day for each in history})
    answer = manager.get(INSIGHTS.format(site_id=seeded["site_id"]), params={"from": days[0], "to": days[-1]})
    body = documented(checker, "get", INSIGHTS, answer)
    assert (body["from"], body["to"], body["time_zone"], body["missing"]) == (days[0], days[-1], "UTC", None)
    assert (body["begins_local"], body["offset_from"]) == (f"{days[0]}T04:00", "+00:00")
    check(body["total"], history)
    for each in body["queues"]:
        check(each, [entry for entry in history if entry.queue_id == each["queue_id"]])
    for each in body["days"]:
        check(each, [entry for entry in history if entry.business_day == each["business_day"]])
    assert [each["business_day"] for each in body["days"]] == days
    assert [each["hour"] for each in body["hours"]] == list(range(8, 18))
    by_cell = Counter((date.fromisoformat(each.business_day).isoweekday(), each.joined_at) for each in history)
    assert sum(each["entries"] or 0 for each in body["heat"] if each["hidden"] is None) <= by_cell.total()
    assert body["fairness"]["calls"] == sum(each.called_at is not None for each in history)
    assert body["points"][0]["calls"] == body["fairness"]["calls"]
    assert body["messages"] == {
        "kinds": [],
        "reminded": {"appointments": 0, "missed": 0, "hidden": None},
        "not_reminded": {"appointments": 0, "missed": 0, "hidden": None},
    }
    assert body["feedback"] == {"weeks": [], "answers": 0, "scores": [0] * 5}


def test_present_day_is_the_default_and_small_groups_are_hidden(
    manager: httpx.Client, checker: Checker, seeded: Seed
) -> None:
    body = documented(checker, "get", INSIGHTS, manager.get(INSIGHTS.format(site_id=seeded["site_id"])))
    assert body["from"] == body["to"] == body["business_day"]
    total = body["total"]
    assert set(total["entries"].values()) == {"few", None}  # three tickets
    assert total["still"] == {"hidden": "few", "count": None, "median_seconds": None, "p90_seconds": None}
    assert total["service"] == {"hidden": None, "count": 0, "median_seconds": None, "p90_seconds": None}
    assert all(each["entries"] is None and each["hidden"] for each in body["heat"])


def test_filter_leaves_one_queue(manager: httpx.Client, checker: Checker, seeded: Seed, history: list[PastEntry]) -> None:
    days, queue_id = sorted({each.business_day for each in history}), seeded["queue_ids"][1]
    query: Json = {"from": days[0], "to": days[-1], "queue_id": queue_id}
    body = documented(checker, "get", INSIGHTS, manager.get(INSIGHTS.format(site_id=seeded["site_id"]), params=query))
    assert (body["filter"]["kind"], body["filter"]["id"]) == ("queue", queue_id)
    assert [each["queue_id"] for each in body["queues"]] == [queue_id]
    check(body["total"], [each for each in history if each.queue_id == queue_id])
    assert (body["messages"], body["feedback"], body["points"], body["total"]["open_seconds"]) == (None, None, [], None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("to=2024-01-01", "from"),
        ("from=2024-01-02&to=2024-01-01", "to"),
        ("from=2024-01-01&to=2025-02-04", "to"),
        ("from=x", "from"),
        ("queue_id=1", "queue_id"),
        ("queue_id={base}1&provider_id={base}2", "provider_id"),
    ],
)
def test_wrong_queries_are_refused(manager: httpx.Client, checker: Checker, seeded: Seed, query: str, field: str) -> None:
    address = INSIGHTS.format(site_id=seeded["site_id"])
    answer = manager.get(f"{address}?{query.format(base=seeded['site_id'] * 10**8)}")
    assert documented(checker, "get", INSIGHTS, answer)["error"]["details"]["field"] == field


def opened(answer: httpx.Response, view: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the lines of a view, and the definitions."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.namelist() == [f"{view}.csv", "definitions.csv"]
        texts = [folder.read(name).decode("utf-8-sig") for name in folder.namelist()]
    lines, definitions = (list(csv.DictReader(io.StringIO(text, newline=""))) for text in texts)
    return lines, {each["column"]: each["definition"] for each in definitions}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_exported_with_its_definitions(
    manager: httpx.Client, seeded: Seed, history: list[PastEntry], view: str
) -> None:
    days = sorted({each.business_day for each in history})
    query = {"from": days[0], "to": days[-1], "view": view, "language": "fr"}
    answer = manager.get(ARCHIVE.format(site_id=seeded["site_id"]), params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    name = f"insights-{seeded['site_id']}-{view}-{days[0]}-{days[-1]}.zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    lines, definitions = opened(answer, view)
    assert set(definitions.values()).isdisjoint({""})
    assert {"<5", "hidden"} <= set(definitions)
    for line in lines:
        assert line["from_local"][:10] in days
        assert (line["from_offset"], line["until_offset"]) == ("UTC+00:00", "UTC+00:00")
    if view == "days":
        assert [int(line["entries"]) for line in lines] == [PER_DAY] * DAYS
        assert {line["appointments_booked"] for line in lines} == {"0"}
        served = [sum(each.served is not None for each in history if each.business_day == day) for day in days]
        assert [int(line["served"]) for line in lines] == served
    if view == "heat":
        assert all(line["entries"] == "<5" or line["entries"] == "hidden" or int(line["entries"]) >= 5 for line in lines)


def test_export_names_its_view_and_its_language(manager: httpx.Client, checker: Checker, seeded: Seed) -> None:
    address = ARCHIVE.format(site_id=seeded["site_id"])
    for query, field in ((), "view"), ({"view": "x"}, "view"), ({"view": "days", "language": "de"}, "language"):
        answer = manager.get(address, params=query)
        assert documented(checker, "get", ARCHIVE, answer)["error"]["details"]["field"] == field
    texts = {
        language: opened(manager.get(address, params={"view": "queues", "language": language}), "queues")[1]["wait_count"]
        for language in LANGUAGE.words
    }
    assert len(set(texts.values())) == 4
    assert opened(manager.get(address, params={"view": "queues"}), "queues")[1]["wait_count"] == texts["en"]


def test_third_next_appointment_follows_the_free_times(
    server: Server, manager: httpx.Client, checker: Checker, seeded: Seed
) -> None:
    site_id = seeded["site_id"]
    address = THIRD_NEXT.format(site_id=site_id)
    assert documented(checker, "get", THIRD_NEXT, manager.get(address))["services"] == []

    with server.client(server.sign_in(seeded, "admin")) as admin:

        def do(name: str, /, **body: Any) -> Json:
            answer = admin.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()["events"][-1]
            return found

        service_id = do("add-service", site_id=site_id, name="Check-up", public_name="Check-up")["service_id"]
        ada, ben = (do("add-provider", site_id=site_id, name=name)["provider_id"] for name in ("Ada", "Ben"))
        today = manager.get(INSIGHTS.format(site_id=site_id)).json()["business_day"]
        day = date.fromordinal(date.fromisoformat(today).toordinal() + 9)
        window: Json = {"service_ids": [service_id], "weekday": day.weekday(), "from": "09:00", "slot_minutes": 15}
        window |= {"site_id": site_id, "valid_from": day.isoformat(), "valid_until": day.isoformat()}
        do("add-schedule", provider_id=ada, until="10:00", **window)
        do("add-schedule", provider_id=ben, until="09:30", **window)
        book: Json = {"site_id": site_id, "service_id": service_id, "name": "Grace", "provider_id": ada}
        do("book", local_start=f"{day}T09:00", **book)
        (service,) = documented(checker, "get", THIRD_NEXT, manager.get(address))["services"]
        at = {"offset": "+00:00", "days": (day - date.fromisoformat(today)).days}
        # Free: Ben 09:00 and 09:15, Ada 09:15, 09:30 and 09:45.
        assert (service["name"], service["free"]) == ("Check-up", 3)
        assert service["third"]["local_start"] == f"{day}T09:15"
        by_provider = {each["name"]: each for each in service["providers"]}
        assert by_provider["Ada"]["third"]["local_start"] == f"{day}T09:45"
        assert by_provider["Ada"]["third"]["offset"] == at["offset"]
        assert by_provider["Ben"] == {"provider_id": ben, "name": "Ben", "third": None, "free": 2}
        answer = manager.get(ARCHIVE.format(site_id=site_id), params={"view": "third-next"})
        lines, _ = opened(answer, "third-next")
        assert [(line["provider"], line["free"], line["third_offset"]) for line in lines] == [
            ("", "3", "UTC+00:00"),
            ("Ada", "3", "UTC+00:00"),
            ("Ben", "2", ""),
        ]


def test_sites_are_compared_each_on_its_own_days(
    env: dict[str, str], server: Server, seeded: Seed, manager: httpx.Client, history: list[PastEntry], checker: Checker
) -> None:
    days = sorted({each.business_day for each in history})
    with server.client(server.sign_in(seeded, "admin")) as admin:
        sites = [seeded["site_id"]]
        for zone in ("Pacific/Auckland", "Pacific/Honolulu"):
            made = admin.post("/api/v1/sites", json={"name": f"In {zone}", "time_zone": zone, "language": "en"})
            assert made.status_code == 201, made.text
            sites.append(made.json()["id"])
    query = {"from": days[0], "to": days[-1]}
    answer = documented(checker, "get", "/api/v1/insights", manager.get("/api/v1/insights", params=query))
    assert {each["site_id"] for each in answer["sites"]} >= set(sites)
    by_site = {each["site_id"]: each for each in answer["sites"]}
    check(answer["total"], history)
    check(by_site[sites[0]], history)
    assert by_site[sites[1]]["entries"]["count"] == 0
    assert (by_site[sites[1]]["offset"], by_site[sites[2]]["offset"]) == ("+13:00", "-10:00")
    two = manager.get("/api/v1/insights", params=query | {"sites": f"{sites[2]},{sites[0]}"}).json()
    assert [each["site_id"] for each in two["sites"]] == [sites[2], sites[0]]
    present = manager.get("/api/v1/insights", params={"sites": f"{sites[1]},{sites[2]}"}).json()["sites"]
    assert present[0]["to"] >= present[1]["to"]
    other = seed(env, points=1, tickets=0, displays=0)["site_id"]
    assert other not in by_site
    for wrong, status in ((str(other), 404), (f"{sites[0]},{other}", 404), ("x", 422), ("1,2,3,4,5,6", 422)):
        refused = manager.get("/api/v1/insights", params=query | {"sites": wrong})
        assert refused.status_code == status, (wrong, refused.text)
    exported = manager.get("/api/v1/insights.zip", params=query | {"language": "fr"})
    lines, definitions = opened(exported, "sites")
    assert {line["site_id"] for line in lines} == {str(each) for each in by_site}
    mine = next(line for line in lines if line["site_id"] == str(sites[0]))
    assert (mine["entries"], mine["from_offset"][:3]) == (str(len(history)), "UTC")
    assert "wait_median_seconds" in definitions
    with server.client(server.sign_in(seeded, "clinician")) as clinician:
        assert clinician.get("/api/v1/insights", params=query).status_code == 403


def test_housekeeping_keeps_the_sums_of_past_days(
    env: dict[str, str], server: Server, seeded: Seed, manager: httpx.Client, history: list[PastEntry]
) -> None:
    days = sorted({each.business_day for each in history})
    statement = "SELECT business_day FROM daily_sums WHERE site_id = :site AND part = 'visits' ORDER BY business_day"
    end = time.monotonic() + 60
    while [day for (day,) in rows(env, statement, site=seeded["site_id"])] != days:
        assert time.monotonic() < end
        time.sleep(0.2)
    query = {"from": days[0], "to": days[-1]}
    first = manager.get(INSIGHTS.format(site_id=seeded["site_id"]), params=query).json()

    async def recounted() -> object:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            found = await insights.between(database, seeded["site_id"], days[0], days[-1], counting_seconds=0)
            return found.missing
        finally:
            await database.close()

    assert asyncio.run(recounted()) is None  # no day had to be counted
    check(first["total"], history)
