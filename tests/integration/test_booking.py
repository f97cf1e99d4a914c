"""Bookings through running servers: no code path, process or second site books a person twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.domain.model import TAKING, Appointment, cells_of
from server.queries.replaying import verify_time
from server.seeding import Seed
from server.store.database import Database
from server.store.records import record_of
from server.store.tables import appointments, busy_cells
from tests.support.extent import scaled
from tests.support.plain import PLAIN
from tests.support.screens import sse
from tests.support.server import Server, environment, seed, serving

Pair = tuple[list[Server], Seed, str]


@cache  # the same one until the end: midnight may come in the middle of a test
def monday_after_next() -> str:
    """Return a Monday that is one to two weeks away."""
    today = date.today()
    return (today + timedelta(days=14 - today.weekday())).isoformat()


@pytest.fixture(params=["mysql", "sqlite"])
def clinic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Yield two servers of one installation (one on SQLite), a site with two providers, and the database's URL."""
    url = request.getfixturevalue(f"{request.param}_url")
    redis_url = request.getfixturevalue("redis_url") if request.param == "mysql" else None
    env = environment(url, redis_url, NOWSERVING_LOG_LEVEL="warning")
    seeded = seed(env, points=1, tickets=0, displays=0, providers=2)
    with ExitStack() as stack:
        count = 2 if request.param == "mysql" else 1
        yield [stack.enter_context(serving(env, tmp_path, name=f"server{index}")) for index in range(count)], seeded, url


def booking(seeded: Seed, local_start: str, **more: Any) -> dict[str, Any]:
    """Return the body of a booking with the first provider."""
    return {
        "site_id": seeded["site_id"],
        "service_id": seeded["service_ids"][0],
        "provider_id": seeded["provider_ids"][0],
        "local_start": local_start,
        "name": "Ada Lovelace",
    } | more


async def send_all(servers: list[Server], token: str, command: str, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    """Send every body at once, in turn to each server; return the answers in order."""
    limits = httpx.Limits(max_connections=50)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120, verify=PLAIN) as client:
        return await asyncio.gather(
            *(
                client.post(f"{servers[index % len(servers)].url}/api/v1/commands/{command}", json=body)
                for index, body in enumerate(bodies)
            )
        )


def told(answers: list[httpx.Response]) -> Counter[str]:
    """Return how many answers were ``200`` or had each error code."""
    return Counter("200" if each.status_code == 200 else each.json()["error"]["code"] for each in answers)


async def overlaps(url: str, site_ids: list[int]) -> list[tuple[int, ...]]:
    """Return the cells that two appointments take, by the rows of appointments and again by the busy cells and the log."""
    database = Database(url)
    try:
        async with database.read() as connection:
            rows = await connection.execute(select(appointments))
            found = [record_of(Appointment, row._mapping) for row in rows]
            kept = [tuple(row) for row in await connection.execute(select(busy_cells))]
        now = await database.now()
        taken = Counter(
            cell[:3] for each in found if each.state in TAKING and each.takes_time(now) for cell in cells_of(each)
        )
        assert len({row[:3] for row in kept}) == len(kept)
        for site_id in site_ids:
            assert (await verify_time(database, site_id)).problems == []
        return [cell for cell, count in taken.items() if count > 1]
    finally:
        await database.close()


def test_one_time_goes_to_one_of_fifty(clinic: Pair) -> None:
    servers, seeded, url = clinic
    token = servers[0].sign_in(seeded, "receptionist")
    start = f"{monday_after_next()}T10:00"
    answers = asyncio.run(send_all(servers, token, "book", [booking(seeded, start)] * 50))
    assert told(answers) == {"200": 1, "slot_taken": 49}
    [made] = [each.json()["appointment"] for each in answers if each.status_code == 200]
    assert made["local_start"] == start
    assert (made["version"], made["state"], made["provider_id"]) == (1, "booked", seeded["provider_ids"][0])
    assert asyncio.run(overlaps(url, [seeded["site_id"]])) == []


def test_any_provider_is_another_one_for_the_second_of_two(clinic: Pair) -> None:
    servers, seeded, _ = clinic
    token = servers[0].sign_in(seeded, "receptionist")
    wanted = booking(seeded, f"{monday_after_next()}T10:00", provider_id=None)
    answers = asyncio.run(send_all(servers, token, "book", [wanted] * 3))
    assert told(answers) == {"200": 2, "slot_taken": 1}
    chosen = {each.json()["appointment"]["provider_id"] for each in answers if each.status_code == 200}
    assert chosen == set(seeded["provider_ids"])


def test_a_thousand_bookings_of_fifty_times_end_with_fifty(clinic: Pair) -> None:
    servers, seeded, url = clinic
    token = servers[0].sign_in(seeded, "receptionist")
    day = date.fromisoformat(monday_after_next())
    times = [f"{day + timedelta(days=index // 32)}T{9 + index % 32 // 4:02}:{index % 4 * 15:02}" for index in range(50)]
    bodies = [booking(seeded, start) for start in times] * scaled(20, 5)
    random.Random(7).shuffle(bodies)
    answers = asyncio.run(send_all(servers, token, "book", bodies))
    assert told(answers) == {"200": 50, "slot_taken": len(bodies) - 50}
    assert asyncio.run(overlaps(url, [seeded["site_id"]])) == []


def test_history_tells_every_step_with_its_actor(clinic: Pair) -> None:
    servers, seeded, _ = clinic
    monday = monday_after_next()
    with servers[0].client(servers[0].sign_in(seeded, "receptionist")) as desk:
        made = desk.post("/api/v1/commands/book", json=booking(seeded, f"{monday}T10:00")).json()
        appointment_id = made["appointment"]["id"]
        with servers[-1].client(made["token"]) as patient:
            moved = patient.post(
                "/api/v1/commands/reschedule",
                json={"appointment_id": appointment_id, "version": 1, "local_start": f"{monday}T11:00"},
            )
            assert moved.status_code == 200, moved.text
        ended = {"appointment_id": appointment_id, "version": 2, "reason": "asked by phone"}
        assert desk.post("/api/v1/commands/cancel-appointment", json=ended).status_code == 200
        address = f"/api/v1/sites/{seeded['site_id']}/appointments/{appointment_id}/history"
        steps = desk.get(address).json()["steps"]
        assert [each["type"] for each in steps] == ["appointment-booked", "appointment-moved", "appointment-cancelled"]
        assert [each["local_start"] for each in steps] == [f"{monday}T10:00", f"{monday}T11:00", f"{monday}T11:00"]
        assert steps[1]["actor"] == f"appointment:{appointment_id}"
        assert (steps[1]["was_local_start"], steps[2]["reason"]) == (f"{monday}T10:00", "asked by phone")
        assert steps[0]["username"] == steps[2]["username"] == f"receptionist-{seeded['staff'][0]['username'].split('-')[1]}"
        assert desk.get(address.replace(str(appointment_id), str(appointment_id + 99))).status_code == 404


def test_one_appointment_is_read_whole_by_those_who_may_name_its_patient(clinic: Pair) -> None:
    """The answer is the item of the list, also after the end. An unknown id and another site's are not found."""
    servers, seeded, url = clinic
    monday = monday_after_next()
    known = {"phone": "+44 20 7946 0018", "email": "ada@clinic.example", "date_of_birth": "1985-12-10", "note": "a chair"}
    other = seed(environment(url), points=1, tickets=0, displays=0, providers=1)
    with servers[0].client(servers[0].sign_in(other, "receptionist")) as elsewhere:
        theirs = elsewhere.post("/api/v1/commands/book", json=booking(other, f"{monday}T10:00")).json()["appointment"]["id"]
    listed = f"/api/v1/sites/{seeded['site_id']}/appointments"
    with servers[0].client(servers[0].sign_in(seeded, "receptionist")) as desk:
        answer = desk.post("/api/v1/commands/book", json=booking(seeded, f"{monday}T10:00", needs=["interpreter"], **known))
        appointment_id = answer.json()["appointment"]["id"]
        address = f"{listed}/{appointment_id}"
        whole = desk.get(address).json()
        assert {name: whole[name] for name in known} == known | {"phone": "+442079460018"}
        assert (whole["name"], whole["needs"], whole["state"]) == ("Ada Lovelace", ["interpreter"], "booked")
        assert whole["phone_shown"].replace(" ", "").endswith("2079460018")
        assert whole in desk.get(f"{listed}?date={monday}").json()["data"]
        with servers[-1].client(servers[-1].sign_in(seeded, "manager")) as manager:
            hidden = manager.get(address).json()
        assert {hidden[name] for name in ("name", "phone_shown", *known)} == {None}
        assert hidden["needs"] == ["interpreter"]
        emptied = dict.fromkeys(known, "") | {"appointment_id": appointment_id}
        assert desk.post("/api/v1/commands/amend-appointment", json=emptied).status_code == 200
        assert {desk.get(address).json()[name] for name in known} == {None}
        ended = {"appointment_id": appointment_id, "version": 1}
        assert desk.post("/api/v1/commands/cancel-appointment", json=ended).status_code == 200
        assert desk.get(address).json()["state"] == "cancelled"
        for wrong in (theirs, appointment_id + 99):
            refused = desk.get(f"{listed}/{wrong}")
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "appointment_not_found")
        refused = desk.get(f"/api/v1/sites/{other['site_id']}/appointments/{theirs}")
        assert refused.json()["error"]["code"] == "site_not_found"


def test_freed_time_is_offered_live_and_taken_or_passed_on_by_the_patients(clinic: Pair) -> None:
    servers, seeded, url = clinic
    monday = monday_after_next()
    with servers[0].client(servers[0].sign_in(seeded, "receptionist")) as desk:

        def booked(clock: str, **more: Any) -> dict[str, Any]:
            made: dict[str, Any] = desk.post(
                "/api/v1/commands/book", json=booking(seeded, f"{monday}T{clock}", **more)
            ).json()
            return made

        early, first, second = booked("09:00"), booked("15:00", wants_earlier=True), booked("11:00", wants_earlier=True)
        pages = [sse(f"{servers[-1].url}/live/appointments/{each['token']}") for each in (first, second)]
        with pages[0] as one, pages[1] as two:
            for screen in (one, two):
                screen.wait(lambda each: each.cells)
            ended = {"appointment_id": early["appointment"]["id"], "version": 1}
            assert desk.post("/api/v1/commands/cancel-appointment", json=ended).status_code == 200
            one.wait(lambda each: each.cells["appointment"]["offer"])
            assert one.cells["appointment"]["offer"]["local_start"] == f"{monday}T09:00"
            assert two.cells["appointment"]["offer"] is None
            declined = _by_patient(servers[-1], first, "decline-offer")
            assert declined.status_code == 200, declined.text
            two.wait(lambda each: each.cells["appointment"]["offer"])
            refused = _by_patient(servers[0], first, "accept-offer")
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "offer_over")
            accepted = _by_patient(servers[0], second, "accept-offer")
            assert accepted.json()["appointment"]["local_start"] == f"{monday}T09:00"
            two.wait(lambda each: each.cells["appointment"]["local_start"] == f"{monday}T09:00")
            assert (two.cells["appointment"]["offer"], two.cells["appointment"]["wants_earlier"]) == (None, False)
        told = [
            [(each["type"], each["offered_to"]) for each in steps_of(desk, seeded, one["appointment"]["id"])]
            for one in (first, second)
        ]
        asked = [each["appointment"]["id"] for each in (first, second)]
        offered, over = ("appointment-held", asked[0]), ("hold-released", asked[0])
        assert told[0] == [("appointment-booked", None), offered, over, offered]  # at last the time that `second` gave back
        assert sorted(told[1], key=str) == sorted(
            [
                ("appointment-booked", None),
                ("appointment-held", asked[1]),
                ("hold-released", asked[1]),
                ("appointment-moved", None),
            ],
            key=str,
        )
    assert asyncio.run(overlaps(url, [seeded["site_id"]])) == []


def steps_of(desk: httpx.Client, seeded: Seed, appointment_id: int) -> list[dict[str, Any]]:
    """Return the steps of an appointment's history."""
    answer = desk.get(f"/api/v1/sites/{seeded['site_id']}/appointments/{appointment_id}/history")
    assert answer.status_code == 200, answer.text
    steps: list[dict[str, Any]] = answer.json()["steps"]
    return steps


def _by_patient(server: Server, booked: dict[str, Any], command: str) -> httpx.Response:
    """Send a patient's own command, by the appointment's token."""
    with server.client(booked["token"]) as phone:
        return phone.post(f"/api/v1/commands/{command}", json={"appointment_id": booked["appointment"]["id"]})
