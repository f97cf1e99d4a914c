"""An import through a running server: each row for itself, sealed, once, and without harm when it is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.queries.replaying import verify_time
from server.seeding import Seed
from server.store.database import Database
from server.store.tables import appointments, busy_cells, events
from tests.integration.test_booking import monday_after_next
from tests.support.server import Server, environment, seed, serving

HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class Clinic:
    """A running server, its site with two providers, and the database's URL."""

    server: Server
    seeded: Seed
    url: str

    def send(self, rows: list[dict[str, Any]], role: str = "admin", key: str = "", **more: Any) -> Any:
        """Send rows; return the answer."""
        with self.server.client(self.server.sign_in(self.seeded, role)) as client:
            headers = {HEADER: key} if key else {}
            address = f"/api/v1/sites/{self.seeded['site_id']}/appointments/import"
            return client.post(address, json={"rows": rows} | more, headers=headers)

    def row(self, number: int, **values: Any) -> dict[str, Any]:
        """Return a row at a quarter of an hour of its own."""
        minute = 9 * 60 + number * 15
        return {
            "number": number,
            "foreign_id": f"T-{number}",
            "service": str(self.seeded["service_ids"][0]),
            "provider": str(self.seeded["provider_ids"][0]),
            "local_start": f"{monday_after_next()}T{minute // 60:02}:{minute % 60:02}",
            "name": f"Ada {number}",
        } | values


@pytest.fixture(params=["mysql", "sqlite"])
def clinic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    url = request.getfixturevalue(f"{request.param}_url")
    env = environment(url, None, NOWSERVING_LOG_LEVEL="warning")
    seeded = seed(env, points=1, tickets=0, displays=0, providers=2)
    with serving(env, tmp_path) as server:
        yield Clinic(server, seeded, url)


async def stored(clinic: Clinic) -> tuple[list[Any], int, str]:
    """Return the rows of appointments, the number of busy cells, and the whole log as text."""
    database = Database(clinic.url)
    try:
        async with database.read() as connection:
            found = (await connection.execute(select(appointments).order_by(appointments.c.id))).all()
            cells = len((await connection.execute(select(busy_cells))).all())
            log = (await connection.execute(select(events))).all()
        verified = await verify_time(database, clinic.seeded["site_id"])
        assert verified.problems == []
        return list(found), cells, "\n".join(str(each) for each in log)
    finally:
        await database.close()


def test_rows_are_booked_once_and_a_file_sent_again_changes_what_differs(clinic: Clinic) -> None:
    rows = [clinic.row(number, phone=f"+493090182{number:02}", note="needs a ramp") for number in range(4)]
    rows[0]["number"] = 100
    wrong = clinic.row(9, phone="nobody knows")
    first = clinic.send([*rows, wrong], key="part 1")
    assert first.status_code == 200, first.text
    told = first.json()
    assert told["booked"] == [100, 1, 2, 3]
    assert told["refused"] == [{"number": 9, "code": "invalid_field", "detail": "phone"}]
    assert clinic.send([*rows, wrong], key="part 1").json() == told
    again = clinic.send(
        [rows[0], rows[1] | {"name": "Ada Lovelace"}, rows[2] | {"local_start": clinic.row(20)["local_start"]}]
    )
    assert {name: again.json()[name] for name in ("booked", "moved", "amended", "unchanged", "refused")} == {
        "booked": [],
        "moved": [2],
        "amended": [1],
        "unchanged": [100],
        "refused": [],
    }
    found, cells, log = asyncio.run(stored(clinic))
    assert sorted(each.foreign_id for each in found) == ["T-0", "T-1", "T-2", "T-3"]
    assert cells == 12
    assert len({each.token_hash for each in found}) == 4
    for secret in ("Lovelace", "Ada 2", "+4930", "needs a ramp"):
        assert secret not in log
        assert all(secret not in str(each) for each in found)


def test_time_that_a_row_leaves_is_offered_to_the_first_who_asked(clinic: Clinic) -> None:
    clinic.send([clinic.row(1), clinic.row(20)])
    found, _, _ = asyncio.run(stored(clinic))
    [later] = [each.id for each in found if each.foreign_id == "T-20"]
    with clinic.server.client(clinic.server.sign_in(clinic.seeded, "admin")) as client:
        asked = client.post("/api/v1/commands/want-earlier", json={"appointment_id": later, "wants": True})
        assert asked.status_code == 200, asked.text
        # The new appointments of the same command have ids of their own, beside that of the offer.
        told = clinic.send([clinic.row(1, local_start=clinic.row(24)["local_start"]), clinic.row(2), clinic.row(3)]).json()
        assert (told["moved"], told["booked"]) == ([1], [2, 3])
        accepted = client.post("/api/v1/commands/accept-offer", json={"appointment_id": later})
        assert accepted.status_code == 200, accepted.text
    found, _, _ = asyncio.run(stored(clinic))
    [moved] = [each.local_start for each in found if each.id == later]
    assert moved == clinic.row(1)["local_start"]


def test_only_administrators_import(clinic: Clinic) -> None:
    for role in ("manager", "receptionist", "clinician"):
        answer = clinic.send([clinic.row(1)], role=role)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")


def test_same_key_with_other_rows_is_refused(clinic: Clinic) -> None:
    assert clinic.send([clinic.row(1)], key="k").status_code == 200
    answer = clinic.send([clinic.row(2)], key="k")
    assert answer.json()["error"]["code"] == "command_id_reused"


def test_imported_patient_can_be_called_by_reception(clinic: Clinic) -> None:
    """The sealed data is that of the appointment: the day's list opens it."""
    clinic.send([clinic.row(1, date_of_birth="1985-12-10", email="ada@example.org")])
    with clinic.server.client(clinic.server.sign_in(clinic.seeded, "receptionist")) as client:
        listed = client.get(f"/api/v1/sites/{clinic.seeded['site_id']}/appointments?date={monday_after_next()}").json()
    [only] = listed["data"]
    assert (only["name"], only["date_of_birth"], only["email"]) == ("Ada 1", "1985-12-10", "ada@example.org")
    assert (only["foreign_id"], only["state"]) == ("T-1", "booked")


def test_holidays_are_those_of_the_country_of_the_site(clinic: Clinic) -> None:
    site_id = clinic.seeded["site_id"]
    with clinic.server.client(clinic.server.sign_in(clinic.seeded, "admin")) as client:
        assert client.post("/api/v1/commands/change-site", json={"site_id": site_id, "region": "FR"}).status_code == 200
        answer = client.get(f"/api/v1/sites/{site_id}/holidays?year=2027").json()
        assert answer["country"] == "FR"
        assert "2027-07-14" in [each["date"] for each in answer["data"]]
        assert client.get(f"/api/v1/sites/{site_id}/holidays?year=1500").status_code == 422
