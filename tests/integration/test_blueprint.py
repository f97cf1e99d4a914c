"""Clinics from set-up files: on both engines, all or nothing, once, and on the command line."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from server.blueprints import ClinicFile, read, template_named, write
from server.clinics import Booked, Clinics
from server.domain.commands import AddSchedule, Book, IssueTicket, SetUp
from server.domain.commands.blueprint import Blueprint, PointPlan, QueuePlan
from server.domain.commands.schedules import Stranded
from server.domain.errors import CommandIdReused, InUse, NothingChanged, OrganisationNotNamed, SiteNotFound, SiteNotNamed
from server.execute import Executor
from server.queries.boards import Boards
from server.queries.replaying import verify_time
from server.queries.verification import verify, verify_rows
from server.seeding import Seeder
from server.store import sites
from server.store.database import Database
from server.store.tables import appointments
from server.vault import Vault
from tests.support.blueprints import A_BLUEPRINT
from tests.support.server import command_line, environment, serving
from tests.support.server import vault as a_vault

FILE = ClinicFile(replace(A_BLUEPRINT, rules=replace(A_BLUEPRINT.rules, hours=(), closed_on=())), "Riverside Health")


@pytest.fixture
def clinics(database: Database, vault: Vault) -> Clinics:
    return clinics_of(database, vault)


def clinics_of(database: Database, vault: Vault) -> Clinics:
    return Clinics(database, Executor(database, vault, publish=lambda *_: None))


async def applied(clinics: Clinics, file: ClinicFile, *, remove: bool = False) -> int:
    return await clinics.apply(await clinics.plan(file), remove=remove, actor="operator")


def changed(blueprint: Blueprint) -> ClinicFile:
    return replace(FILE, blueprint=blueprint)


async def test_a_file_makes_a_clinic_and_changes_nothing_for_a_second_time(
    clinics: Clinics, database: Database, vault: Vault
) -> None:
    plan = await clinics.plan(FILE)
    assert plan.is_new
    assert {each.action for each in plan.changes} == {"add", "change"}
    site_id = await clinics.apply(plan, remove=False, actor="operator")
    again = await clinics.plan(read(write(await clinics.export())))
    assert (again.site_id, again.organisation, again.changes) == (site_id, "Riverside Health", ())
    log = await Boards(database).since(site_id, 0)
    assert {each.actor for each in log} == {"operator"}
    assert "HIV test" not in repr(log)
    assert await applied(clinics, FILE) == site_id
    assert await Boards(database).since(site_id, len(log)) == []
    assert {each.broken async for each in verify(database, vault, None, None, {})} == {None}
    assert [problem async for table in verify_rows(database, vault) for problem in table.problems] == []


async def test_an_error_in_the_middle_changes_nothing(clinics: Clinics, setup: Seeder) -> None:
    site_id = await applied(clinics, FILE)
    boards = Boards(setup.database)
    board = await boards.board(site_id)
    blood = next(queue.id for queue in board.queues.values() if queue.name == "Blood")
    await setup.do(IssueTicket(queue_id=blood))
    before = (await boards.board(site_id)).site.seq
    without = replace(
        FILE.blueprint,
        rules=replace(FILE.blueprint.rules, target_standard=5),
        queues=(FILE.blueprint.queues[1], QueuePlan(name="Forms", prefix="C")),
        points=(PointPlan(name="Room 2", queues=("X-ray", "Forms")),),
    )
    plan = await clinics.plan(changed(without))
    assert [each.name for each in plan.missing] == ["Room 1", "Blood"]
    with pytest.raises(InUse, match="A001"):
        await clinics.apply(plan, remove=True, actor="operator")
    assert (await boards.board(site_id)).site.seq == before
    assert (await clinics.export()).blueprint == FILE.blueprint
    await clinics.apply(plan, remove=False, actor="operator")
    assert [plan.name for plan in (await clinics.export()).blueprint.queues] == ["Blood", "X-ray", "Forms"]


@pytest.mark.parametrize("named", [True, False])
async def test_the_organisation_of_the_first_run_gets_its_name(clinics: Clinics, database: Database, named: bool) -> None:
    async with database.write() as connection:
        first = await sites.organisation_or_new(connection, "")
    await applied(clinics, FILE if named else replace(FILE, organisation=None))
    async with database.read() as connection:
        names = await sites.organisation_names(connection)
        assert await sites.organisation(connection, names[0]) == first
    assert names == ["Riverside Health" if named else "Riverside Clinic"]


async def test_two_that_apply_a_new_file_at_once_make_one_clinic(database: Database, vault: Vault) -> None:
    each = [clinics_of(database, vault) for _ in range(3)]
    assert set(await asyncio.gather(*(applied(one, FILE) for one in each))) == {1}
    assert (await each[0].export()).blueprint == FILE.blueprint
    assert len((await Boards(database).board(1)).queues) == 2


async def test_two_files_applied_at_once_follow_each_other(database: Database, vault: Vault) -> None:
    await applied(clinics_of(database, vault), FILE)
    extra = [QueuePlan(name=f"Queue {letter}", prefix=letter) for letter in "XYZ"]
    files = [changed(replace(FILE.blueprint, queues=(*FILE.blueprint.queues, queue))) for queue in extra]
    await asyncio.gather(*(applied(clinics_of(database, vault), file) for file in files))
    queues = (await clinics_of(database, vault).export()).blueprint.queues
    assert {plan.name for plan in queues} == {"Blood", "X-ray", "Queue X", "Queue Y", "Queue Z"}


async def test_the_command_has_a_preview_and_is_idempotent(clinics: Clinics, setup: Seeder) -> None:
    site = await setup.site("Riverside Health", "Riverside Clinic", "Europe/Berlin")
    command = SetUp(site_id=site.id, blueprint=FILE.blueprint)
    told = await setup.executor.preview(command, actor="staff:1")
    assert told["preview"]
    assert [each["type"] for each in told["events"]].count("queue-added") == 2
    assert (await Boards(setup.database).board(site.id)).site.seq == 0
    key = uuid.uuid4().hex
    first = await setup.executor.execute(command, actor="staff:1", command_id=key)
    again = await setup.executor.execute(command, actor="staff:1", command_id=key)
    assert (again.body, again.repeated) == (first.body, True)
    with pytest.raises(CommandIdReused):
        await setup.executor.execute(replace(command, remove=True), actor="staff:1", command_id=key)
    with pytest.raises(NothingChanged):
        await setup.executor.execute(command, actor="staff:1", command_id=uuid.uuid4().hex)


def closed(day: date) -> ClinicFile:
    """Return the file with a closed day."""
    rules = replace(FILE.blueprint.rules, closed_on=(str(day),), target_standard=5)
    return changed(replace(FILE.blueprint, rules=rules))


async def booked(setup: Seeder, site_id: int) -> tuple[int, date]:
    """Book an appointment at 9 in ten days; return its id and the day."""
    site = (board := await Boards(setup.database).board(site_id)).site
    day = date.fromisoformat(site.business_day) + timedelta(days=10)
    service_id, provider_id = min(board.services), min(board.providers)
    hours = AddSchedule(
        site_id=site_id,
        provider_id=provider_id,
        service_ids=(service_id,),
        weekday=day.weekday(),
        from_="09:00",
        until="12:00",
        slot_minutes=15,
        valid_from=str(day),
    )
    await setup.do(hours)
    for clock in ("09:00", "09:15"):
        made = await setup.do(
            Book(
                site_id=site_id,
                service_id=service_id,
                provider_id=provider_id,
                local_start=f"{day}T{clock}",
                name="Ada Lovelace",
            )
        )
    return int(made["appointment"]["id"]), day


async def state_of(database: Database, appointment_id: int) -> str:
    async with database.read() as connection:
        return str(await connection.scalar(select(appointments.c.state).where(appointments.c.id == appointment_id)))


@pytest.mark.parametrize(("stranded", "state"), [("keep", "booked"), ("cancel", "cancelled")])
async def test_a_closed_day_with_booked_appointments_needs_a_wish(
    clinics: Clinics, setup: Seeder, vault: Vault, stranded: Stranded, state: str
) -> None:
    site_id = await applied(clinics, FILE)
    last, day = await booked(setup, site_id)
    plan = await clinics.plan(closed(day))
    assert plan.stranded == Booked(2, (f"{day}T09:00", f"{day}T09:15"))
    before = (await Boards(setup.database).board(site_id)).site.seq
    with pytest.raises(InUse) as refused:
        await clinics.apply(plan, remove=False, actor="operator")
    assert refused.value.details["count"] == 2
    assert (await Boards(setup.database).board(site_id)).site.seq == before
    await clinics.apply(plan, remove=False, actor="operator", stranded=stranded)
    assert (await Boards(setup.database).board(site_id)).site.rules.closed_on == (str(day),)
    assert await state_of(setup.database, last) == state
    again = await clinics.plan(closed(day))
    assert (again.changes, again.stranded) == ((), None)
    assert [problem async for table in verify_rows(setup.database, vault) for problem in table.problems] == []
    assert (await verify_time(setup.database, site_id)).problems == []


async def test_a_clinician_with_booked_appointments_is_not_removed(clinics: Clinics, setup: Seeder) -> None:
    site_id = await applied(clinics, FILE)
    await booked(setup, site_id)
    without = changed(replace(FILE.blueprint, providers=FILE.blueprint.providers[1:]))
    with pytest.raises(InUse):
        await clinics.apply(await clinics.plan(without), remove=True, actor="operator")


async def test_a_clinic_that_a_file_does_not_name_clearly_is_asked_for(clinics: Clinics, setup: Seeder) -> None:
    nameless = replace(FILE, organisation=None)
    with pytest.raises(OrganisationNotNamed, match="none yet"):
        await clinics.plan(nameless)
    first = await applied(clinics, FILE)
    assert (await clinics.plan(nameless)).site_id == first
    second = await setup.site("Riverside Health", FILE.blueprint.name)
    for attempt in (clinics.plan(FILE), clinics.export()):
        with pytest.raises(SiteNotNamed, match=f"{second.id} is Riverside Clinic"):
            await attempt
    assert (await clinics.plan(FILE, second.id)).site_id == second.id
    assert (await clinics.export(first)).blueprint == FILE.blueprint
    with pytest.raises(SiteNotFound):
        await clinics.plan(FILE, 999)
    await setup.site("Another", "Clinic")
    with pytest.raises(OrganisationNotNamed, match="Another, Riverside Health"):
        await clinics.plan(nameless)


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
def test_a_clinic_is_set_up_and_kept_by_the_command_line(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    env = environment(request.getfixturevalue(f"{engine}_url")) | {"NOWSERVING_NEW_PASSWORD": "copper lantern ferry"}
    done = command_line(env, "init", stdin="Riverside Clinic\nnot a tag!\nes\nEurope/Madrid\n9\nhospital-outpatients\nEva\n")
    assert done.returncode == 0, done.stderr
    assert "Consultas externas" in done.stdout
    assert "no language tag" in done.stderr
    assert "9 is no template" in done.stderr
    again = command_line(env, "init", "--name", "Another", "--username", "adam")
    assert (again.returncode, "administrator already" in again.stderr) == (1, True)

    file = tmp_path / "clinic.toml"
    assert command_line(env, "export", "--output", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text(encoding="utf-8")
    assert text == command_line(env, "export").stdout
    template = template_named("hospital-outpatients")
    assert template is not None
    assert read(text).blueprint == template.blueprint(
        name="Riverside Clinic", time_zone="Europe/Madrid", region="ES", language="es"
    )
    same = command_line(env, "apply", str(file))
    assert (same.returncode, "Nothing to change" in same.stdout) == (0, True), same.stderr

    file.write_text(text.replace('prefix = "P"', 'prefix = "pp"').replace("[hours]", "[hour]"), encoding="utf-8")
    wrong = command_line(env, "apply", str(file), "--yes")
    assert wrong.returncode == 1
    lines = text.splitlines()
    for line, words in (("[hours]", "the key hour is unknown"), ('prefix = "P"', "prefix: 'pp' is not one capital letter")):
        assert f"{file}:{lines.index(line) + 1}: {words}" in wrong.stderr

    file.write_text(
        text.replace("target_standard_minutes = 45", "target_standard_minutes = 40").replace('"Alta"', '"Salida"'),
        encoding="utf-8",
    )
    checked = command_line(env, "apply", str(file), "--check")
    assert checked.returncode == 3
    for line in (
        "~ site Riverside Clinic",
        "    target_standard_minutes: 45 -> 40",
        "+ queue Salida",
        "~ point Mostrador de altas",
        "    queues: Alta -> Salida",
        "  queue Alta  (not in the file; it stays without --remove)",
    ):
        assert line in checked.stdout.splitlines()
    own = '[messages.called]\nes = "{label}: su turno. {link}"\n'
    with_text = file.read_text(encoding="utf-8") + own
    file.write_text(with_text.replace("{label}", "{room}"), encoding="utf-8")
    wrong = command_line(env, "apply", str(file), "--check")
    assert (wrong.returncode, "es: {room} is no placeholder" in wrong.stderr) == (1, True)
    file.write_text(with_text, encoding="utf-8")
    checked = command_line(env, "apply", str(file), "--check")
    assert "+ text called in es" in checked.stdout.splitlines()
    declined = command_line(env, "apply", str(file), stdin="n\nn\n")
    assert declined.returncode == 1
    assert command_line(env, "apply", str(file), "--check").returncode == 3
    done = command_line(env, "apply", str(file), "--yes", "--remove")
    assert done.returncode == 0, done.stderr
    assert "- queue Alta" in done.stdout.splitlines()
    assert command_line(env, "apply", str(file), "--check").returncode == 0
    piped = command_line(env, "apply", "-", "--check", stdin=command_line(env, "export").stdout)
    assert piped.returncode == 0, piped.stderr
    assert own in command_line(env, "export").stdout
    file.write_text(with_text.replace(own, ""), encoding="utf-8")
    assert "  text called in es  (not in the file" in command_line(env, "apply", str(file), "--check").stdout
    assert command_line(env, "apply", str(file), "--yes", "--remove").returncode == 0
    assert "[messages" not in command_line(env, "export").stdout
    with serving(env, tmp_path) as server, server.client() as client:
        answer = client.post("/api/v1/session", json={"username": "eva", "password": "copper lantern ferry"})
        assert answer.json()["user"]["role"] == "admin"


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
def test_the_command_line_lists_the_appointments_of_a_closed_day_and_asks_for_a_wish(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    url = request.getfixturevalue(f"{engine}_url")
    env, file = environment(url), tmp_path / "clinic.toml"
    file.write_text(write(FILE), encoding="utf-8")
    assert command_line(env, "apply", str(file), "--yes").returncode == 0

    async def book() -> date:
        database = Database(url)
        try:
            return (await booked(Seeder(database, Executor(database, a_vault(), publish=lambda *_: None)), 1))[1]
        finally:
            await database.close()

    day = asyncio.run(book())
    file.write_text(write(closed(day)), encoding="utf-8")
    listed = f"Booked appointments on days that become closed: 2 ({day}T09:00, {day}T09:15)"
    checked = command_line(env, "apply", str(file), "--check")
    assert (checked.returncode, listed in checked.stdout.splitlines()) == (3, True), checked.stdout
    refused = command_line(env, "apply", str(file), "--yes")
    assert (refused.returncode, listed in refused.stdout.splitlines()) == (1, True), refused.stdout
    assert "--stranded keep, or --stranded cancel" in refused.stderr
    assert command_line(env, "apply", str(file), "--yes", "--stranded", "move").returncode == 2
    assert command_line(env, "apply", str(file), "--check").returncode == 3
    done = command_line(env, "apply", str(file), "--yes", "--stranded", "keep")
    assert done.returncode == 0, done.stderr
    assert command_line(env, "apply", str(file), "--check").returncode == 0


def test_a_file_that_cannot_be_read_is_named(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    missing = command_line(env, "apply", str(tmp_path / "none.toml"))
    assert (missing.returncode, "none.toml cannot be read" in missing.stderr) == (1, True)
    (tmp_path / "latin.toml").write_bytes(b'organisation = "Jos\xe9"')
    latin = command_line(env, "apply", str(tmp_path / "latin.toml"))
    assert (latin.returncode, "is not text in UTF-8" in latin.stderr) == (1, True)
