"""Every kind of command takes effect exactly once, whether its commit or the database's answer to it is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from server.domain.commands import COMMANDS, Command, IssueTicket
from server.domain.errors import InvalidField, NotAllowed, NotFound, Refused, Unavailable
from server.domain.model.ids import site_of
from server.domain.rules import Patients, decide
from server.execute import Executor
from server.seeding import Seed, Seeder
from server.store import answers
from server.store.database import Database
from server.store.migrate import migrate
from server.store.tables import sites
from server.vault import Vault
from tests.support.appointments import Day, appointments_today
from tests.support.extent import sample
from tests.support.lossy_proxy import Loss, LossyProxy, lossy_proxy
from tests.support.processes import wait_until
from tests.support.server import Server, environment, serving, vault
from tests.support.sites_in_databases import StoredSite, StoredWorld
from tests.support.truth import log_of, truth_of
from tests.support.worlds import ACTIONS, wire_body

pytestmark = pytest.mark.long

TURNS = 1500
EVERY_ACTION = (*ACTIONS, *("want-earlier", "cancel-appointment", "accept-offer", "decline-offer") * 4)
BEGUN = (-150, -135, -120, -105, -90, -75, -60, -45, -30, -15)  # appointments that patients can miss
LOSSES: tuple[Loss, ...] = ("answer", "commit")
# Possible only after a message did not arrive, or after an outage: see test_marks.py and test_outages.py.
NOT_HERE = {"clear-unreached", "confirm"}
ONCE_A_SITE = {"hide-checklist"}  # only its commit is lost
CALLERS = 4
COMMANDS_PER_CALLER = 90


@pytest.fixture
def proxy(mysql_url: str) -> Iterator[LossyProxy]:
    with lossy_proxy(mysql_url) as proxy:
        yield proxy


@pytest.fixture
def day(mysql_url: str) -> Day:
    return appointments_today(environment(mysql_url), BEGUN, points=4, tickets=12, displays=0)


@pytest.fixture
def seeded(day: Day) -> Seed:
    return day.seeded


class Rows:
    """The rows of a site, read from the real database. One event loop keeps its connections, since reads are many."""

    def __init__(self, url: str, site_id: int) -> None:
        self._database = Database(url)
        self._site = StoredSite(self._database, site_id, vault())
        self._runner = asyncio.Runner()
        self.learn = self._site.learn

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._database.close())
        self._runner.close()

    def world(self) -> StoredWorld:
        """Return the present state of the site."""
        return self._runner.run(self._site.world())


def _post(client: httpx.Client, command: Command, key: str) -> httpx.Response:
    body = wire_body(command)
    return client.post(f"/api/v1/commands/{command.name_on_wire()}", json=body, headers={"Idempotency-Key": key})


def test_every_command_survives_a_lost_commit_or_answer(
    mysql_url: str, proxy: LossyProxy, day: Day, seeded: Seed, tmp_path: Path
) -> None:
    """Each command is sent once and gets 200: the server's own retry finds out whether the commit took effect."""
    possible = [name for name, command in COMMANDS.items() if not command.internal and name not in NOT_HERE]
    names = sample(possible, 30, __name__)
    lacking = {(name, loss) for name in names for loss in LOSSES}
    lacking -= {(name, "answer") for name in ONCE_A_SITE}
    wanted = len(lacking)
    chance = random.Random(7)
    answered: dict[str, dict[str, Any]] = {}
    with (
        Rows(mysql_url, seeded["site_id"]) as rows,
        serving(environment(proxy.url), tmp_path) as server,
        server.client(server.sign_in(seeded, "admin")) as client,
    ):
        assert client.post("/api/v1/practitioners", json={"name": "Dr Ada"}).status_code == 201
        for turn in range(TURNS):
            if not lacking:
                break
            command = _possible_command(rows.world(), chance, {name for name, _ in lacking})
            name, key = command.name_on_wire(), f"turn-{turn}-"
            loss = next((each for each in LOSSES if (name, each) in lacking), None)
            if loss is not None:
                proxy.lose(loss, key)
            answer = _post(client, command, key)
            assert answer.status_code == 200, f"{name}, {loss} lost: {answer.text}"
            answered[key] = answer.json()
            rows.learn(answered[key])
            if loss is not None:
                assert proxy.lost[-1] == (loss, key.encode())
                lacking.remove((name, loss))
        assert not lacking, f"never possible: {sorted(lacking)}"
        assert len(proxy.lost) == wanted
    truth = asyncio.run(truth_of(mysql_url, seeded["site_id"], day.time_zone))
    for key, body in answered.items():
        assert truth.done[key] == [event["seq"] for event in body["events"]], "done once, with the events of the answer"


def _possible_command(world: StoredWorld, chance: random.Random, wanted: set[str]) -> Command:
    """Return a command that the site allows: a wanted one, or sometimes another, so that the day continues."""
    board = world.board
    patients = Patients(vault().open_personal, lambda _: board.visits.values())
    choosy = chance.random() < 0.7
    while True:
        for _ in range(200):
            command = world.command(chance.choice(EVERY_ACTION), chance.randrange(1000))
            if command.internal or (choosy and command.name_on_wire() not in wanted):
                continue
            with suppress(Refused, NotFound, NotAllowed, InvalidField):
                now = max(world.now, board.site.last_event_at + 1)
                decide(board, command, now, "a hash", patients=patients, calendar=world.calendar)
                return command
        choosy = False


@pytest.mark.parametrize("loss", LOSSES)
def test_tick_survives_a_lost_commit_or_answer(
    loss: Loss, mysql_url: str, proxy: LossyProxy, day: Day, seeded: Seed, tmp_path: Path
) -> None:
    """The tick is the server's own command: no client sends or repeats it."""
    proxy.lose(loss, "waits-quoted")
    asyncio.run(_make_quotes_old(mysql_url, seeded["site_id"]))
    with serving(environment(proxy.url), tmp_path):
        wait_until(lambda: bool(_ticks(mysql_url, seeded["site_id"])), "the tick")
    assert proxy.lost == [(loss, b"waits-quoted")]
    quoted, *more = _ticks(mysql_url, seeded["site_id"])
    assert quoted == "waits-quoted"
    assert more in ([], ["waits-explained"])
    asyncio.run(truth_of(mysql_url, seeded["site_id"], day.time_zone))


async def _make_quotes_old(url: str, site_id: int) -> None:
    database = Database(url)
    async with database.write() as connection:
        await connection.execute(update(sites).where(sites.c.id == site_id).values(quoted_at=0, next_tick_at=0))
    await database.close()


def _ticks(url: str, site_id: int) -> list[str]:
    return [each.event.name_on_wire() for each in asyncio.run(log_of(url, site_id)) if each.actor == "clock"]


def test_concurrent_commands_survive_randomly_lost_commits(
    mysql_url: str, proxy: LossyProxy, day: Day, seeded: Seed, tmp_path: Path
) -> None:
    """A third of all commits, or of their answers, is lost. Each caller repeats after "unavailable", as a client does."""
    answered: dict[str, dict[str, Any]] = {}
    with serving(environment(proxy.url), tmp_path) as server:
        token = server.sign_in(seeded, "admin")
        proxy.lose_at_random(0.33)
        with ThreadPoolExecutor(CALLERS) as pool:
            jobs = [pool.submit(_send_commands, server, token, mysql_url, seeded, each) for each in range(CALLERS)]
            for job in jobs:
                answered |= job.result()
        proxy.lose_at_random(0)
    assert len(proxy.lost) > 30
    truth = asyncio.run(truth_of(mysql_url, seeded["site_id"], day.time_zone))
    assert len(answered) > 50
    for key, body in answered.items():
        assert truth.done[key] == [event["seq"] for event in body["events"]], "done once, with the events of the answer"
    assert {key for key in truth.done if key.startswith("caller-")} == set(answered), "every recorded command was answered"


def _send_commands(server: Server, token: str, url: str, seeded: Seed, number: int) -> dict[str, dict[str, Any]]:
    chance = random.Random(number)
    actions = [each for each in ACTIONS if each not in ("night", "tick", "close-day", "close-point")]
    answered: dict[str, dict[str, Any]] = {}
    with Rows(url, seeded["site_id"]) as rows, server.client(token) as client:
        for turn in range(COMMANDS_PER_CALLER):
            key = f"caller-{number}-{turn}-"
            command = rows.world().command(chance.choice(actions), chance.randrange(1000))
            for _ in range(30):
                answer = _post(client, command, key)
                if answer.status_code != 503:
                    break
            assert answer.status_code in (200, 404, 409) or answer.json()["error"]["code"] == "invalid_field", answer.text
            if answer.status_code == 200:
                answered[key] = answer.json()
                rows.learn(answered[key])
    return answered


# The tests above can fail


@pytest.mark.parametrize(
    ("loss", "forgotten", "times"),
    [
        ("answer", [], 1),
        ("commit", [], 1),
        ("answer", ["find"], 1),  # the key of the recorded answers still refuses the second attempt, with an error
        ("answer", ["find", "record"], 2),
    ],
)
async def test_look_up_of_answers_prevents_a_second_ticket(
    loss: Loss,
    forgotten: list[str],
    times: int,
    mysql_url: str,
    proxy: LossyProxy,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that forgets its answers issues two tickets, and the test detects both."""
    database = Database(proxy.url)
    try:
        await migrate(database)
        executor = Executor(database, vault, publish=lambda *_: None)
        queue_id = (await Seeder(database, executor).seed(points=1, tickets=0, displays=0))["queue_ids"][0]
        for name in forgotten:
            monkeypatch.setattr(answers, name, lambda *_: None)
        proxy.lose(loss, "only-once")
        command = IssueTicket(queue_id=queue_id)
        if forgotten == ["find"]:
            with pytest.raises(Unavailable):
                await executor.execute(command, actor="staff:1", command_id="only-once")
        else:
            await executor.execute(command, actor="staff:1", command_id="only-once")
        assert len(proxy.lost) == 1
    finally:
        await database.close()
    truth = await truth_of(mysql_url, site_of(queue_id))
    assert len(truth.done["only-once"]) == times
