"""Retention deletes identities of patients after some days: none is left in clear or sealed, and the chains are intact."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import String, Text, func, select, update

from server.domain.commands import (
    AddService,
    Book,
    CallNext,
    CancelAppointment,
    ChangeSite,
    HoldForVisitor,
    IssueTicket,
    Tick,
)
from server.queries.boards import Boards
from server.queries.verification import verify
from server.seeding import Seed, Seeder
from server.store import proofs, retention, staff
from server.store.chain import START, follow
from server.store.database import Database
from server.store.retention import DAY_MICROSECONDS, Forgotten, forget
from server.store.tables import appointments, commands, events, metadata, notifications, sites, visit_search, visits
from tests.support.appointments import noon_zone
from tests.support.server import command_line, environment, seed
from tests.support.vaults import VAULT

pytestmark = pytest.mark.measured

PERSON: dict[str, Any] = {
    "name": "Zoë Ångström",
    "phone": "+49 30 901820",
    "date_of_birth": "1987-06-05",
    "email": "zoe@example.org",
    "notes": "came with her sister",
    "name_on_display": True,
    "second_ticket": True,
}
CIPHERTEXT = re.compile(r"^[0-9a-f]{8}\.[A-Za-z0-9+/]{36,}={0,2}$")
TRACES = re.compile(r"Zoë|Ångström|49 ?30 ?901820|1987-06-05|zoe@example|sister")


async def three_patients(setup: Seeder) -> Seed:
    """Fill a site with three patients, and a service with a sealed name."""
    made = await setup.seed(points=1, tickets=0, displays=0)
    await setup.do(ChangeSite(site_id=made["site_id"], names_on_display=True))
    await setup.do(AddService(site_id=made["site_id"], name="HIV test", public_name="Laboratory"))
    for _ in range(3):
        await setup.do(IssueTicket(queue_id=made["queue_ids"][0], **PERSON))
    await setup.do(CallNext(point_id=made["point_ids"][0]))
    return made


async def make_older(database: Database, days: int, site_id: int) -> None:
    """Make the site's day and all its records older by ``days``, with a log of these times."""
    earlier = days * DAY_MICROSECONDS
    async with database.write() as connection:
        for table, column in ((visits, "opened_at"), (commands, "at"), (events, "at")):
            await connection.execute(update(table).values({column: table.c[column] - earlier}))
        for table in metadata.sorted_tables:
            if "business_day" in table.c:
                await connection.execute(update(table).values(business_day="2020-02-02"))
        head = START
        for row in (await connection.execute(select(events).order_by(events.c.seq))).all():
            link = [row._mapping[name] for name in ("site_id", "seq", "at", "type", "actor", "command_id", "body")]
            head = follow(head, *link)
            proof = proofs.proof(VAULT, events, {**row._mapping, "hash": head})
            await connection.execute(update(events).where(events.c.seq == row.seq).values(hash=head, proof=proof))
        await connection.execute(update(sites).where(sites.c.id == site_id).values(chain=head, turns_at=1, next_tick_at=1))
        await proofs.prove(connection, VAULT, sites, site_id)


async def all_texts(database: Database) -> list[tuple[str, str]]:
    """Return every text of every row, with its column."""
    texts = []
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String | Text):
                    values = await connection.scalars(select(column).where(column.is_not(None)))
                    texts += [(f"{table.name}.{column.name}", value) for value in values]
    return texts


async def test_old_identities_are_deleted_everywhere(setup: Seeder, database: Database) -> None:
    made = await three_patients(setup)
    async with database.write() as connection:
        for number in range(2):
            await staff.open_session(connection, f"session-{number}", number, "hash", 1)
    await make_older(database, 40, made["site_id"])
    setup.executor._boards.clear()
    await setup.do(Tick(site_id=made["site_id"]))
    await setup.do(IssueTicket(queue_id=made["queue_ids"][0], name="Grace Hopper", name_on_display=True))
    assert any(TRACES.search(text) for _, text in await all_texts(database))

    done = await forget(database, VAULT, 30)
    answered = len(made["queue_ids"]) + len(made["point_ids"]) + 6  # all except the two of today
    assert done == Forgotten(
        visits=3,
        appointments=0,
        events=3,
        searches=15,
        answers=answered,
        sessions=2,
        links=0,
        messages=0,
        opinions=0,
        subscriptions=0,
        report_addresses=0,
    )
    left = await all_texts(database)
    assert not [each for each in left if TRACES.search(each[1])]
    assert ("visits.display_name", "Grace H.") in left
    sealed = sorted(column for column, text in left if CIPHERTEXT.match(text))
    assert sealed == [
        "checkpoints.sealed",
        *["commands.answer"] * 2,
        *["events.sealed"] * 2,
        "services.sealed",
        "visits.sealed",
    ]
    assert [each.broken async for each in verify(database, VAULT)] == [None]
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(visits)) == 4, "the visits still count"
        labels = list(await connection.scalars(select(visits.c.label).order_by(visits.c.id)))
        assert await connection.scalar(select(func.count(visit_search.c.visit_id.distinct()))) == 1
    assert labels == ["A001", "A002", "A003", "A001"]
    assert await forget(database, VAULT, 30) == Forgotten(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    await setup.do(CallNext(point_id=made["point_ids"][0]))


async def test_identities_stay_until_the_day_turns(setup: Seeder, database: Database) -> None:
    """The site had no tick: its screens still show the patients, so their rows stay until the day turns."""
    made = await three_patients(setup)
    await make_older(database, 40, made["site_id"])
    done = await forget(database, VAULT, 30)
    assert (done.visits, done.searches) == (0, 0)
    assert done.events == 3
    board = await Boards(database).board(made["site_id"])
    assert all(visit.sealed for visit in board.visits.values())
    setup.executor._boards.clear()
    await setup.do(Tick(site_id=made["site_id"]))
    assert (await forget(database, VAULT, 30)).visits == 3


async def test_recent_identities_stay(setup: Seeder, database: Database) -> None:
    await three_patients(setup)
    before = await all_texts(database)
    assert await forget(database, VAULT, 1) == Forgotten(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert await all_texts(database) == before
    with pytest.raises(ValueError, match="of today"):
        await forget(database, VAULT, 0)


async def test_old_appointments_lose_their_traces_and_coming_ones_stay(setup: Seeder, database: Database) -> None:
    zone, ahead = noon_zone()
    made = await setup.seed(points=1, tickets=0, displays=0, providers=1, time_zone=zone)
    site_id, service_id, provider_id = made["site_id"], made["service_ids"][0], made["provider_ids"][0]
    now = datetime.fromtimestamp(await database.now() / 1e6, UTC) + timedelta(hours=ahead)  # of the site
    monday = (now + timedelta(days=14 - now.weekday())).date()
    where: dict[str, Any] = {"site_id": site_id, "service_id": service_id, "provider_id": provider_id}
    person = {name: PERSON[name] for name in ("name", "phone", "date_of_birth", "email")} | {"note": PERSON["notes"]}
    soon = now - timedelta(minutes=now.minute % 5) + timedelta(minutes=10)
    today = Book(**where, **person, local_start=f"{soon:%Y-%m-%dT%H:%M}", overbook="now")
    kept = (await setup.do(today))["appointment"]["id"]
    coming, past, ended = [
        (await setup.do(Book(**where, **person, local_start=f"{monday}T{hour:02}:00")))["appointment"]["id"]
        for hour in (9, 10, 11)
    ]
    await setup.do(CancelAppointment(appointment_id=ended, version=1))
    await setup.do(ChangeSite(site_id=site_id, booking="on"))
    held = HoldForVisitor(**where, local_start=f"{monday}T12:00", held_by="visitor", held_from="address")
    lapsed, kept_hold = [
        (await setup.do(replace(held, local_start=f"{monday}T{hour}:00", held_by=who)))["appointment"]["id"]
        for hour, who in ((12, "another"), (13, "visitor"))
    ]
    async with database.write() as connection:
        for each in (past, ended):
            await connection.execute(update(appointments).where(appointments.c.id == each).values(ends_at=1))
        await connection.execute(update(appointments).where(appointments.c.id == kept).values(ends_at=1))
        await connection.execute(update(appointments).where(appointments.c.id == lapsed).values(held_until=1))
    assert (await forget(database, VAULT, 30)).appointments == 3
    traces = [appointments.c[name] for name in ("sealed", "phone_hash", "held_by", "held_from")]
    async with database.read() as connection:
        found = {row.id: tuple(row)[1:] for row in await connection.execute(select(appointments.c.id, *traces))}
    for each in (past, ended, lapsed):
        assert found[each] == (None, None, None, None)
    for each in (kept, coming):
        assert None not in found[each][:2]
    assert found[kept_hold][2:] == ("visitor", "address")
    assert (await forget(database, VAULT, 30)).appointments == 0


async def test_providers_names_of_old_messages_are_cleared(setup: Seeder, database: Database) -> None:
    """With this name, the patient's number or address can be found in the provider's own records."""
    made = await setup.seed(points=1, tickets=0, displays=0)
    await setup.do(ChangeSite(site_id=made["site_id"], message_ways=("sms",)))
    for _ in range(2):
        await setup.do(IssueTicket(queue_id=made["queue_ids"][0], **PERSON))
    async with database.write() as connection:
        await connection.execute(update(notifications).values(state="sent", provider_id="SM-49301234"))
        first = await connection.scalar(select(func.min(notifications.c.id)))
        old = await database.now() - 40 * DAY_MICROSECONDS
        await connection.execute(update(notifications).where(notifications.c.id == first).values(changed_at=old))
    assert (await forget(database, VAULT, 30)).messages == 1
    async with database.read() as connection:
        names = select(notifications.c.provider_id, notifications.c.state).order_by(notifications.c.id)
        assert [tuple(row) for row in await connection.execute(names)] == [(None, "sent"), ("SM-49301234", "sent")]
    assert (await forget(database, VAULT, 30)).messages == 0


async def test_retention_works_in_batches(setup: Seeder, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await three_patients(setup)
    other = await three_patients(setup)
    monkeypatch.setattr(retention, "BATCH", 2)
    async with database.write() as connection:
        for table, column in ((visits, "opened_at"), (events, "at"), (commands, "at")):
            await connection.execute(update(table).values({column: 1}))
        await connection.execute(update(sites).values(business_day="2001-01-01"))
    done = await forget(database, VAULT, 1)
    assert (done.visits, done.events, done.searches) == (6, 6, 30)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(commands)) == 0
    assert {made["site_id"], other["site_id"]} == {1, 2}


def test_command_line_runs_retention(database_url: str) -> None:
    env = environment(database_url)
    seed(env, points=1, tickets=2)
    kept = command_line(env, "retention")
    assert (kept.returncode, "Everything is kept" in kept.stdout) == (0, True)
    assert command_line(env, "retention", "--days", "0").returncode == 2
    for arguments, more in ((["--days", "7"], {}), ([], {"NOWSERVING_RETENTION_DAYS": "7"})):
        done = command_line(env | more, "retention", *arguments)
        assert done.returncode == 0, done.stderr
        assert "of more than 7 days ago: 0 visits, 0 appointments,\n0 events of the log" in done.stdout
    verified = command_line(env, "audit", "verify")
    assert "process chain 2" in verified.stdout, "the audit has a row for each run"
    assert verified.returncode == 0
