"""Key rotation: all data sealed with an older key moves to the first key while commands run."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, Text, func, select

from server import execute
from server.domain.commands import (
    AddProvider,
    AddService,
    Book,
    Call,
    CallNext,
    ChangeService,
    CheckIn,
    Complete,
    IssueTicket,
    Reprioritise,
    Start,
    Transfer,
    Undo,
    WantEarlier,
)
from server.domain.errors import Unavailable
from server.domain.views import DeskView, draw
from server.execute import Executor
from server.queries.boards import Boards
from server.queries.verification import verify, verify_rows
from server.seeding import Seed, Seeder
from server.store import (
    channels,
    event_log,
    feedback,
    pairings,
    push_subscriptions,
    report_mails,
    sealed,
    second_factors,
    webhooks,
)
from server.store.database import Database
from server.store.report_mails import ReportMail, ReportReader
from server.store.sealed import SEALED, Resealed, count, reseal
from server.store.tables import metadata, visits
from server.vault import Vault
from tests.support.appointments import noon_zone
from tests.support.processes import running
from tests.support.server import command_line, environment, seed, serving

pytestmark = pytest.mark.measured

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
SECRET = "the tests' secret key"
CIPHERTEXT = re.compile(r"^[0-9a-f]{8}\.[A-Za-z0-9+/]{36,}={0,2}$")


@pytest.fixture
def vault() -> Vault:
    """The vault before the rotation, with the older key."""
    return Vault([OLD], SECRET)


@pytest.fixture
def both() -> Vault:
    return Vault([NEW, OLD], SECRET)


async def seed_sealed_data(setup: Seeder, tickets: int = 5) -> Seed:
    """Fill a site with all sealed data: patients, an appointment, a service's true name, recorded answers, a pairing's
    token, a second factor in force, the set-up of another phone, the settings of a channel, feedback and a subscription."""
    zone, ahead = noon_zone()
    made = await setup.seed(points=2, tickets=0, displays=1, time_zone=zone)
    service = await setup.do(AddService(site_id=made["site_id"], name="HIV test", public_name="Laboratory"))
    service_id = service["events"][-1]["service_id"]
    await setup.do(ChangeService(service_id=service_id, name="HIV rapid test"))
    await booked_soon(setup, made["site_id"], service_id, ahead)
    for number in range(tickets):
        await setup.do(IssueTicket(queue_id=made["queue_ids"][0], name=f"Ada {number}", phone="+49 30 901820"))
    mark = f"{made['site_id']}"
    async with setup.database.write() as connection:
        paired = await pairings.create(connection, mark, mark, await setup.database.now())
        token = made["displays"][0]["token"].encode()
        await pairings.fill(connection, paired, setup.executor._vault.seal(token, f"pairing:{paired}"))
        owner, own = made["site_id"], setup.executor._vault
        first, second = (own.seal(each, f"second-factor:{owner}") for each in (b"a phone", b"another phone"))
        await second_factors.begin(connection, own, owner, first)
        await second_factors.confirm(connection, own, owner, first, 1, 1)
        await second_factors.begin(connection, own, owner, second)
        settings = own.seal(b"{}", channels.seals_for(owner, "sms"))
        await channels.create(
            connection, organisation_id=owner, way="sms", kind="smsapi", sealed=settings, receipts_hash=mark, now=1
        )
        webhook_id = await webhooks.create(connection, owner, "https://clinic.example/", 1)
        await webhooks.change(connection, webhook_id, 1, sealed=own.seal(b"{}", webhooks.seals_for(webhook_id)))
        told = own.seal(b"Friendly", feedback.seals_for(mark))
        await feedback.give(connection, mark, site_id=owner, day="2026-01-05", score=5, sealed=told)
        subscription = own.seal(b"{}", push_subscriptions.seals_for(owner))
        await connection.run_sync(push_subscriptions.put, owner, owner, subscription, 1)
        address = own.seal(b"a@example.org", report_mails.reader_seals_for(owner, mark))
        await report_mails.put_reader(connection, ReportReader(owner, mark, address, "en", 8, "staff:1", 1))
        mailed = own.seal(b"a@example.org", report_mails.mail_seals_for(mark))
        mail = ReportMail(mark, owner, "2026-01", mark, mailed, "en", "staff:1", True, "sent", None, 1, 1, 1, 1)
        await report_mails.plan(connection, mail)
    return made


async def booked_soon(setup: Seeder, site_id: int, service_id: int, ahead: int) -> int:
    """Book an appointment of today with a new provider, at a site whose clock is so many hours ahead; return its id."""
    name = "Booked"
    provider_id = (await setup.do(AddProvider(site_id=site_id, name=f"Dr {name}")))["events"][-1]["provider_id"]
    now = datetime.fromtimestamp(await setup.database.now() / 1e6, UTC)
    soon = now - timedelta(minutes=now.minute % 5) + timedelta(hours=ahead, minutes=10)
    book = Book(
        site_id=site_id,
        service_id=service_id,
        provider_id=provider_id,
        local_start=f"{soon:%Y-%m-%dT%H:%M}",
        name=name,
        overbook="a test",
    )
    made: int = (await setup.do(book))["appointment"]["id"]
    return made


async def desk(database: Database, vault: Vault, site_id: int) -> Any:
    """Return the cells of a fresh desk, opened with the keys of ``vault``."""
    return draw(DeskView(vault.open_personal), await Boards(database).board(site_id))


async def rotate(database: Database, vault: Vault) -> dict[str, Resealed]:
    return {each.name: await reseal(database, vault, each) for each in SEALED}


async def test_registry_names_every_sealed_column(setup: Seeder, database: Database, vault: Vault) -> None:
    """The test searches all text columns for ciphertext. Exactly the columns of the registry contain some."""
    await seed_sealed_data(setup)
    known = {each.name for each in SEALED}
    holding = set()
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String | Text):
                    values = await connection.scalars(select(column).where(column.is_not(None)))
                    if any(CIPHERTEXT.match(value) for value in values):
                        holding.add(f"{table.name}.{column.name}")
    assert holding == known
    named = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    assert {name for name in named if "sealed" in name} <= known


async def test_rotation_makes_the_older_key_unnecessary(
    setup: Seeder, database: Database, vault: Vault, both: Vault
) -> None:
    made = await seed_sealed_data(setup)
    site_id = made["site_id"]
    command = IssueTicket(queue_id=made["queue_ids"][0], name="Grace")
    first = await setup.executor.execute(command, actor="staff:1", command_id="once")
    shown = await desk(database, vault, site_id)
    assert "HIV rapid test" in json.dumps(shown)
    before = {each.name: await count(database, each) for each in SEALED}
    assert all(set(each) == {vault.first_key} for each in before.values())

    moved = await rotate(database, both)
    assert {name: Resealed(sum(each.values())) for name, each in before.items()} == moved
    for each in SEALED:
        assert await count(database, each) == {both.first_key: moved[each.name].done}

    alone = Vault([NEW], SECRET)
    assert await desk(database, alone, site_id) == shown
    async with database.read() as connection:
        recorded = await connection.run_sync(event_log.since, site_id, 0)
    opened = [json.loads(alone.open(text, bound)) for text, bound in _sealed_texts(recorded)]
    assert [each["name"] for each in opened] == [
        "HIV test",
        "HIV rapid test",
        "Booked",
        *(f"Ada {n}" for n in range(5)),
        "Grace",
    ]
    again = await Executor(database, alone, lambda *_: None).execute(command, actor="staff:1", command_id="once")
    assert (again.repeated, again.body) == (True, first.body)
    assert [each.broken async for each in verify(database, both)] == [None]
    assert [each.problems async for each in verify_rows(database, both) if each.table == "second_factors"] == [[]]
    assert await rotate(database, both) == {each.name: Resealed() for each in SEALED}, "a second rotation finds no rows"


def _sealed_texts(recorded: Any) -> list[tuple[str, str]]:
    return [(each.event.sealed, each.event.seals_for) for each in recorded if getattr(each.event, "sealed", None)]


async def test_kept_board_works_after_a_rotation(
    setup: Seeder, database: Database, vault: Vault, both: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with a board from before the rotation executes every step at the first attempt."""
    monkeypatch.setattr(execute, "ATTEMPTS", 1)
    made = await seed_sealed_data(setup)
    process = Seeder(database, Executor(database, both, lambda *_: None))
    ticket = IssueTicket(queue_id=made["queue_ids"][0], name="Kept")
    entry = (await process.do(ticket))["entry"]["id"]
    kept = process.executor._boards[made["site_id"]]
    texts = {visit.id: visit.sealed for visit in kept.visits.values()}
    (comes,) = kept.appointments
    await rotate(database, both)
    await process.do(Reprioritise(entry_id=entry, priority="urgent"))  # writes the visit's row
    for step in (Call(entry_id=entry, point_id=made["point_ids"][0]), Undo(entry_id=entry)):
        await process.do(step)
    called = (await process.do(CallNext(point_id=made["point_ids"][0])))["entry"]["id"]
    await process.do(Start(entry_id=called))
    await process.do(Transfer(entry_id=called, queue_id=made["queue_ids"][1]))
    await process.do(ticket)
    queued: dict[str, Any] = {"appointment_id": comes, "queue_id": made["queue_ids"][0], "anyway": True}
    arrived = (await process.do(CheckIn(**queued)))["entry"]["id"]  # the event of the check-in changes the appointment's row
    await process.do(Undo(entry_id=arrived))
    await process.do(WantEarlier(appointment_id=comes, wants=True))  # this event has the appointment's ciphertext
    assert process.executor._boards[made["site_id"]] is kept, "the process did not reload its board"
    assert all(kept.visits[visit_id].sealed == text for visit_id, text in texts.items())
    async with database.read() as connection:
        rows = {row.id: row.sealed for row in await connection.execute(select(visits.c.id, visits.c.sealed))}
    assert all(text.startswith(f"{both.first_key}.") for text in rows.values()), "a row was sealed with the older key again"
    for each in SEALED:
        assert set(await count(database, each)) == {both.first_key}, "a row was sealed with the older key again"
    mine = draw(DeskView(both.open_personal), kept)
    assert mine == await desk(database, both, made["site_id"]), "the kept board and the rows show the same"


async def test_interrupted_rotation_can_be_repeated(
    setup: Seeder, database: Database, both: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed_sealed_data(setup)
    monkeypatch.setattr(sealed, "BATCH", 2)
    write, written = sealed._write, 0

    async def stop_at_the_third(database: Database, updates: Any) -> int:
        nonlocal written
        written += 1
        if written == 3:
            raise Unavailable()
        return await write(database, updates)

    monkeypatch.setattr(sealed, "_write", stop_at_the_third)
    with pytest.raises(Unavailable):
        await reseal(database, both, SEALED[0])
    assert (await count(database, SEALED[0]))[both.first_key] == 4
    assert await reseal(database, both, SEALED[0]) == Resealed(1)
    assert await count(database, SEALED[0]) == {both.first_key: 5}


async def test_rotation_skips_rows_that_changed_meanwhile(setup: Seeder, database: Database, both: Vault) -> None:
    """A row that has changed since it was read keeps its present value."""
    await seed_sealed_data(setup, tickets=1)
    async with database.read() as connection:
        row = (await connection.execute(select(visits.c.id, visits.c.sealed))).one()
    stale = visits.update().where(visits.c.id == row.id, visits.c.sealed == "as it was before").values(sealed="overwritten")
    assert await sealed._write(database, [stale]) == 0
    async with database.read() as connection:
        assert await connection.scalar(select(visits.c.sealed)) == row.sealed


async def test_rotation_counts_and_keeps_rows_that_no_key_opens(setup: Seeder, database: Database, vault: Vault) -> None:
    await seed_sealed_data(setup, tickets=3)
    stranger = Vault([FOREIGN], SECRET)
    assert await reseal(database, stranger, SEALED[0]) == Resealed(0, closed=3)
    assert await count(database, SEALED[0]) == {vault.first_key: 3}


async def test_rotation_and_commands_of_other_processes_run_together(
    setup: Seeder, database: Database, both: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes execute commands during the rotation: every command succeeds, and no data is lost."""
    monkeypatch.setattr(sealed, "BATCH", 3)
    made = await seed_sealed_data(setup, tickets=40)
    processes = [Seeder(database, Executor(database, both, lambda *_: None)) for _ in range(2)]
    turning = asyncio.create_task(rotate(database, both))
    served = 0
    while not turning.done() or served < 2:
        process, point = processes[served % 2], made["point_ids"][served % 2]
        ticket = await process.do(IssueTicket(queue_id=made["queue_ids"][0], name=f"Late {served}"))
        await process.do(Reprioritise(entry_id=ticket["entry"]["id"], priority="urgent"))
        entry = (await process.do(CallNext(point_id=point)))["entry"]["id"]
        await process.do(Start(entry_id=entry))
        await process.do(Complete(entry_id=entry))
        served += 1
    await turning
    assert served >= 2
    for each in SEALED:
        assert set(await count(database, each)) == {both.first_key}
    kept = processes[(served - 1) % 2].executor._boards[made["site_id"]]
    assert await desk(database, Vault([NEW], SECRET), made["site_id"]) == draw(DeskView(both.open_personal), kept)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(visits)) == 40 + served
    assert [each.broken async for each in verify(database, both)] == [None]


# The command line


def key(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_operator_can_rotate_keys_on_a_running_server(database_url: str, tmp_path: Path) -> None:
    before = environment(database_url)
    older = before["NOWSERVING_ENCRYPTION_KEYS"]
    made = seed(before, points=2, tickets=150)
    newer = command_line(before, "keys", "new").stdout.strip()
    assert len(base64.b64decode(newer)) == 32
    assert newer != command_line(before, "keys", "new").stdout.strip()
    during = before | {"NOWSERVING_ENCRYPTION_KEYS": f"{newer},{older}"}
    with serving(during, tmp_path) as server, server.client(server.sign_in(made, "receptionist")) as reception:
        said = _rotate_beside_commands(during, tmp_path, reception, made)
        assert re.search(r"^visits\.sealed: \d+ rows resealed$", said, re.M)
        assert re.search(r"^commands\.answer: \d+ rows resealed$", said, re.M)
        assert "command failed" not in server.log.read_text()
        board = reception.get(f"/api/v1/sites/{made['site_id']}/board").json()
    checked = command_line(during, "keys", "check")
    assert checked.returncode == 0
    lines = checked.stdout.splitlines()
    columns = ("visits.sealed", "events.sealed", "checkpoints.sealed", "commands.answer")
    counted = ", ".join(rf"{re.escape(each)} \d+" for each in columns)
    assert re.fullmatch(rf"[0-9a-f]{{8}} \(seals\): {counted}", lines[0])
    assert re.fullmatch(r"[0-9a-f]{8} \(opens only\): nothing", lines[1])
    assert command_line(during, "audit", "verify").returncode == 0
    after = before | {"NOWSERVING_ENCRYPTION_KEYS": newer}
    with serving(after, tmp_path) as server, server.client(server.sign_in(made, "receptionist")) as reception:
        again = reception.get(f"/api/v1/sites/{made['site_id']}/board").json()
        assert {key: cell.get("name") for key, cell in again["cells"].items()} == {
            key: cell.get("name") for key, cell in board["cells"].items()
        }
        assert "Ada 1" in json.dumps(again)
    lost = command_line(before | {"NOWSERVING_ENCRYPTION_KEYS": older}, "keys", "check")
    assert lost.returncode == 1
    assert re.search(r"\(unknown\): visits\.sealed \d+", lost.stdout)


def _rotate_beside_commands(env: dict[str, str], folder: Path, reception: Any, made: Seed) -> str:
    """Rotate the keys while the server executes commands; return the output of the rotation."""

    def do(command: str, **body: Any) -> Any:
        answer = reception.post(f"/api/v1/commands/{command}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    output = folder / "rotate.log"
    done = 0
    with running([sys.executable, "-m", "server.cli", "keys", "rotate"], output, env) as process:
        while process.poll() is None or done < 2:
            do("issue-ticket", queue_id=made["queue_ids"][0], name=f"Ada {done}")
            entry = do("call-next", point_id=made["point_ids"][0])["entry"]["id"]
            do("start", entry_id=entry)
            do("complete", entry_id=entry)
            done += 1
    assert process.returncode == 0, output.read_text()
    return output.read_text()
