"""The demo: a small clinic with a simulated day, on an embedded database and the in-memory bus, in one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from server.domain.commands import AddProvider, ChangeSite, StaffPoint
from server.queries.boards import Boards
from server.setup import DisplaySeed, Setup, StaffSeed

PASSWORD = "demo-clinic"
# Left to whoever tries the demo; the simulation serves all others.
YOURS = "Room 4"
ARRIVED = ("Ada Berg", "Bo Lind", "Cem Aydin", "Dora Klein", "Emil Roth", "Fatou Sarr")
BEFORE_YOU = len(ARRIVED)


class Clinic(TypedDict):
    """The demo's clinic: what its pages are opened with."""

    site_id: int
    display: DisplaySeed
    staff: list[StaffSeed]


async def open_clinic(setup: Setup, directory: Path) -> Clinic:
    """Return the demo clinic kept in ``directory``; create it the first time."""
    kept = directory / "clinic.json"
    if kept.exists():
        clinic: Clinic = json.loads(kept.read_text())
        return clinic
    site = await setup.site("Riverside Health", "Riverside Clinic", language="en")
    await setup.do(ChangeSite(site_id=site.id, names_on_display=True, target_standard=25, target_assisted=15))
    registration = await setup.queue(site.id, "Registration", "A")
    blood = await setup.queue(site.id, "Blood tests", "B")
    doctor = await setup.queue(site.id, "Consultation", "C")
    for name, queue_ids, provider in (
        ("Desk 1", [registration], None),
        ("Desk 2", [registration], None),
        ("Room 1", [blood], None),
        ("Room 2", [doctor], "Dr. Nadia Rahman"),
        ("Room 3", [doctor, blood], "Dr. Tom Winter"),
        (YOURS, [registration, blood, doctor], None),
    ):
        point_id = await setup.point(site.id, name, queue_ids)
        if provider is not None:
            added = await setup.do(AddProvider(site_id=site.id, name=provider))
            await setup.do(StaffPoint(point_id=point_id, provider_id=added["events"][-1]["provider_id"]))
    clinic = {
        "site_id": site.id,
        "display": await setup.display(site.id, "Waiting room"),
        "staff": [
            await setup.member(site.organisation_id, "admin", PASSWORD, "admin"),
            await setup.member(site.organisation_id, "reception", PASSWORD, "receptionist"),
            await setup.member(site.organisation_id, "doctor", PASSWORD, "clinician"),
        ],
    }
    kept.write_text(json.dumps(clinic))
    return clinic


async def a_patient(setup: Setup, clinic: Clinic) -> str:
    """Return the token of a patient who takes a ticket now, behind a few others: there is a wait to be seen."""
    board = await Boards(setup.database).board(clinic["site_id"])
    registration = min(board.queues)
    for index in range(len(board.waiting(registration)), BEFORE_YOU):
        await setup.ticket(registration, name=ARRIVED[index])
    ticket = await setup.ticket(registration, name="You")
    return ticket["token"]
