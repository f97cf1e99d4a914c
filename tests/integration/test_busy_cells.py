"""The busy cells on a real database: `nowserving verify` compares them with the logs, and Rezone moves them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from server import housekeeping
from server.domain.commands import Book, BookSeries, CancelAppointment, HoldSlot, ReleaseSlot, Reschedule
from server.domain.errors import InvalidField, NotFound, Refused
from server.domain.events import AppointmentRezoned
from server.domain.model import FIRST_EXTRA_LANE, Appointment, BusyCell, cells_of, local_time
from server.execute import Executor
from server.queries.appointments import with_outdated_appointments
from server.queries.replaying import verify_time
from server.seeding import Seed, Seeder
from server.store import event_log
from server.store.database import Database
from server.store.records import columns_of, record_of
from server.store.tables import appointments, busy_cells
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.server import command_line, environment, vault

HOUR = 3_600_000_000
QUARTERS = 16  # from 9 to 13, so few that many wishes meet another appointment


@cache  # the same one until the end: midnight may come in the middle of a test
def monday_after_next() -> date:
    """Return a Monday that is one to two weeks away."""
    today = date.today()
    return today + timedelta(days=14 - today.weekday())


def quarter(number: int) -> str:
    """Return a local time of that Monday: a quarter of an hour after 9."""
    return f"{monday_after_next()}T{9 + number // 4:02}:{number % 4 * 15:02}"


async def on_database(url: str, work: Callable[[Seeder], Any]) -> Any:
    """Return the result of work on a migrated database."""
    database = Database(url)
    try:
        await bring_up(database)
        with quick_passwords():
            return await work(Seeder(database, Executor(database, vault(), publish=lambda *_: None)))
    finally:
        await database.close()


async def book_at_random(setup: Seeder, made: Seed, commands: int, chance: random.Random) -> set[str]:
    """Hold, book, move and cancel at random; return the names of the commands that were done."""
    done: set[str] = set()
    booked: list[dict[str, Any]] = []
    tokens: list[str] = []
    for number in range(commands):
        where: dict[str, Any] = {
            "site_id": made["site_id"],
            "service_id": made["service_ids"][0],
            "provider_id": chance.choice(made["provider_ids"]),
            "local_start": quarter(chance.randrange(QUARTERS)),
        }
        held = tokens.pop() if tokens and chance.random() < 0.5 else None
        one = booked[chance.randrange(len(booked))] if booked else {"id": made["site_id"] * 10**9, "version": 1}
        of_one: dict[str, Any] = {"appointment_id": one["id"], "version": one["version"]}
        urgent: dict[str, Any] = {"overbook": "urgent"} if chance.random() < 0.2 else {}
        choices: list[Any] = [
            HoldSlot(**where),
            Book(**where, name="Ada", hold_token=held, **urgent),
            Book(**where, name="Ada", minutes=chance.choice((15, 30, 60))),
            Reschedule(**of_one, local_start=where["local_start"], **urgent),
            CancelAppointment(**of_one),
            ReleaseSlot(site_id=made["site_id"], hold_token=held or "none"),
            BookSeries(**where, name="Grace", every_days=7, count=2 + number % 3, skip_taken=True),
        ]
        command = chance.choice(choices)
        with suppress(Refused, NotFound, InvalidField):
            answer = await setup.do(command)
            done.add(command.name_on_wire())
            if isinstance(command, HoldSlot):
                tokens.append(answer["token"])
            booked = [each for each in booked if each["id"] != answer["appointment"]["id"]]
            if answer["appointment"]["state"] == "booked":
                booked.append(answer["appointment"])
    return done


def test_verification_names_each_wrong_cell(database_url: str) -> None:
    """Random bookings leave no wrong cell. A deleted one and an added one are named. A lapsed hold is no problem."""

    async def fill(setup: Seeder) -> int:
        made = await setup.seed(points=1, tickets=0, displays=0, providers=2)
        done = await book_at_random(setup, made, 120, random.Random(3))
        assert done >= {"hold-slot", "book", "reschedule", "cancel-appointment", "book-series"}, done
        return made["site_id"]

    async def lapse_every_hold(setup: Seeder) -> int:
        """Let every hold lapse, and let one of them lose its cells, as a booking over it does."""
        async with setup.database.write() as connection:
            held = list(await connection.scalars(select(busy_cells.c.appointment_id).where(busy_cells.c.held_until > 1)))
            await connection.execute(busy_cells.delete().where(busy_cells.c.appointment_id == held[0]))
            return len(held)

    async def spoil(setup: Seeder) -> tuple[BusyCell, BusyCell]:
        """Delete a cell, and add one; return both."""
        columns = [busy_cells.c[name] for name in BusyCell._fields]
        async with setup.database.write() as connection:
            lasting = select(*columns).where(busy_cells.c.held_until.is_(None)).limit(1)
            lost = BusyCell(*(await connection.execute(lasting)).one())
            mine = (busy_cells.c[name] == getattr(lost, name) for name in ("resource_id", "cell", "lane"))
            await connection.execute(busy_cells.delete().where(*mine))
            added = lost._replace(lane=99)
            await connection.execute(insert(busy_cells).values(**added._asdict()))
            return lost, added

    env = environment(database_url)
    site_id = asyncio.run(on_database(database_url, fill))
    right = command_line(env, "verify")
    assert (right.returncode, right.stderr) == (0, "")
    assert right.stdout.startswith(f"site {site_id}: ")
    assert right.stdout.endswith(" busy cells are right, 0 are wrong\n")
    lost, added = asyncio.run(on_database(database_url, spoil))
    wrong = command_line(env, "verify", "--site", str(site_id))
    assert wrong.returncode == 1
    first, *problems = wrong.stdout.splitlines()
    assert first.endswith("2 are wrong")
    assert problems == [
        f"site {site_id}: BROKEN: {said}: resource {each.resource_id}, cell {each.cell}, lane {each.lane}, "
        f"appointment {each.appointment_id}"
        for said, each in (("the log says, the table lacks", lost), ("the table has, the log does not say", added))
    ]
    assert command_line(env, "verify", "--site", "999999").returncode == 1


async def test_lapsed_hold_is_no_problem_with_or_without_its_cells(
    setup: Seeder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    of = {"site_id": made["site_id"], "service_id": made["service_ids"][0], "provider_id": made["provider_ids"][0]}
    for number in (0, 4):
        await setup.do(HoldSlot(**of, local_start=quarter(number)))  # type: ignore[arg-type]
    assert (await verify_time(database, made["site_id"])).cells == 6
    # The clock stays ahead for as long as a busy machine takes: nobody accepts the step meanwhile.
    monkeypatch.setattr("server.clock.RECHECK_MICROSECONDS", HOUR)
    database.clock.asks()
    database.clock.offset += HOUR
    found = await verify_time(database, made["site_id"])
    assert (found.cells, found.problems) == (0, [])
    await setup.do(Book(**of, local_start=quarter(0), name="Ada"))  # type: ignore[arg-type]
    found = await verify_time(database, made["site_id"])
    assert (found.cells, found.problems) == (3, [])


async def rows_of(database: Database, site_id: int) -> dict[int, Appointment]:
    """Return the appointments of a site by their id. Assert that the busy cells are those of the rows."""
    async with database.read() as connection:
        found = await connection.execute(select(*columns_of(Appointment)).where(appointments.c.site_id == site_id))
        rows = [record_of(Appointment, row._mapping) for row in found]
        columns = [busy_cells.c[name] for name in BusyCell._fields]
        kept = {BusyCell(*row) for row in await connection.execute(select(*columns).where(busy_cells.c.site_id == site_id))}
    assert kept == {cell for each in rows if each.takes_time(database.clock.now()) for cell in cells_of(each)}
    return {each.id: each for each in rows}


async def test_new_zone_data_move_appointments_and_mark_collisions(setup: Seeder, database: Database) -> None:
    """Older zone data gave some appointments an instant one hour later. One of them now meets another appointment."""
    made = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    site_id = made["site_id"]
    of: dict[str, Any] = {"site_id": site_id, "service_id": made["service_ids"][0], "provider_id": made["provider_ids"][0]}
    booked = [
        (await setup.do(Book(**of, local_start=quarter(number), name="Ada")))["appointment"]["id"] for number in range(12)
    ]
    before = await rows_of(database, site_id)
    stays, *moving = booked[3:]  # the others were booked with today's data
    hour_later = {"starts_at": appointments.c.starts_at + HOUR, "ends_at": appointments.c.ends_at + HOUR}
    async with database.write() as connection:
        await connection.execute(
            update(appointments).where(appointments.c.id.in_(moving)).values(tz_version="2020a", **hour_later)
        )
        await connection.execute(busy_cells.delete().where(busy_cells.c.appointment_id.in_(moving)))
        # The first of them was booked for the time of the one that stays.
        await connection.execute(
            update(appointments)
            .where(appointments.c.id == moving[0])
            .values(local_start=before[stays].local_start, starts_at=before[moving[0]].starts_at + HOUR)
        )
        spoilt = [
            record_of(Appointment, row._mapping)
            for row in await connection.execute(select(*columns_of(Appointment)).where(appointments.c.id.in_(moving)))
        ]
        await connection.execute(insert(busy_cells), [cell._asdict() for each in spoilt for cell in cells_of(each)])
    setup.executor._boards.clear()
    assert await with_outdated_appointments(database) == [site_id]

    loop = asyncio.create_task(housekeeping.rezone_sites(database, setup.executor))
    async with asyncio.timeout(60):
        while await with_outdated_appointments(database):  # noqa: ASYNC110 - the loop sends one command after the other
            await asyncio.sleep(0.02)
    loop.cancel()
    after = await rows_of(database, site_id)
    for each in moving[1:]:
        assert after[each].starts_at == before[each].starts_at
        assert (after[each].lane, after[each].collides, after[each].version) == (0, False, 1)
    marked = after[moving[0]]
    assert (marked.starts_at, marked.lane, marked.collides) == (before[stays].starts_at, FIRST_EXTRA_LANE, True)
    assert {each.tz_version for each in after.values()} == {local_time.tz_version()}
    assert all(after[each] == before[each] for each in booked[:4])
    async with database.read() as connection:
        log = await connection.run_sync(event_log.since, site_id, 0)
    rezoned = [each for each in log if isinstance(each.event, AppointmentRezoned)]
    assert {each.actor for each in rezoned} == {"clock"}
    assert len(rezoned) == len(moving)
