"""The monthly report for managers from a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import httpx
import pytest

from server.seeding import Seed
from tests.support.server import Server, environment, seed, serving

REPORT = "/api/v1/sites/{}/insights/report.pdf"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('report') / 'x.db'}")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=1, tickets=6, displays=0)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(env, tmp_path_factory.mktemp("report-server")) as server:
        yield server


@pytest.fixture
def manager(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "manager")) as client:
        yield client


def today(manager: httpx.Client, seeded: Seed) -> date:
    """Return the business day of the site."""
    return date.fromisoformat(manager.get(f"/api/v1/sites/{seeded['site_id']}").json()["business_day"])


def name_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["content-disposition"].removeprefix('inline; filename="').removesuffix('"')


@pytest.mark.parametrize("language", ["en", "ar", "es", "fr"])
def test_report_of_the_present_month_is_a_pdf_in_every_language(manager: httpx.Client, seeded: Seed, language: str) -> None:
    month = f"{today(manager, seeded):%Y-%m}"
    answer = manager.get(REPORT.format(seeded["site_id"]), params={"month": month, "language": language})
    assert name_of(answer) == f"insights-{seeded['site_id']}-{month}-{language}.pdf"


def test_report_is_of_the_month_before_in_the_language_of_the_site(manager: httpx.Client, seeded: Seed) -> None:
    before = today(manager, seeded).replace(day=1) - timedelta(days=1)
    name = name_of(manager.get(REPORT.format(seeded["site_id"])))
    assert name == f"insights-{seeded['site_id']}-{before:%Y-%m}-en.pdf"


@pytest.mark.parametrize("query", [{"month": "2026-13"}, {"month": "now"}, {"month": "1999-12"}, {"language": "de"}])
def test_wrong_parameter_is_refused_by_name(manager: httpx.Client, seeded: Seed, query: dict[str, str]) -> None:
    answer = manager.get(REPORT.format(seeded["site_id"]), params=query)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == next(iter(query))


def test_month_that_has_not_begun_is_refused(manager: httpx.Client, seeded: Seed) -> None:
    later = today(manager, seeded).replace(day=1) + timedelta(days=32)
    answer = manager.get(REPORT.format(seeded["site_id"]), params={"month": f"{later:%Y-%m}"})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "month"


def test_only_managers_and_administrators_get_the_report(server: Server, seeded: Seed) -> None:
    address = REPORT.format(seeded["site_id"])
    for role, status in (("admin", 200), ("receptionist", 403), ("clinician", 403)):
        with server.client(server.sign_in(seeded, role)) as client:
            assert client.get(address).status_code == status, role
    with server.client() as nobody:
        assert nobody.get(address).status_code == 401
