"""Who a change of several appointments reaches: by way and parts, and the patients that staff have to phone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from server.audit import Audit
from server.domain.commands import Book, ChangeSite
from server.domain.errors import AppointmentNotFound
from server.notifying.channels.directory import Directory
from server.notifying.context import Channels, TrialChannels
from server.notifying.own_texts import OwnTexts
from server.notifying.reach import ByWay, Reach
from server.queries import sites
from server.seeding import Seed, Seeder
from server.store import opt_outs
from server.store.database import Database
from server.store.tables import appointments
from server.vault import Vault
from tests.support.refusals import refused
from tests.support.server import environment, seed, serving

URL = "https://clinic.example"


@cache  # the same one until the end: midnight may come in the middle of a test
def wednesday() -> date:
    """Return a Wednesday in some weeks."""
    then = datetime.now(UTC) + timedelta(days=20)
    return (then + timedelta(days=(2 - then.weekday()) % 7)).date()


def start(number: int) -> str:
    """Return a free start on that Wednesday, as a local time."""
    return f"{wednesday()}T{9 + number // 2:02}:{number % 2 * 30:02}"


class Clinic:
    """A site with appointments, and who they reach."""

    def __init__(self, setup: Seeder, database: Database, vault: Vault, seeded: Seed, channels: Channels) -> None:
        self.setup, self.database, self.seeded = setup, database, seeded
        self.site_id = seeded["site_id"]
        self.reach = Reach(database, vault, channels, URL)
        self.booked: list[int] = []

    async def book(self, **about: Any) -> int:
        made = await self.setup.do(
            Book(
                site_id=self.site_id,
                service_id=self.seeded["service_ids"][0],
                provider_id=self.seeded["provider_ids"][0],
                local_start=start(len(self.booked)),
                **({"name": "Nora Canary"} | about),
            )
        )
        self.booked.append(made["appointment"]["id"])
        return self.booked[-1]


@pytest.fixture
async def clinic(setup: Seeder, database: Database, vault: Vault, tmp_path: Path) -> Clinic:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    await setup.do(ChangeSite(site_id=seeded["site_id"], message_ways=("sms", "email")))
    return Clinic(setup, database, vault, seeded, TrialChannels(str(tmp_path / "sent.jsonl")))


async def test_patients_are_counted_by_way_and_part(clinic: Clinic, database: Database, kept: Audit) -> None:
    for number in range(3):
        await clinic.book(phone=f"+49 170 000006{number}", email="nora@example.org")
    await clinic.book(phone="+49 170 0000070", language="ar")
    await clinic.book(email="mail@example.org")
    last = await clinic.book(name="Ada Unreached")
    found = await clinic.reach.of(clinic.site_id, "cancelled", [*clinic.booked, last], personal=True)
    assert (found.patients, found.ways) == (6, (ByWay("sms", 4, 5), ByWay("email", 1, 0))), "Arabic needs two parts"
    (to_phone,) = found.phone
    assert (to_phone.appointment_id, to_phone.local_start, to_phone.reason) == (last, start(5), "no-address")
    assert (to_phone.name, to_phone.phone) == ("Ada Unreached", None)
    texts, site = OwnTexts(database, kept, URL), await sites.find(database, clinic.site_id)
    await texts.put(site, "cancelled", "en", "{date} {time} cancelled. " + "Please phone us. " * 10, actor="staff:1")
    found = await clinic.reach.of(clinic.site_id, "cancelled", clinic.booked, personal=True)
    assert found.ways[0] == ByWay("sms", 4, 8), "the clinic's own text is longer"


async def test_patient_who_stopped_a_way_is_reached_by_the_next_one_or_by_phone(
    clinic: Clinic, database: Database, vault: Vault
) -> None:
    site = await sites.find(database, clinic.site_id)
    await clinic.book(phone="+49 170 0000067", email="nora@example.org")
    await clinic.book(phone="+49 170 0000068")
    addresses = [opt_outs.hashed(vault, site.organisation_id, "sms", f"+4917000000{number}") for number in (67, 68)]
    async with database.write() as connection:
        await opt_outs.add(connection, addresses, "reply", 1)
    found = await clinic.reach.of(clinic.site_id, "cancelled", clinic.booked, personal=True)
    assert (found.patients, found.ways) == (2, (ByWay("email", 1, 0),))
    assert [(each.reason, each.phone) for each in found.phone] == [("opted-out", "+491700000068")]


async def test_way_without_a_channel_reaches_nobody(clinic: Clinic, database: Database, vault: Vault) -> None:
    await clinic.book(phone="+49 170 0000067", name="Nora Canary")
    directory = Directory(database, vault, None)
    try:
        reach = Reach(database, vault, directory, URL)
        found = await reach.of(clinic.site_id, "moved", clinic.booked, personal=True)
    finally:
        await directory.close()
    assert (found.patients, found.ways) == (1, ())
    assert [(each.reason, each.name, each.phone) for each in found.phone] == [("no-channel", "Nora Canary", "+491700000067")]


async def test_site_without_ways_phones_everybody_without_names_for_a_manager(clinic: Clinic) -> None:
    await clinic.book(phone="+49 170 0000067")
    await clinic.setup.do(ChangeSite(site_id=clinic.site_id, message_ways=()))
    found = await clinic.reach.of(clinic.site_id, "moved", clinic.booked, personal=False)
    assert [(each.reason, each.name, each.phone, each.phone_shown) for each in found.phone] == [("no-way", None, None, None)]


async def test_appointment_that_has_begun_counts_for_nobody(clinic: Clinic) -> None:
    begun = await clinic.book(phone="+49 170 0000067")
    past = await clinic.database.now() - 1
    async with clinic.database.write() as connection:
        await connection.execute(update(appointments).where(appointments.c.id == begun).values(starts_at=past))
    assert (await clinic.reach.of(clinic.site_id, "moved", [begun], personal=True)).patients == 0


async def test_unknown_appointment_or_one_of_another_site_is_refused(clinic: Clinic) -> None:
    await clinic.book()
    other = await clinic.setup.seed(points=1, tickets=0, displays=0)
    for site_id, wanted in ((clinic.site_id, [clinic.booked[0], 5]), (other["site_id"], clinic.booked)):
        with pytest.raises(AppointmentNotFound):
            await clinic.reach.of(site_id, "moved", wanted, personal=True)


def test_manager_gets_figures_and_reception_names(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    seeded = seed(env, points=1, tickets=0, displays=0, providers=1)
    site_id = seeded["site_id"]
    with (
        serving(env, tmp_path) as server,
        server.client(server.sign_in(seeded, "receptionist")) as receptionist,
        server.client(server.sign_in(seeded, "manager")) as manager,
        server.client(server.sign_in(seeded, "clinician")) as clinician,
    ):
        of = {"site_id": site_id, "service_id": seeded["service_ids"][0], "provider_id": seeded["provider_ids"][0]}
        patient = {"name": "Nora Canary", "phone": "+49 30 901820"}
        booked = receptionist.post("/api/v1/commands/book", json=of | patient | {"local_start": start(0)}).json()
        address = f"/api/v1/sites/{site_id}/messages/preview"
        wanted = {"kind": "cancelled", "appointment_ids": [booked["appointment"]["id"]]}
        (seen,) = receptionist.post(address, json=wanted).json()["phone"]
        assert (seen["name"], seen["phone"]) == ("Nora Canary", "+4930901820")
        (seen,) = manager.post(address, json=wanted).json()["phone"]
        assert (seen["name"], seen["phone"]) == (None, None)
        refused(clinician.post(address, json=wanted), 403, "not_allowed")
        refused(receptionist.post(address, json=wanted | {"appointment_ids": [7]}), 404, "appointment_not_found")
        refused(receptionist.post(address, json=wanted | {"appointment_ids": []}), 422, "invalid_body")
        refused(receptionist.post(address, json=wanted | {"kind": "called"}), 422, "invalid_body")
