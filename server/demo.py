"""The demo: a small clinic with a simulated day, on an embedded database and the in-memory bus, in one process.

Its index leads into every screen, so it tells whoever can reach the demo the token of its display and of one patient, and
how its staff sign in. Nobody real is in it, and only ``nowserving demo`` has these routes: no other server is put together
with them.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TypedDict

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.domain.commands import AddProvider, ChangeSite, StaffPoint
from server.domain.errors import NowServingError, TicketNotFound
from server.domain.model import OPEN_STATES
from server.provisioning import DisplaySeed, Setup, StaffSeed
from server.queries.boards import Boards
from server.transport.context import Context
from server.transport.http.errors import page

logger = structlog.get_logger(__name__)

PASSWORD = "demo-clinic"
# Left to whoever tries the demo; the simulation serves all others.
YOURS = "Room 4"
ARRIVED = ("Ada Berg", "Bo Lind", "Cem Aydin", "Dora Klein", "Emil Roth", "Fatou Sarr")
BEFORE_YOU = len(ARRIVED)
LOOK_SECONDS = 5.0


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


class Doors:
    """The way into every screen of the demo, as its index shows it. There is always a patient in it."""

    def __init__(self, clinic: Clinic, ticket: str) -> None:
        self._clinic = clinic
        self._ticket = ticket

    @property
    def routes(self) -> list[BaseRoute]:
        """The demo's index, and what it asks for."""
        return [Route("/", self._index, methods=["GET"]), Route("/demo/doors", self._doors, methods=["GET"])]

    async def keep_a_patient(self, context: Context) -> None:
        """Go on until cancelled: when the patient is done, let another one come."""
        setup = Setup(context.database, context.executor)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if not await self._is_here(context):
                    self._ticket = await a_patient(setup, self._clinic)
            except NowServingError as error:
                logger.warning("no other patient came", error=repr(error))

    async def _is_here(self, context: Context) -> bool:
        try:
            visit_id = (await context.gate.ticket(self._ticket)).id
        except TicketNotFound:
            return False
        board = await context.boards.board(self._clinic["site_id"])
        return any(entry.visit_id == visit_id and entry.state in OPEN_STATES for entry in board.entries.values())

    async def _index(self, request: Request) -> Response:
        return page(request, "demo")

    async def _doors(self, request: Request) -> Response:
        clinic = self._clinic
        body = {"display": clinic["display"], "ticket": self._ticket, "staff": clinic["staff"], "yours": YOURS}
        return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
