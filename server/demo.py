"""The demo: a small clinic with a simulated day, on an embedded database and the in-memory bus, in one process.

The index links to every screen. It therefore shows every visitor the tokens of a display and a patient, and the passwords
of the staff. The demo has no real people, and only ``nowserving demo`` has these routes.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.audit import OPERATOR, Audit, process_name
from server.clock import SteadyClock
from server.demo_days import PastClock, PastDays, morning_before
from server.demo_messages import PastMessages
from server.domain.commands import (
    AddProvider,
    AddQueue,
    AddSchedule,
    AddService,
    Book,
    ChangeKiosk,
    ChangePoint,
    ChangeSite,
    StaffPoint,
)
from server.domain.errors import AppointmentNotFound, NowServingError, SlotNotOffered, SlotTaken, TicketNotFound
from server.domain.model import OPEN_STATES, TAKING, Names, local_time
from server.execute import Executor
from server.installation.keys import BadKeys, Keys, make, read
from server.notifying.set_up import ChannelSetUp
from server.queries.boards import Boards
from server.seeding import YOUR_APPOINTMENT, DeviceSeed, Seeder, StaffSeed, do, issue_ticket, next_quarters
from server.transport.context import Context
from server.transport.http.errors import page

logger = structlog.get_logger(__name__)

PASSWORD = "clinic-demo-day"  # nosec B105 # public on purpose
# The point for the visitor of the demo. The simulation serves all others.
YOURS = "Room 4"
KIOSK = "Entrance"
# The site's other languages, and the names of its queues and points in each.
LANGUAGES = ("ar", "es", "fr")
NAMES = {
    "Registration": ("التسجيل", "Admisión", "Accueil"),
    "Blood tests": ("تحاليل الدم", "Análisis de sangre", "Prises de sang"),
    "Consultation": ("الاستشارة", "Consulta", "Consultation"),
    "Desk": ("مكتب {}", "Mostrador {}", "Guichet {}"),
    "Room": ("غرفة {}", "Sala {}", "Salle {}"),
}
ARRIVED = ("Ada Berg", "Bo Lind", "Cem Aydin", "Dora Klein", "Emil Roth", "Fatou Sarr")
BEFORE_YOU = len(ARRIVED)
LOOK_SECONDS = 5.0
CONTACT = "demo@clinic.example"  # for the operators of push services


class Clinic(TypedDict):
    """The demo's clinic: the ids, tokens and passwords that open its pages."""

    site_id: int
    display: DeviceSeed
    kiosk: DeviceSeed
    staff: list[StaffSeed]


def own_keys(directory: Path) -> Keys:
    """Return the keys of the demo in ``directory``. The first call makes them, and removes data of other keys."""
    path = directory / "demo.keys"
    if not path.exists():
        for name in ("clinic.json", "demo.db", "demo.db-wal", "demo.db-shm"):
            (directory / name).unlink(missing_ok=True)
        make(path)
    keys = read(path)
    if keys is None:
        raise BadKeys(f"The key file {path} has disappeared. Start the demo again.")
    return keys


async def open_clinic(seeder: Seeder, directory: Path) -> Clinic:
    """Return the demo clinic in ``directory``. The first call creates it."""
    kept = directory / "clinic.json"
    if is_open(directory):
        clinic: Clinic = json.loads(kept.read_text())
        if "kiosk" not in clinic:  # an earlier version made the clinic
            clinic["kiosk"] = await seeder.kiosk(clinic["site_id"], KIOSK)
            kept.write_text(json.dumps(clinic))
        return clinic
    site = await seeder.site("Riverside Health", "Riverside Clinic", language="en")
    rules: dict[str, Any] = {"names_on_display": True, "target_standard": 25, "target_assisted": 15, "languages": LANGUAGES}
    await seeder.do(ChangeSite(site_id=site.id, **rules))
    registration = await _queue(seeder, site.id, "Registration", "A")
    blood = await _queue(seeder, site.id, "Blood tests", "B")
    doctor = await _queue(seeder, site.id, "Consultation", "C")
    for name, queue_ids, provider in (
        ("Desk 1", [registration], None),
        ("Desk 2", [registration], None),
        ("Room 1", [blood], None),
        ("Room 2", [doctor], "Dr. Nadia Rahman"),
        ("Room 3", [doctor, blood], "Dr. Tom Winter"),
        (YOURS, [registration, blood, doctor], None),
    ):
        point_id = await seeder.point(site.id, name, queue_ids)
        await seeder.do(ChangePoint(point_id=point_id, names=names_of(name)))
        if provider is not None:
            added = await seeder.do(AddProvider(site_id=site.id, name=provider))
            await seeder.do(StaffPoint(point_id=point_id, provider_id=added["events"][-1]["provider_id"]))
    clinic = {
        "site_id": site.id,
        "display": await seeder.display(site.id, "Waiting room"),
        "kiosk": await seeder.kiosk(site.id, KIOSK),
        "staff": [
            await seeder.member(site.organisation_id, "admin", PASSWORD, "admin"),
            await seeder.member(site.organisation_id, "reception", PASSWORD, "receptionist"),
            await seeder.member(site.organisation_id, "doctor", PASSWORD, "clinician"),
        ],
    }
    kept.write_text(json.dumps(clinic))
    return clinic


def is_open(directory: Path) -> bool:
    """Return whether the demo clinic in ``directory`` exists."""
    return (directory / "clinic.json").exists()


async def live_past_days(seeder: Seeder, directory: Path, days: int) -> None:
    """Create the demo clinic in ``directory`` so many days ago, and live the days since then. A day takes some seconds."""
    database = seeder.database
    database.clock = clock = PastClock(morning_before(days))
    try:
        clinic = await open_clinic(seeder, directory)
        boards = Boards(database)
        await open_hours(seeder, boards, clinic)
        board = await boards.board(clinic["site_id"])
        messages = PastMessages(database, seeder.executor.vault, board.site.organisation_id)
        past = PastDays(seeder.executor, board, clock, messages, frozenset({YOURS}))
        await past.live(datetime.now(UTC).date())
    finally:
        database.clock = SteadyClock()


async def open_hours(seeder: Seeder, boards: Boards, clinic: Clinic) -> None:
    """Let the doctors be booked at any hour: somebody may look at the demo at night. The first call adds the schedules."""
    board = await boards.board(clinic["site_id"])
    if board.schedules:
        return
    service_id = next(each.service_id for each in board.queues.values() if each.name == "Consultation")
    assert service_id is not None
    for provider_id in board.providers:
        for weekday in range(7):
            await seeder.do(
                AddSchedule(
                    site_id=board.site.id,
                    provider_id=provider_id,
                    service_ids=(service_id,),
                    weekday=weekday,
                    from_="00:00",
                    until="24:00",
                    slot_minutes=15,
                    valid_from=board.site.business_day,
                )
            )
    await seeder.do(ChangeSite(site_id=board.site.id, booking="on"))
    await seeder.do(ChangeKiosk(kiosk_id=clinic["kiosk"]["id"], check_in="birth"))


async def ring_phones(seeder: Seeder, boards: Boards, clinic: Clinic) -> None:
    """Let the pages of patients subscribe their phones. The first call makes the keys; no other message leaves the demo."""
    site = (await boards.board(clinic["site_id"])).site
    if "push" in site.rules.message_ways:
        return
    vault = seeder.executor.vault
    audit = Audit(seeder.database, vault, process_name())
    audit.start()
    try:
        set_up = ChannelSetUp(seeder.database, vault, audit, None)
        await set_up.put(site.organisation_id, "push", "push", {"contact": CONTACT}, actor=OPERATOR)
    finally:
        await audit.stop()
    await seeder.do(ChangeSite(site_id=site.id, message_ways=("push",)))


async def an_appointment(executor: Executor, boards: Boards, clinic: Clinic) -> str:
    """Book the next free time that a visitor of the demo can still follow; return its token."""
    board = await boards.board(clinic["site_id"])
    service_id = next(iter(board.schedules.values())).service_ids[0]
    for start in next_quarters(time.time(), 2, 40):
        command = Book(
            site_id=board.site.id,
            service_id=service_id,
            local_start=local_time.local_of(start, board.site.time_zone).local,
            name="You",
            date_of_birth="1990-05-17",
            email="you@clinic.example",
            wants_earlier=True,
            foreign_id=f"{YOUR_APPOINTMENT}:{uuid.uuid4().hex}",
        )
        try:
            return str((await do(executor, command))["token"])
        except (SlotTaken, SlotNotOffered):
            continue
    raise RuntimeError("all doctors of the demo are booked for hours")


async def _queue(seeder: Seeder, site_id: int, name: str, prefix: str) -> int:
    """Add a service and its queue, with their names in all languages; return the queue's id."""
    names = names_of(name)
    added = await seeder.do(AddService(site_id=site_id, name=name, public_name=name, names=names))
    service_id = added["events"][-1]["service_id"]
    added = await seeder.do(AddQueue(site_id=site_id, name=name, prefix=prefix, service_id=service_id, names=names))
    return int(added["events"][-1]["queue_id"])


def names_of(name: str) -> Names:
    """Return a name of the demo in the site's other languages: "Room 2" is "Salle 2"."""
    kind, _, number = name.partition(" ")
    if name not in NAMES:
        return tuple((tag, text.format(number)) for tag, text in zip(LANGUAGES, NAMES[kind], strict=True))
    return tuple(zip(LANGUAGES, NAMES[name], strict=True))


async def a_patient(executor: Executor, boards: Boards, clinic: Clinic) -> str:
    """Issue a ticket behind a few others, so that there is a wait to see; return its token."""
    board = await boards.board(clinic["site_id"])
    registration = min(board.queues)
    for index in range(len(board.waiting(registration)), BEFORE_YOU):
        await issue_ticket(executor, registration, name=ARRIVED[index])
    ticket = await issue_ticket(executor, registration, name="You")
    return ticket["token"]


class Doors:
    """The routes of the demo's index, which links to every screen.

    There is always a patient to follow, and an appointment to move, to cancel and to check in for.
    """

    def __init__(self, clinic: Clinic, ticket: str, appointment: str) -> None:
        self._clinic = clinic
        self._ticket = ticket
        self._appointment = appointment

    @property
    def routes(self) -> list[BaseRoute]:
        """The demo's index, and the data that the index loads."""
        return [Route("/", self._index, methods=["GET"]), Route("/demo/doors", self._doors, methods=["GET"])]

    async def keep_a_patient(self, context: Context) -> None:
        """Run until cancelled: when the patient is done, issue another ticket, and book another appointment."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if not await self._is_here(context):
                    self._ticket = await a_patient(context.executor, context.boards, self._clinic)
                if not await self._is_booked(context):
                    self._appointment = await an_appointment(context.executor, context.boards, self._clinic)
            except NowServingError as error:
                logger.warning("demo patient not replaced", error=repr(error))

    async def _is_here(self, context: Context) -> bool:
        try:
            visit_id = (await context.gate.ticket(self._ticket)).id
        except TicketNotFound:
            return False
        board = await context.boards.board(self._clinic["site_id"])
        return any(entry.visit_id == visit_id and entry.state in OPEN_STATES for entry in board.entries.values())

    async def _is_booked(self, context: Context) -> bool:
        try:
            appointment_id = (await context.gate.appointment(self._appointment)).id
        except AppointmentNotFound:
            return False
        appointment = (await context.boards.board(self._clinic["site_id"])).appointments.get(appointment_id)
        return appointment is None or appointment.state in TAKING  # it may be of another day

    async def _index(self, request: Request) -> Response:
        return page(request, "demo")

    async def _doors(self, request: Request) -> Response:
        clinic = self._clinic
        body = clinic | {"ticket": self._ticket, "appointment": self._appointment, "yours": YOURS}
        return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
