"""The token of an appointment: the patient manages this appointment, and no other one. Personal data stay sealed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import String, Text, select

from server.seeding import Seed
from server.store.database import Database
from server.store.tables import events, metadata
from tests.integration.test_booking import booking, monday_after_next
from tests.support.server import Server, environment, seed, serving

CANARIES = {
    "name": "Quintessa Zylbersztejn",
    "phone": "+49 30 5550143",
    "email": "quintessa@canary.example",
    "date_of_birth": "1931-02-17",
    "note": "Allergic to marigolds",
}
TRACES = re.compile("Quintessa|Zylbersztejn|5550143|canary.example|1931-02-17|marigolds")


@dataclass
class Clinic:
    """A server on SQLite, its seed, two appointments with their tokens, and the folder of its logs."""

    server: Server
    seeded: Seed
    url: str
    folder: Path
    own: dict[str, Any]
    token: str
    other: dict[str, Any]

    def send(self, command: str, token: str | None = None, /, **body: Any) -> httpx.Response:
        """Send a command with a token, or with the token of the own appointment."""
        with self.server.client(token or self.token) as client:
            return client.post(f"/api/v1/commands/{command}", json=body)


@pytest.fixture
def clinic(sqlite_url: str, tmp_path: Path) -> Iterator[Clinic]:
    env = environment(sqlite_url, None)
    seeded = seed(env, points=1, tickets=0, displays=0, providers=2)
    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "receptionist")) as staff:
        made = []
        for hour in ("10", "11"):
            body = booking(seeded, f"{monday_after_next()}T{hour}:00", **CANARIES, anyway=True)
            answer = staff.post("/api/v1/commands/book", json=body)
            assert answer.status_code == 200, answer.text
            assert not TRACES.search(answer.text)
            made.append(answer.json())
        own, other = made
        yield Clinic(server, seeded, sqlite_url, tmp_path, own["appointment"], own["token"], other["appointment"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the error code of an answer."""
    return answer.status_code, answer.json()["error"]["code"]


def test_token_manages_its_own_appointment_and_no_other_one(clinic: Clinic) -> None:
    assert re.fullmatch(rf"a{clinic.seeded['site_id']}-[A-Za-z0-9_-]{{22}}", clinic.token)
    own, other = clinic.own["id"], clinic.other["id"]
    later = f"{monday_after_next()}T14:00"
    for command, more in (
        ("reschedule", {"version": 1, "local_start": later}),
        ("cancel-appointment", {"version": 1}),
        ("check-in", {}),
    ):
        unknown = clinic.send(command, appointment_id=own + 10_000, **more)
        refused = clinic.send(command, appointment_id=other, **more)
        assert code_of(refused) == code_of(unknown) == (404, "appointment_not_found")
    for command, body in (
        ("amend-appointment", {"appointment_id": own, "name": "Somebody Else"}),
        ("appointment-no-show", {"appointment_id": own}),
        ("book", booking(clinic.seeded, later)),
        ("move-appointments", {"provider_id": own, "date": monday_after_next(), "reason": "ill today"}),
    ):
        assert code_of(clinic.send(command, **body)) == (403, "not_allowed")
    assert code_of(clinic.send("leave", entry_id=own)) == (404, "entry_not_found")
    assert code_of(clinic.send("check-in", appointment_id=own)) == (409, "too_early")
    moved = clinic.send("reschedule", appointment_id=own, version=1, local_start=later)
    assert (moved.status_code, moved.json()["appointment"]["version"]) == (200, 2)
    assert code_of(clinic.send("reschedule", appointment_id=own, version=1, local_start=later)) == (
        409,
        "appointment_changed",
    )
    ended = clinic.send("cancel-appointment", appointment_id=own, version=2)
    assert (ended.status_code, ended.json()["appointment"]["state"]) == (200, "cancelled")
    assert asyncio.run(actors(clinic.url))[-2:] == [
        ("appointment-moved", f"appointment:{own}"),
        ("appointment-cancelled", f"appointment:{own}"),
    ]


def test_data_of_patients_are_in_no_column_and_no_line_of_a_log(clinic: Clinic) -> None:
    answers = [
        clinic.send("reschedule", appointment_id=clinic.own["id"], version=1, local_start=f"{monday_after_next()}T15:00"),
        clinic.send("check-in", appointment_id=clinic.own["id"]),
        clinic.send("cancel-appointment", appointment_id=clinic.own["id"], version=2),
    ]
    assert not [each.text for each in answers if TRACES.search(each.text)]
    texts = asyncio.run(all_texts(clinic.url))
    assert [name for name, value in texts if TRACES.search(value)] == []
    assert [name for name, value in texts if clinic.token in value] == []
    logs = [each for each in clinic.folder.rglob("*") if each.is_file() and each.suffix in (".log", ".txt", ".jsonl")]
    assert logs
    assert [each.name for each in logs if TRACES.search(each.read_text(errors="replace"))] == []


async def actors(url: str) -> list[tuple[str, str]]:
    """Return the type and the actor of each event, in order."""
    database = Database(url)
    try:
        async with database.read() as connection:
            rows = await connection.execute(select(events.c.type, events.c.actor).order_by(events.c.seq))
            return [(row.type, row.actor) for row in rows]
    finally:
        await database.close()


async def all_texts(url: str) -> list[tuple[str, str]]:
    """Return every text of every row, with its column."""
    database = Database(url)
    try:
        texts: list[tuple[str, str]] = []
        async with database.read() as connection:
            for table in metadata.sorted_tables:
                for column in table.columns:
                    if isinstance(column.type, String | Text):
                        values = await connection.scalars(select(column).where(column.is_not(None)))
                        texts += [(f"{table.name}.{column.name}", value) for value in values]
        return texts
    finally:
        await database.close()
