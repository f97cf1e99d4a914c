"""Two sites book the same people at once: no overlap is left, by the rows, by the busy cells and by the logs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.domain.commands import (
    BookForVisitor,
    CancelAppointment,
    ChangeSite,
    Command,
    HoldForVisitor,
    LinkPractitioner,
    Reschedule,
)
from server.domain.errors import NotFound, PractitionerBusy, Refused, SlotTaken, Unavailable
from server.domain.model import TAKING, Appointment, cells_of
from server.domain.rules import booking
from server.execute import Executor
from server.queries.replaying import verify_time
from server.seeding import Seeder
from server.store import practitioners
from server.store.database import Database
from server.store.migrate import migrate
from server.store.records import columns_of, record_of
from server.store.tables import busy_cells
from server.vault import Vault
from tests.support.databases import kill_connections
from tests.support.extent import scaled

ATTEMPTS = scaled(2000, 300)
CALLERS = 8
PEOPLE = 2
TIMES = 24  # so few that most attempts meet another appointment


class Site:
    """One site of the organisation, with its service and the providers who are the shared people."""

    def __init__(self, site_id: int, service_id: int, provider_ids: list[int]) -> None:
        self.site_id = site_id
        self.service_id = service_id
        self.provider_ids = provider_ids
        self.made: list[dict[str, Any]] = []
        self.holds: list[str] = []


async def two_sites(database: Database, executor: Executor) -> list[Site]:
    """Return two sites of one organisation whose providers are the same people."""
    seeder = Seeder(database, executor)
    sites: list[Site] = []
    people: list[int] = []
    for name in ("North", "South"):
        site = await seeder.site("Shared", name)
        if not people:
            async with database.write() as connection:
                people = [
                    await practitioners.add(connection, site.organisation_id, f"Person {index}") for index in range(PEOPLE)
                ]
        service_id = await seeder.service(site.id, "Checks")
        provider_ids = [
            await seeder.provider(site.id, f"Dr {index}", [service_id], site.business_day) for index in range(PEOPLE)
        ]
        for provider_id, practitioner_id in zip(provider_ids, people, strict=True):
            await seeder.do(LinkPractitioner(provider_id=provider_id, practitioner_id=practitioner_id))
        await seeder.do(ChangeSite(site_id=site.id, booking="on"))
        sites.append(Site(site.id, service_id, provider_ids))
    return sites


def a_command(site: Site, chance: random.Random, monday: date) -> Command:
    """Return a booking, a hold, a booking of a hold, a move or a cancellation at a time that others want, too."""
    start = datetime.combine(monday, datetime.min.time()) + timedelta(hours=9, minutes=15 * chance.randrange(TIMES))
    local_start = f"{start:%Y-%m-%dT%H:%M}"
    wanted: dict[str, Any] = {
        "site_id": site.site_id,
        "service_id": site.service_id,
        "provider_id": chance.choice([*site.provider_ids, None]),
        "local_start": local_start,
        "minutes": chance.choice([15, 15, 30, 60]),
    }
    kind = chance.choice(["book", "book", "hold", "confirm", "move", "cancel", "cancel"])
    visitor = f"visitor-{chance.randrange(10**9)}"
    if kind == "hold":
        return HoldForVisitor(**wanted, held_by=visitor, held_from=visitor)
    if kind == "move" and site.made:
        made = chance.choice(site.made)
        return Reschedule(appointment_id=made["id"], version=made["version"], local_start=local_start)
    if kind == "cancel" and site.made:
        made = site.made.pop(chance.randrange(len(site.made)))
        return CancelAppointment(appointment_id=made["id"], version=made["version"])
    if kind == "confirm" and site.holds:
        wanted["hold_token"] = site.holds.pop(chance.randrange(len(site.holds)))
    return BookForVisitor(**wanted, name="Ada", email="ada@clinic.example")


async def check(database: Database, sites: list[Site]) -> int:
    """Assert that no time is taken twice, and that rows, cells and logs agree; return the number of booked appointments."""
    async with database.read() as connection:
        rows = await connection.execute(select(*columns_of(Appointment)))
        found = [record_of(Appointment, row._mapping) for row in rows]
        kept = {tuple(row) for row in await connection.execute(select(busy_cells))}
    now = await database.now()
    taking = [each for each in found if each.state in TAKING and each.takes_time(now)]
    expected = [cell for each in taking for cell in cells_of(each)]
    overlaps = [cell for cell, count in Counter(cell[:3] for cell in expected).items() if count > 1]
    assert overlaps == []
    assert {tuple(each) for each in expected} <= kept
    for site in sites:
        assert (await verify_time(database, site.site_id)).problems == []
    return len([each for each in taking if each.state == "booked"])


@pytest.mark.long
@pytest.mark.parametrize("engine", ["mysql", "sqlite"])
async def test_two_sites_never_book_one_person_twice(
    engine: str, request: pytest.FixtureRequest, vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Callers of both sites want the same few hours of the same people; holds lapse; connections are killed."""
    monkeypatch.setattr(booking, "HOLD_MINUTES", 0.005)  # 0.3 s: holds lapse while others want their time
    url = request.getfixturevalue(f"{engine}_url")
    databases = [Database(url), Database(url)] if engine == "mysql" else [Database(url)]
    await migrate(databases[0])
    executors = [Executor(each, vault, publish=lambda *_: None) for each in databases]
    sites = await two_sites(databases[0], executors[0])
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    told: Counter[str] = Counter()
    stop = asyncio.Event()

    async def caller(number: int) -> None:
        chance = random.Random(number)
        site, executor = sites[number % 2], executors[number % len(executors)]
        for turn in range(ATTEMPTS // CALLERS):
            command = a_command(site, chance, monday)
            for repeat in range(50):
                try:
                    body = (await executor.execute(command, actor="visitor", command_id=f"{number}-{turn}")).body
                except Unavailable:
                    told["unavailable"] += 1
                    await asyncio.sleep(0.02 * min(repeat, 10))
                    continue
                except (Refused, NotFound) as error:
                    told[error.code] += 1
                    break
                told[command.name_on_wire()] += 1
                if isinstance(command, HoldForVisitor):
                    site.holds.append(body["token"])
                elif body["appointment"]["state"] == "booked":
                    site.made.append(body["appointment"])
                break
            else:
                pytest.fail("no answer after fifty repeats")

    killed: list[int] = []
    killer = asyncio.create_task(asyncio.to_thread(kill_connections, url, stop, killed)) if engine == "mysql" else None
    try:
        async with asyncio.TaskGroup() as group:  # a caller that fails ends the others, and their transactions
            for number in range(CALLERS):
                group.create_task(caller(number))
    finally:
        stop.set()
        if killer is not None:
            await killer
    databases.append(Database(url))  # none of its connections can be one that was killed a moment ago
    assert await check(databases[-1], sites) > 0
    assert told["slot_taken"] > 0
    assert told["hold-for-visitor"] > 0
    for each in databases:
        await each.close()


async def test_link_that_would_collide_is_refused_with_the_times(sqlite_url: str, vault: Vault) -> None:
    database = Database(sqlite_url)
    await migrate(database)
    executor = Executor(database, vault, publish=lambda *_: None)
    north, south = await two_sites(database, executor)
    seeder = Seeder(database, executor)
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    await seeder.do(LinkPractitioner(provider_id=south.provider_ids[0], practitioner_id=None))
    person = 1
    for site in (north, south):
        wanted: dict[str, Any] = {
            "site_id": site.site_id,
            "service_id": site.service_id,
            "provider_id": site.provider_ids[0],
        }
        await seeder.do(BookForVisitor(**wanted, local_start=f"{monday}T09:00", name="Ada", email="ada@clinic.example"))
    with pytest.raises(PractitionerBusy) as refused:
        await seeder.do(LinkPractitioner(provider_id=south.provider_ids[0], practitioner_id=person))
    assert refused.value.details["first"] == [f"{monday}T09:00"]
    assert await check(database, [north, south]) == 2
    again = BookForVisitor(**wanted, local_start=f"{monday}T09:00", name="Ada", email="ada@clinic.example")
    with pytest.raises(SlotTaken):
        await seeder.do(again)
    await database.close()
