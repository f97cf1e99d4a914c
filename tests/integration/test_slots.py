"""The free times over the API: every listed time can be booked, and every other one says why not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.seeding import Seed
from tests.support.plain import PLAIN
from tests.support.server import environment, seed, serving

MONDAY = (date.today() + timedelta(days=14 - date.today().weekday())).isoformat()
SUNDAY = (date.fromisoformat(MONDAY) + timedelta(days=6)).isoformat()


class Clinic:
    """A running clinic with two providers, from Monday to Friday 09:00 to 17:00, in steps of 15 minutes."""

    def __init__(self, client: httpx.Client, seeded: Seed) -> None:
        self.client = client
        self.seeded = seeded
        self.service_id = seeded["service_ids"][0]
        self.ada, self.ben = seeded["provider_ids"]
        self.address = f"/api/v1/sites/{seeded['site_id']}/slots"

    def ask(self, path: str = "", /, **query: Any) -> httpx.Response:
        return self.client.get(self.address + path, params={"service_id": self.service_id} | query)

    def slots(self, first: str = MONDAY, last: str = MONDAY, **query: Any) -> list[dict[str, Any]]:
        answer = self.ask(**{"from": first, "until": last} | query)
        assert answer.status_code == 200, answer.text
        assert "Grace Hopper" not in answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def why(self, clock: str, **query: Any) -> dict[str, Any]:
        answer = self.ask("/why", at=f"{MONDAY}T{clock}", **query)
        assert answer.status_code == 200, answer.text
        assert "Grace Hopper" not in answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send(self, command: str, **body: Any) -> httpx.Response:
        return self.client.post(f"/api/v1/commands/{command}", json={"site_id": self.seeded["site_id"]} | body)

    def book(self, clock: str, provider_id: int, **more: Any) -> httpx.Response:
        wanted = {"service_id": self.service_id, "provider_id": provider_id, "local_start": f"{MONDAY}T{clock}"}
        return self.send("book", **wanted, name="Grace Hopper", **more)


@pytest.fixture
def clinic(tmp_path: Path, sqlite_url: str) -> Iterator[Clinic]:
    env = environment(sqlite_url, None, NOWSERVING_LOG_LEVEL="warning")
    seeded = seed(env, points=1, tickets=0, displays=0, providers=2)
    with serving(env, tmp_path) as server:
        headers = {"Authorization": f"Bearer {server.sign_in(seeded, 'admin')}"}
        with httpx.Client(base_url=server.url, headers=headers, verify=PLAIN, timeout=60) as client:
            yield Clinic(client, seeded)


def test_a_listed_time_can_be_booked_and_is_gone_then(clinic: Clinic) -> None:
    first, second, *others = clinic.slots()
    assert len(others) == 2 * 32 - 2
    assert [each["provider_id"] for each in (first, second)] == [clinic.ada, clinic.ben]
    assert first | {"offset_minutes": 0, "starts_at": 0} == {
        "local_start": f"{MONDAY}T09:00",
        "fold": 0,
        "offset_minutes": 0,
        "starts_at": 0,
        "minutes": 15,
        "provider_id": clinic.ada,
        "left": 1,
    }
    booked = clinic.book("09:00", clinic.ada)
    assert booked.status_code == 200, booked.text
    assert booked.json()["appointment"]["starts_at"] == first["starts_at"]
    assert clinic.slots() == [second, *others]
    assert clinic.slots(provider_id=clinic.ada, minutes=60)[0]["local_start"] == f"{MONDAY}T09:15"
    assert (
        clinic.slots(MONDAY, SUNDAY)[-1]["local_start"][:10] == (date.fromisoformat(SUNDAY) - timedelta(days=2)).isoformat()
    )


def test_another_time_says_why_it_is_not_free(clinic: Clinic) -> None:
    assert clinic.book("09:00", clinic.ada).status_code == 200
    assert clinic.why("09:00", provider_id=clinic.ada)["rule"] == "booked"
    assert clinic.why("09:00")["rule"] is None  # the other provider is free
    assert clinic.why("09:05")["rule"] == "off_grid"
    assert clinic.why("19:00")["rule"] == "no_schedule"
    body = {"service_id": clinic.service_id, "provider_id": clinic.ben, "local_start": f"{MONDAY}T09:15"}
    assert clinic.send("hold-slot", **body).status_code == 200
    assert clinic.why("09:15", provider_id=clinic.ben)["rule"] == "held"
    assert clinic.book("09:15", clinic.ben).json()["error"]["details"]["reason"] == "held"


def test_a_closed_date_says_so_and_opens_again(clinic: Clinic) -> None:
    assert clinic.book("09:00", clinic.ada).status_code == 200
    closed = {"provider_id": clinic.ada, "date": MONDAY, "kind": "closed", "reason": "Training", "until": "12:00"}
    refused = clinic.send("add-exception", **closed)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "in_use")
    assert refused.json()["error"]["details"]["first"][0]["local_start"] == f"{MONDAY}T09:00"
    added = clinic.send("add-exception", **closed, stranded="cancel")
    assert added.status_code == 200, added.text
    found = clinic.why("09:00", provider_id=clinic.ada)
    assert (found["rule"], found["closure"]["date"], found["closure"]["reason"]) == ("closed", MONDAY, "Training")
    assert clinic.slots(provider_id=clinic.ada)[0]["local_start"] == f"{MONDAY}T12:00"
    assert clinic.send("remove-exception", exception_id=found["closure"]["exception_id"]).status_code == 200
    assert clinic.slots(provider_id=clinic.ada)[0]["local_start"] == f"{MONDAY}T09:00"


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("service_id", {"service_id": ""}),
        ("from", {"until": MONDAY}),
        ("until", {"from": MONDAY, "until": (date.fromisoformat(MONDAY) + timedelta(days=62)).isoformat()}),
        ("minutes", {"from": MONDAY, "until": MONDAY, "minutes": 7}),
        ("provider_id", {"from": MONDAY, "until": MONDAY, "provider_id": 1}),
    ],
)
def test_a_wrong_parameter_is_named(clinic: Clinic, field: str, query: dict[str, Any]) -> None:
    answer = clinic.ask(**query)
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, field)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_date_that_no_clinic_has_is_named(clinic: Clinic, day: str) -> None:
    listed = clinic.client.get(f"/api/v1/sites/{clinic.seeded['site_id']}/appointments", params={"date": day})
    moved = clinic.send("move-appointments", provider_id=clinic.ada, date=day, reason="ill today")
    for answer in (clinic.ask(**{"from": day, "until": day}), listed, moved):
        assert answer.status_code == 422, answer.text
    assert listed.json()["error"]["details"]["field"] == "date"
    assert moved.json()["error"]["details"]["fields"][0]["field"] == "date"


def test_records_that_do_not_exist_are_named(clinic: Clinic) -> None:
    other = clinic.service_id + 5_000
    for query, code in (({"service_id": other}, "service_not_found"), ({"provider_id": other}, "provider_not_found")):
        answer = clinic.ask(**{"from": MONDAY, "until": MONDAY} | query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    assert clinic.ask("/why", at="2027-02-30T09:00").json()["error"]["details"]["field"] == "at"
